/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/buffer.h"
#include "volume/upkeep/deletions.h"

#define STATE_NAME "last-deletion"

struct Deletions {
        ObjectStore *store;   /* not owned */
        Pending *pending;     /* not owned */
        pthread_mutex_t lock; /* held while a call is submitted, so that the next one is behind it
                               */
        uint64_t last;        /* number of a call */
};

int deletions_new(ObjectStore *store, Pending *pending, Deletions **ret) {
        _cleanup_(deletions_freep) Deletions *deletions = malloc(sizeof(*deletions));
        _cleanup_(buffer_done) Buffer last = {};
        int r;

        if (!deletions)
                return -ENOMEM;

        *deletions = (Deletions){ .store = store,
                                  .pending = pending,
                                  .lock = PTHREAD_MUTEX_INITIALIZER };
        r = object_store_get_state(store, STATE_NAME, &last);
        if (r < 0 && r != -ENOENT)
                return r;
        if (r >= 0) {
                if (last.size != sizeof(deletions->last))
                        return -EBADMSG;
                memcpy(&deletions->last, last.data, sizeof(deletions->last));
                deletions->last = le64toh(deletions->last);
        }

        *ret = TAKE_PTR(deletions);
        return 0;
}

Deletions *deletions_free(Deletions *deletions) {
        if (!deletions)
                return NULL;

        (void) pthread_mutex_destroy(&deletions->lock);
        free(deletions);
        return NULL;
}

uint64_t deletions_last(Deletions *deletions) {
        uint64_t last;

        (void) pthread_mutex_lock(&deletions->lock);
        last = deletions->last;
        (void) pthread_mutex_unlock(&deletions->lock);
        return last;
}

static void part_done(DeletionBatch *batch) {
        if (atomic_fetch_sub(&batch->n_left, 1) == 1)
                batch->done(batch);
}

static void on_deleted(Operation *operation, int result) {
        DeletionItem *item = CONTAINER_OF(operation, DeletionItem, deletion.operation);

        item->error = MIN(result, 0);
        if (result >= 0)
                pending_remove(item->batch->pending, item->version);
        part_done(item->batch);
}

static void on_number_stored(Operation *operation, int result) {
        DeletionBatch *batch = CONTAINER_OF(operation, DeletionBatch, set.operation);

        batch->error = MIN(result, 0);
        part_done(batch);
}

DeletionBatch *deletion_batch_new(uint64_t number, size_t n) {
        DeletionBatch *batch = calloc(1, sizeof(*batch) + n * sizeof(batch->items[0]));

        if (!batch)
                return NULL;

        batch->number = number;
        batch->n_items = n;
        return batch;
}

static void prepare(const Deletions *deletions, DeletionBatch *batch) {
        batch->pending = deletions->pending;
        batch->encoded = htole64(batch->number);
        batch->set = (ObjectStoreSet){
                .operation.done = on_number_stored,
                .name = STATE_NAME,
                .data = &batch->encoded,
                .size = sizeof(batch->encoded),
        };
        for (size_t i = 0; i < batch->n_items; i++) {
                DeletionItem *item = batch->items + i;

                item->batch = batch;
                item->deletion = (ObjectDelete){
                        .operation.done = on_deleted,
                        .version = item->version,
                };
        }
        atomic_store(&batch->n_left, batch->n_items + 2); /* the number, and this thread */
}

int deletions_submit(Deletions *deletions, DeletionBatch *batch) {
        int r = 0;

        prepare(deletions, batch);

        (void) pthread_mutex_lock(&deletions->lock);
        if (batch->number > deletions->last) {
                deletions->last = batch->number;
                object_store_set(deletions->store, &batch->set);
                for (size_t i = 0; i < batch->n_items; i++)
                        object_store_delete(deletions->store, &batch->items[i].deletion);
        } else
                r = -ESTALE;
        (void) pthread_mutex_unlock(&deletions->lock);

        if (r >= 0)
                part_done(batch);
        return r;
}
