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

/* Every column but the first may shrink. */
static const Column narrow_columns[] = { { "N", "n", .right = true },
                                         { "LONG", "long", .shrinks = true },
                                         { "WIDE", "wide", .shrinks = true },
                                         {} };

static Table *narrow_example(const char *first, const char *second) {
        Table *table;

        assert_ok(table_new(narrow_columns, &table));
        table_add_uint(table, 7);
        table_add_string(table, first);
        table_add_string(table, second);
        return table;
}

TEST(widest_column_gives_way_first) {
        /* clang-format off */
        static const struct {
                const char *first, *second;
                unsigned width;
                const char *text;
        } rows[] = {
                { "aaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbb", 0,  "7  aaaaaaaaaaaaaaaaaaaa  bbbbbbbbbb\n" },
                { "aaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbb", 35, "7  aaaaaaaaaaaaaaaaaaaa  bbbbbbbbbb\n" },
                { "aaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbb", 34, "7  aaaaaaaaaaaaaaaaaa…  bbbbbbbbbb\n" },
                { "aaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbb", 25, "7  aaaaaaaaa…  bbbbbbbbbb\n" },
                { "aaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbb", 23, "7  aaaaaaaa…  bbbbbbbb…\n" },
                { "aaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbb", 21, "7  aaaaaaa…  bbbbbbb…\n" },
                { "aaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbb", 1,  "7  aaaaaaa…  bbbbbbb…\n" }, /* no less than that */
                { "short",                "bbbbbbbbbbbbbbbbbbbb", 20, "7  short  bbbbbbbbb…\n" },
                { "ääääääääääääääääääää", "bbbbbbbb",   22, "7  ääääääää…  bbbbbbbb\n" },
        };
        /* clang-format on */

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                _cleanup_(table_freep) Table *table = narrow_example(rows[i].first, rows[i].second);

                assert_formatted(table, (TableLook){ .width = rows[i].width }, rows[i].text);
        }
}

TEST(list_is_not_cut) {
        _cleanup_(table_freep) Table *table = narrow_example(
                        "aaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbb");
        _cleanup_free_ char *text = table_format_list(table, &(TableLook){ .width = 10 });

        assert_string_equal(
                        text, "   N: 7\nLONG: aaaaaaaaaaaaaaaaaaaa\nWIDE: bbbbbbbbbbbbbbbbbbbb\n");
}

TEST(cut_is_marked_in_ascii_where_there_is_nothing_else) {
        _cleanup_(table_freep) Table *table = NULL;

        assert_non_null(setlocale(LC_CTYPE, "C"));
        table = narrow_example("aaaaaaaaaaaaaaaaaaaa", "b\xc3\xa4");
        assert_formatted(table, (TableLook){ .width = 20 }, "7  aaaaaaaaaaa~  b??\n");
        assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
}

TEST(colour_ends_behind_the_mark_of_a_cut) {
        _cleanup_(table_freep) Table *table = NULL;

        assert_ok(table_new(narrow_columns, &table));
        table_add_uint(table, 7);
        table_add_coloured(table, COLOUR_RED, "aaaaaaaaaaaaaaaaaaaa");
        table_add_string(table, "b");
        assert_formatted(
                        table, (TableLook){ .width = 15, .colours = true },
                        "7  \033[1;31maaaaaaaa…\033[0m  b\n");
        assert_formatted(table, (TableLook){ .width = 15 }, "7  aaaaaaaa…  b\n");
}

TEST(many_rows_are_all_there) {
        _cleanup_(table_freep) Table *table = NULL;
        _cleanup_(json_freep) Json *json = NULL;
        _cleanup_free_ char *text = NULL;
        size_t lines = 0;

        assert_ok(table_new(narrow_columns, &table));
        for (unsigned i = 0; i < 1000; i++) {
                table_add_uint(table, i);
                table_add_string(table, "x");
                table_add_string(table, "y");
        }
        assert_int_equal(table_rows(table), 1000);
        text = table_format(table, &(TableLook){ .legend = true });
        for (const char *p = text; *p; p++)
                lines += *p == '\n';
        assert_int_equal(lines, 1001);
        assert_non_null(strstr(text, "\n999  x     y\n"));
        json = table_to_json(table);
        assert_int_equal(json_array_size(json), 1000);
}

TEST(times_and_sizes_are_numbers_for_programs) {
        static const Column both[] = { { "SEEN", "seen" }, { "SIZE", "size" }, {} };
        _cleanup_(table_freep) Table *table = NULL;
        _cleanup_(json_freep) Json *json = NULL;
        _cleanup_free_ char *text = NULL;

        assert_ok(table_new(both, &table));
        table_add_ago(table, 5000000, 8000000);
        table_add_bytes(table, UINT64_MAX);
        assert_formatted(table, (TableLook){}, "3s ago  15.9E\n");
        json = table_to_json(table);
        text = json_format(json, false);
        assert_string_equal(text, "[{\"seen\":5000000,\"size\":18446744073709551615}]\n");
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
                cmocka_unit_test(widest_column_gives_way_first),
                cmocka_unit_test(list_is_not_cut),
                cmocka_unit_test(cut_is_marked_in_ascii_where_there_is_nothing_else),
                cmocka_unit_test(colour_ends_behind_the_mark_of_a_cut),
                cmocka_unit_test(many_rows_are_all_there),
                cmocka_unit_test(times_and_sizes_are_numbers_for_programs),
        };

        assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
        return cmocka_run_group_tests(tests, NULL, NULL);
}
