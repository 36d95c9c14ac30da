/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "master/volumes-fixture.h"

typedef struct Seen {
        unsigned n, n_new;
        uint32_t last;
} Seen;

static void on_change(uint32_t number, bool is_new, void *userdata) {
        Seen *seen = userdata;

        seen->n++;
        seen->n_new += is_new;
        seen->last = number;
}

static void run_once(Fixture *fixture) {
        assert_ok(sd_event_run(fixture->event, UINT64_MAX)); /* there is but the timer */
}

TEST(no_observer_misses_many) {
        Fixture *fixture = *state;
        Seen seen = {};

        watch_set_observer(fixture->watch, on_change, &seen);
        for (uint32_t i = 1; i <= 200; i++)
                report(fixture, i);
        for (int i = 0; i < 4; i++)
                run_once(fixture);
        assert_int_equal(seen.n, 200);
        assert_int_equal(seen.n_new, 200);
        assert_int_equal(seen.last, 200);
}

TEST(what_is_there_at_the_start_is_no_news) {
        Fixture *fixture = *state;
        Seen seen = {};

        report(fixture, 1);
        fixture->watch = watch_free(fixture->watch);
        assert_ok(watch_new(fixture->volumes, fixture->event, &fixture->watch));
        watch_set_observer(fixture->watch, on_change, &seen);
        run_once(fixture);
        assert_int_equal(seen.n, 0);

        shift_clock(TIMEOUT_SEC);
        run_once(fixture);
        assert_int_equal(seen.n, 1);
        assert_int_equal(seen.n_new, 0);
}

TEST(coming_and_going_is_logged_once) {
        Fixture *fixture = *state;

        report(fixture, 1);
        assert_int_equal(count_messages(fixture, "Volume 1 is up."), 1);
        report(fixture, 1);
        assert_int_equal(count_messages(fixture, "Volume 1 is"), 0);
        shift_clock(TIMEOUT_SEC);
        assert_int_equal(count_messages(fixture, "Volume 1 is down"), 1);
        assert_int_equal(count_messages(fixture, "Volume 1 is"), 0);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(no_observer_misses_many),
                RUN(what_is_there_at_the_start_is_no_news),
                RUN(coming_and_going_is_logged_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
