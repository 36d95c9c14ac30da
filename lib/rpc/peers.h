/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Peers: the daemons that this one calls (rpc/rpc-call.h), over a channel for each of them and each
 * loop.
 *
 * A channel is made when it is first needed, for one daemon in one run at one address; it goes once
 * the daemon is called elsewhere or in another run, or, if it is a volume, with another store. A
 * call from one of the loops travels and ends on that loop; calls from all other threads do so on
 * the home loop, which is the first one. */

#include "base/macro.h"
#include "loop/loops.h"
#include "rpc/secret.h"

typedef struct Peers Peers;

typedef struct PeersOptions {
        Loops *loops;          /* not owned */
        Secret *secret;        /* not owned */
        uint64_t timeout_usec; /* of calls that have none of their own */
} PeersOptions;

/* Returns 0 or -ENOMEM. */
int peers_new(const PeersOptions *options, Peers **ret);

/* Ends the calls that are under way with -ESHUTDOWN before it returns. Calls that are made later
 * end with that at once. Thread: any but a loop's. Accepts NULL. */
void peers_stop(Peers *peers);

/* Stops them, if they are not yet. Before the end of the loops. Accepts NULL. */
Peers *peers_free(Peers *peers);
DEFINE_CLEANUP(Peers *, peers_free);

/* Gives up the connections to URL ("http://host:port") whose other side has been silent for
 * SILENT_USEC although calls wait for it; the calls end. Thread: any. */
void peers_end_silent(Peers *peers, const char *url, uint64_t silent_usec);

/* Somebody is at URL: a connection that could not be made a moment ago may be tried at once.
 * Thread: any. */
void peers_hurry(Peers *peers, const char *url);

/* The loops on which calls travel. Thread: any. */
const Loops *peers_loops(const Peers *peers);

/* Runs FUNCTION once on the home loop, DELAY_USEC from now (0: soon). Functions that still wait for
 * their time when the peers are stopped are not run. Returns 0 or -ENOMEM. Thread: any. */
int peers_post(Peers *peers, uint64_t delay_usec, void (*function)(void *userdata), void *userdata);

/* Likewise, on the loop whose thread this is, or else on the home loop. */
int peers_post_here(
                Peers *peers,
                uint64_t delay_usec,
                void (*function)(void *userdata),
                void *userdata);
