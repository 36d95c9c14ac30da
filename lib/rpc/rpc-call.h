/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* RPC call: how one daemon calls another, over a channel. rpc-request.h is the other end. */

#include "base/buffer.h"
#include "core/call/calls.h"
#include "core/call/signature.h"
#include "rpc/peers.h"

/* What a call came to. */
typedef struct RpcResult {
        /* 0 if there was an answer, if only a refusal; else a negative errno: -EHOSTDOWN (no
         * connection, or it is being stopped), -EACCES, -EREMOTE or -EPROTO (another secret,
         * somebody else, another release is there), -EINPROGRESS (the store is there, in another
         * run), -ETIMEDOUT, -ECONNRESET, -ECANCELED, -ESHUTDOWN (this side is stopped), … */
        int error;
        const char *reason; /* of an error, in words that end a sentence ("it refuses connections");
                             * borrowed, never NULL */

        int refusal;        /* the negative errno by which the other side refuses the call, or 0 */
        const char *detail; /* of a refusal, a sentence; borrowed, or NULL */

        const uint8_t *body; /* of the answer; borrowed */
        size_t body_size;
        Leadership lead; /* of whom the answer comes from: that leads, or that it follows; zeroes if
                          * it does not say */
} RpcResult;

/* 0 for an answer, or the negative errno of the result. */
static inline int rpc_result_error(const RpcResult *result) {
        return result->error < 0 ? result->error : result->refusal;
}

/* A reference to a call, to cancel it. */
typedef struct RpcCallHandle RpcCallHandle;

typedef struct RpcCall {
        Peers *peers;
        CallKind kind;
        const char *url;        /* of the daemon: "http://host:port" */
        const Parties *parties; /* who calls whom */
        Buffer *body;           /* taken over on success; NULL for an empty one */
        uint64_t timeout_usec;  /* 0 for what the table of calls says, or else the peers' */

        /* Called exactly once if rpc_call() returns 0: on the loop that made the call, or else on
         * the home loop; once the peers were stopped, on any thread, and perhaps at once. */
        void (*on_done)(const RpcResult *result, void *userdata);
        void *userdata;
} RpcCall;

/* Starts a call; from any thread. Afterwards nothing in WHAT is needed, except what on_done() uses.
 * RET, which may be NULL, is a reference, set before the call starts. Returns 0, or a negative
 * errno: then on_done() is not called. */
int rpc_call(const RpcCall *what, RpcCallHandle **ret);

/* From any thread: ends the call with -ECANCELED, soon. Does nothing to one that has ended. */
void rpc_call_cancel(RpcCallHandle *handle);

/* Accepts NULL. */
RpcCallHandle *rpc_call_unref(RpcCallHandle *handle);
DEFINE_CLEANUP(RpcCallHandle *, rpc_call_unref);
