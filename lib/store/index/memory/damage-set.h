/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Damage set: the marks of a table in memory, for readers on any thread. One thread, the
 * committer's, changes it: changes wait for the end of the transaction that they belong to. */

#include <pthread.h>
#include <stdatomic.h>

#include "core/damage.h"
#include "core/placement/cluster.h"

typedef struct DamageChange {
        uint64_t version;
        uint32_t volume;
        DamageKind kind; /* DAMAGE_NONE takes the mark away */
        uint8_t n_copies;
} DamageChange;

typedef struct DamageSet {
        struct DamageEntry *entries; /* by version */
        pthread_rwlock_t lock;       /* guards the entries */
        atomic_uint_least64_t n_marks, n_values, n_lost, n_made;
        atomic_uint n_on[VOLUME_MAX + 1];
        uint64_t lost_version; /* one of them, or 0 */

        DamageChange *changes; /* of the transaction */
        size_t n_changes, n_changes_allocated;
} DamageSet;

void damage_set_init(DamageSet *set);
void damage_set_done(DamageSet *set);

/* For the committer: whether there may be any mark, also in this transaction. */
bool damage_set_is_empty(const DamageSet *set);

/* N_COPIES is how many the version has. Returns 0 or -ENOMEM: then the transaction has to fail; if
 * it does not, nothing can. */
int damage_set_change(DamageSet *set, const DamageChange *change);

/* The transaction was committed, or rolled back. */
void damage_set_keep(DamageSet *set);
void damage_set_undo(DamageSet *set);

DamageKind damage_set_get(DamageSet *set, uint64_t version, uint32_t volume);
bool damage_set_is_lost(DamageSet *set, uint64_t version);

/* One of the versions that are lost, 0 for none. */
uint64_t damage_set_lost_version(DamageSet *set);
