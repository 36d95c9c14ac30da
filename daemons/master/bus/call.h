/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A call over D-Bus that is answered later: when another thread has done what it takes.
 *
 * From bus_call_start() on the call is the bus's: it is answered, and freed, exactly once. A master
 * that ends answers the calls that are still open with an error that says so; when the other thread
 * is done with them, nobody is told any more. */

#include "master/bus/manager.h"

typedef struct BusCall BusCall;

/* Embedded, as the first member, in what was allocated for the call. */
struct BusCall {
        MasterBus *bus;          /* not owned */
        sd_bus_message *message; /* owned; NULL once it is answered */

        /* On the loop, after bus_call_defer(): answers, or goes on and defers again. Not called for
         * a call that was answered because the master ends. */
        void (*on_deferred)(BusCall *call);
        void (*done)(BusCall *call); /* releases what the struct owns besides; optional */

        /* private */
        BusDeferred deferred;
        BusCall *previous, *next;
};

void bus_call_init(BusCall *call, MasterBus *bus, sd_bus_message *message);

/* Frees a call that nothing else has: that was refused, or is answered. Accepts NULL. */
BusCall *bus_call_free(BusCall *call);

/* It will be answered later. To be called on the loop before anything else can have the call. */
void bus_call_start(BusCall *call);

/* Has on_deferred() called on the loop. From any thread. */
void bus_call_defer(BusCall *call);

/* Answer and free. REPLY: with what a writer has written. */
void bus_call_reply(BusCall *call, BusWriter *reply);
void bus_call_fail(BusCall *call, const sd_bus_error *error);

/* For the end of the bus: answers all that are open. */
void bus_calls_cut(MasterBus *bus);
