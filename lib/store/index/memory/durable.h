/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Durable: readers see only what is on the disk.
 *
 * A batch is visible to readers when it is applied, which is before its flush. So that a loss of
 * power cannot take back what somebody has read, a reader of a key that was changed since the last
 * flush waits for the next one. Which keys these are is known by their hashes; two of the same hash
 * wait for each other, which costs time only. Rounds count flushes. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define DURABLE_SLOTS 32768

/* Somebody who is called instead of waiting. */
typedef struct DurableWait DurableWait;

struct DurableWait {
        void (*flushed)(DurableWait *wait);

        /* private */
        DurableWait *next;
        uint64_t round;
};

typedef struct Durable {
        atomic_uint_least64_t flushed; /* rounds that are on the disk */
        atomic_uint_least64_t changed; /* the last round that changed anything */
        atomic_uint_least64_t
                        slots[DURABLE_SLOTS]; /* by hash: the last round that changed the key */
        atomic_uint n_waiting;                /* of both kinds */
        pthread_mutex_t lock;
        pthread_cond_t flush;
        DurableWait *waits; /* under the lock; newest first */
} Durable;

void durable_init(Durable *durable);
void durable_done(Durable *durable);

/* The committer, before readers see it: the round changes a key, or anything else. */
void durable_note_key(Durable *durable, const char *key);
void durable_note(Durable *durable);

/* The committer, after the flush: the next round begins. */
void durable_note_flush(Durable *durable);

/* Under the lock that keeps the committer out: the round that has to be on the disk before what was
 * read of the key, or of anything, may be used. */
uint64_t durable_round_of_key(const Durable *durable, const char *key);
uint64_t durable_round(const Durable *durable);

bool durable_is_flushed(const Durable *durable, uint64_t round);

/* Without that lock: waits for the round. Never on the committer's thread while it applies. */
void durable_wait(Durable *durable, uint64_t round);

/* Without that lock, never blocks: if the round is not on the disk yet, WAIT->flushed() will be
 * called once it is, on the committer's thread; then it may be freed. Returns whether it will. */
bool durable_call(Durable *durable, uint64_t round, DurableWait *wait);
