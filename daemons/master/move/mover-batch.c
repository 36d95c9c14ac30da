/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "base/clock.h"
#include "master/cluster/run.h"
#include "master/link/order.h"
#include "master/move/mover-internal.h"
#include "master/upkeep/deadlines.h"
#include "store/index/damage.h"

#define PATIENCE_USEC (10 * USEC_PER_SEC)

/* The last move to end hands the batch to the thread of the jobs. */
static void move_is_through(Batch *batch) {
        Mover *mover = batch->mover;

        if (atomic_fetch_sub(&batch->n_left, 1) > 1)
                return;

        (void) pthread_mutex_lock(&mover->lock);
        batch->next_ended = mover->ended;
        mover->ended = batch;
        (void) pthread_cond_signal(&mover->changed);
        (void) pthread_mutex_unlock(&mover->lock);
}

static void on_swapped(IndexRequest *request, IndexResult result) {
        Move *move = CONTAINER_OF(request, Move, change.request);

        move->error = result.error;
        move_is_through(move->batch);
}

static void swap(Move *move) {
        const MoverOptions *options = &move->batch->mover->options;
        PlanStep step;

        plan_step(&move->plan, move->step, &step);
        move->was_pulled = true;
        move->change = (IndexMove){
                .request.done = on_swapped,
                .key = move->key,
                .version = move->version,
                .add = step.add,
                .drop = step.drop,
                .n_drop = step.n_drop,
                .garbage_due_usec = deadline_of_garbage(*options->grace_usec),
        };
        index_move(options->index, &move->change);
}

void batch_count_call(Batch *batch, int difference) {
        const RouteId *id = &batch->id;
        atomic_uint *n_calls = batch->mover->n_calls[id->is_large];

        (void) atomic_fetch_add(n_calls + id->source, (unsigned) difference);
        (void) atomic_fetch_add(n_calls + id->target, (unsigned) difference);
}

void batch_swap(Batch *batch, int error, Reader *answer) {
        /* The volumes may go on with the next one while the index flushes. */
        batch_count_call(batch, -1);
        mover_wake(batch->mover);

        for (size_t i = 0; i < batch->n; i++) {
                Move *move = batch->moves[i];

                move->error = error;
                if (error == 0 && answer) {
                        move->error = wire_get_error(answer);
                        if (reader_error(answer) < 0)
                                move->error = -EREMOTEIO;
                }
                if (move->error == 0)
                        swap(move);
                else
                        move_is_through(batch);
        }
        move_is_through(batch);
}

static void on_pulled(const RpcResult *result, void *userdata) {
        Batch *batch = userdata;
        Reader answer = READER(result->body, result->body_size);
        int error = rpc_result_error(result);

        volumes_note_call(batch->mover->options.volumes, batch->id.target, result);
        /* Soon the target will ask whether it may delete copies that were not confirmed. */
        if (error == 0 && clock_realtime() > batch->deadline_usec)
                error = -ESTALE;

        batch_swap(batch, error, &answer);
}

/* Whether the copy replaces a damaged one in the same place. */
static bool is_damaged(const Batch *batch, const Move *move) {
        return index_damage_kind(batch->mover->options.index, move->version, batch->id.target) !=
               DAMAGE_NONE;
}

static int put_pull(const Batch *batch, const WirePullSource *source, Buffer *body) {
        WirePull pull = {
                .deadline_usec = batch->deadline_usec,
                .rate = batch->mover->in_force.rate,
                .n_sources = 1,
                .sources[0] = *source,
                .n_items = batch->n,
        };

        wire_put_versions(body, NULL, 0);
        wire_put_pull(body, &pull);
        for (size_t i = 0; i < batch->n; i++) {
                const Move *move = batch->moves[i];

                wire_put_pull_item(
                                body, &(WirePullItem){
                                                      .version = move->version,
                                                      .size = move->size,
                                                      .replace = is_damaged(batch, move),
                                                      .key = move->key,
                                      });
        }
        return buffer_error(body);
}

int batch_pull(Batch *batch, uint64_t bytes) {
        const MoverOptions *options = &batch->mover->options;
        _cleanup_(buffer_done) Buffer body = {};
        char url[VOLUME_URL_SIZE];
        WirePullSource source = { .url = url };
        uint64_t patience = *options->grace_usec / 2, rate = batch->mover->in_force.rate;
        int r;

        r = volumes_store(options->volumes, batch->id.source, &source.store);
        if (r >= 0)
                r = volumes_url(options->volumes, batch->id.source, url);
        if (r < 0)
                return r;

        if (batch->id.is_large)
                patience += bytes; /* 1 MB/s */
        if (rate > 0)
                patience += 2 * bytes / rate * USEC_PER_SEC;
        batch->deadline_usec = clock_realtime() + patience;
        r = put_pull(batch, &source, &body);
        if (r < 0)
                return r;

        return order_send(
                        options->volumes,
                        &(Order){
                                        .volume = batch->id.target,
                                        .kind = CALL_PULL,
                                        .peers = options->peers,
                                        .body = &body,
                                        .timeout_usec = patience + PATIENCE_USEC,
                                        .on_done = on_pulled,
                                        .userdata = batch,
                        },
                        &batch->call);
}
