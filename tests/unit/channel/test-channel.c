/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "channel/world.h"

static World *world;

static int teardown(void **state) {
        world = world_free(world);
        return 0;
}

static void begin(const WorldOptions *options) {
        world = world_new(options);
}

TEST(a_call_is_answered) {
        static const size_t sizes[] = { 0, 1, 15, 16, 17, 4096, 8192, WORLD_BODY_MAX };
        Outcome outcome;

        begin(&(WorldOptions){});
        for (uint8_t i = 0; i < ELEMENTSOF(sizes); i++) {
                assert_ok(world_call(world, WORLD_ECHO, sizes[i], i, &outcome));
                outcome_wait(&outcome);
                outcome_assert_echo(&outcome, sizes[i], i);
                outcome_done(&outcome);
        }
        assert_int_equal(channel_counters(world_channel(world))->opened, 1);
}

static int get_option(int fd, int level, int name) {
        socklen_t size = sizeof(int);
        int value = 0;

        return getsockopt(fd, level, name, &value, &size) < 0 ? -1 : value;
}

/* Or a firewall may forget a connection that both sides believe in. */
TEST(both_sides_have_an_idle_connection_looked_after) {
        unsigned n = 0;
        Outcome outcome;

        begin(&(WorldOptions){});
        assert_ok(world_call(world, WORLD_ECHO, 10, 1, &outcome));
        outcome_wait(&outcome);
        outcome_done(&outcome);

        for (int fd = 0; fd < 1024; fd++) {
                if (get_option(fd, SOL_SOCKET, SO_KEEPALIVE) != 1)
                        continue;
                assert_int_equal(get_option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 60);
                assert_int_equal(get_option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 10);
                assert_int_equal(get_option(fd, IPPROTO_TCP, TCP_KEEPCNT), 3);
                n++;
        }
        assert_int_equal(n, 2);
}

#define MANY 500

static Outcome many[MANY];

TEST(many_calls_are_under_way_at_a_time_and_each_gets_its_own_answer) {
        begin(&(WorldOptions){});
        for (unsigned i = 0; i < MANY; i++)
                assert_ok(
                                world_call(world, i % 3 == 0 ? WORLD_THREAD : WORLD_ECHO, i * 7,
                                           (uint8_t) i, many + i));
        for (unsigned i = 0; i < MANY; i++) {
                outcome_wait(many + i);
                outcome_assert_echo(many + i, i * 7, (uint8_t) i);
                outcome_done(many + i);
        }
}

TEST(answers_come_in_any_order) {
        Outcome first, second;

        begin(&(WorldOptions){});
        assert_ok(world_call(world, WORLD_HOLD, 10, 1, &first));
        assert_ok(world_call(world, WORLD_ECHO, 20, 2, &second));
        outcome_wait(&second);
        assert_int_equal(first.n, 0);
        world_wait_held(world, 1);
        world_release(world);
        outcome_wait(&first);
        outcome_assert_echo(&first, 10, 1);
        outcome_assert_echo(&second, 20, 2);
        outcome_done(&first);
        outcome_done(&second);
}

TEST(what_has_no_credit_waits_in_its_order) {
        begin(&(WorldOptions){ .calls_max = 3 });
        for (unsigned i = 0; i < 8; i++)
                assert_ok(world_call(world, WORLD_HOLD, 10, (uint8_t) i, many + i));
        world_wait_held(world, 3);
        assert_int_equal(world_received(world), 3);
        world_release(world);
        world_wait_held(world, 3);
        for (unsigned i = 0; i < 3; i++)
                outcome_wait(many + i);
        assert_int_equal(world_received(world), 6);
        world_release(world);
        world_wait_held(world, 2);
        world_release(world);
        for (unsigned i = 3; i < 8; i++)
                outcome_wait(many + i);
        for (unsigned i = 0; i < 8; i++) {
                outcome_assert_echo(many + i, 10, (uint8_t) i);
                outcome_done(many + i);
        }
}

TEST(bytes_are_credit_as_well) {
        begin(&(WorldOptions){ .bytes_max = 1000 });
        for (unsigned i = 0; i < 4; i++)
                assert_ok(world_call(world, WORLD_HOLD, 400, (uint8_t) i, many + i));
        for (unsigned n = 2; n <= 4; n += 2) {
                world_wait_held(world, 2);
                assert_int_equal(world_received(world), n);
                world_release(world);
        }
        for (unsigned i = 0; i < 4; i++) {
                outcome_wait(many + i);
                outcome_assert_echo(many + i, 400, (uint8_t) i);
                outcome_done(many + i);
        }
}

TEST(a_call_larger_than_what_is_taken_at_all_is_refused) {
        Outcome early, late, other;

        begin(&(WorldOptions){ .bytes_max = 1000 });
        assert_ok(world_call(world, WORLD_ECHO, 1001, 1, &early)); /* nobody knows yet */
        assert_ok(world_call(world, WORLD_ECHO, 10, 2, &other));
        outcome_wait(&early);
        outcome_assert_error(&early, -EMSGSIZE, true);
        outcome_wait(&other);
        outcome_assert_echo(&other, 10, 2);
        assert_int_equal(world_call(world, WORLD_ECHO, 1001, 1, &late), -EMSGSIZE);
        assert_int_equal(world_call(world, WORLD_ECHO, WORLD_BODY_MAX + 1, 1, &late), -EMSGSIZE);
        outcome_done(&early);
        outcome_done(&other);
}

TEST(what_waits_is_limited) {
        Outcome refused;

        begin(&(WorldOptions){ .calls_max = 1, .waiting_max = 10000 });
        assert_ok(world_call(world, WORLD_HOLD, 1000, 0, many));
        world_wait_held(world, 1);
        for (unsigned i = 1; i < 10; i++)
                assert_ok(world_call(world, WORLD_HOLD, 1000, (uint8_t) i, many + i));
        assert_int_equal(world_call(world, WORLD_HOLD, 1000, 1, &refused), -EBUSY);
        for (unsigned i = 0; i < 10; i++) {
                world_wait_held(world, 1);
                world_release(world);
                outcome_wait(many + i);
                outcome_assert_echo(many + i, 1000, (uint8_t) i);
                outcome_done(many + i);
        }
}

TEST(a_refusal_has_its_errno_and_its_sentence) {
        Outcome outcome;

        begin(&(WorldOptions){});
        assert_ok(world_call(world, WORLD_REFUSE, 10, 1, &outcome));
        outcome_wait(&outcome);
        outcome_assert_error(&outcome, -EDOM, false);
        assert_string_equal(outcome.reason, "Not today."); /* on one line */
        outcome_done(&outcome);
}

TEST(a_call_that_is_not_known_is_refused_and_the_connection_lives) {
        Outcome outcome;

        begin(&(WorldOptions){});
        for (unsigned i = 0; i < 3; i++) {
                assert_ok(world_call(world, WORLD_UNKNOWN, 1024, 1, &outcome));
                outcome_wait(&outcome);
                outcome_assert_error(&outcome, -EOPNOTSUPP, false);
                assert_string_equal(outcome.reason, "This daemon does not know this call.");
                outcome_done(&outcome);
                assert_ok(world_call(world, WORLD_ECHO, 10, 1, &outcome));
                outcome_wait(&outcome);
                outcome_assert_echo(&outcome, 10, 1);
                outcome_done(&outcome);
        }
        assert_int_equal(channel_counters(world_channel(world))->opened, 1);
}

TEST(an_answer_that_is_too_long_is_an_error) {
        Outcome outcome;

        begin(&(WorldOptions){});
        assert_ok(world_call(world, WORLD_LONG, 1, 1, &outcome));
        outcome_wait(&outcome);
        outcome_assert_error(&outcome, -EMSGSIZE, false);
        outcome_done(&outcome);
}

TEST(a_call_that_is_cancelled_ends_at_once_and_the_receiver_hears_of_it) {
        Outcome outcome, other;

        begin(&(WorldOptions){ .calls_max = 1 });
        assert_ok(world_call(world, WORLD_HOLD, 10, 1, &outcome));
        world_wait_held(world, 1);
        assert_int_equal(world_abandoned(world), 0);
        assert_ok(world_cancel(world, &outcome));
        outcome_assert_error(&outcome, -ECANCELED, false);
        assert_int_equal(world_cancel(world, &outcome), -ENOENT);
        world_wait_abandoned(world, 1);

        /* Its credit comes back with the answer, not before. */
        assert_ok(world_call(world, WORLD_ECHO, 10, 2, &other));
        (void) usleep(20000);
        assert_int_equal(other.n, 0);
        world_release(world);
        outcome_wait(&other);
        outcome_assert_echo(&other, 10, 2);
        outcome_done(&outcome);
        outcome_done(&other);
}

TEST(a_call_that_waits_and_is_cancelled_is_never_sent) {
        Outcome first, second, third;

        begin(&(WorldOptions){ .calls_max = 1 });
        assert_ok(world_call(world, WORLD_HOLD, 10, 1, &first));
        assert_ok(world_call(world, WORLD_ECHO, 10, 2, &second));
        assert_ok(world_call(world, WORLD_ECHO, 10, 3, &third));
        assert_ok(world_cancel(world, &second));
        outcome_assert_error(&second, -ECANCELED, true);
        world_wait_held(world, 1);
        world_release(world);
        outcome_wait(&third);
        outcome_wait(&first);
        assert_int_equal(world_received(world), 2);
        outcome_done(&first);
        outcome_done(&second);
        outcome_done(&third);
}

TEST(a_call_that_takes_too_long_ends) {
        Outcome outcome, waiting, other;

        begin(&(WorldOptions){ .calls_max = 1 });
        assert_ok(world_call(world, WORLD_ECHO, 10, 3, &other)); /* it takes time to connect */
        outcome_wait(&other);
        outcome_done(&other);
        assert_ok(world_call_timeout(world, WORLD_HOLD, 10, 1, 100 * USEC_PER_MSEC, &outcome));
        assert_ok(world_call_timeout(world, WORLD_ECHO, 10, 1, 100 * USEC_PER_MSEC, &waiting));
        assert_ok(world_call(world, WORLD_ECHO, 10, 2, &other));
        outcome_wait(&outcome);
        outcome_assert_error(&outcome, -ETIMEDOUT, false);
        outcome_wait(&waiting);
        outcome_assert_error(&waiting, -ETIMEDOUT, true);
        world_wait_held(world, 1);
        world_release(world);
        outcome_wait(&other);
        outcome_assert_echo(&other, 10, 2);
        outcome_done(&outcome);
        outcome_done(&waiting);
        outcome_done(&other);
}

TEST(a_receiver_that_is_being_stopped_answers_what_it_has_and_takes_nothing_more) {
        Outcome taken, behind, refused;

        begin(&(WorldOptions){ .calls_max = 1 });
        assert_ok(world_call(world, WORLD_HOLD, 10, 1, &taken));
        assert_ok(world_call(world, WORLD_ECHO, 10, 2, &behind));
        world_wait_held(world, 1);
        world_close(world, "This daemon is being stopped.");
        outcome_wait(&behind);
        outcome_assert_error(&behind, -ESHUTDOWN, true);
        assert_string_equal(behind.reason, "This daemon is being stopped.");
        assert_int_equal(world_call(world, WORLD_ECHO, 10, 3, &refused), -ESHUTDOWN);
        assert_int_equal(taken.n, 0);
        world_release(world);
        outcome_wait(&taken);
        outcome_assert_echo(&taken, 10, 1);
        while (world_receivers(world) > 0)
                (void) usleep(1000);
        assert_string_equal(channel_reason(world_channel(world)), "This daemon is being stopped.");
        outcome_done(&taken);
        outcome_done(&behind);
}

TEST(an_idle_receiver_that_is_stopped_is_gone_at_once) {
        Outcome outcome;

        begin(&(WorldOptions){});
        assert_ok(world_call(world, WORLD_ECHO, 10, 1, &outcome));
        outcome_wait(&outcome);
        outcome_done(&outcome);
        world_close(world, "This daemon is being stopped.");
        while (world_receivers(world) > 0)
                (void) usleep(1000);
}

TEST(a_channel_that_is_freed_ends_its_calls) {
        begin(&(WorldOptions){ .calls_max = 2 });
        for (unsigned i = 0; i < 4; i++)
                assert_ok(world_call(world, WORLD_HOLD, 10, (uint8_t) i, many + i));
        world_wait_held(world, 2);
        world = world_free(world);
        for (unsigned i = 0; i < 4; i++) {
                outcome_assert_error(many + i, -ECANCELED, i >= 2);
                outcome_done(many + i);
        }
}

TEST(a_channel_that_is_freed_while_it_dials_ends_its_calls) {
        Outcome outcome;

        begin(&(WorldOptions){ .is_mute = true });
        assert_ok(world_call(world, WORLD_ECHO, 10, 1, &outcome));
        world = world_free(world);
        outcome_assert_error(&outcome, -ECANCELED, true);
        outcome_done(&outcome);
}

/* The calls of one turn. */
static void call_often(void *userdata) {
        for (unsigned i = 0; i < 50; i++) {
                ChannelCall call = { .kind = WORLD_HOLD, .on_answer = userdata };

                assert_ok(channel_call(world_channel(world), &call, NULL));
        }
}

static atomic_uint n_answers;

static void count_answer(const ChannelResult *result, void *userdata) {
        assert_int_equal(result->error, 0);
        n_answers++;
}

/* Waits until what each side has sent has arrived at the other one. */
static void await_arrival(const ChannelCounters *counters, const ChannelCounters *other) {
        do
                world_settle(world);
        while (counters->bytes_out != other->bytes_in || counters->bytes_in != other->bytes_out);
        assert_int_equal(counters->frames_out, other->frames_in);
        assert_int_equal(counters->frames_in, other->frames_out);
}

/* One more system call has sent 50 more frames. If that takes long there are also some that ask
 * whether the other side is there, and what they are answered. */
static void assert_together(const ChannelCounters *counters, const ChannelCounters *before) {
        uint64_t n_frames = counters->frames_out - before->frames_out;

        assert_true(n_frames >= 50);
        assert_in_range(counters->sends - before->sends, 1, 1 + n_frames - 50);
}

TEST(frames_of_one_turn_leave_together) {
        const ChannelCounters *counters, *other;
        ChannelCounters before, other_before;
        Outcome outcome;

        begin(&(WorldOptions){});
        counters = channel_counters(world_channel(world));
        other = world_receiver_counters(world);
        assert_ok(world_call(world, WORLD_HOLD, 10, 1, &outcome));
        world_wait_held(world, 1);
        world_release(world);
        outcome_wait(&outcome);
        outcome_done(&outcome);
        await_arrival(counters, other);
        before = *counters;
        other_before = *other;

        n_answers = 0;
        world_run(world, call_often, (void *) count_answer);
        world_wait_held(world, 50);
        world_release(world);
        while (n_answers < 50)
                (void) usleep(1000);
        await_arrival(counters, other);
        assert_together(counters, &before);
        assert_together(other, &other_before);
}

int main(void) {
#define RUN(test) cmocka_unit_test_teardown(test, teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_call_is_answered),
                RUN(both_sides_have_an_idle_connection_looked_after),
                RUN(many_calls_are_under_way_at_a_time_and_each_gets_its_own_answer),
                RUN(answers_come_in_any_order),
                RUN(what_has_no_credit_waits_in_its_order),
                RUN(bytes_are_credit_as_well),
                RUN(a_call_larger_than_what_is_taken_at_all_is_refused),
                RUN(what_waits_is_limited),
                RUN(a_refusal_has_its_errno_and_its_sentence),
                RUN(a_call_that_is_not_known_is_refused_and_the_connection_lives),
                RUN(an_answer_that_is_too_long_is_an_error),
                RUN(a_call_that_is_cancelled_ends_at_once_and_the_receiver_hears_of_it),
                RUN(a_call_that_waits_and_is_cancelled_is_never_sent),
                RUN(a_call_that_takes_too_long_ends),
                RUN(a_receiver_that_is_being_stopped_answers_what_it_has_and_takes_nothing_more),
                RUN(an_idle_receiver_that_is_stopped_is_gone_at_once),
                RUN(a_channel_that_is_freed_ends_its_calls),
                RUN(a_channel_that_is_freed_while_it_dials_ends_its_calls),
                RUN(frames_of_one_turn_leave_together),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
