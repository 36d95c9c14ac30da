/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Scratch: a directory for one test, and waiting for one operation. */

#include "store/environment/environment.h"
#include "store/index/index.h"

/* Makes an empty directory. Dies if it cannot. */
char *scratch_new(void);

/* Removes the directory and all that is in it, frees the path, returns NULL. */
char *scratch_free(char *directory);
DEFINE_CLEANUP(char *, scratch_free);

/* Returns "DIRECTORY/NAME" in a static buffer. */
const char *scratch_path(const char *directory, const char *name);

/* A copy of a directory that has only files in it, or directories of files. */
char *scratch_copy(const char *directory);

/* Whether all files of a directory that has only files in it are the same in the other. */
bool scratch_equal(const char *directory, const char *other);

/* Flips one bit of a file. Dies if it cannot. */
void scratch_flip_bit(const char *path, uint64_t offset);

/* Finds the bytes in the file. Returns their offset; dies if they are not there. */
uint64_t scratch_find(const char *path, const void *data, size_t size);

/* index_open(), with what tests of the environment say. */
int scratch_open_index(const EnvironmentOptions *options, Index **ret);

/* The done() of an operation for which a test waits: one at a time in the process. */
void scratch_done(Operation *operation, int result);

/* Likewise, of a request to the index. */
void scratch_answered(IndexRequest *request, IndexResult result);

/* Returns what it was told: 0, or a negative errno. */
int scratch_wait(void);
