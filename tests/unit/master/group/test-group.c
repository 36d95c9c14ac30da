/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Three members in one process, with real sockets and real logs: what is proposed is decided by
 * all, whoever is stopped, cut off or started again. */

#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "master/group/seats.h"

typedef struct Acknowledged {
        uint64_t index, hash;
} Acknowledged;

static int acknowledge_fd = -1; /* in a process that is to be killed */

static void acknowledge(uint64_t index, uint64_t hash) {
        const Acknowledged record = { index, hash };

        assert_int_equal(write(acknowledge_fd, &record, sizeof(record)), sizeof(record));
}

static int prepare(void **state) {
        seats_prepare(3, 0);
        return 0;
}

TEST(what_is_proposed_is_decided_by_all) {
        seats_wait_for(seats_decide(50, NULL));
}

/* A new one would mean that an old one was closed: a leader that is lost, to who follows it. */
TEST(members_keep_the_channels_that_they_have) {
        seats_wait_for(seats_decide(50, NULL));
        assert_true(seats_channels <= n_seats * (n_seats - 1));
}

TEST(a_member_that_was_stopped_catches_up) {
        Seat *leader = seats_wait_for_leader(NULL), *other = seats + (leader->id % n_seats);
        uint64_t last;

        (void) seats_decide(10, NULL);
        seat_stop(other);
        last = seats_decide(50, other);
        seat_start(other);
        seat_wait_for(other, last);
        seats_wait_for(seats_decide(1, NULL));
}

TEST(another_one_leads_when_the_leader_is_stopped) {
        Seat *leader = seats_wait_for_leader(NULL);
        uint64_t last;

        (void) seats_decide(10, NULL);
        seat_stop(leader);
        last = seats_decide(10, leader);
        seat_start(leader);
        seats_wait_for(last);
}

TEST(another_one_leads_when_the_leader_is_cut_off) {
        Seat *leader = seats_wait_for_leader(NULL);
        uint64_t last;

        (void) seats_decide(10, NULL);
        leader->is_cut = true;
        last = seats_decide(10, leader);
        leader->is_cut = false;
        seats_wait_for(last);
        seats_wait_for(seats_decide(1, NULL));
}

TEST(what_was_decided_is_there_when_all_were_stopped) {
        uint64_t last = seats_decide(50, NULL);

        seats_wait_for(last);
        for (size_t i = 0; i < n_seats; i++)
                seat_stop(seats + i);
        for (size_t i = 0; i < n_seats; i++)
                seat_start(seats + i);
        seats_wait_for(last);
        seats_wait_for(seats_decide(1, NULL));
}

/* All three, at once. */
static pid_t start_process(int fds[static 2]) {
        pid_t pid;

        assert_ok(pipe2(fds, O_CLOEXEC));
        pid = fork();
        assert_ok(pid);
        if (pid > 0) {
                (void) close(fds[1]);
                return pid;
        }

        acknowledge_fd = fds[1];
        seats_on_done = acknowledge;
        for (size_t i = 0; i < n_seats; i++)
                seat_start(seats + i);
        (void) seats_decide(2000, NULL);
        for (;;)
                (void) pause();
}

TEST(what_was_acknowledged_survives_that_all_are_killed) {
        static Acknowledged records[4096];
        size_t n = 0;
        int fds[2], status;
        pid_t pid = start_process(fds);

        while (read(fds[0], records + n, sizeof(*records)) == sizeof(*records))
                if (++n == 100)
                        assert_ok(kill(pid, SIGKILL)); /* what it has told until then counts, too */
        assert_true(n >= 100);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        (void) close(fds[0]);

        for (size_t i = 0; i < n_seats; i++)
                seat_start(seats + i);
        seats_wait_for(records[n - 1].index);
        for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < n_seats; j++)
                        assert_true(seats[j].hashes[records[i].index] == records[i].hash);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, seats_setup, seats_teardown)
        const struct CMUnitTest tests[] = {
                RUN(what_is_proposed_is_decided_by_all),
                RUN(members_keep_the_channels_that_they_have),
                RUN(a_member_that_was_stopped_catches_up),
                RUN(another_one_leads_when_the_leader_is_stopped),
                RUN(another_one_leads_when_the_leader_is_cut_off),
                RUN(what_was_decided_is_there_when_all_were_stopped),
                cmocka_unit_test_setup_teardown(
                                what_was_acknowledged_survives_that_all_are_killed, prepare,
                                seats_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
