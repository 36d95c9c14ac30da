/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What others ask of a group's thread. */

#include "test.h"

#include <errno.h>

#include "master/group/errands.h"

static Errands errands;

static int setup(void **state) {
        errands_init(&errands);
        return 0;
}

static int teardown(void **state) {
        errands_done(&errands);
        return 0;
}

TEST(all_that_was_asked_is_taken_once) {
        GroupProbe probes[3] = {};
        GroupChange change = {};
        GroupTransfer transfer = {};
        ConsensusApplied applied = { .index = 7 }, taken;
        ErrandLists lists;
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTSOF(probes); i++)
                assert_ok(errands_put_probe(&errands, probes + i));
        assert_ok(errands_put_change(&errands, &change));
        assert_ok(errands_put_transfer(&errands, &transfer));
        assert_ok(errands_put_compaction(&errands, 20));
        assert_ok(errands_put_compaction(&errands, 10));
        assert_ok(errands_put_database(&errands, &applied));
        applied.index = 8; /* it was copied */

        errands_take(&errands, &lists, &taken);
        for (const GroupProbe *probe = lists.probes; probe; probe = probe->next)
                n++;
        assert_int_equal(n, ELEMENTSOF(probes));
        assert_ptr_equal(lists.changes, &change);
        assert_ptr_equal(lists.transfers, &transfer);
        assert_int_equal(lists.compact, 20);
        assert_int_equal(lists.database->index, 7);

        errands_take(&errands, &lists, &taken);
        assert_true(!lists.probes && !lists.changes && !lists.transfers && !lists.database);
        assert_int_equal(lists.compact, 0);
}

TEST(who_is_first_has_the_thread_woken) {
        GroupProbe probes[3] = {};
        ConsensusApplied taken;
        ErrandLists lists;

        assert_int_equal(errands_put_probe(&errands, probes), 1);
        assert_int_equal(errands_put_probe(&errands, probes + 1), 0);
        assert_int_equal(errands_put_compaction(&errands, 1), 0);
        errands_take(&errands, &lists, &taken);
        assert_int_equal(errands_put_probe(&errands, probes + 2), 1);
}

TEST(nothing_is_taken_at_the_end) {
        GroupProbe probe = {};

        errands_close(&errands);
        assert_int_equal(errands_put_probe(&errands, &probe), -ESHUTDOWN);
        assert_int_equal(errands_put_compaction(&errands, 1), -ESHUTDOWN);
        assert_null(errands.lists.probes);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(all_that_was_asked_is_taken_once),
                RUN(who_is_first_has_the_thread_woken),
                RUN(nothing_is_taken_at_the_end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
