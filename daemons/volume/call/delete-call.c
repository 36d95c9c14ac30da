/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "core/call/wire.h"
#include "volume/call/delete-call.h"

#define OBJECTS_MAX 4096

static void on_done(DeletionBatch *batch) {
        _cleanup_(buffer_done) Buffer answer = {};

        /* Without its number, the call could delete later copies after a restart: the master must
         * not forget these versions. */
        for (size_t i = 0; i < batch->n_items; i++)
                wire_put_error(&answer, batch->error ?: batch->items[i].error);
        (void) rpc_request_reply(batch->userdata, NULL, &answer);
}

static int read_batch(RpcRequest *request, const Buffer *body, DeletionBatch **ret) {
        size_t n = body->size / sizeof(uint64_t);
        Reader reader = READER(body->data, body->size);
        DeletionBatch *batch;
        uint64_t number;

        if (n < 1 || n > OBJECTS_MAX + 1 || body->size % sizeof(uint64_t) != 0)
                return -EINVAL;
        number = reader_get_u64(&reader);
        if (number > RECORD_VERSION_MAX)
                return -EINVAL; /* no later one could follow */

        batch = deletion_batch_new(number, n - 1);
        if (!batch)
                return -ENOMEM;
        rpc_request_set_state(request, batch, free);
        batch->done = on_done;
        batch->userdata = request;
        for (size_t i = 0; i < batch->n_items; i++)
                batch->items[i].version = reader_get_u64(&reader);

        *ret = batch;
        return 0;
}

int delete_call_finish(const DeleteCallOptions *options, RpcRequest *request) {
        DeletionBatch *batch;
        const Buffer *body;
        int r;

        body = caller_read_order(options->callers, request);
        r = read_batch(request, body, &batch);
        if (r < 0)
                return r;
        if (faults_get(options->faults) >= STORE_FAULT_READ_ONLY) /* a full disk has room for it */
                return rpc_request_refuse(request, -EREMOTEIO, NULL);

        r = deletions_submit(options->deletions, batch);
        if (r < 0)
                return rpc_request_refuse(request, r, "A later call has overtaken this one.");
        return RPC_LATER;
}
