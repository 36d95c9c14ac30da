/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Signed call: a call to another daemon as an HTTP request. signed-route.h is the other end. */

#include "base/buffer.h"
#include "core/call/calls.h"
#include "core/call/signature.h"
#include "rpc/call.h"

typedef struct SignedCall {
        HttpClient *client;
        CallKind kind;
        const char *url;        /* of the daemon: "http://host:port" */
        const Parties *parties; /* who calls whom; signed */
        Buffer *body;           /* taken over on success; NULL for an empty one */

        /* After which the call fails without progress; 0 for what the table of calls says. */
        uint64_t stall_timeout_usec;

        /* To take the answer piece by piece; see http_call_set_sink(). */
        int (*on_head)(HttpCall *call, unsigned status, void *userdata);
        int (*on_body)(void *userdata, const void *data, size_t size);

        /* Called exactly once, on the client's thread, if signed_call() returns 0. */
        void (*on_done)(HttpCall *call, const HttpResult *result, void *userdata);
        void *userdata;
} SignedCall;

/* Signs and starts a call; from any thread. Afterwards nothing in WHAT is needed, except what
 * on_done() uses. RET, which may be NULL, is a reference for http_call_cancel(), set before the
 * call starts. Returns 0, or a negative errno: then on_done() is not called. */
int signed_call(const SignedCall *what, HttpCall **ret);
