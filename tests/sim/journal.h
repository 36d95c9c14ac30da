/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Journal: a log of entries in memory, as a master has it. */

#include "consensus/consensus.h"

/* The bytes of an entry, which many journals and messages share. */
typedef struct Blob {
        unsigned references;
        uint64_t hash;
        uint32_t size;
        uint8_t data[];
} Blob;

Blob *blob_new(const void *data, size_t size);
Blob *blob_ref(Blob *blob);
void blob_unref(Blob *blob);

typedef struct Item {
        uint64_t term;
        EntryType type;
        Blob *blob; /* a reference of its own */
} Item;

typedef struct Journal {
        uint64_t base_index, base_term;
        Item *items; /* owned */
        size_t n, allocated;
} Journal;

void journal_done(Journal *journal);
uint64_t journal_last(const Journal *journal);
const Item *journal_at(const Journal *journal, uint64_t index); /* NULL if it is not there */
void journal_cut_tail(Journal *journal, uint64_t index);
void journal_cut_head(Journal *journal, uint64_t index);
void journal_reset(Journal *journal, uint64_t index, uint64_t term);
void journal_append(Journal *journal, const Item *item); /* takes a reference */

Entry entry_of(const Item *item); /* its bytes stay the item's */

static inline Entry *entries_free(Entry *entries) {
        free(entries);
        return NULL;
}
DEFINE_CLEANUP(Entry *, entries_free);
