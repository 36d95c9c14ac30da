/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/index/memory/damage-set.h"

/* The allocation that fails, counted down; 0 for none. What uthash allocates goes this way, too. */
static unsigned failing;

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_reallocarray(void *old, size_t n, size_t size);
void *__wrap_reallocarray(void *old, size_t n, size_t size);

static bool fails(void) {
        return failing > 0 && --failing == 0;
}

void *__wrap_calloc(size_t n, size_t size) {
        return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_malloc(size_t size) {
        return fails() ? NULL : __real_malloc(size);
}

void *__wrap_reallocarray(void *old, size_t n, size_t size) {
        return fails() ? NULL : __real_reallocarray(old, n, size);
}

static DamageSet set;

static int setup(void **state) {
        memset(&set, 0, sizeof(set));
        damage_set_init(&set);
        return 0;
}

static int teardown(void **state) {
        failing = 0;
        damage_set_done(&set);
        return 0;
}

static int change(uint64_t version, uint32_t volume, DamageKind kind, uint8_t n_copies) {
        return damage_set_change(&set, &(DamageChange){ version, volume, kind, n_copies });
}

static void mark(uint64_t version, uint32_t volume, uint8_t n_copies) {
        assert_int_equal(change(version, volume, DAMAGE_CORRUPT, n_copies), 0);
}

static void unmark(uint64_t version, uint32_t volume) {
        assert_int_equal(change(version, volume, DAMAGE_NONE, 0), 0);
}

static void assert_counts(uint64_t marks, uint64_t values, uint64_t lost) {
        assert_int_equal(atomic_load(&set.n_marks), marks);
        assert_int_equal(atomic_load(&set.n_values), values);
        assert_int_equal(atomic_load(&set.n_lost), lost);
}

TEST(a_mark_is_seen_when_its_transaction_is_committed) {
        assert_true(damage_set_is_empty(&set));
        mark(100, 3, 2);
        assert_false(damage_set_is_empty(&set)); /* to the committer */
        assert_int_equal(damage_set_get(&set, 100, 3), DAMAGE_NONE);
        assert_counts(0, 0, 0);

        damage_set_keep(&set);
        assert_int_equal(damage_set_get(&set, 100, 3), DAMAGE_CORRUPT);
        assert_int_equal(damage_set_get(&set, 100, 4), DAMAGE_NONE);
        assert_int_equal(damage_set_get(&set, 101, 3), DAMAGE_NONE);
        assert_counts(1, 1, 0);
        assert_int_equal(atomic_load(&set.n_on[3]), 1);
}

TEST(a_transaction_that_is_rolled_back_leaves_nothing) {
        mark(100, 3, 2);
        damage_set_undo(&set);
        assert_true(damage_set_is_empty(&set));
        assert_null(set.entries);
        damage_set_keep(&set);
        assert_counts(0, 0, 0);

        mark(100, 3, 2);
        damage_set_keep(&set);
        unmark(100, 3);
        mark(100, 4, 2);
        damage_set_undo(&set);
        assert_int_equal(damage_set_get(&set, 100, 3), DAMAGE_CORRUPT);
        assert_int_equal(damage_set_get(&set, 100, 4), DAMAGE_NONE);
        assert_counts(1, 1, 0);
}

TEST(a_value_is_lost_when_all_its_copies_have_a_mark) {
        mark(100, 3, 2);
        damage_set_keep(&set);
        assert_false(damage_set_is_lost(&set, 100));
        assert_int_equal(damage_set_lost_version(&set), 0);

        mark(100, 4, 2);
        damage_set_keep(&set);
        assert_true(damage_set_is_lost(&set, 100));
        assert_int_equal(damage_set_lost_version(&set), 100);
        assert_counts(2, 1, 1);

        unmark(100, 3);
        damage_set_keep(&set);
        assert_false(damage_set_is_lost(&set, 100));
        assert_int_equal(damage_set_lost_version(&set), 0);
        assert_counts(1, 1, 0);
}

TEST(the_lost_version_that_is_told_stays_the_same_while_it_is_lost) {
        for (uint64_t version = 1; version <= 9; version++)
                mark(version, 3, 1);
        damage_set_keep(&set);
        for (unsigned i = 9; i > 0; i--) {
                uint64_t version = damage_set_lost_version(&set);

                assert_true(version != 0 && version == damage_set_lost_version(&set));
                unmark(version, 3);
                damage_set_keep(&set);
                assert_false(damage_set_is_lost(&set, version));
        }
        assert_int_equal(damage_set_lost_version(&set), 0);
        assert_true(damage_set_is_empty(&set));
}

TEST(another_kind_or_number_of_copies_makes_no_new_mark) {
        mark(100, 3, 2);
        damage_set_keep(&set);
        assert_int_equal(change(100, 3, DAMAGE_MISSING, 1), 0);
        damage_set_keep(&set);
        assert_int_equal(damage_set_get(&set, 100, 3), DAMAGE_MISSING);
        assert_counts(1, 1, 1);
        assert_int_equal(atomic_load(&set.n_made), 1);
}

TEST(a_mark_may_go_and_come_back_in_one_transaction) {
        mark(100, 3, 2);
        damage_set_keep(&set);

        unmark(100, 3);
        mark(100, 4, 2);
        damage_set_keep(&set);
        assert_int_equal(damage_set_get(&set, 100, 3), DAMAGE_NONE);
        assert_int_equal(damage_set_get(&set, 100, 4), DAMAGE_CORRUPT);
        assert_counts(1, 1, 0);

        mark(200, 3, 2);
        unmark(200, 3);
        damage_set_keep(&set);
        assert_counts(1, 1, 0);
}

TEST(what_has_no_mark_is_unmarked_without_effect) {
        unmark(100, 3);
        damage_set_keep(&set);
        mark(100, 3, 2);
        damage_set_keep(&set);
        unmark(100, 4);
        unmark(101, 3);
        damage_set_keep(&set);
        assert_counts(1, 1, 0);
        assert_int_equal(atomic_load(&set.n_on[4]), 0);
}

/* A mark that is in the table must be in memory, too, so a lack of memory must show while the
 * transaction can still fail. */
TEST(without_memory_a_change_fails_and_nothing_else) {
        for (unsigned n = 1;; n++) {
                bool was_failed;
                int r;

                failing = n;
                r = change(100, 3, DAMAGE_CORRUPT, 2);
                was_failed = failing == 0;
                failing = 0;
                assert_int_equal(r, was_failed ? -ENOMEM : 0);
                if (!was_failed) {
                        assert_in_range(n, 4, 6); /* the list, the entry, the table, its buckets */
                        break;
                }
                assert_counts(0, 0, 0);
                damage_set_undo(&set);
                assert_null(set.entries);
        }

        failing = 1;
        damage_set_keep(&set);
        assert_int_equal(failing, 1); /* what follows the transaction allocates nothing */
        failing = 0;
        assert_counts(1, 1, 0);
}

TEST(without_memory_to_grow_the_marks_that_are_there_stay) {
        uint64_t version = 1;
        int r = 0;

        mark(version, 3, 2);
        damage_set_keep(&set);
        while (r >= 0) {
                assert_in_range(version, 1, 100000);
                failing = 2; /* behind the entry: the larger table */
                r = change(++version, 3, DAMAGE_CORRUPT, 2);
                failing = 0;
                if (r >= 0)
                        damage_set_keep(&set);
        }
        assert_int_equal(r, -ENOMEM);
        damage_set_undo(&set);

        for (uint64_t i = 1; i < version; i++)
                assert_int_equal(damage_set_get(&set, i, 3), DAMAGE_CORRUPT);
        assert_int_equal(damage_set_get(&set, version, 3), DAMAGE_NONE);
        assert_counts(version - 1, version - 1, 0);

        mark(version, 3, 2);
        damage_set_keep(&set);
        assert_int_equal(damage_set_get(&set, version, 3), DAMAGE_CORRUPT);
}

static uint64_t next(uint64_t *random) {
        *random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return *random >> 33;
}

#define VERSIONS 12
#define VOLUMES  4
#define COPIES   3

typedef DamageKind Model[VERSIONS][VOLUMES];

static void assert_as(Model model) {
        uint64_t marks = 0, values = 0, lost = 0;

        for (unsigned version = 0; version < VERSIONS; version++) {
                unsigned n = 0;

                for (uint32_t volume = 0; volume < VOLUMES; volume++) {
                        assert_int_equal(
                                        damage_set_get(&set, version + 1, volume),
                                        model[version][volume]);
                        n += model[version][volume] != DAMAGE_NONE;
                }
                assert_int_equal(damage_set_is_lost(&set, version + 1), n >= COPIES);
                marks += n;
                values += n > 0;
                lost += n >= COPIES;
        }
        assert_counts(marks, values, lost);
        assert_int_equal(damage_set_lost_version(&set) != 0, lost > 0);
}

TEST(any_transactions_leave_what_a_simple_model_says) {
        Model model = {}, in_transaction;
        uint64_t random = 42;

        for (unsigned i = 0; i < 3000; i++) {
                memcpy(in_transaction, model, sizeof(model));
                for (uint64_t n = next(&random) % 6; n > 0; n--) {
                        unsigned version = (unsigned) (next(&random) % VERSIONS);
                        uint32_t volume = (uint32_t) (next(&random) % VOLUMES);
                        DamageKind kind = (DamageKind) (next(&random) % _DAMAGE_KIND_MAX);

                        assert_int_equal(change(version + 1, volume, kind, COPIES), 0);
                        in_transaction[version][volume] = kind;
                }
                if (next(&random) % 3 == 0)
                        damage_set_undo(&set);
                else {
                        damage_set_keep(&set);
                        memcpy(model, in_transaction, sizeof(model));
                }
                assert_as(model);
        }
}

#define RUN(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                RUN(a_mark_is_seen_when_its_transaction_is_committed),
                RUN(a_transaction_that_is_rolled_back_leaves_nothing),
                RUN(a_value_is_lost_when_all_its_copies_have_a_mark),
                RUN(the_lost_version_that_is_told_stays_the_same_while_it_is_lost),
                RUN(another_kind_or_number_of_copies_makes_no_new_mark),
                RUN(a_mark_may_go_and_come_back_in_one_transaction),
                RUN(what_has_no_mark_is_unmarked_without_effect),
                RUN(without_memory_a_change_fails_and_nothing_else),
                RUN(without_memory_to_grow_the_marks_that_are_there_stay),
                RUN(any_transactions_leave_what_a_simple_model_says),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
