/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Response: a parser for HTTP/1.1 answers that knows what a load generator needs and nothing else.
 *
 * It is fed whatever arrived, in pieces of any size, and hands the body out in place, without
 * copying. The only thing that it keeps is a line that came in more than one piece. */

#include "base/buffer.h"
#include "base/macro.h"

#define RESPONSE_HEAD_MAX (64 * KIB)

typedef enum ResponseState {
        RESPONSE_STATUS,
        RESPONSE_HEADER,
        RESPONSE_LENGTH,     /* a body of known length */
        RESPONSE_TO_CLOSE,   /* a body that ends with the connection */
        RESPONSE_CHUNK_SIZE, /* the line in front of a chunk */
        RESPONSE_CHUNK,
        RESPONSE_CHUNK_END, /* the empty line behind it */
        RESPONSE_TRAILER,
        RESPONSE_COMPLETE,
} ResponseState;

typedef struct Response {
        ResponseState state;
        unsigned status;
        bool keep_alive;
        bool chunked;
        bool has_length;
        uint64_t length;  /* as announced */
        uint64_t left;    /* of the body or the chunk */
        Buffer location;  /* a string, empty if there was none */
        Buffer line;      /* the start of a line whose end is yet to come */
        size_t head_size; /* bytes of lines so far */
} Response;

void response_done(Response *response);

/* Makes ready for the next answer; a zeroed Response is ready for its first. */
void response_begin(Response *response);

/* Consumes up to SIZE bytes: up to the end of the first piece of body in it, or the end of the
 * answer. Call it until it has consumed everything or the answer is complete. An interim answer
 * (1xx) is complete like any other.
 *
 * Returns how many bytes were consumed, with a piece of body in RET_BODY (its size is 0 if there is
 * none), -EBADMSG if this is not HTTP, -E2BIG if its head is larger than RESPONSE_HEAD_MAX, or
 * -ENOMEM. */
ssize_t response_feed(
                Response *response,
                const void *data,
                size_t size,
                const void **ret_body,
                size_t *ret_body_size);

/* The connection was closed. Returns 0 if that completes the answer, -ECONNRESET if there was none,
 * or -EPIPE if it was cut off. */
int response_close(Response *response);

/* The value of Location, NULL if there was none. */
const char *response_location(const Response *response) _pure_;
