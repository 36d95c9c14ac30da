/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "frame/complaint.h"
#include "frame/verbs.h"

#define HELP_COLUMN 40 /* where the sentences of the help text begin */
#define WORD_MAX    32 /* of a verb */

/* How many words the name has, 0 if the arguments do not begin with it. */
static int count_words(const char *name, int argc, char *const argv[]) {
        int n = 0;

        while (n < argc) {
                size_t length = strcspn(name, " ");

                if (strlen(argv[n]) != length || strncmp(name, argv[n], length) != 0)
                        return 0;
                n++;
                if (name[length] == '\0')
                        return n;
                name += length + 1;
        }

        return 0;
}

const Verb *verbs_find(const Verb verbs[], int argc, char *const argv[], int *ret_words) {
        for (const Verb *verb = verbs; verb->name; verb++) {
                int n = count_words(verb->name, argc, argv);

                if (n > 0) {
                        *ret_words = n;
                        return verb;
                }
        }

        return NULL;
}

bool list_has(const char *list, const char *word) {
        size_t length = strlen(word);

        for (const char *p = list; *p; p += strspn(p, " ")) {
                size_t n = strcspn(p, " ");

                if (n == length && strncmp(p, word, n) == 0)
                        return true;
                p += n;
        }

        return false;
}

bool verb_takes(const Verb *verb, const char *option) {
        return list_has(verb->options, option);
}

/* Whether the name begins with the words: "volume add" does with "volume". */
static bool begins_with(const char *name, int n_words, char *const words[]) {
        for (int i = 0; i < n_words; i++) {
                size_t length = strcspn(name, " ");

                if (strlen(words[i]) != length || strncmp(name, words[i], length) != 0)
                        return false;
                name += length;
                name += *name == ' ';
        }

        return true;
}

/* The number of letters to insert, remove or replace to get from A to the first N letters of B. */
static size_t distance(const char *a, const char *b, size_t n) {
        size_t row[WORD_MAX + 1];

        if (n > WORD_MAX)
                return SIZE_MAX;

        for (size_t j = 0; j <= n; j++)
                row[j] = j;
        for (size_t i = 1; a[i - 1]; i++) {
                size_t diagonal = row[0];

                row[0] = i;
                for (size_t j = 1; j <= n; j++) {
                        size_t replaced = diagonal + (a[i - 1] != b[j - 1]);

                        diagonal = row[j];
                        row[j] = MIN(replaced, MIN(row[j], row[j - 1]) + 1);
                }
        }

        return row[n];
}

/* Whether WORD may be the verb mistyped: one letter in three may be wrong. */
static bool is_near(const char *name, const char *word) {
        size_t n = strcspn(name, " ");

        return distance(word, name, n) <= MAX(n / 3, 1);
}

static void print_verb(const Verb *verb) {
        (void) fprintf(stderr, "  %s%s%s\n", verb->name, *verb->args ? " " : "", verb->args);
}

/* Lists the verbs whose first word is nearly the same. */
static void complain_mistyped(const Verb verbs[], const char *word) {
        bool first = true;

        for (const Verb *verb = verbs; verb->name; verb++) {
                if (!is_near(verb->name, word))
                        continue;
                if (first)
                        (void) complain_usage("Unknown verb '%s'. Did you mean:", word);
                print_verb(verb);
                first = false;
        }

        if (first)
                (void) complain_usage("Unknown verb '%s'; see --help.", word);
}

/* Lists the verbs that begin with the same word. */
static void complain_unknown(const Verb verbs[], int argc, char *const argv[]) {
        bool first = true;

        if (argc == 0) {
                (void) complain_usage("A verb is missing; see --help.");
                return;
        }

        for (const Verb *verb = verbs; verb->name; verb++) {
                if (!begins_with(verb->name, 1, argv))
                        continue;
                if (first && argc > 1)
                        (void) complain_usage(
                                        "Unknown verb '%s %s'. The verbs are:", argv[0], argv[1]);
                else if (first)
                        (void) complain_usage("'%s' needs a second word. The verbs are:", argv[0]);
                print_verb(verb);
                first = false;
        }

        if (first)
                complain_mistyped(verbs, argv[0]);
}

const Verb *verbs_match(
                const Verb verbs[],
                const Option options[],
                uint64_t given,
                int argc,
                char *const argv[],
                int *ret_words) {
        const Verb *verb;
        int words, n;

        verb = verbs_find(verbs, argc, argv, &words);
        if (!verb) {
                complain_unknown(verbs, argc, argv);
                return NULL;
        }

        n = argc - words;
        if (n < verb->min_args || n > verb->max_args) {
                (void) complain_usage(
                                "Too %s arguments for '%s'. Usage: %s%s%s",
                                n < verb->min_args ? "few" : "many", verb->name, verb->name,
                                *verb->args ? " " : "", verb->args);
                return NULL;
        }

        for (size_t i = 0; options[i].name; i++)
                if ((given & UINT64_C(1) << i) && options[i].special &&
                    !verb_takes(verb, options[i].name)) {
                        (void) complain_usage(
                                        "'%s' does not take --%s; see %s --help.", verb->name,
                                        options[i].name, verb->name);
                        return NULL;
                }

        *ret_words = words;
        return verb;
}

unsigned verbs_print_help(
                const Verb verbs[],
                const Option options[],
                int n_words,
                char *const words[],
                FILE *file) {
        unsigned n = 0;

        for (const Verb *verb = verbs; verb->name; verb++) {
                char left[HELP_COLUMN];

                if (!begins_with(verb->name, n_words, words))
                        continue;

                (void) snprintf(left, sizeof(left), "%s %s", verb->name, verb->args);
                (void) fprintf(file, "  %-*s %s\n", HELP_COLUMN - 4, left, verb->help);
                n++;

                for (const Option *option = options; n_words > 0 && option->name; option++)
                        if (option->special && verb_takes(verb, option->name)) {
                                (void) fputs("  ", file);
                                option_print_help(option, file);
                        }
        }

        return n;
}
