/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Place: what a connection that has left HTTP (http_request_upgrade()) keeps of it: its place among
 * the connections of the server, which are limited.
 *
 * Who has not proved who he is must do so within a few seconds, and may have to give way to others,
 * as with any request. What he says may count as requests, for which a server that stops waits. The
 * server may be gone before the place is given back.
 *
 * Thread: that of the connection's loop. */

#include "loop/loop.h"

typedef struct HttpDrain HttpDrain;
typedef struct HttpGuest HttpGuest;
typedef struct HttpPlace HttpPlace;

/* The connection has to go, since it has taken too long to prove itself, since others need its
 * place, or since the server ends: ON_EVICTED is called, once, and closes it soon. Nobody else
 * closes it or shuts it down. */
void http_place_watch(HttpPlace *place, void (*on_evicted)(void *userdata), void *userdata);

/* It is a daemon's, which does not give way. */
void http_place_trust(HttpPlace *place);

/* Something that is like a request begins. Returns 0, or -ESHUTDOWN if the server begins no more
 * requests, or is gone. */
int http_place_begin(HttpPlace *place);

/* It is over. */
void http_place_end(HttpPlace *place);

/* Gives the place back. What has begun counts no more. */
HttpPlace *http_place_free(HttpPlace *place);
DEFINE_CLEANUP(HttpPlace *, http_place_free);

/* For lib/http: a place in LIST for a guest, which is taken over on success. Returns NULL if there
 * is no memory. */
HttpPlace *http_place_new(Loop *loop, HttpGuest *guest, HttpDrain *drain, HttpPlace **list);

/* For lib/http: the server ends; the list is empty afterwards. */
void http_places_evict(HttpPlace **list);
