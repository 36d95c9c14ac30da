/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What networks do: connections that break at any byte, bytes that change, silence. Whatever
 * happens, a call has one outcome, and an answer is the right one. */

#include "test.h"

#include <string.h>

#include "base/clock.h"
#include "channel/world.h"

static World *world;

static int teardown(void **state) {
        world = world_free(world);
        return 0;
}

static void hurry(void *userdata) {
        channel_hurry(world_channel(world));
}

/* A conversation of two calls. Returns whether both were answered. */
static bool converse(void) {
        Outcome outcomes[2];
        bool is_good = true;

        world_run(world, hurry, NULL);
        for (unsigned i = 0; i < 2; i++) {
                unsigned before = world_received(world);
                size_t size = 10 + 40 * i;
                int r;

                r = world_call(world, WORLD_ECHO, size, (uint8_t) i, outcomes + i);
                if (r < 0)
                        return false;
                outcome_wait(outcomes + i);
                if (outcomes[i].error == 0)
                        outcome_assert_echo(outcomes + i, size, (uint8_t) i);
                if (outcomes[i].is_unsent)
                        assert_int_equal(world_received(world), before);
                is_good = is_good && outcomes[i].error == 0;
                outcome_done(outcomes + i);
        }
        return is_good;
}

/* Ends the connection, and waits until both sides know. The receiver may be behind: connections
 * that were cut early may still stand at its door, and the next one would have to wait for them. */
static void cut(void) {
        const ChannelCounters *counters = channel_counters(world_channel(world));

        while (world_has_visitors(world))
                (void) usleep(200);
        world_cut(world);
        while (world_receivers(world) > 0 || counters->broken < counters->opened)
                (void) usleep(200);
}

/* A new connection is as good as ever. */
static void assert_recovers(void) {
        way_set_mishap(world_way(world), MISHAP_NONE);
        cut();
        assert_true(converse());
        cut();
}

static void begin(uint64_t silence_usec) {
        world = world_new(&(WorldOptions){ .has_way = true, .silence_usec = silence_usec });
        assert_true(converse());
}

TEST(a_connection_may_break_at_any_byte) {
        begin(0);
        for (unsigned direction = 0; direction < 2; direction++) {
                uint64_t size = way_passed(world_way(world), direction), n_struck = 0;

                assert_recovers();
                for (uint64_t i = 0; i < size; i++) {
                        Mishap mishap = MISHAP_NONE;
                        bool is_good;

                        mishap.cut_at[direction] = i;
                        way_set_mishap(world_way(world), mishap);
                        is_good = converse();
                        assert_false(is_good && way_has_struck(world_way(world)));
                        n_struck += !is_good;
                        if (i % 50 == 0)
                                assert_recovers();
                }
                assert_in_range(n_struck, size * 3 / 4, size); /* there are pings now and then */
                assert_recovers();
                assert_true(converse());
        }
}

/* In the lines of HTTP some letters may be others; but whatever comes behind them is signed. */
TEST(a_bit_that_is_another_breaks_the_connection) {
        unsigned n_good = 0;

        begin(500 * USEC_PER_MSEC);
        for (unsigned direction = 0; direction < 2; direction++) {
                uint64_t size = way_passed(world_way(world), direction);
                uint64_t http = direction == TO_RECEIVER ? 430 : 395; /* about */

                assert_recovers();
                for (uint64_t i = 0; i < size; i += i < http ? 7 : 1) {
                        Mishap mishap = MISHAP_NONE;
                        bool is_good;

                        mishap.flip_at[direction] = i;
                        way_set_mishap(world_way(world), mishap);
                        is_good = converse();
                        assert_false(is_good && i > http && way_has_struck(world_way(world)));
                        n_good += is_good;
                        cut();
                }
                assert_recovers();
                assert_true(converse());
        }
        assert_in_range(n_good, 0, 60);
}

TEST(who_is_silent_while_something_is_under_way_is_given_up) {
        for (unsigned direction = 0; direction < 2; direction++) {
                Outcome outcome;
                Mishap mishap = MISHAP_NONE;
                uint64_t passed, since;

                begin(700 * USEC_PER_MSEC);
                passed = way_passed(world_way(world), direction);
                cut();

                mishap.stall_at[direction] = passed - 10; /* in the second call, or its answer */
                way_set_mishap(world_way(world), mishap);
                since = clock_monotonic();
                while (converse())
                        ;
                assert_in_range(clock_monotonic() - since, 600000, 5000000);

                /* The other side notices as well. */
                while (world_receivers(world) > 0)
                        (void) usleep(200);
                way_set_mishap(world_way(world), MISHAP_NONE);
                world_run(world, hurry, NULL);
                assert_ok(world_call(world, WORLD_ECHO, 1, 1, &outcome));
                outcome_wait(&outcome);
                outcome_done(&outcome);
                world = world_free(world);
        }
}

TEST(who_answers_late_but_is_there_is_not_given_up) {
        Outcome outcome;

        begin(500 * USEC_PER_MSEC);
        assert_ok(world_call(world, WORLD_HOLD, 10, 1, &outcome));
        world_wait_held(world, 1);
        (void) usleep(1700 * 1000);
        assert_int_equal(outcome.n, 0);
        world_release(world);
        outcome_wait(&outcome);
        outcome_assert_echo(&outcome, 10, 1);
        outcome_done(&outcome);
        assert_int_equal(channel_counters(world_channel(world))->opened, 1);
}

static void end_silent(void *userdata) {
        channel_end_silent(world_channel(world), 250 * USEC_PER_MSEC);
}

TEST(who_is_silent_may_be_given_up_sooner) {
        Mishap mishap = MISHAP_NONE;
        Outcome outcome;
        int error;

        begin(0);
        cut();
        mishap.stall_at[TO_CALLER] = way_passed(world_way(world), TO_CALLER) - 60;
        way_set_mishap(world_way(world), mishap);
        world_run(world, hurry, NULL);
        do { /* until so many bytes have passed */
                assert_ok(world_call(world, WORLD_ECHO, 100, 1, &outcome));
                for (unsigned i = 0; outcome.n == 0 && i < 2000; i++) {
                        (void) usleep(1000);
                        world_run(world, end_silent, NULL);
                }
                outcome_wait(&outcome);
                error = outcome.error;
                outcome_done(&outcome);
        } while (error == 0);
        assert_int_equal(error, -ETIMEDOUT);
        assert_false(outcome.is_unsent);
}

#define BESIDE 50

TEST(a_receiver_that_does_not_read_holds_up_nobody_else) {
        static Outcome slow[BESIDE], fast[BESIDE];
        Mishap mishap = MISHAP_NONE;
        World *other;

        world = world_new(&(WorldOptions){});
        other = world_new(&(WorldOptions){
                        .has_way = true, .beside = world, .silence_usec = USEC_PER_MIN });
        mishap.stall_at[TO_RECEIVER] = 2000;
        way_set_mishap(world_way(other), mishap);
        for (unsigned i = 0; i < BESIDE; i++)
                assert_ok(world_call(other, WORLD_ECHO, WORLD_BODY_MAX, 1, slow + i));
        for (unsigned i = 0; i < BESIDE; i++) {
                assert_ok(world_call(world, WORLD_ECHO, 1000, 2, fast + i));
                outcome_wait(fast + i);
                outcome_assert_echo(fast + i, 1000, 2);
                outcome_done(fast + i);
        }
        for (unsigned i = 0; i < BESIDE; i++)
                assert_int_equal(slow[i].n, 0);
        other = world_free(other);
        for (unsigned i = 0; i < BESIDE; i++)
                outcome_done(slow + i);
}

/* -- Under load -- */

#define CUTS  200
#define CALLS 64

static _Atomic uint8_t seen[1 << 20]; /* by the number that each call has */

static void see(const Incoming *incoming) {
        seen[incoming->stamp.revision]++;
}

typedef struct Load {
        World *world;
        Outcome outcomes[CALLS];
        uint64_t numbers[CALLS], next;
        unsigned n_good, n_failed, n_unsent;
} Load;

static unsigned dice(unsigned *state, unsigned n) {
        *state = *state * 1103515245 + 12345;
        return (*state >> 8) % n;
}

/* Checks the outcome of the call in SLOT, if there is one. */
static void check(Load *load, unsigned slot) {
        Outcome *outcome = load->outcomes + slot;
        uint64_t number = load->numbers[slot];

        if (number == 0)
                return;

        outcome_wait(outcome);
        assert_true(seen[number] <= 1);
        if (outcome->error == 0) {
                outcome_assert_echo(outcome, outcome->stamp.sequence, (uint8_t) number);
                assert_int_equal(outcome->stamp.revision, number);
                assert_int_equal(seen[number], 1);
                load->n_good++;
        } else if (outcome->is_unsent) {
                assert_int_equal(seen[number], 0);
                load->n_unsent++;
        } else {
                load->n_failed++;
        }
        outcome_done(outcome);
        load->numbers[slot] = 0;
}

static void make_calls(Load *load, unsigned *state) {
        static const unsigned kinds[] = { WORLD_ECHO, WORLD_THREAD };

        for (unsigned slot = 0; slot < CALLS; slot++) {
                size_t size = dice(state, 8) == 0 ? dice(state, 100000) : dice(state, 2000);
                int r;

                check(load, slot);
                r = world_call_number(
                                load->world, kinds[dice(state, 2)], size, load->next,
                                load->outcomes + slot);
                if (r < 0)
                        continue; /* it was not made, and has no outcome */
                load->numbers[slot] = load->next++;
                if (dice(state, 20) == 0)
                        (void) world_cancel(load->world, load->outcomes + slot);
        }
}

TEST(two_hundred_cuts_under_load_lose_nothing_and_tear_nothing) {
        static Load load;
        unsigned random = 1, n_cuts = 0;

        world = world_new(&(WorldOptions){ .has_way = true, .calls_max = 32, .on_call = see });
        load = (Load){ .world = world, .next = 1 };
        while (n_cuts < CUTS) {
                Mishap mishap = MISHAP_NONE;
                uint64_t broken = channel_counters(world_channel(world))->broken;

                mishap.cut_at[dice(&random, 2)] = dice(&random, 200000);
                way_set_mishap(world_way(world), mishap);
                world_run(world, hurry, NULL);
                make_calls(&load, &random);
                n_cuts += channel_counters(world_channel(world))->broken > broken;
        }
        way_set_mishap(world_way(world), MISHAP_NONE);
        for (unsigned slot = 0; slot < CALLS; slot++)
                check(&load, slot);
        assert_true(load.n_good > 1000 && load.n_failed > 100);
        print_message("%u answered, %u failed, %u unsent\n", load.n_good, load.n_failed,
                      load.n_unsent);
}

int main(void) {
#define RUN(test) cmocka_unit_test_teardown(test, teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_connection_may_break_at_any_byte),
                RUN(a_bit_that_is_another_breaks_the_connection),
                RUN(who_is_silent_while_something_is_under_way_is_given_up),
                RUN(who_answers_late_but_is_there_is_not_given_up),
                RUN(who_is_silent_may_be_given_up_sooner),
                RUN(a_receiver_that_does_not_read_holds_up_nobody_else),
                RUN(two_hundred_cuts_under_load_lose_nothing_and_tear_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
