/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One core, and what the others say is made up. What groups do is for the simulator. */

#include <string.h>

#include "consensus/consensus.h"
#include "test.h"

#define MSEC USEC_PER_MSEC

static const uint8_t group[GROUP_ID_SIZE] = "the group";

typedef struct Fixture {
        Consensus *core;
        ConsensusUpdate update;
        uint64_t now;
} Fixture;

static const ConsensusOptions options = {
        .self = 1,
        .group = "the group",
        .seed = 7,
        .election_usec = 500 * MSEC,
        .heartbeat_usec = 100 * MSEC,
        .batch_size = 100,
        .window_size = 300,
        .backlog_size = 1000,
};

static Members members_of(size_t n) {
        Members members = { .n = n };

        for (size_t i = 0; i < n; i++)
                members.member[i] = (Member){ i + 1, MEMBER_VOTER, "u" };
        return members;
}

static void open_with(Fixture *f, const ConsensusOptions *with, const ConsensusDisk *disk) {
        *f = (Fixture){ .now = 1000 * MSEC };
        assert_ok(consensus_new(with, f->now, disk, &f->core, &f->update));
}

static void open_group(Fixture *f, size_t n) {
        ConsensusApplied applied = { .members = members_of(n) };

        open_with(f, &options, &(ConsensusDisk){ .applied = &applied });
}

static void done(Fixture *f) {
        f->core = consensus_free(f->core);
}

static int receive(Fixture *f, Message message) {
        memcpy(message.group, group, sizeof group);
        message.to = 1;
        return consensus_receive(f->core, f->now, &message, &f->update);
}

static void tick_at(Fixture *f, uint64_t usec) {
        f->now = usec;
        assert_ok(consensus_tick(f->core, f->now, &f->update));
}

static void written(Fixture *f) {
        ConsensusWrite write = f->update.write;

        assert_true(write.number > 0);
        assert_ok(consensus_written(f->core, f->now, &write, &f->update));
}

static const Message *sent(const Fixture *f, MessageType type, uint64_t to) {
        for (size_t i = 0; i < f->update.n_messages; i++)
                if (f->update.messages[i].type == type && f->update.messages[i].to == to)
                        return f->update.messages + i;

        return NULL;
}

static void elect(Fixture *f) {
        uint64_t term = f->update.term + 1;

        tick_at(f, consensus_deadline(f->core));
        assert_non_null(sent(f, MESSAGE_VOTE, 2));
        assert_false(f->update.vote_changed);
        assert_ok(
                        receive(f, (Message){ .type = MESSAGE_VOTE_ANSWER,
                                              .from = 2,
                                              .term = term,
                                              .pre = true }));
        assert_true(f->update.vote_changed);
        assert_int_equal(f->update.term, term);
        assert_int_equal(f->update.vote, 1);
        assert_ok(receive(f, (Message){ .type = MESSAGE_VOTE_ANSWER, .from = 2, .term = term }));
        assert_int_equal(f->update.role, CONSENSUS_LEADER);
        assert_int_equal(f->update.write.first, f->update.write.last);
}

static int answer(Fixture *f, uint64_t from, uint64_t index, uint64_t probe) {
        return receive(f, (Message){ .type = MESSAGE_APPEND_ANSWER,
                                     .from = from,
                                     .term = f->update.term,
                                     .index = index,
                                     .probe = probe });
}

/* A leader that has decided its first entry. */
static void lead(Fixture *f) {
        uint64_t first;

        elect(f);
        first = f->update.write.first;
        written(f);
        assert_ok(answer(f, 2, first, 0));
        assert_int_equal(f->update.commit, first);
}

static int propose(Fixture *f, uint32_t size) {
        Entry entry = { .size = size, .data = "x" };

        return consensus_propose(f->core, f->now, &entry, 1, &f->update);
}

/* As a leader: entries of the terms TERMS behind INDEX. */
static int append(
                Fixture *f,
                uint64_t from,
                uint64_t term,
                uint64_t index,
                uint64_t index_term,
                size_t n,
                const uint64_t *terms,
                uint64_t commit) {
        Entry entries[8] = { 0 };

        for (size_t i = 0; i < n; i++)
                entries[i] = (Entry){
                        .term = terms[i], .type = ENTRY_REQUESTS, .size = 1, .data = "y"
                };
        return receive(f, (Message){ .type = MESSAGE_APPEND,
                                     .from = from,
                                     .term = term,
                                     .index = index,
                                     .index_term = index_term,
                                     .n = n,
                                     .entries = entries,
                                     .commit = commit });
}

TEST(a_voter_alone_leads_at_once_and_decides_when_it_is_written) {
        Fixture f;

        open_group(&f, 1);
        tick_at(&f, consensus_deadline(f.core));
        assert_int_equal(f.update.role, CONSENSUS_LEADER);
        assert_int_equal(f.update.commit, 0);
        written(&f);
        assert_int_equal(f.update.commit, 1);
        assert_int_equal(f.update.n_messages, 0);
        assert_true(consensus_deadline(f.core) == UINT64_MAX);
        done(&f);
}

TEST(messages_of_others_are_refused_and_change_nothing) {
        Fixture f;
        Message message = { .type = MESSAGE_APPEND, .from = 2, .to = 1, .term = 9 };
        Entry bad = { .term = 10, .type = ENTRY_REQUESTS };

        open_group(&f, 3);
        assert_int_equal(consensus_receive(f.core, f.now, &message, &f.update), -EXDEV);
        memcpy(message.group, group, sizeof group);
        message.to = 3;
        assert_int_equal(consensus_receive(f.core, f.now, &message, &f.update), -EXDEV);
        assert_int_equal(receive(&f, (Message){ .type = 99, .from = 2, .term = 9 }), -EBADMSG);
        assert_int_equal(receive(&f, (Message){ .type = MESSAGE_APPEND, .from = 2 }), -EBADMSG);
        assert_int_equal(
                        receive(&f, (Message){ .type = MESSAGE_APPEND,
                                               .from = 2,
                                               .term = 9,
                                               .n = 1,
                                               .entries = &bad }),
                        -EBADMSG);
        bad = (Entry){ .term = 9, .type = ENTRY_MEMBERS, .size = 1, .data = "?" };
        assert_int_equal(
                        receive(&f, (Message){ .type = MESSAGE_APPEND,
                                               .from = 2,
                                               .term = 9,
                                               .n = 1,
                                               .entries = &bad }),
                        -EBADMSG);
        tick_at(&f, f.now);
        assert_int_equal(f.update.term, 0);
        done(&f);
}

TEST(who_hears_a_leader_votes_for_nobody_else_unless_the_leader_wants_it) {
        Fixture f;
        Message vote = { .type = MESSAGE_VOTE, .from = 3, .term = 6, .index = 9, .index_term = 5 };

        open_group(&f, 3);
        f.now += 1000 * MSEC;
        assert_ok(append(&f, 2, 5, 0, 0, 0, NULL, 0));
        f.now += 499 * MSEC;
        assert_ok(receive(&f, vote));
        assert_true(sent(&f, MESSAGE_VOTE_ANSWER, 3)->refused);
        assert_int_equal(f.update.term, 5);
        vote.pre = true;
        assert_ok(receive(&f, vote));
        assert_true(sent(&f, MESSAGE_VOTE_ANSWER, 3)->refused);

        vote.pre = false;
        vote.force = true;
        assert_ok(receive(&f, vote));
        assert_false(sent(&f, MESSAGE_VOTE_ANSWER, 3)->refused);
        assert_true(f.update.vote_changed);
        assert_int_equal(f.update.vote, 3);
        done(&f);
}

TEST(the_end_of_a_connection_to_the_leader_shortens_the_wait) {
        Fixture f;
        uint64_t usual;

        open_group(&f, 3);
        f.now += 1000 * MSEC;
        assert_ok(append(&f, 2, 5, 0, 0, 0, NULL, 0));
        usual = consensus_deadline(f.core);
        assert_ok(consensus_disconnected(f.core, f.now, 3, &f.update));
        assert_int_equal(consensus_deadline(f.core), usual);
        assert_ok(consensus_disconnected(f.core, f.now, 2, &f.update));
        assert_true(consensus_deadline(f.core) <= f.now + 20 * MSEC);
        done(&f);
}

TEST(a_vote_is_given_once_a_term_also_over_a_start) {
        Fixture f;
        ConsensusApplied applied = { .members = members_of(3) };
        Message vote = { .type = MESSAGE_VOTE, .from = 3, .term = 5, .force = true };

        open_with(&f, &options, &(ConsensusDisk){ .term = 5, .vote = 2, .applied = &applied });
        assert_ok(receive(&f, vote));
        assert_true(sent(&f, MESSAGE_VOTE_ANSWER, 3)->refused);
        vote.from = 2;
        assert_ok(receive(&f, vote));
        assert_false(sent(&f, MESSAGE_VOTE_ANSWER, 2)->refused);
        done(&f);
}

/* Figure 8 of the paper. */
TEST(an_entry_of_an_older_term_is_decided_with_one_of_this_term_only) {
        Fixture f;
        ConsensusApplied applied = { .members = members_of(3) };
        Entry entry = { .term = 2, .type = ENTRY_REQUESTS, .size = 1, .data = "x" };

        open_with(&f, &options,
                  &(ConsensusDisk){ .term = 3, .entries = &entry, .n = 1, .applied = &applied });
        elect(&f);
        written(&f);
        assert_ok(answer(&f, 2, 1, 0));
        assert_int_equal(f.update.commit, 0);
        assert_ok(answer(&f, 2, 2, 0));
        assert_int_equal(f.update.commit, 2);
        done(&f);
}

TEST(a_late_notice_of_a_write_that_was_cut_off_does_not_count) {
        Fixture f;
        ConsensusWrite first, third;

        open_group(&f, 3);
        assert_ok(append(&f, 2, 2, 0, 0, 1, (const uint64_t[]){ 2 }, 0));
        first = f.update.write;
        assert_ok(append(&f, 3, 3, 0, 0, 1, (const uint64_t[]){ 3 }, 0));
        assert_ok(
                        append(&f, 2, 4, 0, 0, 1, (const uint64_t[]){ 2 },
                               0)); /* the same entry as at first */
        third = f.update.write;
        assert_int_equal(third.first, 1);

        assert_ok(consensus_written(f.core, f.now, &first, &f.update));
        assert_int_equal(f.update.n_messages, 0);
        assert_int_equal(consensus_match(f.core, 1), 0);
        assert_ok(consensus_written(f.core, f.now, &third, &f.update));
        assert_int_equal(sent(&f, MESSAGE_APPEND_ANSWER, 2)->index, 1);
        done(&f);
}

TEST(other_entries_than_those_that_were_decided_stop_it) {
        Fixture f;

        open_group(&f, 3);
        assert_ok(append(&f, 2, 2, 0, 0, 2, (const uint64_t[]){ 2, 2 }, 1));
        assert_int_equal(f.update.commit, 1);
        assert_ok(append(&f, 3, 3, 1, 2, 1, (const uint64_t[]){ 3 }, 1));
        assert_int_equal(append(&f, 3, 3, 0, 0, 1, (const uint64_t[]){ 3 }, 1), -EUCLEAN);
        done(&f);
}

TEST(what_does_not_fit_is_refused_with_a_hint) {
        Fixture f;
        const Message *message;

        open_group(&f, 3);
        assert_ok(append(&f, 2, 4, 0, 0, 3, (const uint64_t[]){ 1, 2, 2 }, 1));
        assert_ok(append(&f, 3, 5, 3, 4, 0, NULL, 1));
        message = sent(&f, MESSAGE_APPEND_ANSWER, 3);
        assert_true(message->refused);
        assert_int_equal(message->index, 3);
        assert_int_equal(message->hint, 1);
        done(&f);
}

TEST(reads_that_come_while_a_probe_is_under_way_share_the_next_one) {
        Fixture f;
        uint64_t first, second, third;

        open_group(&f, 3);
        elect(&f);
        assert_int_equal(consensus_probe(f.core, f.now, &first, &f.update), -EAGAIN);
        done(&f);

        open_group(&f, 3);
        lead(&f);
        assert_ok(consensus_probe(f.core, f.now, &first, &f.update));
        assert_int_equal(sent(&f, MESSAGE_APPEND, 2)->probe, first);
        assert_ok(consensus_probe(f.core, f.now, &second, &f.update));
        assert_int_equal(f.update.n_messages, 0);
        assert_ok(consensus_probe(f.core, f.now, &third, &f.update));
        assert_int_equal(second, first + 1);
        assert_int_equal(third, second);

        assert_ok(answer(&f, 3, 0, first));
        assert_int_equal(f.update.confirmed, first);
        assert_int_equal(sent(&f, MESSAGE_APPEND, 3)->probe, second);
        assert_ok(answer(&f, 3, 0, second));
        assert_int_equal(f.update.confirmed, second);
        done(&f);
}

TEST(a_lease_ends_half_an_election_time_after_the_probe_began) {
        ConsensusOptions leasing = options;
        ConsensusApplied applied = { .members = members_of(3) };
        uint64_t number, begin;
        Fixture f;

        leasing.lease = true;
        open_with(&f, &leasing, &(ConsensusDisk){ .applied = &applied });
        lead(&f);
        begin = f.now;
        assert_ok(consensus_probe(f.core, f.now, &number, &f.update));
        assert_true(sent(&f, MESSAGE_APPEND, 2)->lease);
        f.now += 10 * MSEC;
        assert_ok(answer(&f, 3, 0, number));
        assert_int_equal(consensus_lease_end(f.core), begin + 250 * MSEC);
        assert_ok(consensus_transfer(f.core, f.now, 2, &f.update));
        assert_int_equal(consensus_lease_end(f.core), 0);
        done(&f);
}

TEST(a_leader_that_hears_no_majority_steps_down) {
        Fixture f;

        open_group(&f, 3);
        lead(&f);
        tick_at(&f, f.now + 450 * MSEC);
        assert_int_equal(f.update.role, CONSENSUS_LEADER);
        tick_at(&f, f.now + 100 * MSEC);
        assert_int_equal(f.update.role, CONSENSUS_FOLLOWER);
        assert_int_equal(propose(&f, 1), -EOWNERDEAD);
        done(&f);
}

TEST(the_lead_is_handed_over_when_the_other_one_has_everything) {
        Fixture f;

        open_group(&f, 3);
        lead(&f);
        assert_ok(propose(&f, 10));
        assert_ok(consensus_transfer(f.core, f.now, 2, &f.update));
        assert_int_equal(propose(&f, 10), -EBUSY);
        assert_ok(answer(&f, 2, 1, 0));
        assert_null(sent(&f, MESSAGE_CAMPAIGN, 2));
        assert_ok(answer(&f, 2, 2, 0));
        assert_non_null(sent(&f, MESSAGE_CAMPAIGN, 2));
        assert_ok(answer(&f, 3, 2, 0));
        tick_at(&f, f.now + 400 * MSEC);
        assert_ok(answer(&f, 3, 2, 0));
        tick_at(&f, f.now + 200 * MSEC);
        assert_ok(propose(&f, 10)); /* nothing came of it */
        done(&f);
}

TEST(memory_and_what_is_under_way_have_limits) {
        Fixture f;
        uint64_t bytes = 0;

        open_group(&f, 3);
        lead(&f);
        for (size_t i = 0; i < 10; i++) {
                assert_ok(propose(&f, 100));
                bytes += sent(&f, MESSAGE_APPEND, 2) ? 100 : 0;
        }
        assert_int_equal(bytes, 300);
        assert_int_equal(propose(&f, 100), -EAGAIN);
        assert_int_equal(propose(&f, ENTRY_SIZE_MAX + 1), -EFBIG);
        assert_ok(answer(&f, 2, 4, 0));
        assert_int_equal(sent(&f, MESSAGE_APPEND, 2)->n, 1);
        done(&f);
}

TEST(who_needs_what_is_gone_fetches_a_database) {
        Fixture f;
        ConsensusApplied applied = { .index = 20, .term = 3, .members = members_of(3) };

        open_group(&f, 3);
        assert_ok(
                        receive(&f, (Message){ .type = MESSAGE_BEHIND,
                                               .from = 2,
                                               .term = 4,
                                               .index = 10,
                                               .index_term = 2 }));
        assert_int_equal(f.update.fetch, 10);
        assert_ok(consensus_installed(f.core, f.now, &applied, &f.update));
        assert_true(f.update.write.reset);
        assert_int_equal(f.update.write.first, 21);
        assert_int_equal(f.update.commit, 20);
        assert_int_equal(sent(&f, MESSAGE_APPEND_ANSWER, 2)->index, 20);
        assert_int_equal(consensus_installed(f.core, f.now, &applied, &f.update), -EALREADY);
        assert_ok(append(&f, 2, 4, 20, 3, 1, (const uint64_t[]){ 4 }, 20));
        assert_int_equal(f.update.write.first, 21);
        done(&f);
}

TEST(a_leader_sends_who_is_behind_to_a_database) {
        Fixture f;

        open_group(&f, 3);
        lead(&f);
        for (size_t i = 0; i < 5; i++) {
                assert_ok(propose(&f, 10));
                written(&f);
        }
        assert_ok(answer(&f, 2, 6, 0));
        assert_int_equal(consensus_compact(f.core, 4), 4);
        assert_ok(
                        receive(&f, (Message){ .type = MESSAGE_APPEND_ANSWER,
                                               .from = 3,
                                               .term = 1,
                                               .refused = true,
                                               .index = 0,
                                               .hint = 0 }));
        tick_at(&f, f.now + 100 * MSEC);
        assert_int_equal(sent(&f, MESSAGE_BEHIND, 3)->index, 4);
        assert_ok(answer(&f, 3, 5, 0));
        assert_int_equal(sent(&f, MESSAGE_APPEND, 3)->index, 5);
        done(&f);
}

TEST(one_member_changes_at_a_time_and_a_leader_that_leaves_steps_down) {
        Fixture f;
        uint64_t index, other;
        bool decided;

        open_group(&f, 3);
        elect(&f);
        assert_int_equal(
                        consensus_change(
                                        f.core, f.now, &(MemberChange){ MEMBER_REMOVE, 1, NULL },
                                        &index, &f.update),
                        -EBUSY);
        done(&f);

        open_group(&f, 3);
        lead(&f);
        assert_ok(consensus_change(
                        f.core, f.now, &(MemberChange){ MEMBER_REMOVE, 1, NULL }, &index,
                        &f.update));
        assert_int_equal(consensus_members(f.core, &decided)->n, 2);
        assert_false(decided);
        assert_int_equal(
                        consensus_change(
                                        f.core, f.now, &(MemberChange){ MEMBER_ADD, 4, "u" },
                                        &other, &f.update),
                        -EBUSY);
        assert_ok(answer(&f, 2, index, 0));
        assert_int_equal(f.update.role, CONSENSUS_LEADER);
        assert_ok(answer(&f, 3, index, 0));
        assert_int_equal(f.update.commit, index);
        assert_int_equal(f.update.role, CONSENSUS_FOLLOWER);
        done(&f);
}

TEST(a_set_of_members_that_is_cut_off_is_not_in_force_any_more) {
        Fixture f;
        Members four = members_of(4);
        Buffer buffer = { 0 };
        Entry entry = { .term = 2, .type = ENTRY_MEMBERS };
        bool decided;

        members_encode(&four, &buffer);
        entry.size = (uint32_t) buffer.size;
        entry.data = buffer.data;
        open_group(&f, 3);
        assert_ok(
                        receive(&f, (Message){ .type = MESSAGE_APPEND,
                                               .from = 2,
                                               .term = 2,
                                               .n = 1,
                                               .entries = &entry }));
        assert_int_equal(consensus_members(f.core, &decided)->n, 4);
        assert_ok(append(&f, 3, 3, 0, 0, 1, (const uint64_t[]){ 3 }, 0));
        assert_int_equal(consensus_members(f.core, &decided)->n, 3);
        assert_true(decided);
        buffer_done(&buffer);
        done(&f);
}

TEST(a_database_ahead_of_the_log_begins_it_again_and_one_behind_it_is_damage) {
        Fixture f;
        ConsensusApplied applied = { .index = 9, .term = 3, .members = members_of(3) };
        Entry entries[] = { { .term = 1, .type = ENTRY_NOTHING },
                            { .term = 2, .type = ENTRY_NOTHING } };
        ConsensusDisk disk = { .term = 2,
                               .vote = 1,
                               .base_index = 4,
                               .base_term = 1,
                               .entries = entries,
                               .n = 2,
                               .applied = &applied };

        open_with(&f, &options, &disk);
        assert_true(f.update.write.reset);
        assert_int_equal(f.update.write.first, 10);
        assert_int_equal(f.update.write.base_term, 3);
        assert_true(f.update.vote_changed);
        assert_int_equal(f.update.term, 3);
        done(&f);

        applied.index = 3;
        assert_int_equal(consensus_new(&options, 0, &disk, &f.core, &f.update), -EBADMSG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_voter_alone_leads_at_once_and_decides_when_it_is_written),
                cmocka_unit_test(messages_of_others_are_refused_and_change_nothing),
                cmocka_unit_test(
                                who_hears_a_leader_votes_for_nobody_else_unless_the_leader_wants_it),
                cmocka_unit_test(the_end_of_a_connection_to_the_leader_shortens_the_wait),
                cmocka_unit_test(a_vote_is_given_once_a_term_also_over_a_start),
                cmocka_unit_test(an_entry_of_an_older_term_is_decided_with_one_of_this_term_only),
                cmocka_unit_test(a_late_notice_of_a_write_that_was_cut_off_does_not_count),
                cmocka_unit_test(other_entries_than_those_that_were_decided_stop_it),
                cmocka_unit_test(what_does_not_fit_is_refused_with_a_hint),
                cmocka_unit_test(reads_that_come_while_a_probe_is_under_way_share_the_next_one),
                cmocka_unit_test(a_lease_ends_half_an_election_time_after_the_probe_began),
                cmocka_unit_test(a_leader_that_hears_no_majority_steps_down),
                cmocka_unit_test(the_lead_is_handed_over_when_the_other_one_has_everything),
                cmocka_unit_test(memory_and_what_is_under_way_have_limits),
                cmocka_unit_test(who_needs_what_is_gone_fetches_a_database),
                cmocka_unit_test(a_leader_sends_who_is_behind_to_a_database),
                cmocka_unit_test(one_member_changes_at_a_time_and_a_leader_that_leaves_steps_down),
                cmocka_unit_test(a_set_of_members_that_is_cut_off_is_not_in_force_any_more),
                cmocka_unit_test(
                                a_database_ahead_of_the_log_begins_it_again_and_one_behind_it_is_damage),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
