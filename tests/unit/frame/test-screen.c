/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "frame/pty.h"

#include <errno.h>

#include "base/macro.h"
#include "frame/screen.h"

#define ENTER "\033[?1049h\033[?25l\033[?7l\033[2J"
#define LEAVE "\033[?7h\033[?25h\033[?1049l"

static void unset_size(void) {
        assert_ok(unsetenv("COLUMNS"));
        assert_ok(unsetenv("LINES"));
}

/* What one page looks like, in a terminal of so many lines; between entering and leaving. */
static int draw(void *userdata) {
        int r;

        r = screen_enter();
        if (r >= 0)
                r = screen_draw(userdata);
        screen_leave();
        return -r;
}

TEST(page_fits_the_terminal) {
        /* clang-format off */
        static const struct {
                const char *page;
                unsigned short lines;
                const char *drawn;
        } rows[] = {
                { "a\nb\nq: quit",       5, "\033[Ha\033[K\nb\033[K\n\033[J\033[5Hq: quit\033[K" },
                { "a\nb\nq: quit",       3, "\033[Ha\033[K\nb\033[K\n\033[J\033[3Hq: quit\033[K" },
                { "a\nb\nc\nd\nq: quit", 3, "\033[Ha\033[K\nb\033[K\n\033[J\033[3Hq: quit\033[K" },
                { "a\nb\nc\nd\nq: quit", 2, "\033[Ha\033[K\n\033[J\033[2Hq: quit\033[K" },
                { "a\nb\nq: quit",       1, "\033[H\033[J\033[1Hq: quit\033[K" },
                { "q: quit",             4, "\033[H\033[J\033[4Hq: quit\033[K" },
                { "",                    4, "\033[H\033[J\033[4H\033[K" },
                { "\033[1ma\033[0m\nq",  2, "\033[H\033[1ma\033[0m\033[K\n\033[J\033[2Hq\033[K" },
        };
        /* clang-format on */

        unset_size();
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                const Pty pty = { .lines = rows[i].lines };
                char expected[512], *text;
                int status;

                (void) snprintf(expected, sizeof(expected), ENTER "%s" LEAVE, rows[i].drawn);
                text = pty_run(&pty, draw, (char *) rows[i].page, &status);
                assert_string_equal(text, expected);
                assert_int_equal(status, 0);
                free(text);
        }
}

static int compare_modes(void *userdata) {
        struct termios before, between, after;
        bool raw, back;

        if (tcgetattr(STDIN_FILENO, &before) < 0 || screen_enter() < 0 ||
            tcgetattr(STDIN_FILENO, &between) < 0)
                return 10;
        screen_leave();
        screen_leave(); /* once more does nothing */
        if (tcgetattr(STDIN_FILENO, &after) < 0)
                return 11;

        raw = !(between.c_lflag & (ICANON | ECHO)) && (between.c_lflag & ISIG) &&
              between.c_cc[VMIN] == 1 && between.c_cc[VTIME] == 0;
        back = after.c_lflag == before.c_lflag && after.c_cc[VMIN] == before.c_cc[VMIN] &&
               after.c_cc[VSUSP] == before.c_cc[VSUSP];
        return raw && back ? 0 : 12;
}

TEST(keys_come_one_by_one_until_the_terminal_is_given_back) {
        int status;
        char *text = pty_run(&(Pty){}, compare_modes, NULL, &status);

        assert_int_equal(status, 0);
        assert_string_equal(text, ENTER LEAVE);
        free(text);
}

static int stop(void *userdata) {
        char key;

        if (screen_enter() < 0 || screen_draw("page\nlast") < 0)
                return 10;
        return read(STDIN_FILENO, &key, 1) == 1 && key == 0x1a ? 0 : 11;
}

TEST(program_cannot_be_stopped_with_the_screen) {
        /* Ctrl-Z is a key like others. */
        const Pty pty = { .prompt = "last", .typed = "\032" };
        int status;

        free(pty_run(&pty, stop, NULL, &status));
        assert_int_equal(status, 0);
}

static int end_by_exit(void *userdata) {
        if (screen_enter() < 0)
                return 10;
        exit(3);
}

static int end_by_assertion(void *userdata) {
        if (screen_enter() < 0)
                return 10;
        abort();
}

TEST(screen_is_left_however_the_program_ends) {
        int status;
        char *text = pty_run(&(Pty){}, end_by_exit, NULL, &status);

        assert_int_equal(status, 3);
        assert_string_equal(text, ENTER LEAVE);
        free(text);

        text = pty_run(&(Pty){}, end_by_assertion, NULL, &status);
        assert_int_equal(status, 128 + SIGABRT);
        assert_non_null(strstr(text, ENTER LEAVE));
        free(text);
}

static int enter_elsewhere(void *userdata) {
        int ends[2];

        if (pipe(ends) < 0 || dup2(ends[0], STDIN_FILENO) < 0)
                return 10;
        return screen_enter() == -ENOTTY ? 0 : 11;
}

TEST(screen_needs_a_terminal) {
        int status;
        char *text = pty_run(&(Pty){}, enter_elsewhere, NULL, &status);

        assert_int_equal(status, 0);
        assert_string_equal(text, ""); /* nothing is left half done */
        free(text);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(page_fits_the_terminal),
                cmocka_unit_test(keys_come_one_by_one_until_the_terminal_is_given_back),
                cmocka_unit_test(program_cannot_be_stopped_with_the_screen),
                cmocka_unit_test(screen_is_left_however_the_program_ends),
                cmocka_unit_test(screen_needs_a_terminal),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
