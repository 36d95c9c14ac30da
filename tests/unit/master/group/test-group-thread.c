/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One member: what it does when its disk is full or fails, or who applies what is decided does not
 * keep up; and on which thread it tells of it. */

#include "test.h"

#include <errno.h>
#include <unistd.h>

#include "master/group/lone.h"

TEST(callbacks_come_on_the_groups_own_thread) {
        lone_start(0);
        LONE_WAIT_FOR(lone.view.role == CONSENSUS_LEADER);
        lone_propose();
        LONE_WAIT_FOR(lone.n_decided == 1);
        group_stop(lone.group);
        lone.group = group_free(lone.group);

        lone_start(0); /* it has a term to tell of from the beginning */
        LONE_WAIT_FOR(lone.view.term > 0);
        LONE_WAIT_FOR(lone.view.role == CONSENSUS_LEADER);
}

TEST(a_group_can_be_made_and_freed_while_the_disk_is_full) {
        lone.disk_error = -ENOSPC;
        lone_start(10); /* the log is behind that, and is to begin there */
        while (lone.n_failed < 2)
                (void) usleep(USEC_PER_MSEC);
        group_stop(lone.group);
        assert_int_equal(lone.broken, 0);
}

TEST(it_goes_on_when_there_is_room_again) {
        lone_start(0);
        LONE_WAIT_FOR(lone.view.role == CONSENSUS_LEADER);
        lone.disk_error = -ENOSPC;
        lone_propose();
        while (lone.n_failed < 2)
                (void) usleep(USEC_PER_MSEC);
        lone.disk_error = 0;
        LONE_WAIT_FOR(lone.n_decided == 1);
        assert_int_equal(lone.n_refused, 0);
}

/* It has nothing else to wait for: no other member, no time. */
TEST(a_disk_that_fails_is_told_of_at_once) {
        lone_start(0);
        LONE_WAIT_FOR(lone.view.role == CONSENSUS_LEADER);
        lone_propose();
        LONE_WAIT_FOR(lone.n_decided == 1); /* and so nothing else is to be written */
        lone.disk_error = -EIO;
        lone_propose();
        LONE_WAIT_FOR(lone.broken < 0);
        assert_int_equal(lone.broken, -EIO);
        assert_int_equal(lone.n_refused, 1);
        assert_int_equal(lone.refusal, -EINPROGRESS);
        assert_int_equal(lone.n_decided, 1);
        assert_int_equal(
                        group_propose(lone.group, &(Buffer){}, (void *) lone.directory),
                        -ESHUTDOWN);
}

/* -- A consumer that does not take what it is told -- */

TEST(what_is_not_taken_comes_again_when_it_would_be) {
        lone_refuse(-EAGAIN);
        lone_start(0);
        LONE_WAIT_FOR(lone.view.role == CONSENSUS_LEADER);
        lone_propose();
        lone_propose();
        lone_wait_for_commit(3);
        assert_int_equal(lone.n_offered, 1);
        assert_int_equal(lone.view.start, 0);
        assert_int_equal(lone_status().told, 0);

        lone_take_again();
        LONE_WAIT_FOR(lone.n_decided == 2 && lone.view.start == 1);
        assert_int_equal(lone.n_offered, 4);
        assert_int_equal(lone.n_refused, 0);
}

TEST(without_memory_it_comes_again_by_itself) {
        lone_refuse(-ENOMEM);
        lone_start(0);
        LONE_WAIT_FOR(lone.n_offered >= 3);
        lone_refuse(0);
        LONE_WAIT_FOR(lone.view.start == 1);
        assert_int_equal(lone.broken, 0);
}

TEST(a_consumer_that_fails_ends_the_group) {
        lone_refuse(-EIO);
        lone_start(0);
        LONE_WAIT_FOR(lone.broken < 0);
        assert_int_equal(lone.broken, -EIO);
        assert_int_equal(lone.n_offered, 1);
}

TEST(what_is_not_taken_is_unknown_to_who_stops_it) {
        lone_refuse(-EAGAIN);
        lone_start(0);
        LONE_WAIT_FOR(lone.view.role == CONSENSUS_LEADER);
        lone_propose();
        lone_wait_for_commit(2);
        group_stop(lone.group);
        assert_int_equal(lone.n_refused, 1);
        assert_int_equal(lone.refusal, -EINPROGRESS);
}

static uint64_t told_before_answer; /* with the lock */

static void on_probed(GroupProbe *probe, int error) {
        lone_enter();
        told_before_answer = lone.told;
        lone_leave();
}

/* It is read from the log later, and others have their turn in between. */
TEST(what_waits_to_be_taken_takes_no_memory) {
        GroupProbe probe = { .term = 77, .done = on_probed };
        uint64_t last = 1;

        lone_refuse(-EAGAIN);
        lone_start(0);
        LONE_WAIT_FOR(lone.view.role == CONSENSUS_LEADER);
        for (; last < 100; last++) {
                lone_propose_sized(1 * MIB);
                lone_wait_for_commit(last + 1);
        }
        assert_true(lone.recent_max > 32 * MIB && lone.recent_max < 80 * MIB);

        told_before_answer = 0;
        lone.asks = &probe;
        lone_take_again();
        LONE_WAIT_FOR(lone.n_decided == 99);
        assert_int_equal(lone.told, last);
        assert_true(told_before_answer > 0 && told_before_answer < 10);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, lone_setup, lone_teardown)
        const struct CMUnitTest tests[] = {
                RUN(callbacks_come_on_the_groups_own_thread),
                RUN(a_group_can_be_made_and_freed_while_the_disk_is_full),
                RUN(it_goes_on_when_there_is_room_again),
                RUN(a_disk_that_fails_is_told_of_at_once),
                RUN(what_is_not_taken_comes_again_when_it_would_be),
                RUN(without_memory_it_comes_again_by_itself),
                RUN(a_consumer_that_fails_ends_the_group),
                RUN(what_is_not_taken_is_unknown_to_who_stops_it),
                RUN(what_waits_to_be_taken_takes_no_memory),
        };

        if (access("/dev/shm", W_OK) >= 0)
                (void) setenv("TMPDIR", "/dev/shm", 0);

        return cmocka_run_group_tests(tests, NULL, NULL);
}
