/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "base/clock.h"
#include "core/call/wire.h"
#include "master/call/settle-call.h"
#include "master/request/requests.h"
#include "master/upkeep/deadlines.h"
#include "store/index/garbage.h"

#define SETTLE_MAX 4096

typedef struct SettleBatch {
        RpcRequest *request;
        IndexSettle settle;
        IndexSettleItem items[SETTLE_MAX];
} SettleBatch;

static void on_settled(IndexRequest *request, IndexResult result) {
        SettleBatch *batch = CONTAINER_OF(request, SettleBatch, settle.request);

        if (result.error < 0) /* also if it is unknown: to settle twice does no harm */
                (void) rpc_request_refuse(batch->request, result.error, NULL);
        else
                (void) rpc_request_reply(batch->request, NULL, NULL);
}

static int read_settle(Requests *requests, const Buffer *body, SettleBatch *batch) {
        Reader reader = READER(body->data, body->size);
        char url[VOLUME_URL_SIZE];

        batch->settle.volume = reader_get_u32(&reader);
        if (reader_error(&reader) < 0 ||
            volumes_url(requests->volumes, batch->settle.volume, url) == -ENOENT)
                return -EINVAL;
        while (reader.size > 0 && reader_error(&reader) == 0) {
                IndexSettleItem *item = batch->items + batch->settle.n_items;

                if (batch->settle.n_items == SETTLE_MAX)
                        return -EINVAL;
                item->version = reader_get_u64(&reader);
                item->key = wire_get_key(&reader);
                if (!item->key || !index_gave_version(requests->index, item->version))
                        return -EINVAL;
                batch->settle.n_items++;
        }
        return reader_end(&reader) < 0 ? -EINVAL : 0;
}

int settle_call_finish(RpcRequest *request) {
        Requests *requests = requests_of_call(request);
        const Buffer *body = rpc_request_body(request);
        SettleBatch *batch;
        int r;

        r = lead_check_call(requests->lead, request);
        if (r < 0)
                return r;
        batch = calloc(1, sizeof(*batch));
        if (!batch)
                return -ENOMEM;
        batch->request = request;
        rpc_request_set_state(request, batch, free);
        r = read_settle(requests, body, batch);
        if (r < 0)
                return r;

        /* These copies have been in doubt for the grace time already. But one that was current
         * until a moment ago, and whose volume never heard that it was, may have been redirected
         * to just now. */
        batch->settle.request.done = on_settled;
        batch->settle.items = batch->items;
        batch->settle.garbage_due_usec = clock_realtime() + requests->ticket_usec;
        batch->settle.tombstone_due_usec = deadline_of_tombstone();
        index_settle(requests->index, &batch->settle);
        return RPC_LATER;
}
