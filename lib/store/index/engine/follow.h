/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Follow: how an index that is one of several applies what is decided. The committer does, some
 * entries in a transaction, without a flush. Once in a while a batch is flushed all the same, so
 * that the log need not keep everything. */

#include "store/index/apply/applied.h"
#include "store/index/engine/proposals.h"

/* Of entries that wait to be applied. */
#define FOLLOW_QUEUE_MAX (64 * MIB)

/* Of entries in a transaction, about: readers wait while it is applied. */
#define FOLLOW_BATCH_SIZE (256 * KIB)

/* After so many bytes of entries there is a flush. */
#define FOLLOW_SYNC_SIZE (16 * MIB)

/* Until the next try while the disk is full. */
#define FOLLOW_FULL_USEC (100 * USEC_PER_MSEC)

typedef struct Follow {
        IndexGroup group;
        Environment *environment; /* not owned */
        Proposals proposals;

        atomic_uint_least64_t queued; /* bytes of entries that wait */
        atomic_bool is_full;          /* one was not taken */
        atomic_bool is_closing;       /* nothing is waited for any more */

        /* Under the environment's lock; changed by the committer. */
        struct {
                ConsensusApplied now, committed;
        } applied;
        atomic_uint_least64_t on_disk; /* the last entry that is */

        /* The committer's own: */
        int ended;           /* why nothing is applied any more, or 0 */
        uint64_t size;       /* of the entries in the batch */
        uint64_t not_synced; /* bytes of those that were applied since the last flush */
        bool is_syncing;     /* this batch is flushed */
} Follow;

/* The environment is not open yet. */
void follow_init(Follow *follow, const IndexGroup *group);
void follow_done(Follow *follow);

/* Reads how far the tables have come. Returns 0, -EXDEV if they belong to no group, or another
 * negative errno. */
int follow_load(Follow *follow, const Tables *tables);

/* As index_decided() and index_applied(). */
int follow_decided(Follow *follow, uint64_t index, const Entry *entry, Proposal *proposal);
void follow_applied(Follow *follow, ConsensusApplied *ret, uint64_t *ret_on_disk);

/* All that was proposed is told: answers what is left. */
void follow_finish(Follow *follow);

/* The hooks of the environment; the userdata are the tables of an index. */
void follow_on_prepare(Batch *batch, void *userdata);
bool follow_on_failed(int error, void *userdata);
int follow_on_ending(Transaction *transaction, void *userdata);
void follow_on_ended(bool committed, void *userdata);
void follow_on_flushed(void *userdata);
