/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* An environment whose content is known from a counter in it: each transaction raises the counter
 * and puts or deletes four entries, which follow from it. And copies of it. */

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "scratch.h"
#include "store/copy/copy-source.h"
#include "store/copy/copy-target.h"
#include "store/environment/database.h"
#include "store/environment/opening.h"
#include "test.h"

#define FORMAT   "test 1"
#define FOREVER  (100 * USEC_PER_SEC)
#define NO_LIMIT (1 * GIB)

/* In children and threads there is no cmocka that would catch a failed assertion. */
#define CHECK(condition) \
        do \
                if (!(condition)) { \
                        (void) fprintf(stderr, "line %i: %s\n", __LINE__, #condition); \
                        abort(); \
                } \
        while (false)

typedef struct Store {
        Environment *environment;
        DB *database;
} Store;

EnvironmentOptions options_of(const char *directory);

Store open_store(const char *directory);
void close_store(Store *store);

uint64_t counter_of(const Store *store);

/* Takes the store N transactions further. */
void run_steps(const Store *store, unsigned n);

/* All of it is what it must be by its counter, which is returned, and nothing else is there. */
uint64_t check_store(const Store *store);

/* The same of what is in a directory, and that it can be written. */
uint64_t check_directory(const char *directory);

/* A thread that goes on writing. */
typedef struct Writer {
        Store store;
        pthread_t thread;
        atomic_bool stop;
        atomic_uint_least64_t counter;
} Writer;

void writer_start(Writer *writer, const Store *store);
void writer_stop(Writer *writer);

/* Waits until it has come N transactions further. */
void writer_wait(const Writer *writer, uint64_t n);

CopySource *begin_copy(const Store *store);

int new_target(const char *directory, CopyTarget **ret);
CopyTarget *begin_target(const char *directory);

/* Both sides of a new connection. */
void connect_copy(CopySource *source, CopyTarget *target);

/* The next piece. Returns whether there was one. */
bool pass_piece(CopySource *source, CopyTarget *target);

/* The rest of a copy that is all there. */
void install(CopyTarget *target);
