/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What holds for each row of the tables of verbs and options, whichever they are. */

#include "adm/verb.h"

#include <ctype.h>

#include "adm/tables.h"
#include "base/macro.h"
#include "frame/capture.h"
#include "frame/complaint.h"

#define TERMINAL_WIDTH 100

/* Verbs that need no daemon: they work on files, or only print. */
static bool works_alone(const Verb *verb) {
        static const char *const names[] = { "volume create", "volume remove-config",
                                             "secret create", "secret show",
                                             "events",        "help" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (strcmp(verb->name, names[i]) == 0)
                        return true;
        return false;
}

/* What each argument may be, so that a command line is good as far as the tables go. */
static void append_arguments(char *line, size_t size, const Verb *verb, int n) {
        for (int i = 0; i < n; i++) {
                const char *word = strncmp(verb->args, "copies", 6) == 0    ? "copies=2"
                                   : i == 1 && strstr(verb->args, "on|off") ? "on"
                                   : i == 2                                 ? "2h"
                                                                            : "3";

                (void) snprintf(line + strlen(line), size - strlen(line), " %s", word);
        }
}

/* Options that a verb wants before it asks anybody. */
static const char *needed_by(const Verb *verb) {
        if (strcmp(verb->name, "volume set") == 0)
                return " --weight=2";
        if (strcmp(verb->name, "job set") == 0)
                return " --rate=1M";
        return verb_takes(verb, "yes") ? " --yes" : "";
}

TEST(each_verb_needs_as_many_arguments_as_it_says) {
        for (const Verb *verb = adm_verbs; verb->name; verb++) {
                char line[256], expected[256];

                if (verb->min_args > 0) {
                        (void) snprintf(line, sizeof(line), "%s", verb->name);
                        append_arguments(line, sizeof(line), verb, verb->min_args - 1);
                        (void) snprintf(expected, sizeof(expected),
                                        "Too few arguments for '%s'. Usage: %s %s\n", verb->name,
                                        verb->name, verb->args);
                        verb_check(&(VerbCase){ line, {}, EXIT_USAGE, "", expected, "" });
                }
                if (verb->max_args < VERB_ANY) {
                        (void) snprintf(line, sizeof(line), "%s", verb->name);
                        append_arguments(line, sizeof(line), verb, verb->max_args + 1);
                        (void) snprintf(expected, sizeof(expected),
                                        "Too many arguments for '%s'. Usage: *\n", verb->name);
                        verb_check(&(VerbCase){ line, {}, EXIT_USAGE, "", expected, "" });
                }
        }
}

TEST(each_verb_refuses_the_options_of_others) {
        for (const Verb *verb = adm_verbs; verb->name; verb++)
                for (const Option *option = adm_options; option->name; option++) {
                        char line[256], expected[256];

                        if (!option->special || verb_takes(verb, option->name))
                                continue;
                        (void) snprintf(line, sizeof(line), "%s", verb->name);
                        append_arguments(line, sizeof(line), verb, verb->min_args);
                        (void) snprintf(line + strlen(line), sizeof(line) - strlen(line), " --%s%s",
                                        option->name, option->argument ? "=1" : "");
                        (void) snprintf(expected, sizeof(expected),
                                        "'%s' does not take --%s; see %s --help.\n", verb->name,
                                        option->name, verb->name);
                        verb_check(&(VerbCase){ line, {}, EXIT_USAGE, "", expected, "" });
                }
}

TEST(each_verb_fails_with_advice_without_a_master) {
        stand_in_leave();
        for (const Verb *verb = adm_verbs; verb->name; verb++) {
                char line[256], *out, *err;
                int status;

                if (works_alone(verb) || strcmp(verb->name, "monitor") == 0)
                        continue;
                (void) snprintf(line, sizeof(line), "%s", verb->name);
                append_arguments(line, sizeof(line), verb, verb->min_args);
                (void) snprintf(line + strlen(line), sizeof(line) - strlen(line), "%s",
                                needed_by(verb));
                if (strcmp(verb->name, "job watch") == 0)
                        continue; /* it waits, see job-watch.h */

                status = verb_run(line, NULL, &out, &err);
                if (strcmp(verb->name, "status") == 0) {
                        assert_int_equal(status, 4); /* that is its answer */
                        assert_matches(out,
                                       "* down: The master is not running.\n*systemctl start*\n");
                } else {
                        assert_int_equal(status, EXIT_FAILURE);
                        assert_matches(err,
                                       "*: The master is not running.\nIf it belongs here: *\n");
                        assert_string_equal(out, "");
                }
                free(out);
                free(err);
        }
}

TEST(names_in_the_tables_are_there_and_once) {
        for (const Verb *verb = adm_verbs; verb->name; verb++) {
                for (const Verb *other = adm_verbs; other < verb; other++)
                        assert_string_not_equal(verb->name, other->name);
                assert_true(verb->min_args <= verb->max_args);
                assert_true((verb->max_args > 0) == (*verb->args != '\0'));

                for (const char *p = verb->options; *p; p += strspn(p, " ")) {
                        char name[32];
                        size_t n = strcspn(p, " ");

                        (void) snprintf(name, sizeof(name), "%.*s", (int) n, p);
                        assert_non_null(options_find(adm_options, name));
                        assert_true(options_find(adm_options, name)->special);
                        p += n;
                }
        }

        for (const Option *option = adm_options; option->name; option++) {
                bool used = !option->special;

                for (const Option *other = adm_options; other < option; other++) {
                        assert_string_not_equal(option->name, other->name);
                        assert_true(!option->letter || option->letter != other->letter);
                }
                for (const Verb *verb = adm_verbs; verb->name; verb++)
                        used = used || verb_takes(verb, option->name);
                assert_true(used);
        }
}

TEST(whatever_changes_the_cluster_says_so) {
        /* Those that polkit may ask a password for, see connection.h. */
        static const char *const changes[] = {
                "volume add", "volume delete", "volume set", "volume maintenance", "rebalance",
                "set",        "job pause",     "job resume", "job cancel",         "job set",
        };

        for (const Verb *verb = adm_verbs; verb->name; verb++) {
                bool expected = false;

                for (size_t i = 0; i < ELEMENTSOF(changes); i++)
                        expected = expected || strcmp(verb->name, changes[i]) == 0;
                if (verb->changes != expected)
                        fail_msg("%s: %d", verb->name, verb->changes);
        }
}

static char *help_for(int n, char *const words[], int *ret, char **ret_err) {
        Capture out, err;

        capture_begin(&out, STDOUT_FILENO, stdout);
        capture_begin(&err, STDERR_FILENO, stderr);
        *ret = print_help(n, words);
        *ret_err = capture_end(&err, stderr);
        return capture_end(&out, stdout);
}

static void assert_fits(const char *text) {
        for (const char *p = text; *p;) {
                size_t n = strcspn(p, "\n");

                if (n > TERMINAL_WIDTH)
                        fail_msg("%zu columns: %.*s", n, (int) n, p);
                p += n + (p[n] == '\n');
        }
}

TEST(help_of_each_verb_has_its_options_and_fits) {
        for (const Verb *verb = adm_verbs; verb->name; verb++) {
                char name[64], *words[3] = { name }, *text, *err;
                int n = 1, r;

                (void) snprintf(name, sizeof(name), "%s", verb->name);
                if (strchr(name, ' ')) {
                        words[1] = strchr(name, ' ') + 1;
                        words[1][-1] = '\0';
                        n = 2;
                }
                text = help_for(n, words, &r, &err);
                assert_int_equal(r, 0);
                assert_string_equal(err, "");
                assert_fits(text);
                assert_non_null(strstr(text, verb->name));
                assert_non_null(strstr(text, verb->help));
                for (const Option *option = adm_options; option->name; option++)
                        if (option->special && verb_takes(verb, option->name))
                                assert_non_null(strstr(text, option->help));
                free(text);
                free(err);
        }
}

TEST(help_without_a_verb_lists_all_of_them) {
        char *err, *text;
        int r;

        text = help_for(0, NULL, &r, &err);
        assert_int_equal(r, 0);
        assert_fits(text);
        for (const Verb *verb = adm_verbs; verb->name; verb++)
                assert_non_null(strstr(text, verb->help));
        for (const Option *option = adm_options; option->name; option++)
                assert_int_equal(strstr(text, option->help) != NULL, !option->special);
        free(text);
        free(err);
}

TEST(help_for_what_is_no_verb_is_wrong_usage) {
        char *words[] = { (char *) "frobnicate" }, *err, *text;
        int r;

        text = help_for(1, words, &r, &err);
        assert_int_equal(r, EXIT_USAGE);
        assert_string_equal(err, "Unknown verb 'frobnicate'; see --help.\n");
        free(text);
        free(err);
}

TEST(sentences_begin_with_a_capital_and_have_no_full_stop) {
        for (const Verb *verb = adm_verbs; verb->name; verb++) {
                assert_true(isupper((unsigned char) verb->help[0]));
                assert_true(verb->help[strlen(verb->help) - 1] != '.');
        }
        for (const Option *option = adm_options; option->name; option++) {
                assert_true(isupper((unsigned char) option->help[0]));
                assert_true(option->help[strlen(option->help) - 1] != '.');
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_verb_needs_as_many_arguments_as_it_says),
                cmocka_unit_test(each_verb_refuses_the_options_of_others),
                cmocka_unit_test(each_verb_fails_with_advice_without_a_master),
                cmocka_unit_test(names_in_the_tables_are_there_and_once),
                cmocka_unit_test(whatever_changes_the_cluster_says_so),
                cmocka_unit_test(help_of_each_verb_has_its_options_and_fits),
                cmocka_unit_test(help_without_a_verb_lists_all_of_them),
                cmocka_unit_test(help_for_what_is_no_verb_is_wrong_usage),
                cmocka_unit_test(sentences_begin_with_a_capital_and_have_no_full_stop),
        };

        return verb_run_tests(tests);
}
