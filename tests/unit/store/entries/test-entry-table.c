/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "store/entries/entry-table.h"

static void append(EntryTable *table, uint64_t term, uint32_t file) {
        assert_int_equal(entry_table_reserve(table, 1), 0);
        entry_table_append(table, &(EntrySlot){ .term = term, .at = { file, 64 }, .size = 1 });
}

TEST(a_table_has_what_lies_between_its_base_and_its_end) {
        EntryTable table = {};

        entry_table_reset(&table, 10, 3);
        append(&table, 3, 1);
        append(&table, 4, 1);
        assert_int_equal(entry_table_last(&table), 12);
        assert_int_equal(entry_table_term(&table, 9), 0);
        assert_int_equal(entry_table_term(&table, 10), 3);
        assert_int_equal(entry_table_term(&table, 12), 4);
        assert_int_equal(entry_table_term(&table, 13), 0);
        assert_null(entry_table_find(&table, 10));
        assert_non_null(entry_table_find(&table, 11));
        entry_table_cut(&table, 11, 3);
        assert_null(entry_table_find(&table, 12));
        entry_table_cut(&table, 10, 3);
        assert_int_equal(entry_table_last(&table), 10);
        append(&table, 4, 1);
        entry_table_cut(&table, 8, 2);
        assert_int_equal(entry_table_last(&table), 8);
        assert_int_equal(entry_table_term(&table, 8), 2);
        assert_null(entry_table_find(&table, 9));
        entry_table_done(&table);
}

TEST(what_lies_in_segments_that_go_is_forgotten) {
        EntryTable table = {};

        for (uint32_t i = 0; i < 100; i++)
                append(&table, 1 + i / 10, 1 + i / 20);
        entry_table_drop(&table, 1);
        assert_int_equal(table.base_index, 0);
        entry_table_drop(&table, 3);
        assert_int_equal(table.base_index, 40);
        assert_int_equal(table.base_term, 4);
        assert_int_equal(entry_table_last(&table), 100);
        assert_int_equal(entry_table_find(&table, 41)->at.file, 3);
        assert_int_equal(entry_table_term(&table, 100), 10);
        entry_table_drop(&table, 9);
        assert_int_equal(table.base_index, 100);
        assert_int_equal(table.base_term, 10);
        entry_table_done(&table);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_table_has_what_lies_between_its_base_and_its_end),
                cmocka_unit_test(what_lies_in_segments_that_go_is_forgotten),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
