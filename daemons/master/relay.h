/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Relay: passes the body of a write on to the volume that would otherwise be written to directly,
 * while it arrives, and then that volume's answer back to the client. */

#include "net/http-request.h"

typedef struct Relay Relay;

/* Starts sending to URL, which has a ticket, with the request's headers that concern the value.
 * Returns 0, -ESHUTDOWN if the master is stopping and the client may be redirected instead, or
 * another negative errno. */
int relay_new(HttpRequest *request, const char *url, Relay **ret);

/* The request is over; gives up if the body was not complete. */
Relay *relay_free(Relay *relay);
DEFINE_CLEANUP(Relay *, relay_free);

/* As HttpRoute.body(). */
ssize_t relay_body(Relay *relay, const void *data, size_t size);

/* The body is complete. Replies, now or later; returns HTTP_LATER. */
int relay_finish(Relay *relay);
