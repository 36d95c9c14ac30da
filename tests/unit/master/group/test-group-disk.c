/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Members whose disks hang: what need not wait for them does not. */

#include "test.h"

#include <errno.h>
#include <semaphore.h>
#include <unistd.h>

#include "base/clock.h"
#include "master/group/group-internal.h"
#include "master/group/seats.h"

/* The log whose writes or votes hang, until they are let go. */
static _Atomic(EntryLog *) hung_writes, hung_votes;
static atomic_uint n_hung;
static sem_t let_go;

static void hang(_Atomic(EntryLog *) *hung, const EntryLog *log) {
        if (*hung != log)
                return;
        n_hung++;
        while (sem_wait(&let_go) < 0)
                ;
}

int __real_entry_log_write(EntryLog *log, const ConsensusWrite *writes, size_t n);
int __wrap_entry_log_write(EntryLog *log, const ConsensusWrite *writes, size_t n);

int __wrap_entry_log_write(EntryLog *log, const ConsensusWrite *writes, size_t n) {
        hang(&hung_writes, log);
        return __real_entry_log_write(log, writes, n);
}

int __real_entry_log_vote(EntryLog *log, uint64_t term, uint64_t vote);
int __wrap_entry_log_vote(EntryLog *log, uint64_t term, uint64_t vote);

int __wrap_entry_log_vote(EntryLog *log, uint64_t term, uint64_t vote) {
        hang(&hung_votes, log);
        return __real_entry_log_vote(log, term, vote);
}

static atomic_bool is_backlog_large;

size_t __wrap_log_writer_backlog(const LogWriter *writer);

size_t __wrap_log_writer_backlog(const LogWriter *writer) {
        return is_backlog_large ? SIZE_MAX : 0;
}

static int setup(void **state) {
        seats_prepare(3, 0);
        hung_writes = hung_votes = NULL;
        is_backlog_large = false;
        n_hung = 0;
        return sem_init(&let_go, 0, 0);
}

static void release(_Atomic(EntryLog *) *hung) {
        *hung = NULL;
        for (unsigned i = n_hung; i > 0; i--)
                assert_ok(sem_post(&let_go));
}

/* Patient members, so that nobody is elected because this machine is busy. */
static Seat *start_patiently(void) {
        for (size_t i = 0; i < n_seats; i++) {
                seats[i].election_usec = 2 * USEC_PER_SEC;
                seat_start(seats + i);
        }
        return seats_wait_for_leader(NULL);
}

TEST(a_leader_whose_disk_hangs_leads_on) {
        Seat *leader = start_patiently();
        uint64_t end = clock_usec(CLOCK_BOOTTIME) + 3 * leader->election_usec;
        uint64_t term = leader->view.term, last;
        GroupStatus status;

        hung_writes = leader->group->log;
        do {
                last = seats_decide(1, NULL); /* the others have it on their disks */
                assert_int_equal(seat_probe(leader, term), 0);
        } while (clock_usec(CLOCK_BOOTTIME) < end);
        assert_int_equal(n_hung, 1);
        group_status(leader->group, &status);
        assert_int_equal(status.view.term, term);
        assert_int_equal(status.view.role, CONSENSUS_LEADER);
        assert_true(status.stored < last && status.told >= last);

        release(&hung_writes);
        seats_wait_for(last);
        while (status.stored < last) {
                (void) usleep(USEC_PER_MSEC);
                group_status(leader->group, &status);
        }
}

TEST(a_follower_whose_disk_hangs_confirms_reads) {
        Seat *leader = start_patiently(), *hangs = seats + (leader->id % 3);
        Seat *cut = seats + (hangs->id % 3);
        uint64_t last = seats_decide(5, NULL);

        seat_wait_for(hangs, last);
        hung_writes = hangs->group->log;
        (void) seats_decide(1, NULL);
        while (n_hung == 0)
                (void) usleep(USEC_PER_MSEC);
        cut->is_cut = true;
        assert_int_equal(seat_probe(leader, leader->view.term), 0);
        cut->is_cut = false;
        release(&hung_writes);
        seats_wait_for(seats_decide(5, NULL));
}

/* Others may decide it, but it would take ever more memory here. */
TEST(nothing_is_taken_that_the_disk_does_not_get_rid_of) {
        static int proposal;
        Seat *leader = start_patiently();
        Buffer data = {};

        is_backlog_large = true;
        buffer_put_u64(&data, 1);
        assert_int_equal(group_propose(leader->group, &data, &proposal), 0);
        SEATS_WAIT_FOR(seats_refused > 0);
        assert_int_equal(seats_refusal, -EAGAIN);
        assert_int_equal(seats_done, 0);
        is_backlog_large = false;
        seats_wait_for(seats_decide(5, NULL));
}

static bool is_led(void) {
        bool is_led = false;

        (void) pthread_mutex_lock(&seats_lock);
        for (size_t i = 0; i < n_seats; i++)
                is_led = is_led || seats[i].view.role == CONSENSUS_LEADER;
        (void) pthread_mutex_unlock(&seats_lock);
        return is_led;
}

/* There are two of three, so each of them needs the vote of the other. */
TEST(a_vote_counts_when_it_is_on_the_disk) {
        Seat *hangs = seats, *other = seats + 1;

        seat_start(hangs);
        hung_votes = hangs->group->log; /* it has not voted yet: that takes an election time */
        seat_start(other);
        while (n_hung == 0)
                (void) usleep(USEC_PER_MSEC);
        (void) usleep(5 * SEATS_ELECTION_USEC); /* time enough to be elected */
        assert_false(is_led());
        release(&hung_votes);
        (void) seats_wait_for_leader(NULL);
        seats_wait_for(seats_decide(5, NULL));
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, seats_teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_leader_whose_disk_hangs_leads_on),
                RUN(a_follower_whose_disk_hangs_confirms_reads),
                RUN(nothing_is_taken_that_the_disk_does_not_get_rid_of),
                RUN(a_vote_counts_when_it_is_on_the_disk),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
