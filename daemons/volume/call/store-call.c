/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdatomic.h>

#include "core/call/wire.h"
#include "store/object/writer.h"
#include "volume/call/store-call.h"

#define OBJECTS_MAX 4096

typedef struct StoreBatch StoreBatch;

typedef struct StoreItem {
        StoreBatch *batch;
        ObjectPut put;
        uint64_t version;
        ObjectWriter *writer; /* instead of PUT, for what this volume keeps in a file */
        int error;
} StoreItem;

struct StoreBatch {
        RpcRequest *request;
        const Copies *copies; /* not owned */
        size_t n_items;
        atomic_size_t n_left;
        StoreItem items[];
};

static void store_done(StoreBatch *batch) {
        _cleanup_(buffer_done) Buffer answer = {};

        if (atomic_fetch_sub(&batch->n_left, 1) > 1)
                return;

        for (size_t i = 0; i < batch->n_items; i++)
                wire_put_error(&answer, batch->items[i].error);
        (void) rpc_request_reply(batch->request, NULL, &answer);
}

static void item_done(StoreItem *item, int result) {
        const Copies *copies = item->batch->copies;

        if (result < 0)
                item->error = faults_note(copies->faults, result, item->put.size);

        /* Gives the version up, unless there is an object of this version and only not this one. */
        if (result < 0 && result != -EEXIST)
                pending_remove(copies->pending, item->version);
        store_done(item->batch);
}

static void on_put(Operation *operation, int result) {
        item_done(CONTAINER_OF(operation, StoreItem, put.operation), result);
}

static void on_written(ObjectWriter *writer, int result, void *userdata) {
        item_done(userdata, result);
}

/* Returns 0 if on_put() or on_written() will be called, or a negative errno. */
static int store_object(StoreItem *item) {
        const Copies *copies = item->batch->copies;
        Object object;
        int r;

        r = faults_check(copies->faults);
        if (r < 0)
                return r;
        r = object_decode(item->put.data, item->put.size, &object);
        if (r < 0)
                return r;

        if (record_check(&object.record) < 0 || !object.is_inline)
                return -EINVAL; /* before anything remembers the version */

        item->version = object.record.version;
        pending_add(copies->pending, item->version);
        if (object.record.size <= copies->inline_max) {
                object_store_put(copies->store, &item->put);
                return 0;
        }

        r = object_verify(&object);
        if (r < 0)
                return r;
        r = object_writer_new(
                        copies->store, object.key, &object.record, object.record.size,
                        &item->writer);
        if (r < 0)
                return r;
        r = object_writer_append(item->writer, object.value, object.record.size);
        if (r < 0)
                return r;
        object_writer_finish(item->writer, on_written, item);
        return 0;
}

static void batch_free(void *userdata) {
        StoreBatch *batch = userdata;

        for (size_t i = 0; i < batch->n_items; i++)
                (void) object_writer_free(batch->items[i].writer);
        free(batch);
}

int store_call_read_confirmed(Pending *pending, Reader *reader) {
        uint64_t n = reader_get_varint(reader);

        for (uint64_t i = 0; i < n && reader_error(reader) == 0; i++) {
                uint64_t version = reader_get_u64(reader);

                if (reader_error(reader) == 0)
                        pending_remove(pending, version);
        }
        return reader_error(reader);
}

/* Finds the objects in the body, which outlives the batch. */
static int read_objects(Reader *reader, StoreBatch **ret) {
        uint64_t n = reader_get_varint(reader);
        _cleanup_free_ StoreBatch *batch = NULL;

        if (reader_error(reader) < 0 || n > OBJECTS_MAX)
                return -EINVAL;

        batch = calloc(1, sizeof(*batch) + n * sizeof(batch->items[0]));
        if (!batch)
                return -ENOMEM;
        batch->n_items = n;
        batch->n_left = n + 1; /* one for whoever submits */

        for (size_t i = 0; i < n; i++) {
                StoreItem *item = batch->items + i;

                item->batch = batch;
                item->put.operation.done = on_put;
                item->put.data = reader_get_bytes(reader, &item->put.size);
        }
        if (reader_end(reader) < 0)
                return -EINVAL;

        *ret = TAKE_PTR(batch);
        return 0;
}

int store_call_finish(const StoreCallOptions *options, RpcRequest *request) {
        const Buffer *body;
        StoreBatch *batch;
        Reader reader;
        int r;

        body = caller_read_order(options->callers, request);

        reader = READER(body->data, body->size);
        r = store_call_read_confirmed(options->copies->pending, &reader);
        if (r < 0)
                return -EINVAL;
        r = read_objects(&reader, &batch);
        if (r < 0)
                return r;
        if (batch->n_items > 0) /* else it only confirms, perhaps what a job has moved */
                activity_note(options->activity);
        batch->request = request;
        batch->copies = options->copies;
        rpc_request_set_state(request, batch, batch_free);

        for (size_t i = 0; i < batch->n_items; i++) {
                StoreItem *item = batch->items + i;

                r = store_object(item);
                if (r < 0)
                        item_done(item, r);
        }

        /* The last item to end replies, possibly on this thread. */
        store_done(batch);
        return RPC_LATER;
}
