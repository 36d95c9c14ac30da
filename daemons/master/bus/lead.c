/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "bus/bus.h"
#include "master/bus/lead.h"

/* A call of AcceptRollback(), until it is answered. */
typedef struct AcceptCall {
        BusCall call;
        LeadBus *bus; /* not owned */
        int result;
        uint64_t term;
} AcceptCall;

int lead_bus_check(Lead *lead, sd_bus_error *error) {
        char reason[LEAD_REASON_SIZE];

        if (lead_is_leading(lead))
                return 0;

        lead_reason(lead, reason);
        return bus_fail(error, -EOWNERDEAD, "%s", reason);
}

/* On the loop. */
static void on_deferred(BusCall *call) {
        AcceptCall *accept = CONTAINER_OF(call, AcceptCall, call);
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(bus_writer_done) BusWriter reply = bus_writer_reply(call->message);

        if (accept->result < 0) {
                (void) refuse(accept->bus->reasons, ASKED_REBALANCE, accept->result, 0, &error);
                bus_call_fail(call, &error);
                return;
        }

        call->calls->refresh(call->calls->userdata);
        bus_writer_put(&reply, "t", accept->term);
        bus_call_reply(call, &reply);
}

/* On the committer. */
static void on_accepted(int result, uint64_t term, void *userdata) {
        AcceptCall *accept = userdata;

        accept->result = result;
        accept->term = term;
        bus_call_defer(&accept->call);
}

static int begin(AcceptCall *accept, sd_bus_error *error) {
        BusOption none[] = { {} };
        int r;

        r = bus_read_options(accept->call.message, none, error);
        if (r < 0)
                return r;

        bus_call_start(&accept->call);
        r = lead_accept_rollback(accept->bus->lead, on_accepted, accept);
        if (r == -EALREADY)
                return bus_fail(error, -EBUSY,
                                "There is nothing to accept: this index is not known to be older "
                                "than its volumes.");
        return r < 0 ? bus_fail(error, r, NULL) : 0;
}

static int accept_rollback(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        AcceptCall *accept = calloc(1, sizeof(*accept));
        LeadBus *bus = userdata;
        int r;

        if (!accept)
                return -ENOMEM;
        bus_call_init(&accept->call, bus->calls, message);
        accept->bus = bus;
        accept->call.on_deferred = on_deferred;
        r = begin(accept, error);
        if (r < 0) {
                (void) bus_call_free(&accept->call);
                return r;
        }
        return 1;
}

int lead_bus_accept_rollback(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        LeadBus *bus = userdata;

        return bus_calls_authorize(bus->calls, message, accept_rollback, bus);
}
