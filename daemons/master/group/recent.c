/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "master/group/recent.h"

/* With what malloc() takes for itself. */
static uint64_t size_of(const Entry *entry) {
        return sizeof(*entry) + 16 + entry->size;
}

static void forget(Recent *recent, const Entry *entry) {
        recent->size -= size_of(entry);
        free((void *) entry->data);
}

void recent_reset(Recent *recent, uint64_t index) {
        for (size_t i = 0; i < recent->n; i++)
                forget(recent, recent->items + i);
        recent->n = 0;
        recent->base = index;
}

void recent_done(Recent *recent) {
        recent_reset(recent, 0);
        free(recent->items);
        *recent = (Recent){};
}

static int reserve(Recent *recent) {
        size_t allocated = MAX(2 * recent->allocated, (size_t) 64);
        Entry *items;

        if (recent->n < recent->allocated)
                return 0;
        items = reallocarray(recent->items, allocated, sizeof(*items));
        if (!items)
                return -ENOMEM;
        recent->items = items;
        recent->allocated = allocated;
        return 0;
}

int recent_append(Recent *recent, const Entry *entry) {
        void *data = malloc(MAX(entry->size, (uint32_t) 1));

        if (!data || reserve(recent) < 0) {
                free(data);
                return -ENOMEM;
        }

        if (entry->size > 0)
                memcpy(data, entry->data, entry->size);
        recent->items[recent->n] = *entry;
        recent->items[recent->n++].data = data;
        recent->size += size_of(entry);
        return 0;
}

void recent_cut(Recent *recent, uint64_t index) {
        while (recent->n > 0 && recent_last(recent) > index)
                forget(recent, recent->items + --recent->n);
        recent->base = MIN(recent->base, index);
}

void recent_trim(Recent *recent, uint64_t index, uint64_t size) {
        size_t n = 0;

        if (recent->size <= size + size / 8)
                return;
        while (n < recent->n && recent->size > size && recent->base + n < index)
                forget(recent, recent->items + n++);
        if (n == 0)
                return;
        recent->base += n;
        recent->n -= n;
        memmove(recent->items, recent->items + n, recent->n * sizeof(*recent->items));
}

uint64_t recent_last(const Recent *recent) {
        return recent->base + recent->n;
}

const Entry *recent_find(const Recent *recent, uint64_t index) {
        if (index <= recent->base || index > recent_last(recent))
                return NULL;
        return recent->items + (index - recent->base - 1);
}
