/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Volumes: the cluster map as it is in force, with what each volume last reported.
 *
 * Looked at by every request, from any thread; changed rarely, by storing a changed copy of the map
 * in the index and putting it into force once it is durable. */

#include <systemd/sd-event.h>

#include "core/cluster.h"
#include "core/record.h"
#include "store/index.h"

typedef struct Volumes Volumes;

/* What a volume says of itself. */
typedef struct VolumeReport {
        uint32_t number;
        uint8_t uuid[16];
        const char *url, *zone;
        uint64_t disk_free, disk_size; /* in bytes */
        uint64_t objects, bytes, pending;
} VolumeReport;

/* Loads the map from INDEX, which is not owned; watches on EVENT for volumes that come and go. For
 * as long as TIMEOUT_USEC the active volumes are believed to be up, so that a restart of the master
 * is not seen by clients. */
int volumes_new(Index *index, sd_event *event, uint64_t timeout_usec, bool auto_add, Volumes **ret);
Volumes *volumes_free(Volumes *volumes);
DEFINE_CLEANUP(Volumes *, volumes_free);

/* Takes note. Returns 0, -EINVAL for a number or URL that cannot be, -EEXIST if the number belongs
 * to a store with another uuid, -EBUSY for the number of a removed volume. */
int volumes_report(Volumes *volumes, const VolumeReport *report);

/* Picks up to COPIES volumes for a new value of SIZE bytes (0 if unknown). Returns how many,
 * -EHOSTDOWN if no active volume is up, -ENOSPC if none of them has room. */
int volumes_place(
                Volumes *volumes,
                uint64_t hash,
                size_t copies,
                uint64_t size,
                uint32_t ret[static COPIES_MAX]);

#define VOLUME_URL_SIZE 256

/* Returns 0, -ENOENT, or -EHOSTDOWN if it is down; the URL is written to RET in both of the other
 * cases. */
int volumes_url(Volumes *volumes, uint32_t number, char ret[static VOLUME_URL_SIZE]);

/* Chooses one of a record's copies that is on a volume which is up. Returns its number, or
 * -EHOSTDOWN. */
int volumes_choose(Volumes *volumes, const Record *record, char ret_url[static VOLUME_URL_SIZE]);

/* For reports to people: a volume of the map as it is now. */
typedef struct VolumeStatus {
        uint32_t number, weight;
        VolumeState state;
        bool up;
        char url[VOLUME_URL_SIZE], zone[64];
        uint64_t disk_free, disk_size, objects, bytes, pending;
} VolumeStatus;

/* Returns a new array, ordered by number. */
int volumes_list(Volumes *volumes, VolumeStatus **ret, size_t *ret_n, uint64_t *ret_epoch);
