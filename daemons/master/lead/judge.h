/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a volume's report says about the index: whether they belong together, and which of the two
 * has come further. Pure functions. */

#include <stdint.h>

#include "base/macro.h"
#include "core/call/volume-report.h"
#include "store/index/identity.h"

/* What the cluster map says of a store. */
typedef enum LeadMember {
        LEAD_UNKNOWN, /* there is no such number */
        LEAD_OTHER,   /* the number belongs to another store */
        LEAD_MEMBER,
        LEAD_REMOVED,
} LeadMember;

/* How far somebody has come. */
typedef struct LeadReach {
        uint64_t term;
        uint64_t version; /* of an object, or the number of a deletion call, whichever is higher */
        uint64_t revision;
} LeadReach;

typedef struct LeadReport {
        uint32_t volume;
        LeadMember member;
        bool is_bound; /* it has belonged to a cluster, this one: */
        uint8_t cluster[CLUSTER_ID_SIZE];
        LeadReach reach;
        uint64_t objects;
} LeadReport;

/* What REPORT says of this; MEMBER is what the map says. Returns 0 or -EINVAL for impossible
 * numbers. */
int lead_report_of(const VolumeReport *report, LeadMember member, LeadReport *ret);

/* The index. */
typedef struct LeadStanding {
        uint8_t cluster[CLUSTER_ID_SIZE];
        LeadReach reach; /* version: below which all are that were ever given out */
        bool is_empty;   /* no value, and no volume that could have one */
} LeadStanding;

typedef enum LeadVerdict {
        LEAD_FITS,
        LEAD_IS_STRANGER, /* its store belongs to another index than this one */
        LEAD_IS_AHEAD,    /* it is of this cluster, and this index is older */
} LeadVerdict;

LeadVerdict lead_judge(const LeadStanding *index, const LeadReport *report) _pure_;

/* The highest of both, each number for itself. */
void lead_reach_raise(LeadReach *reach, const LeadReach *other);

/* A volume was asked at SENT, and has said that the leader that it follows has taken a report AGE
 * before it answered. Returns for how long after NOTICED, at least, that leader was alive; 0 if
 * that is not certain, for the answer may be read much later than it was given. All in
 * microseconds. */
uint64_t lead_was_alive_after(uint64_t noticed_usec, uint64_t sent_usec, uint64_t age_usec) _const_;

/* Whether any number of OTHER is above what REACH may have given out. */
bool lead_reach_is_behind(const LeadReach *index, const LeadReach *other) _pure_;
