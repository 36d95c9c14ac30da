/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Connection: what comes in over a socket becomes requests, one after the other, and their answers
 * go out. For lib/http alone.
 *
 * A connection belongs to a worker. A request never leaves its thread but to be answered by
 * another; between two of them, the connection may move to another worker. A small request costs
 * one call to receive it and one to answer it. */

#include <netinet/in.h>

#include "http/exchange.h"
#include "http/sender.h"
#include "http/serve/input.h"

typedef struct HttpConnection HttpConnection;
typedef struct HttpWorker HttpWorker;

/* What is received at once */
#define HTTP_INPUT_SIZE (128 * KIB)

typedef union HttpAddress {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
} HttpAddress;

typedef enum HttpConnectionState {
        HTTP_CONNECTION_HEAD,    /* of the next request is on its way; nothing of it may be there */
        HTTP_CONNECTION_BODY,    /* is on its way */
        HTTP_CONNECTION_ANSWER,  /* is waited for */
        HTTP_CONNECTION_REPLY,   /* is on its way */
        HTTP_CONNECTION_DISCARD, /* the rest of a body that was answered before its end */
        HTTP_CONNECTION_LINGER,  /* all was said */
        _HTTP_CONNECTION_MAX,
} HttpConnectionState;

struct HttpConnection {
        LoopSource source;
        HttpWorker *worker; /* not owned */
        int fd;
        HttpGuest *guest;
        HttpAddress address;
        LoopTimer timer;
        LoopWaker later; /* for another turn, or to be served by its worker */
        bool is_queued;
        unsigned turns;
        HttpConnection *prev, *next;

        HttpConnectionState state;
        bool can_send;   /* as far as is known */
        bool is_closing; /* behind the answer */
        bool is_over;    /* the message that is answered was read to its end */
        bool is_lost;    /* or will not be: nobody knows where it ends */
        bool is_replying;
        bool is_broken; /* nothing can be sent any more */

        HttpParser parser;
        HttpRequest request;
        bool has_request;

        HttpInput input;
        size_t piece;    /* so much of it belongs to the body that the parser has left behind */
        size_t lingered; /* bytes */

        HttpSender sender;

        char store[]; /* the parser's */
};

/* Owns FD, also in failure. Returns NULL if the guard turns it away, or if there is no memory.
 * Thread: any. */
HttpConnection *http_connection_new(HttpSite *site, int fd, const HttpAddress *address);

/* Makes it a worker's, which begins to serve it then: from another thread, its waker LATER does. */
void http_connection_assign(HttpConnection *connection, HttpWorker *worker);
void http_connection_open(HttpConnection *connection);

/* It is its worker's no more. */
void http_connection_leave(HttpConnection *connection);

/* If its request waits, it does so no longer: see http_drain_hurry(). */
void http_connection_hurry(HttpConnection *connection);

/* No request of it may be parked. */
HttpConnection *http_connection_free(HttpConnection *connection);
