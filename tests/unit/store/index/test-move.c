/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <semaphore.h>

#include "store/index/apply/garbage.h"
#include "store/index/apply/move.h"
#include "store/index/index-fixture.h"
#include "store/index/move.h"

static int move(Index *index, const char *key, uint64_t version, uint32_t add, uint32_t drop) {
        IndexMove request = {
                .request.done = scratch_answered,
                .key = key,
                .version = version,
                .add = add,
                .drop = &drop,
                .n_drop = drop != 0,
                .garbage_due_usec = DUE,
        };

        index_move(index, &request);
        return scratch_wait();
}

static bool has_copy(Fixture *fixture, const char *key, uint32_t volume) {
        Record record;

        assert_int_equal(index_get(fixture->index, key, &fixture->scratch, &record), 0);
        for (size_t i = 0; i < record.n_copies; i++)
                if (record.copies[i] == volume)
                        return true;
        return false;
}

/* What VOLUME has deleted. */
static int collect(Index *index, uint32_t volume) {
        Garbage garbage[16];
        IndexCollected collected = {
                .request.done = scratch_answered,
                .volume = volume,
                .items = garbage,
                .tombstone_due_usec = TOMBSTONE_DUE,
        };
        int n;

        n = index_garbage(index, volume, DUE, garbage, ELEMENTSOF(garbage));
        assert_ok(n);
        collected.n_gone = collected.n_items = (size_t) n;
        index_collected(index, &collected);
        assert_int_equal(scratch_wait(), 0);
        return n;
}

TEST(a_copy_is_swapped_and_the_old_one_becomes_garbage) {
        Fixture *fixture = *state;

        assert_int_equal(commit(fixture->index, "k", 2, 3), 0);
        assert_int_equal(move(fixture->index, "k", 2, 4, 3), 0);

        for (unsigned round = 0; round < 2; round++) {
                assert_current(fixture, "k", 2);
                assert_true(has_copy(fixture, "k", 4));
                assert_false(has_copy(fixture, "k", 3));
                assert_garbage(fixture->index, 3, 2);
                assert_counters(fixture->index, 1, 200, 1);
                reopen(fixture);
        }
}

TEST(a_copy_is_added_and_another_trimmed) {
        Fixture *fixture = *state;

        assert_int_equal(commit(fixture->index, "k", 2, 3), 0);
        assert_int_equal(move(fixture->index, "k", 2, 4, 0), 0);
        assert_true(has_copy(fixture, "k", 3) && has_copy(fixture, "k", 4));
        assert_int_equal(move(fixture->index, "k", 2, 0, 3), 0);
        assert_false(has_copy(fixture, "k", 3));

        /* The last one stays, and what is no copy cannot be dropped. */
        assert_int_equal(move(fixture->index, "k", 2, 0, 4), -EINVAL);
        assert_int_equal(move(fixture->index, "k", 2, 5, 6), -EINVAL);
        assert_true(has_copy(fixture, "k", 4));
        assert_counters(fixture->index, 1, 200, 1);
}

TEST(what_has_changed_meanwhile_is_left_alone) {
        Fixture *fixture = *state;

        assert_int_equal(commit(fixture->index, "k", 4, 3), 0);
        assert_int_equal(move(fixture->index, "k", 2, 5, 3), -ESTALE);
        assert_garbage(fixture->index, 5, 2); /* the new copy is one of an old version */
        assert_true(has_copy(fixture, "k", 3));
        assert_int_equal(move(fixture->index, "absent", 2, 6, 3), -ESTALE);
        assert_garbage(fixture->index, 6, 2);
}

/* The collector would delete the new copy instead of the old one. */
TEST(no_copy_comes_back_before_the_old_one_is_forgotten) {
        Fixture *fixture = *state;

        assert_int_equal(commit(fixture->index, "k", 2, 3), 0);
        assert_int_equal(move(fixture->index, "k", 2, 4, 3), 0);
        reopen(fixture);
        assert_true(index_is_surplus(fixture->index, 2, 3));
        assert_false(index_is_surplus(fixture->index, 2, 4));
        assert_int_equal(move(fixture->index, "k", 2, 3, 4), -EBUSY);
        assert_true(has_copy(fixture, "k", 4));

        assert_int_equal(collect(fixture->index, 3), 1);
        assert_false(index_is_surplus(fixture->index, 2, 3));
        assert_int_equal(move(fixture->index, "k", 2, 3, 4), 0);
        assert_true(has_copy(fixture, "k", 3));
}

/* One that failed, and of which its volume has asked. */
TEST(a_settled_copy_of_the_current_version_is_a_surplus_copy) {
        Fixture *fixture = *state;
        IndexSettleItem item = { .version = 2, .key = "k" };

        assert_int_equal(commit(fixture->index, "k", 2, 3), 0);
        for (unsigned round = 0; round < 2; round++) { /* asked again, it is one piece of garbage */
                IndexSettle settle = {
                        .request.done = scratch_answered,
                        .volume = 4,
                        .items = &item,
                        .n_items = 1,
                        .garbage_due_usec = DUE - round,
                        .tombstone_due_usec = TOMBSTONE_DUE,
                };

                index_settle(fixture->index, &settle);
                assert_int_equal(scratch_wait(), 0);
                assert_false(item.current);
                assert_true(index_is_surplus(fixture->index, 2, 4));
                assert_counters(fixture->index, 1, 200, 1);
        }
        assert_int_equal(move(fixture->index, "k", 2, 4, 3), -EBUSY);
        assert_int_equal(collect(fixture->index, 4), 1);
        assert_int_equal(move(fixture->index, "k", 2, 4, 3), 0);
}

TEST(a_move_takes_a_revision_and_the_value_keeps_its_own) {
        Fixture *fixture = *state;
        Record record;

        assert_int_equal(commit(fixture->index, "k", 3, 3), 0);
        assert_int_equal(move(fixture->index, "k", 3, 4, 3), 0);
        assert_int_equal(index_revision(fixture->index), 2);
        assert_int_equal(index_get(fixture->index, "k", &fixture->scratch, &record), 0);
        assert_int_equal(record.revision, 1);

        assert_int_equal(move(fixture->index, "k", 2, 5, 3), -ESTALE);
        assert_int_equal(index_revision(fixture->index), 2);
}

/* With a ticket it counts as dead, for its surplus copy is garbage. */
TEST(a_version_with_a_surplus_copy_is_read_and_its_commit_gets_the_first_answer) {
        Fixture *fixture = *state;
        IndexCommit request = {
                .key = "k",
                .record = make_record(3, 3),
                .garbage_due_usec = DUE,
        };

        assert_int_equal(run_commit(fixture->index, &request), 0);
        assert_int_equal(move(fixture->index, "k", 3, 4, 3), 0);
        for (unsigned round = 0; round < 2; round++) {
                request.created = false;
                assert_int_equal(run_commit(fixture->index, &request), 0);
                assert_true(request.created);
                assert_int_equal(request.revision, 1);
                assert_current(fixture, "k", 3);
                assert_true(has_copy(fixture, "k", 4));
                assert_counters(fixture->index, 1, 300, 1);
                reopen(fixture);
        }

        /* The ticket was used once more, when the old copy was gone. */
        assert_int_equal(collect(fixture->index, 3), 1);
        assert_int_equal(run_commit(fixture->index, &request), 0);
        assert_true(index_is_surplus(fixture->index, 3, 3));
        assert_false(has_copy(fixture, "k", 3));
        assert_garbage(fixture->index, 3, 3);
}

TEST(an_overwrite_while_there_is_a_surplus_copy_leaves_nothing_behind) {
        Fixture *fixture = *state;

        assert_int_equal(commit(fixture->index, "k", 3, 3), 0);
        assert_int_equal(move(fixture->index, "k", 3, 4, 3), 0);
        assert_int_equal(commit(fixture->index, "k", 5, 3), 0);
        assert_int_equal(move(fixture->index, "k", 3, 5, 4), -ESTALE);
        assert_int_equal(commit(fixture->index, "k", 3, 3), -ESTALE); /* overwritten by 5 */
        assert_current(fixture, "k", 5);
        assert_counters(fixture->index, 1, 500, 3);

        for (uint32_t volume = 3; volume <= 5; volume++) {
                assert_int_equal(collect(fixture->index, volume), 1);
                assert_false(index_is_surplus(fixture->index, 3, volume));
        }
        assert_counters(fixture->index, 1, 500, 0);
}

TEST(a_surplus_copy_that_could_not_be_deleted_stays_one) {
        Fixture *fixture = *state;
        Garbage garbage;
        IndexCollected collected = {
                .request.done = scratch_answered,
                .volume = 3,
                .items = &garbage,
                .n_items = 1,
                .again_due_usec = DUE - 1,
        };

        assert_int_equal(commit(fixture->index, "k", 2, 3), 0);
        assert_int_equal(move(fixture->index, "k", 2, 4, 3), 0);
        assert_int_equal(index_garbage(fixture->index, 3, DUE, &garbage, 1), 1);
        index_collected(fixture->index, &collected);
        assert_int_equal(scratch_wait(), 0);
        assert_int_equal(move(fixture->index, "k", 2, 3, 4), -EBUSY);
        assert_int_equal(collect(fixture->index, 3), 1);
        assert_int_equal(move(fixture->index, "k", 2, 3, 4), 0);
}

TEST(a_copy_is_not_moved_onto_itself) {
        Fixture *fixture = *state;

        assert_int_equal(commit(fixture->index, "k", 2, 3), 0);
        assert_int_equal(move(fixture->index, "k", 2, 3, 3), -EINVAL);
        assert_true(has_copy(fixture, "k", 3));
        assert_false(index_is_surplus(fixture->index, 2, 3));
}

static int apply_age(Operation *operation, Transaction *transaction) {
        Tables *tables = tables_of(transaction);
        SurplusKey key = surplus_key(2, 4);
        int r;

        r = transaction_delete(transaction, tables->surplus, &key, sizeof(key));
        assert_int_equal(r, 0);
        return transaction_set_state(transaction, ".strays", NULL, 0);
}

TEST(an_index_from_before_there_were_surplus_takes_its_garbage_for_such) {
        Fixture *fixture = *state;
        IndexSettleItem item = { .version = 2, .key = "k" };
        IndexSettle settle = {
                .request.done = scratch_answered,
                .volume = 4,
                .items = &item,
                .n_items = 1,
                .garbage_due_usec = DUE,
        };
        Operation age = { .apply = apply_age };

        assert_int_equal(commit(fixture->index, "k", 2, 3), 0);
        index_settle(fixture->index, &settle);
        assert_int_equal(scratch_wait(), 0);
        assert_int_equal(environment_run(fixture->index->tables.environment, &age), 0);
        assert_false(index_is_surplus(fixture->index, 2, 4));

        reopen(fixture);
        assert_int_equal(move(fixture->index, "k", 2, 4, 3), -EBUSY);
        assert_int_equal(collect(fixture->index, 4), 1);
        assert_int_equal(move(fixture->index, "k", 2, 4, 3), 0);
}

/* Fences another volume, and is undone. */
static int apply_in_vain(Operation *operation, Transaction *transaction) {
        const uint32_t volume = 4;
        IndexFences fences = { .volumes = &volume, .n_volumes = 1 };

        assert_int_equal(apply_fences(&fences.request, transaction), 0);
        assert_int_equal(apply_fences(&fences.request, transaction), 0);
        return transaction_fail(transaction, -EIO);
}

TEST(fences_that_are_undone_are_those_before) {
        Fixture *fixture = *state;
        Operation operation = { .apply = apply_in_vain };
        const uint32_t volume = 3;

        assert_int_equal(index_set_fences(fixture->index, &volume, 1), 0);
        assert_int_equal(environment_run(fixture->index->tables.environment, &operation), -EIO);
        assert_int_equal(commit(fixture->index, "k", 1, 3), -ESTALE);
        assert_int_equal(commit(fixture->index, "k", 2, 4), 0);
}

TEST(no_commit_names_a_fenced_volume) {
        Fixture *fixture = *state;
        uint32_t volume = 3;

        assert_int_equal(commit(fixture->index, "k", 2, 3), 0);
        assert_int_equal(index_set_fences(fixture->index, &volume, 1), 0);
        assert_int_equal(commit(fixture->index, "k", 4, 3), -ESTALE);
        assert_current(fixture, "k", 2);
        assert_garbage(fixture->index, 3, 4);
        assert_int_equal(commit(fixture->index, "k", 2, 3), 0); /* what was told already */
        assert_int_equal(commit(fixture->index, "k", 6, 4), 0);

        assert_int_equal(index_set_fences(fixture->index, NULL, 0), 0);
        assert_int_equal(commit(fixture->index, "k", 8, 3), 0);
}

#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
int main(void) {
        const struct CMUnitTest tests[] = {
                RUN(a_copy_is_swapped_and_the_old_one_becomes_garbage),
                RUN(a_copy_is_added_and_another_trimmed),
                RUN(what_has_changed_meanwhile_is_left_alone),
                RUN(no_copy_comes_back_before_the_old_one_is_forgotten),
                RUN(a_settled_copy_of_the_current_version_is_a_surplus_copy),
                RUN(a_move_takes_a_revision_and_the_value_keeps_its_own),
                RUN(a_version_with_a_surplus_copy_is_read_and_its_commit_gets_the_first_answer),
                RUN(an_overwrite_while_there_is_a_surplus_copy_leaves_nothing_behind),
                RUN(a_surplus_copy_that_could_not_be_deleted_stays_one),
                RUN(a_copy_is_not_moved_onto_itself),
                RUN(an_index_from_before_there_were_surplus_takes_its_garbage_for_such),
                RUN(no_commit_names_a_fenced_volume),
                RUN(fences_that_are_undone_are_those_before),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
