/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Receivers that have the secret and do not keep to what was agreed. */

#include "test.h"

#include <stdio.h>
#include <string.h>

#include "channel/raw.h"
#include "channel/world.h"

#define STAMP FRAME_STAMP_SIZE

static World *world;
static Raw raw;
static int listen_fd;
static Outcome outcomes[3];

/* A channel with three calls that were sent: 1, 2 and 3. */
static int setup(void **state) {
        Handshake answer = { .from = world_volume, .calls_max = 3, .bytes_max = 10000 };
        uint16_t port;

        world = world_new(&(WorldOptions){ .silence_usec = USEC_PER_MIN });
        port = world_port(world);
        world_deafen(world);
        listen_fd = way_listen(&port);
        for (unsigned i = 0; i < 3; i++)
                assert_ok(world_call(world, WORLD_ECHO, 100, (uint8_t) i, outcomes + i));
        raw_accept(&raw, listen_fd, &answer);
        for (unsigned i = 0; i < 4; i++) {
                FrameHeader header;

                assert_true(raw_receive(&raw, &header));
                assert_int_equal(header.type, i == 0 ? FRAME_OPEN : FRAME_CALL);
                assert_true(header.number == i);
        }
        return 0;
}

static int teardown(void **state) {
        raw_done(&raw);
        (void) close(listen_fd);
        world = world_free(world);
        for (unsigned i = 0; i < 3; i++)
                outcome_done(outcomes + i);
        return 0;
}

static void assert_broken(void) {
        FrameHeader header;

        assert_false(raw_receive(&raw, &header));
        for (unsigned i = 0; i < 3; i++)
                outcome_wait(outcomes + i);
}

/* One frame, which must not be believed. */
static void assert_refused(
                FrameType type, uint16_t code, uint64_t number, size_t length, int error) {
        (void) teardown(NULL);
        (void) setup(NULL);
        raw_send(&raw, type, code, number, length);
        assert_broken();
        for (unsigned i = 0; i < 3; i++) {
                outcome_assert_error(outcomes + i, error, false);
                assert_string_equal(
                                outcomes[i].reason, "what it sends is no channel that dkv knows");
        }
}

TEST(frames_that_no_receiver_sends_are_refused) {
        assert_refused(FRAME_OPEN, 0, 0, 0, -EPROTO);
        assert_refused(FRAME_CALL, 0, 1, STAMP, -EPROTO);
        assert_refused(FRAME_CANCEL, 0, 1, 0, -EPROTO);
        assert_refused(FRAME_PING, 0, 1, 0, -EPROTO);
        assert_refused(FRAME_CLOSE, 0, 1, FRAME_SENTENCE_MAX + 1, -EMSGSIZE);
        assert_refused(FRAME_ANSWER, 0, 0, STAMP, -EPROTO);
        assert_refused(FRAME_ANSWER, 0, 4, STAMP, -EPROTO); /* to a call that was not made */
        assert_refused(FRAME_ANSWER, 0, 1, STAMP - 1, -EPROTO);
        assert_refused(FRAME_ANSWER, 0, 1, STAMP + WORLD_BODY_MAX + 1, -EMSGSIZE);
        assert_refused(FRAME_ANSWER, 4096, 1, STAMP, -EPROTO); /* no errno */
        assert_refused(FRAME_ANSWER, 1, 1, STAMP + FRAME_SENTENCE_MAX + 1, -EMSGSIZE);
}

TEST(a_second_answer_is_refused) {
        raw_send(&raw, FRAME_ANSWER, 0, 2, STAMP);
        raw_send(&raw, FRAME_ANSWER, 0, 2, STAMP);
        assert_broken();
        assert_int_equal(outcomes[1].error, 0);
        outcome_assert_error(outcomes, -EPROTO, false);
        outcome_assert_error(outcomes + 2, -EPROTO, false);
}

TEST(an_answer_to_a_call_that_waits_for_credit_is_refused) {
        Outcome fourth;

        assert_ok(world_call(world, WORLD_ECHO, 100, 4, &fourth));
        raw_send(&raw, FRAME_ANSWER, 0, 4, STAMP);
        assert_broken();
        outcome_wait(&fourth);
        outcome_assert_error(&fourth, -EPROTO, true);
        outcome_done(&fourth);
}

TEST(an_altered_answer_is_refused) {
        RawFrame frame = raw_make(&raw, FRAME_ANSWER, 0, 1, STAMP + 10);

        frame.data[FRAME_HEADER_SIZE + STAMP] ^= 1;
        raw_send_bytes(&raw, frame.data, frame.size);
        free(frame.data);
        assert_broken();
        outcome_assert_error(outcomes, -EBADMSG, false);
        assert_string_equal(outcomes[0].reason, "what came from it was altered on its way");
}

TEST(a_call_beyond_the_last_that_was_looked_at_may_be_made_again) {
        raw_send(&raw, FRAME_CLOSE, 0, 1, 0);
        for (unsigned i = 1; i < 3; i++) {
                outcome_wait(outcomes + i);
                assert_int_equal(outcomes[i].error, -ESHUTDOWN);
                assert_true(outcomes[i].is_unsent);
        }
        assert_int_equal(outcomes[0].n, 0);
        raw_send(&raw, FRAME_ANSWER, 0, 1, STAMP);
        assert_broken();
        assert_int_equal(outcomes[0].error, 0);
}

TEST(answers_behind_the_end_are_for_nobody) {
        raw_send(&raw, FRAME_CLOSE, 0, 1, 0);
        raw_send(&raw, FRAME_ANSWER, 0, 2, STAMP); /* though it was said not to be looked at */
        raw_send(&raw, FRAME_CLOSE, 0, 3, 0);
        raw_send(&raw, FRAME_ANSWER, 0, 1, STAMP);
        assert_broken();
        outcome_wait(outcomes + 1);
        assert_true(outcomes[1].is_unsent);
}

/* A sentence may hold anything. */
TEST(control_characters_of_a_sentence_are_blanks) {
        raw_send(&raw, FRAME_ANSWER, EDOM, 1, STAMP + 5);
        outcome_wait(outcomes);
        assert_int_equal(outcomes[0].error, -EDOM);
        assert_string_equal(outcomes[0].reason, "     ");
}

TEST(an_answer_that_crosses_the_end_of_its_call_is_for_nobody) {
        FrameHeader header;
        Outcome fourth;

        assert_ok(world_cancel(world, outcomes));
        assert_true(raw_receive(&raw, &header));
        assert_true(header.type == FRAME_CANCEL && header.number == 1);
        raw_send(&raw, FRAME_ANSWER, 0, 1, STAMP);
        outcome_assert_error(outcomes, -ECANCELED, false);

        /* With its answer, its place is free. */
        assert_ok(world_call(world, WORLD_ECHO, 100, 4, &fourth));
        assert_true(raw_receive(&raw, &header));
        assert_true(header.type == FRAME_CALL && header.number == 4);
        raw_send(&raw, FRAME_ANSWER, 0, 4, STAMP);
        outcome_wait(&fourth);
        assert_int_equal(fourth.error, 0);
        outcome_done(&fourth);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(frames_that_no_receiver_sends_are_refused),
                RUN(a_second_answer_is_refused),
                RUN(an_answer_to_a_call_that_waits_for_credit_is_refused),
                RUN(an_altered_answer_is_refused),
                RUN(a_call_beyond_the_last_that_was_looked_at_may_be_made_again),
                RUN(answers_behind_the_end_are_for_nobody),
                RUN(control_characters_of_a_sentence_are_blanks),
                RUN(an_answer_that_crosses_the_end_of_its_call_is_for_nobody),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
