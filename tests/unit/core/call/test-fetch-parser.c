/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/call/fetch-parser.h"

/* What was heard, as text */
typedef struct Story {
        char text[512];
        int fail_at; /* the event that fails, counted from 1 */
        int n_events;
} Story;

static int tell(Story *story, const char *text, size_t size) {
        size_t length = strlen(story->text);

        (void) snprintf(story->text + length, sizeof(story->text) - length, "%.*s", (int) size,
                        text);
        return ++story->n_events == story->fail_at ? -ECANCELED : 0;
}

static int on_object(void *userdata, uint64_t version, int error, const Object *object) {
        char text[64];

        assert_true((error < 0) == !object);
        (void) snprintf(text, sizeof(text), "%i:%i:%s(", (int) version, error,
                        object ? object->key : "");
        return tell(userdata, text, strlen(text));
}

static int on_value(void *userdata, const void *data, size_t size) {
        return tell(userdata, data, size);
}

static int on_end(void *userdata) {
        return tell(userdata, ")", 1);
}

static void put_object(Buffer *buffer, uint64_t version, const char *key, const char *value) {
        _cleanup_(buffer_done) Buffer encoded = {};
        Object object = {
                .record = { .version = version,
                            .size = strlen(value),
                            .content_type = "",
                            .metadata = "" },
                .key = key,
        };

        object_encode(&object, &encoded);
        wire_put_fetch_head(
                        buffer, &(WireFetchHead){ .version = version,
                                                  .object_size = (uint32_t) encoded.size,
                                                  .value_size = strlen(value) });
        buffer_put(buffer, encoded.data, encoded.size);
        buffer_put(buffer, value, strlen(value));
}

static void put_error(Buffer *buffer, uint64_t version, int error) {
        wire_put_fetch_head(buffer, &(WireFetchHead){ .version = version, .error = error });
}

/* Feeds it in pieces of STEP bytes. */
static int parse(const Buffer *buffer, size_t step, Story *story) {
        FetchParserEvents events = { on_object, on_value, on_end, story };
        FetchParser parser;
        int r = 0;

        fetch_parser_init(&parser, &events);
        for (size_t offset = 0; offset < buffer->size && r >= 0; offset += step) {
                size_t n = MIN(step, buffer->size - offset);
                _cleanup_free_ uint8_t *piece = malloc(n);

                memcpy(piece, buffer->data + offset, n);
                r = fetch_parser_feed(&parser, piece, n);
        }
        fetch_parser_done(&parser);
        return r;
}

static void assert_story(const Buffer *buffer, const char *expected) {
        for (size_t step = 1; step <= buffer->size; step++) {
                Story story = {};

                assert_int_equal(parse(buffer, step, &story), 0);
                assert_string_equal(story.text, expected);
        }
}

TEST(objects_come_out_in_whatever_pieces_they_come_in) {
        _cleanup_(buffer_done) Buffer buffer = {};

        put_object(&buffer, 1, "a", "first");
        put_object(&buffer, 2, "b", "");
        put_error(&buffer, 3, -ENOENT);
        put_object(&buffer, 4, "c", "last");
        assert_story(&buffer, "1:0:a(first)2:0:b()3:-2:(4:0:c(last)");
}

TEST(a_damaged_object_is_skipped) {
        _cleanup_(buffer_done) Buffer first = {};

        put_object(&first, 1, "a", "value");
        for (size_t at = WIRE_FETCH_HEAD_SIZE; at < first.size - strlen("value"); at++) {
                _cleanup_(buffer_done) Buffer buffer = {};
                Story story = {};

                put_object(&buffer, 1, "a", "value");
                put_object(&buffer, 2, "b", "next");
                buffer.data[at] ^= 4;
                assert_int_equal(parse(&buffer, 7, &story), 0);
                assert_int_equal(strncmp(story.text, "1:-", 3), 0);
                assert_non_null(strstr(story.text, ":(2:0:b(next)"));
        }
}

TEST(a_head_that_does_not_fit_its_object_is_an_error_of_that_object) {
        _cleanup_(buffer_done) Buffer version = {}, size = {};

        put_object(&version, 1, "a", "value");
        version.data[0] = 9;
        put_object(&version, 2, "b", "");
        assert_story(&version, "9:-74:(2:0:b()");

        put_object(&size, 1, "a", "value");
        size.data[16]--;
        size.size--;
        put_object(&size, 2, "b", "");
        assert_story(&size, "1:-74:(2:0:b()");
}

TEST(heads_that_make_no_sense_are_the_end) {
        static const WireFetchHead heads[] = {
                { 1, 0, 0, 5 },                   /* no object */
                { 1, 0, WIRE_OBJECT_MAX + 1, 5 }, /* too large */
                { 1, -ENOENT, 1, 0 },             /* an object with an error */
                { 1, -ENOENT, 0, 1 },             /* a value with one */
                { 1, -4096, 0, 0 },               /* no errno */
        };

        for (size_t i = 0; i < ELEMENTSOF(heads); i++) {
                _cleanup_(buffer_done) Buffer buffer = {};
                Story story = {};

                wire_put_fetch_head(&buffer, heads + i);
                assert_int_equal(buffer.size, WIRE_FETCH_HEAD_SIZE);
                assert_int_equal(parse(&buffer, buffer.size, &story), -EPROTO);
                assert_int_equal(story.n_events, 0);
        }
}

TEST(what_an_event_returns_ends_it) {
        _cleanup_(buffer_done) Buffer buffer = {};

        put_object(&buffer, 1, "a", "v");
        for (int i = 1; i <= 3; i++) {
                Story story = { .fail_at = i };

                assert_int_equal(parse(&buffer, buffer.size, &story), -ECANCELED);
                assert_int_equal(story.n_events, i);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(objects_come_out_in_whatever_pieces_they_come_in),
                cmocka_unit_test(a_damaged_object_is_skipped),
                cmocka_unit_test(a_head_that_does_not_fit_its_object_is_an_error_of_that_object),
                cmocka_unit_test(heads_that_make_no_sense_are_the_end),
                cmocka_unit_test(what_an_event_returns_ends_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
