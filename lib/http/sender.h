/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Sender: makes the bytes of an answer, its head and, piece by piece, its body, as the socket takes
 * them. For lib/http alone. */

#include "http/origin.h"
#include "http/request-internal.h"
#include "http/serve/output.h"

/* Senders that take turns on a thread share the memory for a piece of a stream. */
#define HTTP_SENDER_ROOM (512 * KIB + 18)

typedef struct HttpSender {
        HttpOutput output; /* what is to be sent next */
        uint64_t sent;     /* of a body that comes from a stream */
        bool is_chunked;
        bool is_complete; /* all there is, is sent or in the output */
        bool is_dry;      /* the stream has nothing now: somebody is going to resume the request */

        uint8_t *room;     /* of HTTP_SENDER_ROOM bytes, for a piece of the stream; not owned */
        uint8_t *kept;     /* what the client has not taken of it */
        size_t piece_size; /* how large it may be */
        bool is_full;      /* the stream had as much */
        bool has_stalled;  /* the client did not take it at once */
        char head[256];    /* status line, and the headers that no handler makes */
        size_t head_size;
} HttpSender;

/* Tells a client to send its body. */
void http_sender_continue(HttpSender *sender);

/* The reply of REQUEST is there; IS_CLOSING if the connection ends behind it. Returns 0, or -EIO if
 * the connection is to be cut once the output was sent. */
int http_sender_begin(
                HttpSender *sender,
                HttpRequest *request,
                const HttpOrigins *origins,
                bool is_closing);

/* The output is empty, and the answer not complete: adds more, or finds the stream dry. Returns 0,
 * or -EIO if the connection is to be cut. */
int http_sender_add(HttpSender *sender, const HttpRequest *request);

/* It is the turn of others: what is in the room they share, and was not sent, is kept elsewhere.
 * Returns 0, or -ENOMEM; then the output is lost. */
int http_sender_keep(HttpSender *sender);

/* Has the client see that the answer is not complete when its connection is closed. */
void http_sender_cut(const HttpSender *sender, const HttpRequest *request);

/* How many bytes of the body were sent; IS_COMPLETE if all of it. */
uint64_t http_sender_count(const HttpSender *sender, const HttpRequest *request, bool is_complete);

/* The request is over. */
void http_sender_end(HttpSender *sender);
