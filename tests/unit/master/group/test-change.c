/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Members that come and go, and a lead that is handed over, while the group works. */

#include "test.h"

#include <errno.h>
#include <unistd.h>

#include "master/group/seats.h"

static int setup_four(void **state) {
        seats_prepare(3, 1);
        for (size_t i = 0; i < 3; i++)
                seat_start(seats + i);
        return 0;
}

/* By whoever leads, as soon as it can be done. */
static void change(MemberChangeType type, const Seat *who) {
        int r;

        do
                r = seat_change(seats_wait_for_leader(NULL), type, who);
        while (r == -EOWNERDEAD || r == -EBUSY || r == -EAGAIN);

        /* It may have been done in another term. */
        assert_true(r == 0 || r == -EINPROGRESS || r == -EEXIST || r == -EALREADY || r == -ENOENT);
        if (r == -EINPROGRESS)
                change(type, who);
}

static size_t count(const Seat *seat, MemberRole role) {
        size_t n = 0;

        (void) pthread_mutex_lock(&seats_lock);
        for (size_t i = 0; i < seat->applied.members.n; i++)
                n += seat->applied.members.member[i].role == role;
        (void) pthread_mutex_unlock(&seats_lock);
        return n;
}

TEST(members_are_added_promoted_and_removed) {
        Seat *leader, *joins = seats + 3;
        uint64_t last = seats_decide(20, NULL);

        change(MEMBER_ADD, joins);
        seat_start(joins);
        seat_wait_for(joins, last);
        change(MEMBER_PROMOTE, joins);
        last = seats_decide(20, NULL);
        seats_wait_for(last);
        assert_int_equal(count(joins, MEMBER_VOTER), 4);

        leader = seats_wait_for_leader(NULL);
        change(MEMBER_REMOVE, leader); /* then another one has to take over */
        leader->is_cut = true;
        last = seats_decide(20, leader);
        for (size_t i = 0; i < n_seats; i++)
                if (seats + i != leader) {
                        seat_wait_for(seats + i, last);
                        assert_int_equal(count(seats + i, MEMBER_VOTER), 3);
                }
}

TEST(what_cannot_be_changed_is_refused) {
        Seat *leader = seats_wait_for_leader(NULL), *other = seats + (leader->id % 3);
        const Seat unknown = { .id = 77, .listen_fd = leader->listen_fd };

        assert_int_equal(seat_change(leader, MEMBER_ADD, other), -EEXIST);
        assert_int_equal(seat_change(leader, MEMBER_REMOVE, &unknown), -ENOENT);
        assert_int_equal(seat_change(leader, MEMBER_PROMOTE, other), -EALREADY);
        assert_int_equal(seat_change(other, MEMBER_ADD, &unknown), -EOWNERDEAD);
        assert_int_equal(seat_transfer(leader, &unknown), -EINVAL);
        assert_int_equal(seat_transfer(other, leader), -EOWNERDEAD);
}

TEST(what_becomes_of_a_change_is_unknown_to_a_leader_that_is_cut_off) {
        Seat *leader = seats_wait_for_leader(NULL);

        leader->is_cut = true;
        assert_int_equal(seat_change(leader, MEMBER_ADD, seats + 3), -EINPROGRESS);
}

static atomic_bool is_over;

static void *propose(void *userdata) {
        while (!is_over)
                (void) seats_decide(1, NULL);
        return NULL;
}

/* Whoever leads meanwhile. On a machine that is busy it may take another try. */
TEST(the_lead_is_handed_over_while_entries_are_decided) {
        unsigned n = 0;
        pthread_t thread;

        is_over = false;
        assert_int_equal(pthread_create(&thread, NULL, propose, NULL), 0);
        while (n < 6) {
                Seat *leader = seats_wait_for_leader(NULL), *next = seats + (leader->id % 3);
                int r = seat_transfer(leader, next);

                assert_true(r == 0 || r == -ETIMEDOUT || r == -EOWNERDEAD || r == -EBUSY);
                if (r == 0)
                        n++;
        }
        is_over = true;
        (void) pthread_join(thread, NULL);
        seats_wait_for(seats_decide(1, NULL));
}

/* The one that it is to go to does not hear of it. */
TEST(a_lead_that_nobody_takes_stays) {
        Seat *leader = seats_wait_for_leader(NULL), *next = seats + (leader->id % 3);
        int r;

        next->is_cut = true;
        while ((r = seat_transfer(leader, next)) == -EOWNERDEAD)
                leader = seats_wait_for_leader(next);
        assert_int_equal(r, -ETIMEDOUT);
        next->is_cut = false;
        seats_wait_for(seats_decide(5, NULL));
}

/* -- Status -- */

/* As whoever leads sees it. */
static bool is_known(const Seat *member, uint64_t index, bool is_open) {
        GroupStatus status;

        group_status(seats_wait_for_leader(member)->group, &status);
        for (size_t i = 0; i < status.members.n; i++)
                if (status.members.member[i].id == member->id)
                        return status.match[i] >= index && status.is_open[i] == is_open;
        return false;
}

TEST(a_leaders_status_says_how_far_each_member_is) {
        Seat *follower = seats;
        GroupStatus status;
        uint64_t last;

        seat_stop(follower);
        follower->election_usec = USEC_PER_HOUR; /* it never leads */
        seat_start(follower);
        last = seats_decide(20, follower);
        seats_wait_for(last);
        while (!is_known(follower, last, true))
                (void) usleep(USEC_PER_MSEC);

        group_status(follower->group, &status);
        assert_int_equal(status.members.n, 3);
        assert_true(status.is_settled);
        assert_int_equal(status.view.role, CONSENSUS_FOLLOWER);
        assert_true(status.base == 0 && status.fetch == 0);
        assert_true(status.told >= last && status.told <= status.commit);
        assert_true(status.last >= status.commit && status.stored <= status.last);

        seat_stop(follower);
        while (!is_known(follower, last, false))
                (void) usleep(USEC_PER_MSEC);
        last = seats_decide(5, follower);
        assert_false(is_known(follower, last, false));
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup_four, seats_teardown)
        const struct CMUnitTest tests[] = {
                RUN(members_are_added_promoted_and_removed),
                RUN(what_cannot_be_changed_is_refused),
                RUN(what_becomes_of_a_change_is_unknown_to_a_leader_that_is_cut_off),
                RUN(the_lead_is_handed_over_while_entries_are_decided),
                RUN(a_lead_that_nobody_takes_stays),
                RUN(a_leaders_status_says_how_far_each_member_is),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
