/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/file.h"
#include "frame/terminal.h"

static pid_t pager; /* 0 for none */

bool terminal_is_there(void) {
        return pager > 0 || isatty(STDOUT_FILENO) == 1;
}

static unsigned from_environment(const char *name) {
        const char *text = getenv(name);
        uint64_t value;

        return text && parse_u64(text, 10000, &value) >= 0 ? (unsigned) value : 0;
}

bool terminal_size(unsigned *ret_columns, unsigned *ret_lines) {
        unsigned columns = from_environment("COLUMNS"), lines = from_environment("LINES");
        struct winsize size = {};

        /* With a pager, stdout is a pipe, but stderr most likely still is the terminal. */
        if (ioctl(pager > 0 ? STDERR_FILENO : STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
                size = (struct winsize){};

        columns = columns ?: size.ws_col;
        lines = lines ?: size.ws_row;
        *ret_columns = columns ?: 80;
        *ret_lines = lines ?: 24;
        return columns > 0;
}

bool terminal_has_colours(void) {
        const char *wish = getenv("SYSTEMD_COLORS"), *type = getenv("TERM"),
                   *no = getenv("NO_COLOR");

        /* systemd also takes depths, such as "16" and "256", for yes. */
        if (wish && *wish)
                return strchr("0nNfF", *wish) == NULL && strcmp(wish, "off") != 0;
        if (no && *no)
                return false;

        return terminal_is_there() && !(type && strcmp(type, "dumb") == 0);
}

/* The pager that the user wants; NULL for none. */
static const char *choose_pager(void) {
        const char *name = getenv("SYSTEMD_PAGER") ?: getenv("PAGER");

        if (!name)
                return "less";
        return *name && strcmp(name, "cat") != 0 ? name : NULL;
}

_noreturn_ static void run_pager(const char *name, int input) {
        (void) dup2(input, STDIN_FILENO);
        (void) prctl(PR_SET_PDEATHSIG, SIGTERM);
        (void) setenv("LESS", getenv("SYSTEMD_LESS") ?: "FRSXMK", 1);
        (void) setenv("LESSSECURE", "1", 0);
        (void) execl("/bin/sh", "sh", "-c", name, (char *) NULL);
        _exit(127);
}

/* Whether a program of this name exists: the shell would notice only in the place of the pager,
 * when the output is lost. */
static bool is_there(const char *name) {
        _cleanup_free_ char *paths = strdup(getenv("PATH") ?: "/usr/bin:/bin");
        size_t length = strcspn(name, " ");
        char *rest = paths;

        if (memchr(name, '/', length))
                return true;

        for (char *path; paths && (path = strsep(&rest, ":"));) {
                _cleanup_free_ char *candidate = NULL;

                if (asprintf(&candidate, "%s/%.*s", path, (int) length, name) < 0)
                        candidate = NULL;
                if (candidate && access(candidate, X_OK) == 0)
                        return true;
        }

        return false;
}

void pager_open(void) {
        const char *name = choose_pager();
        int ends[2];
        pid_t pid;

        if (pager > 0 || isatty(STDOUT_FILENO) != 1 || !name || !is_there(name))
                return;
        if (pipe2(ends, O_CLOEXEC) < 0)
                return;

        (void) fflush(stdout);
        pid = fork();
        if (pid == 0)
                run_pager(name, ends[0]);
        if (pid > 0) {
                /* If the user quits the pager early, nobody reads the rest. */
                (void) signal(SIGPIPE, SIG_IGN);
                (void) signal(SIGINT, SIG_IGN);
                (void) dup2(ends[1], STDOUT_FILENO);
                pager = pid;
        }

        (void) close(ends[0]);
        (void) close(ends[1]);
}

void pager_close(void) {
        if (pager <= 0)
                return;

        (void) fflush(stdout);
        (void) close(STDOUT_FILENO);
        while (waitpid(pager, NULL, 0) < 0 && errno == EINTR)
                ;
        pager = 0;
}
