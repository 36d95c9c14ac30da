/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Volumes: the cluster map as it is in force, with what each volume last reported.
 *
 * Looked at by every request, from any thread; changed rarely, by volumes' reports and by the
 * administrator (volumes-change.h). */

#include <systemd/sd-event.h>

#include "core/placement/cluster.h"
#include "core/record.h"
#include "master/cluster/contact.h"
#include "master/cluster/volume-report.h"
#include "rpc/client.h"
#include "store/index/index.h"

typedef struct Volumes Volumes;
typedef struct Lead Lead;

typedef struct VolumesOptions {
        uint64_t timeout_usec; /* a volume that has not reported for so long is down */
        uint32_t copies;       /* of each value, as long as the map does not say */
        bool auto_add;         /* new volumes are active at once */
        uint64_t ticket_usec;  /* how long tickets last; 0 for as long as signatures */
        const Lead *lead; /* while it does not lead, the map does not change; not owned, or NULL */
} VolumesOptions;

/* Loads the map from INDEX, which is not owned; watches on EVENT for volumes that come and go. For
 * as long as the timeout the volumes are believed to be up, so that a restart of the master is not
 * seen by clients. */
int volumes_new(Index *index, sd_event *event, const VolumesOptions *options, Volumes **ret);
Volumes *volumes_free(Volumes *volumes);
DEFINE_CLEANUP(Volumes *, volumes_free);

/* Changes what volumes_new() was told. */
void volumes_configure(Volumes *volumes, const VolumesOptions *options);

/* How many copies of each value there should be: what the map says, or else the options. */
uint32_t volumes_copies(Volumes *volumes);

/* The map as it is now, to be looked at for longer; the caller's. Returns 0 or -ENOMEM. */
int volumes_snapshot(Volumes *volumes, Cluster **ret);

/* Takes note. Returns 0, -EINVAL for a number or URL that cannot be, -EEXIST if the number belongs
 * to another store (that was added, or is up), -EBUSY for that of a removed volume, -ENOTUNIQ if
 * another run of the store is up elsewhere, -EINPROGRESS if that is not known yet, -EALREADY if a
 * later one was here before. */
int volumes_report(Volumes *volumes, const VolumeReport *report);

/* How a call of the master to a volume ended: whoever makes one tells. */
void volumes_note_call(Volumes *volumes, uint32_t number, const HttpResult *result);

/* The volume was reached, but could not store a value, for a reason of its own: it gets no new ones
 * until it has reported again, and said how it is. */
void volumes_note_unfit(Volumes *volumes, uint32_t number);

/* Picks up to COPIES volumes for a new value of SIZE bytes (0 if unknown): of those to which calls
 * get through, and only if these are no majority, of all that are up. Returns how many, -EHOSTDOWN
 * if no active volume is up, -ENOSPC if none of them has room. */
int volumes_place(
                Volumes *volumes,
                uint64_t hash,
                size_t copies,
                uint64_t size,
                uint32_t ret[static COPIES_MAX]);

/* Picks another volume for such a value, besides the N that were tried. Returns its number, or as
 * above. */
int volumes_place_another(
                Volumes *volumes, uint64_t hash, uint64_t size, const uint32_t tried[], size_t n);

#define VOLUME_URL_SIZE  256
#define VOLUME_ZONE_SIZE 64

/* Returns 0, -ENOENT, or -EHOSTDOWN if it is down; the URL is written to RET in both of the other
 * cases. */
int volumes_url(Volumes *volumes, uint32_t number, char ret[static VOLUME_URL_SIZE]);

/* Chooses one of a record's copies that is on a volume which is up: if it can one that is not among
 * the AVOID, of which bit I stands for copies[I], and to whose volume calls get through. Returns
 * its number, or -EHOSTDOWN. */
int volumes_choose(
                Volumes *volumes,
                const Record *record,
                unsigned avoid,
                char ret_url[static VOLUME_URL_SIZE]);

/* For reports to people: a volume of the map as it is now. */
typedef struct VolumeStatus {
        uint32_t number, weight;
        VolumeState state;
        bool up;          /* or expected to be, for a while after the master's start */
        bool reports;     /* up, and heard of since then */
        bool nearly_full; /* less than 5 % of the disk is free */
        uint8_t uuid[16];
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

/* Called on the main loop, soon after a volume became known or its status changed in anything but
 * figures (disk_free to pending, seen_usec). There is one observer at most; NULL for none. */
typedef void (*VolumesObserver)(uint32_t number, bool is_new, void *userdata);
void volumes_set_observer(Volumes *volumes, VolumesObserver on_change, void *userdata);
