/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Damage: turns what volumes and jobs find damaged into marks in the index (store/index/damage.h),
 * and has volumes look whether a marked copy is good after all. */

#include "core/damage.h"
#include "master/cluster/volumes.h"
#include "master/trouble/trouble.h"
#include "rpc/peers.h"
#include "store/index/damage.h"

/* Marks a copy, soon; from any thread. */
void damage_mark(Index *index, const char *key, uint64_t version, uint32_t volume, DamageKind kind);

/* Takes a mark away, soon; from any thread. */
void damage_unmark(Index *index, const char *key, uint64_t version, uint32_t volume);

/* On the main loop, now and then: notes what is damaged among the troubles of the cluster. */
void damage_watch(Index *index, Volumes *volumes, Troubles *troubles);

/* Logs that the copy of a version of KEY on VOLUME is damaged or missing. */
void damage_log_copy(const char *key, uint64_t version, uint32_t volume);

/* Logs the values whose last good copy this change has found damaged. */
void damage_log_lost(const IndexDamage *damage);

/* Logs that the index is damaged where KEY belongs. */
void damage_log_index(const char *key);

typedef struct DamageCopy {
        uint64_t version;
        char *key; /* owned */
} DamageCopy;

/* None of it is owned. */
typedef struct DamageLookOptions {
        Index *index;
        Volumes *volumes;
        Peers *peers;                    /* for calls that take long */
        void (*on_good)(void *userdata); /* a mark was taken away; on the peers' thread */
        void *userdata;
} DamageLookOptions;

/* Has the volume read these copies, and takes away the marks of those that are good. Takes over
 * COPIES, an array from malloc(). Returns 0 or a negative errno. */
int damage_look(const DamageLookOptions *options, uint32_t volume, DamageCopy *copies, size_t n);
