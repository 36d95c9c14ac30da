/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A call over D-Bus that is answered later: when another thread has done what it takes.
 *
 * From bus_call_start() on the call is the bus's: it is answered, and freed, exactly once. A master
 * that ends answers the calls that are still open with an error that says so; when the other thread
 * is done with them, nobody is told any more. */

#include "bus/authorize.h"
#include "bus/server.h"
#include "bus/writer.h"

typedef struct BusCall BusCall;

/* What the calls have in common. To be embedded; all of it belongs to the loop. */
typedef struct BusCalls {
        BusServer *server;      /* not owned */
        BusAuthority authority; /* who may change something */
        BusCall *first;         /* those that are not answered yet */
        bool is_ending;         /* what is left to be answered is, and nothing else happens */

        /* Announces what a change has changed, before its caller is answered. */
        void (*refresh)(void *userdata);
        void *userdata;
} BusCalls;

/* Embedded, as the first member, in what was allocated for the call. */
struct BusCall {
        BusCalls *calls;         /* not owned */
        sd_bus_message *message; /* owned; NULL once it is answered */

        /* On the loop, after bus_call_defer(): answers, or goes on and defers again. Not called for
         * a call that was answered because the master ends. */
        void (*on_deferred)(BusCall *call);
        void (*done)(BusCall *call); /* releases what the struct owns besides; optional */

        /* private */
        BusDeferred deferred;
        BusCall *previous, *next;
};

void bus_call_init(BusCall *call, BusCalls *calls, sd_bus_message *message);

/* Frees a call that nothing else has: one that was refused, or is answered. Accepts NULL. */
BusCall *bus_call_free(BusCall *call);

/* The call will be answered later. On the loop, before anything else can have the call. */
void bus_call_start(BusCall *call);

/* Has on_deferred() called on the loop. From any thread. */
void bus_call_defer(BusCall *call);

/* Answer and free. REPLY: with what a writer has written. */
void bus_call_reply(BusCall *call, BusWriter *reply);
void bus_call_fail(BusCall *call, const sd_bus_error *error);

/* Calls HANDLER with MESSAGE and USERDATA if the sender may change the cluster; bus_authorize() is
 * the contract. */
int bus_calls_authorize(
                BusCalls *calls,
                sd_bus_message *message,
                sd_bus_message_handler_t handler,
                void *userdata);

/* For the end of the bus: runs what other threads have deferred, then answers all calls that are
 * still open. */
void bus_calls_end(BusCalls *calls);
