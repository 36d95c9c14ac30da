/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* JobView: what the master says about its jobs. */

#include <systemd/sd-bus.h>

#include "frame/properties.h"

typedef struct JobView {
        uint32_t id, parallel, started_by;
        char *type, *state, *error;
        Numbers volumes;
        uint64_t keys_done, keys_total, bytes_done, bytes_total;
        uint64_t bytes_per_second, rate; /* measured; limit, 0 for none */
        uint64_t started_at, ended_at;   /* times of day in µs; 0 for not yet */
        uint64_t lost_keys, waits_until; /* a time of day; 0 if it is not known, or there is no need
                                          */
} JobView;

typedef struct JobsView {
        JobView *jobs; /* owned; ordered by id */
        size_t n;
} JobsView;

/* Both wait for the answer, and do not start a master. For an unknown job, job_view_get() sets the
 * error SD_BUS_ERROR_UNKNOWN_OBJECT. */
int job_view_get(sd_bus *bus, uint32_t id, sd_bus_error *reterr_error, JobView *ret);
int jobs_view_get(sd_bus *bus, sd_bus_error *reterr_error, JobsView *ret);

void job_view_done(JobView *job);
void jobs_view_done(JobsView *jobs);

/* Whether it is in a final state. */
bool job_view_has_ended(const JobView *job);

#define JOB_PATH_SIZE 48
const char *job_path_format(char ret[static JOB_PATH_SIZE], uint32_t id);

/* Returns 0, or -EINVAL if that is not the path of a job. */
int job_path_parse(const char *path, uint32_t *ret_id);
