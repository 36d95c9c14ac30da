/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "base/clock.h"
#include "core/call/wire.h"
#include "master/call/damage-call.h"
#include "master/request/requests.h"
#include "master/upkeep/damage.h"

typedef struct DamageBatch {
        RpcRequest *request;
        IndexDamage damage;
        IndexDamageItem items[WIRE_DAMAGE_MAX];
} DamageBatch;

static void on_noted(IndexRequest *request, IndexResult result) {
        DamageBatch *batch = CONTAINER_OF(request, DamageBatch, damage.request);
        _cleanup_(buffer_done) Buffer answer = {};

        if (result.error < 0) { /* if it is unknown, the volume says it once more */
                (void) rpc_request_refuse(batch->request, result.error, NULL);
                return;
        }

        damage_log_lost(&batch->damage);
        for (size_t i = 0; i < batch->damage.n_items; i++)
                wire_put_error(&answer, batch->items[i].error);
        (void) rpc_request_reply(batch->request, NULL, &answer);
}

static int read_batch(const Buffer *body, DamageBatch *batch) {
        Reader reader = READER(body->data, body->size);
        uint32_t volume = reader_get_u32(&reader);

        if (reader_error(&reader) < 0 || volume < 1 || volume > VOLUME_MAX)
                return -EINVAL;

        while (reader.size > 0) {
                WireDamage wire;

                if (batch->damage.n_items == WIRE_DAMAGE_MAX || wire_get_damage(&reader, &wire) < 0)
                        return -EINVAL;
                batch->items[batch->damage.n_items++] = (IndexDamageItem){
                        .version = wire.version,
                        .volume = volume,
                        .key = wire.key,
                        .kind = wire.kind,
                };
        }
        return 0;
}

int damage_call_finish(RpcRequest *request) {
        const Buffer *body = rpc_request_body(request);
        DamageBatch *batch;
        int r;

        batch = calloc(1, sizeof(*batch));
        if (!batch)
                return -ENOMEM;
        batch->request = request;
        rpc_request_set_state(request, batch, free);
        r = read_batch(body, batch);
        if (r < 0)
                return r;

        batch->damage.request.done = on_noted;
        batch->damage.items = batch->items;
        batch->damage.now_usec = clock_realtime();
        index_damage(requests_of_call(request)->index, &batch->damage);
        return RPC_LATER;
}
