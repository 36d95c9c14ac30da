/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Membership: which volumes take part, and how many copies that makes. See change.h for what is
 * true of all changes. */

#include "master/cluster/change.h"

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
