/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Completion: what a user may type next, for the shells, according to the tables of verbs and
 * options.
 *
 * "PROGRAM --complete WORD..." prints the candidates for the last word, which may be empty or
 * incomplete; the shell drops those that do not match. A line is a whole word, a tab and a
 * description, which may be empty. A word that ends in "=" takes a value. A line ":files",
 * ":directories" or ":hosts" lets the shell find these. */

#include "frame/verbs.h"

/* What the tables do not know. */
typedef struct CompletionQuestion {
        const Verb *verb;       /* or NULL, if there is none yet */
        char name[32];          /* "--zone", or of an argument, as the synopsis has it: "N" */
        char prefix[32];        /* of each answer: "--zone=", "copies=" or "" */
        int n_arguments;        /* that have been typed */
        char *const *arguments; /* not owned */
} CompletionQuestion;

/* Prints what the tables know about the last word of ARGV, whose first word is skipped, and sets
 * VALUES from the options before it, as options_parse() does.
 *
 * Returns 0 if that is all; 1 if the caller must answer QUESTION; or -EINVAL if the line cannot be
 * completed. */
int completion_print(
                const Verb verbs[],
                const Option options[],
                int argc,
                char *argv[],
                void *values,
                CompletionQuestion *ret);

/* Prints an answer, unless it already is an argument. */
void completion_print_answer(
                const CompletionQuestion *question, const char *answer, const char *description);

/* Lets the shell find KIND ("files"). */
void completion_print_kind(const char *kind);
