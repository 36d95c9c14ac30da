/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Copies: what this volume holds and what it knows about it, for the modules that store, read or
 * look after copies. Each of the four may be used from any thread, and none is owned here. */

#include "store/object/objects.h"
#include "volume/upkeep/damage.h"
#include "volume/upkeep/faults.h"
#include "volume/upkeep/pending.h"

typedef struct Copies {
        ObjectStore *store;
        Pending *pending; /* whose write is not known to be committed */
        Faults *faults;   /* why nothing can be stored now */
        Damage *damage;   /* which of them are damaged */
        uint64_t inline_max;
} Copies;
