/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <stdlib.h>

#include "adm/context/output.h"
#include "frame/capture.h"

/* clang-format off */
static const Column columns[] = {
        { "NAME",  "name"                  },
        { "COUNT", "count", .right = true  },
        {}
};

static const struct {
        Output output;
        bool list;
        const char *text;
} rows[] = {
        { {},                      false, "NAME  COUNT\na         1\nb        22\n" },
        { { .no_legend = true },   false, "a   1\nb  22\n" },
        { { .quiet = true },       false, "NAME  COUNT\na         1\nb        22\n" }, /* what was asked for */
        { { .json = JSON_SHORT },  false, "[{\"name\":\"a\",\"count\":1},{\"name\":\"b\",\"count\":22}]\n" },
        { {},                      true,  " NAME: a\nCOUNT: 1\n\n NAME: b\nCOUNT: 22\n" },
        { { .json = JSON_SHORT },  true,  "{\"name\":\"a\",\"count\":1}\n" },
};
/* clang-format on */

TEST(tables_are_printed_as_wanted) {
        Table *table;

        assert_ok(table_new(columns, &table));
        table_add_string(table, "a");
        table_add_uint(table, 1);
        table_add_string(table, "b");
        table_add_uint(table, 22);

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                Capture capture;
                char *text;
                int r;

                capture_begin(&capture, STDOUT_FILENO, stdout);
                r = rows[i].list ? output_print_list(&rows[i].output, table)
                                 : output_print_table(&rows[i].output, table);
                text = capture_end(&capture, stdout);
                assert_ok(r);
                assert_string_equal(text, rows[i].text);
                free(text);
        }
        (void) table_free(table);
}

TEST(table_that_lacks_memory_is_told) {
        Capture out, err;
        Table *table;
        char *text;
        int r;

        assert_ok(table_new(columns, &table));
        table_add(table, COLOUR_NONE, NULL, "no value"); /* as if there had been no memory for it */
        table_add_uint(table, 1);
        capture_begin(&out, STDOUT_FILENO, stdout);
        capture_begin(&err, STDERR_FILENO, stderr);
        r = output_print_table(&(Output){}, table);
        text = capture_end(&err, stderr);
        assert_true(r < 0);
        assert_string_equal(text, "Failed to print: Cannot allocate memory\n");
        free(text);
        text = capture_end(&out, stdout);
        assert_string_equal(text, "");
        free(text);
        (void) table_free(table);
}

TEST(what_was_done_is_said_unless_quiet) {
        Capture capture;
        char *text;

        capture_begin(&capture, STDOUT_FILENO, stdout);
        output_say(&(Output){}, "Volume %d is %s.", 3, "active");
        output_say(&(Output){ .quiet = true }, "Nothing.");
        text = capture_end(&capture, stdout);
        assert_string_equal(text, "Volume 3 is active.\n");
        free(text);
}

TEST(look_has_a_width_if_somebody_knows_one) {
        Capture capture;
        TableLook look, wide;

        assert_ok(unsetenv("COLUMNS"));
        capture_begin(&capture, STDOUT_FILENO, stdout);
        look = output_look(&(Output){ .no_legend = true });
        assert_ok(setenv("COLUMNS", "70", 1));
        wide = output_look(&(Output){});
        free(capture_end(&capture, stdout));
        assert_int_equal(look.width, 0);
        assert_false(look.legend || look.colours);
        assert_int_equal(wide.width, 70);
        assert_true(wide.legend);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(tables_are_printed_as_wanted),
                cmocka_unit_test(table_that_lacks_memory_is_told),
                cmocka_unit_test(what_was_done_is_said_unless_quiet),
                cmocka_unit_test(look_has_a_width_if_somebody_knows_one),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
