/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a request is made of, for lib/http alone.
 *
 * A request belongs to the thread of its connection. Another thread that answers or resumes it
 * touches only the reply, which nobody else does meanwhile, and then calls http_request_wake().
 * After that it must not touch the request any more. */

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/buffer.h"
#include "http/counters.h"
#include "http/drain.h"
#include "http/guard.h"
#include "http/request.h"

/* The requests of a server that wait for another thread. Those that are answered at once never take
 * the lock. */
typedef struct HttpParking {
        pthread_mutex_t lock;
        HttpRequest *requests;
        bool closed;
} HttpParking;

/* How the thread of a connection and the one that answers it meet. A flag that is set is the last
 * thing that the other thread touches, unless it finds HTTP_PARKED and nothing else: then the
 * connection is suspended, and it has to resume it. */
typedef enum HttpWait {
        HTTP_PARKED = 1 << 0,
        HTTP_WOKEN = 1 << 1,
        HTTP_ANSWERED = 1 << 2,
} HttpWait;

struct HttpRequest {
        void *userdata;                    /* HttpServerOptions.userdata */
        struct HttpThread *thread;         /* not owned; for server.c */
        HttpParking *parking;              /* not owned */
        const HttpDrain *drain;            /* not owned */
        struct MHD_Connection *connection; /* not owned */
        HttpGuest *guest; /* not owned; the same for all requests of its connection */
        const struct HttpRoute *route;
        const char *method;
        void *state;
        void *pass; /* the gate's */
        void (*free_pass)(void *pass);
        char *kept;
        HttpKind kind;
        uint64_t begun_usec;     /* monotonic */
        uint64_t size, received; /* of the body */
        bool started;            /* the headers were looked at */
        bool begun;              /* begin() was called, or would have been */
        bool later;              /* finish() was called and said so */
        bool is_1_0, expects_continue;
        bool origin_is_allowed;
        bool is_last;    /* its connection is closed after the reply */
        bool is_hurried; /* its connection has a time-out of its own */

        atomic_uint wait; /* HttpWait */
        bool listed;      /* in parking->requests */
        HttpRequest *prev, *next;
        HttpRequest *held_next; /* see http_replies_hold() */

        /* The reply: a response, or an error to make one of; valid once HTTP_ANSWERED is set. */
        struct MHD_Response *response;
        unsigned status;
        int error;
        const char *detail; /* of the error */
        Buffer headers;     /* name, 0, value, 0, … */
        HttpStream stream;
        bool stream_is_chunked;
        uint64_t reply_size; /* of the body; of a stream, what was read so far */

        const char *query;
        char path[]; /* and, behind its 0, the query */
};

/* What the message's framing says: sets SIZE and EXPECTS_CONTINUE. Returns 0, or -EINVAL if it is
 * ambiguous: then nothing can be known about what follows on the connection. */
int http_request_check_framing(HttpRequest *request, const char *version);

/* The answer is ERROR, unless there is one already. */
void http_request_fail(HttpRequest *request, int error);

/* Pauses the connection until it is woken. Returns 0 if so: the caller returns to MHD, which calls
 * again. Returns 1 if it was woken already, or -ESHUTDOWN if the parking is closed. */
int http_request_park(HttpRequest *request);

/* Comes first whenever MHD calls. */
void http_request_unpark(HttpRequest *request);

/* Ends the pause, or keeps the next one from happening. WHY is HTTP_WOKEN or HTTP_ANSWERED. */
void http_request_wake(HttpRequest *request, HttpWait why);

/* Wakes all requests that are parked, since libmicrohttpd must not be stopped while a connection is
 * suspended; from now on none can be parked. */
void http_parking_close(HttpParking *parking);

static inline bool http_request_is_answered(HttpRequest *request) {
        return atomic_load(&request->wait) & HTTP_ANSWERED;
}
