/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "adm/view/health-line.h"
#include "adm/view/monitor-page.h"
#include "adm/view/volume-table.h"
#include "base/clock.h"
#include "frame/format.h"

#define BARS 8 /* heights of them */

/* clang-format off */
static const Column rate_columns[] = {
        { "REQUESTS/s", NULL, .right = true },
        { "READS/s",    NULL, .right = true },
        { "WRITES/s",   NULL, .right = true },
        { "DELETES/s",  NULL, .right = true },
        { "ERRORS/s",   NULL, .right = true },
        { "RECEIVED/s", NULL, .right = true },
        { "SENT/s",     NULL, .right = true },
        {}
};

static const Column volume_columns[] = {
        { "VOLUME",    NULL, .right = true   },
        { "STATE",     NULL                  },
        { "UP",        NULL                  },
        { "FREE",      NULL, .right = true   },
        { "OBJECTS",   NULL, .right = true   },
        { "OBJECTS/s", NULL, .right = true   },
        { "BYTES/s",   NULL, .right = true   },
        { "SEEN",      NULL                  },
        {}
};
/* clang-format on */

static Rates rates_of(const MonitorPage *page) {
        return page->view && page->previous ? rates_between(page->previous, page->view) : (Rates){};
}

static void add_count(Table *table, Colour colour, double rate) {
        char text[FORMAT_SIZE];

        table_add(table, colour, NULL, "%s", format_count(text, (uint64_t) rate));
}

static void add_bytes(Table *table, double rate) {
        char text[FORMAT_SIZE];

        table_add(table, COLOUR_NONE, NULL, "%s", format_bytes(text, (uint64_t) rate));
}

static char *format_rates(const MonitorPage *page) {
        _cleanup_(table_freep) Table *table = NULL;
        TableLook look = page->look;
        Rates rates = rates_of(page);

        if (table_new(rate_columns, &table) < 0)
                return NULL;

        add_count(table, COLOUR_BOLD, rates.requests);
        add_count(table, COLOUR_NONE, rates.reads);
        add_count(table, COLOUR_NONE, rates.writes);
        add_count(table, COLOUR_NONE, rates.deletes);
        add_count(table, rates.errors > 0 ? COLOUR_RED : COLOUR_NONE, rates.errors);
        add_bytes(table, rates.bytes_received);
        add_bytes(table, rates.bytes_sent);

        look.legend = true;
        return table_format(table, &look);
}

/* How much the volume deserves the first row: 0 if nothing is wrong. */
static int trouble(const VolumeView *volume) {
        if (strcmp(volume->state, "removed") == 0)
                return -1;
        if (!volume->up)
                return 3;
        if (volume->nearly_full)
                return 2;
        return strcmp(volume->state, "active") != 0 || volume->maintenance_until > 0;
}

static void add_change(Table *table, double rate, const char *(*format)(char *, uint64_t)) {
        char text[FORMAT_SIZE];

        table_add(table, COLOUR_NONE, NULL, "%s%s",
                  rate <= -1  ? "-"
                  : rate >= 1 ? "+"
                              : "",
                  format(text, (uint64_t) fabs(rate)));
}

static void add_volume(Table *table, const MonitorPage *page, const VolumeView *volume) {
        const VolumeView *old = page->previous ? view_find(page->previous, volume->number) : NULL;
        uint64_t usec = old ? page->view->taken - page->previous->taken : 0;
        char text[FORMAT_SIZE];

        table_add(table, COLOUR_NONE, NULL, "%" PRIu32, volume->number);
        table_add(table, COLOUR_NONE, NULL, "%s", volume->state);
        volume_table_add_up(table, volume);
        table_add(table, volume->nearly_full ? COLOUR_RED : COLOUR_NONE, NULL, "%s",
                  format_share(text, volume->disk_free, volume->disk_size));
        table_add(table, COLOUR_NONE, NULL, "%" PRIu64, volume->objects);
        add_change(table, rate_of_change(old ? old->objects : 0, volume->objects, usec),
                   format_count);
        add_change(table, rate_of_change(old ? old->bytes : 0, volume->bytes, usec), format_bytes);
        table_add(table, COLOUR_NONE, NULL, "%s",
                  format_ago(text, volume->last_seen, clock_realtime()));
}

/* Volumes in trouble come first; shows as many as fit. */
static char *format_volumes(const MonitorPage *page, size_t room, size_t *ret_shown) {
        _cleanup_(table_freep) Table *table = NULL;
        TableLook look = page->look;
        size_t n = 0;

        if (table_new(volume_columns, &table) < 0)
                return NULL;

        for (int level = 3; level >= -1; level--)
                for (size_t i = 0; i < page->view->n_volumes && n < room; i++)
                        if (trouble(page->view->volumes + i) == level) {
                                add_volume(table, page, page->view->volumes + i);
                                n++;
                        }

        *ret_shown = n;
        look.legend = true;
        return table_format(table, &look);
}

/* The requests of the last minute, a bar for each second. */
static void put_history(FILE *file, const MonitorPage *page) {
        static const char *const bars[BARS] = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" },
                                 *const plain[BARS] = { "_", ".", ":", "-", "=", "+", "*", "#" };
        const char *const *use = MB_CUR_MAX > 1 ? bars : plain;
        char text[FORMAT_SIZE];
        double most = 1;

        for (size_t i = 0; i < page->n_history; i++)
                most = MAX(most, page->history[i]);
        for (size_t i = 0; i < page->n_history; i++)
                (void) fputs(use[(size_t) (page->history[i] / most * (BARS - 1))], file);
        if (page->n_history > 0)
                (void) fprintf(file, " peak %s/s", format_count(text, (uint64_t) most));
        (void) putc('\n', file);
}

static int put_master(FILE *file, const MonitorPage *page) {
        const View *view = page->view;
        _cleanup_free_ char *rates = format_rates(page);
        char bytes[FORMAT_SIZE], share[FORMAT_SIZE], span[FORMAT_SIZE];
        uint64_t now = clock_realtime();

        if (!rates)
                return -ENOMEM;

        (void) fprintf(file, "%" PRIu64 " %s with %s; free for the index: %s; up for %s\n",
                       view->keys, plural(view->keys, "key", "keys"),
                       format_bytes(bytes, view->bytes),
                       format_share(share, view->disk_free, view->disk_size),
                       format_span(span, now - MIN(now, view->started_at)));
        (void) fprintf(file, "%" PRIu64 " %s in progress on %" PRIu64 " %s\n\n%s\n",
                       view->traffic.active_requests,
                       plural(view->traffic.active_requests, "request", "requests"),
                       view->traffic.connections,
                       plural(view->traffic.connections, "connection", "connections"), rates);
        put_history(file, page);
        (void) putc('\n', file);
        return 0;
}

/* LINES of the page are taken. Three more are for the titles, for what does not fit, and for the
 * bottom. */
static int put_volumes(FILE *file, const MonitorPage *page, size_t lines) {
        size_t room = page->lines > lines + 3 ? page->lines - lines - 3 : 1, shown;
        _cleanup_free_ char *volumes = format_volumes(page, room, &shown);

        if (!volumes)
                return -ENOMEM;

        (void) fputs(volumes, file);
        if (shown < page->view->n_volumes)
                (void) fprintf(file, "... and %zu more\n", page->view->n_volumes - shown);
        return 0;
}

static size_t count_lines(const char *text) {
        size_t n = 0;

        for (; *text; text++)
                n += *text == '\n';
        return n;
}

char *monitor_page_format(const MonitorPage *page) {
        const View *view = page->view;
        _cleanup_free_ char *text = NULL;
        char now[FORMAT_SIZE];
        uint64_t usec = clock_realtime();
        size_t size;
        FILE *file;
        int r = 0;

        file = open_memstream(&text, &size);
        if (!file)
                return NULL;

        health_line_print(
                        file, &page->look, view ? view->health : "down",
                        view ? view->health_reason : page->reason,
                        view ? view->health_advice : page->advice);
        (void) putc('\n', file);
        if (view)
                r = put_master(file, page);
        if (view && r >= 0)
                r = fflush(file) == 0 ? put_volumes(file, page, count_lines(text)) : -errno;
        (void) fprintf(file, "%s  dkvadm monitor  q: quit", format_time(now, usec, usec));

        return fclose(file) == 0 && r >= 0 ? TAKE_PTR(text) : NULL;
}

char *monitor_line_format(const MonitorPage *page) {
        char time[FORMAT_SIZE], in[FORMAT_SIZE], out[FORMAT_SIZE];
        uint64_t now = clock_realtime();
        Rates rates = rates_of(page);
        size_t n_up = 0;
        char *line;
        int n;

        (void) format_time(time, now, now);
        if (!page->view)
                n = asprintf(&line, "%s down: %s\n", time, page->reason);
        else {
                for (size_t i = 0; i < page->view->n_volumes; i++)
                        n_up += page->view->volumes[i].up;
                n = asprintf(&line,
                             "%s %s: %.0f reads/s, %.0f writes/s, %.0f deletes/s, %.0f errors/s, in %s/s,"
                             " out %s/s, %" PRIu64 " %s, %zu of %zu %s up\n",
                             time, page->view->health, rates.reads, rates.writes, rates.deletes,
                             rates.errors, format_bytes(in, (uint64_t) rates.bytes_received),
                             format_bytes(out, (uint64_t) rates.bytes_sent), page->view->keys,
                             plural(page->view->keys, "key", "keys"), n_up, page->view->n_volumes,
                             plural(page->view->n_volumes, "volume", "volumes"));
        }

        return n < 0 ? NULL : line;
}

Json *monitor_page_to_json(const MonitorPage *page) {
        _cleanup_(json_freep) Json *json = json_new_object();
        _cleanup_(table_freep) Table *volumes = NULL;
        const View *view = page->view;
        Rates rates = rates_of(page);

        json_add_uint(json, "time", clock_realtime());
        json_add_string(json, "health", view ? view->health : "down");
        json_add_string(json, "reason", view ? view->health_reason : page->reason);
        if (view) {
                json_add_double(json, "reads_per_second", rates.reads);
                json_add_double(json, "writes_per_second", rates.writes);
                json_add_double(json, "deletes_per_second", rates.deletes);
                json_add_double(json, "errors_per_second", rates.errors);
                json_add_double(json, "bytes_in_per_second", rates.bytes_received);
                json_add_double(json, "bytes_out_per_second", rates.bytes_sent);
                json_add_uint(json, "keys", view->keys);
                json_add_uint(json, "bytes", view->bytes);
                if (volume_table_new(view, VOLUME_TABLE_PRESENT, &volumes) < 0)
                        return NULL;
                json_add(json, "volumes", table_to_json(volumes));
        }

        return json_error(json) < 0 ? NULL : TAKE_PTR(json);
}
