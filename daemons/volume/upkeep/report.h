/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Report: tells the master each second that this volume is there, and learns what the master wants
 * of it. */

#include "base/macro.h"

typedef struct VolumeDaemon VolumeDaemon;
typedef struct Report Report;

/* Starts reporting, on the daemon's event loop. VOLUME is not owned. */
int report_new(VolumeDaemon *volume, Report **ret);

/* The client must have been freed before. */
Report *report_free(Report *report);
DEFINE_CLEANUP(Report *, report_free);

/* Reports before the second is over, since something may have changed at the master. From any
 * thread. */
void report_soon(Report *report);

/* How long ago the master accepted a report; UINT64_MAX if it never did. From any thread. */
uint64_t report_age_usec(const Report *report);

/* Takes note of the settings that can change. */
void report_reload(Report *report);

/* Whether the master took the last report. From any thread. */
bool report_is_accepted(const Report *report);

/* Why it did not, in a sentence; an empty one if it did or has not been asked yet. From any thread.
 */
#define REPORT_ERROR_SIZE 512
void report_error(Report *report, char ret[static REPORT_ERROR_SIZE]);

/* After what time the master wants to be asked about objects whose write was not heard of again; 0
 * while that is not known. */
uint64_t report_grace_usec(const Report *report);
