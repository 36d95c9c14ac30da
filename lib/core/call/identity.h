/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Identity: who takes part in a cluster, as calls and tickets name them. */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/uuid.h"

#define CLUSTER_ID_SIZE 16

/* A start of a master of a cluster. Terms grow with each start; the leader is a random number. It
 * tells two starts with the same term apart, which two copies of a directory can have. */
typedef struct Leadership {
        uint8_t cluster[CLUSTER_ID_SIZE]; /* zeroes if there is none */
        uint64_t term, leader;
} Leadership;

/* The store of a volume, and the start of the daemon that serves it. */
typedef struct StoreIdentity {
        uint32_t number; /* 0 for none: in a call, for the master */
        Uuid uuid;
        uint64_t run; /* random; 0 for any */
} StoreIdentity;

/* What a volume answers to a caller that looks for another store of its number. So the caller can
 * tell this from an address that belongs to another volume. */
#define IDENTITY_OTHER_STORE "This is another store of this volume."

static inline bool leadership_equal(const Leadership *a, const Leadership *b) {
        return memcmp(a->cluster, b->cluster, sizeof(a->cluster)) == 0 && a->term == b->term &&
               a->leader == b->leader;
}

static inline bool cluster_id_equal(
                const uint8_t a[static CLUSTER_ID_SIZE], const uint8_t b[static CLUSTER_ID_SIZE]) {
        return memcmp(a, b, CLUSTER_ID_SIZE) == 0;
}

static inline bool cluster_id_is_null(const uint8_t id[static CLUSTER_ID_SIZE]) {
        static const uint8_t null[CLUSTER_ID_SIZE];

        return cluster_id_equal(id, null);
}

/* Whether both are the same store, whatever their runs are. */
static inline bool store_identity_equal(const StoreIdentity *a, const StoreIdentity *b) {
        return a->number == b->number && memcmp(a->uuid, b->uuid, sizeof(a->uuid)) == 0;
}
