/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Report: tells the master each second that this volume is there, and learns what the master wants
 * of it. */

#include <systemd/sd-event.h>

#include "volume/link/master-link.h"
#include "volume/upkeep/copies.h"
#include "volume/upkeep/deletions.h"
#include "volume/upkeep/sweep.h"

typedef struct Report Report;

/* None of the modules is owned; the strings must outlive the report, but for the zone. */
typedef struct ReportOptions {
        sd_event *event;
        MasterLink *master;
        Allegiance *allegiance;
        const Copies *copies;
        Sweep *sweep;
        Deletions *deletions;
        const char *directory; /* of the store */
        const char *url;       /* of this volume */
        const char *zone;
        uint64_t interval_usec;
} ReportOptions;

/* Starts reporting on the event loop, and whenever master_link_refresh() is called. Returns 0 or a
 * negative errno. */
int report_new(const ReportOptions *options, Report **ret);

/* The HTTP client must have been freed before. Accepts NULL. */
Report *report_free(Report *report);
DEFINE_CLEANUP(Report *, report_free);

/* Takes over the settings that may change; on the loop's thread. */
void report_set(Report *report, const char *zone, uint64_t interval_usec);

/* The rest is for any thread. */

/* How long ago the leader that is followed accepted a report; UINT64_MAX if it never did. */
uint64_t report_age_usec(const Report *report);

/* The URL of the master that it reports to; borrowed. */
const char *report_master(const Report *report);

/* Whether the master accepted the last report. */
bool report_is_accepted(const Report *report);

/* Why it did not, in a sentence; an empty one if it did, or has not been asked yet. */
#define REPORT_ERROR_SIZE 512
void report_error(Report *report, char ret[static REPORT_ERROR_SIZE]);

/* The grace time: how long the master lets a write be pending before it wants to be asked about
 * it; 0 while that is not known. */
uint64_t report_grace_usec(const Report *report);
