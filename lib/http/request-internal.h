/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a request is made of, for lib/http alone.
 *
 * A request belongs to the thread of its connection. Another thread that answers or resumes it
 * touches only the reply, which nobody else does meanwhile, and then calls http_request_wake().
 * After that it must not touch the request any more. */

#include <stdatomic.h>
#include <sys/socket.h>

#include "base/buffer.h"
#include "http/parser/parser.h"
#include "http/request.h"
#include "http/serve/counters.h"
#include "http/serve/drain.h"
#include "http/serve/guard.h"
#include "loop/loop.h"

/* How the thread of a connection and the one that answers it meet. A flag that is set is the last
 * thing that the other thread touches, unless it finds HTTP_PARKED and nothing else: then the
 * connection waits for it, and it has to wake its loop. */
typedef enum HttpWait {
        HTTP_PARKED = 1 << 0,
        HTTP_WOKEN = 1 << 1,
        HTTP_ANSWERED = 1 << 2,
} HttpWait;

/* What is sent. HEADERS are lines as they are sent; without IS_THERE, all else counts for nothing.
 */
typedef struct HttpReply {
        bool is_there;
        unsigned status;
        Buffer headers;
        Buffer body;       /* what is in memory of it */
        uint64_t size;     /* as announced; HTTP_SIZE_UNKNOWN if nobody knows */
        HttpStream stream; /* has no read() if all of it is in memory */

        /* Of an upgrade */
        void (*on_upgraded)(const HttpUpgraded *upgraded, void *userdata);
        void *upgraded_userdata;
} HttpReply;

struct HttpRequest {
        /* The same for all requests of a connection; none is owned. */
        void *userdata; /* HttpServerOptions.userdata */
        int fd;
        const struct sockaddr *address;
        const HttpParser *head;
        const HttpDrain *drain;
        HttpGuest *guest;
        LoopWaker waker;

        const struct HttpRoute *route;
        const char *method, *path, *query; /* "" until they are known */
        void *state;
        void *pass; /* the gate's */
        void (*free_pass)(void *pass);
        HttpKind kind;
        uint64_t begun_usec;     /* monotonic */
        uint64_t size, received; /* of the body */
        bool begun;              /* begin() was called, or would have been */
        bool later;              /* finish() was called and said so */
        bool expects_continue;
        bool origin_is_allowed;
        bool is_last; /* its connection is closed after the reply */

        atomic_uint wait; /* HttpWait */

        /* Valid once HTTP_ANSWERED is set: a reply, or an error to make one of. */
        HttpReply reply;
        int error;
        const char *detail; /* of the error */
};

/* The answer is ERROR, unless there is one already. */
void http_request_fail(HttpRequest *request, int error);

/* Pauses the request until it is woken: then its waker is called, and http_request_unpark() comes
 * first. Returns 0 if so, 1 if it was woken already, or -ESHUTDOWN if nobody is waited for any
 * more. */
int http_request_park(HttpRequest *request);
void http_request_unpark(HttpRequest *request);

/* Ends the pause, or keeps the next one from happening. WHY is HTTP_WOKEN or HTTP_ANSWERED. */
void http_request_wake(HttpRequest *request, HttpWait why);

static inline bool http_request_is_parked(const HttpRequest *request) {
        return atomic_load(&request->wait) & HTTP_PARKED;
}

static inline bool http_request_is_answered(const HttpRequest *request) {
        return atomic_load(&request->wait) & HTTP_ANSWERED;
}
