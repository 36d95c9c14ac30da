/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Limits: how many volumes and copies there can be, and how many copies a value needs. */

#include <stdbool.h>
#include <stddef.h>

#define VOLUME_MAX 65535 /* numbers are 1 to VOLUME_MAX */
#define COPIES_MAX 8     /* of a value */

/* How many copies are enough to acknowledge a value that should have WANTED: a majority. */
static inline size_t copies_needed(size_t wanted) {
        return wanted / 2 + 1;
}

static inline bool copies_suffice(size_t n, size_t wanted) {
        return n >= copies_needed(wanted);
}
