/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdio.h>
#include <string.h>

#include "test.h"

#include "http/parser/transcript.h"

static void note(Transcript *transcript, const char *text, size_t size) {
        assert_true(transcript->size + size < sizeof(transcript->text));
        memcpy(transcript->text + transcript->size, text, size);
        transcript->size += size;
        transcript->text[transcript->size] = '\0';
}

static void note_string(Transcript *transcript, const char *text) {
        note(transcript, text, strlen(text));
}

static void note_field(
                Transcript *transcript, const char *begin, const char *name, const char *value) {
        note_string(transcript, begin);
        note_string(transcript, name);
        note_string(transcript, "=");
        note_string(transcript, value);
}

static void note_head(Transcript *transcript, const HttpParser *parser) {
        const char *name, *value;
        size_t position = 0;
        char status[16];

        if (parser->framing.is_request) {
                note_string(transcript, parser->method);
                note_string(transcript, " ");
                note_string(transcript, parser->target.path);
                note_string(transcript, "?");
                note_string(transcript, parser->target.query);
        } else {
                (void) snprintf(status, sizeof(status), "%u", parser->status);
                note_string(transcript, status);
        }
        if (!parser->keep_alive)
                note_string(transcript, " close");
        while (http_parser_next_field(parser, &position, &name, &value))
                note_field(transcript, "\n", name, value);
        note_string(transcript, "\n[");
}

/* Pieces of a body are put together again, since how many there are is up to who feeds. */
static void note_event(Transcript *transcript, const HttpParser *parser, HttpEvent event) {
        switch (event) {
        case HTTP_EVENT_HEAD:
                note_head(transcript, parser);
                break;
        case HTTP_EVENT_BODY:
                assert_true(parser->piece_size > 0);
                note(transcript, parser->piece, parser->piece_size);
                break;
        case HTTP_EVENT_TRAILER:
                note_field(transcript, "|", parser->trailer_name, parser->trailer_value);
                break;
        case HTTP_EVENT_END:
                note_string(transcript, "]\n");
                break;
        case HTTP_EVENT_MORE:
        default:
                break;
        }
}

/* Feeds one piece, and begins the next message behind each. Returns 0 or the error. */
static int feed(HttpParser *parser, const char *data, size_t size, Transcript *transcript) {
        HttpEvent event;
        ssize_t n;

        do {
                n = http_parser_feed(parser, data, size, &event);
                if (n < 0)
                        return (int) n;
                assert_true((size_t) n <= size);
                data += n;
                size -= (size_t) n;
                note_event(transcript, parser, event);
                if (event == HTTP_EVENT_END)
                        http_parser_begin(parser);
        } while (event != HTTP_EVENT_MORE);

        assert_int_equal(size, 0);
        return 0;
}

static void note_error(Transcript *transcript, const HttpParser *parser, int r) {
        char text[128];

        (void) snprintf(text, sizeof(text), "error %s %s", strerrorname_np(-r),
                        parser->complaint ?: "");
        note_string(transcript, text);
}

/* As it comes in pieces of FIRST bytes and then of NEXT. */
void run(bool is_request,
         bool no_body,
         const char *data,
         size_t size,
         size_t first,
         size_t next,
         Transcript *ret) {
        size_t store_size = HEAD_MAX + HTTP_STORE_EXTRA;
        _cleanup_free_ char *store = malloc(store_size); /* of its own, for AddressSanitizer */
        HttpParser parser;
        int r = 0;

        assert_non_null(store);
        *ret = (Transcript){};
        http_parser_init(&parser, is_request, store, HEAD_MAX);
        if (no_body)
                http_parser_expect_no_body(&parser);
        for (size_t i = 0, n = first; r == 0 && i < size; i += n, n = next) {
                _cleanup_free_ char *piece = NULL;

                n = MIN(n, size - i);
                piece = malloc(n);
                assert_non_null(piece);
                memcpy(piece, data + i, n);
                r = feed(&parser, piece, n, ret);
        }
        if (r == 0)
                return;

        note_error(ret, &parser, r);
        assert_int_equal(feed(&parser, "x", 1, ret), r); /* once and for all */
}

void check(bool is_request, bool no_body, const char *data, size_t size, const char *expected) {
        static Transcript whole, pieces;

        run(is_request, no_body, data, size, size, size, &whole);
        if (strncmp(whole.text, expected, strlen(expected)) != 0 ||
            (strncmp(expected, "error", 5) != 0 && strcmp(whole.text, expected) != 0))
                fail_msg("'%s'\ncame to\n'%s', not\n'%s'", data, whole.text, expected);

        for (size_t i = 1; i < size; i++) {
                run(is_request, no_body, data, size, i, size, &pieces);
                if (strcmp(pieces.text, whole.text) != 0)
                        fail_msg("'%s'\ncut at %zu came to\n'%s', not\n'%s'", data, i, pieces.text,
                                 whole.text);
        }
        run(is_request, no_body, data, size, 1, 1, &pieces);
        assert_string_equal(pieces.text, whole.text);
}

void check_request(const char *data, const char *expected) {
        check(true, false, data, strlen(data), expected);
}

void check_response(const char *data, const char *expected) {
        check(false, false, data, strlen(data), expected);
}
