/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Verbs: the commands of a program as a table, which also is the help text.
 *
 * A name has one word or two ("volume add"). The options that only some verbs take are marked
 * special in the table of options; a verb lists those that it knows. */

#include <limits.h>

#include "frame/options.h"

typedef struct Verb {
        const char *name;
        const char *args; /* synopsis of the arguments, "NUMBER [KEY]…", or "" */
        int min_args, max_args;
        const char *options; /* names of special options, "weight zone", or "" */

        /* ARGV[0] is the first argument. Returns the exit status, or a negative errno, which makes
         * it 1. Whatever went wrong has been said (see complaint.h). */
        int (*run)(int argc, char *argv[], void *userdata);
        const char *help; /* one sentence without the full stop */
        bool changes;     /* the cluster, for which polkit may want a password */
} Verb;

#define VERB_ANY INT_MAX /* as max_args: no limit */

/* The verb that the first argument or the first two name, or NULL. RET_WORDS is how many of them
 * are its name. */
const Verb *verbs_find(const Verb verbs[], int argc, char *const argv[], int *ret_words);

/* The same for what a user typed: also checks the number of arguments, and that the options in
 * GIVEN (see options_parse()) are for this verb. Returns NULL after saying what is wrong, and what
 * may have been meant. */
const Verb *verbs_match(
                const Verb verbs[],
                const Option options[],
                uint64_t given,
                int argc,
                char *const argv[],
                int *ret_words);

/* Whether a list such as "weight zone" has the word. */
bool list_has(const char *list, const char *word);

/* Whether the verb takes the special option. */
bool verb_takes(const Verb *verb, const char *option);

/* The table of verbs as help text; with WORDS, only those whose names begin so, each with its
 * options. Returns how many there were. */
unsigned verbs_print_help(
                const Verb verbs[],
                const Option options[],
                int n_words,
                char *const words[],
                FILE *file);
