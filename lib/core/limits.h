/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Limits: how many volumes and copies there can be, when a volume is down, a disk nearly full, and
 * a clock wrong. */

#include <stdbool.h>
#include <stdint.h>

#define VOLUME_MAX 65535 /* numbers are 1 to VOLUME_MAX */
#define COPIES_MAX 8     /* of a value */

/* A volume that has not reported for so long is down, unless VolumeTimeoutSec= says otherwise. For
 * as long a volume waits for the answer to a report: an answer may be lost with a cable, and
 * another connection finds out. */
#define VOLUME_TIMEOUT_SEC 3

/* From how far on a wrong clock is told: a smaller difference may be the way of a call. */
#define CLOCK_SKEW_TOLD_SEC 3

/* An administrator is told when less than 5 % are free. */
static inline bool disk_is_nearly_full(uint64_t free, uint64_t size) {
        return free < size / 20;
}
