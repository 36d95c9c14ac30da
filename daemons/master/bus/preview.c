/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "bus/bus.h"
#include "master/bus/preview.h"

/* One call, until it is answered. */
typedef struct PreviewCall {
        BusCall call;
        PreviewBus *bus;        /* not owned */
        PreviewRequest request; /* its numbers are in the message */
        uint64_t epoch;         /* of the map that is looked at */
        int result;
        uint32_t refused; /* the volume that a refusal is about, or 0 */
        Preview plan;     /* owned */
} PreviewCall;

static void plan_done(BusCall *call) {
        PreviewCall *preview_call = CONTAINER_OF(call, PreviewCall, call);

        free(preview_call->plan.moves);
        free(preview_call->plan.volumes);
}

static void put_moves(BusWriter *reply, const Preview *plan) {
        bus_writer_open_list(reply, "moves", "(uutt)");
        for (size_t i = 0; i < plan->n_moves; i++) {
                const PreviewMove *move = plan->moves + i;

                bus_writer_put(reply, "(uutt)", move->source, move->target, move->keys,
                               move->bytes);
        }
        bus_writer_close_list(reply);
}

static void put_volumes(BusWriter *reply, const Preview *plan) {
        bus_writer_open_list(reply, "volumes", "(uttt)");
        for (size_t i = 0; i < plan->n_volumes; i++) {
                const PreviewVolume *volume = plan->volumes + i;

                bus_writer_put(reply, "(uttt)", volume->number, volume->bytes_before,
                               volume->bytes_after, volume->disk_free);
        }
        bus_writer_close_list(reply);
}

static void succeed(PreviewCall *call) {
        _cleanup_(bus_writer_done) BusWriter reply = bus_writer_reply(call->call.message);
        const Preview *plan = &call->plan;

        bus_writer_open(&reply, 'a', "{sv}");
        put_moves(&reply, plan);
        put_volumes(&reply, plan);
        bus_writer_put(&reply, "{sv}", "keys", "t", plan->keys);
        bus_writer_put(&reply, "{sv}", "bytes", "t", plan->bytes);
        bus_writer_put(&reply, "{sv}", "all-keys", "t", plan->all_keys);
        bus_writer_put(&reply, "{sv}", "lost-keys", "t", plan->lost_keys);
        bus_writer_put(&reply, "{sv}", "waits-until", "t", plan->waits_until_usec);
        bus_writer_put(&reply, "{sv}", "epoch", "t", call->epoch);
        bus_writer_close(&reply);
        bus_call_reply(&call->call, &reply);
}

static int refuse_plan(const PreviewCall *call, int r, sd_bus_error *error) {
        static const Asked asked[] = {
                [PREVIEW_REBALANCE] = ASKED_REBALANCE,
                [PREVIEW_ADD] = ASKED_ADD,
                [PREVIEW_DELETE] = ASKED_DELETE,
                [PREVIEW_COPIES] = ASKED_COPIES,
        };

        return refuse(call->bus->reasons, asked[call->request.what], r, call->refused, error);
}

/* On the loop. */
static void on_deferred(BusCall *call) {
        PreviewCall *preview_call = CONTAINER_OF(call, PreviewCall, call);
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

        if (preview_call->result >= 0) {
                succeed(preview_call);
                return;
        }
        (void) refuse_plan(preview_call, preview_call->result, &error);
        bus_call_fail(call, &error);
}

static void *copy(const void *items, size_t n, size_t size) {
        void *result = calloc(n + 1, size);

        if (result && n > 0)
                memcpy(result, items, n * size);
        return result;
}

static int copy_plan(const Preview *plan, Preview *ret) {
        *ret = *plan;
        ret->moves = copy(plan->moves, plan->n_moves, sizeof(*plan->moves));
        ret->volumes = copy(plan->volumes, plan->n_volumes, sizeof(*plan->volumes));
        return ret->moves && ret->volumes ? 0 : -ENOMEM;
}

/* On the thread that counted. */
static void on_plan(int result, const Preview *plan, void *userdata) {
        PreviewCall *call = userdata;

        call->result = result;
        if (result >= 0)
                call->result = copy_plan(plan, &call->plan);
        bus_call_defer(&call->call);
}

static int read_request(PreviewCall *call, sd_bus_error *error) {
        sd_bus_message *message = call->call.message;
        PreviewRequest *request = &call->request;
        BusOption options[] = { { "copies", 'u', &request->copies }, {} };
        const void *numbers;
        const char *what;
        size_t size;
        int r;

        r = sd_bus_message_read(message, "s", &what);
        if (r < 0)
                return r;
        r = sd_bus_message_read_array(message, 'u', &numbers, &size);
        if (r < 0)
                return r;
        r = bus_read_options(message, options, error);
        if (r < 0)
                return r;
        r = preview_what_from_string(what);
        if (r < 0)
                return bus_fail(error, r, "'%s' cannot be planned.", what);

        request->what = (PreviewWhat) r;
        request->numbers = numbers;
        request->n_numbers = size / sizeof(uint32_t);
        if (request->n_numbers > JOB_VOLUMES_MAX)
                return bus_fail(error, -EINVAL, "At most %d volumes can be planned for.",
                                JOB_VOLUMES_MAX);
        return 0;
}

static int begin(PreviewCall *call, sd_bus_error *error) {
        int r;

        r = read_request(call, error);
        if (r < 0)
                return r;

        bus_call_start(&call->call);
        r = job_preview(call->bus->jobs, &call->request, on_plan, call, &call->refused);
        return r < 0 ? refuse_plan(call, r, error) : 0;
}

/* Everybody may look. This look takes a pass over the index, but only one is made at a time. */
int preview_bus_plan(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        PreviewBus *bus = userdata;
        PreviewCall *call = calloc(1, sizeof(*call));
        int r;

        if (!call)
                return -ENOMEM;
        bus_call_init(&call->call, bus->calls, message);
        call->bus = bus;
        call->call.on_deferred = on_deferred;
        call->call.done = plan_done;
        call->epoch = *bus->epoch;
        r = begin(call, error);
        if (r < 0) {
                (void) bus_call_free(&call->call);
                return r;
        }
        return 1;
}
