/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Volumes: the cluster map in force, with what each volume last reported.
 *
 * Every request looks at it, from any thread. It rarely changes: by volumes' reports (report.h),
 * and by the administrator (volume-settings.h, membership.h). */

#include "base/uuid.h"
#include "core/call/volume-report.h"
#include "core/placement/cluster.h"
#include "master/cluster/contact.h"
#include "master/lead/lead.h"
#include "rpc/call.h"
#include "rpc/rpc-call.h"
#include "store/index/index.h"

typedef struct Volumes Volumes;

typedef struct VolumesOptions {
        uint64_t timeout_usec; /* a volume that has not reported for this long is down */
        uint32_t copies;       /* of each value, as long as the map does not say */
        bool auto_add;         /* new volumes are active at once */
        uint64_t ticket_usec;  /* how long tickets last; 0 for as long as signatures */
        const Lead *lead; /* while it does not lead, the map does not change; not owned, or NULL */
} VolumesOptions;

/* Loads the map from INDEX, which is not owned. For as long as the timeout the volumes are believed
 * to be up, so that clients do not notice a restart of the master. */
int volumes_new(Index *index, const VolumesOptions *options, Volumes **ret);
Volumes *volumes_free(Volumes *volumes);
DEFINE_CLEANUP(Volumes *, volumes_free);

/* Changes what volumes_new() was told. */
void volumes_configure(Volumes *volumes, const VolumesOptions *options);

/* How many copies of each value there should be: what the map says, or else the options. */
uint32_t volumes_copies(Volumes *volumes);

/* The map as it is now, to be looked at for longer; the caller's. Returns 0 or -ENOMEM. */
int volumes_snapshot(Volumes *volumes, Cluster **ret);

/* Every part of the master that calls a volume, or sends a request to it, tells here how that
 * ended. */
void volumes_note_call(Volumes *volumes, uint32_t number, const RpcResult *result);
void volumes_note_request(Volumes *volumes, uint32_t number, const HttpResult *result);

/* The volume was reached, but could not store a value, for a reason of its own: it gets no new ones
 * until it has reported again, and said how it is. */
void volumes_note_unfit(Volumes *volumes, uint32_t number);

#define VOLUME_URL_SIZE  256
#define VOLUME_ZONE_SIZE 64

/* Returns 0, -ENOENT, or -EHOSTDOWN if it is down; the URL is written to RET in both of the other
 * cases. */
int volumes_url(Volumes *volumes, uint32_t number, char ret[static VOLUME_URL_SIZE]);

/* For reports to people: a volume of the map as it is now. */
typedef struct VolumeStatus {
        uint32_t number, weight;
        VolumeState state;
        bool up;          /* or expected to be, for a while after the master's start */
        bool reports;     /* up, and heard of since then */
        bool nearly_full; /* less than 5 % of the disk is free */
        Uuid uuid;
        char url[VOLUME_URL_SIZE], zone[VOLUME_ZONE_SIZE];
        bool url_is_set, zone_is_set; /* by the administrator */
        uint64_t maintenance_until;   /* as in core/placement/cluster.h, but 0 as soon as it is over
                                       */
        uint64_t seen_usec;           /* of the last report, since the epoch; 0 if there was none
                                       * since the master's start */
        uint64_t disk_free;           /* UINT64_MAX if there was no report yet */
        uint64_t disk_size, objects, bytes, pending;
        StoreFault fault;     /* what keeps it from storing values */
        int64_t skew_usec;    /* how far its clock is ahead of the master's */
        ContactState contact; /* what calls to it came to */
        bool is_avoided; /* it gets no new values for now, as it cannot be reached or is not fit */
} VolumeStatus;

/* Returns a new array, by number. */
int volumes_list(Volumes *volumes, VolumeStatus **ret, size_t *ret_n, uint64_t *ret_epoch);
