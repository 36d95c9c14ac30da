/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Pty: what a function prints on a terminal where somebody types. It runs in a child, to which the
 * terminal belongs, and which is killed if it hangs. */

#include "test.h"

#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#define PTY_PATIENCE_SEC 60
#define PTY_TEXT_MAX     65536

typedef struct Pty {
        unsigned short columns, lines; /* 0 for 80 and 24 */
        const char *prompt;            /* after this has been printed */
        const char *typed;             /* this is typed, unless it is NULL */
        unsigned short wider;          /* or, unless it is 0, the terminal gets so many columns */
} Pty;

typedef struct PtyRun {
        int fd;
        pid_t child;
        char text[PTY_TEXT_MAX];
        size_t n;
} PtyRun;

static inline void pty_start(PtyRun *run, const Pty *pty, int (*body)(void *), void *userdata) {
        const struct winsize size = { .ws_col = pty->columns ?: 80, .ws_row = pty->lines ?: 24 };
        struct termios mode;
        int inside;

        *run = (PtyRun){};
        (void) fflush(stdout);
        assert_ok(openpty(&run->fd, &inside, NULL, NULL, &size));
        assert_ok(tcgetattr(inside, &mode));
        mode.c_lflag &= (tcflag_t) ~ECHO; /* only what is printed */
        mode.c_oflag &= (tcflag_t) ~OPOST;
        assert_ok(tcsetattr(inside, TCSANOW, &mode));

        run->child = fork();
        assert_ok(run->child);
        if (run->child == 0) {
                int r;

                (void) close(run->fd);
                (void) alarm(PTY_PATIENCE_SEC);
                (void) login_tty(inside);
                r = body(userdata);
                (void) fflush(stdout);
                _exit(r);
        }
        (void) close(inside);
}

static inline void pty_act(const PtyRun *run, const Pty *pty) {
        const struct winsize size = { .ws_col = pty->wider, .ws_row = pty->lines ?: 24 };

        if (pty->typed)
                assert_int_equal(
                                write(run->fd, pty->typed, strlen(pty->typed)), strlen(pty->typed));
        if (pty->wider > 0)
                assert_ok(ioctl(run->fd, TIOCSWINSZ, &size));
}

/* Reads until WANTED stands behind the first FROM bytes (NULL: until the end). */
static inline void pty_read(PtyRun *run, size_t from, const char *wanted) {
        ssize_t n;

        while (!wanted || !strstr(run->text + from, wanted)) {
                assert_true(run->n < PTY_TEXT_MAX - 1);
                n = read(run->fd, run->text + run->n, PTY_TEXT_MAX - 1 - run->n);
                if (n <= 0) /* EIO: nobody has the other end any more */
                        break;
                run->n += (size_t) n;
        }
        if (wanted && !strstr(run->text + from, wanted))
                fail_msg("\n--- ended without\n%s\n--- it printed\n%s\n---", wanted, run->text);
}

/* Waits for the end. Returns the exit status, or 128 and the number of the signal. */
static inline int pty_end(PtyRun *run) {
        int status;

        pty_read(run, 0, NULL);
        (void) close(run->fd);
        assert_int_equal(waitpid(run->child, &status, 0), run->child);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* All of it: returns what was printed, as a new string. */
static inline char *pty_run(const Pty *pty, int (*body)(void *), void *userdata, int *ret_status) {
        PtyRun *run = calloc(1, sizeof(*run));
        char *text;

        assert_non_null(run);
        pty_start(run, pty, body, userdata);
        if (pty->prompt)
                pty_read(run, 0, pty->prompt);
        pty_act(run, pty);
        *ret_status = pty_end(run);
        text = strdup(run->text);
        free(run);
        return text;
}
