/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "base/macro.h"
#include "channel/frame.h"

#define PAYLOAD_MAX 100

static FrameParser parser;

static int64_t limit(const FrameHeader *header, void *userdata) {
        return header->code == 99 ? -EBADSLT : PAYLOAD_MAX;
}

static int setup(void **state) {
        frame_parser_init(&parser, limit, NULL);
        return 0;
}

static int teardown(void **state) {
        frame_parser_done(&parser);
        return 0;
}

/* Puts a frame to DATA with a payload of the bytes 0, 1, … and a tag of 0xff. Returns its size. */
static size_t make(uint8_t *data, FrameType type, uint16_t code, uint64_t number, uint32_t length) {
        frame_header_encode(&(FrameHeader){ length, type, code, number }, data);
        data += FRAME_HEADER_SIZE;
        for (uint32_t i = 0; i < length; i++)
                *data++ = (uint8_t) i;
        memset(data, 0xff, FRAME_TAG_SIZE);
        return FRAME_HEADER_SIZE + length + FRAME_TAG_SIZE;
}

static void assert_frame(const Frame *frame, uint32_t length) {
        assert_int_equal(frame->header.length, length);
        for (uint32_t i = 0; i < length; i++)
                assert_int_equal(frame->payload[i], (uint8_t) i);
        for (size_t i = 0; i < FRAME_TAG_SIZE; i++)
                assert_int_equal(frame->tag[i], 0xff);
}

TEST(a_header_is_what_ARCHITECTURE_says) {
        static const uint8_t expected[] = { 0x04, 0x03, 0x02, 0x01, 0x02, 0x00, 0x06, 0x05,
                                            0x0e, 0x0d, 0x0c, 0x0b, 0x0a, 0x09, 0x08, 0x07 };
        const FrameHeader header = { 0x01020304, FRAME_CALL, 0x0506, 0x0708090a0b0c0d0e };
        uint8_t data[FRAME_HEADER_SIZE];
        FrameHeader back;

        frame_header_encode(&header, data);
        assert_memory_equal(data, expected, sizeof(data));
        assert_ok(frame_header_decode(data, &back));
        assert_int_equal(back.length, header.length);
        assert_int_equal(back.type, header.type);
        assert_int_equal(back.code, header.code);
        assert_true(back.number == header.number);
}

TEST(a_type_that_there_is_not_is_refused) {
        uint8_t data[FRAME_HEADER_SIZE];
        FrameHeader header;

        for (unsigned type = 0; type < 256; type++) {
                frame_header_encode(&(FrameHeader){ .type = FRAME_OPEN }, data);
                data[4] = (uint8_t) type;
                assert_int_equal(
                                frame_header_decode(data, &header),
                                type >= FRAME_OPEN && type <= FRAME_CLOSE ? 0 : -EPROTO);
        }
}

TEST(a_zero_that_is_none_is_refused) {
        uint8_t data[FRAME_HEADER_SIZE];
        FrameHeader header;

        frame_header_encode(&(FrameHeader){ .type = FRAME_OPEN }, data);
        data[5] = 1;
        assert_int_equal(frame_header_decode(data, &header), -EPROTO);
}

TEST(a_stamp_comes_back) {
        FrameStamp stamp = {
                .lead = { .cluster = { 1, 2, 3, [15] = 16 }, .term = UINT64_MAX - 1, .leader = 2 },
                .sequence = 0x0102030405060708,
                .revision = 9,
        };
        uint8_t data[FRAME_STAMP_SIZE];
        FrameStamp back;

        frame_stamp_encode(&stamp, data);
        frame_stamp_decode(data, &back);
        assert_true(leadership_equal(&back.lead, &stamp.lead));
        assert_true(back.sequence == stamp.sequence);
        assert_true(back.revision == stamp.revision);
}

/* Feeds all in pieces. Returns how many frames there were; each is the next larger one. */
static uint32_t feed(const uint8_t *data, size_t size, size_t piece) {
        uint32_t n = 0;

        for (size_t begin = 0; begin < size; begin += piece) {
                size_t end = MIN(begin + piece, size), i = begin;

                while (i < end) {
                        bool is_complete;
                        Frame frame;
                        ssize_t r;

                        r = frame_parser_feed(&parser, data + i, end - i, &frame, &is_complete);
                        assert_true(r > 0);
                        i += (size_t) r;
                        assert_true(is_complete || i == end);
                        if (is_complete)
                                assert_frame(&frame, n++);
                }
        }

        return n;
}

TEST(frames_do_not_depend_on_how_they_are_cut) {
        uint8_t data[40 * (FRAME_HEADER_SIZE + 40 + FRAME_TAG_SIZE)];
        size_t size = 0;

        for (uint32_t i = 0; i < 40; i++)
                size += make(data + size, FRAME_CALL, 0, i, i);
        for (size_t piece = 1; piece <= size; piece++)
                assert_int_equal(feed(data, size, piece), 40);
}

/* Feeds the last byte of a frame. Returns the length of its payload. */
static uint32_t feed_last(const uint8_t *data) {
        bool is_complete;
        Frame frame;

        assert_int_equal(frame_parser_feed(&parser, data, 1, &frame, &is_complete), 1);
        assert_true(is_complete);
        return frame.header.length;
}

TEST(it_is_known_whether_a_frame_is_cut_off) {
        uint8_t data[FRAME_HEADER_SIZE + 5 + FRAME_TAG_SIZE];
        size_t size = make(data, FRAME_CALL, 0, 1, 5);

        assert_false(frame_parser_is_inside(&parser));
        for (size_t i = 0; i < size - 1; i++) {
                assert_int_equal(feed(data + i, 1, 1), 0);
                assert_true(frame_parser_is_inside(&parser));
        }
        assert_int_equal(feed_last(data + size - 1), 5);
        assert_false(frame_parser_is_inside(&parser));
}

TEST(a_payload_beyond_its_limit_is_refused_before_it_is_there) {
        uint8_t data[FRAME_HEADER_SIZE];
        bool is_complete;
        Frame frame;

        (void) frame_header_encode(&(FrameHeader){ PAYLOAD_MAX + 1, FRAME_CALL, 0, 1 }, data);
        assert_int_equal(
                        frame_parser_feed(&parser, data, sizeof(data), &frame, &is_complete),
                        -EMSGSIZE);
        assert_int_equal(frame_parser_feed(&parser, data, 1, &frame, &is_complete), -EMSGSIZE);
}

TEST(who_knows_the_limits_may_refuse_a_frame) {
        uint8_t data[FRAME_HEADER_SIZE];
        bool is_complete;
        Frame frame;

        frame_header_encode(&(FrameHeader){ 0, FRAME_CALL, 99, 1 }, data);
        assert_int_equal(
                        frame_parser_feed(&parser, data, sizeof(data), &frame, &is_complete),
                        -EBADSLT);
}

static void feed_frame(const uint8_t *data, size_t size, size_t cut, Frame *ret) {
        bool is_complete;

        if (cut > 0)
                assert_int_equal(frame_parser_feed(&parser, data, cut, ret, &is_complete), cut);
        assert_int_equal(
                        frame_parser_feed(&parser, data + cut, size - cut, ret, &is_complete),
                        size - cut);
        assert_true(is_complete);
}

TEST(a_payload_may_be_taken_however_it_came) {
        static const size_t cuts[] = { 0, 1, FRAME_HEADER_SIZE, FRAME_HEADER_SIZE + 3 };
        uint8_t data[FRAME_HEADER_SIZE + 5 + FRAME_TAG_SIZE];
        size_t size = make(data, FRAME_CALL, 0, 1, 5);

        for (size_t i = 0; i < ELEMENTSOF(cuts); i++) {
                _cleanup_free_ void *taken = NULL;
                Frame frame;

                feed_frame(data, size, cuts[i], &frame);
                taken = frame_parser_take(&parser, &frame);
                feed_frame(data, size, cuts[i], &frame);
                assert_memory_equal(taken, data + FRAME_HEADER_SIZE, 5);
        }
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_header_is_what_ARCHITECTURE_says),
                RUN(a_type_that_there_is_not_is_refused),
                RUN(a_zero_that_is_none_is_refused),
                RUN(a_stamp_comes_back),
                RUN(frames_do_not_depend_on_how_they_are_cut),
                RUN(it_is_known_whether_a_frame_is_cut_off),
                RUN(a_payload_beyond_its_limit_is_refused_before_it_is_there),
                RUN(who_knows_the_limits_may_refuse_a_frame),
                RUN(a_payload_may_be_taken_however_it_came),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
