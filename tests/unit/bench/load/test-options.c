/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <string.h>

#include "base/macro.h"
#include "bench/load/options.h"
#include "frame/capture.h"

#define WORDS_MAX 6

/* Parses WORDS; the arguments that are left stand in ARGV. */
static int parse(const char *const words[], Options *options, char *argv[]) {
        int argc = 1;

        argv[0] = (char *) "dkv-bench";
        for (; words[argc - 1]; argc++)
                argv[argc] = (char *) words[argc - 1];
        *options = (Options){};
        return options_parse(options, argc, argv);
}

TEST(defaults_are_those_of_the_help) {
        char *argv[WORDS_MAX + 2];
        Options options;

        assert_int_equal(parse((const char *const[]){ NULL }, &options, argv), 0);
        assert_int_equal(options.connections, 32);
        assert_int_equal(options.timeout_usec, 30 * USEC_PER_SEC);
        assert_string_equal(options.size, "1K");
        assert_string_equal(options.acknowledged, "");
        assert_true(options.verify && options.follow && !options.json && !options.help);
        options_done(&options);
}

TEST(options_stand_anywhere) {
        char *argv[WORDS_MAX + 2];
        Options options;

        assert_int_equal(
                        parse((const char *const[]){ "put", "--keys=5", "URL", "--rate", "7",
                                                     "--json", NULL },
                              &options, argv),
                        2);
        assert_string_equal(argv[0], "put");
        assert_string_equal(argv[1], "URL");
        assert_int_equal(options.keys, 5);
        assert_int_equal(options.rate, 7);
        assert_true(options.json);
        options_done(&options);
}

TEST(flags_can_be_taken_back) {
        char *argv[WORDS_MAX + 2];
        Options options;

        assert_int_equal(
                        parse((const char *const[]){ "--verify=no", "--follow", "--raw=yes", "no",
                                                     NULL },
                              &options, argv),
                        1);
        assert_false(options.verify);
        assert_true(options.follow && options.raw);
        assert_string_equal(argv[0], "no"); /* a flag's value is no word of its own */
        options_done(&options);
}

TEST(bad_options_are_refused) {
        static const char *const bad[] = { "--nothing",      "--keys=0",
                                           "--keys=x",       "--keys",
                                           "--read=101",     "--connections=0",
                                           "--verify=maybe", "--duration=soon",
                                           "--threads=257",  "--" };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                char *argv[WORDS_MAX + 2];
                Options options;

                assert_int_equal(
                                parse((const char *const[]){ bad[i], NULL }, &options, argv),
                                -EINVAL);
                options_done(&options);
        }
}

/* What is printed for the last of the words; a new string. */
static char *complete(const char *const words[], bool *ret) {
        char *argv[WORDS_MAX];
        Capture capture;
        int argc = 0;

        for (; words[argc]; argc++)
                argv[argc] = (char *) words[argc];
        capture_begin(&capture, STDOUT_FILENO, stdout);
        *ret = options_print_completion(argc, argv);
        return capture_end(&capture, stdout);
}

TEST(shells_are_told_what_fits) {
        /* clang-format off */
        static const struct {
                const char *words[3];
                bool is_option;
                const char *text; /* part of it */
        } rows[] = {
                { { "--" },                     true,  "--connections=\tNumber of concurrent requests\n" },
                { { "-" },                      true,  "--verify=no\t" },
                { { "--json=" },                true,  "--json=yes\t\n--json=no\t\n" },
                { { "--pattern", "" },          true,  "sequential\t\nrandom\t\nzipf\t\n" },
                { { "--pattern=z" },            true,  "--pattern=zipf\t\n" },
                { { "--acknowledged", "x" },    true,  ":files\n" },
                { { "--keys", "" },             true,  "" },
                { { "--json", "" },             false, "" },
                { { "put" },                    false, "" },
        };
        /* clang-format on */

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                bool is_option;
                char *text = complete(rows[i].words, &is_option);

                assert_int_equal(is_option, rows[i].is_option);
                if (*rows[i].text)
                        assert_non_null(strstr(text, rows[i].text));
                else
                        assert_string_equal(text, "");
                free(text);
        }
        assert_true(options_wait_for_value("--keys"));
        assert_false(options_wait_for_value("--json") || options_wait_for_value("keys") ||
                     options_wait_for_value("--no"));
}

TEST(help_fits_the_terminal_and_tells_defaults) {
        Capture capture;
        char *text;

        capture_begin(&capture, STDOUT_FILENO, stdout);
        options_print_help();
        text = capture_end(&capture, stdout);
        assert_non_null(strstr(
                        text,
                        "\nLoad:\n  --connections=N            Number of concurrent requests (32)\n"));
        assert_non_null(strstr(text, "  --json[=yes|no]            Print one JSON document\n"));
        for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
                assert_true(strlen(line) <= 100);
        free(text);
}

TEST(each_number_has_its_limits) {
        /* clang-format off */
        static const struct {
                const char *option;
                bool good;
        } rows[] = {
                { "--connections=1",      true  }, { "--connections=65536", true  }, { "--connections=65537", false },
                { "--threads=1",          true  }, { "--threads=256",       true  }, { "--threads=0",         false },
                { "--keys=1",             true  }, { "--keys=1099511627776", true }, { "--keys=1099511627777", false },
                { "--read=0",             true  }, { "--read=100",          true  }, { "--read=-1",           false },
                { "--count=0",            true  }, { "--count=18446744073709551615", true }, { "--count=18446744073709551616", false },
                { "--seed=18446744073709551615", true }, { "--seed=",       true  }, { "--seed=x",            false },
                { "--timeout=0",          true  }, { "--timeout=500ms",     true  }, { "--timeout=fast",      false },
                { "--verify=on",          true  }, { "--verify=0",          true  }, { "--verify=2",          false },
        };
        /* clang-format on */

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                char *argv[WORDS_MAX + 2], *said, expected[128];
                size_t length = strcspn(rows[i].option + 2, "=");
                Options options;
                Capture capture;
                int r;

                capture_begin(&capture, STDERR_FILENO, stderr);
                r = parse((const char *const[]){ rows[i].option, NULL }, &options, argv);
                said = capture_end(&capture, stderr);
                (void) snprintf(expected, sizeof(expected),
                                "Invalid value '%s' for --%.*s; see --help.\n",
                                rows[i].option + 2 + length + 1, (int) length, rows[i].option + 2);
                assert_int_equal(r, rows[i].good ? 0 : -EINVAL);
                assert_string_equal(said, rows[i].good ? "" : expected);
                free(said);
                options_done(&options);
        }
}

TEST(complaint_names_the_option) {
        /* clang-format off */
        static const struct {
                const char *words[3], *said;
        } rows[] = {
                { { "--nothing" },     "Unknown option '--nothing'; see --help.\n" },
                { { "--" },            "Unknown option '--'; see --help.\n" },
                { { "--key=1" },       "Unknown option '--key'; see --help.\n" }, /* no abbreviations */
                { { "put", "--size" }, "Option --size needs a value; see --help.\n" },
                { { "--\033[31m" },    "Unknown option '--?[31m'; see --help.\n" },
        };
        /* clang-format on */

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                char *argv[WORDS_MAX + 2], *said;
                Options options;
                Capture capture;

                capture_begin(&capture, STDERR_FILENO, stderr);
                assert_int_equal(parse(rows[i].words, &options, argv), -EINVAL);
                said = capture_end(&capture, stderr);
                assert_string_equal(said, rows[i].said);
                free(said);
                options_done(&options);
        }
}

TEST(later_values_replace_earlier_ones) {
        char *argv[WORDS_MAX + 2];
        Options options;

        assert_int_equal(
                        parse((const char *const[]){ "--size=1", "--size", "2K", "--json",
                                                     "--json=no", NULL },
                              &options, argv),
                        0);
        assert_string_equal(options.size, "2K");
        assert_false(options.json);
        options_done(&options);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(defaults_are_those_of_the_help),
                cmocka_unit_test(options_stand_anywhere),
                cmocka_unit_test(flags_can_be_taken_back),
                cmocka_unit_test(bad_options_are_refused),
                cmocka_unit_test(shells_are_told_what_fits),
                cmocka_unit_test(help_fits_the_terminal_and_tells_defaults),
                cmocka_unit_test(each_number_has_its_limits),
                cmocka_unit_test(complaint_names_the_option),
                cmocka_unit_test(later_values_replace_earlier_ones),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
