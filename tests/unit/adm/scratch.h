/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Scratch: a directory of a test's own, in the place of the file system of a machine. Paths in it
 * have no slash in front. */

#include "test.h"

#define SCRATCH_SIZE 64

/* Makes one; ROOT is set to its path. */
void scratch_new(char root[static SCRATCH_SIZE]);
void scratch_free(const char *root);

/* The full path, which holds until the next call. */
const char *scratch_path(const char *root, const char *path);

/* Writes a file, with the directories that it needs. */
void scratch_write(const char *root, const char *path, const char *text);

/* A new string. */
char *scratch_read(const char *root, const char *path);
