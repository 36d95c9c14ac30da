/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Limits: how many volumes and copies there can be, when a volume is down, a disk nearly full, and
 * a clock wrong. */

#include <stdbool.h>
#include <stdint.h>

#define VOLUME_MAX 65535 /* numbers are 1 to VOLUME_MAX */
#define COPIES_MAX 8     /* of a value */

/* A volume that has not reported for this long is down, unless VolumeTimeoutSec= says otherwise. A
 * volume waits as long for the answer to a report, then tries another connection, since an
 * unplugged cable may have lost the answer. */
#define VOLUME_TIMEOUT_SEC 3

/* The smallest error of a clock that is reported: a smaller difference may be the time that a call
 * takes. */
#define CLOCK_SKEW_TOLD_SEC 3

/* An administrator is told when less than 5 % are free. */
static inline bool disk_is_nearly_full(uint64_t free, uint64_t size) {
        return free < size / 20;
}
