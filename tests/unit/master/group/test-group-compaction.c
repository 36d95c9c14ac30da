/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the log gives back, and members that need a database then. */

#include "test.h"

#include <unistd.h>

#include "master/group/seats.h"

/* What the database has is on its disk. */
static void save_and_compact(Seat *seat) {
        seat_save(seat);
        group_compact(seat->group, seat->saved.index);
}

static uint64_t base_of(Seat *seat) {
        GroupStatus status;

        group_status(seat->group, &status);
        return status.base;
}

static void compact_behind(Seat *seat, uint64_t index) {
        save_and_compact(seat);
        while (base_of(seat) <= index)
                (void) usleep(USEC_PER_MSEC);
}

/* A database of another one, in place of its own. */
static void fetch(Seat *seat, const Seat *from) {
        (void) pthread_mutex_lock(&seats_lock);
        assert_true(from->applied.index > seat->applied.index);
        seat->applied = seat->saved = from->applied;
        (void) pthread_mutex_unlock(&seats_lock);
        group_installed(seat->group, &seat->saved);
}

/* Two of three go on, and give back what the third does not have. */
static Seat *leave_one_behind(void) {
        Seat *behind = seats + (seats_wait_for_leader(NULL)->id % n_seats);
        uint64_t had = seats_decide(5, NULL), last;

        behind->is_cut = true;
        last = seats_decide_sized(300, 64, behind);
        for (size_t i = 0; i < n_seats; i++)
                if (seats + i != behind) {
                        seat_wait_for(seats + i, last);
                        compact_behind(seats + i, had);
                }
        return behind;
}

TEST(a_member_that_lags_too_far_goes_on_from_a_database) {
        Seat *behind = leave_one_behind(), *from = seats + (behind->id % n_seats);
        uint64_t last;

        behind->is_cut = false;
        SEATS_WAIT_FOR(behind->fetch > 0);
        assert_true(from->applied.index >= behind->fetch);
        last = seats_decide(5, behind); /* it takes its time */
        fetch(behind, from);
        seat_wait_for(behind, last);

        /* What it has begun behind that is as good as any log. */
        last = seats_decide(20, NULL);
        seats_wait_for(last);
        seat_stop(behind);
        seat_start(behind);
        seats_wait_for(last);
        seats_wait_for(seats_decide(5, NULL));
        assert_int_equal(behind->n_fetches, 1);
}

TEST(a_member_that_lags_a_little_needs_no_database) {
        Seat *behind = seats + (seats_wait_for_leader(NULL)->id % n_seats);
        uint64_t last;

        seats_wait_for(seats_decide_sized(300, 64, NULL));
        behind->is_cut = true;
        last = seats_decide(5, behind);
        for (size_t i = 0; i < n_seats; i++)
                if (seats + i != behind) {
                        seat_wait_for(seats + i, last);
                        compact_behind(seats + i, 0);
                }
        behind->is_cut = false;
        seat_wait_for(behind, last);
        seats_wait_for(seats_decide(5, NULL));
        assert_int_equal(behind->n_fetches, 0);
}

TEST(a_group_starts_again_behind_what_it_has_given_back) {
        uint64_t last = seats_decide_sized(300, 64, NULL);

        seats_wait_for(last);
        for (size_t i = 0; i < n_seats; i++)
                compact_behind(seats + i, 0);
        last = seats_decide(5, NULL);
        seats_wait_for(last);
        for (size_t i = 0; i < n_seats; i++)
                seat_stop(seats + i);
        for (size_t i = 0; i < n_seats; i++) {
                seat_start(seats + i);
                assert_true(base_of(seats + i) > 0);
        }
        seats_wait_for(last);
        seats_wait_for(seats_decide(5, NULL));
}

/* It was fetched for nothing: meanwhile this one has been told more. */
TEST(a_database_that_is_behind_changes_nothing) {
        Seat *seat = seats_wait_for_leader(NULL);
        uint64_t last = seats_decide(5, NULL);

        seats_wait_for(last);
        seat_save(seat);
        seats_wait_for(seats_decide(20, NULL));
        group_installed(seat->group, &seat->saved);
        seats_wait_for(seats_decide(5, NULL));
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, seats_setup, seats_teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_member_that_lags_too_far_goes_on_from_a_database),
                RUN(a_member_that_lags_a_little_needs_no_database),
                RUN(a_group_starts_again_behind_what_it_has_given_back),
                RUN(a_database_that_is_behind_changes_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
