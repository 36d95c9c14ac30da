/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Limits: how many volumes and copies there can be, and when a disk is nearly full. */

#include <stdbool.h>
#include <stdint.h>

#define VOLUME_MAX 65535 /* numbers are 1 to VOLUME_MAX */
#define COPIES_MAX 8     /* of a value */

/* An administrator is told when less than 5 % are free. */
static inline bool disk_is_nearly_full(uint64_t free, uint64_t size) {
        return free < size / 20;
}
