/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The first command that anybody types at three in the morning: one line says how the cluster is
 * and why, one says what to do, and the details follow. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "adm/context/bus-names.h"
#include "adm/context/context.h"
#include "adm/context/explanation.h"
#include "adm/machine/units.h"
#include "adm/verb/status.h"
#include "adm/view/health-line.h"
#include "adm/view/view.h"
#include "adm/view/volume-table.h"
#include "base/clock.h"
#include "core/url.h"
#include "frame/format.h"
#include "rpc/own-address.h"

#define EXIT_DEGRADED 3
#define EXIT_DOWN     4

#define PATIENCE_USEC (10 * USEC_PER_SEC)
#define RETRY_USEC    (200 * USEC_PER_MSEC)

#define METRIC_COLUMN(field, ...) { NULL, #field },
#define ADD_METRIC(field, ...)    table_add_uint(table, view->field);

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
        MASTER_METRICS(METRIC_COLUMN)
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
                  "dkv %s at %s, up for %s, map epoch %" PRIu64 ", %" PRIu32 " %s", view->version,
                  view->listen, format_span(span, now - MIN(now, view->started_at)), view->epoch,
                  view->copies, plural(view->copies, "copy", "copies"));
        table_add(table, COLOUR_NONE, NULL, "%s, free: %s", view->directory,
                  format_share(share, view->disk_free, view->disk_size));
        table_add(table, COLOUR_NONE, NULL, "%" PRIu64 " with %s; %" PRIu64 " old %s to delete",
                  view->keys, format_bytes(span, view->bytes), view->garbage,
                  plural(view->garbage, "copy", "copies"));
        table_add(table, COLOUR_NONE, NULL,
                  "%" PRIu64 " in progress on %" PRIu64 " %s; %" PRIu64 " so far, %" PRIu64
                  " of them failed here",
                  view->traffic.active_requests, view->traffic.connections,
                  plural(view->traffic.connections, "connection", "connections"),
                  view->traffic.requests, view->traffic.errors);
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
        MASTER_METRICS(ADD_METRIC)
        table_add_uint(table, view->traffic.requests);
        table_add_uint(table, view->traffic.errors);
        table_add_uint(table, view->traffic.active_requests);
        table_add_uint(table, view->traffic.connections);

        *ret = table;
        return 0;
}

/* The bus knows no such name. */
static bool is_absent(const sd_bus_error *error) {
        return sd_bus_error_has_names(
                        error, SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_NAME_HAS_NO_OWNER);
}

/* The parts of the report; any of them may be missing. */
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

        json_add_string(json, "health", report->health);
        json_add_string(json, "reason", report->reason);
        json_add_string(json, "advice", report->advice);
        if (report->troubles)
                json_add(json, "troubles", troubles_view_to_json(report->troubles));
        if (report->master)
                json_add(json, "master", json_share(json_array_get(rows, 0)));
        if (report->volumes)
                json_add(json, volumes_name, table_to_json(report->volumes));
        return output_print_json(&context->output, json);
}

static int print(Context *context, const Report *report) {
        int r = 0;

        TableLook look = output_look(&context->output);
        output_page(&context->output);
        health_line_print(stdout, &look, report->health, report->reason, report->advice);

        if (report->master) {
                (void) putchar('\n');
                r = output_print_list(&context->output, report->master);
        }
        if (r >= 0 && report->volumes && table_rows(report->volumes) > 0) {
                printf("\n%s", report->volumes_title);
                r = output_print_table(&context->output, report->volumes);
        }

        return r;
}

static int exit_status(const char *health) {
        if (strcmp(health, "ok") == 0)
                return 0;
        return strcmp(health, "degraded") == 0 ? EXIT_DEGRADED : EXIT_DOWN;
}

/* The volumes on this bus, which may know more about a master that is not on it. */
typedef struct Stores {
        StoreView *stores; /* owned */
        size_t n;
} Stores;

static void stores_done(Stores *stores) {
        stores_free(stores->stores, stores->n);
}

/* Whether the master of STORE should be on this machine. */
static bool is_local(const StoreView *store) {
        Address master, own;

        if (url_host(store->master, &master) < 0)
                return true;
        if (address_is_loopback(&master))
                return true;
        return own_address_find(master.host, 0, &own) >= 0 && strcmp(own.host, master.host) == 0;
}

/* The volume to quote: the first that its master does not accept, else the first one. NULL if none
 * has its master on another machine. */
static const StoreView *find_witness(const Stores *stores) {
        const StoreView *witness = NULL;

        for (size_t i = 0; i < stores->n; i++)
                if (!is_local(stores->stores + i) && (!witness || witness->master_accepts))
                        witness = stores->stores + i;
        return witness;
}

/* A machine with volumes only is fine if they are in their cluster; the health of that cluster is
 * known on its master's machine. Returns 0 or -ENOMEM. */
static int explain_elsewhere(
                const Context *context,
                const StoreView *witness,
                Explanation *explanation,
                const char **ret_health) {
        const char *user = context->connection.host && strchr(context->connection.host, '@')
                                           ? context->connection.host
                                           : "";
        char *reason, *advice;
        Address master;
        int n;

        if (witness->master_accepts)
                n = asprintf(&reason, "The volumes of this machine report to the master at %s.",
                             witness->master);
        else
                n = asprintf(&reason, "Volume %" PRIu32 " is not in its cluster: %s",
                             witness->number,
                             *witness->master_error ? witness->master_error
                                                    : "Its master has not answered yet.");
        if (n < 0)
                return -ENOMEM;
        free(explanation->reason);
        explanation->reason = reason;

        if (url_host(witness->master, &master) < 0)
                *master.host = '\0';
        if (asprintf(&advice, "For the whole cluster: dkvadm -H %.*s%s status",
                     (int) (strcspn(user, "@") + (*user != '\0')), user, master.host) < 0)
                return -ENOMEM;
        free(explanation->advice);
        explanation->advice = advice;
        *ret_health = witness->master_accepts ? "ok" : "degraded";
        return 0;
}

/* Volumes on this bus may know more than a master that does not answer. */
static int report_without_master(Context *context, int error, const sd_bus_error *bus_error) {
        _cleanup_(explanation_done) Explanation explanation = {};
        _cleanup_(report_done) Report report = { .health = "down",
                                                 .volumes_title = "Volumes on this machine:\n" };
        _cleanup_(stores_done) Stores stores = {};
        const StoreView *witness = NULL;
        int r;

        r = explanation_init(&explanation, &context->connection, error, bus_error);
        if (r >= 0 && context->connection.bus &&
            stores_get(context->connection.bus, &stores.stores, &stores.n) >= 0) {
                r = store_table_new(stores.stores, stores.n, &report.volumes);
                witness = find_witness(&stores);
        }
        if (r >= 0 && witness && is_absent(bus_error))
                r = explain_elsewhere(context, witness, &explanation, &report.health);
        if (r < 0)
                return complain(r, "Failed to print: %m");

        report.reason = explanation.reason;
        report.advice = explanation.advice;
        r = context->output.json != JSON_OFF ? print_json(context, &report, "local_volumes")
                                             : print(context, &report);
        return r < 0 ? r : exit_status(report.health);
}

/* A master that is just starting, or has lost the bus, is back within seconds. */
static int get_view(Context *context, sd_bus_error *reterr_error, View **ret) {
        uint64_t deadline = clock_monotonic() + PATIENCE_USEC;

        for (;;) {
                const struct timespec pause = { .tv_nsec = RETRY_USEC * 1000 };
                int r;

                r = view_get(context->connection.bus, reterr_error, ret);
                if (r >= 0 || !is_absent(reterr_error) || context->connection.sandbox ||
                    context->connection.bus_address || clock_monotonic() >= deadline ||
                    !unit_is_coming(context->connection.bus, "dkv-master.service"))
                        return r;

                sd_bus_error_free(reterr_error);
                (void) nanosleep(&pause, NULL);
        }
}

int verb_status(int argc, char *argv[], void *userdata) {
        Context *context = userdata;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(report_done) Report report = { .volumes_title = "" };
        _cleanup_(view_freep) View *view = NULL;
        int r;

        r = connection_open(&context->connection);
        if (r >= 0)
                r = get_view(context, &error, &view);
        if (r < 0)
                return report_without_master(context, r, &error);

        r = master_table_new(view, &report.master);
        if (r >= 0)
                r = volume_table_new(view, volume_table_rows(context), &report.volumes);
        if (r < 0)
                return complain(r, "Failed to print: %m");

        report.health = view->health;
        report.reason = view->health_reason;
        report.advice = view->health_advice;
        report.troubles = &view->troubles;
        r = context->output.json != JSON_OFF ? print_json(context, &report, "volumes")
                                             : print(context, &report);
        return r < 0 ? r : exit_status(view->health);
}
