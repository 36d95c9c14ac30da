/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Entry table: which entries a log has, and where each lies. 24 bytes an entry, in memory. */

#include "consensus/entry.h"
#include "store/format/log-mark.h"

typedef struct EntrySlot {
        uint64_t term;
        LogPosition at;
        uint32_t size; /* of what is in it */
        EntryType type;
} EntrySlot;

typedef struct EntryTable {
        uint64_t base_index, base_term; /* of the entry before the first one */
        EntrySlot *slots;               /* owned */
        size_t n, allocated;
} EntryTable;

void entry_table_done(EntryTable *table);

uint64_t entry_table_last(const EntryTable *table) _pure_;

/* NULL for what is not there. */
const EntrySlot *entry_table_find(const EntryTable *table, uint64_t index) _pure_;

/* Of an entry, or of the base; 0 for what is not there. */
uint64_t entry_table_term(const EntryTable *table, uint64_t index) _pure_;

/* Makes room, so that N calls of entry_table_append() cannot fail. Returns 0 or -ENOMEM. */
int entry_table_reserve(EntryTable *table, size_t n);
void entry_table_append(EntryTable *table, const EntrySlot *slot);

/* INDEX becomes the last. If it is before the base, nothing is left, and its term is TERM. */
void entry_table_cut(EntryTable *table, uint64_t index, uint64_t term);

/* Nothing is left; the next entry is the one after INDEX. */
void entry_table_reset(EntryTable *table, uint64_t index, uint64_t term);

/* Forgets the entries that lie in segments before FILE. */
void entry_table_drop(EntryTable *table, uint32_t file);
