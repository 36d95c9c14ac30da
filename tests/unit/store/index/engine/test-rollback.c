/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "store/index/index-fixture.h"
#include "store/index/rollback.h"

static void on_accepted(IndexAccept *accept, IndexResult result) {
        scratch_done(NULL, result.error);
}

static void accept_rollback(Index *index, uint64_t term, uint64_t version) {
        IndexAccept accept = { .term = term, .version = version, .done = on_accepted };

        index_accept_rollback(index, &accept);
        assert_int_equal(scratch_wait(), 0);
}

static bool settle(Index *index, uint32_t volume, const char *key, uint64_t version) {
        IndexSettleItem item = { .version = version, .key = key };
        IndexSettle request = {
                .request.done = scratch_answered,
                .volume = volume,
                .items = &item,
                .n_items = 1,
                .garbage_due_usec = DUE,
                .tombstone_due_usec = TOMBSTONE_DUE,
        };

        index_settle(index, &request);
        assert_int_equal(scratch_wait(), 0);
        return item.current;
}

static void assert_rollback(Index *index, uint64_t n_kept) {
        IndexRollback rollback;

        index_rollback(index, &rollback);
        assert_true(rollback.version_end > 0);
        assert_true(rollback.accepted_usec > 0);
        assert_int_equal(rollback.n_kept, n_kept);
}

TEST(everything_goes_on_above_what_anybody_has_seen) {
        Fixture *fixture = *state;
        const uint64_t seen = UINT64_C(5000000001);
        uint64_t first;

        accept_rollback(fixture->index, 17, seen);
        assert_int_equal(index_identity(fixture->index)->term, 18);
        first = index_next_version(fixture->index, VERSION_DIRECT);
        assert_true(first > seen);

        reopen(fixture);
        assert_int_equal(index_identity(fixture->index)->term, 19);
        assert_true(index_next_version(fixture->index, VERSION_DIRECT) > first);

        /* Another one, by volumes that have seen less. */
        accept_rollback(fixture->index, 3, 3);
        assert_int_equal(index_identity(fixture->index)->term, 20);
        assert_true(index_next_version(fixture->index, VERSION_DIRECT) > first);
}

TEST(the_reservation_of_versions_does_not_fall_behind_a_jump) {
        Fixture *fixture = *state;
        uint64_t last;

        accept_rollback(fixture->index, 1, UINT64_C(1) << 40);
        for (size_t i = 0; i < 2 * VERSIONS_BLOCK; i++)
                last = index_next_version(fixture->index, VERSION_DIRECT);
        assert_true(last > UINT64_C(1) << 40);
        reopen(fixture);
        assert_true(index_next_version(fixture->index, VERSION_DIRECT) > last);
}

TEST(garbage_is_forgotten) {
        Fixture *fixture = *state;
        const uint32_t drop[] = { 3 };
        IndexMove move = {
                .request.done = scratch_answered,
                .key = "key/0007",
                .version = 8,
                .add = 4,
                .drop = drop,
                .n_drop = 1,
                .garbage_due_usec = DUE,
        };
        Garbage garbage[16];

        fill(fixture->index, 700);
        for (unsigned i = 0; i < 600; i++) {
                char key[32];

                (void) snprintf(key, sizeof(key), "key/%04u", i + 100);
                assert_int_equal(erase(fixture->index, key, &(Condition){}), 0);
        }
        index_move(fixture->index, &move);
        assert_int_equal(scratch_wait(), 0);
        assert_true(index_is_surplus(fixture->index, 8, 3));

        accept_rollback(fixture->index, 1, 10000);
        assert_int_equal(index_garbage(fixture->index, 3, UINT64_MAX, garbage, 16), 0);
        assert_int_equal(
                        index_garbage(fixture->index, INDEX_TOMBSTONES, UINT64_MAX, garbage, 16),
                        0);
        assert_false(index_is_surplus(fixture->index, 8, 3));
        assert_false(dead_contains(&fixture->index->tables.dead, 111));
        assert_int_equal(fixture->index->tables.dead.n, 0);

        reopen(fixture);
        assert_int_equal(index_garbage(fixture->index, 3, UINT64_MAX, garbage, 16), 0);
        assert_current(fixture, "key/0050", 51);
}

TEST(what_the_index_does_not_know_stays) {
        Fixture *fixture = *state;
        uint64_t fresh;

        assert_int_equal(commit(fixture->index, "k", 10, 3), 0);
        accept_rollback(fixture->index, 1, 1000);
        assert_rollback(fixture->index, 0);

        /* Written, or overwritten, in the time that is lost; and left over from before. */
        assert_false(settle(fixture->index, 3, "lost", 900));
        assert_false(settle(fixture->index, 3, "k", 901));
        assert_false(settle(fixture->index, 3, "k", 9));
        assert_counters(fixture->index, 1, 1000, 0);
        assert_rollback(fixture->index, 3);

        fresh = index_next_version(fixture->index, VERSION_DIRECT);
        assert_false(settle(fixture->index, 3, "k", fresh));
        assert_garbage(fixture->index, 3, fresh);

        reopen(fixture);
        assert_rollback(fixture->index, 3);
        assert_false(settle(fixture->index, 3, "lost", 900));
        assert_rollback(fixture->index, 4);
}

TEST(a_copy_that_was_moved_in_the_lost_time_is_adopted) {
        Fixture *fixture = *state;
        Record record;

        assert_int_equal(commit(fixture->index, "k", 10, 3), 0);
        accept_rollback(fixture->index, 1, 1000);

        assert_true(settle(fixture->index, 5, "k", 10));
        assert_int_equal(index_get(fixture->index, "k", &fixture->scratch, &record), 0);
        assert_int_equal(record.n_copies, 2);
        assert_int_equal(record.copies[1], 5);
        assert_counters(fixture->index, 1, 1000, 0);
}

TEST(without_a_rollback_all_is_as_ever) {
        Fixture *fixture = *state;
        IndexRollback rollback;

        assert_int_equal(commit(fixture->index, "k", 10, 3), 0);
        assert_false(settle(fixture->index, 5, "k", 10));
        assert_garbage(fixture->index, 5, 10);
        assert_false(settle(fixture->index, 5, "lost", 12));
        assert_garbage(fixture->index, 5, 12);
        index_rollback(fixture->index, &rollback);
        assert_int_equal(rollback.version_end, 0);
        assert_true(index_last_change(fixture->index) > 0);
}

#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                RUN(everything_goes_on_above_what_anybody_has_seen),
                RUN(the_reservation_of_versions_does_not_fall_behind_a_jump),
                RUN(garbage_is_forgotten),
                RUN(what_the_index_does_not_know_stays),
                RUN(a_copy_that_was_moved_in_the_lost_time_is_adopted),
                RUN(without_a_rollback_all_is_as_ever),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
