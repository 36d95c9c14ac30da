/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "master/bus/change.h"
#include "master/bus/plan.h"
#include "master/job/job.h"
#include "master/master.h"

/* One call, until it is answered. */
typedef struct PlanCall {
        BusDeferred deferred;
        MasterBus *bus; /* not owned */
        sd_bus_message *message;
        JobPlanRequest request; /* its numbers are in the message */
        uint64_t epoch;         /* of the map that is looked at */
        uint32_t refused;       /* the volume that a refusal is about, or 0 */
        int result;
        JobPlan plan; /* owned */
} PlanCall;

static PlanCall *call_free(PlanCall *call) {
        if (!call)
                return NULL;

        (void) sd_bus_message_unref(call->message);
        free(call->plan.moves);
        free(call->plan.volumes);
        free(call);
        return NULL;
}
DEFINE_CLEANUP(PlanCall *, call_free);

static int append_moves(sd_bus_message *reply, const JobPlan *plan) {
        int r;

        r = sd_bus_message_open_container(reply, 'e', "sv");
        r = r < 0 ? r : sd_bus_message_append(reply, "s", "moves");
        r = r < 0 ? r : sd_bus_message_open_container(reply, 'v', "a(uutt)");
        r = r < 0 ? r : sd_bus_message_open_container(reply, 'a', "(uutt)");
        for (size_t i = 0; i < plan->n_moves && r >= 0; i++) {
                const JobPlanMove *move = plan->moves + i;

                r = sd_bus_message_append(
                                reply, "(uutt)", move->source, move->target, move->keys,
                                move->bytes);
        }
        for (size_t depth = 0; depth < 3 && r >= 0; depth++)
                r = sd_bus_message_close_container(reply);
        return r;
}

static int append_volumes(sd_bus_message *reply, const JobPlan *plan) {
        int r;

        r = sd_bus_message_open_container(reply, 'e', "sv");
        r = r < 0 ? r : sd_bus_message_append(reply, "s", "volumes");
        r = r < 0 ? r : sd_bus_message_open_container(reply, 'v', "a(uttt)");
        r = r < 0 ? r : sd_bus_message_open_container(reply, 'a', "(uttt)");
        for (size_t i = 0; i < plan->n_volumes && r >= 0; i++) {
                const JobPlanVolume *volume = plan->volumes + i;

                r = sd_bus_message_append(
                                reply, "(uttt)", volume->number, volume->bytes_before,
                                volume->bytes_after, volume->disk_free);
        }
        for (size_t depth = 0; depth < 3 && r >= 0; depth++)
                r = sd_bus_message_close_container(reply);
        return r;
}

static int send_reply(const PlanCall *call) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const JobPlan *plan = &call->plan;
        int r;

        r = sd_bus_message_new_method_return(call->message, &reply);
        r = r < 0 ? r : sd_bus_message_open_container(reply, 'a', "{sv}");
        r = r < 0 ? r : append_moves(reply, plan);
        r = r < 0 ? r : append_volumes(reply, plan);
        r = r < 0 ? r : sd_bus_message_append(reply, "{sv}", "keys", "t", plan->keys);
        r = r < 0 ? r : sd_bus_message_append(reply, "{sv}", "bytes", "t", plan->bytes);
        r = r < 0 ? r : sd_bus_message_append(reply, "{sv}", "all-keys", "t", plan->all_keys);
        r = r < 0 ? r : sd_bus_message_append(reply, "{sv}", "lost-keys", "t", plan->lost_keys);
        r = r < 0 ? r
                  : sd_bus_message_append(
                                    reply, "{sv}", "waits-until", "t", plan->waits_until_usec);
        r = r < 0 ? r : sd_bus_message_append(reply, "{sv}", "epoch", "t", call->epoch);
        r = r < 0 ? r : sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_message_send(reply);
}

static int refuse(const PlanCall *call, int r, sd_bus_error *error) {
        const JobPlanRequest *request = &call->request;

        if (r == -EAGAIN)
                return bus_fail(error, r, "Another plan is being made; try again in a while.");
        if (request->what == JOB_PLAN_ADD)
                return elastic_bus_refuse_add(call->bus, r, call->refused, error);
        if (request->what != JOB_PLAN_DELETE)
                return elastic_bus_refuse(call->bus, r, error);
        return elastic_bus_refuse_delete(call->bus, r, call->refused, request->n_numbers, error);
}

/* On the loop. */
static void on_deferred(BusDeferred *deferred) {
        _cleanup_(call_freep) PlanCall *call = CONTAINER_OF(deferred, PlanCall, deferred);
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = call->result;

        if (r >= 0)
                r = send_reply(call);
        else {
                (void) refuse(call, r, &error);
                r = sd_bus_reply_method_error(call->message, &error);
        }
        if (r < 0)
                (void) log_debug_errno(r, "Failed to reply with a plan: %m");
}

static void *copy(const void *items, size_t n, size_t size) {
        void *result = calloc(n + 1, size);

        if (result && n > 0)
                memcpy(result, items, n * size);
        return result;
}

static int copy_plan(const JobPlan *plan, JobPlan *ret) {
        *ret = *plan;
        ret->moves = copy(plan->moves, plan->n_moves, sizeof(*plan->moves));
        ret->volumes = copy(plan->volumes, plan->n_volumes, sizeof(*plan->volumes));
        return ret->moves && ret->volumes ? 0 : -ENOMEM;
}

/* On the thread that counted. */
static void on_plan(int result, const JobPlan *plan, void *userdata) {
        PlanCall *call = userdata;

        call->result = result;
        if (result >= 0)
                call->result = copy_plan(plan, &call->plan);
        bus_defer(call->bus->server, &call->deferred);
}

static int read_request(PlanCall *call, sd_bus_error *error) {
        JobPlanRequest *request = &call->request;
        BusOption options[] = { { "copies", 'u', &request->copies }, {} };
        const void *numbers;
        const char *what;
        size_t size;
        int r;

        r = sd_bus_message_read(call->message, "s", &what);
        if (r < 0)
                return r;
        r = sd_bus_message_read_array(call->message, 'u', &numbers, &size);
        if (r < 0)
                return r;
        r = bus_read_options(call->message, options, error);
        if (r < 0)
                return r;
        r = job_plan_what_from_string(what);
        if (r < 0)
                return bus_fail(error, r, "'%s' is nothing that can be planned.", what);

        request->what = (JobPlanWhat) r;
        request->numbers = numbers;
        request->n_numbers = size / sizeof(uint32_t);
        if (request->n_numbers > JOB_VOLUMES_MAX)
                return bus_fail(error, -EINVAL, "At most %d volumes can be planned for.",
                                JOB_VOLUMES_MAX);
        return 0;
}

/* To look is free. This look takes a pass over the index, but there is one at a time. */
int plan_bus_method(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        MasterBus *bus = userdata;
        _cleanup_(call_freep) PlanCall *call = calloc(1, sizeof(*call));
        int r;

        if (!call)
                return -ENOMEM;
        *call = (PlanCall){
                .deferred.run = on_deferred,
                .bus = bus,
                .message = sd_bus_message_ref(message),
                .epoch = bus->summary.epoch,
        };
        r = read_request(call, error);
        if (r < 0)
                return r;
        r = bus->master->jobs ? job_plan(bus->master->jobs, &call->request, on_plan, call,
                                         &call->refused)
                              : -ESHUTDOWN;
        if (r < 0)
                return refuse(call, r, error);

        TAKE_PTR(call);
        return 1;
}
