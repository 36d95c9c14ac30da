/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Dead versions: for each version the number of its entries in a table, as a set in memory that
 * follows the transactions of the table.
 *
 * A change counts at once; dead_keep() or dead_undo() ends the transaction that it belongs to.
 * Takes 16 bytes for a version, up to 43 right after it has grown. One thread at a time. */

#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"

typedef struct DeadVersion {
        uint64_t version; /* 0 for an empty slot */
        uint64_t n_entries;
} DeadVersion;

typedef struct DeadChange {
        uint64_t version;
        bool is_new; /* else one entry less */
} DeadChange;

typedef struct Dead {
        DeadVersion *slots; /* open addressing; never full */
        size_t n, n_slots;
        DeadChange *changes; /* of the transaction */
        size_t n_changes, n_changes_allocated;
} Dead;

void dead_done(Dead *dead);

bool dead_contains(const Dead *dead, uint64_t version);

/* Notes one entry more. Returns 0 or -ENOMEM. */
int dead_add(Dead *dead, uint64_t version);

/* Notes one entry less, for a version that has one. Returns 0 or -ENOMEM. */
int dead_remove(Dead *dead, uint64_t version);

/* The transaction was committed, or rolled back. */
void dead_keep(Dead *dead);
void dead_undo(Dead *dead);
