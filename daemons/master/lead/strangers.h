/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Strangers: volumes that report although their stores belong to another index. Times are
 * monotonic. */

#include "master/lead/judge.h"

#define STRANGERS_MAX 64

typedef struct Stranger {
        uint32_t volume;
        uint64_t objects;
        uint64_t seen_usec;
        bool is_bound;
} Stranger;

typedef struct Strangers {
        Stranger all[STRANGERS_MAX];
        size_t n;
} Strangers;

/* NULL for none. */
const Stranger *strangers_find(const Strangers *strangers, uint32_t volume);

void strangers_note(Strangers *strangers, const LeadReport *report, uint64_t now);

/* Those that have not reported for ten seconds have gone. */
void strangers_forget(Strangers *strangers, uint64_t now);

/* "Volumes 1 and 2 hold 502 values that this index does not know". Sorts them. */
void strangers_explain(Strangers *strangers, char *ret, size_t size);
