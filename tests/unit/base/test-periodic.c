/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "base/clock.h"
#include "base/periodic.h"

typedef struct Work {
        sd_event *event;
        Periodic *periodic;
        unsigned n, wanted;
        uint64_t at[8];
        uint64_t next_interval; /* to set at the first tick; 0 for none */
} Work;

/* By the clock of the loop, which is what ticks are set by: this may be run a good while later. */
static void note_time(Work *work) {
        assert_true(work->n < ELEMENTSOF(work->at));
        assert_ok(sd_event_now(work->event, CLOCK_MONOTONIC, work->at + work->n++));
}

static void on_tick(void *userdata) {
        Work *work = userdata;

        note_time(work);
        if (work->next_interval > 0)
                periodic_set_interval(work->periodic, work->next_interval);
        if (work->n == work->wanted)
                assert_int_equal(sd_event_exit(work->event, 0), 0);
}

/* Runs until it has ticked as often as it should. */
static void run(Work *work, uint64_t first_usec, uint64_t interval_usec) {
        assert_ok(sd_event_new(&work->event));
        assert_ok(periodic_new(
                        work->event, first_usec, interval_usec, on_tick, work, &work->periodic));
        assert_ok(sd_event_loop(work->event));
        assert_null(periodic_free(work->periodic));
        sd_event_unref(work->event);
}

TEST(ticks_again_and_again) {
        uint64_t start = clock_monotonic();
        Work work = { .wanted = 4 };

        run(&work, 30 * USEC_PER_MSEC, 10 * USEC_PER_MSEC);
        assert_int_equal(work.n, 4);
        assert_true(work.at[0] >= start + 30 * USEC_PER_MSEC);
        for (unsigned i = 1; i < work.n; i++)
                assert_true(work.at[i] >= work.at[i - 1] + 10 * USEC_PER_MSEC);
}

TEST(first_tick_may_come_at_once) {
        Work work = { .wanted = 1 };

        assert_ok(sd_event_new(&work.event));
        assert_ok(periodic_new(work.event, 0, USEC_PER_HOUR, on_tick, &work, &work.periodic));
        assert_true(sd_event_run(work.event, 0) > 0); /* without waiting */
        assert_int_equal(work.n, 1);
        assert_null(periodic_free(work.periodic));
        sd_event_unref(work.event);
}

TEST(interval_can_change) {
        Work work = { .wanted = 3, .next_interval = 1 * USEC_PER_MSEC };

        run(&work, 0, USEC_PER_HOUR);
        assert_int_equal(work.n, 3);
}

TEST(freed_one_does_not_tick) {
        sd_event *event = NULL;
        Periodic *periodic;
        Work work = {};

        assert_ok(sd_event_new(&event));
        assert_ok(periodic_new(event, 0, USEC_PER_MSEC, on_tick, &work, &periodic));
        assert_null(periodic_free(periodic));
        assert_null(periodic_free(NULL));
        assert_int_equal(sd_event_run(event, 10 * USEC_PER_MSEC), 0);
        assert_int_equal(work.n, 0);
        sd_event_unref(event);
}

static void on_slow_tick(void *userdata) {
        uint64_t until = clock_monotonic() + 30 * USEC_PER_MSEC;
        Work *work = userdata;

        note_time(work);
        while (clock_monotonic() < until)
                ; /* works longer than an interval lasts */
        if (work->n == work->wanted)
                assert_int_equal(sd_event_exit(work->event, 0), 0);
}

/* Else a loop that is late would do nothing else any more. */
TEST(a_slow_tick_is_not_followed_by_two_at_once) {
        Work work = { .wanted = 3 };

        assert_ok(sd_event_new(&work.event));
        assert_ok(periodic_new(
                        work.event, 0, 10 * USEC_PER_MSEC, on_slow_tick, &work, &work.periodic));
        assert_ok(sd_event_loop(work.event));
        for (unsigned i = 1; i < work.n; i++)
                assert_true(work.at[i] >= work.at[i - 1] + 40 * USEC_PER_MSEC);
        assert_null(periodic_free(work.periodic));
        sd_event_unref(work.event);
}

TEST(several_tick_side_by_side) {
        Work often = { .wanted = 5 }, seldom = { .wanted = 100 };

        assert_ok(sd_event_new(&often.event));
        seldom.event = often.event;
        assert_ok(periodic_new(
                        often.event, 0, 5 * USEC_PER_MSEC, on_tick, &often, &often.periodic));
        assert_ok(periodic_new(often.event, 0, USEC_PER_HOUR, on_tick, &seldom, &seldom.periodic));
        assert_ok(sd_event_loop(often.event));
        assert_int_equal(often.n, 5);
        assert_int_equal(seldom.n, 1);
        assert_null(periodic_free(often.periodic));
        assert_null(periodic_free(seldom.periodic));
        sd_event_unref(often.event);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(ticks_again_and_again),
                cmocka_unit_test(first_tick_may_come_at_once),
                cmocka_unit_test(interval_can_change),
                cmocka_unit_test(freed_one_does_not_tick),
                cmocka_unit_test(a_slow_tick_is_not_followed_by_two_at_once),
                cmocka_unit_test(several_tick_side_by_side),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
