/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* RPC request: a call of another daemon, as the one that is called sees it.
 *
 * A handler answers or refuses it, or returns RPC_LATER and sees to it that somebody does, on any
 * thread: that is the last thing that may be done with it. A handler that returns a negative errno
 * has the call refused by that. */

#include "base/buffer.h"
#include "core/call/calls.h"
#include "core/call/signature.h"

#define RPC_LATER 1

typedef struct RpcRequest RpcRequest;

/* What the daemon has given to its handlers. */
void *rpc_request_userdata(const RpcRequest *request);

/* Who calls whom, and the body; both valid until the answer. */
const Parties *rpc_request_parties(const RpcRequest *request);
const Buffer *rpc_request_body(const RpcRequest *request);

/* FREE_STATE is called before the request goes. Once. */
void rpc_request_set_state(RpcRequest *request, void *state, void (*free_state)(void *state));

/* The sentence of the refusal that the handler is about to return; copied. */
void rpc_request_explain(RpcRequest *request, const char *sentence);

/* Answers with what is in ANSWER, which is taken over; or refuses, if an error of the buffer says
 * that not all of it is there. NULL is an empty answer. LEAD, unless it is NULL, tells the caller
 * who leads. Always returns 0. Thread: any. */
int rpc_request_reply(RpcRequest *request, const Leadership *lead, Buffer *answer);

/* ERROR is a negative errno; SENTENCE, if not NULL, is about this very case. Always returns 0.
 * Thread: any. */
int rpc_request_refuse(RpcRequest *request, int error, const char *sentence);

/* Whether it is still of use to go on: 0; -ESHUTDOWN if this daemon is about to stop; -ECANCELED if
 * nobody waits for the answer. Thread: any, before the answer. */
int rpc_request_check(const RpcRequest *request);
