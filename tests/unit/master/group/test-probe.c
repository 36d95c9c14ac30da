/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reads of members in one process: what is confirmed is not stale, whoever is cut off. */

#include "test.h"

#include <errno.h>
#include <semaphore.h>
#include <unistd.h>

#include "base/clock.h"
#include "master/group/seats.h"

static uint64_t term_of(const Seat *seat) {
        uint64_t term;

        (void) pthread_mutex_lock(&seats_lock);
        term = seat->view.start > 0 ? seat->view.term : 0;
        (void) pthread_mutex_unlock(&seats_lock);
        return term;
}

TEST(a_leaders_reads_are_confirmed_by_a_majority) {
        Seat *leader = seats_wait_for_leader(NULL);

        seat_stop(seats + (leader->id % n_seats));
        leader = seats_wait_for_leader(NULL);
        for (unsigned i = 0; i < 10; i++)
                assert_int_equal(seat_probe(leader, term_of(leader)), 0);
}

TEST(reads_of_another_term_are_refused) {
        Seat *leader = seats_wait_for_leader(NULL), *other = seats + (leader->id % n_seats);
        uint64_t term = term_of(leader);

        assert_int_equal(seat_probe(leader, term - 1), -EOWNERDEAD);
        assert_int_equal(seat_probe(leader, term + 1), -EOWNERDEAD);
        assert_int_equal(seat_probe(other, term), -EOWNERDEAD);
}

TEST(a_leader_that_is_cut_off_confirms_nothing) {
        Seat *leader = seats_wait_for_leader(NULL);
        uint64_t term = term_of(leader);

        leader->is_cut = true;
        assert_int_equal(seat_probe(leader, term), -EOWNERDEAD);
        (void) seats_decide(1, leader);
        assert_int_equal(seat_probe(leader, term), -EOWNERDEAD);
}

/* The last write that was acknowledged, with the lock. */
static uint64_t acknowledged;

static void on_done(uint64_t index, uint64_t hash) {
        acknowledged = MAX(acknowledged, index);
}

static atomic_bool is_over;
static atomic_uint n_good;

/* Reads at a member again and again, while it says that it leads. */
static void *read_there(void *userdata) {
        Seat *seat = userdata;

        while (!is_over) {
                uint64_t before, found, term;

                (void) pthread_mutex_lock(&seats_lock);
                before = acknowledged;
                found = seat->applied.index;
                term = seat->view.start > 0 ? seat->view.term : 0;
                (void) pthread_mutex_unlock(&seats_lock);
                if (term == 0) {
                        (void) usleep(USEC_PER_MSEC);
                        continue;
                }
                if (seat_probe(seat, term) < 0)
                        continue;
                assert_true(found >= before);
                n_good++;
        }
        return NULL;
}

TEST(reads_find_what_was_acknowledged_before_them) {
        pthread_t threads[SEATS_MAX];

        acknowledged = 0;
        is_over = false;
        n_good = 0;
        seats_on_done = on_done;
        for (size_t i = 0; i < n_seats; i++)
                assert_int_equal(pthread_create(threads + i, NULL, read_there, seats + i), 0);
        for (unsigned i = 0; i < 3; i++) {
                Seat *leader = seats_wait_for_leader(NULL);
                unsigned before = n_good;

                (void) seats_decide(20, NULL);
                while (n_good < before + 20)
                        (void) usleep(USEC_PER_MSEC);
                leader->is_cut = true;
                (void) seats_decide(20, leader);
                leader->is_cut = false;
        }
        is_over = true;
        for (size_t i = 0; i < n_seats; i++)
                (void) pthread_join(threads[i], NULL);
}

static sem_t answered;
static int answer;

static void on_answer(GroupProbe *probe, int error) {
        answer = error;
        (void) sem_post(&answered);
}

/* It does not notice that it has lost the others. */
TEST(what_waits_is_told_when_the_group_is_stopped) {
        Seat *leader, *patient = seats;
        GroupProbe probe = { .done = on_answer };

        assert_ok(sem_init(&answered, 0, 0));
        seat_stop(patient);
        patient->election_usec = USEC_PER_HOUR;
        seat_start(patient);
        while ((leader = seats_wait_for_leader(NULL)) != patient)
                (void) seat_transfer(leader, patient);
        probe.term = term_of(patient);
        patient->is_cut = true;
        assert_int_equal(group_probe(patient->group, &probe), 0);
        group_stop(patient->group);
        assert_int_equal(sem_trywait(&answered), 0);
        assert_int_equal(answer, -ESHUTDOWN);
        assert_int_equal(group_probe(patient->group, &probe), -ESHUTDOWN);
        assert_false(group_has_lease(patient->group, probe.term));
}

static int setup_leases(void **state) {
        seats_prepare(3, 0);
        for (size_t i = 0; i < n_seats; i++) {
                seats[i].lease = true;
                seat_start(seats + i);
        }
        return 0;
}

/* A lease may lapse on a machine that is busy. */
static void wait_for_lease(const Seat *seat, uint64_t term) {
        while (!group_has_lease(seat->group, term)) {
                assert_true(term_of(seat) == term);
                (void) usleep(100);
        }
}

TEST(a_lease_ends_before_another_one_leads) {
        Seat *leader = seats_wait_for_leader(NULL), *other = seats + (leader->id % n_seats);
        uint64_t term = term_of(leader);

        wait_for_lease(leader, term);
        assert_false(group_has_lease(leader->group, term + 1));
        assert_false(group_has_lease(leader->group, term - 1));
        assert_false(group_has_lease(other->group, term));
        leader->is_cut = true;
        (void) seats_wait_for_leader(leader);
        assert_false(group_has_lease(leader->group, term));
}

/* Its thread, which would end or prolong it, waits for the lock behind an entry. */
TEST(a_lease_ends_by_the_clock) {
        static int proposal;
        Seat *leader = seats_wait_for_leader(NULL);
        uint64_t term = term_of(leader);
        Buffer data = {};

        wait_for_lease(leader, term);
        (void) pthread_mutex_lock(&seats_lock);
        buffer_put_u64(&data, 1);
        assert_int_equal(group_propose(leader->group, &data, &proposal), 0);
        while (group_has_lease(leader->group, term))
                (void) usleep(USEC_PER_MSEC);
        (void) pthread_mutex_unlock(&seats_lock);
}

TEST(a_group_that_is_stopped_has_no_lease) {
        Seat *leader = seats_wait_for_leader(NULL);
        uint64_t term = term_of(leader);

        wait_for_lease(leader, term);
        group_stop(leader->group);
        assert_false(group_has_lease(leader->group, term));
}

TEST(a_lease_ends_when_the_lead_is_handed_over) {
        Seat *leader = seats_wait_for_leader(NULL), *other = seats + (leader->id % n_seats);
        uint64_t term = term_of(leader);

        wait_for_lease(leader, term);
        (void) seat_transfer(leader, other);
        assert_false(group_has_lease(leader->group, term));
}

TEST(who_has_not_asked_for_leases_has_none) {
        Seat *leader = seats_wait_for_leader(NULL);
        uint64_t term = term_of(leader);

        assert_int_equal(seat_probe(leader, term), 0);
        assert_false(group_has_lease(leader->group, term));
}

int main(void) {
#define RUN(test)             cmocka_unit_test_setup_teardown(test, seats_setup, seats_teardown)
#define RUN_WITH_LEASES(test) cmocka_unit_test_setup_teardown(test, setup_leases, seats_teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_leaders_reads_are_confirmed_by_a_majority),
                RUN(reads_of_another_term_are_refused),
                RUN(a_leader_that_is_cut_off_confirms_nothing),
                RUN(reads_find_what_was_acknowledged_before_them),
                RUN(what_waits_is_told_when_the_group_is_stopped),
                RUN_WITH_LEASES(a_lease_ends_before_another_one_leads),
                RUN_WITH_LEASES(a_lease_ends_by_the_clock),
                RUN_WITH_LEASES(a_group_that_is_stopped_has_no_lease),
                RUN_WITH_LEASES(a_lease_ends_when_the_lead_is_handed_over),
                RUN(who_has_not_asked_for_leases_has_none),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
