/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <string.h>

#include "frame/capture.h"
#include "frame/options.h"

typedef struct Values {
        bool flag;
        const char *text;
        uint64_t number;
        unsigned choice;
} Values;

#define AT(field) offsetof(Values, field)

static const char *const choices[] = { "off", "short", "pretty", NULL };

/* clang-format off */
static const Option options[] = {
        { 'q',  "quiet",  OPTION_FLAG,   AT(flag),   NULL,               "Say nothing"         },
        { 'D',  "dir",    OPTION_TEXT,   AT(text),   "PATH",             "Where"               },
        { '\0', "lines",  OPTION_NUMBER, AT(number), "N",                "How many"            },
        { '\0', "json",   OPTION_CHOICE, AT(choice), "short|pretty|off", "Print JSON", choices },
        {}
};

static const struct {
        const char *arguments[4];
        const char *error; /* NULL if there is none */
        Values values;
        uint64_t given;
} rows[] = {
        { { "--json=pretty" },            NULL, { .choice = 2 },                 1 << 3 },
        { { "--json", "off" },            NULL, { .choice = 0 },                 1 << 3 },
        { { "--lines=18446744073709551615" }, NULL, { .number = UINT64_MAX },    1 << 2 },
        { { "-D", "" },                   NULL, { .text = "" },                  1 << 1 },
        { { "--dir=" },                   NULL, { .text = "" },                  1 << 1 },
        { { "-qD/x" },                    NULL, { .flag = true, .text = "/x" },  1 << 0 | 1 << 1 },
        { { "--dir=a", "--dir=b" },       NULL, { .text = "b" },                 1 << 1 },
        { { "--qui" },                    NULL, { .flag = true },                1 << 0 }, /* as getopt_long() has it */
        { { "--json=long" },              "Invalid value 'long' for --json=short|pretty|off; see --help.\n" },
        { { "--json=" },                  "Invalid value '' for --json=short|pretty|off; see --help.\n" },
        { { "--lines=0" },                "Invalid value '0' for --lines=N; see --help.\n" },
        { { "--lines=1K" },               "Invalid value '1K' for --lines=N; see --help.\n" },
        { { "--lines=-1" },               "Invalid value '-1' for --lines=N; see --help.\n" },
        { { "--lines=18446744073709551616" }, "Invalid value '18446744073709551616' for --lines=N; see --help.\n" },
        { { "--lines" },                  "Option --lines needs a value; see --help.\n" },
        { { "-D" },                       "Option -D needs a value; see --help.\n" },
        { { "-qD" },                      "Option -D needs a value; see --help.\n" },
        { { "--quiet=yes" },              "Option --quiet=yes takes no value; see --help.\n" },
        { { "--nothing" },                "Unknown option '--nothing'; see --help.\n" },
        { { "-qx" },                      "Unknown option '-x'; see --help.\n" },
        { { "-\x1b" },                    "Unknown option '-?'; see --help.\n" },
};
/* clang-format on */

TEST(options_are_taken_or_refused_with_a_reason) {
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                char *argv[6] = { (char *) "program" }, *text;
                uint64_t given = 0;
                Values values = {};
                Capture capture;
                int argc = 1, r;

                for (; rows[i].arguments[argc - 1]; argc++)
                        argv[argc] = (char *) rows[i].arguments[argc - 1];
                capture_begin(&capture, STDERR_FILENO, stderr);
                r = options_parse(options, argc, argv, &values, &given);
                text = capture_end(&capture, stderr);

                assert_string_equal(text, rows[i].error ?: "");
                free(text);
                if (rows[i].error) {
                        assert_int_equal(r, -EINVAL);
                        continue;
                }
                assert_int_equal(r, argc); /* no argument is left */
                assert_int_equal(given, rows[i].given);
                assert_int_equal(values.flag, rows[i].values.flag);
                assert_int_equal(values.number, rows[i].values.number);
                assert_int_equal(values.choice, rows[i].values.choice);
                if (rows[i].values.text)
                        assert_string_equal(values.text, rows[i].values.text);
                else
                        assert_null(values.text);
        }
}

TEST(row_is_found_by_its_whole_name) {
        assert_ptr_equal(options_find(options, "lines"), options + 2);
        assert_null(options_find(options, "line"));
        assert_null(options_find(options, "liness"));
        assert_null(options_find(options, ""));
}

TEST(help_has_letter_name_and_argument) {
        Capture capture;
        char *text;

        capture_begin(&capture, STDOUT_FILENO, stdout);
        for (const Option *option = options; option->name; option++)
                option_print_help(option, stdout);
        text = capture_end(&capture, stdout);
        assert_string_equal(
                        text, "  -q, --quiet                    Say nothing\n"
                              "  -D, --dir=PATH                 Where\n"
                              "      --lines=N                  How many\n"
                              "      --json=short|pretty|off    Print JSON\n");
        free(text);
}

/* Parses these words, which are good. Returns where the arguments begin. */
static int parse(Values *values, int argc, char *argv[]) {
        uint64_t given;
        int r;

        *values = (Values){};
        r = options_parse(options, argc, argv, values, &given);
        assert_ok(r);
        return r;
}

TEST(arguments_keep_their_order) {
        char *argv[] = { (char *) "program", (char *) "a",   (char *) "-q", (char *) "b",
                         (char *) "--dir",   (char *) "d",   (char *) "c",  (char *) "--",
                         (char *) "-x",      (char *) "--y", NULL };
        Values values;
        int first = parse(&values, 10, argv);

        assert_int_equal(first, 5);
        assert_string_equal(argv[5], "a");
        assert_string_equal(argv[6], "b");
        assert_string_equal(argv[7], "c");
        assert_string_equal(argv[8], "-x");
        assert_string_equal(argv[9], "--y");
        assert_true(values.flag);
        assert_string_equal(values.text, "d");
}

TEST(parsing_may_be_repeated) {
        for (int i = 0; i < 3; i++) {
                char *argv[] = { (char *) "program", (char *) "x", (char *) "--lines=7", NULL };
                Values values;

                assert_int_equal(parse(&values, 3, argv), 2);
                assert_int_equal(values.number, 7);
                assert_false(values.flag);
        }
}

TEST(dash_alone_is_an_argument) {
        char *argv[] = { (char *) "program", (char *) "-", (char *) "-q", NULL };
        Values values;

        assert_int_equal(parse(&values, 3, argv), 2);
        assert_string_equal(argv[2], "-");
        assert_true(values.flag);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(options_are_taken_or_refused_with_a_reason),
                cmocka_unit_test(row_is_found_by_its_whole_name),
                cmocka_unit_test(help_has_letter_name_and_argument),
                cmocka_unit_test(arguments_keep_their_order),
                cmocka_unit_test(parsing_may_be_repeated),
                cmocka_unit_test(dash_alone_is_an_argument),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
