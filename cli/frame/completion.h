/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Completion: what a user may type next, for the shells, as the tables of verbs and options say.
 *
 * "PROGRAM --complete WORD..." prints it for the last of the words, which may be empty or begun;
 * the shell leaves out what does not begin so. A line is a whole word, a tab and a description,
 * which may be empty. Behind a word that ends in "=" something follows. A line ":files",
 * ":directories" or
 * ":hosts" leaves it to the shell to find these. */

#include "frame/verbs.h"

/* What the tables do not know. */
typedef struct CompletionQuestion {
        const Verb *verb;       /* or NULL, if there is none yet */
        char name[32];          /* "--zone", or of an argument, as the synopsis has it: "N" */
        char prefix[32];        /* of each answer: "--zone=", "copies=" or "" */
        int n_arguments;        /* that the verb has already */
        char *const *arguments; /* not owned */
} CompletionQuestion;

/* Prints what the tables know about the last word of ARGV, whose first is skipped, and sets VALUES
 * by the options in front of it, as options_parse() does.
 *
 * Returns 1 if the rest is to be asked, or 0; or -EINVAL if the line is not one that could be
 * completed. */
int completion_print(
                const Verb verbs[],
                const Option options[],
                int argc,
                char *argv[],
                void *values,
                CompletionQuestion *ret);

/* Prints an answer, but not what is an argument already. */
void completion_print_answer(
                const CompletionQuestion *question, const char *answer, const char *description);

/* Leaves it to the shell. */
void completion_print_kind(const char *kind);
