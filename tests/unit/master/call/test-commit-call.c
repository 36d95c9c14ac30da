/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Commits that volumes ask for. */

#include "test.h"

#include "master/call/peer.h"
#include "sweep.h"

TEST(commits_are_answered_one_by_one) {
        Buffer body = {};

        put_commit(&body, "a", next_version(), 1);
        put_commit(&body, "b", next_version(), 2);
        put_commit(&body, "a", next_version(), 3);
        assert_int_equal(call(CALL_COMMIT, &body), 200);
        assert_int_equal(result_of(0).error, 0);
        assert_true(result_of(0).created);
        assert_true(result_of(1).created);
        assert_false(result_of(2).created);
        assert_true(result_of(2).revision > result_of(0).revision);
        assert_int_equal(record_of("a").copies[0], 3);
        assert_int_equal(record_of("b").size, 9);
}

TEST(a_condition_that_does_not_hold_fails_its_commit_alone) {
        Buffer body = {};

        put_commit(&body, "a", next_version(), 1);
        assert_int_equal(call(CALL_COMMIT, &body), 200);

        wire_put_commit(&body, &(WireCommit){
                                               .key = "a",
                                               .record = { .version = next_version(),
                                                           .content_type = "",
                                                           .copies = { 1 },
                                                           .n_copies = 1 },
                                               .condition.create_only = true,
                               });
        put_commit(&body, "b", next_version(), 1);
        assert_int_equal(call(CALL_COMMIT, &body), 200);
        assert_int_equal(result_of(0).error, -EEXIST);
        assert_int_equal(result_of(1).error, 0);
}

TEST(commits_that_this_master_cannot_have_asked_for_are_refused) {
        Buffer body = {};

        put_commit(&body, "a", index_version_end(world.index), 1);
        assert_int_equal(call(CALL_COMMIT, &body), 400); /* from the future */
        put_commit(&body, "a", 0, 1);
        assert_int_equal(call(CALL_COMMIT, &body), 400);
        put_commit(&body, "a", next_version(), 9);
        assert_int_equal(call(CALL_COMMIT, &body), 400); /* on a volume that nobody knows */
        buffer_put(&body, "nonsense", 8);
        assert_int_equal(call(CALL_COMMIT, &body), 400);
        assert_int_equal(call(CALL_COMMIT, &body), 200); /* nothing at all */
        assert_int_equal(answer.body.size, 0);
}

TEST(the_index_is_heard_about_each_commit) {
        static const struct {
                Interception interception;
                int error;
        } rows[] = { { INTERCEPT_REFUSE, -ENOSPC }, { INTERCEPT_NOT_LEADER, -EOWNERDEAD } };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Buffer body = {};

                intercept(rows[i].interception);
                put_commit(&body, "a", next_version(), 1);
                assert_int_equal(call(CALL_COMMIT, &body), 200);
                assert_int_equal(result_of(0).error, rows[i].error);
                intercept(INTERCEPT_NOT);
        }
}

/* Who may call at all is the gate's affair; which store, and whom it follows, is ours. */
TEST(calls_of_others_are_refused) {
        Parties parties;
        Buffer body = {};

        parties = parties_of(1);
        parties.from.uuid[0]++; /* another store of that number */
        assert_int_equal(call_as(&parties, CALL_COMMIT, &body), 421);
        parties = parties_of(1);
        parties.lead.cluster[0]++;
        assert_int_equal(call_as(&parties, CALL_COMMIT, &body), 421);
        parties = parties_of(1);
        parties.to.number = 2;
        assert_int_equal(call_as(&parties, CALL_COMMIT, &body), 421);
        parties = parties_of(1);
        parties.from.number = 0; /* masters do not make this call */
        assert_int_equal(call_as(&parties, CALL_COMMIT, &body), 421);
        parties = parties_of(1);
        parties.lead.term++;
        assert_int_equal(call_as(&parties, CALL_COMMIT, &body), 410);
        parties = parties_of(1);
        parties.lead.term--;
        assert_int_equal(call_as(&parties, CALL_COMMIT, &body), 425);
        parties = parties_of(1);
        assert_int_equal(call_as(&parties, CALL_COMMIT, &body), 200);
}

/* Of a batch one commit goes astray; the others are none the worse. */
static void commit_scene(Sweep *sweep, void *userdata) {
        static const char *const keys[] = { "a", "b", "c" };
        uint64_t versions[ELEMENTSOF(keys)];
        unsigned n_failed = 0;
        Buffer body = {};

        assert_int_equal(peer_setup(NULL), 0);
        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                versions[i] = next_version();
                put_commit(&body, keys[i], versions[i], 1);
        }
        sweep_begin(sweep, world.index);
        assert_int_equal(call(CALL_COMMIT, &body), 200);
        sweep_end(sweep, world.index);
        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                WireCommitResult result = result_of(i);

                if (result.error == 0) {
                        assert_int_equal(record_of(keys[i]).version, versions[i]);
                        continue;
                }
                n_failed++;
                assert_int_equal(
                                result.error,
                                sweep_way(sweep) == INTERCEPT_NOT_LEADER ? -EOWNERDEAD : -ECOMM);
                if (sweep_way(sweep) == INTERCEPT_LOSE_ANSWER) /* so that the client can find out */
                        assert_int_equal(result.revision, record_of(keys[i]).revision);
                else
                        assert_int_equal(result.revision, 0);
        }
        assert_int_equal(n_failed, sweep_met(sweep) != 0);

        /* The volume asks again, for all of them, and gets the answers of the first time. */
        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                put_commit(&body, keys[i], versions[i], 1);
        assert_int_equal(call(CALL_COMMIT, &body), 200);
        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                assert_int_equal(result_of(i).error, 0);
                assert_int_equal(result_of(i).revision, record_of(keys[i]).revision);
        }
        assert_int_equal(peer_teardown(NULL), 0);
}

TEST(a_commit_that_goes_astray_can_be_asked_for_again) {
        assert_true(sweep_index(commit_scene, NULL) >= 3);
}

TEST(a_call_has_a_limit_of_commits) {
        uint64_t version = next_version();
        Buffer body = {};

        for (unsigned i = 0; i < 4096; i++)
                put_commit(&body, "a", version, 1);
        assert_int_equal(call(CALL_COMMIT, &body), 200);
        assert_int_equal(result_of(4095).error, 0);
        for (unsigned i = 0; i < 4097; i++)
                put_commit(&body, "a", version, 1);
        assert_int_equal(call(CALL_COMMIT, &body), 400);
}

/* What cannot be a record of ours never gets to the index. */
TEST(a_record_that_makes_no_sense_is_refused) {
        static const Record records[] = {
                { .content_type = "", .n_copies = 0 },
                { .content_type = "", .copies = { 1, 1 }, .n_copies = 2 },
                { .content_type = "", .copies = { 0 }, .n_copies = 1 },
                { .content_type = "a\r\nb: c", .copies = { 1 }, .n_copies = 1 },
                { .content_type = "",
                  .metadata = "x",
                  .metadata_size = 1,
                  .copies = { 1 },
                  .n_copies = 1 },
        };

        for (size_t i = 0; i < ELEMENTSOF(records); i++) {
                WireCommit commit = { .key = "a", .record = records[i] };
                Buffer body = {};

                commit.record.version = next_version();
                wire_put_commit(&body, &commit);
                assert_int_equal(call(CALL_COMMIT, &body), 400);
        }
        assert_status(get("/a"), 404);
}

TEST(a_master_that_does_not_lead_commits_nothing) {
        Buffer body = {};
        uint64_t version = next_version();

        put_commit(&body, "a", version, 1);
        assert_int_equal(call(CALL_COMMIT, &body), 200);
        intercept(INTERCEPT_NOT_LEADER);
        put_commit(&body, "a", next_version(), 2);
        assert_int_equal(call(CALL_COMMIT, &body), 200);
        assert_int_equal(result_of(0).error, -EOWNERDEAD);
        intercept(INTERCEPT_NOT);
        assert_int_equal(record_of("a").version, version);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, peer_setup, peer_teardown)
        const struct CMUnitTest tests[] = {
                RUN(commits_are_answered_one_by_one),
                RUN(a_condition_that_does_not_hold_fails_its_commit_alone),
                RUN(commits_that_this_master_cannot_have_asked_for_are_refused),
                RUN(the_index_is_heard_about_each_commit),
                RUN(calls_of_others_are_refused),
                cmocka_unit_test(
                                a_commit_that_goes_astray_can_be_asked_for_again), /* whose scenes
                                                                                      make worlds of
                                                                                      their own */
                RUN(a_call_has_a_limit_of_commits),
                RUN(a_record_that_makes_no_sense_is_refused),
                RUN(a_master_that_does_not_lead_commits_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
