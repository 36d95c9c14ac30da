/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "frame/capture.h"
#include "frame/complaint.h"
#include "frame/verbs.h"

typedef struct Values {
        bool quiet, follow;
        const char *zone;
        uint64_t weight;
        unsigned json;
} Values;

#define AT(field) offsetof(Values, field)

static const char *const modes[] = { "off", "short", NULL };

/* clang-format off */
static const Option options[] = {
        { 'q',  "quiet",  OPTION_FLAG,   AT(quiet),  NULL,        "Say nothing"                        },
        { '\0', "json",   OPTION_CHOICE, AT(json),   "short|off", "Print JSON", modes                  },
        { 'z',  "zone",   OPTION_TEXT,   AT(zone),   "NAME",      "Set the zone", NULL, .special = true   },
        { '\0', "weight", OPTION_NUMBER, AT(weight), "N",         "Set the weight", NULL, .special = true },
        { 'f',  "follow", OPTION_FLAG,   AT(follow), NULL,        "Go on", NULL, .special = true          },
        {}
};

static int run(int argc, char *argv[], void *userdata) {
        return 0;
}

static const Verb verbs[] = {
        { "status",      "",     0, 0,        "",            run, "Show it"   },
        { "volume list", "",     0, 0,        "",            run, "List them" },
        { "volume set",  "N",    1, 1,        "weight zone", run, "Change it" },
        { "volume add",  "N...", 1, VERB_ANY, "",            run, "Add them"  },
        {}
};
/* clang-format on */

/* Runs the parser on a copy: it sorts its arguments. */
static int parse(Values *values, uint64_t *ret_given, ...) {
        static char *argv[16];
        va_list arguments;
        int argc = 0;

        *values = (Values){};
        va_start(arguments, ret_given);
        argv[argc++] = (char *) "program";
        while ((argv[argc] = va_arg(arguments, char *)))
                argc++;
        va_end(arguments);

        return options_parse(options, argc, argv, values, ret_given);
}

TEST(options_stand_anywhere) {
        uint64_t given;
        Values values;

        assert_int_equal(
                        parse(&values, &given, "-q", "volume", "--zone=a", "set", "--weight", "3",
                              "7", NULL),
                        5);
        assert_true(values.quiet);
        assert_false(values.follow);
        assert_string_equal(values.zone, "a");
        assert_int_equal(values.weight, 3);
        assert_int_equal(given, 1 << 0 | 1 << 2 | 1 << 3);
}

TEST(letters_may_be_put_together) {
        uint64_t given;
        Values values;

        assert_int_equal(parse(&values, &given, "-qfz", "a", "-", NULL), 3);
        assert_true(values.quiet && values.follow);
        assert_string_equal(values.zone, "a");
        assert_int_equal(parse(&values, &given, "-zb", NULL), 2);
        assert_string_equal(values.zone, "b");
}

TEST(two_dashes_end_the_options) {
        uint64_t given;
        Values values;

        assert_int_equal(parse(&values, &given, "--", "-q", NULL), 2);
        assert_false(values.quiet);
        assert_int_equal(given, 0);
}

TEST(bad_options_are_refused) {
        uint64_t given;
        Values values;

        assert_int_equal(parse(&values, &given, "--nothing", NULL), -EINVAL);
        assert_int_equal(parse(&values, &given, "-x", NULL), -EINVAL);
        assert_int_equal(parse(&values, &given, "--zone", NULL), -EINVAL);
        assert_int_equal(parse(&values, &given, "-z", NULL), -EINVAL);
        assert_int_equal(parse(&values, &given, "--quiet=yes", NULL), -EINVAL);
        assert_int_equal(parse(&values, &given, "--weight=many", NULL), -EINVAL);
        assert_int_equal(parse(&values, &given, "--weight=-1", NULL), -EINVAL);
        assert_int_equal(parse(&values, &given, "--weight=0", NULL), -EINVAL);
        assert_int_equal(parse(&values, &given, "--json=long", NULL), -EINVAL);
        assert_ok(parse(&values, &given, "--json=short", NULL));
        assert_int_equal(values.json, 1);
}

static const Verb *
match(uint64_t given, int argc, const char *first, const char *second, const char *third) {
        char *argv[] = { (char *) first, (char *) second, (char *) third, NULL };
        int words = 0;
        const Verb *verb = verbs_match(verbs, options, given, argc, argv, &words);

        if (verb)
                assert_int_equal(words, strchr(verb->name, ' ') ? 2 : 1);
        return verb;
}

TEST(verbs_have_one_word_or_two) {
        assert_ptr_equal(match(0, 1, "status", NULL, NULL), verbs + 0);
        assert_ptr_equal(match(0, 2, "volume", "list", NULL), verbs + 1);
        assert_ptr_equal(match(0, 3, "volume", "set", "7"), verbs + 2);
        assert_null(match(0, 0, NULL, NULL, NULL));
        assert_null(match(0, 1, "volume", NULL, NULL));
        assert_null(match(0, 2, "volume", "lis", NULL));
        assert_null(match(0, 1, "stat", NULL, NULL));
        assert_null(match(0, 1, "volume list", NULL, NULL));
        assert_null(match(0, 1, "", NULL, NULL));
}

TEST(number_of_arguments_is_checked) {
        assert_null(match(0, 2, "volume", "set", NULL));
        assert_null(match(0, 2, "status", "now", NULL));
        assert_non_null(match(0, 3, "volume", "add", "1"));
        assert_null(match(0, 2, "volume", "add", NULL));
}

TEST(special_options_are_for_some_verbs) {
        assert_non_null(match(1 << 0, 1, "status", NULL, NULL));
        assert_non_null(match(1 << 2 | 1 << 3, 3, "volume", "set", "7"));
        assert_null(match(1 << 4, 3, "volume", "set", "7"));
        assert_null(match(1 << 2, 1, "status", NULL, NULL));
        assert_true(verb_takes(verbs + 2, "weight") && verb_takes(verbs + 2, "zone"));
        assert_false(verb_takes(verbs + 2, "one") || verb_takes(verbs + 2, "wei"));
}

static char *help(int n_words, const char *word) {
        char *words[] = { (char *) word, NULL }, *text;
        size_t size;
        FILE *file = open_memstream(&text, &size);

        assert_non_null(file);
        verbs_print_help(verbs, options, n_words, words, file);
        assert_int_equal(fclose(file), 0);
        return text;
}

TEST(help_is_made_of_the_table) {
        _cleanup_free_ char *all = help(0, NULL), *some = help(1, "volume"), *none = help(1, "vol");

        for (const Verb *verb = verbs; verb->name; verb++) {
                assert_non_null(strstr(all, verb->name));
                assert_non_null(strstr(all, verb->help));
        }
        assert_null(strstr(all, "--weight"));
        assert_null(strstr(some, "status"));
        assert_non_null(strstr(some, "volume set N"));
        assert_non_null(strstr(some, "--weight=N"));
        assert_null(strstr(some, "--follow"));
        assert_string_equal(none, "");
}

/* What is said to somebody who typed these words; a new string. */
static char *complaint_about(uint64_t given, int argc, const char *const words[]) {
        char *argv[8] = { NULL };
        Capture capture;
        int n;

        for (int i = 0; i < argc; i++)
                argv[i] = (char *) words[i];
        capture_begin(&capture, STDERR_FILENO, stderr);
        assert_null(verbs_match(verbs, options, given, argc, argv, &n));
        return capture_end(&capture, stderr);
}

TEST(complaint_says_what_could_have_been_meant) {
        /* clang-format off */
        static const struct {
                const char *words[4];
                const char *said;
        } rows[] = {
                { { NULL },                "A verb is missing; see --help.\n" },
                { { "" },                  "Unknown verb ''; see --help.\n" },
                { { "stauts" },            "Unknown verb 'stauts'. Did you mean:\n  status\n" },
                { { "statu" },             "Unknown verb 'statu'. Did you mean:\n  status\n" },
                { { "statuses" },          "Unknown verb 'statuses'. Did you mean:\n  status\n" },
                { { "STATUS" },            "Unknown verb 'STATUS'; see --help.\n" },
                { { "sta" },               "Unknown verb 'sta'; see --help.\n" },
                { { "volumes", "list" },   "Unknown verb 'volumes'. Did you mean:\n  volume list\n  volume set N\n  volume add N...\n" },
                { { "volume" },            "'volume' needs a second word. The verbs are:\n  volume list\n  volume set N\n  volume add N...\n" },
                { { "volume", "lst" },     "Unknown verb 'volume lst'. The verbs are:\n  volume list\n  volume set N\n  volume add N...\n" },
                { { "volume", "" },        "Unknown verb 'volume '. The verbs are:\n  volume list\n  volume set N\n  volume add N...\n" },
                { { "list" },              "Unknown verb 'list'; see --help.\n" },
                { { "zzz", "list" },       "Unknown verb 'zzz'; see --help.\n" },
                { { "\033[31m" },          "Unknown verb '?[31m'; see --help.\n" },
                { { "status", "now" },     "Too many arguments for 'status'. Usage: status\n" },
                { { "volume", "set" },     "Too few arguments for 'volume set'. Usage: volume set N\n" },
                { { "volume", "set", "1", "2" }, "Too many arguments for 'volume set'. Usage: volume set N\n" },
                { { "volume", "add" },     "Too few arguments for 'volume add'. Usage: volume add N...\n" },
        };
        /* clang-format on */

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                int n = 0;
                char *text;

                while (n < 4 && rows[i].words[n])
                        n++;
                text = complaint_about(0, n, rows[i].words);
                assert_string_equal(text, rows[i].said);
                free(text);
        }
}

TEST(word_of_any_length_may_be_mistyped) {
        char word[1000];
        const char *words[] = { word };

        for (size_t n = 1; n < sizeof(word); n += 37) {
                char *text;

                memset(word, 's', n);
                word[n] = '\0';
                text = complaint_about(0, 1, words);
                assert_non_null(strstr(text, "'; see --help.\n"));
                free(text);
        }
}

TEST(option_of_another_verb_is_named) {
        char *text = complaint_about(1 << 4, 3, (const char *const[]){ "volume", "set", "7" });

        assert_string_equal(text, "'volume set' does not take --follow; see volume set --help.\n");
        free(text);
}

TEST(list_is_searched_for_whole_words) {
        static const struct {
                const char *list, *word;
                bool found;
        } rows[] = {
                { "weight zone", "weight", true },
                { "weight zone", "zone", true },
                { "weight zone", "on", false },
                { "weight zone", "zones", false },
                { "weight zone", "", false },
                { "", "weight", false },
                { "", "", false },
                { "zone", "zone", true },
                { "a  b", "b", true },
                { "weight zone", "weight zone", false },
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
                assert_int_equal(list_has(rows[i].list, rows[i].word), rows[i].found);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(options_stand_anywhere),
                cmocka_unit_test(letters_may_be_put_together),
                cmocka_unit_test(two_dashes_end_the_options),
                cmocka_unit_test(bad_options_are_refused),
                cmocka_unit_test(verbs_have_one_word_or_two),
                cmocka_unit_test(number_of_arguments_is_checked),
                cmocka_unit_test(special_options_are_for_some_verbs),
                cmocka_unit_test(help_is_made_of_the_table),
                cmocka_unit_test(complaint_says_what_could_have_been_meant),
                cmocka_unit_test(word_of_any_length_may_be_mistyped),
                cmocka_unit_test(option_of_another_verb_is_named),
                cmocka_unit_test(list_is_searched_for_whole_words),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
