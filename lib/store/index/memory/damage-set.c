/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdlib.h>

/* Without memory HASH_ADD() leaves the table as it was, and the element in none. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "store/index/memory/damage-set.h"

#define CHANGES_MAX 8192 /* more of them are not kept allocated */

typedef struct DamageMark {
        uint32_t volume;
        DamageKind kind;
} DamageMark;

typedef struct DamageEntry {
        uint64_t version;
        uint8_t n_marks, n_copies;
        DamageMark marks[COPIES_MAX];
        UT_hash_handle hh;
} DamageEntry;

void damage_set_init(DamageSet *set) {
        (void) pthread_rwlock_init(&set->lock, NULL);
}

void damage_set_done(DamageSet *set) {
        DamageEntry *entry, *next;

        HASH_ITER(hh, set->entries, entry, next) {
                HASH_DEL(set->entries, entry);
                free(entry);
        }
        free(set->changes);
        (void) pthread_rwlock_destroy(&set->lock);
}

bool damage_set_is_empty(const DamageSet *set) {
        return set->n_changes == 0 && atomic_load(&set->n_marks) == 0;
}

static DamageEntry *find(const DamageSet *set, uint64_t version) {
        DamageEntry *entry;

        HASH_FIND(hh, set->entries, &version, sizeof(version), entry);
        return entry;
}

static DamageMark *find_mark(DamageEntry *entry, uint32_t volume) {
        for (size_t i = 0; entry && i < entry->n_marks; i++)
                if (entry->marks[i].volume == volume)
                        return entry->marks + i;
        return NULL;
}

static bool is_lost(const DamageEntry *entry) {
        return entry && entry->n_marks >= entry->n_copies;
}

static int reserve_change(DamageSet *set) {
        size_t allocated = MAX(set->n_changes_allocated * 2, (size_t) 64);
        DamageChange *changes;

        if (set->n_changes < set->n_changes_allocated)
                return 0;

        changes = reallocarray(set->changes, allocated, sizeof(*changes));
        if (!changes)
                return -ENOMEM;
        set->changes = changes;
        set->n_changes_allocated = allocated;
        return 0;
}

/* With the lock held for writing. An entry without a mark is nothing to readers. */
static int reserve_entry(DamageSet *set, uint64_t version) {
        DamageEntry *entry = find(set, version);

        if (entry)
                return 0;

        entry = calloc(1, sizeof(*entry));
        if (!entry)
                return -ENOMEM;
        entry->version = version;
        entry->n_copies = COPIES_MAX + 1;
        HASH_ADD(hh, set->entries, version, sizeof(entry->version), entry);
        if (!entry->hh.tbl) {
                free(entry);
                return -ENOMEM;
        }
        return 0;
}

/* A mark that is in the table must be in memory, too. So what it takes is allocated while the
 * transaction can still fail. */
int damage_set_change(DamageSet *set, const DamageChange *change) {
        int r;

        r = reserve_change(set);
        if (r < 0)
                return r;

        if (change->kind != DAMAGE_NONE) {
                (void) pthread_rwlock_wrlock(&set->lock);
                r = reserve_entry(set, change->version);
                (void) pthread_rwlock_unlock(&set->lock);
                if (r < 0)
                        return r;
        }

        set->changes[set->n_changes++] = *change;
        return 0;
}

static void add_mark(DamageSet *set, DamageEntry *entry, const DamageChange *change) {
        DamageMark *mark = find_mark(entry, change->volume);

        if (!mark && entry->n_marks < COPIES_MAX) {
                if (entry->n_marks == 0)
                        (void) atomic_fetch_add(&set->n_values, 1);
                mark = entry->marks + entry->n_marks++;
                mark->volume = change->volume;
                (void) atomic_fetch_add(&set->n_marks, 1);
                (void) atomic_fetch_add(&set->n_made, 1);
                (void) atomic_fetch_add(set->n_on + change->volume, 1);
        }
        if (mark)
                mark->kind = change->kind;
        entry->n_copies = change->n_copies;
}

static void remove_mark(DamageSet *set, DamageEntry *entry, uint32_t volume) {
        DamageMark *mark = find_mark(entry, volume);

        if (!mark)
                return;
        *mark = entry->marks[--entry->n_marks];
        if (entry->n_marks == 0)
                (void) atomic_fetch_sub(&set->n_values, 1);
        (void) atomic_fetch_sub(&set->n_marks, 1);
        (void) atomic_fetch_sub(set->n_on + volume, 1);
}

/* With the lock held for writing. */
static void apply(DamageSet *set, const DamageChange *change) {
        DamageEntry *entry = find(set, change->version);
        bool was_lost = is_lost(entry), now_lost;

        if (change->kind != DAMAGE_NONE)
                add_mark(set, entry, change);
        else
                remove_mark(set, entry, change->volume);

        now_lost = is_lost(entry);
        (void) atomic_fetch_add(&set->n_lost, (uint64_t) now_lost - (uint64_t) was_lost);
        if (now_lost && set->lost_version == 0)
                set->lost_version = change->version;
        if (!now_lost && set->lost_version == change->version)
                set->lost_version = 0;
}

/* With the lock held for writing: removes what has no mark now, and ends the transaction. */
static void end_transaction(DamageSet *set) {
        for (size_t i = 0; i < set->n_changes; i++) {
                DamageEntry *entry = find(set, set->changes[i].version);

                if (entry && entry->n_marks == 0) {
                        HASH_DEL(set->entries, entry);
                        free(entry);
                }
        }

        set->n_changes = 0;
        if (set->n_changes_allocated > CHANGES_MAX) {
                free(set->changes);
                set->changes = NULL;
                set->n_changes_allocated = 0;
        }
}

void damage_set_keep(DamageSet *set) {
        if (set->n_changes == 0)
                return;

        (void) pthread_rwlock_wrlock(&set->lock);
        for (size_t i = 0; i < set->n_changes; i++)
                apply(set, set->changes + i);
        end_transaction(set);
        (void) pthread_rwlock_unlock(&set->lock);
}

void damage_set_undo(DamageSet *set) {
        if (set->n_changes == 0)
                return;

        (void) pthread_rwlock_wrlock(&set->lock);
        end_transaction(set);
        (void) pthread_rwlock_unlock(&set->lock);
}

DamageKind damage_set_get(DamageSet *set, uint64_t version, uint32_t volume) {
        const DamageMark *mark;
        DamageKind kind;

        if (atomic_load(&set->n_marks) == 0)
                return DAMAGE_NONE;

        (void) pthread_rwlock_rdlock(&set->lock);
        mark = find_mark(find(set, version), volume);
        kind = mark ? mark->kind : DAMAGE_NONE;
        (void) pthread_rwlock_unlock(&set->lock);
        return kind;
}

bool damage_set_is_lost(DamageSet *set, uint64_t version) {
        bool lost;

        if (atomic_load(&set->n_lost) == 0)
                return false;

        (void) pthread_rwlock_rdlock(&set->lock);
        lost = is_lost(find(set, version));
        (void) pthread_rwlock_unlock(&set->lock);
        return lost;
}

static uint64_t find_lost(const DamageSet *set) {
        const DamageEntry *entry;

        for (entry = set->entries; entry; entry = entry->hh.next)
                if (is_lost(entry))
                        return entry->version;
        return 0;
}

uint64_t damage_set_lost_version(DamageSet *set) {
        uint64_t version;

        if (atomic_load(&set->n_lost) == 0)
                return 0;

        (void) pthread_rwlock_wrlock(&set->lock);
        if (set->lost_version == 0)
                set->lost_version = find_lost(set);
        version = set->lost_version;
        (void) pthread_rwlock_unlock(&set->lock);
        return version;
}
