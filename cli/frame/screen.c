/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>

#include "base/file.h"
#include "frame/screen.h"
#include "frame/terminal.h"

/* Enters the alternate screen, hides the cursor and turns off line wrapping; and back. */
#define ENTER "\033[?1049h\033[?25l\033[?7l\033[2J"
#define LEAVE "\033[?7h\033[?25h\033[?1049l"

static struct termios before;
static volatile sig_atomic_t entered;

/* Calls only functions that are safe in signal handlers. */
void screen_leave(void) {
        ssize_t n;

        if (!entered)
                return;

        entered = false;
        n = write(STDOUT_FILENO, LEAVE, sizeof(LEAVE) - 1);
        (void) n; /* a terminal that is gone needs no cleaning */
        (void) tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
}

static void on_abort(int number) {
        screen_leave();
        (void) signal(SIGABRT, SIG_DFL);
        abort();
}

int screen_enter(void) {
        struct termios raw;
        int r;

        if (tcgetattr(STDIN_FILENO, &before) < 0)
                return -errno;

        raw = before;
        raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
        raw.c_cc[VMIN] = 1;
        raw.c_cc[VTIME] = 0;
        raw.c_cc[VSUSP] = _POSIX_VDISABLE; /* a stopped program would keep the screen */
        if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) < 0)
                return -errno;

        entered = true;
        (void) signal(SIGABRT, on_abort);
        if (atexit(screen_leave) != 0)
                r = -ENOMEM;
        else
                r = write_all(STDOUT_FILENO, ENTER, strlen(ENTER));
        if (r < 0)
                screen_leave();

        return r;
}

static const char *skip_lines(const char *text, unsigned n) {
        while (n-- > 0) {
                const char *end = strchr(text, '\n');

                if (!end)
                        break;
                text = end + 1;
        }

        return text;
}

/* All in one write, so that no half page is ever visible: from the top, each line with everything
 * to its right erased, then the last line. */
static void put(FILE *file, const char *text, unsigned n_lines) {
        const char *last = text + strlen(text), *end;

        while (last > text && last[-1] != '\n')
                last--;
        end = skip_lines(text, n_lines - 1);
        end = MIN(end, last);

        (void) fputs("\033[H", file);
        for (const char *p = text; p < end; p++) {
                if (*p == '\n')
                        (void) fputs("\033[K", file);
                (void) putc(*p, file);
        }
        (void) fprintf(file, "\033[J\033[%uH%s\033[K", n_lines, last);
}

int screen_draw(const char *text) {
        _cleanup_free_ char *page = NULL;
        unsigned columns, lines;
        size_t size;
        FILE *file;

        (void) terminal_size(&columns, &lines);

        file = open_memstream(&page, &size);
        if (!file)
                return -errno;
        put(file, text, lines);
        if (fclose(file) != 0)
                return -errno;

        return write_all(STDOUT_FILENO, page, size);
}
