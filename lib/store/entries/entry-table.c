/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "store/entries/entry-table.h"

void entry_table_done(EntryTable *table) {
        free(table->slots);
        *table = (EntryTable){ 0 };
}

uint64_t entry_table_last(const EntryTable *table) {
        return table->base_index + table->n;
}

const EntrySlot *entry_table_find(const EntryTable *table, uint64_t index) {
        if (index <= table->base_index || index > entry_table_last(table))
                return NULL;

        return table->slots + (index - table->base_index - 1);
}

uint64_t entry_table_term(const EntryTable *table, uint64_t index) {
        const EntrySlot *slot = entry_table_find(table, index);

        if (slot)
                return slot->term;
        return index == table->base_index ? table->base_term : 0;
}

int entry_table_reserve(EntryTable *table, size_t n) {
        size_t allocated = MAX(table->n + n, 2 * table->allocated);
        EntrySlot *slots;

        if (table->n + n <= table->allocated)
                return 0;

        slots = reallocarray(table->slots, allocated, sizeof(*slots));
        if (!slots)
                return -ENOMEM;

        table->slots = slots;
        table->allocated = allocated;
        return 0;
}

void entry_table_append(EntryTable *table, const EntrySlot *slot) {
        assert(table->n < table->allocated);

        table->slots[table->n++] = *slot;
}

void entry_table_cut(EntryTable *table, uint64_t index, uint64_t term) {
        assert(index <= entry_table_last(table));

        if (index < table->base_index)
                entry_table_reset(table, index, term);
        else
                table->n = index - table->base_index;
}

void entry_table_reset(EntryTable *table, uint64_t index, uint64_t term) {
        table->base_index = index;
        table->base_term = term;
        table->n = 0;
}

void entry_table_drop(EntryTable *table, uint32_t file) {
        size_t n = 0;

        while (n < table->n && table->slots[n].at.file < file)
                n++;
        if (n == 0)
                return;

        table->base_index += n;
        table->base_term = table->slots[n - 1].term;
        table->n -= n;
        memmove(table->slots, table->slots + n, table->n * sizeof(*table->slots));
}
