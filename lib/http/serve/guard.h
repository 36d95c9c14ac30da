/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* HTTP guard: which connections of a server may stay.
 *
 * Each connection is a guest. The guard closes those that cost something and get nowhere: a header
 * section that is not complete after a while, a body or a reader slower than the least rate, a
 * connection without a request. What waits for this side is never held against a guest. Guests that
 * have shown a good signature are trusted: daemons of this cluster, whom only silence ends.
 *
 * When there are as many guests as there may be, in all or from one address, newcomers are let in
 * still, since one of them may be a daemon: strangers give way that are stuck in the middle of a
 * request, then those that are slow, then those that are idle, the oldest first. Only if nobody can
 * give way, requests of strangers are refused (http_guest_is_welcome()), and as the last resort,
 * connections.
 *
 * A guest belongs to the thread of its connection; the guard looks on from others. */

#include <stdatomic.h>
#include <sys/socket.h>

#include "loop/loop.h"

typedef struct HttpGuard HttpGuard;
typedef struct HttpGuest HttpGuest;

typedef struct HttpGuardOptions {
        unsigned guests_max;
        unsigned guests_per_address_max; /* of an IPv4 address or an IPv6 network of 64 bits */
        uint64_t head_usec; /* from the accept, or the request line, to the last header */
        uint64_t idle_usec; /* from the end of one request to the next one's line */
        uint64_t rate_min;  /* bytes per second; 0 for any */
        uint64_t rate_usec; /* over which the rate is measured */
} HttpGuardOptions;

int http_guard_new(const HttpGuardOptions *options, HttpGuard **ret);

/* All guests must have left. */
HttpGuard *http_guard_free(HttpGuard *guard);
DEFINE_CLEANUP(HttpGuard *, http_guard_free);

/* As many connections a server has to be able to have open: more than guests_max, for newcomers and
 * for those that are about to be closed. */
unsigned http_guard_connections_max(unsigned guests_max);

/* How many guests have entered and not left. */
unsigned http_guard_connections(HttpGuard *guard);

/* The guard may shut FD down until the guest leaves. Returns NULL if the guest has to be turned
 * away; then FD was shut down. */
HttpGuest *http_guard_enter(HttpGuard *guard, int fd, const struct sockaddr *address);

/* Instead of shutting the descriptor down, the guard wakes WAKER from now on, once at most. */
void http_guest_watch(HttpGuest *guest, LoopWaker *waker);

/* Returns whether its waker was woken. */
bool http_guest_leave(HttpGuest *guest);

typedef enum GuestPhase {
        GUEST_HEAD,    /* of a request is on its way */
        GUEST_BODY,    /* of a request is on its way */
        GUEST_REFUSED, /* and its body is on its way still, to be thrown away */
        GUEST_OURS,    /* the guest waits for us */
        GUEST_REPLY,   /* is on its way to the guest */
        GUEST_IDLE,
} GuestPhase;

void http_guest_set_phase(HttpGuest *guest, GuestPhase phase);

/* So much of a body has arrived. */
void http_guest_add_bytes(HttpGuest *guest, size_t n);

/* It has shown a good signature. From any thread while the guest has a request. */
void http_guest_trust(HttpGuest *guest);

/* Whether there is room for this guest's request: always for the trusted ones. */
bool http_guest_is_welcome(HttpGuest *guest);
