/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "master/seat/backlog.h"

TEST(entries_are_kept_in_their_order_as_copies) {
        char data[] = "one", other[] = "three";
        int proposal;
        Backlog backlog;

        backlog_init(&backlog);
        assert_ok(backlog_put(&backlog, 5, &(Entry){ 2, ENTRY_REQUESTS, 4, data }, &proposal));
        assert_ok(backlog_put(&backlog, 6, &(Entry){ 2, ENTRY_NOTHING, 0, NULL }, NULL));
        assert_ok(backlog_put(&backlog, 7, &(Entry){ 3, ENTRY_MEMBERS, 6, other }, NULL));
        data[0] = 'x';
        assert_int_equal(backlog.size, 10);

        assert_int_equal(backlog.first->index, 5);
        assert_int_equal(backlog.first->entry.term, 2);
        assert_string_equal(backlog.first->entry.data, "one");
        assert_ptr_equal(backlog.first->proposal, &proposal);
        backlog_drop(&backlog);
        assert_int_equal(backlog.first->entry.type, ENTRY_NOTHING);
        backlog_drop(&backlog);
        assert_string_equal(backlog.first->entry.data, "three");
        backlog_drop(&backlog);
        assert_null(backlog.first);
        assert_int_equal(backlog.size, 0);

        assert_ok(backlog_put(&backlog, 8, &(Entry){ 3, ENTRY_REQUESTS, 6, other }, NULL));
        assert_int_equal(backlog.first->index, 8);
        backlog_done(&backlog);
        assert_null(backlog.first);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(entries_are_kept_in_their_order_as_copies),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
