/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* RPC service: takes the calls of other daemons. Each of them opens channels (channel/receiver.h),
 * which begin as requests to a route, RPC_SERVICE_ROUTE(); what comes over them is handed to one
 * table of handlers.
 *
 * All bodies of the process together take at most RPC_MEMORY_MAX; calls beyond that are refused
 * with -EAGAIN. */

#include "channel/handshake.h"
#include "http/server.h"
#include "rpc/rpc-request.h"
#include "rpc/secret.h"

#define RPC_MEMORY_MAX (64 * MIB)

/* A row of the table, by CallKind. */
typedef struct RpcHandler {
        /* Whether the caller may make this call: 0, or a negative errno to refuse it. */
        int (*begin)(RpcRequest *request);

        /* 0 if it was answered, RPC_LATER, or a negative errno to refuse it. */
        int (*finish)(RpcRequest *request);
} RpcHandler;

typedef struct RpcServiceOptions {
        Secret *secret; /* not owned */
        const RpcHandler *
                        handlers; /* _CALL_MAX of them; those without functions are no calls here */
        void *userdata;           /* of the handlers, and of what follows */

        /* Somebody wants to call, and has the secret. Returns 0 with who is here (cluster and
         * "from") in ANSWER; or a negative errno, and a sentence or "". On a loop. */
        int (*admit)(const Handshake *offer,
                     Handshake *answer,
                     char ret_sentence[static FRAME_SENTENCE_MAX + 1],
                     void *userdata);

        /* The first call has come over a connection, which is taken next; and that connection has
         * ended, once for each that was told of. An OFFER that was admitted may be a recording: a
         * call shows that who sent it has the keys, and of a connection without any, or one that
         * came to nothing, nothing is told. Optional. On the connection's loop. */
        void (*on_opened)(const Handshake *offer, void *userdata);
        void (*on_closed)(const Handshake *offer, void *userdata);

        /* Somebody wants to call who does not have the secret. Optional. On a loop. */
        void (*on_stranger)(const char *address, void *userdata);
} RpcServiceOptions;

typedef struct RpcService RpcService;

/* Returns 0 or -ENOMEM. */
int rpc_service_new(const RpcServiceOptions *options, RpcService **ret);

/* Calls that take long are to be given up, since the daemon is about to stop: see
 * rpc_request_check(). Thread: any. */
void rpc_service_stop(RpcService *service);

/* The server and the loops must have been freed before. Accepts NULL. */
RpcService *rpc_service_free(RpcService *service);
DEFINE_CLEANUP(RpcService *, rpc_service_free);

/* A row of a table of routes; FINISH calls rpc_service_open(). */
#define RPC_SERVICE_ROUTE(finish_) \
        { "GET", HANDSHAKE_PATH, HTTP_PUBLIC, .finish = finish_, .end = rpc_service_close_route }

int rpc_service_open(RpcService *service, HttpRequest *request);
void rpc_service_close_route(HttpRequest *request);
