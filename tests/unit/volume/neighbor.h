/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Neighbor: another volume with a store of its own, from which copies are fetched. Its answers can
 * be changed on their way. Include after "test.h". */

#include "volume/call/fetch.h"
#include "volume/volume-world.h"

typedef struct Neighbor {
        uint64_t cut_after; /* bytes of an answer, after which the connection ends; 0 for never */
        int error;          /* that is answered instead; 0 for none */

        char *directory;
        Copies copies;
        Fixture server;
        char url[64];
        atomic_uint n_calls;
        atomic_uint n_asked; /* versions, in all calls */
} Neighbor;

/* It tells the world's master of damage. */
void neighbor_start(Neighbor *neighbor, World *world);
void neighbor_stop(Neighbor *neighbor);

/* Puts a value into its store. */
void neighbor_put(
                Neighbor *neighbor,
                uint64_t version,
                const char *key,
                const void *value,
                size_t size);

/* Damages the file of a version whose value contains MARK. */
void neighbor_damage(Neighbor *neighbor, const char *mark);

/* Who the source of a pull is meant to be. */
StoreIdentity neighbor_identity(void);
