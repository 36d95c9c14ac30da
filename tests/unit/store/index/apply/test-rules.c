/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <string.h>

#include "store/index/apply/rules.h"

#define COPIES(...) \
        .n_copies = sizeof((uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t), \
        .copies = { __VA_ARGS__ }

TEST(an_entry_is_deadly_if_its_version_may_be_asked_for) {
        assert_true(garbage_is_deadly(INDEX_TOMBSTONES, 8));
        assert_true(garbage_is_deadly(INDEX_TOMBSTONES, 9));
        assert_true(garbage_is_deadly(3, 8 | VERSION_TICKET));
        assert_false(garbage_is_deadly(3, 8 | VERSION_DIRECT));
}

TEST(only_what_is_damaged_is_replaced_unseen) {
        const Condition none = {}, some = { .create_only = true };

        assert_true(rules_may_replace_damaged(-EBADMSG, &none));
        assert_true(rules_may_replace_damaged(-EPROTONOSUPPORT, &none));
        assert_false(rules_may_replace_damaged(-EBADMSG, &some));
        assert_false(rules_may_replace_damaged(-EIO, &none));
}

/* The reasons, in the order in which they count. */
TEST(a_commit_is_judged_by_the_first_reason_against_it) {
        const Record current = { .checksum.bytes = { 1 } };
        IndexCommit free = {}, new_only = { .condition.create_only = true };
        IndexCommit other = { .condition.match.present = true };
        const struct {
                const IndexCommit *commit;
                const Record *current;
                CommitFacts facts;
                int result;
        } cases[] = {
                { &free, NULL, { .has_room = true }, 0 },
                { &free, &current, { .has_room = true }, 0 },
                { &free, &current, {}, -ENOSPC },
                { &free, &current, { .is_fenced = true }, -ESTALE },
                { &new_only, NULL, { .has_room = true }, 0 },
                { &new_only, &current, { .is_fenced = true, .has_room = true }, -EEXIST },
                { &new_only, &current, { .is_dead = true, .has_room = true }, -ESTALE },
                { &other, NULL, { .has_room = true }, -ECANCELED },
                { &other, &current, {}, -ECANCELED },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_int_equal(
                                rules_check_commit(
                                                cases[i].commit, cases[i].current, &cases[i].facts),
                                cases[i].result);
}

TEST(a_move_changes_the_copies_or_is_refused) {
        static const struct {
                Record before, after;
                uint32_t add, drop[3];
                size_t n_drop;
                int result;
        } cases[] = {
                { { COPIES(1, 2) }, { COPIES(2, 3) }, 3, { 1 }, 1, 0 },
                { { COPIES(1, 2) }, { COPIES(1, 2, 3) }, 3, {}, 0, 0 },
                { { COPIES(1, 2) }, { COPIES(1, 2) }, 2, {}, 0, 0 },
                { { COPIES(1, 2) }, { COPIES(2) }, 0, { 1 }, 1, 0 },
                { { COPIES(1, 2) }, {}, 0, { 1, 2 }, 2, -EINVAL },
                { { COPIES(1, 2) }, {}, 0, { 4 }, 1, -EINVAL },
                { { COPIES(1, 2) }, {}, 0, { 1, 1 }, 2, -EINVAL },
                { { COPIES(1, 2) }, {}, 1, { 1 }, 1, -EINVAL },
                { { COPIES(1, 2, 3, 4, 5, 6, 7, 8) }, {}, 9, {}, 0, -EINVAL },
                { { COPIES(1, 2, 3, 4, 5, 6, 7, 8) },
                  { COPIES(8, 2, 3, 4, 5, 6, 7, 9) },
                  9,
                  { 1 },
                  1,
                  0 },
        };

        assert_int_equal(COPIES_MAX, 8);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                IndexMove move = { .add = cases[i].add,
                                   .drop = cases[i].drop,
                                   .n_drop = cases[i].n_drop };
                Record record = cases[i].before;

                assert_int_equal(rules_move_copies(&move, &record), cases[i].result);
                if (cases[i].result < 0)
                        continue;
                assert_int_equal(record.n_copies, cases[i].after.n_copies);
                for (size_t j = 0; j < record.n_copies; j++)
                        assert_true(record_has_copy_on(&cases[i].after, record.copies[j]));
        }
}

TEST(a_copy_without_an_owner_is_judged) {
        static const Record current = { .version = 50, COPIES(1, 2) };
        static const struct {
                const Record *current;
                uint64_t version, old_end;
                uint32_t volume;
                SettleVerdict verdict;
        } cases[] = {
                { &current, 50, 0, 1, SETTLE_CURRENT }, { &current, 50, 90, 1, SETTLE_CURRENT },
                { &current, 50, 0, 3, SETTLE_SURPLUS }, { &current, 50, 90, 3, SETTLE_ADOPT },
                { &current, 48, 0, 1, SETTLE_GARBAGE }, { &current, 48, 90, 1, SETTLE_KEEP },
                { NULL, 50, 0, 1, SETTLE_GARBAGE },     { NULL, 50, 51, 1, SETTLE_KEEP },
                { NULL, 50, 50, 1, SETTLE_GARBAGE },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_int_equal(
                                rules_settle(cases[i].current, cases[i].version, cases[i].volume,
                                             cases[i].old_end),
                                cases[i].verdict);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_entry_is_deadly_if_its_version_may_be_asked_for),
                cmocka_unit_test(only_what_is_damaged_is_replaced_unseen),
                cmocka_unit_test(a_commit_is_judged_by_the_first_reason_against_it),
                cmocka_unit_test(a_move_changes_the_copies_or_is_refused),
                cmocka_unit_test(a_copy_without_an_owner_is_judged),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
