/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "adm/view/job-table.h"
#include "base/clock.h"
#include "frame/complaint.h"
#include "frame/format.h"

/* clang-format off */
static const Column columns[] = {
        { "JOB",     "id",               .right = true   },
        { "TYPE",    "type"                              },
        { "VOLUMES", "volumes",          .shrinks = true },
        { "STATE",   "state"                             },
        { "DONE",    NULL,               .right = true   },
        { "KEYS",    "keys_done",        .right = true   },
        { NULL,      "keys_total"                        },
        { "BYTES",   "bytes_done",       .right = true   },
        { NULL,      "bytes_total"                       },
        { "RATE",    "bytes_per_second", .right = true   },
        { "STARTED", "started_at"                        },
        { NULL,      "ended_at"                          },
        { NULL,      "lost_keys"                         },
        { NULL,      "waits_until"                       },
        { "REASON",  "error",            .shrinks = true },
        {}
};

static const Column detailed_columns[] = {
        { "Job",         "id"               },
        { "Type",        "type"             },
        { "Volumes",     "volumes"          },
        { "State",       "state"            },
        { "Reason",      "error"            },
        { "Keys",        "keys_done"        },
        { NULL,          "keys_total"       },
        { "Bytes",       "bytes_done"       },
        { NULL,          "bytes_total"      },
        { "Rate",        "bytes_per_second" },
        { "Limit",       "rate"             },
        { "Parallel",    "parallel"         },
        { "Started",     "started_at"       },
        { "Ended",       "ended_at"         },
        { "Started by",  "started_by"       },
        { "Lost keys",   "lost_keys"        },
        { NULL,          "waits_until"      },
        {}
};
/* clang-format on */

static Colour colour_of(const JobView *job) {
        if (strcmp(job->state, "failed") == 0)
                return COLOUR_RED;
        if (strcmp(job->state, "running") == 0)
                return COLOUR_GREEN;
        return strcmp(job->state, "paused") == 0 ? COLOUR_YELLOW : COLOUR_NONE;
}

/* "2 5" */
static void add_volumes(Table *table, const Numbers *volumes) {
        _cleanup_free_ char *text = NULL;
        Json *array = json_new_array();
        size_t size;
        FILE *file = open_memstream(&text, &size);

        for (size_t i = 0; i < volumes->n; i++) {
                if (file)
                        (void) fprintf(file, "%s%" PRIu32, i > 0 ? " " : "", volumes->items[i]);
                json_append(array, json_new_uint(volumes->items[i]));
        }
        if (file && fclose(file) != 0)
                text = NULL;
        table_add(table, COLOUR_NONE, array, "%s", text && *text ? text : "-");
}

static void add_rate(Table *table, uint64_t rate, const char *none) {
        char text[FORMAT_SIZE];

        if (rate == 0)
                table_add(table, COLOUR_NONE, json_new_uint(0), "%s", none);
        else
                table_add(table, COLOUR_NONE, json_new_uint(rate), "%s/s",
                          format_bytes(text, rate));
}

static void add_percent(Table *table, const JobView *job) {
        double done = (double) job->keys_done, total = (double) job->keys_total;

        if (job->keys_total == 0)
                table_add(table, COLOUR_NONE, NULL, "-");
        else
                table_add(table, COLOUR_NONE, NULL, "%d%%", (int) (100 * MIN(done / total, 1)));
}

int job_table_new(const JobsView *jobs, Table **ret) {
        uint64_t now = clock_realtime();
        Table *table;
        int r;

        r = table_new(columns, &table);
        if (r < 0)
                return r;

        for (size_t i = 0; i < jobs->n; i++) {
                const JobView *job = jobs->jobs + i;

                table_add_uint(table, job->id);
                table_add_string(table, job->type);
                add_volumes(table, &job->volumes);
                table_add_coloured(table, colour_of(job), job->state);
                add_percent(table, job);
                table_add_uint(table, job->keys_done);
                table_add_uint(table, job->keys_total);
                table_add_bytes(table, job->bytes_done);
                table_add_uint(table, job->bytes_total);
                add_rate(table, job->bytes_per_second, "-");
                table_add_ago(table, job->started_at, now);
                table_add_uint(table, job->ended_at);
                table_add_uint(table, job->lost_keys);
                table_add_uint(table, job->waits_until);
                table_add_string(table, job->error);
        }

        *ret = table;
        return 0;
}

static void add_done(Table *table, uint64_t value, const char *done, const char *total) {
        table_add(table, COLOUR_NONE, json_new_uint(value), "%s of %s", done, total);
}

static void add_time(Table *table, uint64_t usec, uint64_t now) {
        char time[FORMAT_SIZE], ago[FORMAT_SIZE];

        if (usec == 0)
                table_add(table, COLOUR_NONE, json_new_uint(0), "not yet");
        else
                table_add(table, COLOUR_NONE, json_new_uint(usec), "%s (%s)",
                          format_time(time, usec, now), format_ago(ago, usec, now));
}

static void add_user(Table *table, uint32_t uid) {
        const struct passwd *user = getpwuid(uid);

        table_add(table, COLOUR_NONE, json_new_uint(uid), "%s (%" PRIu32 ")",
                  user ? user->pw_name : "uid", uid);
}

int job_table_new_detailed(const JobView *job, Table **ret) {
        uint64_t now = clock_realtime();
        char done[FORMAT_SIZE], total[FORMAT_SIZE];
        Table *table;
        int r;

        r = table_new(detailed_columns, &table);
        if (r < 0)
                return r;

        table_add_uint(table, job->id);
        table_add_string(table, job->type);
        add_volumes(table, &job->volumes);
        table_add_coloured(table, colour_of(job), job->state);
        table_add_string(table, job->error);
        add_done(table, job->keys_done, format_count(done, job->keys_done),
                 format_count(total, job->keys_total));
        table_add_uint(table, job->keys_total);
        add_done(table, job->bytes_done, format_bytes(done, job->bytes_done),
                 format_bytes(total, job->bytes_total));
        table_add_uint(table, job->bytes_total);
        add_rate(table, job->bytes_per_second, "-");
        add_rate(table, job->rate, "none");
        table_add_uint(table, job->parallel);
        add_time(table, job->started_at, now);
        add_time(table, job->ended_at, now);
        add_user(table, job->started_by);
        table_add_uint(table, job->lost_keys);
        table_add_uint(table, job->waits_until);

        *ret = table;
        return 0;
}

int job_complain_unknown(uint32_t id) {
        (void) complain(-ENOENT, "The master knows no job %" PRIu32 ".", id);
        advise("To list the jobs: dkvadm job list");
        return -ENOENT;
}
