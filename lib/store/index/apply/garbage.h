/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Garbage and surplus copies as tables: copies that no record names any more, and those of them
 * whose version was current when they became garbage. See store/index/garbage.h and move.h. */

#include "store/index/apply/tables.h"
#include "store/index/garbage.h"

/* Big-endian, so that the order of the bytes is that of the numbers. */
typedef struct __attribute__((packed)) GarbageKey {
        uint32_t volume;
        uint64_t due_usec;
        uint64_t version;
} GarbageKey;

typedef struct __attribute__((packed)) SurplusKey {
        uint64_t version;
        uint32_t volume;
} SurplusKey;

/* The only byte of the values. */
#define GARBAGE_FORMAT 1

GarbageKey garbage_key(uint32_t volume, uint64_t due_usec, uint64_t version);
SurplusKey surplus_key(uint64_t version, uint32_t volume);

/* Reads into memory which versions are dead. Returns 0 or a negative errno. */
int garbage_load(Tables *tables);

/* The same copy may become garbage twice: a request that is repeated gets the same answer. */
int garbage_add(Transaction *transaction, uint32_t volume, uint64_t due_usec, uint64_t version);
int garbage_add_copies(Transaction *transaction, const Record *record, uint64_t due_usec);

/* Returns 1, or 0 if there is no such entry, or a negative errno. */
int garbage_delete(Transaction *transaction, uint32_t volume, const Garbage *item);

/* Whether there may be surplus copies on the volume. A new one has none, and when many are moved to
 * it, no search is needed for each. On any thread. */
bool surplus_may_exist(const Tables *tables, uint32_t volume);

/* There may be some from now on; surplus_add() notes that itself. */
void surplus_note(Tables *tables, uint32_t volume);

/* Returns 1, 0, or a negative errno. */
int surplus_find(Transaction *transaction, uint64_t version, uint32_t volume);

/* Does nothing for what is a surplus copy already: a second entry would outlive the first, and
 * delete the copy that may be there by then. */
int surplus_add(Transaction *transaction, uint32_t volume, uint64_t due_usec, uint64_t version);
int surplus_delete(Transaction *transaction, uint64_t version, uint32_t volume);

/* Empties both tables. */
int garbage_forget_all(Transaction *transaction);
