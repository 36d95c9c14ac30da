/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Damage: what volumes, and the jobs that move copies, find damaged becomes a mark in the index
 * (see store/index/damage.h); and looks whether what was marked is good after all. */

#include "core/damage.h"
#include "http/request.h"
#include "store/index/index.h"

typedef struct Master Master;

int damage_peer_finish(HttpRequest *request);

/* Marks a copy, soon; from any thread. */
void damage_mark(Index *index, const char *key, uint64_t version, uint32_t volume, DamageKind kind);

/* Takes a mark away, soon; from any thread. */
void damage_unmark(Index *index, const char *key, uint64_t version, uint32_t volume);

/* On the main loop, now and then: notes what is damaged among the troubles of the cluster. */
void damage_watch(Master *master);

/* Logs that the copy of a version of KEY on VOLUME is damaged or missing. */
void damage_log_copy(const char *key, uint64_t version, uint32_t volume);

/* Logs that the index is damaged where KEY belongs. */
void damage_log_index(const char *key);

/* Has the volume read these copies, and takes the marks of those away that are good. DONE is called
 * once, with how many, or a negative errno; on the client's or the committer's thread. */
typedef struct DamageCopy {
        uint64_t version;
        char *key; /* owned */
} DamageCopy;

/* Takes COPIES over, which is an array from malloc(). Returns 0 or a negative errno. */
int damage_look(Master *master, uint32_t volume, DamageCopy *copies, size_t n);
