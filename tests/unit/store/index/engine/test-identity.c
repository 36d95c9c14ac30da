/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "store/index/identity.h"
#include "store/index/index-fixture.h"

TEST(each_opening_has_a_term_and_a_leader_of_its_own) {
        Fixture *fixture = *state;
        IndexIdentity first = *index_identity(fixture->index), second;

        assert_int_equal(first.term, 1);
        assert_int_not_equal(first.leader, 0);

        reopen(fixture);
        second = *index_identity(fixture->index);
        assert_memory_equal(second.cluster, first.cluster, sizeof(first.cluster));
        assert_int_equal(second.term, 2);
        assert_int_not_equal(second.leader, first.leader);
}

TEST(two_clusters_have_two_ids) {
        Fixture *fixture = *state;
        char *directory = scratch_new();
        Index *other = open_index(directory);

        assert_memory_not_equal(
                        index_identity(other)->cluster, index_identity(fixture->index)->cluster,
                        CLUSTER_ID_SIZE);

        index_free(other);
        scratch_free(directory);
}

TEST(after_a_clean_end_versions_go_on_without_a_gap) {
        Fixture *fixture = *state;
        uint64_t last = 0;

        for (size_t i = 0; i < 1000; i++)
                last = index_next_version(fixture->index, VERSION_DIRECT);
        assert_int_equal(index_version_end(fixture->index), last + 2);

        reopen(fixture);
        assert_int_equal(index_version_end(fixture->index), last + 2);
        assert_int_equal(index_next_version(fixture->index, VERSION_TICKET), last + 3);
}

TEST(a_mark_is_the_highest_version_with_a_copy_on_the_volume) {
        Fixture *fixture = *state;
        const uint32_t drop[] = { 3 };
        IndexMove move = {
                .request.done = scratch_answered,
                .key = "a",
                .version = 9,
                .add = 5,
                .drop = drop,
                .n_drop = 1,
        };

        assert_int_equal(commit(fixture->index, "a", 9, 3), 0);
        assert_int_equal(commit(fixture->index, "b", 7, 3), 0);
        assert_int_equal(commit(fixture->index, "c", 8, 4), 0);
        assert_int_equal(index_mark(fixture->index, 3), 9);
        assert_int_equal(index_mark(fixture->index, 4), 8);
        assert_int_equal(index_mark(fixture->index, 5), 0);

        index_move(fixture->index, &move);
        assert_int_equal(scratch_wait(), 0);
        assert_int_equal(index_mark(fixture->index, 5), 9);
        assert_int_equal(erase(fixture->index, "a", &(Condition){}), 0);

        reopen(fixture);
        assert_int_equal(index_mark(fixture->index, 3), 9);
        assert_int_equal(index_mark(fixture->index, 4), 8);
        assert_int_equal(index_mark(fixture->index, 5), 9);
        assert_int_equal(index_mark(fixture->index, VOLUME_MAX), 0);
}

TEST(a_refused_commit_leaves_no_mark) {
        Fixture *fixture = *state;
        IndexCommit request = {
                .key = "a",
                .record = make_record(5, 4),
                .condition.create_only = true,
        };

        assert_int_equal(commit(fixture->index, "a", 1, 3), 0);
        assert_int_equal(run_commit(fixture->index, &request), -EEXIST);
        assert_int_equal(index_mark(fixture->index, 4), 0);
}

TEST(what_is_rolled_back_leaves_no_mark) {
        Marks *marks = calloc(1, sizeof(*marks));

        marks_raise(marks, 2, 10, 5);
        marks_keep(marks);
        marks_raise(marks, 2, 11, 5);
        marks_raise(marks, 2, 12, 5);
        marks_raise(marks, 7, 12, 5);
        assert_true(marks_have_changed(marks));
        marks_undo(marks);
        assert_false(marks_have_changed(marks));

        marks_raise(marks, 2, 11, 4); /* the clock was put back */
        marks_keep(marks);
        assert_int_equal(atomic_load(&marks->changed_usec), 4);
        assert_int_equal(marks_get(marks, 2), 11);
        assert_int_equal(marks_get(marks, 7), 0);
        free(marks);
}

TEST(damaged_marks_are_refused) {
        Marks *marks = calloc(1, sizeof(*marks));
        static const uint8_t future[] = { 2 }, torn[] = { 1, 2, 0, 0 };

        assert_int_equal(marks_decode(marks, future, sizeof(future)), -EPROTONOSUPPORT);
        assert_int_equal(marks_decode(marks, torn, sizeof(torn)), -EBADMSG);
        free(marks);
}

#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                RUN(each_opening_has_a_term_and_a_leader_of_its_own),
                RUN(two_clusters_have_two_ids),
                RUN(after_a_clean_end_versions_go_on_without_a_gap),
                RUN(a_mark_is_the_highest_version_with_a_copy_on_the_volume),
                RUN(a_refused_commit_leaves_no_mark),
                cmocka_unit_test(what_is_rolled_back_leaves_no_mark),
                cmocka_unit_test(damaged_marks_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
