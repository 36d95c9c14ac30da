/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Majority: how many copies of a value have to be stored before its write is acknowledged. */

#include <stdbool.h>
#include <stddef.h>

/* Returns how many copies must be stored before a value that should have WANTED copies is
 * acknowledged: a majority. */
static inline size_t copies_needed(size_t wanted) {
        return wanted / 2 + 1;
}

static inline bool copies_suffice(size_t n, size_t wanted) {
        return n >= copies_needed(wanted);
}
