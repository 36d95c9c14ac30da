/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store/index/apply/garbage.h"
#include "store/index/apply/upgrade.h"
#include "store/index/index-fixture.h"

#define SURPLUS_STATE ".strays" /* says that an index knows surplus copies */

/* What a test does in a transaction of its own; the last result is its. */
typedef struct Step {
        Operation operation;
        int (*run)(Transaction *transaction, uint64_t version, uint32_t volume);
        uint64_t version;
        uint32_t volume;
        int result;
} Step;

static int apply_step(Operation *operation, Transaction *transaction) {
        Step *step = CONTAINER_OF(operation, Step, operation);

        step->result = step->run(transaction, step->version, step->volume);
        return 0;
}

static int run(Fixture *fixture,
               int (*function)(Transaction *transaction, uint64_t version, uint32_t volume),
               uint64_t version,
               uint32_t volume) {
        Step step = { { .apply = apply_step }, function, version, volume, 0 };
        int r = environment_run(fixture->index->tables.environment, &step.operation);

        return r < 0 ? r : step.result;
}

static int make_older(Transaction *transaction, uint64_t version, uint32_t volume) {
        return transaction_set_state(transaction, SURPLUS_STATE, NULL, 0);
}

static int add_malformed_garbage(Transaction *transaction, uint64_t version, uint32_t volume) {
        return transaction_put(
                        transaction, tables_of(transaction)->garbage, "\xff\xff\xff\xff", 4, "x",
                        1);
}

static int write_versions(Transaction *transaction, uint64_t size, uint32_t byte) {
        uint8_t data[8];

        memset(data, (int) byte, sizeof(data));
        return transaction_set_state(
                        transaction, VERSIONS_STATE, size > 0 ? data : NULL, (size_t) size);
}

static int upgrade(Transaction *transaction, uint64_t version, uint32_t volume) {
        return upgrade_revision(transaction, NULL);
}

/* Versions 2, 4 and 6 are garbage on volumes 1, 2 and 3; 8 is current; 2 has a tombstone as well.
 */
static void make_garbage(Fixture *fixture) {
        IndexSettleItem item = { .version = 2, .key = "k" };
        IndexSettle settle = { .request.done = scratch_answered,
                               .volume = 1,
                               .items = &item,
                               .n_items = 1,
                               .garbage_due_usec = DUE,
                               .tombstone_due_usec = TOMBSTONE_DUE };

        assert_int_equal(commit(fixture->index, "k", 4, 2), 0);
        assert_int_equal(commit(fixture->index, "k", 6, 3), 0);
        assert_int_equal(commit(fixture->index, "k", 8, 4), 0);
        index_settle(fixture->index, &settle);
        assert_int_equal(scratch_wait(), 0);
        for (uint64_t version = 2; version <= 6; version += 2)
                (void) run(fixture, surplus_delete, version, (uint32_t) version / 2);
}

TEST(all_garbage_of_an_older_index_is_taken_for_surplus_copies_once) {
        Fixture *fixture = *state;
        Tables *tables = &fixture->index->tables;

        make_garbage(fixture);
        assert_int_equal(upgrade_surplus(tables), 0); /* it is not older */
        assert_int_equal(run(fixture, surplus_find, 2, 1), 0);

        assert_ok(run(fixture, make_older, 0, 0));
        assert_int_equal(upgrade_surplus(tables), 0);
        for (uint64_t version = 2; version <= 6; version += 2) {
                assert_int_equal(run(fixture, surplus_find, version, (uint32_t) version / 2), 1);
                assert_int_equal(run(fixture, surplus_find, version, 4), 0);
        }
        assert_int_equal(run(fixture, surplus_find, 8, 4), 0);
        assert_int_equal(run(fixture, surplus_find, 2, INDEX_TOMBSTONES), 0);

        assert_ok(run(fixture, surplus_delete, 2, 1));
        assert_int_equal(upgrade_surplus(tables), 0);
        assert_int_equal(run(fixture, surplus_find, 2, 1), 0);
}

TEST(garbage_that_cannot_be_read_does_not_keep_an_index_from_opening) {
        Fixture *fixture = *state;

        make_garbage(fixture);
        assert_ok(run(fixture, add_malformed_garbage, 0, 0));
        assert_ok(run(fixture, make_older, 0, 0));
        assert_int_equal(upgrade_surplus(&fixture->index->tables), 0);
        assert_int_equal(run(fixture, surplus_find, 2, 1), 1);
        assert_ok(environment_get_state(
                        fixture->index->tables.environment, SURPLUS_STATE, &fixture->scratch));
}

static int64_t revision(Fixture *fixture) {
        return atomic_load(fixture->index->tables.environment->counters + COUNTER_REVISION);
}

TEST(revisions_go_on_above_all_versions_that_users_have_seen) {
        Fixture *fixture = *state;

        assert_ok(run(fixture, write_versions, 8, 0x01));
        assert_int_equal(run(fixture, upgrade, 0, 0), 0);
        assert_int_equal(revision(fixture), 0x0202020202020202);
}

TEST(an_index_that_has_given_out_no_version_begins_with_the_first_revision) {
        Fixture *fixture = *state;

        assert_ok(run(fixture, write_versions, 0, 0));
        assert_int_equal(run(fixture, upgrade, 0, 0), 0);
        assert_int_equal(revision(fixture), 0);
}

static int apply_upgrade(Operation *operation, Transaction *transaction) {
        return upgrade_revision(transaction, NULL);
}

TEST(versions_that_cannot_be_read_stop_the_upgrade) {
        Fixture *fixture = *state;
        Operation operation = { .apply = apply_upgrade };

        assert_ok(run(fixture, write_versions, 7, 0x01));
        assert_int_equal(environment_run(fixture->index->tables.environment, &operation), -EBADMSG);
        assert_int_equal(revision(fixture), 0);
        assert_ok(run(fixture, write_versions, 8, 0)); /* so that it can be closed */
}

#define RUN(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                RUN(all_garbage_of_an_older_index_is_taken_for_surplus_copies_once),
                RUN(garbage_that_cannot_be_read_does_not_keep_an_index_from_opening),
                RUN(revisions_go_on_above_all_versions_that_users_have_seen),
                RUN(an_index_that_has_given_out_no_version_begins_with_the_first_revision),
                RUN(versions_that_cannot_be_read_stop_the_upgrade),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
