/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* RPC: signed requests from one daemon to another, with a body that fits memory.
 *
 * A route names a begin function of its own, which calls rpc_begin() and looks whether the call is
 * for this daemon and from whom it may come; then rpc_body, rpc_end, its largest body, and a finish
 * function, which gets the body from rpc_check(). http_request_state() belongs to this file; what
 * the route itself wants to keep goes to rpc_set_state().
 *
 * The signature is checked before any of the body is kept, so strangers cannot fill the memory.
 * Besides, all bodies of the process together take at most RPC_MEMORY_MAX; beyond that requests are
 * refused with 503. */

#include "base/buffer.h"
#include "core/call/calls.h"
#include "core/call/signature.h"
#include "http/request.h"
#include "rpc/secret.h"

#define RPC_MEMORY_MAX (64 * MIB)

/* A row of a table of routes for the call NAME of core/call/calls.h. */
#define RPC_ROUTE(name, begin_, finish_) \
        { \
                "POST", call_types[CALL_##name].path, HTTP_DAEMON, begin_, rpc_body, finish_, \
                                rpc_end, CALL_##name##_BODY_MAX \
        }

/* The headers are in. Returns 0 and who calls whom, which is good until rpc_end(); -EPROTO if the
 * caller runs another release; -EACCES if the signature is not right; -EREMOTE if a daemon in the
 * caller's role does not make this call; and -ETIME, also with who calls whom, if the signature has
 * expired: the caller's clock is behind. */
int rpc_begin(HttpRequest *request, Secret *secret, const Parties **ret);

ssize_t rpc_body(HttpRequest *request, const void *data, size_t size);
void rpc_end(HttpRequest *request);

/* Returns 0 and the body, or -EACCES if it is not the one that was announced. */
int rpc_check(HttpRequest *request, Secret *secret, const Buffer **ret_body);

/* What rpc_begin() returned. */
const Parties *rpc_parties(HttpRequest *request);

/* FREE_STATE is called when the request is over. */
void rpc_set_state(HttpRequest *request, void *state, void (*free_state)(void *state));

/* Replies 200 with an answer that the caller can trust: signed as coming from PARTIES->from. The
 * sequence of the call becomes the answer's. Returns as http_request_reply_data(). */
int rpc_reply(HttpRequest *request,
              Secret *secret,
              const Parties *parties,
              const char *content_type,
              const void *data,
              size_t size);
