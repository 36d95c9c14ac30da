/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Machine: what entries are applied to; a stand-in for the index that is cheap enough for a hundred
 * thousand runs. A few keys, each with the number of the write that it has its value from, and with
 * the index of that entry as its revision; a hash of all that was ever applied, in order. */

#include "sim/journal.h"

#define KEYS 6

typedef struct Request {
        uint32_t write; /* its number, which is also the value */
        uint32_t key;
} Request;

typedef struct Machine {
        ConsensusApplied applied;
        uint64_t hash;
        struct {
                uint32_t write;
                uint64_t revision;
        } keys[KEYS];
} Machine;

void machine_apply(Machine *machine, uint64_t index, const Item *item);
