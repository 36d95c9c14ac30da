/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The verbs of jobs. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "adm/context/bus-names.h"
#include "adm/context/context.h"
#include "adm/verb/arguments.h"
#include "adm/verb/job.h"
#include "adm/view/job-limits.h"
#include "adm/view/job-table.h"
#include "adm/view/job-watch.h"

int verb_job_list(int argc, char *argv[], void *userdata) {
        Context *context = userdata;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(jobs_view_done) JobsView jobs = {};
        _cleanup_(table_freep) Table *table = NULL;
        int r;

        r = context_connect(context);
        if (r < 0)
                return r;
        r = jobs_view_get(context->connection.bus, &error, &jobs);
        if (r < 0)
                return context_complain(context, r, &error, "Failed to query the master");
        if (jobs.n == 0 && context->output.json == JSON_OFF) {
                output_say(&context->output, "No jobs yet.");
                return 0;
        }

        r = job_table_new(&jobs, &table);
        if (r < 0)
                return complain(r, "Failed to list the jobs: %m");
        return output_print_table(&context->output, table);
}

/* Says why a call to a job failed. */
static int complain_job(
                const Context *context,
                int error,
                const sd_bus_error *bus_error,
                const char *what,
                uint32_t id) {
        if (sd_bus_error_has_names(
                            bus_error, SD_BUS_ERROR_UNKNOWN_OBJECT, SD_BUS_ERROR_UNKNOWN_INTERFACE))
                return job_complain_unknown(id);

        return context_complain(context, error, bus_error, "Failed to %s job %" PRIu32, what, id);
}

/* Reads the job that the argument names. Returns 0, EXIT_USAGE or a negative errno, having said
 * what is wrong. */
static int get_job(Context *context, const char *argument, JobView *ret) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        uint32_t id = 0;
        int r;

        r = parse_job(argument, &id);
        if (r != 0)
                return r;
        r = context_connect(context);
        if (r < 0)
                return r;

        r = job_view_get(context->connection.bus, id, &error, ret);
        return r < 0 ? complain_job(context, r, &error, "show", id) : 0;
}

static int print_lost_keys(Context *context, const JobView *job) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        char path[JOB_PATH_SIZE];
        const char *key;
        uint64_t n = 0;
        int r;

        r = sd_bus_call_method(
                        context->connection.bus, MASTER_NAME, job_path_format(path, job->id),
                        MASTER_JOB_INTERFACE, "GetLostKeys", &error, &reply, "");
        if (r < 0)
                return complain_job(context, r, &error, "show the lost keys of", job->id);
        r = sd_bus_message_enter_container(reply, 'a', "s");
        if (r < 0)
                return complain(r, "Failed to show the lost keys: %m");

        (void) fputs("\nKeys that have no other readable copy:\n", stdout);
        for (; (r = sd_bus_message_read(reply, "s", &key)) > 0; n++)
                (void) printf("  %s\n", key);
        if (n < job->lost_keys)
                (void) printf("  and %" PRIu64 " more\n", job->lost_keys - n);
        return r < 0 ? complain(r, "Failed to show the lost keys: %m") : 0;
}

int verb_job_show(int argc, char *argv[], void *userdata) {
        Context *context = userdata;
        _cleanup_(job_view_done) JobView job = {};
        _cleanup_(table_freep) Table *table = NULL;
        int r;

        r = get_job(context, argv[0], &job);
        if (r != 0)
                return r;
        r = job_table_new_detailed(&job, &table);
        if (r < 0)
                return complain(r, "Failed to show the job: %m");

        r = output_print_list(&context->output, table);
        if (r < 0 || job.lost_keys == 0 || context->output.json != JSON_OFF)
                return r;
        return print_lost_keys(context, &job);
}

int verb_job_watch(int argc, char *argv[], void *userdata) {
        Context *context = userdata;
        uint32_t id = 0;
        int r;

        r = parse_job(argv[0], &id);
        if (r != 0)
                return r;
        r = context_connect(context);
        if (r < 0)
                return r;

        return job_watch(context, id);
}

/* Calls METHOD, which has no arguments. */
static int change(Context *context, const char *argument, const char *method, const char *what) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        char path[JOB_PATH_SIZE];
        uint32_t id = 0;
        int r;

        r = parse_job(argument, &id);
        if (r != 0)
                return r;
        r = context_connect(context);
        if (r < 0)
                return r;

        r = sd_bus_call_method(
                        context->connection.bus, MASTER_NAME, job_path_format(path, id),
                        MASTER_JOB_INTERFACE, method, &error, NULL, "");
        return r < 0 ? complain_job(context, r, &error, what, id) : 0;
}

int verb_job_pause(int argc, char *argv[], void *userdata) {
        Context *context = userdata;
        int r = change(context, argv[0], "Pause", "pause");

        if (r == 0)
                output_say(&context->output, "Job %s is paused. To resume it: dkvadm job resume %s",
                           argv[0], argv[0]);
        return r;
}

int verb_job_resume(int argc, char *argv[], void *userdata) {
        Context *context = userdata;
        int r = change(context, argv[0], "Resume", "resume");

        if (r == 0)
                output_say(&context->output, "Job %s is resumed.", argv[0]);
        return r;
}

int verb_job_cancel(int argc, char *argv[], void *userdata) {
        Context *context = userdata;
        int r = change(context, argv[0], "Cancel", "cancel");

        if (r == 0)
                output_say(&context->output, "Job %s is cancelled.", argv[0]);
        return r;
}

static int
call_set(Context *context, uint32_t id, const JobLimits *limits, sd_bus_error *reterr_error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        char path[JOB_PATH_SIZE];
        int r;

        r = sd_bus_message_new_method_call(
                        context->connection.bus, &call, MASTER_NAME, job_path_format(path, id),
                        MASTER_JOB_INTERFACE, "Set");
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0)
                r = job_limits_append(limits, call);
        if (r >= 0)
                r = sd_bus_message_close_container(call);
        if (r < 0)
                return r;

        return sd_bus_call(context->connection.bus, call, 0, reterr_error, NULL);
}

int verb_job_set(int argc, char *argv[], void *userdata) {
        Context *context = userdata;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        JobLimits limits;
        uint32_t id = 0;
        int r;

        r = parse_job(argv[0], &id);
        if (r != 0)
                return r;
        r = job_limits_parse(context->options.rate, context->options.parallel, &limits);
        if (r != 0)
                return r;
        if (!limits.has_rate && limits.parallel == 0)
                return complain_usage("Nothing to set: give --rate or --parallel.");
        r = context_connect(context);
        if (r < 0)
                return r;

        r = call_set(context, id, &limits, &error);
        if (r < 0)
                return complain_job(context, r, &error, "change", id);

        output_say(&context->output, "Limits of job %" PRIu32 " changed.", id);
        return 0;
}
