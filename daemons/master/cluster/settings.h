/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What an administrator may change about the volumes.
 *
 * Each change is checked and made upon the map as it then is, all or nothing, after those that came
 * before it. Once it is in force, durable and announced, done() is called with 0. The functions
 * return a negative errno if the change is refused at once; then done() is not called. If the
 * change had to wait and is refused later, or cannot be stored, done() gets the error. A change
 * that changes nothing succeeds and leaves the epoch as it is.
 *
 * All of them: -EREMCHG if the map has another epoch than the change expects, -ENOENT for the
 * number of an unknown volume, -EBUSY for that of a removed one, -EINVAL for impossible values. */

#include "master/cluster/volumes.h"

/* A change, from the call to done(). Embedded in what knows the details; it must not move until
 * done() is called, or the call has failed. */
typedef struct VolumesChange {
        uint64_t epoch; /* that the map must have, or EPOCH_ANY; for done(), that of the map now */

        /* On the committer's thread; must not block. A change that still waits when volumes_free()
         * is called gets -ESHUTDOWN from there. */
        void (*done)(struct VolumesChange *change, int result);

        uint32_t refused; /* after a failure: the volume that it is about; 0 for all, or none */
} VolumesChange;

/* Makes volumes active. Besides: -EHOSTDOWN if one of them is new and down, -EBUSY if one is being
 * drained. */
int volumes_add(Volumes *volumes, const uint32_t numbers[], size_t n, VolumesChange *change);

/* What volumes_add() would say now of NUMBERS, and about which of them. */
int volumes_check_add(
                Volumes *volumes, const uint32_t numbers[], size_t n, uint32_t *reterr_number);

/* Lets volumes go: active ones get no new values from now on and are read until they are removed,
 * new ones are removed at once, those that are draining stay so. Besides: -EDQUOT if fewer active
 * volumes than copies would be left, -ENOSPC if those have less free space than what is to leave.
 * The latter relies on reports: a volume that has not reported yet is assumed to have enough. */
int volumes_drain(Volumes *volumes, const uint32_t numbers[], size_t n, VolumesChange *change);

/* What volumes_drain() would say now, and about which volume; 0 for all of them. */
int volumes_check_drain(
                Volumes *volumes, const uint32_t numbers[], size_t n, uint32_t *reterr_number);

/* Makes volumes that are draining active again; active ones stay so. Besides: -EBUSY for a new
 * one. */
int volumes_undrain(Volumes *volumes, const uint32_t numbers[], size_t n, VolumesChange *change);

/* Ends the draining: nothing that is wanted may be left on the volumes. Removed ones are no error
 * here. Besides: -EBUSY for one that is not draining. */
int volumes_remove(Volumes *volumes, const uint32_t numbers[], size_t n, VolumesChange *change);

/* Has the map say how many copies of each value there should be, or, with 0, leaves it to the
 * options again. Besides: -EDQUOT if that is more than before and more than there are active
 * volumes. */
int volumes_set_copies(Volumes *volumes, uint32_t copies, VolumesChange *change);

/* What volumes_set_copies() would say now. */
int volumes_check_copies(Volumes *volumes, uint32_t copies);

typedef struct VolumeSettings {
        const char *url, *zone; /* NULL leaves as is, "" gives back to the volume's own report */
        uint32_t weight;        /* 0 leaves as is */
} VolumeSettings;

int volumes_set(Volumes *volumes,
                uint32_t number,
                const VolumeSettings *settings,
                VolumesChange *change);

/* While in maintenance, a volume gets no new values, is still read, and may be down without
 * degrading the cluster. UNTIL_USEC is since the epoch, UINT64_MAX without end, 0 ends it. */
int volumes_set_maintenance(
                Volumes *volumes, uint32_t number, uint64_t until_usec, VolumesChange *change);
