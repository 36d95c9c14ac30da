/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "adm/context/bus-names.h"
#include "adm/view/job-view.h"
#include "base/file.h"

/* A master that does not answer for this long hangs. */
#define TIMEOUT_USEC (5 * USEC_PER_SEC)

#define AT(field) offsetof(JobView, field)

/* clang-format off */
static const Property properties[] = {
        { "Id",             'u',              AT(id)               },
        { "Type",           's',              AT(type)             },
        { "State",          's',              AT(state)            },
        { "Volumes",        PROPERTY_COMPLEX, AT(volumes), &property_numbers },
        { "KeysDone",       't',              AT(keys_done)        },
        { "KeysTotal",      't',              AT(keys_total)       },
        { "BytesDone",      't',              AT(bytes_done)       },
        { "BytesTotal",     't',              AT(bytes_total)      },
        { "BytesPerSecond", 't',              AT(bytes_per_second) },
        { "StartedAt",      't',              AT(started_at)       },
        { "EndedAt",        't',              AT(ended_at)         },
        { "StartedBy",      'u',              AT(started_by)       },
        { "Error",          's',              AT(error)            },
        { "Rate",           't',              AT(rate)             },
        { "Parallel",       'u',              AT(parallel)         },
        { "LostKeys",       't',              AT(lost_keys)        },
        { "WaitsUntil",     't',              AT(waits_until)      },
        {}
};
/* clang-format on */

void job_view_done(JobView *job) {
        properties_done(properties, job);
}

void jobs_view_done(JobsView *jobs) {
        for (size_t i = 0; i < jobs->n; i++)
                job_view_done(jobs->jobs + i);
        free(jobs->jobs);
        *jobs = (JobsView){};
}

bool job_view_has_ended(const JobView *job) {
        static const char *const ends[] = { "done", "failed", "cancelled" };

        for (size_t i = 0; i < ELEMENTSOF(ends); i++)
                if (strcmp(job->state, ends[i]) == 0)
                        return true;

        return false;
}

const char *job_path_format(char ret[static JOB_PATH_SIZE], uint32_t id) {
        (void) snprintf(ret, JOB_PATH_SIZE, MASTER_JOB_PATH "/%" PRIu32, id);
        return ret;
}

int job_path_parse(const char *path, uint32_t *ret_id) {
        size_t n = strlen(MASTER_JOB_PATH "/");
        uint64_t id;

        if (strncmp(path, MASTER_JOB_PATH "/", n) != 0 ||
            parse_u64(path + n, UINT32_MAX, &id) < 0 || id == 0)
                return -EINVAL;

        *ret_id = (uint32_t) id;
        return 0;
}

/* Calls METHOD of the object at PATH, with ARGUMENT unless it is NULL. */
static int call(sd_bus *bus,
                const char *path,
                const char *interface,
                const char *method,
                const char *argument,
                sd_bus_error *reterr_error,
                sd_bus_message **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &message, MASTER_NAME, path, interface, method);
        if (r < 0)
                return r;
        r = sd_bus_message_set_auto_start(message, false);
        if (r >= 0 && argument)
                r = sd_bus_message_append(message, "s", argument);
        if (r < 0)
                return r;

        return sd_bus_call(bus, message, TIMEOUT_USEC, reterr_error, ret);
}

int job_view_get(sd_bus *bus, uint32_t id, sd_bus_error *reterr_error, JobView *ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        char path[JOB_PATH_SIZE];
        JobView job = {};
        int r;

        r = call(bus, job_path_format(path, id), "org.freedesktop.DBus.Properties", "GetAll",
                 MASTER_JOB_INTERFACE, reterr_error, &reply);
        if (r < 0)
                return r;

        r = properties_read(reply, properties, &job);
        if (r >= 0)
                r = properties_complete(properties, &job);
        if (r < 0)
                job_view_done(&job);
        else
                *ret = job;
        return r;
}

static int compare(const void *a, const void *b) {
        const JobView *x = a, *y = b;

        return (x->id > y->id) - (x->id < y->id);
}

int jobs_view_get(sd_bus *bus, sd_bus_error *reterr_error, JobsView *ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(jobs_view_done) JobsView view = {};
        int r;

        r = call(bus, MASTER_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", NULL,
                 reterr_error, &reply);
        if (r < 0)
                return r;
        r = properties_read_objects(
                        reply, MASTER_JOB_INTERFACE, properties, sizeof(*view.jobs), &view.jobs,
                        &view.n);
        if (r < 0)
                return r;

        if (view.n > 0)
                qsort(view.jobs, view.n, sizeof(*view.jobs), compare);
        *ret = view;
        view = (JobsView){};
        return 0;
}
