/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One member, to which the test is another one: how it finds out who leads, and what becomes of
 * what was proposed to it when that is somebody else. */

#include "test.h"

#include <errno.h>
#include <unistd.h>

#include "master/group/lone.h"

/* What number 2 says. */
static Message message_of(MessageType type, uint64_t term) {
        return (Message){ .type = type, .group = "a group", .from = 2, .to = 1, .term = term };
}

/* As the leader of TERM: a heartbeat, or an entry at INDEX. */
static void hear_leader(uint64_t term, uint64_t index) {
        const Entry entry = { .term = term, .type = ENTRY_REQUESTS };
        Message message = message_of(MESSAGE_APPEND, term);

        message.index = index > 0 ? index - 1 : 0;
        message.index_term = index > 1;
        message.n = index > 0;
        message.entries = &entry;
        lone_hear(1, &message);
}

TEST(a_leader_is_lost_when_its_last_connection_ends) {
        const Handshake old = lone_other(1), new = lone_other(2);

        lone.follows = true;
        lone_start(0);
        hear_leader(1, 0);
        LONE_WAIT_FOR(lone.view.leader == 2);
        group_connected(lone.group, &old);
        group_connected(lone.group, &new);
        group_disconnected(lone.group, &old);
        hear_leader(2, 0); /* behind that */
        assert_ok(sem_post(&lone.goes_on));
        LONE_WAIT_FOR(lone.view.term == 2 && lone.view.leader == 2);
        assert_ok(sem_post(&lone.goes_on));
        assert_int_equal(lone.n_lost, 0);
        group_disconnected(lone.group, &new);
        LONE_WAIT_FOR(lone.n_lost == 1);
}

/* Number 2 hands the lead over, and votes for this one. */
static void be_elected(void) {
        const Message campaign = message_of(MESSAGE_CAMPAIGN, 1);
        const Message vote = message_of(MESSAGE_VOTE_ANSWER, 2);

        lone.is_elected = true;
        lone_start(0);
        hear_leader(1, 0);
        lone_hear(1, &campaign);
        lone_hear(1, &vote);
        LONE_WAIT_FOR(lone.view.role == CONSENSUS_LEADER);
}

/* Returns the term in which this one leads, as soon as it has an entry at INDEX. */
static uint64_t wait_for_entry(uint64_t index) {
        while (lone_status().last < index)
                (void) usleep(100);
        return lone_status().view.term;
}

/* Number 2 has the entries up to INDEX on its disk, and so they are decided. */
static void have_decided(uint64_t index) {
        Message answer = message_of(MESSAGE_APPEND_ANSWER, wait_for_entry(index));

        answer.index = index;
        lone_hear(1, &answer);
        lone_wait_for_commit(index);
}

/* Number 2 leads in the next term, and has had another entry decided at INDEX before it is heard
 * of. */
static void have_decided_otherwise(uint64_t index) {
        uint64_t term = wait_for_entry(index);
        const Entry entry = { .term = term + 1, .type = ENTRY_REQUESTS };
        Message append = message_of(MESSAGE_APPEND, term + 1);

        append.index = index - 1;
        append.index_term = term;
        append.n = 1;
        append.entries = &entry;
        append.commit = index;
        lone_hear(1, &append);
}

TEST(a_proposal_whose_place_another_entry_has_taken_is_told_of) {
        be_elected();
        lone_propose();
        have_decided_otherwise(2);
        LONE_WAIT_FOR(lone.n_refused == 1);
        assert_int_equal(lone.refusal, -EINPROGRESS);
        assert_int_equal(lone.n_decided, 0);
}

static void on_changed(GroupChange *change, int error) {
        lone_enter();
        lone.n_changed++;
        lone.change_error = error;
        lone_leave();
}

TEST(a_change_whose_place_another_entry_has_taken_is_not_done) {
        GroupChange change = { .change = { MEMBER_REMOVE, 3, NULL }, .done = on_changed };

        be_elected();
        have_decided(1);
        assert_int_equal(group_change(lone.group, &change), 0);
        have_decided_otherwise(2);
        LONE_WAIT_FOR(lone.n_changed == 1);
        assert_int_equal(lone.change_error, -EINPROGRESS);
}

TEST(a_change_is_done_when_it_is_decided) {
        GroupChange change = { .change = { MEMBER_REMOVE, 3, NULL }, .done = on_changed };

        be_elected();
        have_decided(1);
        assert_int_equal(group_change(lone.group, &change), 0);
        have_decided(2);
        LONE_WAIT_FOR(lone.n_changed == 1);
        assert_int_equal(lone.change_error, 0);
}

TEST(what_is_undecided_is_given_up_with_the_lead) {
        Message heartbeat;

        be_elected();
        lone_propose();
        heartbeat = message_of(MESSAGE_APPEND, wait_for_entry(2) + 1);
        lone_hear(1, &heartbeat);
        LONE_WAIT_FOR(lone.view.role == CONSENSUS_FOLLOWER);
        assert_int_equal(lone.n_refused, 1);
        assert_int_equal(lone.refusal, -EINPROGRESS);
}

/* One entry of this one is decided, and a change, and another one is not, when it loses the lead
 * before it was told of any of them. */
static void lose_lead_untold(GroupChange *change) {
        be_elected();
        have_decided(1);
        LONE_WAIT_FOR(lone.view.start == 1);
        lone_refuse(-EAGAIN);
        lone_propose();
        assert_int_equal(group_change(lone.group, change), 0);
        have_decided(3);
        lone_propose();
        have_decided_otherwise(4);
        LONE_WAIT_FOR(lone.view.role == CONSENSUS_FOLLOWER);
        assert_int_equal(lone.n_refused, 1);
        assert_int_equal(lone.refusal, -EINPROGRESS);
        assert_int_equal(lone.n_changed, 0);
        assert_int_equal(lone.told, 1);
}

TEST(what_is_decided_is_told_of_though_the_lead_is_lost) {
        GroupChange change = { .change = { MEMBER_REMOVE, 3, NULL }, .done = on_changed };

        lose_lead_untold(&change);
        lone_take_again();
        LONE_WAIT_FOR(lone.told == 4);
        assert_int_equal(lone.n_decided, 1);
        assert_int_equal(lone.n_refused, 1);
        assert_int_equal(lone.n_changed, 1);
        assert_int_equal(lone.change_error, 0);
}

TEST(what_a_database_has_is_not_told_of_any_more) {
        GroupChange change = { .change = { MEMBER_REMOVE, 3, NULL }, .done = on_changed };
        const ConsensusApplied database = {
                .index = 10,
                .term = 3,
                .members_index = 3,
                .members = { 2, { { 1, MEMBER_VOTER, LONE_URL }, { 2, MEMBER_VOTER, LONE_URL } } },
        };

        lose_lead_untold(&change);
        group_installed(lone.group, &database);
        LONE_WAIT_FOR(lone.n_refused == 2 && lone.n_changed == 1);
        assert_int_equal(lone.refusal, -EINPROGRESS);
        assert_int_equal(lone.change_error, -EINPROGRESS);
        while (lone_status().told < database.index)
                (void) usleep(100);
        assert_int_equal(lone.told, 1);
}

/* As many writes as one flush is for, and then a vote that cannot be kept and another write, which
 * the log would refuse. */
TEST(nothing_is_written_behind_a_vote_that_is_not_on_the_disk) {
        lone.follows = true;
        lone_start(0);
        hear_leader(1, 0);
        LONE_WAIT_FOR(lone.view.leader == 2);
        for (uint64_t index = 1; index <= 64; index++)
                hear_leader(1, index);
        hear_leader(2, 65);
        lone.vote_error = -EIO;
        assert_ok(sem_post(&lone.goes_on));
        assert_ok(sem_post(&lone.goes_on)); /* it may hear of the next term before the disk fails */
        LONE_WAIT_FOR(lone.broken < 0);
        assert_int_equal(lone.broken, -EIO);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, lone_setup, lone_teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_leader_is_lost_when_its_last_connection_ends),
                RUN(a_proposal_whose_place_another_entry_has_taken_is_told_of),
                RUN(a_change_whose_place_another_entry_has_taken_is_not_done),
                RUN(a_change_is_done_when_it_is_decided),
                RUN(what_is_undecided_is_given_up_with_the_lead),
                RUN(what_is_decided_is_told_of_though_the_lead_is_lost),
                RUN(what_a_database_has_is_not_told_of_any_more),
                RUN(nothing_is_written_behind_a_vote_that_is_not_on_the_disk),
        };

        if (access("/dev/shm", W_OK) >= 0)
                (void) setenv("TMPDIR", "/dev/shm", 0);

        return cmocka_run_group_tests(tests, NULL, NULL);
}
