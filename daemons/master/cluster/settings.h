/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What an administrator may change about the volumes.
 *
 * Each change is checked and made upon the map as it then is, all or nothing, after those that came
 * before it; it is in force, durable and told when done() is called with 0 and the map's epoch. The
 * functions return a negative errno if the change is refused at once: then there is no done(). If
 * it had to wait and is refused later, or cannot be stored, done() gets the error. What changes
 * nothing is a success and leaves the epoch as it is.
 *
 * All of them: -EREMCHG if EPOCH is not EPOCH_ANY and the map has another, -ENOENT for the number
 * of an unknown volume, -EBUSY for that of a removed one, -EINVAL for values that cannot be.
 *
 * done() runs on the committer's thread and must not block; what still waits in volumes_free() gets
 * -ESHUTDOWN from there. */

#include "master/cluster/volumes.h"

typedef void (*VolumesDone)(int result, uint64_t epoch, void *userdata);

/* Makes volumes active. Besides: -EHOSTDOWN if one of them is new and down, -EBUSY if one is being
 * drained. */
int volumes_add(Volumes *volumes,
                const uint32_t numbers[],
                size_t n,
                uint64_t epoch,
                VolumesDone done,
                void *userdata);

/* For a message: the first of NUMBERS that volumes_add() would refuse now, with the reason, or 0.
 */
uint32_t volumes_find_refused(
                Volumes *volumes, const uint32_t numbers[], size_t n, int *ret_reason);

/* Lets volumes go: active ones get no new values from now on and are read until they are removed,
 * new ones are removed at once, those that are draining stay so. Besides: -EDQUOT if fewer active
 * volumes than copies would be left, -ENOSPC if those have less free space than what is to leave;
 * that takes the reports for it, so that one from which there was none yet is trusted to have
 * enough. */
int volumes_drain(
                Volumes *volumes,
                const uint32_t numbers[],
                size_t n,
                uint64_t epoch,
                VolumesDone done,
                void *userdata);

/* What volumes_drain() would say now, with the volume that it is about, 0 for all of them. */
int volumes_check_drain(
                Volumes *volumes, const uint32_t numbers[], size_t n, uint32_t *reterr_number);

/* Makes volumes that are draining active again; active ones stay so. Besides: -EBUSY for a new
 * one. */
int volumes_undrain(
                Volumes *volumes,
                const uint32_t numbers[],
                size_t n,
                uint64_t epoch,
                VolumesDone done,
                void *userdata);

/* Ends the draining: there must be nothing left on the volumes that anybody wants. Removed ones are
 * no error here. Besides: -EBUSY for one that is not draining. */
int volumes_remove(
                Volumes *volumes,
                const uint32_t numbers[],
                size_t n,
                uint64_t epoch,
                VolumesDone done,
                void *userdata);

/* Has the map say how many copies of each value there should be, or, with 0, leaves it to the
 * options again. Besides: -EDQUOT if that is more than before and more than there are active
 * volumes. */
int volumes_set_copies(
                Volumes *volumes,
                uint32_t copies,
                uint64_t epoch,
                VolumesDone done,
                void *userdata);

/* What volumes_set_copies() would say now. */
int volumes_check_copies(Volumes *volumes, uint32_t copies);

typedef struct VolumeSettings {
        const char *url, *zone; /* NULL leaves as is, "" gives back to the volume's own report */
        uint32_t weight;        /* 0 leaves as is */
} VolumeSettings;

int volumes_set(Volumes *volumes,
                uint32_t number,
                const VolumeSettings *settings,
                uint64_t epoch,
                VolumesDone done,
                void *userdata);

/* While in maintenance, a volume gets no new values, is still read, and may be down without
 * degrading the cluster. UNTIL_USEC is since the epoch, UINT64_MAX without end, 0 ends it. */
int volumes_set_maintenance(
                Volumes *volumes,
                uint32_t number,
                uint64_t until_usec,
                uint64_t epoch,
                VolumesDone done,
                void *userdata);
