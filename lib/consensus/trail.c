/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "consensus/trail.h"

void trail_done(Trail *trail) {
        free(trail->items);
        *trail = (Trail){ 0 };
}

void trail_reset(Trail *trail, uint64_t index, uint64_t term) {
        trail->begin = trail->n = 0;
        trail->base_index = index;
        trail->base_term = term;
        trail->base_end = 0;
}

int trail_reserve(Trail *trail, size_t n) {
        size_t needed = trail->n + n, allocated = trail->allocated;
        TrailItem *items;

        if (trail->begin > 0 && trail->begin >= trail->n) {
                memcpy(trail->items, trail->items + trail->begin, trail->n * sizeof *items);
                trail->begin = 0;
        }
        if (trail->begin + needed <= allocated)
                return 0;

        allocated = MAX(2 * (trail->begin + needed), (size_t) 64);
        items = reallocarray(trail->items, allocated, sizeof *items);
        if (!items)
                return -ENOMEM;

        trail->items = items;
        trail->allocated = allocated;
        return 0;
}

static const TrailItem *item_at(const Trail *trail, uint64_t index) {
        if (index <= trail->base_index || index > trail_last(trail))
                return NULL;

        return trail->items + trail->begin + (index - trail->base_index - 1);
}

static uint64_t end_of(const Trail *trail, uint64_t index) {
        const TrailItem *item = item_at(trail, index);

        return item ? item->end : trail->base_end;
}

void trail_append(Trail *trail, const Entry *entry) {
        uint64_t end = end_of(trail, trail_last(trail)) + entry->size;

        assert(trail->begin + trail->n < trail->allocated);
        assert(entry->term >= trail_last_term(trail));

        trail->items[trail->begin + trail->n++] = (TrailItem){ .term = entry->term,
                                                               .end = end,
                                                               .type = entry->type };
}

void trail_cut_tail(Trail *trail, uint64_t index) {
        assert(index > trail->base_index);

        if (index <= trail_last(trail))
                trail->n = index - trail->base_index - 1;
}

void trail_cut_head(Trail *trail, uint64_t index) {
        const TrailItem *item = item_at(trail, index);
        size_t n = index - trail->base_index;

        if (index == trail->base_index)
                return;
        assert(item);

        trail->base_term = item->term;
        trail->base_end = item->end;
        trail->base_index = index;
        trail->begin += n;
        trail->n -= n;
}

uint64_t trail_last(const Trail *trail) {
        return trail->base_index + trail->n;
}

uint64_t trail_last_term(const Trail *trail) {
        return trail_term(trail, trail_last(trail));
}

uint64_t trail_term(const Trail *trail, uint64_t index) {
        const TrailItem *item = item_at(trail, index);

        if (item)
                return item->term;
        return index == trail->base_index ? trail->base_term : 0;
}

uint64_t trail_size(const Trail *trail, uint64_t after, uint64_t index) {
        return after < index ? end_of(trail, index) - end_of(trail, after) : 0;
}

uint64_t trail_hint(const Trail *trail, uint64_t index) {
        uint64_t term;

        if (index > trail_last(trail))
                return trail_last(trail);

        term = trail_term(trail, index);
        while (index > trail->base_index && trail_term(trail, index) == term)
                index--;
        return index;
}
