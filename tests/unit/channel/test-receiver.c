/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Callers that have the secret and do not keep to what was agreed. */

#include "test.h"

#include <string.h>
#include <sys/socket.h>

#include "channel/raw.h"
#include "channel/world.h"

static World *world;
static Raw raw;

static void begin(uint64_t silence_usec) {
        world = world_new(&(WorldOptions){
                        .calls_max = 4,
                        .bytes_max = 4000,
                        .silence_usec = silence_usec,
        });
        raw_dial(&raw, world_port(world));
}

static int setup(void **state) {
        begin(USEC_PER_MIN);
        return 0;
}

/* Who is silent is soon given up. */
static int setup_impatient(void **state) {
        begin(750 * USEC_PER_MSEC);
        return 0;
}

static int teardown(void **state) {
        raw_done(&raw);
        world = world_free(world);
        return 0;
}

static void assert_broken(void) {
        FrameHeader header;

        while (raw_receive(&raw, &header))
                assert_int_equal(header.type, FRAME_ANSWER);
        while (world_receiver_counters(world)->broken == 0)
                (void) usleep(1000);
}

static void assert_answer(uint64_t number, uint16_t code) {
        FrameHeader header;

        assert_true(raw_receive(&raw, &header));
        assert_int_equal(header.type, FRAME_ANSWER);
        assert_true(header.number == number);
        assert_int_equal(header.code, code);
}

#define STAMP FRAME_STAMP_SIZE

TEST(a_caller_that_keeps_to_it_is_answered) {
        raw_send(&raw, FRAME_OPEN, 0, 0, 0);
        for (uint64_t number = 1; number < 100; number++) {
                raw_send(&raw, FRAME_CALL, WORLD_ECHO, number * number, STAMP + number);
                assert_answer(number * number, 0);
        }
}

TEST(a_ping_is_answered) {
        FrameHeader header;

        raw_send(&raw, FRAME_OPEN, 0, 0, 0);
        raw_send(&raw, FRAME_PING, 0, 0, 0);
        assert_true(raw_receive(&raw, &header));
        assert_int_equal(header.type, FRAME_PONG);
}

/* One frame behind FRAME_OPEN, or instead of it: to cancel nothing is then as good as silence. */
static void assert_refused(
                bool is_open, FrameType type, uint16_t code, uint64_t number, size_t length) {
        (void) teardown(NULL);
        (void) (is_open ? setup : setup_impatient)(NULL);
        if (is_open) {
                raw_send(&raw, FRAME_OPEN, 0, 0, 0);
                raw_send(&raw, FRAME_CALL, WORLD_ECHO, 5, STAMP);
                assert_answer(5, 0);
        }
        raw_send(&raw, type, code, number, length);
        assert_broken();
        assert_int_equal(world_received(world), is_open);
}

TEST(nothing_is_taken_from_who_has_not_shown_the_keys) {
        assert_refused(false, FRAME_CALL, WORLD_ECHO, 1, STAMP);
        assert_refused(false, FRAME_CANCEL, 0, 0, 0);
        assert_refused(false, FRAME_ANSWER, 0, 1, STAMP);
        assert_refused(false, FRAME_OPEN, 0, 0, 1);
}

TEST(frames_that_no_caller_sends_are_refused) {
        assert_refused(true, FRAME_OPEN, 0, 0, 0);
        assert_refused(true, FRAME_ANSWER, 0, 5, STAMP);
        assert_refused(true, FRAME_CLOSE, 0, 5, 0);
        assert_refused(true, FRAME_PING, 1, 0, 0);
        assert_refused(true, FRAME_PONG, 0, 1, 0);
        assert_refused(true, FRAME_PING, 0, 0, 1);
        assert_refused(true, FRAME_CALL, WORLD_ECHO, 5, STAMP);     /* as before */
        assert_refused(true, FRAME_CALL, WORLD_ECHO, 4, STAMP);     /* or even less */
        assert_refused(true, FRAME_CALL, WORLD_ECHO, 6, STAMP - 1); /* too short */
        assert_refused(true, FRAME_CALL, WORLD_ECHO, 6, 4001);      /* more than is taken */
        assert_refused(true, FRAME_CALL, WORLD_UNKNOWN, 6, 4001);   /* likewise */
        assert_refused(true, FRAME_CALL, WORLD_LONG, 6,
                       STAMP + 1025);                /* more than its kind allows */
        assert_refused(true, FRAME_CANCEL, 0, 6, 0); /* of a call to come */
        assert_refused(true, FRAME_CANCEL, 0, 5, 1);
}

TEST(a_header_that_makes_no_sense_is_refused) {
        RawFrame frame;

        raw_send(&raw, FRAME_OPEN, 0, 0, 0);
        frame = raw_make(&raw, FRAME_CALL, WORLD_ECHO, 1, STAMP);
        frame.data[4] = 77;
        raw_send_bytes(&raw, frame.data, frame.size);
        free(frame.data);
        assert_broken();
}

TEST(more_calls_than_were_granted_are_refused) {
        raw_send(&raw, FRAME_OPEN, 0, 0, 0);
        for (uint64_t number = 1; number <= 5; number++)
                raw_send(&raw, FRAME_CALL, WORLD_HOLD, number, STAMP);
        assert_broken();
        assert_int_equal(world_received(world), 4);
        world_wait_held(world, 4);
        world_wait_abandoned(world, 4); /* soon after the end of the connection */
}

TEST(more_bytes_than_were_granted_are_refused) {
        raw_send(&raw, FRAME_OPEN, 0, 0, 0);
        raw_send(&raw, FRAME_CALL, WORLD_HOLD, 1, 2000);
        raw_send(&raw, FRAME_CALL, WORLD_HOLD, 2, 2001);
        assert_broken();
        assert_int_equal(world_received(world), 1);
}

TEST(a_cancelled_call_is_known_to_be_so) {
        raw_send(&raw, FRAME_OPEN, 0, 0, 0);
        raw_send(&raw, FRAME_CALL, WORLD_HOLD, 1, STAMP);
        raw_send(&raw, FRAME_CANCEL, 0, 1, 0);
        raw_send(&raw, FRAME_CANCEL, 0, 1, 0); /* harmless */
        raw_send(&raw, FRAME_CALL, WORLD_ECHO, 2, STAMP);
        assert_answer(2, 0);
        assert_int_equal(world_abandoned(world), 1);
        world_release(world);
        assert_answer(1, 0);
        raw_send(&raw, FRAME_CANCEL, 0, 1, 0); /* it crossed the answer */
        raw_send(&raw, FRAME_CALL, WORLD_ECHO, 3, STAMP);
        assert_answer(3, 0);
}

/* Frames 1 to 3 in the order of ORDER, as digits. Only what comes up to the first mistake counts.
 */
static void assert_taken(const char *order, unsigned n_taken) {
        RawFrame frames[3];

        (void) teardown(NULL);
        (void) setup(NULL);
        raw_send(&raw, FRAME_OPEN, 0, 0, 0);
        for (unsigned i = 0; i < 3; i++)
                frames[i] = raw_make(&raw, FRAME_CALL, WORLD_HOLD, i + 1, STAMP + 10);
        for (const char *digit = order; *digit; digit++)
                raw_send_bytes(&raw, frames[*digit - '1'].data, frames[*digit - '1'].size);
        for (unsigned i = 0; i < 3; i++)
                free(frames[i].data);
        assert_broken();
        assert_int_equal(world_received(world), n_taken);
}

TEST(frames_that_are_replayed_swapped_or_missing_break_the_connection) {
        assert_taken("11", 1);
        assert_taken("21", 0);
        assert_taken("132", 1);
        assert_taken("13", 1);
        assert_taken("1232", 3);
        assert_taken("1231", 3);
}

TEST(frames_of_another_connection_are_worth_nothing) {
        RawFrame frame;
        Raw other;

        raw_send(&raw, FRAME_OPEN, 0, 0, 0);
        raw_dial(&other, world_port(world));
        raw_send(&other, FRAME_OPEN, 0, 0, 0);
        frame = raw_make(&other, FRAME_CALL, WORLD_ECHO, 1, STAMP);
        raw_send_bytes(&raw, frame.data, frame.size);
        free(frame.data);
        assert_broken();
        assert_int_equal(world_received(world), 0);
        raw_done(&other);
}

TEST(who_does_not_show_the_keys_is_given_up) {
        assert_broken();
}

TEST(who_is_silent_while_nothing_is_under_way_stays) {
        raw_send(&raw, FRAME_OPEN, 0, 0, 0);
        raw_send(&raw, FRAME_CALL, WORLD_ECHO, 1, STAMP);
        assert_answer(1, 0);
        (void) usleep(1500 * 1000);
        raw_send(&raw, FRAME_CALL, WORLD_ECHO, 2, STAMP);
        assert_answer(2, 0);
}

TEST(calls_behind_the_end_are_not_looked_at) {
        FrameHeader header;

        raw_send(&raw, FRAME_OPEN, 0, 0, 0);
        raw_send(&raw, FRAME_CALL, WORLD_HOLD, 1, STAMP);
        world_wait_held(world, 1);
        world_close(world, "This daemon is being stopped.");
        assert_true(raw_receive(&raw, &header));
        assert_true(header.type == FRAME_CLOSE && header.number == 1);
        raw_send(&raw, FRAME_CALL, WORLD_ECHO, 2, STAMP);
        raw_send(&raw, FRAME_CANCEL, 0, 2, 0);
        world_release(world);
        assert_answer(1, 0);
        assert_false(raw_receive(&raw, &header));
        assert_int_equal(world_received(world), 1);
}

TEST(half_a_call_is_no_call) {
        RawFrame frame;

        raw_send(&raw, FRAME_OPEN, 0, 0, 0);
        frame = raw_make(&raw, FRAME_CALL, WORLD_ECHO, 1, STAMP + 100);
        raw_send_bytes(&raw, frame.data, frame.size - 1);
        assert_ok(shutdown(raw.fd, SHUT_WR));
        free(frame.data);
        assert_broken();
        assert_int_equal(world_received(world), 0);
}

/* What was answered stays a part of what is under way until it is read: a caller that does not read
 * cannot make the receiver keep more for it than was granted. */
TEST(who_does_not_read_answers_gets_no_more_of_them) {
        int size = 4096;

        (void) teardown(NULL);
        world = world_new(&(WorldOptions){ .calls_max = 8, .silence_usec = 750 * USEC_PER_MSEC });
        raw_dial(&raw, world_port(world));
        assert_ok(setsockopt(raw.fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)));
        raw_send(&raw, FRAME_OPEN, 0, 0, 0);
        for (uint64_t number = 1; number < 200; number++)
                raw_send(&raw, FRAME_CALL, WORLD_ECHO, number, WORLD_BODY_MAX);
        while (world_receiver_counters(world)->broken == 0)
                (void) usleep(1000);
        assert_in_range(world_received(world), 8, 100); /* what the system buffers, and 8 */
}

int main(void) {
#define RUN(test)           cmocka_unit_test_setup_teardown(test, setup, teardown)
#define RUN_IMPATIENT(test) cmocka_unit_test_setup_teardown(test, setup_impatient, teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_caller_that_keeps_to_it_is_answered),
                RUN(a_ping_is_answered),
                RUN(nothing_is_taken_from_who_has_not_shown_the_keys),
                RUN(frames_that_no_caller_sends_are_refused),
                RUN(a_header_that_makes_no_sense_is_refused),
                RUN(more_calls_than_were_granted_are_refused),
                RUN(more_bytes_than_were_granted_are_refused),
                RUN(a_cancelled_call_is_known_to_be_so),
                RUN(frames_that_are_replayed_swapped_or_missing_break_the_connection),
                RUN(frames_of_another_connection_are_worth_nothing),
                RUN_IMPATIENT(who_does_not_show_the_keys_is_given_up),
                RUN_IMPATIENT(who_is_silent_while_nothing_is_under_way_stays),
                RUN(calls_behind_the_end_are_not_looked_at),
                RUN(half_a_call_is_no_call),
                RUN(who_does_not_read_answers_gets_no_more_of_them),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
