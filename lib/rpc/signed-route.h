/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Signed route: HTTP requests from one daemon to another that are signed, with a body that fits
 * into memory; the side that is called.
 *
 * The gate (rpc/gate.h) checks the signature before any of the body is kept, so that strangers
 * cannot fill the memory. Before finish() it checks that the body is the one that was signed. A
 * route names a begin function of its own, which decides by signed_parties() whether the call is
 * for this daemon and whether the caller may make it; then signed_body, the largest body, and a
 * finish function, which finds the body in signed_request_body().
 *
 * All bodies of the process together take at most SIGNED_MEMORY_MAX; beyond that, requests are
 * refused with 503. */

#include "base/buffer.h"
#include "core/call/calls.h"
#include "core/call/signature.h"
#include "http/request.h"
#include "rpc/secret.h"

#define SIGNED_MEMORY_MAX (64 * MIB)

/* A row of a table of routes for the call NAME of core/call/calls.h; HttpRoute.refuse may follow.
 */
#define SIGNED_ROUTE(name, begin_, finish_, ...) \
        { \
                "POST", call_types[CALL_##name].path, HTTP_DAEMON, begin_, signed_body, finish_, \
                                NULL, CALL_##name##_BODY_MAX, ##__VA_ARGS__ \
        }

/* For the gate, once the headers are in; PATH is that of the route. Returns 0; -EPROTO if the
 * caller runs another release; -EACCES if the signature is missing or wrong; -EREMOTE if a daemon
 * in the caller's role does not make this call; or -ETIME if it has expired because the caller's
 * clock is behind: signed_parties() and signed_reply() work even then. */
int signed_admit(HttpRequest *request, const char *path, Secret *secret);

/* For the gate, once the body is complete. Returns 0, or -EACCES if it is not the one that was
 * signed. */
int signed_confirm(HttpRequest *request, Secret *secret);

/* For the route: takes a piece of the body. */
ssize_t signed_body(HttpRequest *request, const void *data, size_t size);

/* Return who calls whom, and the body; both valid until the request is over. */
const Parties *signed_parties(HttpRequest *request);
const Buffer *signed_request_body(HttpRequest *request);
Secret *signed_secret(HttpRequest *request);

/* FREE_STATE is called when the request is over. */
void signed_set_state(HttpRequest *request, void *state, void (*free_state)(void *state));

/* Replies 200 with an answer that the caller can trust: signed as coming from PARTIES->from. The
 * answer has the sequence of the call. Returns as http_request_reply_data(). */
int signed_reply(
                HttpRequest *request,
                Secret *secret,
                const Parties *parties,
                const char *content_type,
                const void *data,
                size_t size);
