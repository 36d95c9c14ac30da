/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Cluster map: the volumes, what they weigh, and which buckets of the placement they own.
 *
 * A map is a value: it is copied, changed and published as a whole, under a growing epoch. Whether
 * a volume can be reached right now is not part of it. */

#include "base/macro.h"
#include "base/uuid.h"
#include "core/limits.h"
#include "core/placement/placement.h"
#include "core/placement/volume-state.h"

#define WEIGHT_MAX 256

typedef struct Volume {
        uint32_t number;
        uint32_t weight;
        VolumeState state;
        Uuid uuid;  /* of the store; two stores must not have the same number */
        char *url;  /* scheme, host and port, without a slash at the end; owned */
        char *zone; /* owned */

        /* Fixed by the administrator: what the volume reports does not change them. */
        bool url_is_set, zone_is_set;

        /* In maintenance, a volume gets no new values. µs since the epoch; 0 for not at all,
         * UINT64_MAX without end. */
        uint64_t maintenance_until;
} Volume;

/* Whether its maintenance still lasts at NOW_USEC. */
bool volume_in_maintenance(const Volume *volume, uint64_t now_usec) _pure_;

#define EPOCH_ANY 0 /* no map that has a volume has this epoch */

typedef struct Cluster {
        uint64_t epoch;
        uint32_t copies; /* of each value, up to COPIES_MAX; 0 leaves it to the settings */
        Volume *volumes; /* ordered by number; owned */
        size_t n_volumes;
        Buckets *buckets; /* owned */
        uint32_t *owners; /* bucket -> number of the volume, 0 for a removed bucket; owned */
} Cluster;

int cluster_new(Cluster **ret);
Cluster *cluster_free(Cluster *cluster);
DEFINE_CLEANUP(Cluster *, cluster_free);
int cluster_copy(const Cluster *cluster, Cluster **ret);

/* Borrowed, NULL if there is none. */
Volume *cluster_find(const Cluster *cluster, uint32_t number);

/* Makes a volume known, in state new. Returns 0, -EEXIST if the number is taken, -EINVAL for a bad
 * number or weight. Does not change the epoch. */
int cluster_add_volume(
                Cluster *cluster,
                uint32_t number,
                const Uuid uuid,
                const char *url,
                const char *zone,
                uint32_t weight);

/* Replaces the url or zone. Returns 0, -ENOENT or -ENOMEM. */
int cluster_set_url(Cluster *cluster, uint32_t number, const char *url);
int cluster_set_zone(Cluster *cluster, uint32_t number, const char *zone);

/* Gives an active volume its buckets and takes them from one that no longer is. Returns 0, -ENOENT,
 * -EBUSY for a change that cannot be made (removed volumes stay removed). */
int cluster_set_state(Cluster *cluster, uint32_t number, VolumeState state);

/* Of an active volume: moves only the buckets of the difference. */
int cluster_set_weight(Cluster *cluster, uint32_t number, uint32_t weight);

/* Which volumes may be chosen right now; NULL for all that are active. */
typedef bool (*ClusterUsable)(const Volume *volume, void *userdata);

/* Picks up to COPIES distinct volumes for a key's hash, preferred one first: the owner of the
 * hash's bucket, then the others by rendezvous score, those in zones that have none yet before the
 * rest. Only active volumes for which USABLE says yes. Returns how many, 0 if there is none. */
size_t cluster_place(
                const Cluster *cluster,
                uint64_t hash,
                size_t copies,
                ClusterUsable usable,
                void *userdata,
                uint32_t ret_volumes[static COPIES_MAX]);

/* Picks more volumes in the same way, behind the N_CHOSEN that are in VOLUMES already, whatever
 * their state, until there are COPIES. Returns how many there are now. */
size_t cluster_place_more(
                const Cluster *cluster,
                uint64_t hash,
                size_t copies,
                ClusterUsable usable,
                void *userdata,
                size_t n_chosen,
                uint32_t volumes[static COPIES_MAX]);
