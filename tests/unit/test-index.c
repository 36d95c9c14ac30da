/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "scratch.h"
#include "store/index.h"

#define DUE UINT64_C(1000000)

typedef struct Fixture {
        char *directory;
        Index *index;
        Buffer scratch;
} Fixture;

static Index *open_index(const char *directory) {
        EnvironmentOptions options = { .directory = directory };
        Index *index;

        assert_int_equal(index_open(&options, &index), 0);
        return index;
}

static int setup(void **state) {
        Fixture *fixture = calloc(1, sizeof(*fixture));

        fixture->directory = scratch_new();
        fixture->index = open_index(fixture->directory);
        *state = fixture;
        return 0;
}

static int teardown(void **state) {
        Fixture *fixture = *state;

        index_free(fixture->index);
        scratch_free(fixture->directory);
        buffer_done(&fixture->scratch);
        free(fixture);
        return 0;
}

static void reopen(Fixture *fixture) {
        fixture->index = index_free(fixture->index);
        fixture->index = open_index(fixture->directory);
}

/* A record whose checksum says its version, with one copy. */
static Record make_record(uint64_t version, uint32_t volume) {
        return (Record){
                .version = version,
                .size = 100 * version,
                .mtime_usec = 1,
                .checksum.bytes = { (uint8_t) version },
                .content_type = "text/plain",
                .metadata = "",
                .n_copies = 1,
                .copies = { volume },
        };
}

static int run_commit(Index *index, IndexCommit *commit) {
        commit->operation.done = scratch_done;
        index_commit(index, commit);
        return scratch_wait();
}

static int commit(Index *index, const char *key, uint64_t version, uint32_t volume) {
        IndexCommit request = {
                .key = key,
                .record = make_record(version, volume),
                .garbage_due_usec = DUE,
        };

        return run_commit(index, &request);
}

static int erase(Index *index, const char *key, const Condition *condition) {
        IndexDelete request = {
                .operation.done = scratch_done,
                .key = key,
                .condition = *condition,
                .garbage_due_usec = DUE,
        };

        index_delete(index, &request);
        return scratch_wait();
}

static int settle(Index *index, uint32_t volume, IndexSettleItem *items, size_t n_items) {
        IndexSettle request = {
                .operation.done = scratch_done,
                .volume = volume,
                .items = items,
                .n_items = n_items,
                .garbage_due_usec = DUE,
        };

        index_settle(index, &request);
        return scratch_wait();
}

static void assert_current(Fixture *fixture, const char *key, uint64_t version) {
        Record record;

        assert_int_equal(index_get(fixture->index, key, &fixture->scratch, &record), 0);
        assert_int_equal(record.version, version);
        assert_int_equal(record.checksum.bytes[0], (uint8_t) version);
        assert_string_equal(record.content_type, "text/plain");
}

static void assert_absent(Fixture *fixture, const char *key) {
        Record record;

        assert_int_equal(index_get(fixture->index, key, &fixture->scratch, &record), -ENOENT);
}

static void assert_counters(Index *index, uint64_t keys, uint64_t bytes, uint64_t garbage) {
        IndexCounters counters;

        index_counters(index, &counters);
        assert_int_equal(counters.keys, keys);
        assert_int_equal(counters.bytes, bytes);
        assert_int_equal(counters.garbage, garbage);
}

static void assert_garbage(Index *index, uint32_t volume, uint64_t version) {
        Garbage garbage[16];
        int n;

        n = index_garbage(index, volume, DUE, garbage, ELEMENTSOF(garbage));
        assert_ok(n);
        for (int i = 0; i < n; i++)
                if (garbage[i].version == version)
                        return;
        fail_msg("version %d of volume %u is no garbage", (int) version, volume);
}

TEST(a_committed_key_is_there_also_after_a_restart) {
        Fixture *fixture = *state;
        IndexCommit request = { .key = "users/42", .record = make_record(7, 3) };

        assert_absent(fixture, "users/42");
        assert_int_equal(run_commit(fixture->index, &request), 0);
        assert_true(request.created);
        assert_false(request.superseded);

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

TEST(an_older_version_counts_as_overwritten) {
        Fixture *fixture = *state;
        IndexCommit request = { .key = "k", .record = make_record(1, 4), .garbage_due_usec = DUE };

        assert_int_equal(commit(fixture->index, "k", 2, 3), 0);
        assert_int_equal(run_commit(fixture->index, &request), 0);
        assert_true(request.superseded);

        assert_current(fixture, "k", 2);
        assert_garbage(fixture->index, 4, 1);
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

/* The answer to a commit got lost, somebody deleted the key, and the commit comes again. */
TEST(a_repeated_commit_does_not_bring_a_deleted_key_back) {
        Fixture *fixture = *state;
        IndexCommit request = {
                .key = "k",
                .record = make_record(1, 3),
                .garbage_due_usec = DUE,
                .again = true,
        };
        IndexCommit other = request;

        assert_int_equal(commit(fixture->index, "k", 1, 3), 0);
        assert_int_equal(erase(fixture->index, "k", &(Condition){}), 0);

        assert_int_equal(run_commit(fixture->index, &request), -ESTALE);
        assert_absent(fixture, "k");
        assert_counters(fixture->index, 0, 0, 1);

        /* One whose first attempt never arrived succeeds. */
        other.record = make_record(2, 3);
        assert_int_equal(run_commit(fixture->index, &other), 0);
        assert_current(fixture, "k", 2);
}

TEST(settling_keeps_what_is_current_and_fences_the_rest) {
        Fixture *fixture = *state;
        IndexSettleItem items[] = { { 1, "a" }, { 2, "a" }, { 3, "b" } };

        assert_int_equal(commit(fixture->index, "a", 1, 3), 0);
        assert_int_equal(settle(fixture->index, 3, items, 3), 0);
        assert_true(items[0].current);
        assert_false(items[1].current);
        assert_false(items[2].current);

        assert_int_equal(commit(fixture->index, "a", 2, 3), -ESTALE);
        assert_int_equal(commit(fixture->index, "b", 3, 3), -ESTALE);
        assert_current(fixture, "a", 1);

        reopen(fixture);
        assert_int_equal(commit(fixture->index, "b", 3, 3), -ESTALE);
        assert_absent(fixture, "b");
        assert_garbage(fixture->index, 3, 2);
        assert_garbage(fixture->index, 3, 3);
}

TEST(a_copy_that_the_record_does_not_name_is_not_current) {
        Fixture *fixture = *state;
        IndexSettleItem item = { 1, "a" };

        assert_int_equal(commit(fixture->index, "a", 1, 3), 0);
        assert_int_equal(settle(fixture->index, 4, &item, 1), 0);
        assert_false(item.current);
        assert_garbage(fixture->index, 4, 1);

        /* The version itself stays as good as it was. */
        assert_int_equal(commit(fixture->index, "a", 1, 3), 0);
        assert_current(fixture, "a", 1);
}

TEST(garbage_comes_in_order_when_it_is_due_and_is_forgotten_when_collected) {
        Fixture *fixture = *state;
        Garbage garbage[4];
        IndexCollected collected = {
                .operation.done = scratch_done,
                .volume = 3,
                .items = garbage,
                .n_items = 2,
        };

        for (uint64_t version = 1; version <= 4; version++) {
                IndexCommit request = {
                        .key = "k",
                        .record = make_record(version, 3),
                        .garbage_due_usec = DUE - version,
                };

                assert_int_equal(run_commit(fixture->index, &request), 0);
        }

        assert_int_equal(index_garbage(fixture->index, 3, DUE - 5, garbage, 4), 0);
        assert_int_equal(index_garbage(fixture->index, 2, DUE, garbage, 4), 0);
        assert_int_equal(index_garbage(fixture->index, 4, DUE, garbage, 4), 0);
        assert_int_equal(index_garbage(fixture->index, 3, DUE - 3, garbage, 4), 2);
        assert_int_equal(garbage[0].version, 3);
        assert_int_equal(garbage[1].version, 2);
        assert_int_equal(garbage[1].due_usec, DUE - 3);
        assert_counters(fixture->index, 1, 400, 3);

        index_collected(fixture->index, &collected);
        assert_int_equal(scratch_wait(), 0);
        assert_int_equal(index_garbage(fixture->index, 3, DUE, garbage, 4), 1);
        assert_int_equal(garbage[0].version, 1);
        assert_counters(fixture->index, 1, 400, 1);
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

static void fill(Index *index, unsigned n) {
        for (unsigned i = 0; i < n; i++) {
                char key[32];

                (void) snprintf(key, sizeof(key), "key/%04u", i);
                assert_int_equal(commit(index, key, i + 1, 3), 0);
        }
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
                uint64_t version = index_next_version(fixture->index);

                assert_true(version > last);
                last = version;
        }

        reopen(fixture);
        assert_true(index_next_version(fixture->index) > last);
}

TEST(named_state_is_kept) {
        Fixture *fixture = *state;
        IndexSet set = { .operation.done = scratch_done, .name = "map", .data = "abc", .size = 3 };

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
        EnvironmentOptions options = { .directory = fixture->directory };
        Index *index;

        assert_int_equal(index_open(&options, &index), -EBUSY);
}

TEST(a_damaged_page_fails_its_keys_and_no_others) {
        Fixture *fixture = *state;
        EnvironmentOptions options = { .directory = fixture->directory };
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
        assert_non_null(strstr(environment_last_damage(), "index.db"));

        /* A change that needs the page fails, one in the same batch or later that does not
         * succeeds. */
        assert_int_equal(commit(fixture->index, "key/0500", 2000, 3), -EBADMSG);
        assert_int_equal(commit(fixture->index, "key/0000", 2001, 3), 0);
        assert_current(fixture, "key/0000", 2001);

        /* Page 0 is what Berkeley DB reads first. */
        fixture->index = index_free(fixture->index);
        scratch_flip_bit(scratch_path(fixture->directory, "index.db"), 100);
        assert_int_equal(index_open(&options, &fixture->index), -EBADMSG);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_committed_key_is_there_also_after_a_restart),
                RUN(an_overwritten_copy_becomes_garbage),
                RUN(an_older_version_counts_as_overwritten),
                RUN(a_repeated_commit_succeeds_whatever_its_condition),
                RUN(a_condition_that_fails_leaves_the_key_and_makes_garbage),
                RUN(a_deleted_key_is_gone),
                RUN(a_repeated_commit_does_not_bring_a_deleted_key_back),
                RUN(settling_keeps_what_is_current_and_fences_the_rest),
                RUN(a_copy_that_the_record_does_not_name_is_not_current),
                RUN(garbage_comes_in_order_when_it_is_due_and_is_forgotten_when_collected),
                RUN(a_scan_sees_the_keys_of_a_prefix_in_order),
                RUN(versions_grow_across_restarts),
                RUN(named_state_is_kept),
                RUN(an_index_has_one_process),
                RUN(a_damaged_page_fails_its_keys_and_no_others),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
