/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Verbs that move values: first the plan, then a question, then the job. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "adm/context/bus-names.h"
#include "adm/context/context.h"
#include "adm/verb/arguments.h"
#include "adm/verb/change.h"
#include "adm/view/job-limits.h"
#include "adm/view/job-view.h"
#include "adm/view/job-watch.h"
#include "adm/view/plan-view.h"
#include "base/clock.h"
#include "base/file.h"
#include "core/placement/cluster.h"

/* The master knows a new volume only after its first report. */
#define REPORT_WAIT_USEC  (10 * USEC_PER_SEC)
#define REPORT_RETRY_USEC (200 * USEC_PER_MSEC)

/* A plan takes a pass over the index. */
#define PLAN_USEC (30 * USEC_PER_MIN)

typedef enum ChangeType {
        CHANGE_ADD,
        CHANGE_DELETE,
        CHANGE_REBALANCE,
        CHANGE_COPIES,
} ChangeType;

typedef struct Change {
        Context *context;
        ChangeType type;
        uint32_t *numbers; /* owned; of the volumes */
        size_t n;
        uint32_t copies;
        bool rebalance; /* the volumes that were added get their share of the values at once */
        JobLimits limits;
        uint64_t epoch; /* 0 for any */
} Change;

/* clang-format off */
static const struct {
        const char *plan, *method, *failure;
} types[] = {
        [CHANGE_ADD]       = { "add",       "AddVolumes",    "Failed to add the volumes"    },
        [CHANGE_DELETE]    = { "delete",    "DeleteVolumes", "Failed to delete the volumes" },
        [CHANGE_REBALANCE] = { "rebalance", "Rebalance",     "Failed to rebalance"          },
        [CHANGE_COPIES]    = { "copies",    "SetCopies",     "Failed to set the copies"     },
};
/* clang-format on */

static void change_done(Change *change) {
        free(change->numbers);
}

static bool has_numbers(const Change *change) {
        return change->type == CHANGE_ADD || change->type == CHANGE_DELETE;
}

static int new_call(const Change *change, const char *method, sd_bus_message **ret) {
        return sd_bus_message_new_method_call(
                        change->context->connection.bus, ret, MASTER_NAME, MASTER_PATH,
                        MASTER_INTERFACE, method);
}

static int append_numbers(const Change *change, sd_bus_message *call) {
        return sd_bus_message_append_array(
                        call, 'u', change->numbers, change->n * sizeof(*change->numbers));
}

static int append_options(const Change *change, sd_bus_message *call) {
        int r;

        r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0 && change->epoch > 0)
                r = sd_bus_message_append(call, "{sv}", "epoch", "t", change->epoch);
        if (r >= 0 && change->type == CHANGE_ADD)
                r = sd_bus_message_append(call, "{sv}", "rebalance", "b", change->rebalance);
        if (r >= 0 && change->type == CHANGE_DELETE && change->context->options.accept_loss)
                r = sd_bus_message_append(call, "{sv}", "accept-loss", "b", true);
        if (r >= 0)
                r = job_limits_append(&change->limits, call);
        return r < 0 ? r : sd_bus_message_close_container(call);
}

static int new_plan_call(const Change *change, sd_bus_message **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        int r;

        r = new_call(change, "Plan", &call);
        if (r < 0)
                return r;
        r = sd_bus_message_append(call, "s", types[change->type].plan);
        r = r < 0 ? r : append_numbers(change, call);
        if (r >= 0)
                r = change->type == CHANGE_COPIES ? sd_bus_message_append(
                                                                    call, "a{sv}", 1, "copies", "u",
                                                                    change->copies)
                                                  : sd_bus_message_append(call, "a{sv}", 0);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(call);
        return 0;
}

static int new_start_call(const Change *change, sd_bus_message **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        int r;

        r = new_call(change, types[change->type].method, &call);
        if (r >= 0 && has_numbers(change))
                r = append_numbers(change, call);
        if (r >= 0 && change->type == CHANGE_COPIES)
                r = sd_bus_message_append(call, "u", change->copies);
        if (r >= 0)
                r = append_options(change, call);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(call);
        return 0;
}

static bool may_come_yet(const Change *change, const sd_bus_error *error) {
        return change->type == CHANGE_ADD &&
               sd_bus_error_has_names(error, "org.dkv.Error.NotFound", "org.dkv.Error.Unavailable");
}

static void complain_about(const Change *change, int error, const sd_bus_error *bus_error) {
        (void) context_complain(
                        change->context, error, bus_error, "%s", types[change->type].failure);
        if (may_come_yet(change, bus_error))
                advise("To list the volumes that the master knows: dkvadm volume list. To start one: %s",
                       change->context->connection.sandbox
                                       ? "dkv-sandbox restart DIR N"
                                       : "systemctl start dkv-volume@N; to create one: dkvadm volume create N");
}

/* Makes the call that NEW_ONE builds, and waits for volumes that are just starting. Returns 0 or a
 * negative errno, having said what is wrong. */
static int call_patiently(
                const Change *change,
                int (*new_one)(const Change *change, sd_bus_message **ret),
                sd_bus_message **ret_reply) {
        uint64_t deadline = clock_monotonic() + REPORT_WAIT_USEC;
        bool told = change->context->output.quiet;

        for (;;) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
                const struct timespec pause = { .tv_nsec = REPORT_RETRY_USEC * 1000 };
                int r;

                r = new_one(change, &call);
                if (r >= 0)
                        r = sd_bus_call(change->context->connection.bus, call, PLAN_USEC, &error,
                                        ret_reply);
                if (r >= 0)
                        return 0;
                if (!may_come_yet(change, &error) || clock_monotonic() >= deadline) {
                        complain_about(change, r, &error);
                        return r;
                }

                if (!told)
                        advise("%s Waiting for it...", error.message ?: "It has not reported yet.");
                told = true;
                (void) nanosleep(&pause, NULL);
        }
}

static int get_plan(const Change *change, PlanView *ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = call_patiently(change, new_plan_call, &reply);
        if (r < 0)
                return r;
        r = plan_view_read(reply, ret);
        return r < 0 ? complain(r, "Failed to read the plan: %m") : 0;
}

/* Returns the job's id, 0 if there is none. */
static int start(const Change *change, uint32_t *ret_id) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *path;
        int r;

        r = call_patiently(change, new_start_call, &reply);
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "o", &path); /* an epoch follows */
        if (r < 0)
                return complain(r, "Failed to read the master's reply: %m");

        *ret_id = 0;
        if (strcmp(path, "/") == 0)
                return 0;
        r = job_path_parse(path, ret_id);
        return r < 0 ? complain(r, "The master's reply is not the path of a job: '%s'.", path) : 0;
}

static int print_plan(const Change *change, const PlanView *plan) {
        Context *context = change->context;
        _cleanup_free_ char *text = NULL;
        TableLook look = output_look(&context->output);

        if (context->output.json != JSON_OFF) {
                _cleanup_(json_freep) Json *json = plan_view_to_json(plan, change->limits.rate);

                return output_print_json(&context->output, json);
        }

        text = plan_view_format(plan, change->limits.rate, &look);
        if (!text)
                return complain(-ENOMEM, "Failed to print: %m");
        (void) fputs(text, stdout); /* main() checks stdout */
        return 0;
}

/* Returns 0 to proceed, or else the exit status. */
static int ask(const Change *change, const PlanView *plan) {
        _cleanup_free_ char *line = NULL;
        size_t size = 0;
        int r;

        if (change->context->output.json != JSON_OFF || isatty(STDIN_FILENO) != 1 ||
            isatty(STDOUT_FILENO) != 1)
                return complain_usage(
                                "Cannot ask for confirmation without a terminal: --yes proceeds, --dry-run shows what would be moved.");

        r = print_plan(change, plan);
        if (r < 0)
                return r;
        (void) fputs("Proceed? [y/N] ", stdout);
        (void) fflush(stdout);
        if (getline(&line, &size, stdin) > 0 && (*line == 'y' || *line == 'Y'))
                return 0;

        advise("Nothing was changed.");
        return EXIT_FAILURE;
}

/* Gets a plan only to show it; then the change is bound to the epoch of that plan. */
static int plan_and_ask(Change *change, bool *ret_go_on) {
        const Context *context = change->context;
        _cleanup_(plan_view_done) PlanView plan = {};
        int r;

        *ret_go_on = true;
        if (!context->options.dry_run && (context->options.yes || !change->rebalance))
                return 0;

        r = get_plan(change, &plan);
        if (r < 0)
                return r;
        if (context->options.dry_run) {
                *ret_go_on = false;
                return print_plan(change, &plan);
        }

        if (change->epoch == 0)
                change->epoch = plan.epoch;
        return plan.keys > 0 || change->type == CHANGE_DELETE ? ask(change, &plan) : 0;
}

static int print_id(Context *context, uint32_t id) {
        _cleanup_(json_freep) Json *json = NULL;

        if (context->output.json == JSON_OFF) {
                (void) printf("%" PRIu32 "\n", id);
                return 0;
        }

        json = json_new_object();
        json_add_uint(json, "job", id);
        return output_print_json(&context->output, json);
}

static void say_volumes(const Change *change, const char *what) {
        for (size_t i = 0; i < change->n && change->context->output.json == JSON_OFF; i++)
                output_say(&change->context->output, "Volume %" PRIu32 " %s.", change->numbers[i],
                           what);
}

static int run(Change *change) {
        Context *context = change->context;
        bool go_on;
        uint32_t id;
        int r;

        r = job_limits_parse(context->options.rate, context->options.parallel, &change->limits);
        if (r != 0)
                return r;
        change->epoch = context->options.epoch;
        r = context_connect(context);
        if (r < 0)
                return r;
        r = plan_and_ask(change, &go_on);
        if (r != 0 || !go_on)
                return r;
        r = start(change, &id);
        if (r < 0)
                return r;

        if (change->type == CHANGE_ADD && !context->options.no_block)
                say_volumes(change, "is active");
        if (id == 0)
                return 0;
        if (context->options.no_block)
                return print_id(context, id);

        r = job_watch(context, id);
        if (r == 0 && change->type == CHANGE_DELETE)
                say_volumes(change, "was removed");
        return r;
}

static int parse_volumes(int argc, char *argv[], Change *change) {
        int r;

        change->numbers = calloc((size_t) argc, sizeof(*change->numbers));
        if (!change->numbers)
                return complain(-ENOMEM, "%s: %m", types[change->type].failure);

        for (int i = 0; i < argc; i++) {
                r = parse_volume(argv[i], change->numbers + i);
                if (r != 0)
                        return r;
        }
        change->n = (size_t) argc;
        return 0;
}

int master_add_volumes(Context *context, const uint32_t numbers[], size_t n) {
        const Change change = {
                .context = context,
                .type = CHANGE_ADD,
                .numbers = (uint32_t *) numbers,
                .n = n,
        };
        uint32_t id;
        int r;

        r = context_connect(context);
        return r < 0 ? r : start(&change, &id);
}

int verb_volume_add(int argc, char *argv[], void *userdata) {
        Context *context = userdata;
        _cleanup_(change_done) Change change = {
                .context = context,
                .type = CHANGE_ADD,
                .rebalance = !context->options.no_rebalance,
        };
        int r;

        if (context->options.no_rebalance && context->options.dry_run)
                return complain_usage("--no-rebalance moves nothing that --dry-run could show.");
        r = parse_volumes(argc, argv, &change);
        return r != 0 ? r : run(&change);
}

int verb_volume_delete(int argc, char *argv[], void *userdata) {
        _cleanup_(change_done) Change change = {
                .context = userdata,
                .type = CHANGE_DELETE,
                .rebalance = true,
        };
        int r;

        r = parse_volumes(argc, argv, &change);
        return r != 0 ? r : run(&change);
}

int verb_rebalance(int argc, char *argv[], void *userdata) {
        Change change = { .context = userdata, .type = CHANGE_REBALANCE, .rebalance = true };

        return run(&change);
}

int verb_set(int argc, char *argv[], void *userdata) {
        Change change = { .context = userdata, .type = CHANGE_COPIES, .rebalance = true };
        const char *name = "copies=";
        uint64_t copies;

        if (strncmp(argv[0], name, strlen(name)) != 0)
                return complain_usage("'%s' cannot be set; copies=N can.", argv[0]);
        if (parse_u64(argv[0] + strlen(name), COPIES_MAX, &copies) < 0 || copies == 0)
                return complain_usage("A value can have from 1 to %d copies.", COPIES_MAX);

        change.copies = (uint32_t) copies;
        return run(&change);
}
