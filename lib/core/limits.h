/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Limits: how many volumes and copies there can be, and how many copies a value needs;
 * and when a disk is nearly full. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VOLUME_MAX 65535 /* numbers are 1 to VOLUME_MAX */
#define COPIES_MAX 8     /* of a value */

/* How many copies are enough to acknowledge a value that should have WANTED: a majority. */
static inline size_t copies_needed(size_t wanted) {
        return wanted / 2 + 1;
}

static inline bool copies_suffice(size_t n, size_t wanted) {
        return n >= copies_needed(wanted);
}

/* An administrator is told when less than 5 % are free. */
static inline bool disk_is_nearly_full(uint64_t free, uint64_t size) {
        return free < size / 20;
}
