/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "base/macro.h"
#include "channel/session.h"

/* The keys of test-handshake.c; the tags were computed by tests/integration/support/channel.py. */
static const char open_tag[] = "8b5af5c03d504a4013a7fc508427877d";
static const char call_tag[] = "2b1e53d6c1c5aa22cf17579c912f821d";
static const char answer_tag[] = "0f4d3414ce077b7d2d576f1ebb775421";

static Session *caller, *receiver;

static int setup(void **state) {
        SessionKeys keys;

        assert_ok(parse_hex("69b326f09f7d692b95fbed0c85fae9df", 32, keys.caller, 16));
        assert_ok(parse_hex("9ae82b0392d317eeafde027df35c4c4b", 32, keys.receiver, 16));
        assert_ok(session_new_caller(&keys, &caller));
        return session_new_receiver(&keys, &receiver);
}

static int teardown(void **state) {
        caller = session_free(caller);
        receiver = session_free(receiver);
        return 0;
}

/* A frame, and where its parts lie. */
typedef struct Sealed {
        uint8_t data[256];
        size_t size;
        Frame frame;
} Sealed;

static void seal(Session *session, const FrameHeader *header, const char *body, Sealed *ret) {
        size_t head_size = FRAME_HEADER_SIZE;

        *ret = (Sealed){};
        frame_header_encode(header, ret->data);
        if (header->length >= FRAME_STAMP_SIZE)
                head_size += FRAME_STAMP_SIZE;
        memcpy(ret->data + head_size, body, strlen(body));
        ret->size = FRAME_HEADER_SIZE + header->length;
        assert_int_equal(ret->size, head_size + strlen(body));
        assert_ok(
                        session_seal(session, ret->data, head_size, ret->data + head_size,
                                     strlen(body), ret->data + ret->size));
        ret->frame = (Frame){
                .header = *header,
                .head = ret->data,
                .payload = ret->data + FRAME_HEADER_SIZE,
                .tag = ret->data + ret->size,
        };
        ret->size += FRAME_TAG_SIZE;
}

static void assert_tag(const Sealed *sealed, const char *expected) {
        char hex[2 * FRAME_TAG_SIZE + 1] = "";

        format_hex(sealed->frame.tag, FRAME_TAG_SIZE, hex);
        assert_string_equal(hex, expected);
}

TEST(tags_are_those_that_were_computed_elsewhere) {
        FrameStamp stamp = { .lead = { .term = 3, .leader = 4 }, .sequence = 5, .revision = 6 };
        const char *body = "a body that is no multiple of sixteen";
        uint8_t head[FRAME_HEADER_SIZE + FRAME_STAMP_SIZE], tag[FRAME_TAG_SIZE];
        char hex[2 * FRAME_TAG_SIZE + 1] = "";
        FrameHeader header = { .length = 85, .type = FRAME_CALL, .code = 2, .number = 1 };
        Sealed sealed;

        seal(caller, &(FrameHeader){ .type = FRAME_OPEN }, "", &sealed);
        assert_tag(&sealed, open_tag);

        for (uint8_t i = 0; i < CLUSTER_ID_SIZE; i++)
                stamp.lead.cluster[i] = i;
        frame_header_encode(&header, head);
        frame_stamp_encode(&stamp, head + FRAME_HEADER_SIZE);
        assert_ok(session_seal(caller, head, sizeof(head), body, strlen(body), tag));
        format_hex(tag, sizeof(tag), hex);
        assert_string_equal(hex, call_tag);

        seal(receiver, &(FrameHeader){ .length = 48, .type = FRAME_ANSWER, .number = 1 }, "",
             &sealed);
        assert_tag(&sealed, answer_tag);
}

static void seal_number(uint64_t number, Sealed *ret) {
        seal(caller, &(FrameHeader){ .length = 5, .type = FRAME_CALL, .number = number }, "hello",
             ret);
}

TEST(frames_in_their_order_are_right) {
        for (uint64_t i = 0; i < 1000; i++) {
                Sealed sealed;

                seal_number(i, &sealed);
                assert_ok(session_check(receiver, &sealed.frame));
                seal(receiver, &(FrameHeader){ .type = FRAME_PONG }, "", &sealed);
                assert_ok(session_check(caller, &sealed.frame));
        }
}

TEST(a_frame_that_comes_again_is_wrong) {
        Sealed sealed;

        seal_number(1, &sealed);
        assert_ok(session_check(receiver, &sealed.frame));
        assert_int_equal(session_check(receiver, &sealed.frame), -EBADMSG);
}

TEST(a_frame_in_the_place_of_another_is_wrong) {
        Sealed first, second;

        seal_number(1, &first);
        seal_number(2, &second);
        assert_int_equal(session_check(receiver, &second.frame), -EBADMSG);
}

TEST(a_frame_behind_one_that_was_left_out_is_wrong) {
        Sealed sealed;

        seal_number(1, &sealed);
        assert_ok(session_check(receiver, &sealed.frame));
        seal_number(2, &sealed);
        seal_number(3, &sealed);
        assert_int_equal(session_check(receiver, &sealed.frame), -EBADMSG);
}

TEST(a_frame_that_comes_back_to_its_sender_is_wrong) {
        Sealed sealed;

        seal_number(1, &sealed);
        assert_int_equal(session_check(caller, &sealed.frame), -EBADMSG);
}

TEST(each_bit_counts) {
        size_t size;
        Sealed sealed;

        seal_number(1, &sealed);
        size = sealed.size;
        for (size_t bit = 0; bit < 8 * size; bit++) {
                (void) teardown(NULL);
                assert_ok(setup(NULL));
                seal_number(1, &sealed);
                sealed.data[bit / 8] ^= (uint8_t) (1 << bit % 8);
                assert_int_equal(session_check(receiver, &sealed.frame), -EBADMSG);
        }
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(tags_are_those_that_were_computed_elsewhere),
                RUN(frames_in_their_order_are_right),
                RUN(a_frame_that_comes_again_is_wrong),
                RUN(a_frame_in_the_place_of_another_is_wrong),
                RUN(a_frame_behind_one_that_was_left_out_is_wrong),
                RUN(a_frame_that_comes_back_to_its_sender_is_wrong),
                RUN(each_bit_counts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
