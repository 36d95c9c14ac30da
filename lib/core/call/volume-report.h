/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a volume says about itself, each second. */

#include <stddef.h>

#include "base/error.h"
#include "base/uuid.h"
#include "core/call/identity.h"

#define REPORT_PEERS_MAX 16

typedef struct VolumeReport {
        uint32_t number;
        Uuid uuid;
        uint64_t run, sequence; /* the run of its daemon, and the number of the report in that run
                                 */
        Leadership lead;        /* whom it follows, or followed last; zeroes for nobody */
        const char *url, *zone;
        uint64_t disk_free, disk_size; /* in bytes */
        uint64_t disk_id;              /* the same for volumes on one file system; 0 if unknown */
        uint64_t objects, bytes, pending;

        /* How far it has come; see lib/store/object/reach.h. */
        uint64_t version_max, revision, deletion, objects_ever;

        uint64_t damaged_pages; /* of its database: their content is lost */

        StoreFault fault;                    /* what keeps it from storing values */
        int64_t skew_usec;                   /* how far its clock is ahead of the master's */
        const char *peers[REPORT_PEERS_MAX]; /* which others it cannot reach: "host:port" */
        size_t n_peers;
} VolumeReport;
