/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "rpc/channel-types.h"
#include "rpc/peers-internal.h"

struct HubPost {
        Hub *hub;
        LoopTimer timer;
        uint64_t delay_usec;
        void (*function)(void *userdata);
        void (*drop)(void *userdata);
        void *userdata;
        HubPost *prev, *next; /* of those that wait for their time; "next" also of those posted */
};

/* -- Posts -- */

Hub *hub_of_thread(Peers *peers) {
        return peers->hubs + loops_here(peers->options.loops);
}

bool hub_is_here(const Hub *hub) {
        return loop_current() == hub->loop;
}

static void drop_post(HubPost *post) {
        if (post->drop)
                post->drop(post->userdata);
        free(post);
}

static void run_post(HubPost *post) {
        post->function(post->userdata);
        free(post);
}

static void on_due(LoopTimer *timer) {
        HubPost *post = CONTAINER_OF(timer, HubPost, timer);

        DL_DELETE(post->hub->delayed, post);
        run_post(post);
}

static HubPost *take_posted(Hub *hub, bool close) {
        HubPost *posted;

        (void) pthread_mutex_lock(&hub->lock);
        posted = TAKE_PTR(hub->posted);
        hub->is_woken = false;
        hub->is_closed = hub->is_closed || close;
        (void) pthread_mutex_unlock(&hub->lock);
        return posted;
}

static void on_posted(LoopWaker *waker) {
        Hub *hub = CONTAINER_OF(waker, Hub, waker);
        HubPost *posted = take_posted(hub, false);

        while (posted) {
                HubPost *post = posted;

                posted = post->next;
                if (hub->is_stopped) {
                        drop_post(post);
                } else if (post->delay_usec == 0) {
                        run_post(post);
                } else {
                        DL_APPEND(hub->delayed, post);
                        loop_timer_set_after(hub->loop, &post->timer, post->delay_usec);
                }
        }
}

/* Returns whether the hub still takes it. */
static bool hand_over(Hub *hub, HubPost *post) {
        bool is_closed;

        (void) pthread_mutex_lock(&hub->lock);
        is_closed = hub->is_closed;
        if (!is_closed) {
                if (hub->posted)
                        hub->last->next = post;
                else
                        hub->posted = post;
                hub->last = post;
                if (!hub->is_woken)
                        loop_wake(&hub->waker); /* with the lock, so that hub_stop() comes behind */
                hub->is_woken = true;
        }
        (void) pthread_mutex_unlock(&hub->lock);
        return !is_closed;
}

int hub_post(Hub *hub,
             uint64_t delay_usec,
             void (*function)(void *userdata),
             void (*drop)(void *userdata),
             void *userdata) {
        HubPost *post = malloc(sizeof(*post));

        if (!post)
                return -ENOMEM;

        *post = (HubPost){
                .hub = hub,
                .timer.on_timeout = on_due,
                .delay_usec = delay_usec,
                .function = function,
                .drop = drop,
                .userdata = userdata,
        };
        if (!hand_over(hub, post))
                drop_post(post);
        return 0;
}

int peers_post(Peers *peers,
               uint64_t delay_usec,
               void (*function)(void *userdata),
               void *userdata) {
        return hub_post(peers->hubs, delay_usec, function, NULL, userdata);
}

int peers_post_here(
                Peers *peers,
                uint64_t delay_usec,
                void (*function)(void *userdata),
                void *userdata) {
        return hub_post(hub_of_thread(peers), delay_usec, function, NULL, userdata);
}

const Loops *peers_loops(const Peers *peers) {
        return peers->options.loops;
}

/* -- Channels -- */

int peer_key(const Parties *parties, const char *url, PeerKey *ret) {
        if (strlen(url) >= sizeof(ret->url))
                return -EINVAL;

        memset(ret, 0, sizeof(*ret)); /* the padding as well */
        memcpy(ret->cluster, parties->lead.cluster, sizeof(ret->cluster));
        ret->from.number = parties->from.number;
        memcpy(ret->from.uuid, parties->from.uuid, sizeof(ret->from.uuid));
        ret->from.run = parties->from.run;
        ret->to.number = parties->to.number;
        memcpy(ret->to.uuid, parties->to.uuid, sizeof(ret->to.uuid));
        ret->to.run = parties->to.run;
        memcpy(ret->url, url, strlen(url));
        return 0;
}

static void introduce(Handshake *offer, void *userdata) {
        const Peer *peer = userdata;

        offer->from = peer->key.from;
        offer->to = peer->key.to;
        memcpy(offer->cluster, peer->key.cluster, sizeof(offer->cluster));
}

static void peer_free(Peer *peer) {
        HASH_DEL(peer->hub->table, peer);
        (void) channel_free(peer->channel);
        free(peer);
}

static void free_outdated(void *userdata) {
        Hub *hub = userdata;
        Peer *peer, *next;

        HASH_ITER(hh, hub->table, peer, next) {
                if (peer->is_outdated && peer->n_calls == 0)
                        peer_free(peer);
        }
}

/* Without memory for the post, it goes with the next one. */
static void free_outdated_soon(Hub *hub) {
        (void) hub_post(hub, 0, free_outdated, NULL, hub);
}

/* Whether both are the same daemon, in whatever run. A volume has one store at a time, so another
 * store of its number has replaced it; masters all have number 0, and only their uuid tells those
 * of a group apart. */
static bool is_same_daemon(const StoreIdentity *a, const StoreIdentity *b) {
        return a->number == 0 ? store_identity_equal(a, b) : a->number == b->number;
}

/* The daemon of KEY is to be called by that from now on. */
static void outdate_others(Hub *hub, const PeerKey *key) {
        bool any = false;

        for (Peer *peer = hub->table; peer; peer = peer->hh.next)
                if (is_same_daemon(&peer->key.to, &key->to) &&
                    is_same_daemon(&peer->key.from, &key->from) &&
                    memcmp(&peer->key, key, sizeof(*key)) != 0)
                        any = peer->is_outdated = true;
        if (any)
                free_outdated_soon(hub);
}

static int new_peer(Hub *hub, const PeerKey *key, Peer **ret) {
        const PeersOptions *options = &hub->peers->options;
        Peer *peer = malloc(sizeof(*peer));
        int r;

        if (!peer)
                return -ENOMEM;

        *peer = (Peer){ .hub = hub };
        memcpy(&peer->key, key, sizeof(peer->key));
        r = channel_new(
                        &(ChannelOptions){
                                        .loop = hub->loop,
                                        .url = peer->key.url,
                                        .signer = secret_signer(options->secret),
                                        .purpose = RPC_PURPOSE,
                                        .types = rpc_channel_types,
                                        .n_types = _CALL_MAX,
                                        .introduce = introduce,
                                        .userdata = peer,
                        },
                        &peer->channel);
        if (r < 0) {
                free(peer);
                return r;
        }
        HASH_ADD(hh, hub->table, key, sizeof(peer->key), peer);
        *ret = peer;
        return 0;
}

int hub_find_peer(Hub *hub, const PeerKey *key, Peer **ret) {
        Peer *peer;
        int r;

        HASH_FIND(hh, hub->table, key, sizeof(*key), peer);
        *ret = peer;
        if (peer && !peer->is_outdated)
                return 0;

        if (!peer) {
                r = new_peer(hub, key, ret);
                if (r < 0)
                        return r;
        }
        (*ret)->is_outdated = false;
        outdate_others(hub, key);
        return 0;
}

void peer_end_call(Peer *peer) {
        assert(peer->n_calls > 0);

        peer->n_calls--;
        if (peer->is_outdated && peer->n_calls == 0 && !peer->hub->is_stopped)
                free_outdated_soon(peer->hub);
}

/* What is asked of all channels to one address. */
typedef struct Attention {
        Hub *hub;
        uint64_t silent_usec; /* 0 to hurry */
        char url[];
} Attention;

static void attend(void *userdata) {
        Attention *attention = userdata;

        for (Peer *peer = attention->hub->table; peer; peer = peer->hh.next) {
                if (strcmp(peer->key.url, attention->url) != 0)
                        continue;
                if (attention->silent_usec > 0)
                        channel_end_silent(peer->channel, attention->silent_usec);
                else
                        channel_hurry(peer->channel);
        }
        free(attention);
}

static void post_attention(Peers *peers, const char *url, uint64_t silent_usec) {
        size_t size = strlen(url) + 1;

        for (size_t i = 0; i < peers->n; i++) {
                Attention *attention = malloc(sizeof(*attention) + size);

                if (!attention)
                        return; /* the caller will ask again */
                *attention = (Attention){ .hub = peers->hubs + i, .silent_usec = silent_usec };
                memcpy(attention->url, url, size);
                if (hub_post(attention->hub, 0, attend, free, attention) < 0)
                        free(attention);
        }
}

void peers_end_silent(Peers *peers, const char *url, uint64_t silent_usec) {
        post_attention(peers, url, MAX(silent_usec, (uint64_t) 1));
}

void peers_hurry(Peers *peers, const char *url) {
        post_attention(peers, url, 0);
}

/* -- The whole -- */

int peers_new(const PeersOptions *options, Peers **ret) {
        size_t n = loops_count(options->loops);
        Peers *peers = calloc(1, sizeof(*peers) + n * sizeof(peers->hubs[0]));

        if (!peers)
                return -ENOMEM;

        peers->options = *options;
        peers->n = n;
        for (size_t i = 0; i < n; i++) {
                Hub *hub = peers->hubs + i;

                hub->peers = peers;
                hub->loop = loops_get(options->loops, i);
                hub->waker = (LoopWaker){ .on_wake = on_posted, .loop = hub->loop };
                (void) pthread_mutex_init(&hub->lock, NULL); /* cannot fail with glibc */
        }
        *ret = peers;
        return 0;
}

/* On the hub's loop. What callbacks do meanwhile finds the hub stopped. */
static void hub_stop(void *userdata) {
        Hub *hub = userdata;
        HubPost *posted = take_posted(hub, true), *next;

        hub->is_stopped = true;
        while (posted) {
                next = posted->next;
                drop_post(posted);
                posted = next;
        }
        while (hub->delayed) {
                HubPost *post = hub->delayed;

                DL_DELETE(hub->delayed, post);
                loop_timer_clear(&post->timer);
                drop_post(post);
        }
        while (hub->table)
                peer_free(hub->table);
}

void peers_stop(Peers *peers) {
        for (size_t i = 0; peers && i < peers->n; i++)
                loop_call(peers->hubs[i].loop, hub_stop, peers->hubs + i);
}

static void do_nothing(void *userdata) {
}

/* A hub may have been woken just before it was stopped, and is called after that. */
Peers *peers_free(Peers *peers) {
        if (!peers)
                return NULL;

        peers_stop(peers);
        for (size_t i = 0; i < peers->n; i++) {
                loop_call(peers->hubs[i].loop, do_nothing, NULL);
                (void) pthread_mutex_destroy(&peers->hubs[i].lock);
        }
        free(peers);
        return NULL;
}
