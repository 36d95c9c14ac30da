/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store/index/memory/durable.h"
#include "core/key.h"

void durable_init(Durable *durable) {
        (void) pthread_mutex_init(&durable->lock, NULL);
        (void) pthread_cond_init(&durable->flush, NULL);
}

void durable_done(Durable *durable) {
        (void) pthread_cond_destroy(&durable->flush);
        (void) pthread_mutex_destroy(&durable->lock);
}

static size_t slot_of(const char *key) {
        return (size_t) key_hash(key) % DURABLE_SLOTS;
}

/* The lock that keeps readers out orders these. */
void durable_note(Durable *durable) {
        uint64_t round = atomic_load_explicit(&durable->flushed, memory_order_relaxed) + 1;

        atomic_store_explicit(&durable->changed, round, memory_order_relaxed);
}

void durable_note_key(Durable *durable, const char *key) {
        uint64_t round = atomic_load_explicit(&durable->flushed, memory_order_relaxed) + 1;

        atomic_store_explicit(&durable->changed, round, memory_order_relaxed);
        atomic_store_explicit(&durable->slots[slot_of(key)], round, memory_order_relaxed);
}

/* Takes those out of the list whose round has come, oldest first. With the lock. */
static DurableWait *take_flushed(Durable *durable) {
        DurableWait **link = &durable->waits, *wait, *flushed = NULL;

        while ((wait = *link))
                if (wait->round <= atomic_load(&durable->flushed)) {
                        *link = wait->next;
                        wait->next = flushed;
                        flushed = wait;
                        (void) atomic_fetch_sub(&durable->n_waiting, 1);
                } else {
                        link = &wait->next;
                }

        return flushed;
}

void durable_note_flush(Durable *durable) {
        DurableWait *flushed;

        atomic_fetch_add(&durable->flushed, 1);
        if (atomic_load(&durable->n_waiting) == 0)
                return;

        (void) pthread_mutex_lock(&durable->lock);
        flushed = take_flushed(durable);
        (void) pthread_cond_broadcast(&durable->flush);
        (void) pthread_mutex_unlock(&durable->lock);

        while (flushed) {
                DurableWait *next = flushed->next; /* it may be freed */

                flushed->flushed(flushed);
                flushed = next;
        }
}

uint64_t durable_round_of_key(const Durable *durable, const char *key) {
        return atomic_load_explicit(&durable->slots[slot_of(key)], memory_order_relaxed);
}

uint64_t durable_round(const Durable *durable) {
        return atomic_load_explicit(&durable->changed, memory_order_relaxed);
}

bool durable_is_flushed(const Durable *durable, uint64_t round) {
        return atomic_load(&durable->flushed) >= round;
}

void durable_wait(Durable *durable, uint64_t round) {
        if (atomic_load(&durable->flushed) >= round)
                return;

        (void) pthread_mutex_lock(&durable->lock);
        atomic_fetch_add(&durable->n_waiting, 1);
        while (atomic_load(&durable->flushed) < round)
                (void) pthread_cond_wait(&durable->flush, &durable->lock);
        atomic_fetch_sub(&durable->n_waiting, 1);
        (void) pthread_mutex_unlock(&durable->lock);
}

bool durable_call(Durable *durable, uint64_t round, DurableWait *wait) {
        bool is_waiting;

        if (atomic_load(&durable->flushed) >= round)
                return false;

        /* Counted first, then looked: the committer does it the other way round, so one of the two
         * sees the other. */
        (void) pthread_mutex_lock(&durable->lock);
        atomic_fetch_add(&durable->n_waiting, 1);
        is_waiting = atomic_load(&durable->flushed) < round;
        if (is_waiting) {
                wait->round = round;
                wait->next = durable->waits;
                durable->waits = wait;
        } else {
                atomic_fetch_sub(&durable->n_waiting, 1);
        }
        (void) pthread_mutex_unlock(&durable->lock);

        return is_waiting;
}
