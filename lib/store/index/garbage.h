/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Garbage of the index: copies that no record names any more, and what becomes of them. See
 * store/index/index.h for what garbage and tombstones are. */

#include "store/index/index.h"

/* Copies that were stored but whose write failed or was never heard of again. */
typedef struct IndexSettleItem {
        uint64_t version;
        const char *key;
        bool current; /* output: the key's record names this very copy */
} IndexSettleItem;

/* Decides about copies on VOLUME: those that are not current become garbage, and their versions
 * will never be committed. */
typedef struct IndexSettle {
        IndexRequest request;
        uint32_t volume;
        IndexSettleItem *items;
        size_t n_items;
        uint64_t garbage_due_usec;
        uint64_t tombstone_due_usec;
} IndexSettle;

void index_settle(Index *index, IndexSettle *settle);

typedef struct Garbage {
        uint64_t due_usec;
        uint64_t version;
} Garbage;

/* In the place of a volume: the tombstones. */
#define INDEX_TOMBSTONES 0

/* Reads up to MAX pieces of garbage of VOLUME that are due at DUE_USEC and durable: a volume may be
 * told to delete them. Returns how many, or a negative errno if not even the first can be read. */
int index_garbage(Index *index, uint32_t volume, uint64_t due_usec, Garbage *ret, size_t max);

/* Forgets the first N_GONE items, which VOLUME has deleted. It has failed to delete the others,
 * which become due again later. */
typedef struct IndexCollected {
        IndexRequest request;
        uint32_t volume;
        const Garbage *items;
        size_t n_gone, n_items;
        uint64_t again_due_usec;     /* for the rest */
        uint64_t tombstone_due_usec; /* for versions whose last copy this was */
} IndexCollected;

void index_collected(Index *index, IndexCollected *collected);
