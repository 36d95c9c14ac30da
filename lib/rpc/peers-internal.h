/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What peers are made of, for peers.c and rpc-call.c alone. */

#include <pthread.h>
#include <stdatomic.h>
#include <uthash.h>

#include "channel/channel.h"
#include "core/call/signature.h"
#include "rpc/peers.h"

typedef struct Hub Hub;

/* Who calls whom, and where: what a channel is for. It is hashed as bytes: peer_key() makes it. */
typedef struct PeerKey {
        uint8_t cluster[CLUSTER_ID_SIZE];
        StoreIdentity from, to;
        char url[264];
} PeerKey;

/* A channel of one loop. */
typedef struct Peer {
        PeerKey key;
        Hub *hub;
        Channel *channel;
        size_t n_calls;
        bool is_outdated; /* the daemon is called otherwise by now: see peers.h */
        UT_hash_handle hh;
} Peer;

/* A function that is to run on a loop. */
typedef struct HubPost HubPost;

/* The peers of one loop. */
struct Hub {
        Peers *peers;
        Loop *loop; /* not owned */
        Peer *table;
        HubPost *delayed;
        bool is_stopped;

        pthread_mutex_t lock; /* for the rest */
        HubPost *posted, *last;
        LoopWaker waker;
        bool is_woken, is_closed;
};

struct Peers {
        PeersOptions options;
        size_t n;
        Hub hubs[];
};

/* The hub of the loop whose thread this is, or else the one at home. */
Hub *hub_of_thread(Peers *peers);

/* Whether this is the thread of the hub's loop. */
bool hub_is_here(const Hub *hub);

/* Runs FUNCTION on the hub's loop, DELAY_USEC from now; or DROP, unless it is NULL, if the hub is
 * stopped before. Returns 0 or -ENOMEM. Thread: any. */
int hub_post(Hub *hub,
             uint64_t delay_usec,
             void (*function)(void *userdata),
             void (*drop)(void *userdata),
             void *userdata);

/* Writes what the channel of a call is for. Returns 0, or -EINVAL for a URL that is too long. */
int peer_key(const Parties *parties, const char *url, PeerKey *ret);

/* Finds or makes the channel. Thread: the hub's. */
int hub_find_peer(Hub *hub, const PeerKey *key, Peer **ret);

/* A call of the peer ends, after which the peer may be gone a moment later. Thread: the hub's. */
void peer_end_call(Peer *peer);
