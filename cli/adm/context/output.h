/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Output: how dkvadm prints: tables and lists for people, or JSON; through a pager where that makes
 * sense.
 *
 * Nothing here checks whether the text could be written: main() does so once, at the end. */

#include "frame/table.h"

typedef struct Output {
        unsigned json; /* a JsonMode; unsigned, as an option is */
        bool no_pager;
        bool no_legend;
        bool quiet;
} Output;

/* Print a table in rows, a table as a list ("Title: value"), or JSON. Return 0 or a negative errno,
 * having said what is wrong. */
int output_print_table(const Output *output, const Table *table);
int output_print_list(const Output *output, const Table *table);
int output_print_json(const Output *output, const Json *json);

/* Opens the pager, for verbs that print by themselves. Does nothing without a terminal, with
 * --no-pager, or if the pager is open. */
void output_page(const Output *output);

/* How tables look on stdout. */
TableLook output_look(const Output *output);

/* Prints a line about what was done, unless --quiet was given. */
void output_say(const Output *output, const char *format, ...) _printf_(2, 3);
