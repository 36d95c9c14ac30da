/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Tickets: the targets of the redirects of all keys, so that a load can request them from the
 * volumes directly. */

#include "bench/bench.h"

typedef struct Tickets {
        char **urls; /* by the number of the key; owned, as are its strings */
        size_t n;
} Tickets;

/* Requests them. Returns 0 or a negative errno, having said what is wrong. */
int tickets_get(Bench *bench, Tickets *ret);
void tickets_done(Tickets *tickets);
