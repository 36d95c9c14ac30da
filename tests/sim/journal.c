/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "core/checksum.h"
#include "sim/journal.h"

Blob *blob_new(const void *data, size_t size) {
        Blob *blob = malloc(sizeof *blob + size);

        assert(blob);
        *blob = (Blob){ .references = 1,
                        .hash = checksum_seeded(data, size, 1),
                        .size = (uint32_t) size };
        if (size > 0)
                memcpy(blob->data, data, size);
        return blob;
}

Blob *blob_ref(Blob *blob) {
        blob->references++;
        return blob;
}

void blob_unref(Blob *blob) {
        if (--blob->references == 0)
                free(blob);
}

void journal_done(Journal *journal) {
        journal_reset(journal, 0, 0);
        free(journal->items);
        journal->items = NULL;
        journal->allocated = 0;
}

uint64_t journal_last(const Journal *journal) {
        return journal->base_index + journal->n;
}

const Item *journal_at(const Journal *journal, uint64_t index) {
        if (index <= journal->base_index || index > journal_last(journal))
                return NULL;

        return journal->items + (index - journal->base_index - 1);
}

void journal_cut_tail(Journal *journal, uint64_t index) {
        while (journal->n > 0 && journal_last(journal) >= index)
                blob_unref(journal->items[--journal->n].blob);
}

void journal_cut_head(Journal *journal, uint64_t index) {
        const Item *item = journal_at(journal, index);
        size_t n = index - journal->base_index;

        if (!item)
                return;

        journal->base_term = item->term;
        for (size_t i = 0; i < n; i++)
                blob_unref(journal->items[i].blob);
        journal->n -= n;
        memmove(journal->items, journal->items + n, journal->n * sizeof *journal->items);
        journal->base_index = index;
}

void journal_reset(Journal *journal, uint64_t index, uint64_t term) {
        for (size_t i = 0; i < journal->n; i++)
                blob_unref(journal->items[i].blob);
        journal->n = 0;
        journal->base_index = index;
        journal->base_term = term;
}

void journal_append(Journal *journal, const Item *item) {
        if (journal->n == journal->allocated) {
                journal->allocated = MAX(2 * journal->allocated, (size_t) 64);
                journal->items = reallocarray(
                                journal->items, journal->allocated, sizeof *journal->items);
                assert(journal->items);
        }
        journal->items[journal->n++] = (Item){ item->term, item->type, blob_ref(item->blob) };
}

Entry entry_of(const Item *item) {
        return (Entry){ item->term, item->type, item->blob->size, item->blob->data };
}
