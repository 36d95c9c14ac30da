/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The limits of a job: --rate and --parallel, as they were typed. */

#include "adm/dkvadm.h"

typedef struct JobLimits {
        bool has_rate;
        uint64_t rate;     /* bytes per second, 0 for no limit */
        uint32_t parallel; /* 0 if it was not given */
} JobLimits;

/* Returns 0 or EXIT_USAGE, having said what is wrong. */
int job_limits_parse(const Context *context, JobLimits *ret);

/* Appends entries to an open a{sv}. */
int job_limits_append(const JobLimits *limits, sd_bus_message *call);
