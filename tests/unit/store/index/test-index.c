/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "store/index/index-fixture.h"

TEST(a_committed_key_is_there_also_after_a_restart) {
        Fixture *fixture = *state;
        IndexCommit request = { .key = "users/42", .record = make_record(7, 3) };

        assert_absent(fixture, "users/42");
        assert_int_equal(run_commit(fixture->index, &request), 0);
        assert_true(request.created);

        assert_current(fixture, "users/42", 7);
        assert_counters(fixture->index, 1, 700, 0);

        reopen(fixture);
        assert_current(fixture, "users/42", 7);
        assert_counters(fixture->index, 1, 700, 0);
}

TEST(an_overwritten_copy_becomes_garbage) {
        Fixture *fixture = *state;
        IndexCommit request = { .key = "k", .record = make_record(2, 4), .garbage_due_usec = DUE };

        assert_int_equal(commit(fixture->index, "k", 1, 3), 0);
        assert_int_equal(run_commit(fixture->index, &request), 0);
        assert_false(request.created);

        assert_current(fixture, "k", 2);
        assert_garbage(fixture->index, 3, 1);
        assert_counters(fixture->index, 1, 200, 1);
}

TEST(the_order_is_that_of_commits) {
        Fixture *fixture = *state;
        IndexCommit older = { .key = "k", .record = make_record(1, 4), .garbage_due_usec = DUE };
        IndexCommit newer = { .key = "k", .record = make_record(3, 4), .garbage_due_usec = DUE };

        newer.condition.match = (ConditionList){ .present = true,
                                                 .n_etags = 1,
                                                 .etags[0].bytes[0] = 2 };

        assert_int_equal(commit(fixture->index, "k", 2, 3), 0);
        assert_int_equal(run_commit(fixture->index, &older), 0);
        assert_false(older.created);
        assert_current(fixture, "k", 1);
        assert_garbage(fixture->index, 3, 2);

        /* What its condition is about was overwritten meanwhile. */
        assert_int_equal(run_commit(fixture->index, &newer), -ECANCELED);
        assert_current(fixture, "k", 1);
        assert_counters(fixture->index, 1, 100, 2);
}

static uint64_t revision_of(Fixture *fixture, const char *key) {
        Record record;

        assert_int_equal(index_get(fixture->index, key, &fixture->scratch, &record), 0);
        return record.revision;
}

TEST(each_change_takes_the_next_revision) {
        Fixture *fixture = *state;
        IndexCommit refused = {
                .key = "a",
                .record = make_record(8, 3),
                .condition.create_only = true,
                .garbage_due_usec = DUE,
        };

        assert_int_equal(index_revision(fixture->index), 0);
        assert_int_equal(commit(fixture->index, "a", 9, 3), 0);
        assert_int_equal(commit(fixture->index, "b", 7, 3), 0);
        assert_int_equal(run_commit(fixture->index, &refused), -EEXIST);
        assert_int_equal(erase(fixture->index, "c", &(Condition){}), -ENOENT);
        assert_int_equal(index_revision(fixture->index), 2);

        assert_int_equal(erase(fixture->index, "b", &(Condition){}), 0);
        assert_int_equal(commit(fixture->index, "b", 5, 3), 0);
        assert_int_equal(revision_of(fixture, "a"), 1);
        assert_int_equal(revision_of(fixture, "b"), 4);

        reopen(fixture);
        assert_int_equal(index_revision(fixture->index), 4);
        assert_int_equal(commit(fixture->index, "a", 11, 3), 0);
        assert_int_equal(revision_of(fixture, "a"), 5);
        assert_int_equal(index_revision(fixture->index), 5);
}

/* What record_encode() of the first format made of version 7 of "old". */
static const char old_record[] =
                "\x11\x07\xbc\x05\x01\x00\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
                "\x00text/plain\x00\x00\x01\x03\x2d\x8c\x73\x9c\xac\x56\x12\xb6";

typedef struct MakeOld {
        Operation operation;
        Index *index;
} MakeOld;

static int apply_make_old(Operation *operation, Transaction *transaction) {
        Index *index = CONTAINER_OF(operation, MakeOld, operation)->index;
        int r;

        transaction->counters[COUNTER_REVISION] = -(int64_t) index_revision(index);
        r = transaction_put(
                        transaction, index->tables.records, "old", 3, old_record,
                        sizeof(old_record) - 1);
        return r < 0 ? r : transaction_set_state(transaction, ".format", "index 1", 7);
}

static int apply_make_unknown(Operation *operation, Transaction *transaction) {
        return transaction_set_state(transaction, ".format", "index 9", 7);
}

TEST(an_index_without_revisions_goes_on_above_its_versions) {
        Fixture *fixture = *state;
        MakeOld old = { .operation.apply = apply_make_old, .index = fixture->index };
        uint64_t last, first;

        last = index_next_version(fixture->index, VERSION_TICKET);
        assert_int_equal(environment_run(fixture->index->tables.environment, &old.operation), 0);

        reopen(fixture);
        assert_current(fixture, "old", 7);
        assert_int_equal(revision_of(fixture, "old"), 7);
        assert_int_equal(commit(fixture->index, "old", 9, 3), 0);
        first = revision_of(fixture, "old");
        assert_true(first > last);
        assert_int_equal(index_revision(fixture->index), first);

        /* Once only. */
        reopen(fixture);
        assert_int_equal(commit(fixture->index, "old", 11, 3), 0);
        assert_int_equal(revision_of(fixture, "old"), first + 1);
}

TEST(an_index_of_an_unknown_format_is_refused) {
        Fixture *fixture = *state;
        IndexOptions options = { .directory = fixture->directory };
        MakeOld old = { .operation.apply = apply_make_unknown, .index = fixture->index };

        assert_int_equal(environment_run(fixture->index->tables.environment, &old.operation), 0);
        fixture->index = index_free(fixture->index);
        assert_int_equal(index_open(&options, &fixture->index), -EPROTONOSUPPORT);
}

TEST(a_repeated_commit_succeeds_whatever_its_condition) {
        Fixture *fixture = *state;
        IndexCommit request = {
                .key = "k",
                .record = make_record(1, 3),
                .condition.create_only = true,
        };

        assert_int_equal(run_commit(fixture->index, &request), 0);
        assert_int_equal(run_commit(fixture->index, &request), 0);
        assert_counters(fixture->index, 1, 100, 0);
}

TEST(a_condition_that_fails_leaves_the_key_and_makes_garbage) {
        Fixture *fixture = *state;
        IndexCommit create = {
                .key = "k",
                .record = make_record(2, 4),
                .condition.create_only = true,
                .garbage_due_usec = DUE,
        };
        IndexCommit match = {
                .key = "k",
                .record = make_record(3, 5),
                .condition.match = { .present = true, .n_etags = 1, .etags[0].bytes[0] = 9 },
                .garbage_due_usec = DUE,
        };

        assert_int_equal(commit(fixture->index, "k", 1, 3), 0);
        assert_int_equal(run_commit(fixture->index, &create), -EEXIST);
        assert_garbage(fixture->index, 4, 2);
        assert_int_equal(run_commit(fixture->index, &match), -ECANCELED);
        assert_garbage(fixture->index, 5, 3);
        assert_current(fixture, "k", 1);

        match.record = make_record(4, 5);
        match.condition.match.etags[0].bytes[0] = 1;
        assert_int_equal(run_commit(fixture->index, &match), 0);
        assert_current(fixture, "k", 4);
        assert_counters(fixture->index, 1, 400, 3);
}

TEST(a_deleted_key_is_gone) {
        Fixture *fixture = *state;
        const Condition none = {}, wrong = { .match = { .present = true, .n_etags = 1 } };

        assert_int_equal(erase(fixture->index, "k", &none), -ENOENT);
        assert_int_equal(commit(fixture->index, "k", 1, 3), 0);
        assert_int_equal(erase(fixture->index, "k", &wrong), -ECANCELED);
        assert_current(fixture, "k", 1);

        assert_int_equal(erase(fixture->index, "k", &none), 0);
        assert_absent(fixture, "k");
        assert_garbage(fixture->index, 3, 1);
        assert_counters(fixture->index, 0, 0, 1);
}

TEST(a_repeated_commit_gets_the_first_answer) {
        Fixture *fixture = *state;
        IndexCommit create = {
                .key = "k",
                .record = make_record(1, 3),
                .condition.create_only = true,
        };
        IndexCommit replace = { .key = "k", .record = make_record(3, 3), .garbage_due_usec = DUE };
        IndexCommit other;

        for (unsigned round = 0; round < 3; round++) {
                assert_int_equal(run_commit(fixture->index, &create), 0);
                assert_true(create.created);
                assert_int_equal(create.revision, 1);
                reopen(fixture);
        }
        for (unsigned round = 0; round < 3; round++) {
                assert_int_equal(run_commit(fixture->index, &replace), 0);
                assert_false(replace.created);
                assert_int_equal(replace.revision, 2);
        }
        assert_counters(fixture->index, 1, 300, 1);

        /* With another value it is not a repetition. */
        other = replace;
        other.record.checksum.bytes[1] = 1;
        assert_int_equal(run_commit(fixture->index, &other), -ESTALE);
        assert_current(fixture, "k", 3);
        assert_counters(fixture->index, 1, 300, 1);
}

typedef struct BadRecord {
        Operation operation;
        Index *index;
} BadRecord;

static int apply_bad_record(Operation *operation, Transaction *transaction) {
        Index *index = CONTAINER_OF(operation, BadRecord, operation)->index;

        return transaction_put(
                        transaction, index->tables.records, "k", 1,
                        "\x12"
                        "damaged",
                        8);
}

/* Damages the record of "k", but not its page. */
static void damage_record(Index *index) {
        BadRecord bad = { .operation.apply = apply_bad_record, .index = index };

        assert_int_equal(environment_run(index->tables.environment, &bad.operation), 0);
}

TEST(a_damaged_record_can_be_replaced_and_deleted) {
        Fixture *fixture = *state;
        const Condition match = { .match = { .present = true, .any = true } };
        IndexCommit conditional = {
                .key = "k",
                .record = make_record(3, 4),
                .condition = match,
                .garbage_due_usec = DUE,
        };
        IndexCommit create = conditional;
        Record record;

        assert_int_equal(commit(fixture->index, "k", 1, 3), 0);
        damage_record(fixture->index);
        assert_int_equal(index_get(fixture->index, "k", &fixture->scratch, &record), -EBADMSG);

        create.condition = (Condition){ .create_only = true };
        assert_int_equal(run_commit(fixture->index, &conditional), -EBADMSG);
        assert_int_equal(run_commit(fixture->index, &create), -EBADMSG);
        assert_int_equal(erase(fixture->index, "k", &match), -EBADMSG);
        assert_counters(fixture->index, 1, 100, 0);

        conditional.condition = (Condition){};
        assert_int_equal(run_commit(fixture->index, &conditional), 0);
        assert_false(conditional.created);
        assert_current(fixture, "k", 3);

        damage_record(fixture->index);
        assert_int_equal(erase(fixture->index, "k", &(Condition){}), 0);
        assert_absent(fixture, "k");
        assert_int_equal(erase(fixture->index, "k", &(Condition){}), -ENOENT);
}

typedef struct Seen {
        char keys[1024][16];
        size_t n, stop_at;
} Seen;

static int on_entry(const char *key, const Record *record, void *userdata) {
        Seen *seen = userdata;

        (void) snprintf(seen->keys[seen->n], sizeof(seen->keys[0]), "%s", key);
        return ++seen->n == seen->stop_at ? 7 : 0;
}

TEST(a_scan_sees_the_keys_of_a_prefix_in_order) {
        Fixture *fixture = *state;
        Seen seen = {};

        for (unsigned i = 0; i < 600; i++) {
                char key[16];

                (void) snprintf(key, sizeof(key), "p/%04u", 599 - i);
                assert_int_equal(commit(fixture->index, key, i + 1, 3), 0);
        }
        assert_int_equal(commit(fixture->index, "o", 1000, 3), 0);
        assert_int_equal(commit(fixture->index, "p", 1001, 3), 0);
        assert_int_equal(commit(fixture->index, "p0", 1002, 3), 0);

        assert_int_equal(index_scan(fixture->index, "p/", "", 1000, on_entry, &seen), 0);
        assert_int_equal(seen.n, 600);
        assert_string_equal(seen.keys[0], "p/0000");
        assert_string_equal(seen.keys[256], "p/0256");
        assert_string_equal(seen.keys[599], "p/0599");

        seen.n = 0;
        assert_int_equal(index_scan(fixture->index, "p/", "p/0255", 300, on_entry, &seen), 0);
        assert_int_equal(seen.n, 300);
        assert_string_equal(seen.keys[0], "p/0256");
        assert_string_equal(seen.keys[299], "p/0555");

        seen = (Seen){ .stop_at = 3 };
        assert_int_equal(index_scan(fixture->index, "", "o", 1000, on_entry, &seen), 7);
        assert_string_equal(seen.keys[0], "p");
        assert_string_equal(seen.keys[2], "p/0001");

        seen = (Seen){};
        assert_int_equal(index_scan(fixture->index, "p/", "p0", 1000, on_entry, &seen), 0);
        assert_int_equal(index_scan(fixture->index, "q", "", 1000, on_entry, &seen), 0);
        assert_int_equal(seen.n, 0);
}

TEST(versions_grow_across_restarts) {
        Fixture *fixture = *state;
        uint64_t last = 0;

        for (unsigned i = 0; i < 1200000; i++) {
                uint64_t version = index_next_version(fixture->index, VERSION_TICKET);

                assert_true(version > last);
                last = version;
        }

        reopen(fixture);
        assert_true(index_next_version(fixture->index, VERSION_DIRECT) > last);
}

TEST(named_state_is_kept) {
        Fixture *fixture = *state;
        IndexSet set = {
                .request.done = scratch_answered, .name = "map", .data = "abc", .size = 3
        };

        assert_int_equal(index_get_state(fixture->index, "map", &fixture->scratch), -ENOENT);
        index_set(fixture->index, &set);
        assert_int_equal(scratch_wait(), 0);

        reopen(fixture);
        assert_int_equal(index_get_state(fixture->index, "map", &fixture->scratch), 0);
        assert_int_equal(fixture->scratch.size, 3);
        assert_memory_equal(fixture->scratch.data, "abc", 3);

        set.data = NULL;
        index_set(fixture->index, &set);
        assert_int_equal(scratch_wait(), 0);
        assert_int_equal(index_get_state(fixture->index, "map", &fixture->scratch), -ENOENT);
}

TEST(an_index_has_one_process) {
        Fixture *fixture = *state;
        IndexOptions options = { .directory = fixture->directory };
        Index *index;

        assert_int_equal(index_open(&options, &index), -EBUSY);
}

TEST(a_damaged_page_fails_its_keys_and_no_others) {
        Fixture *fixture = *state;
        IndexOptions options = { .directory = fixture->directory };
        const char *path;
        unsigned damaged = 0;

        fill(fixture->index, 1000);
        fixture->index = index_free(fixture->index);
        path = scratch_path(fixture->directory, "index.db");
        scratch_flip_bit(path, scratch_find(path, "key/0500", 8) + 20);
        fixture->index = open_index(fixture->directory);

        for (unsigned round = 0; round < 2; round++)
                for (unsigned i = 0; i < 1000; i++) {
                        char key[16];
                        Record record;
                        int r;

                        (void) snprintf(key, sizeof(key), "key/%04u", i);
                        r = index_get(fixture->index, key, &fixture->scratch, &record);
                        assert_true(r == 0 || r == -EBADMSG);
                        damaged += r < 0;
                }
        assert_in_range(damaged, 2, 2 * 100);
        assert_non_null(strstr(index_last_damage(), "index.db"));

        /* A change that needs the page fails, one in the same batch or later that does not
         * succeeds. */
        assert_int_equal(commit(fixture->index, "key/0500", 2000, 3), -EBADMSG);
        assert_int_equal(commit(fixture->index, "key/0000", 2001, 3), 0);
        assert_current(fixture, "key/0000", 2001);

        /* Page 0 is what Berkeley DB reads first, and there is a second one. */
        fixture->index = index_free(fixture->index);
        scratch_flip_bit(scratch_path(fixture->directory, "index.db"), 100);
        assert_int_equal(index_open(&options, &fixture->index), 0);
        assert_int_equal(environment_repaired_pages(index_environment(fixture->index)), 1);
        assert_current(fixture, "key/0000", 2001);

        fixture->index = index_free(fixture->index);
        scratch_flip_bit(scratch_path(fixture->directory, "index.db"), 100);
        scratch_flip_bit(scratch_path(fixture->directory, "index.mirror"), 100);
        assert_int_equal(index_open(&options, &fixture->index), -EBADMSG);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_committed_key_is_there_also_after_a_restart),
                RUN(an_overwritten_copy_becomes_garbage),
                RUN(the_order_is_that_of_commits),
                RUN(each_change_takes_the_next_revision),
                RUN(an_index_without_revisions_goes_on_above_its_versions),
                RUN(an_index_of_an_unknown_format_is_refused),
                RUN(a_repeated_commit_succeeds_whatever_its_condition),
                RUN(a_condition_that_fails_leaves_the_key_and_makes_garbage),
                RUN(a_deleted_key_is_gone),
                RUN(a_repeated_commit_gets_the_first_answer),
                RUN(a_damaged_record_can_be_replaced_and_deleted),
                RUN(a_scan_sees_the_keys_of_a_prefix_in_order),
                RUN(versions_grow_across_restarts),
                RUN(named_state_is_kept),
                RUN(an_index_has_one_process),
                RUN(a_damaged_page_fails_its_keys_and_no_others),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
