/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Table: rows for people, in columns that fit the terminal, and the same rows as JSON.
 *
 * Cells are added one after the other, row by row. A failed allocation is remembered and comes out
 * of the functions that print, so that adding needs no checks. Text from outside is safe to add:
 * control characters become "?". */

#include "base/json.h"

typedef enum Colour {
        COLOUR_NONE,
        COLOUR_BOLD,
        COLOUR_GREY,
        COLOUR_GREEN,
        COLOUR_YELLOW,
        COLOUR_RED,
        _COLOUR_MAX,
} Colour;

typedef enum JsonMode {
        JSON_OFF,
        JSON_SHORT,
        JSON_PRETTY,
} JsonMode;

typedef struct Column {
        const char *title; /* NULL: only in JSON */
        const char *name;  /* in JSON; NULL: only for people */
        bool right;        /* numbers */
        bool shrinks;      /* is cut with "…" where the terminal is too narrow */
} Column;

typedef struct TableLook {
        unsigned width; /* of the terminal; 0 for no limit */
        bool legend;    /* titles */
        bool colours;
} TableLook;

typedef struct Table Table;

/* COLUMNS ends with {}; names and titles are not copied. Returns 0 or -ENOMEM. */
int table_new(const Column columns[], Table **ret);
Table *table_free(Table *table);
DEFINE_CLEANUP(Table *, table_free);

/* Leaves the column of this name to JSON: there is nothing in it for people to see. */
void table_hide(Table *table, const char *name);

/* One cell: VALUE, which it takes over, for JSON, and the text for people. VALUE must be there if
 * the column has a name: NULL counts as a failed allocation. */
void table_add(Table *table, Colour colour, Json *value, const char *format, ...) _printf_(4, 5);

/* The usual cells. An empty string shows as "-". */
void table_add_string(Table *table, const char *value);
void table_add_coloured(Table *table, Colour colour, const char *value);
void table_add_uint(Table *table, uint64_t value);
void table_add_bytes(Table *table, uint64_t bytes);            /* "1.5G"; JSON has the number */
void table_add_ago(Table *table, uint64_t usec, uint64_t now); /* "3s ago"; JSON has USEC */

size_t table_rows(const Table *table);

/* Returns a new string, or NULL: rows under titles, or each row as lines "Title: value". */
char *table_format(const Table *table, const TableLook *look);
char *table_format_list(const Table *table, const TableLook *look);

/* A new array of objects, or NULL. */
Json *table_to_json(const Table *table);

/* The escape sequence that begins a colour; COLOUR_NONE ends it. */
const char *colour_sequence(Colour colour);
