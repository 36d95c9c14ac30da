/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#include "adm/view/health-line.h"

/* clang-format off */
static const struct {
        TableLook look;
        const char *health, *reason, *advice, *text;
} rows[] = {
        { {}, "ok", "", "", "* ok\n" },
        { {}, "degraded", "It is slow.", "", "* degraded: It is slow.\n" },
        { {}, "down", "Gone.", "Start it.", "* down: Gone.\n  Start it.\n" },
        { { .colours = true }, "ok", "", "", "\033[32m* ok\033[0m\n" },
        { { .colours = true }, "degraded", "x", "y", "\033[1;33m* degraded: x\033[0m\n  y\n" },
        { { .colours = true }, "odd", "", "", "\033[1;31m* odd\033[0m\n" },
        { { .width = 20 }, "down", "one two three four", "and what to do about it", "* down: one two\n  three four\n  and what to do\n  about it\n" },
        { { .width = 10 }, "down", "averyveryverylongword x", "", "* down:\n  averyveryverylongword\n  x\n" },
        { {}, "down", "a\x1b[1mb\nc", "d\te", "* down: a?[1mb?c\n  d?e\n" },
        { {}, "down", "many   blanks ", "", "* down: many blanks\n" },
};
/* clang-format on */

TEST(line_is_broken_at_blanks) {
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                size_t size;
                char *text;
                FILE *file = open_memstream(&text, &size);

                health_line_print(
                                file, &rows[i].look, rows[i].health, rows[i].reason,
                                rows[i].advice);
                assert_int_equal(fclose(file), 0);
                assert_string_equal(text, rows[i].text);
                free(text);
        }
}

TEST(bullet_is_round_where_it_can_be) {
        size_t size;
        char *text;
        FILE *file;

        if (!setlocale(LC_CTYPE, "C.UTF-8"))
                skip();
        file = open_memstream(&text, &size);
        health_line_print(file, &(TableLook){}, "ok", "", "");
        assert_int_equal(fclose(file), 0);
        assert_string_equal(text, "● ok\n");
        free(text);
        (void) setlocale(LC_CTYPE, "C");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(line_is_broken_at_blanks),
                cmocka_unit_test(bullet_is_round_where_it_can_be),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
