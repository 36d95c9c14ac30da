/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "frame/format.h"
#include "frame/table.h"

#define GAP         2 /* blanks between columns */
#define WIDTH_LEAST 8 /* no column is cut shorter */

typedef struct Cell {
        char *text;  /* owned */
        Json *value; /* owned; NULL if none */
        size_t width;
        Colour colour;
} Cell;

struct Table {
        Column *columns; /* owned */
        size_t n_columns;
        Cell *cells; /* owned; row by row */
        size_t n_cells, n_allocated;
        int error; /* of the first thing that failed */
};

/* Returns the number of bytes of the character at P, and how many columns it takes. A control
 * character, or a byte that is invalid in the encoding of the terminal, counts as one of each and
 * is not good. */
static size_t look_at(const char *p, size_t *ret_width, bool *ret_good) {
        mbstate_t state = {};
        wchar_t character;
        size_t n = mbrtowc(&character, p, strlen(p), &state);
        int width = n > 0 && n < (size_t) -2 ? wcwidth(character) : -1;

        *ret_good = width >= 0;
        *ret_width = width >= 0 ? (size_t) width : 1;
        return width >= 0 ? n : 1;
}

/* Makes the text printable and measures it. */
static size_t clean(char *text) {
        size_t sum = 0, width;
        bool good;

        for (char *p = text; *p;) {
                size_t n = look_at(p, &width, &good);

                if (!good)
                        *p = '?';
                p += n;
                sum += width;
        }

        return sum;
}

/* The number of bytes of a clean text that fit into COLUMNS. */
static size_t fit(const char *text, size_t columns, size_t *ret_width) {
        const char *p = text;
        size_t sum = 0, width;
        bool good;

        while (*p) {
                size_t n = look_at(p, &width, &good);

                if (sum + width > columns)
                        break;
                p += n;
                sum += width;
        }

        *ret_width = sum;
        return (size_t) (p - text);
}

int table_new(const Column columns[], Table **ret) {
        _cleanup_(table_freep) Table *table = calloc(1, sizeof(*table));

        if (!table)
                return -ENOMEM;

        while (columns[table->n_columns].title || columns[table->n_columns].name)
                table->n_columns++;

        assert(table->n_columns > 0);

        table->columns = calloc(table->n_columns, sizeof(*columns));
        if (!table->columns)
                return -ENOMEM;
        for (size_t i = 0; i < table->n_columns; i++)
                table->columns[i] = columns[i];

        *ret = TAKE_PTR(table);
        return 0;
}

void table_hide(Table *table, const char *name) {
        for (size_t i = 0; i < table->n_columns; i++)
                if (table->columns[i].name && strcmp(table->columns[i].name, name) == 0)
                        table->columns[i].title = NULL;
}

Table *table_free(Table *table) {
        if (!table)
                return NULL;

        for (size_t i = 0; i < table->n_cells; i++) {
                free(table->cells[i].text);
                (void) json_free(table->cells[i].value);
        }
        free(table->cells);
        free(table->columns);
        free(table);
        return NULL;
}

static void append(Table *table, Cell cell) {
        if (table->n_cells == table->n_allocated) {
                size_t n = 2 * table->n_allocated + 64;
                Cell *cells = realloc(table->cells, n * sizeof(*cells));

                if (!cells) {
                        free(cell.text);
                        (void) json_free(cell.value);
                        table->error = -ENOMEM;
                        return;
                }
                table->cells = cells;
                table->n_allocated = n;
        }

        table->cells[table->n_cells++] = cell;
}

void table_add(Table *table, Colour colour, Json *value, const char *format, ...) {
        va_list arguments;
        char *text;
        int n;

        va_start(arguments, format);
        n = vasprintf(&text, format, arguments);
        va_end(arguments);
        if (n < 0) {
                (void) json_free(value);
                table->error = -ENOMEM;
                return;
        }

        if (!value && table->columns[table->n_cells % table->n_columns].name)
                table->error = -ENOMEM;

        append(table,
               (Cell){ .text = text, .value = value, .width = clean(text), .colour = colour });
}

void table_add_coloured(Table *table, Colour colour, const char *value) {
        table_add(table, colour, json_new_string(value), "%s", *value ? value : "-");
}

void table_add_string(Table *table, const char *value) {
        table_add_coloured(table, COLOUR_NONE, value);
}

void table_add_uint(Table *table, uint64_t value) {
        table_add(table, COLOUR_NONE, json_new_uint(value), "%ju", (uintmax_t) value);
}

void table_add_bytes(Table *table, uint64_t bytes) {
        char text[FORMAT_SIZE];

        table_add(table, COLOUR_NONE, json_new_uint(bytes), "%s", format_bytes(text, bytes));
}

void table_add_ago(Table *table, uint64_t usec, uint64_t now) {
        char text[FORMAT_SIZE];

        table_add(table, COLOUR_NONE, json_new_uint(usec), "%s", format_ago(text, usec, now));
}

size_t table_rows(const Table *table) {
        return table->n_cells / table->n_columns;
}

static const Cell *cell_at(const Table *table, size_t row, size_t column) {
        return table->cells + row * table->n_columns + column;
}

static size_t title_width(const Column *column) {
        return strlen(column->title); /* ASCII */
}

/* The width of each column that has a title, 0 for the others. */
static void measure(const Table *table, const TableLook *look, size_t ret[]) {
        size_t sum = 0;

        for (size_t i = 0; i < table->n_columns; i++) {
                ret[i] = 0;
                if (!table->columns[i].title)
                        continue;
                ret[i] = look->legend ? title_width(table->columns + i) : 1;
                for (size_t row = 0; row < table_rows(table); row++)
                        ret[i] = MAX(ret[i], cell_at(table, row, i)->width);
                sum += ret[i] + GAP;
        }

        /* As long as the line is too wide, the widest column that may shrink gives up one
         * character. */
        while (look->width > 0 && sum > look->width + GAP) {
                size_t widest = SIZE_MAX;

                for (size_t i = 0; i < table->n_columns; i++)
                        if (table->columns[i].shrinks && ret[i] > WIDTH_LEAST &&
                            (widest == SIZE_MAX || ret[i] > ret[widest]))
                                widest = i;
                if (widest == SIZE_MAX)
                        break;
                ret[widest]--;
                sum--;
        }
}

static void put_blanks(FILE *file, size_t n) {
        (void) fprintf(file, "%*s", (int) n, "");
}

/* One cell, after AHEAD blanks; sets AHEAD to the number of blanks before the next cell. */
static void put_cell(
                FILE *file,
                const char *text,
                size_t width,
                size_t column_width,
                const Column *column,
                Colour colour,
                size_t *ahead) {
        bool cut = width > column_width;
        size_t n = strlen(text);

        if (cut)
                n = fit(text, column_width - 1, &width);

        put_blanks(file, *ahead + (column->right && !cut ? column_width - width : 0));
        *ahead = GAP + (column->right && !cut ? 0 : column_width - width - cut);

        if (colour != COLOUR_NONE)
                (void) fputs(colour_sequence(colour), file);
        (void) fwrite(text, 1, n, file);
        if (cut)
                (void) fputs(MB_CUR_MAX > 1 ? "…" : "~", file);
        if (colour != COLOUR_NONE)
                (void) fputs(colour_sequence(COLOUR_NONE), file);
}

static void put_rows(FILE *file, const Table *table, const TableLook *look, const size_t widths[]) {
        size_t ahead = 0;

        for (size_t i = 0; look->legend && i < table->n_columns; i++)
                if (widths[i] > 0)
                        put_cell(file, table->columns[i].title, title_width(table->columns + i),
                                 widths[i], table->columns + i,
                                 look->colours ? COLOUR_BOLD : COLOUR_NONE, &ahead);
        if (look->legend)
                (void) putc('\n', file);

        for (size_t row = 0; row < table_rows(table); row++) {
                ahead = 0;
                for (size_t i = 0; i < table->n_columns; i++) {
                        const Cell *cell = cell_at(table, row, i);

                        if (widths[i] > 0)
                                put_cell(file, cell->text, cell->width, widths[i],
                                         table->columns + i,
                                         look->colours ? cell->colour : COLOUR_NONE, &ahead);
                }
                (void) putc('\n', file);
        }
}

/* Titles to the right, values to the left: as "systemctl status" shows things. */
static void put_list(FILE *file, const Table *table, const TableLook *look, const size_t widths[]) {
        size_t widest = 0;

        for (size_t i = 0; i < table->n_columns; i++)
                if (widths[i] > 0)
                        widest = MAX(widest, title_width(table->columns + i));

        for (size_t row = 0; row < table_rows(table); row++) {
                if (row > 0)
                        (void) putc('\n', file);
                for (size_t i = 0; i < table->n_columns; i++) {
                        const Cell *cell = cell_at(table, row, i);
                        bool colour = look->colours && cell->colour != COLOUR_NONE;

                        if (widths[i] > 0)
                                (void) fprintf(file, "%*s: %s%s%s\n", (int) widest,
                                               table->columns[i].title,
                                               colour ? colour_sequence(cell->colour) : "",
                                               cell->text,
                                               colour ? colour_sequence(COLOUR_NONE) : "");
                }
        }
}

static char *format(
                const Table *table,
                const TableLook *look,
                void (*put)(FILE *, const Table *, const TableLook *, const size_t[])) {
        _cleanup_free_ size_t *widths = calloc(table->n_columns, sizeof(*widths));
        _cleanup_free_ char *text = NULL;
        size_t size;
        FILE *file;

        assert(table->error < 0 || table->n_cells % table->n_columns == 0);

        if (table->error < 0 || !widths)
                return NULL;

        file = open_memstream(&text, &size);
        if (!file)
                return NULL;

        measure(table, look, widths);
        put(file, table, look, widths);
        return fclose(file) == 0 ? TAKE_PTR(text) : NULL;
}

char *table_format(const Table *table, const TableLook *look) {
        return format(table, look, put_rows);
}

char *table_format_list(const Table *table, const TableLook *look) {
        return format(table, look, put_list);
}

Json *table_to_json(const Table *table) {
        Json *rows;

        if (table->error < 0)
                return NULL;

        rows = json_new_array();

        for (size_t row = 0; row < table_rows(table); row++) {
                Json *object = json_new_object();

                for (size_t i = 0; i < table->n_columns; i++) {
                        const Cell *cell = cell_at(table, row, i);

                        if (table->columns[i].name)
                                json_add(object, table->columns[i].name, json_share(cell->value));
                }
                json_append(rows, object);
        }
        return rows;
}

const char *colour_sequence(Colour colour) {
        static const char *const sequences[_COLOUR_MAX] = {
                [COLOUR_NONE] = "\033[0m",      [COLOUR_BOLD] = "\033[1m",
                [COLOUR_GREY] = "\033[90m",     [COLOUR_GREEN] = "\033[32m",
                [COLOUR_YELLOW] = "\033[1;33m", [COLOUR_RED] = "\033[1;31m",
        };

        assert(colour < _COLOUR_MAX);
        return sequences[colour];
}
