/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Bus server: a daemon's place on D-Bus.
 *
 * A daemon serves without a bus as well as with one: if the bus is missing or goes away, the server
 * tries again every few seconds, and nothing here ever waits for it. All of it belongs to the
 * thread of the event loop, except bus_defer(). */

#include "bus/bus.h"

typedef struct BusServer BusServer;

typedef struct BusServerOptions {
        const char *address; /* "system", "none", or a D-Bus address */
        const char *name;    /* to own there */
        sd_bus *bus; /* instead of these two: an existing connection to a peer, on the event loop;
                        closed with the server */
        const BusObject *objects;
        void *userdata; /* of the objects and the functions below */

        /* Called on each change with 0 if the name is ours, else with a negative errno, the reason.
         * Optional. */
        void (*on_state)(int r, void *userdata);

        /* Called before a call is handled, to bring up to date what that may look at. Optional. */
        void (*on_call)(void *userdata);
} BusServerOptions;

/* Connects to the bus, in the background. ADDRESS and NAME are copied, OBJECTS stay the caller's. A
 * missing bus is no failure. */
int bus_server_new(sd_event *event, const BusServerOptions *options, BusServer **ret);

/* Runs what is deferred, for use after the loop has ended. */
void bus_server_run_deferred(BusServer *server);

/* Runs what is still deferred, then leaves the bus. Nobody may call bus_defer() any more. */
BusServer *bus_server_free(BusServer *server);
DEFINE_CLEANUP(BusServer *, bus_server_free);

/* Returns the bus to send signals on; NULL while the name is not ours, since nobody listens then.
 */
sd_bus *bus_server_bus(BusServer *server);

/* Work for the loop of the bus; embedded in what knows the details. */
typedef struct BusDeferred BusDeferred;
struct BusDeferred {
        void (*run)(BusDeferred *deferred); /* which is the caller's again */
        BusDeferred *next;                  /* private */
};

/* Makes DEFERRED run soon, in the order of the calls. Thread: any. Neither fails nor blocks. */
void bus_defer(BusServer *server, BusDeferred *deferred);
