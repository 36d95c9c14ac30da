/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "base/buffer.h"
#include "fuzz.h"
#include "http/parser/parser.h"

#define HEAD_MAX 256

/* All that the parser says about a message, one event behind the other; pieces of a body as one. */
static void note_head(const HttpParser *parser, Buffer *log) {
        const char *name, *value;
        size_t position = 0;

        if (parser->framing.is_request) {
                buffer_put_string(log, parser->method);
                buffer_put_string(log, parser->target.path);
                buffer_put_string(log, parser->target.query);
                assert(parser->framing.is_1_0 || parser->framing.host);
        }
        buffer_put_u32(log, parser->status);
        buffer_put_u8(log, parser->keep_alive);
        assert(!parser->framing.is_chunked || !parser->framing.has_size);

        while (http_parser_next_field(parser, &position, &name, &value)) {
                assert(*name != '\0');
                buffer_put_string(log, name);
                buffer_put_string(log, value);
                assert(http_parser_field(parser, name));
        }
        value = http_parser_field(parser, "X");
        buffer_put_string(log, value ?: "");
}

static void note(const HttpParser *parser, HttpEvent event, Buffer *log) {
        if (event != HTTP_EVENT_BODY && event != HTTP_EVENT_MORE)
                buffer_put_u8(log, (uint8_t) event);
        if (event == HTTP_EVENT_HEAD)
                note_head(parser, log);
        if (event == HTTP_EVENT_BODY)
                buffer_put(log, parser->piece, parser->piece_size);
        if (event == HTTP_EVENT_TRAILER) {
                buffer_put_string(log, parser->trailer_name);
                buffer_put_string(log, parser->trailer_value);
        }
}

/* Whatever comes behind an error, it stays the same one. */
static void check_failed(HttpParser *parser, int error) {
        HttpEvent event;

        assert(http_parser_feed(parser, (const uint8_t *) "GET", 3, &event) == error);
}

static void begin(HttpParser *parser, bool has_body) {
        http_parser_begin(parser);
        if (!has_body)
                http_parser_expect_no_body(parser);
}

/* Returns 0 or the parser's error. */
static int feed(HttpParser *parser, bool has_body, const uint8_t *data, size_t size, Buffer *log) {
        HttpEvent event;

        do {
                ssize_t n;

                n = http_parser_feed(parser, data, size, &event);
                if (n < 0)
                        return (int) n;
                assert((size_t) n <= size);
                data += n;
                size -= (size_t) n;
                note(parser, event, log);
                if (event == HTTP_EVENT_END)
                        begin(parser, has_body);
        } while (event != HTTP_EVENT_MORE);

        assert(size == 0);
        return 0;
}

/* What a message may be, besides its bytes */
typedef struct Kind {
        bool is_request;
        bool has_body; /* false for the response to a HEAD */
} Kind;

/* Feeds it in pieces of so many bytes. */
static void run(Kind kind, const uint8_t *data, size_t size, size_t piece, Buffer *ret) {
        char *store = malloc(HEAD_MAX + HTTP_STORE_EXTRA);
        HttpParser parser;
        int r = 0;

        assert(store);
        http_parser_init(&parser, kind.is_request, store, HEAD_MAX);
        begin(&parser, kind.has_body);
        for (size_t i = 0; r == 0 && i < size; i += piece)
                r = feed(&parser, kind.has_body, data + i, MIN(piece, size - i), ret);
        buffer_put_u32(ret, (uint32_t) r);
        if (r < 0)
                check_failed(&parser, r);
        else
                buffer_put_u32(ret, (uint32_t) http_parser_close(&parser));
        assert(buffer_error(ret) == 0);
        free(store);
}

/* The first byte says whether these are requests or responses, also to HEAD, and how large the
 * pieces are in which they come: whatever that is, the same messages are understood. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(buffer_done) Buffer whole = {}, pieces = {}, bytes = {};
        Kind kind;

        if (size < 2)
                return 0;

        kind = (Kind){ .is_request = data[0] % 2 == 0, .has_body = data[0] % 4 < 3 };
        run(kind, data + 1, size - 1, size, &whole);
        run(kind, data + 1, size - 1, 1 + data[0] / 2, &pieces);
        run(kind, data + 1, size - 1, 1, &bytes);

        assert(whole.size == pieces.size && memcmp(whole.data, pieces.data, whole.size) == 0);
        assert(whole.size == bytes.size && memcmp(whole.data, bytes.data, whole.size) == 0);
        return 0;
}
