/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Trail: what the core knows of the entries of the log: of each its term, its type and its size.
 * What is in them is kept by whoever keeps the log, so the trail takes 24 bytes an entry, and what
 * is cut off at its beginning takes nothing.
 *
 * An entry that is gone from the beginning has no term any more, but for the last of them, the
 * base. */

#include "consensus/entry.h"

typedef struct TrailItem {
        uint64_t term;
        uint64_t end; /* bytes of all entries up to this one, since some beginning */
        EntryType type;
} TrailItem;

typedef struct Trail {
        TrailItem *items; /* owned */
        size_t begin, n, allocated;
        uint64_t base_index, base_term, base_end;
} Trail;

void trail_done(Trail *trail);

/* Empties it: the next entry is the one after INDEX. */
void trail_reset(Trail *trail, uint64_t index, uint64_t term);

/* Makes room, so that N calls of trail_append() cannot fail. Returns 0 or -ENOMEM. */
int trail_reserve(Trail *trail, size_t n);
void trail_append(Trail *trail, const Entry *entry);

/* Forgets INDEX and all behind it, or all up to INDEX, which becomes the base. */
void trail_cut_tail(Trail *trail, uint64_t index);
void trail_cut_head(Trail *trail, uint64_t index);

uint64_t trail_last(const Trail *trail) _pure_;
uint64_t trail_last_term(const Trail *trail) _pure_;

/* 0 for what is not there, and not the base. */
uint64_t trail_term(const Trail *trail, uint64_t index) _pure_;

/* Bytes of the entries behind AFTER up to INDEX. */
uint64_t trail_size(const Trail *trail, uint64_t after, uint64_t index) _pure_;

/* Where a leader that had another entry than ours at INDEX may agree with us, as far as our terms
 * tell: before the first of our entries with the term of that one. */
uint64_t trail_hint(const Trail *trail, uint64_t index) _pure_;
