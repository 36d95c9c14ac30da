/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Parser: HTTP/1.x messages (RFC 9112), requests or responses, bytes in, events out.
 *
 * It is fed whatever arrived, in pieces of any size; what it makes of them depends on the bytes
 * alone, never on where the pieces end. It allocates nothing: the head lies as strings in a store
 * that the caller provides, the body is handed out in place. Limits hold for everything that is
 * kept.
 *
 * It is strict. What it does not understand, or others may read differently, is an error, and
 * nothing behind it can be trusted: the caller answers and closes. In particular:
 *
 * - Lines end in CRLF. A bare LF may be a line's end, too (RFC 9112, 2.2), but who takes it for one
 *   sees another message than who does not; so it is an error, as are a bare CR, NUL and all other
 *   control characters but tabs in values.
 * - Names and methods are tokens, with ":" right behind a name. No line is folded.
 * - Content-Length is one number, Transfer-Encoding is "chunked", in HTTP/1.1 only, and there is at
 *   most one of both. Two that agree are one too many.
 * - A request of HTTP/1.1 has exactly one Host; none has two, or one that is no host.
 * - One empty line in front of a request is skipped (RFC 9112, 2.2).
 * - Extensions of chunks are checked and ignored; trailers are handed out, except those that would
 *   have had to come first: they are errors. */

#include <sys/types.h>

#include "http/parser/framing.h"
#include "http/parser/target.h"

/* Bytes of a message's chunk extensions, and of its trailers */
#define HTTP_TAIL_MAX (4 * KIB)

/* A method is not longer. */
#define HTTP_METHOD_MAX 32

typedef enum HttpEvent {
        HTTP_EVENT_MORE,    /* all was consumed, and the rest is still to come */
        HTTP_EVENT_HEAD,    /* the head is complete */
        HTTP_EVENT_BODY,    /* a piece of the body */
        HTTP_EVENT_TRAILER, /* a field behind the body */
        HTTP_EVENT_END,     /* the message is complete */
} HttpEvent;

typedef enum HttpParserState {
        HTTP_PARSER_START, /* the first line; nothing of it may be there yet */
        HTTP_PARSER_FIELDS,
        HTTP_PARSER_SIZED,
        HTTP_PARSER_TO_CLOSE, /* a body that ends with the connection */
        HTTP_PARSER_CHUNK_SIZE,
        HTTP_PARSER_CHUNK,
        HTTP_PARSER_CHUNK_END,
        HTTP_PARSER_TRAILERS,
        HTTP_PARSER_END,
        HTTP_PARSER_FAILED,
} HttpParserState;

typedef struct HttpParser {
        /* What the head says, from HTTP_EVENT_HEAD on. All strings are the store's. */
        const char *method; /* of a request */
        HttpTarget target;  /* of a request */
        unsigned status;    /* of a response; 100 to 999 */
        HttpFraming framing;
        bool keep_alive; /* another message may follow on the connection */

        /* With HTTP_EVENT_BODY, in what was fed; with HTTP_EVENT_TRAILER, until the next call */
        const char *piece;
        size_t piece_size;
        const char *trailer_name, *trailer_value;

        /* After an error: a sentence for who sent this. */
        const char *complaint;

        /* For the parser */
        HttpParserState state;
        char *store; /* not owned */
        size_t head_max;
        size_t used;     /* of the store, by strings and the line under way */
        size_t line;     /* where that begins */
        size_t fields;   /* where the fields begin, each a name and a value */
        size_t received; /* of the head */
        size_t tail;     /* bytes of chunk extensions and trailers so far */
        uint64_t names;  /* a bit for each name that there may be */
        uint64_t left;   /* of the body or of the chunk */
        int error;
        bool has_no_body; /* of a response, whatever its head says */
        bool has_skipped; /* the empty line */
} HttpParser;

/* How much larger than HEAD_MAX the store is: room for a line behind the head. */
#define HTTP_STORE_EXTRA (HTTP_TAIL_MAX + 32)

/* HEAD_MAX is the limit of a head, in bytes with all ends of lines. */
void http_parser_init(HttpParser *parser, bool is_request, char *store, size_t head_max);

/* Makes ready for the next message. The strings of the last one are gone. */
void http_parser_begin(HttpParser *parser);

/* The response to come is to HEAD: it has no body. Before its head. */
void http_parser_expect_no_body(HttpParser *parser);

/* Consumes up to SIZE bytes, up to and including those that make the next event. Events follow each
 * other without bytes in between, too, so it is called until there is HTTP_EVENT_MORE, or
 * HTTP_EVENT_END, behind which it must not be called before http_parser_begin().
 *
 * Returns how many bytes were consumed, and the event, or a negative errno, once and for all:
 * -EINVAL for what is malformed, -EPROTOTYPE for another version of HTTP, -EOPNOTSUPP for a
 * method that is too long to be any, -ENAMETOOLONG for a first line and -E2BIG for a head or a tail
 * that are longer than their limits, -EFBIG for the length of a body or chunk beyond INT64_MAX,
 * -EBADRQC for an expectation that cannot be met. */
ssize_t http_parser_feed(HttpParser *parser, const void *data, size_t size, HttpEvent *ret_event);

/* No more bytes will come. Returns 0 if that completes the message, -ECONNRESET if there was none
 * of it yet, or -EPIPE if it is cut off. */
int http_parser_close(HttpParser *parser);

/* Whether something of the message is there. */
static inline bool http_parser_has_begun(const HttpParser *parser) {
        return parser->state != HTTP_PARSER_START || parser->received > 0 || parser->used > 0;
}

/* The value of the first field of this name, in any case of its letters; NULL if there is none. The
 * Host of a request in absolute form is that of its target. */
const char *http_parser_field(const HttpParser *parser, const char *name);

/* Steps through the fields as they were sent: POSITION begins as 0. Returns false at the end. */
bool http_parser_next_field(
                const HttpParser *parser,
                size_t *position,
                const char **ret_name,
                const char **ret_value);
