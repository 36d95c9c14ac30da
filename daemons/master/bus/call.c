/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "base/log.h"
#include "bus/bus.h"
#include "master/bus/call.h"
#include "master/bus/names.h"

static bool is_listed(const BusCall *call) {
        return call->previous || call->calls->first == call;
}

static void list(BusCall *call) {
        call->next = call->calls->first;
        if (call->next)
                call->next->previous = call;
        call->calls->first = call;
}

static void unlist(BusCall *call) {
        if (!is_listed(call))
                return;

        if (call->previous)
                call->previous->next = call->next;
        else
                call->calls->first = call->next;
        if (call->next)
                call->next->previous = call->previous;
        call->previous = call->next = NULL;
}

static void run(BusDeferred *deferred) {
        BusCall *call = CONTAINER_OF(deferred, BusCall, deferred);

        if (call->message)
                call->on_deferred(call);
        else
                (void) bus_call_free(call);
}

void bus_call_init(BusCall *call, BusCalls *calls, sd_bus_message *message) {
        *call = (BusCall){
                .calls = calls,
                .message = sd_bus_message_ref(message),
                .deferred.run = run,
        };
}

BusCall *bus_call_free(BusCall *call) {
        if (!call)
                return NULL;

        unlist(call);
        (void) sd_bus_message_unref(call->message);
        if (call->done)
                call->done(call);
        free(call);
        return NULL;
}

void bus_call_start(BusCall *call) {
        assert(call->on_deferred);

        list(call);
}

void bus_call_defer(BusCall *call) {
        bus_defer(call->calls->server, &call->deferred);
}

/* A caller that is gone is no concern of ours. */
static void log_failure(const BusCall *call, int r) {
        if (r < 0)
                (void) log_debug_errno(
                                r, "Failed to answer %s(): %m",
                                sd_bus_message_get_member(call->message));
}

void bus_call_reply(BusCall *call, BusWriter *reply) {
        log_failure(call, bus_writer_send(reply));
        (void) bus_call_free(call);
}

void bus_call_fail(BusCall *call, const sd_bus_error *error) {
        log_failure(call, sd_bus_reply_method_error(call->message, error));
        (void) bus_call_free(call);
}

int bus_calls_authorize(
                BusCalls *calls,
                sd_bus_message *message,
                sd_bus_message_handler_t handler,
                void *userdata) {
        return bus_authorize(&calls->authority, message, MASTER_BUS_ACTION, handler, userdata);
}

void bus_calls_end(BusCalls *calls) {
        bus_authority_done(&calls->authority);
        bus_server_run_deferred(calls->server);
        while (calls->first) {
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
                BusCall *call = calls->first;

                (void) bus_fail(&error, -ESHUTDOWN,
                                "The master is shutting down; once it is up again, look whether "
                                "this was still done.");
                log_failure(call, sd_bus_reply_method_error(call->message, &error));
                call->message = sd_bus_message_unref(call->message);
                unlist(call);
        }
}
