/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* JobLimits: the limits of a job, as typed after --rate and --parallel. */

#include <systemd/sd-bus.h>

#include "base/macro.h"

typedef struct JobLimits {
        bool has_rate;
        uint64_t rate;     /* bytes per second, 0 for no limit */
        uint32_t parallel; /* 0 if it was not given */
} JobLimits;

/* RATE is NULL and PARALLEL 0 if the option was not given. Returns 0 or EXIT_USAGE, having said
 * what is wrong. */
int job_limits_parse(const char *rate, uint64_t parallel, JobLimits *ret);

/* Appends entries to an open a{sv}. */
int job_limits_append(const JobLimits *limits, sd_bus_message *call);
