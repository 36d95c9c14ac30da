/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Another daemon that a test stands in for: each call, whether it comes over a channel or as a
 * signed request, waits until the test has looked at it and answers. Include after "test.h". */

#include "http/http.h"
#include "rpc/call.h"
#include "rpc/gate.h"
#include "rpc/rpc-call.h"
#include "rpc/rpc-service.h"
#include "rpc/signed-route.h"

#define SECRET "0123456789abcdef"

typedef struct StandIn {
        int fd; /* until it listens */
        int port;
        char url[64];
        Loops *loops, *caller_loops;
        RpcService *service;
        HttpServer *server;
        Secret *secret;
        HttpClient *client; /* for whoever calls */
        Peers *peers;       /* likewise */

        sem_t arrived, closed;
        HttpRequest *request; /* what waits: a signed request, */
        RpcRequest *call;     /* or a call */
        CallKind kind;
        const Buffer *body;

        /* On the loop */
        RpcRequest *overtaken[8]; /* calls that waited when another came, which end with the
                                     stand-in */
        size_t n_overtaken;
        bool is_leaving;             /* calls are refused at once */
        unsigned n_opened, n_closed; /* connections over which calls have come */
} StandIn;

/* Connections are refused until stand_in_listen(). */
void stand_in_init(StandIn *stand_in);
void stand_in_listen(StandIn *stand_in);

/* Ends the calls that somebody makes with what is here for that. */
void stand_in_hang_up(StandIn *stand_in);
void stand_in_done(StandIn *stand_in);

/* Waits until a call is under way; stand_in_receive() is still to come. */
void stand_in_await(StandIn *stand_in);

/* Waits for the next call. Its body is good until the answer. */
Reader stand_in_receive(StandIn *stand_in, CallKind kind);

const Parties *stand_in_parties(const StandIn *stand_in);

/* Answers, as the leader LEAD unless that is NULL; the answer stays the test's. */
void stand_in_answer_as(StandIn *stand_in, const Leadership *lead, const Buffer *answer);
void stand_in_answer(StandIn *stand_in, const Buffer *answer);
void stand_in_refuse(StandIn *stand_in, int error);

/* Breaks the connection before the answer is complete. */
void stand_in_cut(StandIn *stand_in);
