/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a verb of dkvadm prints, calls and returns, as rows of a table. */

#include <stdlib.h>

#include "adm/stand-in.h"
#include "frame/pty.h"

typedef struct VerbCase {
        const char *words; /* the command line behind "dkvadm" */
        Answer answers[ANSWERS_MAX];
        int status;            /* of the program */
        const char *out, *err; /* in which each * stands for any text; NULL for any */
        const char *calls;     /* likewise */
} VerbCase;

/* Runs the command line as dkvadm does, and compares. */
void verb_check(const VerbCase *one);

/* Tests in one program: each row of a table that ends with {}. */
void verb_check_all(const VerbCase cases[]);

/* Parses WORDS, runs the verb on this bus address (NULL for the stand-in's) and returns the exit
 * status, with what was printed in new strings. */
int verb_run(const char *words, const char *address, char **ret_out, char **ret_err);

/* The same on a terminal, with what is printed on stdout and stderr. */
typedef struct TerminalCase {
        const char *words;
        Answer answers[ANSWERS_MAX];
        Pty pty;
        int status;
        const char *out;   /* in which each * stands for any text; NULL for any */
        const char *calls; /* likewise */
} TerminalCase;

void verb_check_on_terminal(const TerminalCase cases[]);
char *verb_run_on_terminal(const char *words, const Pty *pty, int *ret_status);
void verb_start_on_terminal(const char *words, const Pty *pty, PtyRun *terminal);

/* What main() of such a test does: starts and stops the stand-in around the tests. Returns 77,
 * which skips them, if there is no dbus-daemon. */
#define verb_run_tests(tests) \
        (verb_start_tests() ? cmocka_run_group_tests(tests, NULL, verb_end_tests) : 77)
bool verb_start_tests(void);
int verb_end_tests(void **state);
