/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <endian.h>
#include <semaphore.h>

#include "store/index/index-fixture.h"

static int settle(Index *index, uint32_t volume, IndexSettleItem *items, size_t n_items) {
        IndexSettle request = {
                .request.done = scratch_answered,
                .volume = volume,
                .items = items,
                .n_items = n_items,
                .garbage_due_usec = DUE,
                .tombstone_due_usec = TOMBSTONE_DUE,
        };

        index_settle(index, &request);
        return scratch_wait();
}

/* What VOLUME has deleted, tombstones included. Returns how many pieces of garbage that were. */
static int collect(Index *index, uint32_t volume, uint64_t due_usec) {
        Garbage garbage[16];
        IndexCollected collected = {
                .request.done = scratch_answered,
                .volume = volume,
                .items = garbage,
                .tombstone_due_usec = TOMBSTONE_DUE,
        };
        int n;

        n = index_garbage(index, volume, due_usec, garbage, ELEMENTSOF(garbage));
        assert_ok(n);
        collected.n_gone = collected.n_items = (size_t) n;
        index_collected(index, &collected);
        assert_int_equal(scratch_wait(), 0);
        return n;
}

/* A ticket is used again, or a commit is repeated whose answer got lost. */
TEST(a_deleted_version_does_not_come_back) {
        Fixture *fixture = *state;

        assert_int_equal(commit(fixture->index, "k", 1, 3), 0);
        assert_int_equal(erase(fixture->index, "k", &(Condition){}), 0);

        for (unsigned round = 0; round < 2; round++) {
                assert_int_equal(commit(fixture->index, "k", 1, 3), -ESTALE);
                assert_int_equal(commit(fixture->index, "k", 1, 4), -ESTALE);
                assert_absent(fixture, "k");
                assert_garbage(fixture->index, 4, 1);
                assert_counters(fixture->index, 0, 0, 2);
                reopen(fixture);
        }

        /* Others do. */
        assert_int_equal(commit(fixture->index, "k", 3, 3), 0);
        assert_current(fixture, "k", 3);
}

TEST(a_version_is_dead_until_its_copies_are_gone_and_its_tombstone_has_fallen) {
        Fixture *fixture = *state;

        assert_int_equal(commit(fixture->index, "k", 1, 3), 0);
        assert_int_equal(erase(fixture->index, "k", &(Condition){}), 0);
        assert_int_equal(commit(fixture->index, "k", 1, 4), -ESTALE);

        /* One copy is left, on a volume that is away, say. */
        assert_int_equal(collect(fixture->index, 3, DUE), 1);
        assert_int_equal(
                        index_garbage(fixture->index, INDEX_TOMBSTONES, TOMBSTONE_DUE, &(Garbage){},
                                      1),
                        0);
        reopen(fixture);
        assert_int_equal(commit(fixture->index, "k", 1, 4), -ESTALE);

        assert_int_equal(collect(fixture->index, 4, DUE), 1);
        assert_counters(fixture->index, 0, 0, 0);
        reopen(fixture);
        assert_int_equal(commit(fixture->index, "k", 1, 4), -ESTALE);
        assert_int_equal(collect(fixture->index, 4, DUE), 1);

        assert_int_equal(collect(fixture->index, INDEX_TOMBSTONES, TOMBSTONE_DUE - 1), 0);
        assert_int_equal(collect(fixture->index, INDEX_TOMBSTONES, TOMBSTONE_DUE), 1);
        assert_int_equal(fixture->index->tables.dead.n, 0);
        assert_int_equal(commit(fixture->index, "k", 1, 3), 0);
        assert_current(fixture, "k", 1);
}

TEST(a_version_that_was_refused_is_dead) {
        Fixture *fixture = *state;
        IndexCommit create = {
                .key = "k",
                .record = make_record(3, 4),
                .condition.create_only = true,
                .garbage_due_usec = DUE,
        };

        assert_int_equal(commit(fixture->index, "k", 2, 3), 0);
        assert_int_equal(run_commit(fixture->index, &create), -EEXIST);
        assert_int_equal(erase(fixture->index, "k", &(Condition){}), 0);
        assert_int_equal(run_commit(fixture->index, &create), -ESTALE);
        assert_absent(fixture, "k");
}

/* It may be another request with the same ticket, which must not count as done. */
TEST(a_version_that_was_overwritten_is_refused_when_it_comes_again) {
        Fixture *fixture = *state;
        IndexCommit request = {
                .key = "k",
                .record = make_record(1, 3),
                .garbage_due_usec = DUE,
        };

        assert_int_equal(run_commit(fixture->index, &request), 0);
        assert_int_equal(commit(fixture->index, "k", 2, 3), 0);
        assert_int_equal(run_commit(fixture->index, &request), -ESTALE);
        assert_int_equal(request.revision, 0);
        assert_current(fixture, "k", 2);
}

/* There would be too many to remember. */
TEST(a_version_without_a_ticket_needs_no_memory) {
        Fixture *fixture = *state;
        IndexSettleItem item = { 4, "k" };

        assert_int_equal(commit(fixture->index, "k", 2, 3), 0);
        assert_int_equal(erase(fixture->index, "k", &(Condition){}), 0);
        assert_int_equal(fixture->index->tables.dead.n, 0);
        assert_int_equal(collect(fixture->index, 3, DUE), 1);
        assert_int_equal(
                        index_garbage(fixture->index, INDEX_TOMBSTONES, TOMBSTONE_DUE, &(Garbage){},
                                      1),
                        0);

        /* But for one that was given up, for as long as the tombstone says. */
        assert_int_equal(settle(fixture->index, 3, &item, 1), 0);
        assert_int_equal(collect(fixture->index, 3, DUE), 1);
        assert_int_equal(commit(fixture->index, "k", 4, 3), -ESTALE);
        assert_int_equal(collect(fixture->index, INDEX_TOMBSTONES, TOMBSTONE_DUE), 1);
        assert_int_equal(fixture->index->tables.dead.n, 0);
}

TEST(settling_keeps_what_is_current_and_buries_the_rest) {
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
                .request.done = scratch_answered,
                .volume = 3,
                .items = garbage,
                .n_gone = 2,
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

TEST(garbage_that_cannot_be_deleted_is_put_off) {
        Fixture *fixture = *state;
        Garbage garbage[3];
        IndexCollected collected = {
                .request.done = scratch_answered,
                .volume = 3,
                .items = garbage,
                .n_gone = 1,
                .n_items = 3,
                .again_due_usec = DUE + 5,
                .tombstone_due_usec = TOMBSTONE_DUE,
        };

        for (uint64_t version = 1; version <= 7; version += 2)
                assert_int_equal(commit(fixture->index, "k", version, 3), 0);
        assert_int_equal(index_garbage(fixture->index, 3, DUE, garbage, 3), 3);
        index_collected(fixture->index, &collected);
        assert_int_equal(scratch_wait(), 0);

        assert_counters(fixture->index, 1, 700, 2);
        assert_int_equal(index_garbage(fixture->index, 3, DUE + 4, garbage, 3), 0);
        assert_int_equal(index_garbage(fixture->index, 3, DUE + 5, garbage, 3), 2);
        assert_int_equal(garbage[0].version, 3);
        assert_int_equal(garbage[1].version, 5);
        assert_int_equal(fixture->index->tables.dead.n, 3);
}

typedef struct Gate {
        Operation operation;
        sem_t entered, left;
} Gate;

/* Holds the committer up, so that what is submitted meanwhile gets into one batch. */
static int apply_gate(Operation *operation, Transaction *transaction) {
        Gate *gate = CONTAINER_OF(operation, Gate, operation);

        assert_int_equal(sem_post(&gate->entered), 0);
        while (sem_wait(&gate->left) < 0)
                ;
        return 0;
}

static void on_gate_done(Operation *operation, int result) {
}

static void on_deleted(IndexRequest *request, IndexResult result) {
}

/* A damaged page undoes the whole batch, and each operation is applied again. */
TEST(a_version_dies_once_in_a_batch_that_is_undone) {
        Fixture *fixture = *state;
        Gate gate = { .operation = { .apply = apply_gate, .done = on_gate_done } };
        IndexDelete deletion = {
                .request.done = on_deleted,
                .key = "key/0000",
                .garbage_due_usec = DUE,
        };
        const char *path;

        fill(fixture->index, 1000);
        fixture->index = index_free(fixture->index);
        path = scratch_path(fixture->directory, "index.db");
        scratch_flip_bit(path, scratch_find(path, "key/0500", 8) + 20);
        fixture->index = open_index(fixture->directory);

        assert_int_equal(sem_init(&gate.entered, 0, 0), 0);
        assert_int_equal(sem_init(&gate.left, 0, 0), 0);
        environment_submit(fixture->index->tables.environment, &gate.operation);
        while (sem_wait(&gate.entered) < 0)
                ;
        index_delete(fixture->index, &deletion);
        index_delete(fixture->index,
                     &(IndexDelete){ .request.done = scratch_answered, .key = "key/0500" });
        assert_int_equal(sem_post(&gate.left), 0);
        assert_int_equal(scratch_wait(), -EBADMSG);

        assert_int_equal(commit(fixture->index, "key/0000", 1, 3), -ESTALE);
        assert_int_equal(collect(fixture->index, 3, DUE), 1);
        assert_int_equal(collect(fixture->index, INDEX_TOMBSTONES, TOMBSTONE_DUE), 1);
        assert_int_equal(fixture->index->tables.dead.n, 0);
}

TEST(damaged_garbage_of_one_volume_leaves_the_others_dead) {
        Fixture *fixture = *state;
        const char *path;
        uint64_t needle;
        Garbage garbage;

        for (uint64_t version = 1; version <= 1999; version += 2)
                assert_int_equal(commit(fixture->index, "k", version, version < 1000 ? 3 : 4), 0);
        assert_int_equal(erase(fixture->index, "k", &(Condition){}), 0);
        fixture->index = index_free(fixture->index);

        path = scratch_path(fixture->directory, "garbage.db");
        needle = htobe64(501);
        scratch_flip_bit(path, scratch_find(path, &needle, sizeof(needle)));
        fixture->index = open_index(fixture->directory);

        assert_int_equal(commit(fixture->index, "k", 1, 3), -ESTALE);
        assert_int_equal(commit(fixture->index, "k", 1999, 4), -ESTALE);
        assert_int_equal(index_garbage(fixture->index, 3, DUE, &garbage, 1), 1);
        assert_int_equal(index_garbage(fixture->index, 4, DUE, &garbage, 1), 1);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_deleted_version_does_not_come_back),
                RUN(a_version_is_dead_until_its_copies_are_gone_and_its_tombstone_has_fallen),
                RUN(a_version_that_was_refused_is_dead),
                RUN(a_version_that_was_overwritten_is_refused_when_it_comes_again),
                RUN(a_version_without_a_ticket_needs_no_memory),
                RUN(settling_keeps_what_is_current_and_buries_the_rest),
                RUN(a_copy_that_the_record_does_not_name_is_not_current),
                RUN(garbage_comes_in_order_when_it_is_due_and_is_forgotten_when_collected),
                RUN(garbage_that_cannot_be_deleted_is_put_off),
                RUN(a_version_dies_once_in_a_batch_that_is_undone),
                RUN(damaged_garbage_of_one_volume_leaves_the_others_dead),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
