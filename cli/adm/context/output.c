/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "adm/context/output.h"
#include "frame/complaint.h"
#include "frame/terminal.h"

TableLook output_look(const Output *output) {
        unsigned columns, lines;
        bool known = terminal_size(&columns, &lines);

        return (TableLook){
                .width = known && (terminal_is_there() || getenv("COLUMNS")) ? columns : 0,
                .legend = !output->no_legend,
                .colours = terminal_has_colours(),
        };
}

void output_page(const Output *output) {
        if (!output->no_pager)
                pager_open();
}

/* TEXT is NULL if memory ran out. */
static int print(char *text) {
        _cleanup_free_ char *owned = text;

        if (!owned)
                return complain(-ENOMEM, "Failed to print: %m");

        (void) fputs(owned, stdout); /* main() checks stdout */
        return 0;
}

int output_print_json(const Output *output, const Json *json) {
        output_page(output);
        return print(json_format(json, output->json == JSON_PRETTY));
}

int output_print_table(const Output *output, const Table *table) {
        if (output->json != JSON_OFF) {
                _cleanup_(json_freep) Json *json = table_to_json(table);

                return output_print_json(output, json);
        }

        TableLook look = output_look(output);
        output_page(output);
        return print(table_format(table, &look));
}

int output_print_list(const Output *output, const Table *table) {
        if (output->json != JSON_OFF) {
                _cleanup_(json_freep) Json *json = table_to_json(table);

                return output_print_json(output, json_array_get(json, 0));
        }

        TableLook look = output_look(output);
        output_page(output);
        return print(table_format_list(table, &look));
}

void output_say(const Output *output, const char *format, ...) {
        va_list arguments;

        if (output->quiet)
                return;

        va_start(arguments, format);
        (void) vprintf(format, arguments);
        va_end(arguments);
        (void) putchar('\n');
}
