/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "frame/completion.h"

typedef struct Values {
        bool quiet;
        const char *zone, *place;
        unsigned json;
} Values;

#define AT(field) offsetof(Values, field)

static const char *const modes[] = { "off", "short", NULL };

/* clang-format off */
static const Option options[] = {
        { 'q',  "quiet", OPTION_FLAG,   AT(quiet), NULL,        "Say nothing"                        },
        { 'p',  "place", OPTION_TEXT,   AT(place), "DIR",       "Work there"                         },
        { '\0', "json",  OPTION_CHOICE, AT(json),  "short|off", "Print JSON", modes                  },
        { 'z',  "zone",  OPTION_TEXT,   AT(zone),  "NAME",      "Set the zone", NULL, .special = true },
        {}
};

static int run(int argc, char *argv[], void *userdata) {
        return 0;
}

static const Verb verbs[] = {
        { "status",     "",           0, 0,        "",     run, "Show it"    },
        { "disk list",  "",           0, 0,        "",     run, "List them"  },
        { "disk set",   "N",          1, 1,        "zone", run, "Change it"  },
        { "disk add",   "N...",       1, VERB_ANY, "",     run, "Add them"   },
        { "disk rest",  "N on|off [TIME]", 2, 3,   "",     run, "Stop it"    },
        { "set",        "copies=N",   1, 1,        "",     run, "Set it"     },
        {}
};
/* clang-format on */

static CompletionQuestion question;
static Values values;
static char printed[4096];

/* The words of a line, split at blanks; a blank at the end means that an empty one is completed.
 * Returns what completion_print() does, with what it prints in PRINTED; ANSWER is given, too. */
static int complete(const char *line, const char *answer) {
        static char copy[256];
        static char *argv[32];
        int argc = 1, saved = dup(STDOUT_FILENO), r;
        FILE *file = tmpfile();
        char *state, *rest = copy;

        (void) snprintf(copy, sizeof(copy), "%s", line);
        argv[0] = (char *) "program";
        while ((state = strsep(&rest, " ")))
                argv[argc++] = state;

        (void) fflush(stdout);
        (void) dup2(fileno(file), STDOUT_FILENO);
        values = (Values){};
        r = completion_print(verbs, options, argc, argv, &values, &question);
        if (r > 0 && answer)
                completion_print_answer(&question, answer, "about\tit");
        (void) fflush(stdout);
        (void) dup2(saved, STDOUT_FILENO);
        (void) close(saved);

        rewind(file);
        printed[fread(printed, 1, sizeof(printed) - 1, file)] = '\0';
        (void) fclose(file);
        return r;
}

TEST(verbs_come_word_by_word) {
        assert_int_equal(complete("", NULL), 0);
        assert_string_equal(printed, "status\tShow it\ndisk\tlist, set, add, rest\nset\tSet it\n");
        assert_int_equal(complete("disk ", NULL), 0);
        assert_string_equal(
                        printed, "list\tList them\nset\tChange it\nadd\tAdd them\nrest\tStop it\n");
        assert_int_equal(complete("nonsense ", NULL), 0);
        assert_string_equal(printed, "");
        assert_int_equal(complete("status ", NULL), 0);
        assert_string_equal(printed, "");
}

TEST(options_are_those_of_the_verb_that_are_not_there_yet) {
        assert_int_equal(complete("-q -", NULL), 0);
        assert_string_equal(printed, "--place=\tWork there\n--json=\tPrint JSON\n");
        assert_int_equal(complete("disk set --json=off --quiet --place /a --", NULL), 0);
        assert_string_equal(printed, "--zone=\tSet the zone\n");
        assert_int_equal(complete("disk set 1 ", NULL), 0);
        assert_string_equal(printed, "--zone=\tSet the zone\n");
        assert_int_equal(complete("disk set 1 -- -", NULL), 0);
        assert_string_equal(printed, "");
}

TEST(values_of_options) {
        assert_int_equal(complete("--json=", NULL), 0);
        assert_string_equal(printed, "--json=off\t\n--json=short\t\n");
        assert_int_equal(complete("--json s", NULL), 0);
        assert_string_equal(printed, "off\t\nshort\t\n");

        assert_int_equal(complete("disk set --place=/b 1 --zone=", "z"), 1);
        assert_string_equal(question.name, "--zone");
        assert_string_equal(question.verb->name, "disk set");
        assert_string_equal(values.place, "/b");
        assert_string_equal(printed, "--zone=z\tabout?it\n");

        assert_int_equal(complete("-qp ", "x"), 1);
        assert_string_equal(question.name, "--place");
        assert_string_equal(printed, "x\tabout?it\n");
        assert_int_equal(complete("-px ", "x"), 0); /* which has its value */
}

TEST(arguments) {
        assert_int_equal(complete("disk add 1 ", "2"), 1);
        assert_string_equal(question.name, "N");
        assert_string_equal(printed, "2\tabout?it\n");
        assert_int_equal(complete("disk add 1 ", "1"), 1);
        assert_string_equal(printed, ""); /* is there already */
        assert_int_equal(complete("disk add ", "1\n2"), 1);
        assert_string_equal(printed, ""); /* cannot be on a line */

        assert_int_equal(complete("disk rest 1 ", NULL), 0);
        assert_string_equal(printed, "on\t\noff\t\n");
        assert_int_equal(complete("disk rest 1 on ", NULL), 1);
        assert_string_equal(question.name, "TIME");

        assert_int_equal(complete("set c", NULL), 0);
        assert_string_equal(printed, "copies=\tSet it\n");
        assert_int_equal(complete("set copies=", "3"), 1);
        assert_string_equal(question.name, "copies");
        assert_string_equal(printed, "copies=3\tabout?it\n");
}

TEST(what_cannot_be_read_is_not_completed) {
        assert_int_equal(complete("--nonsense disk ", NULL), -EINVAL);
        assert_int_equal(complete("disk --json=nonsense set ", NULL), -EINVAL);
        assert_string_equal(printed, "");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(verbs_come_word_by_word),
                cmocka_unit_test(options_are_those_of_the_verb_that_are_not_there_yet),
                cmocka_unit_test(values_of_options),
                cmocka_unit_test(arguments),
                cmocka_unit_test(what_cannot_be_read_is_not_completed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
