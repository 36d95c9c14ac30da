/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Damage of the index: which copies that records name are known to be damaged, missing or
 * unreadable on their volumes.
 *
 * A mark belongs to a copy of a version that is current. It is made by index_damage(), and goes in
 * the very transaction in which the copy becomes garbage, is pulled again (index_move() with the
 * volume as ADD), or is found to be good after all. Marks are in a table, and in memory for
 * readers, to whom a cluster without any costs one load. */

#include "core/damage.h"
#include "store/index/index.h"

typedef struct IndexDamageItem {
        uint64_t version;
        uint32_t volume;
        const char *key;
        DamageKind kind; /* DAMAGE_NONE takes the mark away */
        int error;   /* output: 0; -ENOENT if this is no copy of what is current, and there is no
                      * mark; -EBADMSG if all copies of the version have one now */
        bool is_new; /* output: it had no mark before */
} IndexDamageItem;

typedef struct IndexDamage {
        IndexRequest request;
        IndexDamageItem *items;
        size_t n_items;    /* up to INDEX_DAMAGE_MAX */
        uint64_t now_usec; /* since the epoch; what a mark has already, it keeps */
} IndexDamage;

#define INDEX_DAMAGE_MAX 4096

/* Marks copies, or takes their marks away. Result: 0, or a negative errno: then nothing has
 * changed. An item whose record or page is damaged gets no mark, and -ENOENT. */
void index_damage(Index *index, IndexDamage *damage);

/* Which copies of the record have a mark: bit I stands for copies[I]. */
unsigned index_damaged(Index *index, const Record *record);

DamageKind index_damage_kind(Index *index, uint64_t version, uint32_t volume);

typedef struct IndexDamageCounters {
        uint64_t copies; /* with a mark */
        uint64_t values; /* that these are copies of */
        uint64_t lost;   /* of the values: all copies have a mark */
        uint64_t made;   /* how many marks were made since the index was opened */
} IndexDamageCounters;

void index_damage_counters(Index *index, IndexDamageCounters *ret);

/* How many copies on this volume have a mark. */
uint64_t index_damage_on(Index *index, uint32_t volume);

typedef struct IndexDamageMark {
        uint64_t version;
        uint32_t volume;
        DamageKind kind;
        bool is_lost; /* all copies of the version have a mark */
        uint64_t since_usec;
        const char *key; /* borrowed */
} IndexDamageMark;

/* Calls on_mark() for up to LIMIT marks behind this copy, by version and then by volume, until it
 * returns non-zero. It runs under the index's read lock: it copies and returns. Returns what
 * on_mark() returned last, 0 at the end, or a negative errno. */
int index_damage_scan(
                Index *index,
                uint64_t after_version,
                uint32_t after_volume,
                size_t limit,
                int (*on_mark)(const IndexDamageMark *mark, void *userdata),
                void *userdata);

/* The key of a value that is lost; the same one as long as it is. Returns 0, or -ENOENT. */
int index_damage_lost_key(Index *index, Buffer *ret);
