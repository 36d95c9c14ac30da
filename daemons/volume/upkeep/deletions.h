/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Deletions: what the master's collector has this volume delete. The collector decides when one
 * that failed is tried again: daemons/master/upkeep/garbage.h.
 *
 * A call can be held up on its way and arrive long after the master has given it up, has
 * repeated it, and has had a new copy of one of its versions made here. So the master numbers
 * its calls, and a call that arrives behind a later one is refused, also after a restart. */

#include <stdatomic.h>

#include "store/object/objects.h"
#include "volume/upkeep/pending.h"

typedef struct Deletions Deletions;
typedef struct DeletionBatch DeletionBatch;

typedef struct DeletionItem {
        uint64_t version;
        int error; /* 0 once it is gone for good, also if it was not there */

        ObjectDelete deletion; /* private, as is the batch */
        DeletionBatch *batch;
} DeletionItem;

/* One call. */
struct DeletionBatch {
        uint64_t number; /* greater than that of any call before it */
        int error;       /* of storing the number; then what was deleted does not count */

        /* Called once, when all is durable or has failed; on the store's thread, or on that of
         * deletions_submit(). Frees the batch, or leaves it to its owner. */
        void (*done)(DeletionBatch *batch);
        void *userdata;

        size_t n_items;
        Pending *pending; /* private, as are the next three */
        ObjectStoreSet set;
        uint64_t encoded;
        atomic_size_t n_left;
        DeletionItem items[];
};

/* STORE and PENDING are not owned. Returns 0, -EBADMSG, or another negative errno. */
int deletions_new(ObjectStore *store, Pending *pending, Deletions **ret);

/* The store must have been freed before. Accepts NULL. */
Deletions *deletions_free(Deletions *deletions);
DEFINE_CLEANUP(Deletions *, deletions_free);

/* The number of the last call; 0 if there was none. From any thread. */
uint64_t deletions_last(Deletions *deletions);

/* Makes a batch of N items, whose versions the caller fills in; free() frees it. NULL if there is
 * no memory. */
DeletionBatch *deletion_batch_new(uint64_t number, size_t n);

/* Deletes; from any thread. Returns 0, or -ESTALE if a later call was here before: then nothing is
 * deleted, and done() is not called. */
int deletions_submit(Deletions *deletions, DeletionBatch *batch);
