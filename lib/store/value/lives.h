/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Lives: how many bytes of each segment of the value log are live, that is, of entries that a
 * pointer leads to. Kept in the transactions that change the pointers.
 *
 * The committer changes them; any thread may look at what is committed. */

#include <pthread.h>

#include "store/environment/database.h"

typedef struct Life {
        uint32_t segment;
        uint64_t live;
} Life;

typedef struct LifeChange {
        uint32_t segment;
        int64_t n_bytes;
} LifeChange;

typedef struct Lives {
        pthread_mutex_t lock; /* for what is committed: */
        Life *items;          /* owned; in the order of the segments, without those with nothing */
        size_t n, allocated;
        uint64_t total;

        LifeChange *changes; /* owned; of the current transaction; the committer's */
        size_t n_changes, n_changes_allocated;
} Lives;

void lives_init(Lives *lives);
void lives_done(Lives *lives);

/* Reads what is stored. Returns 0 or a negative errno. */
int lives_load(Lives *lives, Environment *environment);

/* In a transaction. Returns 0, or -ENOMEM, which undoes it. */
int lives_add(Lives *lives, Transaction *transaction, uint32_t segment, int64_t n_bytes);

/* Before it is committed; when it has ended. */
int lives_save(Lives *lives, Transaction *transaction);
void lives_ended(Lives *lives, bool committed);

uint64_t lives_of(Lives *lives, uint32_t segment);
uint64_t lives_total(Lives *lives);
