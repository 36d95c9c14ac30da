/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "frame/complaint.h"

/* Arguments may come from outside: no control character reaches the terminal. */
_printf_(1, 0) static void print(const char *format, va_list arguments) {
        _cleanup_free_ char *text = NULL;

        if (vasprintf(&text, format, arguments) < 0) {
                text = NULL;
                fputs("Out of memory.\n", stderr);
                return;
        }

        for (char *p = text; *p; p++)
                if ((unsigned char) *p < ' ' || *p == 0x7f)
                        *p = '?';
        (void) fprintf(stderr, "%s\n", text);
}

int complain(int error, const char *format, ...) {
        va_list arguments;

        errno = abs(error);
        va_start(arguments, format);
        print(format, arguments);
        va_end(arguments);

        return -abs(error);
}

int complain_usage(const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        print(format, arguments);
        va_end(arguments);

        return EXIT_USAGE;
}

void advise(const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        print(format, arguments);
        va_end(arguments);
}
