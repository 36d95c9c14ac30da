/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/file.h"
#include "rpc/rpc.h"
#include "volume/link/caller.h"
#include "volume/request/store-call.h"
#include "volume/upkeep/deletions.h"
#include "volume/volume.h"

#define OBJECTS_MAX 4096
#define STATE_NAME  "last-deletion"

struct Deletions {
        ObjectStore *store;   /* not owned */
        pthread_mutex_t lock; /* held while a call is submitted, so that the next one is behind it
                               */
        uint64_t last;        /* number of a call */
};

typedef struct DeleteBatch DeleteBatch;

typedef struct DeleteItem {
        DeleteBatch *batch;
        ObjectDelete deletion;
        int error;
} DeleteItem;

struct DeleteBatch {
        HttpRequest *request;
        ObjectStoreSet set;
        uint64_t encoded; /* its number */
        int error;        /* of storing that */
        size_t n_items, n_left;
        DeleteItem items[];
};

int deletions_new(ObjectStore *store, Deletions **ret) {
        _cleanup_(deletions_freep) Deletions *deletions = malloc(sizeof(*deletions));
        _cleanup_(buffer_done) Buffer last = {};
        int r;

        if (!deletions)
                return -ENOMEM;

        *deletions = (Deletions){ .store = store, .lock = PTHREAD_MUTEX_INITIALIZER };
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

static void delete_done(DeleteBatch *batch) {
        _cleanup_(buffer_done) Buffer answer = {};

        if (__atomic_sub_fetch(&batch->n_left, 1, __ATOMIC_ACQ_REL) > 0)
                return;

        /* The master must not forget what a late call could still delete after a restart. */
        for (size_t i = 0; i < batch->n_items; i++)
                wire_put_error(&answer, batch->error ?: batch->items[i].error);
        batch_reply_errors(batch->request, &answer);
}

static void on_deleted(Operation *operation, int result) {
        DeleteItem *item = CONTAINER_OF(operation, DeleteItem, deletion.operation);
        VolumeDaemon *volume = http_request_userdata(item->batch->request);

        if (result < 0)
                item->error = result;
        else
                pending_remove(volume->pending, item->deletion.version);
        delete_done(item->batch);
}

static void on_number_stored(Operation *operation, int result) {
        DeleteBatch *batch = CONTAINER_OF(operation, DeleteBatch, set.operation);

        batch->error = MIN(result, 0);
        delete_done(batch);
}

/* Returns 0, or -ESTALE if a later call was here before. */
static int submit(Deletions *deletions, DeleteBatch *batch, uint64_t number) {
        int r = 0;

        (void) pthread_mutex_lock(&deletions->lock);
        if (number > deletions->last) {
                deletions->last = number;
                object_store_set(deletions->store, &batch->set);
                for (size_t i = 0; i < batch->n_items; i++)
                        object_store_delete(deletions->store, &batch->items[i].deletion);
        } else
                r = -ESTALE;
        (void) pthread_mutex_unlock(&deletions->lock);
        return r;
}

static int read_batch(HttpRequest *request, const Buffer *body, DeleteBatch **ret) {
        size_t n = body->size / sizeof(uint64_t);
        Reader reader = READER(body->data, body->size);
        DeleteBatch *batch;
        uint64_t number;

        if (n < 1 || n > OBJECTS_MAX + 1 || body->size % sizeof(uint64_t) != 0)
                return -EINVAL;
        n--;
        batch = calloc(1, sizeof(*batch) + n * sizeof(batch->items[0]));
        if (!batch)
                return -ENOMEM;
        rpc_set_state(request, batch, free);

        number = reader_get_u64(&reader);
        if (number > RECORD_VERSION_MAX)
                return -EINVAL; /* no later one could follow */
        batch->request = request;
        batch->encoded = htole64(number);
        batch->set = (ObjectStoreSet){
                .operation.done = on_number_stored,
                .name = STATE_NAME,
                .data = &batch->encoded,
                .size = sizeof(batch->encoded),
        };
        batch->n_items = n;
        batch->n_left = n + 2; /* one for the number, one for whoever submits */
        for (size_t i = 0; i < n; i++)
                batch->items[i] = (DeleteItem){
                        .batch = batch,
                        .deletion = {
                                .operation.done = on_deleted,
                                .version = reader_get_u64(&reader),
                        },
                };

        *ret = batch;
        return 0;
}

int deletions_finish(HttpRequest *request) {
        VolumeDaemon *volume = http_request_userdata(request);
        const Buffer *body;
        DeleteBatch *batch;
        int r;

        r = order_read(request, &body);
        if (r < 0)
                return r;
        r = read_batch(request, body, &batch);
        if (r < 0)
                return r;
        if (faults_get(volume->faults) >= STORE_FAULT_READ_ONLY) /* there is always room for it */
                return http_request_reply_error(request, -EREMOTEIO, NULL);
        r = submit(volume->deletions, batch, le64toh(batch->encoded));
        if (r < 0)
                return http_request_reply_error(request, r, "A later call has overtaken this one.");

        delete_done(batch);
        return HTTP_LATER;
}
