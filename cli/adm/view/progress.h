/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Progress: how far a job is and how long it will take, from repeated looks at it.
 *
 * A key has a cost of its own, even with hardly any bytes, so the time left follows from both; and
 * from the last seconds only, since jobs are paused and throttled. */

#include "adm/view/job-view.h"

#define PROGRESS_LOOKS 20

typedef struct ProgressLook {
        uint64_t usec; /* monotonic */
        double work;
        uint64_t keys;
} ProgressLook;

/* To be embedded, zeroed. */
typedef struct Progress {
        ProgressLook looks[PROGRESS_LOOKS]; /* a ring */
        size_t n;
        double share; /* of the work that is done, from 0 to 1 */
        double keys_per_second;
        uint64_t left_usec; /* UINT64_MAX if unknown */
} Progress;

/* Notes the state of JOB at USEC (CLOCK_MONOTONIC). */
void progress_take(Progress *progress, const JobView *job, uint64_t usec);

/* One line of at most WIDTH columns, at least 20, with a bar if there is room; a new string or
 * NULL.
 */
char *progress_format(const Progress *progress, const JobView *job, unsigned width);

/* How long it takes to move that many keys and bytes on a typical machine, in µs; RATE is as in
 * job-limits.h. */
uint64_t progress_estimate(uint64_t keys, uint64_t bytes, uint64_t rate) _const_;
