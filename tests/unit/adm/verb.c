/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "adm/verb.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "adm/context/context.h"
#include "adm/tables.h"
#include "adm/words.h"
#include "frame/capture.h"
#include "frame/terminal.h"

#define WORDS_MAX 24

static int run(char *argv[], int argc, const char *address) {
        Context context = {};
        const Verb *verb;
        uint64_t given;
        int first, words, r;

        first = options_parse(adm_options, argc, argv, &context, &given);
        if (first < 0)
                return EXIT_USAGE;
        verb = verbs_match(adm_verbs, adm_options, given, argc - first, argv + first, &words);
        if (!verb)
                return EXIT_USAGE;

        if (!context.connection.sandbox && !context.connection.host)
                context.connection.bus_address = address;
        r = verb->run(argc - first - words, argv + first + words, &context);
        context_done(&context);
        return r < 0 ? EXIT_FAILURE : r;
}

/* Returns how many there are. */
static int split(const char *words, char *argv[static WORDS_MAX + 1]) {
        int argc = 1;

        argv[0] = (char *) "dkvadm";
        while ((argv[argc] = words_next(&words)))
                assert_true(++argc < WORDS_MAX);
        return argc;
}

int verb_run(const char *words, const char *address, char **ret_out, char **ret_err) {
        char *argv[WORDS_MAX + 1];
        int argc = split(words, argv), r;
        Capture out, err;

        capture_begin(&out, STDOUT_FILENO, stdout);
        capture_begin(&err, STDERR_FILENO, stderr);
        r = run(argv, argc, address ?: stand_in_address());
        *ret_err = capture_end(&err, stderr);
        *ret_out = capture_end(&out, stdout);

        for (int i = 1; i < argc; i++)
                free(argv[i]);
        return r;
}

static int run_in_child(void *userdata) {
        char *argv[WORDS_MAX + 1];
        int argc = split(userdata, argv), r;

        (void) unsetenv("COLUMNS"); /* the terminal has some of its own */
        r = run(argv, argc, stand_in_address());
        pager_close();
        return r;
}

char *verb_run_on_terminal(const char *words, const Pty *pty, int *ret_status) {
        return pty_run(pty, run_in_child, (char *) words, ret_status);
}

void verb_start_on_terminal(const char *words, const Pty *pty, PtyRun *terminal) {
        pty_start(terminal, pty, run_in_child, (char *) words);
}

void verb_check_on_terminal(const TerminalCase cases[]) {
        for (const TerminalCase *one = cases; one->words; one++) {
                int status;
                char *out;

                stand_in_set(one->answers);
                out = verb_run_on_terminal(one->words, &one->pty, &status);
                if (status != one->status || (one->out && !matches(one->out, out)) ||
                    (one->calls && !matches(one->calls, stand_in_calls())))
                        fail_msg("\n--- dkvadm %s: status %d instead of %d\n--- terminal\n%s\n--- calls\n%s\n---",
                                 one->words, status, one->status, out, stand_in_calls());
                free(out);
        }
}

void verb_check(const VerbCase *one) {
        char *out, *err;
        int status;

        stand_in_set(one->answers);
        status = verb_run(one->words, NULL, &out, &err);
        if (status != one->status || (one->out && (one->out && !matches(one->out, out))) ||
            (one->err && !matches(one->err, err)) ||
            (one->calls && !matches(one->calls, stand_in_calls())))
                fail_msg("\n--- dkvadm %s: status %d instead of %d\n--- stdout\n%s\n--- stderr\n%s\n"
                         "--- calls\n%s\n---",
                         one->words, status, one->status, out, err, stand_in_calls());
        free(out);
        free(err);
}

void verb_check_all(const VerbCase cases[]) {
        for (const VerbCase *one = cases; one->words; one++)
                verb_check(one);
}

bool verb_start_tests(void) {
        (void) setenv("COLUMNS", "200", 1);
        (void) setenv("TZ", "UTC", 1);
        (void) setenv("SYSTEMD_PAGER", "cat", 1); /* for those that run on a terminal */
        (void) setenv("TERM", "dumb", 1);
        (void) unsetenv("SYSTEMD_COLORS");
        (void) unsetenv("NO_COLOR");
        return stand_in_start();
}

int verb_end_tests(void **state) {
        stand_in_stop();
        return 0;
}
