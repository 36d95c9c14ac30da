/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Bus server: a daemon's place on D-Bus.
 *
 * A daemon serves without a bus as well as with one: if the bus is not there, or goes away, it is
 * tried again every few seconds, and nothing here ever waits for it. All of it belongs to the
 * thread of the event loop, but for bus_defer(). */

#include "bus/bus.h"

typedef struct BusServer BusServer;

typedef struct BusServerOptions {
        const char *address; /* "system", "none", or a D-Bus address */
        const char *name;    /* to own there */
        sd_bus *bus;         /* a connection that is there already, instead of these two: to a peer,
                              * on the event loop. It is closed with the server */
        const BusObject *objects;
        void *userdata; /* of the objects and the functions below */

        /* Told when things change: 0 if the name is ours, else a negative errno: why it is not.
         * Optional. */
        void (*on_state)(int r, void *userdata);

        /* Before a call is handled: to bring up to date what it may look at. Optional. */
        void (*on_call)(void *userdata);
} BusServerOptions;

/* Connects to the bus, in the background. ADDRESS and NAME are copied, OBJECTS stay the caller's.
 * That the bus is not there is no failure. */
int bus_server_new(sd_event *event, const BusServerOptions *options, BusServer **ret);

/* Runs what is deferred, although the loop does not run any more. */
void bus_server_run_deferred(BusServer *server);

/* Runs what is still deferred, then leaves the bus. Nobody may call bus_defer() any more. */
BusServer *bus_server_free(BusServer *server);
DEFINE_CLEANUP(BusServer *, bus_server_free);

/* For signals: NULL while the name is not ours, since there is nobody to tell then. */
sd_bus *bus_server_bus(BusServer *server);

/* Something to do on the loop of the bus; embedded in what knows the details. */
typedef struct BusDeferred BusDeferred;
struct BusDeferred {
        void (*run)(BusDeferred *deferred); /* which is the caller's again */
        BusDeferred *next;                  /* private */
};

/* Has DEFERRED run soon. From any thread; does not fail and does not block. In order. */
void bus_defer(BusServer *server, BusDeferred *deferred);
