/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* RPC: signed requests from one daemon to another, with a body that fits memory.
 *
 * A route names rpc_begin, rpc_body, rpc_end, its largest body, and a finish function of its own,
 * which calls rpc_check() first. http_request_state() then belongs to this file; what the route
 * itself wants to keep goes to rpc_set_state().
 *
 * Whether a signature is right is known only when the body is there. So that strangers cannot fill
 * the memory, all bodies of the process together take at most RPC_MEMORY_MAX; beyond that requests
 * are refused with 503. */

#include "base/buffer.h"
#include "net/http-request.h"
#include "net/secret.h"

#define RPC_MEMORY_MAX (64 * MIB)

int rpc_begin(HttpRequest *request);
ssize_t rpc_body(HttpRequest *request, const void *data, size_t size);
void rpc_end(HttpRequest *request);

/* Returns 0 and the body, or -EACCES if the signature does not fit it. */
int rpc_check(HttpRequest *request, Secret *secret, const Buffer **ret_body);

/* FREE_STATE is called when the request is over. */
void rpc_set_state(HttpRequest *request, void *state, void (*free_state)(void *state));
