/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "adm/view/health-line.h"

#define INDENT 2

Colour health_colour(const char *health) {
        if (strcmp(health, "ok") == 0)
                return COLOUR_GREEN;
        return strcmp(health, "degraded") == 0 ? COLOUR_YELLOW : COLOUR_RED;
}

/* Prints TEXT word by word, without control characters; AT columns of the line are taken. */
static void put_wrapped(FILE *file, const char *text, size_t at, size_t width) {
        while (*text) {
                size_t length = strcspn(text, " ");

                if (width > 0 && at + 1 + length > width && at > INDENT) {
                        (void) fprintf(file, "\n%*s", INDENT, "");
                        at = INDENT;
                } else if (at > INDENT) {
                        (void) putc(' ', file);
                        at++;
                }

                for (size_t i = 0; i < length; i++)
                        (void) putc((unsigned char) text[i] < ' ' ? '?' : text[i], file);
                at += length;
                text += length;
                text += strspn(text, " ");
        }
}

void health_line_print(
                FILE *file,
                const TableLook *look,
                const char *health,
                const char *reason,
                const char *advice) {
        if (look->colours)
                (void) fputs(colour_sequence(health_colour(health)), file);
        (void) fprintf(file, "%s %s%s", MB_CUR_MAX > 1 ? "●" : "*", health, *reason ? ":" : "");
        put_wrapped(file, reason, INDENT + strlen(health) + 1, look->width);
        if (look->colours)
                (void) fputs(colour_sequence(COLOUR_NONE), file);
        (void) putc('\n', file);

        if (!*advice)
                return;

        (void) fprintf(file, "%*s", INDENT, "");
        put_wrapped(file, advice, INDENT, look->width);
        (void) putc('\n', file);
}
