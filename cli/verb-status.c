/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The first thing that is typed at three in the morning: one line that says how things are and why,
 * one that says what to do, and then the details. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "dkvadm.h"
#include "explanation.h"
#include "format.h"
#include "health-line.h"
#include "view.h"
#include "volume-table.h"

#define EXIT_DEGRADED 3
#define EXIT_DOWN     4

/* clang-format off */
static const Column master_columns[] = {
        { "Master",   NULL                },
        { "Index",    NULL                },
        { "Keys",     NULL                },
        { "Requests", NULL                },
        { NULL,       "version"           },
        { NULL,       "listen"            },
        { NULL,       "directory"         },
        { NULL,       "started_at"        },
        { NULL,       "epoch"             },
        { NULL,       "copies"            },
        { NULL,       "keys"              },
        { NULL,       "bytes"             },
        { NULL,       "garbage"           },
        { NULL,       "disk_free"         },
        { NULL,       "disk_size"         },
        { NULL,       "requests"          },
        { NULL,       "errors"            },
        { NULL,       "active_requests"   },
        { NULL,       "connections"       },
        {}
};
/* clang-format on */

static void add_master_for_people(Table *table, const View *view) {
        char span[FORMAT_SIZE], share[FORMAT_SIZE];
        uint64_t now = clock_realtime();

        table_add(table, COLOUR_NONE, NULL,
                  "dkv %s at %s, up for %s, map epoch %" PRIu64 ", %" PRIu32 "%s", view->version,
                  view->listen, format_span(span, now - MIN(now, view->started_at)), view->epoch,
                  view->copies, view->copies == 1 ? " copy" : " copies");
        table_add(table, COLOUR_NONE, NULL, "%s, free: %s", view->directory,
                  format_share(share, view->disk_free, view->disk_size));
        table_add(table, COLOUR_NONE, NULL, "%" PRIu64 " with %s; %" PRIu64 " old copies to delete",
                  view->keys, format_bytes(span, view->bytes), view->garbage);
        table_add(table, COLOUR_NONE, NULL,
                  "%" PRIu32 " under way on %" PRIu32 " connections; %" PRIu64 " so far, %" PRIu64
                  " of them failed here",
                  view->traffic.active_requests, view->traffic.connections, view->traffic.requests,
                  view->traffic.errors);
}

static int master_table_new(const View *view, Table **ret) {
        Table *table;
        int r;

        r = table_new(master_columns, &table);
        if (r < 0)
                return r;

        add_master_for_people(table, view);
        table_add_string(table, view->version);
        table_add_string(table, view->listen);
        table_add_string(table, view->directory);
        table_add_uint(table, view->started_at);
        table_add_uint(table, view->epoch);
        table_add_uint(table, view->copies);
        table_add_uint(table, view->keys);
        table_add_uint(table, view->bytes);
        table_add_uint(table, view->garbage);
        table_add_uint(table, view->disk_free);
        table_add_uint(table, view->disk_size);
        table_add_uint(table, view->traffic.requests);
        table_add_uint(table, view->traffic.errors);
        table_add_uint(table, view->traffic.active_requests);
        table_add_uint(table, view->traffic.connections);

        *ret = table;
        return 0;
}

/* What is printed, whatever of it there is. */
typedef struct Report {
        const char *health, *reason, *advice;
        const TroublesView *troubles; /* or NULL */
        const char *volumes_title;
        Table *master;  /* owned; or NULL */
        Table *volumes; /* owned; or NULL */
} Report;

static void report_done(Report *report) {
        (void) table_free(report->master);
        (void) table_free(report->volumes);
}

static int print_json(Context *context, const Report *report, const char *volumes_name) {
        _cleanup_(json_freep) Json *json = json_new_object(),
                                   *rows = report->master ? table_to_json(report->master) : NULL;
        int r;

        r = json_add_string(json, "health", report->health);
        r = r < 0 ? r : json_add_string(json, "reason", report->reason);
        r = r < 0 ? r : json_add_string(json, "advice", report->advice);
        if (r >= 0 && report->troubles)
                r = json_add(json, "troubles", troubles_view_to_json(report->troubles));
        if (r >= 0 && report->master)
                r = json_add(json, "master", json_share(json_array_get(rows, 0)));
        if (r >= 0 && report->volumes)
                r = json_add(json, volumes_name, table_to_json(report->volumes));
        if (r < 0)
                return complain(r, "Failed to print: %m");

        return context_print_json(context, json);
}

static int print(Context *context, const Report *report) {
        int r = 0;

        TableLook look = context_look(context);
        context_page(context);
        health_line_print(stdout, &look, report->health, report->reason, report->advice);

        if (report->master) {
                (void) putchar('\n');
                r = context_print_list(context, report->master);
        }
        if (r >= 0 && report->volumes && table_rows(report->volumes) > 0) {
                printf("\n%s", report->volumes_title);
                r = context_print_table(context, report->volumes);
        }

        return r;
}

static int exit_status(const char *health) {
        if (strcmp(health, "ok") == 0)
                return 0;
        return strcmp(health, "degraded") == 0 ? EXIT_DEGRADED : EXIT_DOWN;
}

static int add_local_volumes(Context *context, Report *report) {
        StoreView *stores;
        size_t n;
        int r;

        if (!context->bus || stores_get(context->bus, &stores, &n) < 0)
                return 0; /* which has been said already */

        r = store_table_new(stores, n, &report->volumes);
        stores_free(stores, n);
        return r;
}

/* The volumes that are on this bus may tell more than a master that is not. */
static int report_without_master(Context *context, int error, const sd_bus_error *bus_error) {
        _cleanup_(explanation_done) Explanation explanation = {};
        _cleanup_(report_done) Report report = { .health = "down",
                                                 .volumes_title = "Volumes on this machine:\n" };
        int r;

        r = explanation_init(&explanation, context, error, bus_error);
        if (r >= 0)
                r = add_local_volumes(context, &report);
        if (r < 0)
                return complain(r, "Failed to print: %m");

        report.reason = explanation.reason;
        report.advice = explanation.advice;
        r = context->json != JSON_OFF ? print_json(context, &report, "local_volumes")
                                      : print(context, &report);
        return r < 0 ? r : EXIT_DOWN;
}

int verb_status(int argc, char *argv[], void *userdata) {
        Context *context = userdata;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(report_done) Report report = { .volumes_title = "" };
        _cleanup_(view_freep) View *view = NULL;
        int r;

        r = context_open_bus(context);
        if (r >= 0)
                r = view_get(context->bus, &error, &view);
        if (r < 0)
                return report_without_master(context, r, &error);

        r = master_table_new(view, &report.master);
        if (r >= 0)
                r = volume_table_new(view, &report.volumes);
        if (r < 0)
                return complain(r, "Failed to print: %m");

        report.health = view->health;
        report.reason = view->health_reason;
        report.advice = view->health_advice;
        report.troubles = &view->troubles;
        r = context->json != JSON_OFF ? print_json(context, &report, "volumes")
                                      : print(context, &report);
        return r < 0 ? r : exit_status(view->health);
}
