/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <stdlib.h>

#include "adm/verb/arguments.h"
#include "base/macro.h"
#include "frame/capture.h"
#include "frame/complaint.h"

/* Parses TEXT; compares what is said, and that a number is only written if it is one. */
static void check(
                int (*parse)(const char *argument, uint32_t *ret),
                const char *text,
                uint32_t expected, /* 0: none */
                const char *complaint) {
        uint32_t number = 4711;
        Capture capture;
        char *said;
        int r;

        capture_begin(&capture, STDERR_FILENO, stderr);
        r = parse(text, &number);
        said = capture_end(&capture, stderr);
        assert_int_equal(r, expected == 0 ? EXIT_USAGE : 0);
        assert_int_equal(number, expected == 0 ? 4711 : expected);
        assert_string_equal(said, complaint);
        free(said);
}

TEST(volume_has_a_number_within_limits) {
        /* clang-format off */
        static const struct {
                const char *text;
                uint32_t number;
                const char *complaint;
        } rows[] = {
                { "1",                    1,     "" },
                { "65535",                65535, "" },
                { "0",                    0,     "'0' is not a volume number, which is from 1 to 65535.\n" },
                { "65536",                0,     "'65536' is not a volume number, which is from 1 to 65535.\n" },
                { "4294967297",           0,     "'4294967297' is not a volume number, which is from 1 to 65535.\n" },
                { "18446744073709551617", 0,     "'18446744073709551617' is not a volume number, which is from 1 to 65535.\n" },
                { "",                     0,     "'' is not a volume number, which is from 1 to 65535.\n" },
                { "-1",                   0,     "'-1' is not a volume number, which is from 1 to 65535.\n" },
                { "+1",                   0,     "'+1' is not a volume number, which is from 1 to 65535.\n" },
                { " 1",                   0,     "' 1' is not a volume number, which is from 1 to 65535.\n" },
                { "1 ",                   0,     "'1 ' is not a volume number, which is from 1 to 65535.\n" },
                { "1.0",                  0,     "'1.0' is not a volume number, which is from 1 to 65535.\n" },
                { "0x1",                  0,     "'0x1' is not a volume number, which is from 1 to 65535.\n" },
                { "volume1",              0,     "'volume1' is not a volume number, which is from 1 to 65535.\n" },
                { "\033[31m",             0,     "'?[31m' is not a volume number, which is from 1 to 65535.\n" },
        };
        /* clang-format on */

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                check(parse_volume, rows[i].text, rows[i].number, rows[i].complaint);
}

TEST(job_has_a_number_within_limits) {
        /* clang-format off */
        static const struct {
                const char *text;
                uint32_t number;
                const char *complaint;
        } rows[] = {
                { "1",          1,          "" },
                { "4294967295", 4294967295, "" },
                { "0",          0,          "'0' is not a job number.\n" },
                { "4294967296", 0,          "'4294967296' is not a job number.\n" },
                { "",           0,          "'' is not a job number.\n" },
                { "-3",         0,          "'-3' is not a job number.\n" },
                { "all",        0,          "'all' is not a job number.\n" },
                { "3,4",        0,          "'3,4' is not a job number.\n" },
        };
        /* clang-format on */

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                check(parse_job, rows[i].text, rows[i].number, rows[i].complaint);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(volume_has_a_number_within_limits),
                cmocka_unit_test(job_has_a_number_within_limits),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
