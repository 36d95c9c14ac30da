/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "adm/view/job-table.h"
#include "adm/view/job-watch.h"
#include "adm/view/progress.h"
#include "base/clock.h"
#include "frame/format.h"
#include "frame/terminal.h"

#define LOOK_NSEC     500000000
#define PATIENCE      (5 * USEC_PER_MIN) /* with a master that does not answer */
#define COLUMNS_LEAST 20

typedef struct Watch {
        Context *context;
        uint32_t id;
        bool bar;
        Progress progress;
        JobView job;            /* owned; as it was last seen */
        uint64_t answered_usec; /* monotonic */
} Watch;

static void watch_done(Watch *watch) {
        job_view_done(&watch->job);
}

static void clear_line(const Watch *watch) {
        if (watch->bar)
                (void) fputs("\r\033[K", stdout);
        (void) fflush(stdout);
}

static void draw(const Watch *watch, const char *instead) {
        _cleanup_free_ char *line = NULL;
        unsigned columns, lines;

        if (!watch->bar)
                return;

        (void) terminal_size(&columns, &lines);
        columns = MAX(columns, (unsigned) COLUMNS_LEAST) - 1; /* the cursor needs one, too */
        line = instead ? strdup(instead) : progress_format(&watch->progress, &watch->job, columns);
        if (!line)
                return; /* the next time, perhaps */

        for (char *p = line; *p; p++)
                if ((unsigned char) *p < ' ' || *p == 0x7f)
                        *p = '?';
        (void) printf("\r\033[K%.*s", (int) columns, line);
        (void) fflush(stdout);
}

/* Returns 0, or what the bus says. */
static int look(Watch *watch, sd_bus_error *reterr_error) {
        Context *context = watch->context;
        JobView job = {};
        int r;

        connection_drop_if_lost(&context->connection);
        if (!context->connection.bus) {
                r = connection_open(&context->connection);
                if (r < 0)
                        return r;
        }
        r = job_view_get(context->connection.bus, watch->id, reterr_error, &job);
        if (r < 0)
                return r;

        job_view_done(&watch->job);
        watch->job = job;
        watch->answered_usec = clock_monotonic();
        progress_take(&watch->progress, &watch->job, watch->answered_usec);
        return 0;
}

static bool is_gone(const sd_bus_error *error) {
        return sd_bus_error_has_names(
                        error, SD_BUS_ERROR_UNKNOWN_OBJECT, SD_BUS_ERROR_UNKNOWN_INTERFACE,
                        SD_BUS_ERROR_UNKNOWN_METHOD);
}

/* Returns whether the job has ended, or a negative errno, having said what is wrong. */
static int look_and_draw(Watch *watch) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = look(watch, &error);
        if (r >= 0) {
                if (job_view_has_ended(&watch->job))
                        return 1;
                draw(watch, NULL);
                return 0;
        }

        if (is_gone(&error)) {
                clear_line(watch);
                return job_complain_unknown(watch->id);
        }
        if (clock_monotonic() - watch->answered_usec < PATIENCE) {
                draw(watch, "The master does not respond. Waiting for it...");
                return 0;
        }
        clear_line(watch);
        return context_complain(
                        watch->context, r, &error, "Failed to watch job %" PRIu32, watch->id);
}

static void advise_about_loss(const JobView *job) {
        _cleanup_free_ char *numbers = NULL;
        size_t size;
        FILE *file = open_memstream(&numbers, &size);

        for (size_t i = 0; file && i < job->volumes.n; i++)
                (void) fprintf(file, " %" PRIu32, job->volumes.items[i]);
        if (!file || fclose(file) != 0)
                return;

        advise("See which keys: dkvadm job show %" PRIu32
               ". To give them up: dkvadm volume delete%s --accept-loss; "
               "to keep the volumes: dkvadm job cancel %" PRIu32,
               job->id, numbers, job->id);
}

static int report_failure(const Watch *watch) {
        const JobView *job = &watch->job;
        bool cancelled = strcmp(job->state, "cancelled") == 0;

        if (cancelled)
                return complain(-ECANCELED, "Job %" PRIu32 " was cancelled.", job->id);

        (void) complain(-EIO, "Job %" PRIu32 " failed: %s", job->id,
                        *job->error ? job->error : "for an unknown reason.");
        if (job->lost_keys > 0)
                advise_about_loss(job);
        else
                advise("See dkvadm job show %" PRIu32 ", dkvadm status and dkvadm events.",
                       job->id);
        return -EIO;
}

static int print_json(const Watch *watch) {
        _cleanup_(table_freep) Table *table = NULL;
        int r;

        r = job_table_new_detailed(&watch->job, &table);
        if (r < 0)
                return complain(r, "Failed to show the job: %m");
        return output_print_list(&watch->context->output, table);
}

static int report_end(const Watch *watch) {
        const JobView *job = &watch->job;
        char keys[FORMAT_SIZE], bytes[FORMAT_SIZE], span[FORMAT_SIZE];
        int r;

        clear_line(watch);
        if (watch->context->output.json != JSON_OFF) {
                r = print_json(watch);
                if (r < 0)
                        return r;
        }
        if (strcmp(job->state, "done") != 0)
                return report_failure(watch);

        if (watch->context->output.json == JSON_OFF)
                output_say(&watch->context->output,
                           "Job %" PRIu32 " (%s) is done: %s %s with %s in %s.", job->id, job->type,
                           format_count(keys, job->keys_done),
                           plural(job->keys_done, "key", "keys"),
                           format_bytes(bytes, job->bytes_done),
                           format_span(span, job->ended_at - MIN(job->ended_at, job->started_at)));
        return 0;
}

static int detach(const Watch *watch) {
        clear_line(watch);
        advise("Job %" PRIu32
               " goes on in the background. To watch it again: dkvadm job watch %" PRIu32
               "; to cancel it: dkvadm job cancel %" PRIu32,
               watch->id, watch->id, watch->id);
        return EXIT_DETACHED;
}

int job_watch(Context *context, uint32_t id) {
        _cleanup_(watch_done) Watch watch = {
                .context = context,
                .id = id,
                .bar = !context->output.quiet && context->output.json == JSON_OFF &&
                       isatty(STDOUT_FILENO) == 1,
                .answered_usec = clock_monotonic(),
        };
        const struct timespec pause = { .tv_nsec = LOOK_NSEC };
        sigset_t interrupts, before;
        int r;

        (void) sigemptyset(&interrupts);
        (void) sigaddset(&interrupts, SIGINT);
        (void) sigprocmask(SIG_BLOCK, &interrupts, &before);

        while ((r = look_and_draw(&watch)) == 0)
                if (sigtimedwait(&interrupts, NULL, &pause) == SIGINT) {
                        r = detach(&watch);
                        break;
                }

        (void) sigprocmask(SIG_SETMASK, &before, NULL);
        if (r != 1)
                return r;
        return report_end(&watch);
}
