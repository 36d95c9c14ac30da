/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <locale.h>
#include <string.h>

#include "frame/table.h"

/* clang-format off */
static const Column columns[] = {
        { "NUMBER", "number", .right = true   },
        { "NAME",   "name",   .shrinks = true },
        { NULL,     "hidden"                  },
        { "SIZE",   "size",   .right = true   },
        {}
};
/* clang-format on */

static void add_row(Table *table, uint64_t number, const char *name, uint64_t size) {
        table_add_uint(table, number);
        table_add_string(table, name);
        table_add(table, COLOUR_NONE, json_new_bool(true), "yes");
        table_add_bytes(table, size);
}

static Table *example(void) {
        Table *table;

        assert_ok(table_new(columns, &table));
        add_row(table, 1, "http://a.example:3001", 1536);
        add_row(table, 12, "", 512);
        return table;
}

static void assert_formatted(const Table *table, TableLook look, const char *expected) {
        _cleanup_free_ char *text = table_format(table, &look);

        assert_string_equal(text, expected);
}

TEST(columns_are_aligned_and_end_without_blanks) {
        _cleanup_(table_freep) Table *table = example();

        assert_int_equal(table_rows(table), 2);
        assert_formatted(
                        table, (TableLook){ .legend = true },
                        "NUMBER  NAME                   SIZE\n"
                        "     1  http://a.example:3001  1.5K\n"
                        "    12  -                      512B\n");
        assert_formatted(
                        table, (TableLook){},
                        " 1  http://a.example:3001  1.5K\n"
                        "12  -                      512B\n");
}

TEST(wide_tables_are_cut_where_they_may_be) {
        _cleanup_(table_freep) Table *table = example();

        assert_formatted(
                        table, (TableLook){ .legend = true, .width = 30 },
                        "NUMBER  NAME              SIZE\n"
                        "     1  http://a.exampl…  1.5K\n"
                        "    12  -                 512B\n");

        /* But not to nothing: then lines are too long. */
        assert_formatted(
                        table, (TableLook){ .width = 5 },
                        " 1  http://…  1.5K\n"
                        "12  -         512B\n");
}

TEST(wide_characters_take_their_columns) {
        _cleanup_(table_freep) Table *table;

        assert_ok(table_new(columns, &table));
        add_row(table, 1, "日本語日本語", 0);
        add_row(table, 2, "zürich", 0);

        assert_formatted(
                        table, (TableLook){},
                        "1  日本語日本語  0B\n"
                        "2  zürich        0B\n");
        assert_formatted(
                        table, (TableLook){ .width = 14 },
                        "1  日本語…   0B\n"
                        "2  zürich    0B\n");
}

TEST(control_characters_do_not_reach_the_terminal) {
        _cleanup_(table_freep) Table *table;
        _cleanup_(json_freep) Json *json = NULL;

        assert_ok(table_new(columns, &table));
        add_row(table, 1, "a\033[2Jb\nc\xff", 0);
        assert_formatted(table, (TableLook){}, "1  a?[2Jb?c?  0B\n");
}

TEST(colours_take_no_columns) {
        static const Column one[] = { { "STATE", "state" }, { "X", "x" }, {} };
        _cleanup_(table_freep) Table *table;

        assert_ok(table_new(one, &table));
        table_add_coloured(table, COLOUR_RED, "down");
        table_add_string(table, "x");

        assert_formatted(table, (TableLook){ .colours = true }, "\033[1;31mdown\033[0m  x\n");
        assert_formatted(table, (TableLook){}, "down  x\n");
}

TEST(list_has_a_line_for_each_cell) {
        _cleanup_(table_freep) Table *table = example();
        _cleanup_free_ char *text = table_format_list(table, &(TableLook){ .legend = true });

        assert_string_equal(
                        text, "NUMBER: 1\n"
                              "  NAME: http://a.example:3001\n"
                              "  SIZE: 1.5K\n"
                              "\n"
                              "NUMBER: 12\n"
                              "  NAME: -\n"
                              "  SIZE: 512B\n");
}

TEST(json_has_the_same_rows_with_plain_values) {
        _cleanup_(table_freep) Table *table = example();
        _cleanup_(json_freep) Json *json = table_to_json(table);
        _cleanup_free_ char *text = json_format(json, false);

        assert_string_equal(
                        text,
                        "[{\"number\":1,\"name\":\"http://a.example:3001\",\"hidden\":true,\"size\":1536},"
                        "{\"number\":12,\"name\":\"\",\"hidden\":true,\"size\":512}]\n");
}

TEST(empty_table_is_its_legend) {
        _cleanup_(table_freep) Table *table;
        _cleanup_(json_freep) Json *json = NULL;
        _cleanup_free_ char *text = NULL;

        assert_ok(table_new(columns, &table));
        assert_formatted(table, (TableLook){ .legend = true }, "NUMBER  NAME  SIZE\n");
        assert_formatted(table, (TableLook){}, "");

        json = table_to_json(table);
        text = json_format(json, false);
        assert_string_equal(text, "[]\n");
}

TEST(hidden_column_is_left_to_json) {
        _cleanup_(table_freep) Table *table = example();
        _cleanup_(json_freep) Json *json = NULL;

        table_hide(table, "name");
        assert_formatted(table, (TableLook){}, " 1  1.5K\n12  512B\n");
        json = table_to_json(table);
        assert_string_equal(json_get_string(json_array_get(json, 1), "name"), "");
}

TEST(missing_value_is_a_failure) {
        static const Column one[] = { { "X", "x" }, {} };
        _cleanup_(table_freep) Table *table;

        assert_ok(table_new(one, &table));
        table_add(table, COLOUR_NONE, NULL, "%s", "x");
        assert_null(table_format(table, &(TableLook){}));
        assert_null(table_to_json(table));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(columns_are_aligned_and_end_without_blanks),
                cmocka_unit_test(wide_tables_are_cut_where_they_may_be),
                cmocka_unit_test(wide_characters_take_their_columns),
                cmocka_unit_test(control_characters_do_not_reach_the_terminal),
                cmocka_unit_test(colours_take_no_columns),
                cmocka_unit_test(list_has_a_line_for_each_cell),
                cmocka_unit_test(json_has_the_same_rows_with_plain_values),
                cmocka_unit_test(empty_table_is_its_legend),
                cmocka_unit_test(hidden_column_is_left_to_json),
                cmocka_unit_test(missing_value_is_a_failure),
        };

        assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
        return cmocka_run_group_tests(tests, NULL, NULL);
}
