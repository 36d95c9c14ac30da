/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <semaphore.h>

#include "store/index/bad-mark.h"
#include "store/index/damage.h"
#include "store/index/index-fixture.h"
#include "store/index/move.h"

#define NOW UINT64_C(77)

/* Returns what became of the one item. */
static int mark(Index *index, const char *key, uint64_t version, uint32_t volume, DamageKind kind) {
        IndexDamageItem item = { .version = version, .volume = volume, .key = key, .kind = kind };
        IndexDamage damage = {
                .request.done = scratch_answered,
                .items = &item,
                .n_items = 1,
                .now_usec = NOW,
        };

        index_damage(index, &damage);
        assert_int_equal(scratch_wait(), 0);
        return item.error;
}

static int commit_two(Index *index, const char *key, uint64_t version) {
        IndexCommit request = {
                .key = key,
                .record = make_record(version, 3),
                .garbage_due_usec = DUE,
        };

        request.record.copies[request.record.n_copies++] = 4;
        return run_commit(index, &request);
}

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

static void assert_marks(
                Fixture *fixture, uint64_t copies, uint64_t values, uint64_t lost, uint64_t on_3) {
        for (unsigned round = 0; round < 2; round++) {
                IndexDamageCounters counters;

                index_damage_counters(fixture->index, &counters);
                assert_int_equal(counters.copies, copies);
                assert_int_equal(counters.values, values);
                assert_int_equal(counters.lost, lost);
                assert_int_equal(index_damage_on(fixture->index, 3), on_3);
                reopen(fixture);
        }
}

TEST(a_damaged_copy_is_marked_and_told_from_the_others) {
        Fixture *fixture = *state;
        Record record;

        assert_int_equal(commit_two(fixture->index, "k", 2), 0);
        assert_int_equal(mark(fixture->index, "k", 2, 3, DAMAGE_CORRUPT), 0);
        assert_marks(fixture, 1, 1, 0, 1);
        assert_int_equal(index_get(fixture->index, "k", &fixture->scratch, &record), 0);
        assert_int_equal(index_damaged(fixture->index, &record), 1);
        assert_int_equal(index_damage_kind(fixture->index, 2, 3), DAMAGE_CORRUPT);
        assert_int_equal(index_damage_kind(fixture->index, 2, 4), DAMAGE_NONE);
        assert_int_equal(index_damage_lost_key(fixture->index, &fixture->scratch), -ENOENT);

        /* Found again: nothing new. */
        assert_int_equal(mark(fixture->index, "k", 2, 3, DAMAGE_CORRUPT), 0);
        assert_marks(fixture, 1, 1, 0, 1);
        assert_int_equal(mark(fixture->index, "k", 2, 3, DAMAGE_NONE), 0);
        assert_marks(fixture, 0, 0, 0, 0);
}

TEST(only_a_copy_of_what_is_current_is_marked) {
        Fixture *fixture = *state;

        assert_int_equal(commit_two(fixture->index, "k", 2), 0);
        assert_int_equal(mark(fixture->index, "k", 1, 3, DAMAGE_MISSING), -ENOENT);
        assert_int_equal(mark(fixture->index, "k", 2, 5, DAMAGE_MISSING), -ENOENT);
        assert_int_equal(mark(fixture->index, "other", 2, 3, DAMAGE_MISSING), -ENOENT);
        assert_marks(fixture, 0, 0, 0, 0);
}

TEST(a_value_whose_copies_are_all_damaged_is_lost) {
        Fixture *fixture = *state;

        assert_int_equal(commit_two(fixture->index, "k", 2), 0);
        assert_int_equal(mark(fixture->index, "k", 2, 3, DAMAGE_MISSING), 0);
        assert_int_equal(mark(fixture->index, "k", 2, 4, DAMAGE_UNREADABLE), -EBADMSG);
        assert_marks(fixture, 2, 1, 1, 1);
        assert_int_equal(index_damage_lost_key(fixture->index, &fixture->scratch), 0);
        assert_string_equal((const char *) fixture->scratch.data, "k");

        /* One of them is good after all. */
        assert_int_equal(mark(fixture->index, "k", 2, 4, DAMAGE_NONE), 0);
        assert_marks(fixture, 1, 1, 0, 1);
}

TEST(marks_go_with_their_copies) {
        Fixture *fixture = *state;

        assert_int_equal(commit_two(fixture->index, "overwritten", 2), 0);
        assert_int_equal(mark(fixture->index, "overwritten", 2, 3, DAMAGE_CORRUPT), 0);
        assert_int_equal(commit_two(fixture->index, "overwritten", 4), 0);
        assert_marks(fixture, 0, 0, 0, 0);

        assert_int_equal(commit_two(fixture->index, "deleted", 6), 0);
        assert_int_equal(mark(fixture->index, "deleted", 6, 3, DAMAGE_CORRUPT), 0);
        assert_int_equal(mark(fixture->index, "deleted", 6, 4, DAMAGE_CORRUPT), -EBADMSG);
        assert_int_equal(erase(fixture->index, "deleted", &(Condition){}), 0);
        assert_marks(fixture, 0, 0, 0, 0);
}

TEST(a_copy_that_is_pulled_anew_has_no_mark) {
        Fixture *fixture = *state;

        assert_int_equal(commit_two(fixture->index, "k", 2), 0);
        assert_int_equal(mark(fixture->index, "k", 2, 3, DAMAGE_CORRUPT), 0);
        assert_int_equal(move(fixture->index, "k", 2, 3, 0), 0);
        assert_marks(fixture, 0, 0, 0, 0);
        assert_current(fixture, "k", 2);
}

TEST(a_move_may_leave_only_damaged_copies_or_have_saved_the_value) {
        Fixture *fixture = *state;

        assert_int_equal(commit_two(fixture->index, "k", 2), 0);
        assert_int_equal(mark(fixture->index, "k", 2, 3, DAMAGE_CORRUPT), 0);

        /* Elsewhere: the damaged one goes. */
        assert_int_equal(move(fixture->index, "k", 2, 5, 3), 0);
        assert_marks(fixture, 0, 0, 0, 0);

        /* The good one is dropped: lost. A copy more: not any more. */
        assert_int_equal(mark(fixture->index, "k", 2, 5, DAMAGE_CORRUPT), 0);
        assert_int_equal(move(fixture->index, "k", 2, 0, 4), 0);
        assert_marks(fixture, 1, 1, 1, 0);
        assert_int_equal(move(fixture->index, "k", 2, 6, 0), 0);
        assert_marks(fixture, 1, 1, 0, 0);
}

static int collect_marks(const IndexDamageMark *found, void *userdata) {
        buffer_put(userdata, found->key, strlen(found->key));
        buffer_put_u8(userdata, (uint8_t) ('0' + found->volume));
        assert_int_equal(found->since_usec, NOW);
        return 0;
}

TEST(marks_are_listed_in_order_and_from_anywhere) {
        Fixture *fixture = *state;
        Buffer list = {};

        assert_int_equal(commit_two(fixture->index, "b", 2), 0);
        assert_int_equal(commit_two(fixture->index, "a", 4), 0);
        assert_int_equal(mark(fixture->index, "a", 4, 3, DAMAGE_CORRUPT), 0);
        assert_int_equal(mark(fixture->index, "b", 2, 4, DAMAGE_CORRUPT), 0);
        assert_int_equal(mark(fixture->index, "b", 2, 3, DAMAGE_CORRUPT), -EBADMSG);

        assert_int_equal(index_damage_scan(fixture->index, 0, 0, 99, collect_marks, &list), 0);
        assert_int_equal(index_damage_scan(fixture->index, 2, 3, 1, collect_marks, &list), 0);
        assert_int_equal(list.size, 8);
        assert_memory_equal(list.data, "b3b4a3b4", 8);
        buffer_done(&list);
}

TEST(many_marks_are_made_and_cleared_at_once) {
        Fixture *fixture = *state;
        static IndexDamageItem items[600];
        static char keys[600][16];
        IndexDamage damage = {
                .request.done = scratch_answered,
                .items = items,
                .n_items = ELEMENTSOF(items),
                .now_usec = NOW,
        };

        fill(fixture->index, ELEMENTSOF(items));
        for (unsigned i = 0; i < ELEMENTSOF(items); i++) {
                (void) snprintf(keys[i], sizeof(keys[i]), "key/%04u", i);
                items[i] = (IndexDamageItem){ i + 1, 3, keys[i], DAMAGE_MISSING, 0, false };
        }
        index_damage(fixture->index, &damage);
        assert_int_equal(scratch_wait(), 0);
        assert_marks(fixture, 600, 600, 600, 600);

        for (unsigned i = 0; i < ELEMENTSOF(items); i++)
                items[i].kind = DAMAGE_NONE;
        index_damage(fixture->index, &damage);
        assert_int_equal(scratch_wait(), 0);
        assert_marks(fixture, 0, 0, 0, 0);
}

/* It is made again when somebody reads the copy. */
TEST(a_master_alone_is_opened_without_marks_that_cannot_be_read) {
        Fixture *fixture = *state;

        assert_int_equal(commit_two(fixture->index, "a", 2), 0);
        assert_int_equal(commit_two(fixture->index, "b", 4), 0);
        assert_int_equal(mark(fixture->index, "b", 4, 3, DAMAGE_MISSING), 0);
        put_bad_mark(fixture->index);
        assert_marks(fixture, 1, 1, 0, 1);
}

#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
int main(void) {
        const struct CMUnitTest tests[] = {
                RUN(a_damaged_copy_is_marked_and_told_from_the_others),
                RUN(only_a_copy_of_what_is_current_is_marked),
                RUN(a_value_whose_copies_are_all_damaged_is_lost),
                RUN(marks_go_with_their_copies),
                RUN(a_copy_that_is_pulled_anew_has_no_mark),
                RUN(a_move_may_leave_only_damaged_copies_or_have_saved_the_value),
                RUN(marks_are_listed_in_order_and_from_anywhere),
                RUN(many_marks_are_made_and_cleared_at_once),
                RUN(a_master_alone_is_opened_without_marks_that_cannot_be_read),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
