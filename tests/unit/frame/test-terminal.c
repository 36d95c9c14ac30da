/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "frame/capture.h"
#include "frame/screen.h"
#include "frame/terminal.h"

static void set(const char *name, const char *value) {
        if (value)
                assert_ok(setenv(name, value, 1));
        else
                assert_ok(unsetenv(name));
}

/* A terminal in the place of stdin and stdout. */
typedef struct Terminal {
        int outside, in, out;
} Terminal;

static void terminal_begin(Terminal *terminal, unsigned short columns, unsigned short lines) {
        const struct winsize size = { .ws_col = columns, .ws_row = lines };
        int inside;

        (void) fflush(stdout);
        terminal->in = dup(STDIN_FILENO);
        terminal->out = dup(STDOUT_FILENO);
        assert_ok(openpty(&terminal->outside, &inside, NULL, NULL, &size));
        assert_ok(dup2(inside, STDIN_FILENO));
        assert_ok(dup2(inside, STDOUT_FILENO));
        (void) close(inside);
}

/* Returns what was printed, up to SIZE - 1 bytes. */
static void terminal_end(Terminal *terminal, char *ret, size_t size) {
        size_t sum = 0;
        ssize_t n;

        (void) fflush(stdout);
        assert_ok(fcntl(terminal->outside, F_SETFL, O_NONBLOCK));
        while (sum < size - 1 && (n = read(terminal->outside, ret + sum, size - 1 - sum)) > 0)
                sum += (size_t) n;
        ret[sum] = '\0';
        assert_ok(dup2(terminal->in, STDIN_FILENO));
        assert_ok(dup2(terminal->out, STDOUT_FILENO));
        (void) close(terminal->in);
        (void) close(terminal->out);
        (void) close(terminal->outside);
}

TEST(colours_are_a_matter_of_wishes_and_terminals) {
        /* clang-format off */
        static const struct {
                const char *systemd, *no, *term;
                bool on_terminal, elsewhere;
        } rows[] = {
                { NULL,   NULL, "xterm", true,  false },
                { NULL,   NULL, NULL,    true,  false },
                { NULL,   NULL, "dumb",  false, false },
                { NULL,   "1",  "xterm", false, false },
                { NULL,   "",   "xterm", true,  false },
                { "1",    "1",  "dumb",  true,  true  },
                { "256",  NULL, "xterm", true,  true  },
                { "0",    NULL, "xterm", false, false },
                { "no",   NULL, "xterm", false, false },
                { "off",  NULL, "xterm", false, false },
                { "",     NULL, "xterm", true,  false },
        };
        /* clang-format on */

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                char text[16];
                Terminal terminal;
                Capture capture;
                bool found;

                set("SYSTEMD_COLORS", rows[i].systemd);
                set("NO_COLOR", rows[i].no);
                set("TERM", rows[i].term);

                terminal_begin(&terminal, 80, 24);
                assert_true(terminal_is_there());
                found = terminal_has_colours();
                terminal_end(&terminal, text, sizeof(text));
                assert_int_equal(found, rows[i].on_terminal);

                capture_begin(&capture, STDOUT_FILENO, stdout);
                found = terminal_has_colours() || terminal_is_there();
                free(capture_end(&capture, stdout));
                assert_int_equal(found, rows[i].elsewhere);
        }
}

TEST(size_is_what_the_environment_or_the_terminal_says) {
        /* clang-format off */
        static const struct {
                const char *columns, *lines;
                unsigned terminal_columns, terminal_lines, expected_columns, expected_lines;
                bool known;
        } rows[] = {
                { NULL,    NULL, 132, 50, 132, 50, true  },
                { "100",   NULL, 132, 50, 100, 50, true  },
                { "100",   "9",  132, 50, 100, 9,  true  },
                { "99999", "0",  132, 50, 132, 50, true  },
                { "many",  "",   132, 50, 132, 50, true  },
                { NULL,    NULL, 0,   0,  80,  24, false },
                { "70",    NULL, 0,   0,  70,  24, true  },
        };
        /* clang-format on */

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                unsigned columns, lines;
                Terminal terminal;
                char text[16];
                bool known;

                set("COLUMNS", rows[i].columns);
                set("LINES", rows[i].lines);
                terminal_begin(&terminal, (unsigned short) rows[i].terminal_columns,
                               (unsigned short) rows[i].terminal_lines);
                known = terminal_size(&columns, &lines);
                terminal_end(&terminal, text, sizeof(text));
                assert_int_equal(columns, rows[i].expected_columns);
                assert_int_equal(lines, rows[i].expected_lines);
                assert_int_equal(known, rows[i].known);
        }
        set("COLUMNS", NULL);
        set("LINES", NULL);
}

TEST(pager_gets_what_is_printed) {
        char text[64];
        Terminal terminal;

        set("SYSTEMD_PAGER", "sed s/^/paged:/");
        terminal_begin(&terminal, 80, 24);
        pager_open();
        pager_open(); /* there is one only */
        assert_true(terminal_is_there());
        puts("a");
        pager_close();
        assert_ok(dup2(terminal.out, STDOUT_FILENO)); /* pager_close() has closed it */
        terminal_end(&terminal, text, sizeof(text));
        assert_string_equal(text, "paged:a\r\n");
}

TEST(no_pager_is_no_loss) {
        static const char *const pagers[] = { "", "cat", "no-such-pager -x" };

        for (size_t i = 0; i < sizeof(pagers) / sizeof(*pagers); i++) {
                char text[64];
                Terminal terminal;

                set("SYSTEMD_PAGER", pagers[i]);
                terminal_begin(&terminal, 80, 24);
                pager_open();
                puts("a");
                pager_close();
                terminal_end(&terminal, text, sizeof(text));
                assert_string_equal(text, "a\r\n");
        }
        set("SYSTEMD_PAGER", NULL);
}

TEST(screen_is_drawn_within_its_lines) {
        char text[1024];
        Terminal terminal;
        int r;

        terminal_begin(&terminal, 20, 4);
        r = screen_enter();
        if (r >= 0)
                r = screen_draw("one\ntwo\nthree\nfour\nlast");
        screen_leave();
        screen_leave();
        terminal_end(&terminal, text, sizeof(text));
        assert_ok(r);
        assert_non_null(strstr(text, "\033[?1049h"));
        assert_non_null(strstr(text, "one"));
        assert_non_null(strstr(text, "three"));
        assert_null(strstr(text, "four")); /* the last line has its place */
        assert_non_null(strstr(text, "last"));
        assert_non_null(strstr(strstr(text, "last"), "\033[?1049l"));
}

TEST(screen_wants_a_terminal) {
        int null = open("/dev/null", O_RDWR), in = dup(STDIN_FILENO);

        assert_ok(dup2(null, STDIN_FILENO));
        assert_true(screen_enter() < 0);
        screen_leave();
        assert_ok(dup2(in, STDIN_FILENO));
        (void) close(null);
        (void) close(in);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(colours_are_a_matter_of_wishes_and_terminals),
                cmocka_unit_test(size_is_what_the_environment_or_the_terminal_says),
                cmocka_unit_test(pager_gets_what_is_printed),
                cmocka_unit_test(no_pager_is_no_loss),
                cmocka_unit_test(screen_is_drawn_within_its_lines),
                cmocka_unit_test(screen_wants_a_terminal),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
