/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <string.h>

#include "core/checksum.h"
#include "store/copy/copy-stream.h"
#include "store/format/page.h"

static const CopyHead head = {
        .id = 42,
        .cluster = { 7, 8, 9 },
        .format = "test 1",
        .log_id = 43,
        .begin = { 5, 100 },
        .databases = { { "state.db", 3 * PAGE_SIZE }, { "test.db", 2 * PAGE_SIZE } },
        .n_databases = 2,
};

static uint8_t content[4 * PAGE_SIZE];

/* What a receiver was told. */
typedef struct Story {
        unsigned n_heads, n_pieces, n_ends;
        uint64_t n_bytes;
        CopyPosition last;
        CopyHead head;
        CopyEnd end;
        int refuse_piece; /* with this error */
} Story;

static int on_head(void *userdata, const CopyHead *told) {
        Story *story = userdata;

        story->n_heads++;
        story->head = *told;
        return 0;
}

static int
on_piece(void *userdata, CopyPosition position, bool is_last, const void *data, size_t size) {
        Story *story = userdata;

        if (story->refuse_piece < 0)
                return story->refuse_piece;
        assert_memory_equal(data, content, size);
        story->n_pieces++;
        story->n_bytes += size;
        story->last = position;
        return 0;
}

static int on_end(void *userdata, const CopyEnd *end) {
        Story *story = userdata;

        story->n_ends++;
        story->end = *end;
        return 0;
}

static void init(CopyParser *parser, Story *story) {
        const CopyEvents events = { on_head, on_piece, on_end, story };

        copy_parser_init(parser, &events);
}

static void put(Buffer *buffer, uint32_t file, uint64_t offset, bool is_last, size_t size) {
        copy_put_piece(buffer, head.id, (CopyPosition){ file, offset }, is_last, content, size);
}

static const CopyEnd whole_end = { { 6, 200 }, 5 * PAGE_SIZE + 1000 + 200 };

/* All of a copy; returns where its frames begin, and how many there are. */
static size_t put_all(Buffer *buffer, size_t ret_starts[static 8]) {
        size_t n = 0;

        ret_starts[n++] = buffer->size;
        copy_put_head(buffer, &head);
        ret_starts[n++] = buffer->size;
        put(buffer, 0, 0, false, 2 * PAGE_SIZE);
        ret_starts[n++] = buffer->size;
        put(buffer, 0, 2 * PAGE_SIZE, true, PAGE_SIZE);
        ret_starts[n++] = buffer->size;
        put(buffer, 1, 0, true, 2 * PAGE_SIZE);
        ret_starts[n++] = buffer->size;
        put(buffer, 2, 0, true, 1000);
        ret_starts[n++] = buffer->size;
        put(buffer, 3, 0, true, 200);
        ret_starts[n++] = buffer->size;
        copy_put_end(buffer, head.id, &whole_end);
        assert_int_equal(buffer_error(buffer), 0);
        return n;
}

static void assert_whole(const CopyParser *parser, const Story *story) {
        assert_true(copy_parser_is_complete(parser));
        assert_int_equal(story->n_heads, 1);
        assert_int_equal(story->n_pieces, 5);
        assert_int_equal(story->n_ends, 1);
        assert_int_equal(story->n_bytes, whole_end.n_bytes);
        assert_memory_equal(&story->head, &head, sizeof(head));
        assert_memory_equal(&story->end, &whole_end, sizeof(whole_end));
}

TEST(a_copy_arrives_however_it_is_cut) {
        _cleanup_(buffer_done) Buffer buffer = {};
        size_t starts[8];

        (void) put_all(&buffer, starts);
        for (size_t step = 1; step < buffer.size; step = step * 3 / 2 + 1) {
                Story story = {};
                CopyParser parser;

                init(&parser, &story);
                for (size_t i = 0; i < buffer.size; i += step) {
                        assert_false(copy_parser_is_complete(&parser));
                        assert_int_equal(
                                        copy_parser_feed(
                                                        &parser, buffer.data + i,
                                                        MIN(step, buffer.size - i)),
                                        0);
                }
                assert_whole(&parser, &story);
                assert_int_equal(copy_parser_feed(&parser, "x", 1), -EBADMSG);
                copy_parser_done(&parser);
        }
}

/* A connection that brings the stream from frame I on, behind a head. */
static int connect_at(CopyParser *parser, const Buffer *buffer, const size_t *starts, size_t i) {
        int r;

        copy_parser_connect(parser);
        r = copy_parser_feed(parser, buffer->data, starts[1]);
        if (r < 0)
                return r;
        return copy_parser_feed(parser, buffer->data + starts[i], buffer->size - starts[i]);
}

TEST(a_copy_goes_on_at_any_byte) {
        _cleanup_(buffer_done) Buffer buffer = {};
        size_t starts[8], n;

        n = put_all(&buffer, starts);
        for (size_t cut = 0; cut < buffer.size; cut += 97) {
                CopyParser parser;
                Story story = {};
                size_t next = 1;

                init(&parser, &story);
                assert_int_equal(copy_parser_feed(&parser, buffer.data, cut), 0);
                while (next + 1 < n && starts[next + 1] <= cut)
                        next++;
                assert_int_equal(connect_at(&parser, &buffer, starts, next), 0);
                assert_whole(&parser, &story);
                copy_parser_done(&parser);
        }
}

TEST(a_piece_that_was_refused_comes_once_more) {
        _cleanup_(buffer_done) Buffer buffer = {};
        Story story = { .refuse_piece = -ENOSPC };
        CopyParser parser;
        size_t starts[8];

        (void) put_all(&buffer, starts);
        init(&parser, &story);
        assert_int_equal(copy_parser_feed(&parser, buffer.data, buffer.size), -ENOSPC);
        assert_int_equal(copy_parser_feed(&parser, buffer.data, buffer.size), -ENOSPC);
        assert_int_equal(copy_parser_position(&parser).offset, 0);
        story.refuse_piece = 0;
        assert_int_equal(connect_at(&parser, &buffer, starts, 1), 0);
        assert_whole(&parser, &story);
        copy_parser_done(&parser);
}

TEST(a_bit_that_is_flipped_is_noticed_wherever_it_is) {
        _cleanup_(buffer_done) Buffer buffer = {};
        size_t starts[8];

        (void) put_all(&buffer, starts);
        for (size_t i = 0; i < buffer.size * 8; i += 3) {
                Story story = {};
                CopyParser parser;

                init(&parser, &story);
                buffer.data[i / 8] ^= (uint8_t) (1 << i % 8);
                (void) copy_parser_feed(&parser, buffer.data, buffer.size);
                assert_false(copy_parser_is_complete(&parser));
                assert_int_equal(story.n_ends, 0);
                buffer.data[i / 8] ^= (uint8_t) (1 << i % 8);
                copy_parser_done(&parser);
        }
}

TEST(it_takes_no_more_memory_than_a_frame) {
        Buffer buffer = {};
        Story story = {};
        CopyParser parser;

        init(&parser, &story);
        copy_put_head(&buffer, &head);
        assert_int_equal(copy_parser_feed(&parser, buffer.data, buffer.size), 0);

        /* A piece that calls itself larger than any is refused by its beginning. */
        buffer_clear(&buffer);
        buffer_put_u32(&buffer, 2);
        buffer_put_u32(&buffer, 16 + COPY_PIECE_MAX + 1);
        buffer_put_u64(&buffer, head.id);
        assert_int_equal(copy_parser_feed(&parser, buffer.data, buffer.size), 0);
        assert_int_equal(copy_parser_feed(&parser, "x", 1), -EBADMSG);
        assert_true(parser.input.allocated < COPY_PIECE_MAX);
        copy_parser_done(&parser);
        buffer_done(&buffer);
}

/* Feeds a head and what is in the buffer, and empties it. */
static int feed(Buffer *buffer) {
        Buffer stream = {};
        Story story = {};
        CopyParser parser;
        int r;

        init(&parser, &story);
        copy_put_head(&stream, &head);
        buffer_put(&stream, buffer->data, buffer->size);
        r = copy_parser_feed(&parser, stream.data, stream.size);
        if (copy_parser_is_complete(&parser))
                r = 1;
        copy_parser_done(&parser);
        buffer_done(&stream);
        buffer_clear(buffer);
        return r;
}

static void put_databases(Buffer *buffer) {
        put(buffer, 0, 0, true, 3 * PAGE_SIZE);
        put(buffer, 1, 0, true, 2 * PAGE_SIZE);
}

TEST(pieces_fit_in_one_place_only) {
        Buffer buffer = {};

        put(&buffer, 0, PAGE_SIZE, false, PAGE_SIZE); /* not where it goes on */
        assert_int_equal(feed(&buffer), -EBADMSG);
        put(&buffer, 1, 0, true, 2 * PAGE_SIZE);
        assert_int_equal(feed(&buffer), -EBADMSG);
        put(&buffer, 0, 0, true, 4 * PAGE_SIZE); /* too long */
        assert_int_equal(feed(&buffer), -EBADMSG);
        put(&buffer, 0, 0, false, 3 * PAGE_SIZE); /* all of it, but not the last */
        assert_int_equal(feed(&buffer), -EBADMSG);
        put(&buffer, 0, 0, false, 100); /* no pages */
        assert_int_equal(feed(&buffer), -EBADMSG);
        put(&buffer, 0, 0, true, 0); /* nothing at all */
        assert_int_equal(feed(&buffer), -EBADMSG);
        copy_put_piece(&buffer, 1, (CopyPosition){}, false, content, PAGE_SIZE); /* another copy */
        assert_int_equal(feed(&buffer), -EBADMSG);
        copy_put_head(&buffer, &head); /* twice */
        assert_int_equal(feed(&buffer), -EBADMSG);
        put_databases(&buffer);
        put(&buffer, 2, 0, true, 0);
        assert_int_equal(feed(&buffer), -EBADMSG);

        put(&buffer, 0, 0, true, PAGE_SIZE); /* it has become shorter */
        assert_int_equal(feed(&buffer), 0);
        put(&buffer, 0, 0, false, PAGE_SIZE);
        put(&buffer, 0, PAGE_SIZE, true, 0);
        put(&buffer, 1, 0, false, PAGE_SIZE);
        assert_int_equal(feed(&buffer), 0);
        buffer_done(&buffer);
}

TEST(the_end_tells_what_there_is) {
        static const CopyEnd wrong[] = {
                { { 5, 200 }, 5 * PAGE_SIZE + 1000 + 200 }, /* another log is the last one */
                { { 7, 200 }, 5 * PAGE_SIZE + 1000 + 200 },
                { { 6, 201 }, 5 * PAGE_SIZE + 1000 + 200 }, /* it ends elsewhere */
                { { 6, 200 }, 5 * PAGE_SIZE + 1000 + 201 },
        };
        Buffer buffer = {};

        for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
                put_databases(&buffer);
                put(&buffer, 2, 0, true, 1000);
                put(&buffer, 3, 0, true, 200);
                copy_put_end(&buffer, head.id, &wrong[i]);
                assert_int_equal(feed(&buffer), -EBADMSG);
        }

        put_databases(&buffer); /* no log */
        copy_put_end(&buffer, head.id, &(CopyEnd){ { 4, 2 * PAGE_SIZE }, 5 * PAGE_SIZE });
        assert_int_equal(feed(&buffer), -EBADMSG);
        put_databases(&buffer); /* from behind its end */
        put(&buffer, 2, 0, true, 99);
        copy_put_end(&buffer, head.id, &(CopyEnd){ { 5, 99 }, 5 * PAGE_SIZE + 99 });
        assert_int_equal(feed(&buffer), -EBADMSG);
        put_databases(&buffer); /* in the middle of a file */
        put(&buffer, 2, 0, false, 1000);
        copy_put_end(&buffer, head.id, &(CopyEnd){ { 5, 1000 }, 5 * PAGE_SIZE + 1000 });
        assert_int_equal(feed(&buffer), -EBADMSG);

        put_databases(&buffer);
        put(&buffer, 2, 0, true, 1000);
        copy_put_end(&buffer, head.id, &(CopyEnd){ { 5, 1000 }, 5 * PAGE_SIZE + 1000 });
        assert_int_equal(feed(&buffer), 1);
        buffer_done(&buffer);
}

static int feed_head(const CopyHead *told) {
        Buffer buffer = {};
        Story story = {};
        CopyParser parser;
        int r;

        init(&parser, &story);
        copy_put_head(&buffer, told);
        r = copy_parser_feed(&parser, buffer.data, buffer.size);
        assert_int_equal(story.n_heads, r == 0);
        copy_parser_done(&parser);
        buffer_done(&buffer);
        return r;
}

TEST(a_head_makes_sense) {
        static const char *const bad_names[] = { "",         "../test.db", "test.mirror", ".db",
                                                 "lock",     "log.db.db",  "a/b.db",      "TEST.db",
                                                 "state.db", "test.db " };
        CopyHead told = head;

        assert_int_equal(feed_head(&told), 0);
        for (size_t i = 0; i < ELEMENTSOF(bad_names); i++) {
                told = head;
                (void) strcpy(told.databases[1].name, bad_names[i]);
                assert_int_equal(feed_head(&told), -EBADMSG);
        }

        told = head;
        told.databases[1].size = 0;
        assert_int_equal(feed_head(&told), -EBADMSG);
        told.databases[1].size = PAGE_SIZE + 1;
        assert_int_equal(feed_head(&told), -EBADMSG);
        told.databases[1].size = UINT64_C(1) << 60;
        assert_int_equal(feed_head(&told), -EBADMSG);
        told = head;
        told.n_databases = 0;
        assert_int_equal(feed_head(&told), -EBADMSG);
        told = head;
        told.begin.file = 0;
        assert_int_equal(feed_head(&told), -EBADMSG);
        told = head;
        told.format[0] = '\n';
        assert_int_equal(feed_head(&told), -EBADMSG);
        told.format[0] = '\0';
        assert_int_equal(feed_head(&told), -EBADMSG);
}

TEST(another_copy_is_not_the_same) {
        Buffer buffer = {};
        CopyHead other = head;
        Story story = {};
        CopyParser parser;

        init(&parser, &story);
        copy_put_head(&buffer, &head);
        assert_int_equal(copy_parser_feed(&parser, buffer.data, buffer.size), 0);
        copy_parser_connect(&parser);
        other.databases[1].size += PAGE_SIZE;
        buffer_clear(&buffer);
        copy_put_head(&buffer, &other);
        assert_int_equal(copy_parser_feed(&parser, buffer.data, buffer.size), -ESTALE);
        copy_parser_done(&parser);
        buffer_done(&buffer);
}

/* Changes a byte of a head, with the right checksum. */
static int feed_changed(size_t offset, uint8_t mask) {
        Buffer buffer = {};
        Story story = {};
        CopyParser parser;
        Checksum sum;
        int r;

        init(&parser, &story);
        copy_put_head(&buffer, &head);
        buffer.data[offset] ^= mask;
        sum = checksum_of(buffer.data, buffer.size - sizeof(sum));
        memcpy(buffer.data + buffer.size - sizeof(sum), &sum, sizeof(sum));
        r = copy_parser_feed(&parser, buffer.data, buffer.size);
        copy_parser_done(&parser);
        buffer_done(&buffer);
        return r;
}

TEST(other_versions_and_machines_are_told_apart) {
        assert_int_equal(feed_changed(16, 1), -EBADMSG);              /* the magic */
        assert_int_equal(feed_changed(16 + 9, 3), -EPROTONOSUPPORT);  /* its version */
        assert_int_equal(feed_changed(16 + 10, 5), -EPROTONOSUPPORT); /* the order of bytes */
        assert_int_equal(feed_changed(16 + 14, 1), -EPROTONOSUPPORT); /* the size of a page */
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_copy_arrives_however_it_is_cut),
                cmocka_unit_test(a_copy_goes_on_at_any_byte),
                cmocka_unit_test(a_piece_that_was_refused_comes_once_more),
                cmocka_unit_test(a_bit_that_is_flipped_is_noticed_wherever_it_is),
                cmocka_unit_test(it_takes_no_more_memory_than_a_frame),
                cmocka_unit_test(pieces_fit_in_one_place_only),
                cmocka_unit_test(the_end_tells_what_there_is),
                cmocka_unit_test(a_head_makes_sense),
                cmocka_unit_test(another_copy_is_not_the_same),
                cmocka_unit_test(other_versions_and_machines_are_told_apart),
        };

        for (size_t i = 0; i < sizeof(content); i++)
                content[i] = (uint8_t) (i * 7 + i / 256);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
