/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <math.h>
#include <string.h>

#include "core/placement/placement.h"

#define LIVE UINT32_MAX

/* The paper's R maps a removed bucket b to (c, p): how many buckets were left, and which one had
 * been removed before. Both follow from the position of b in the order of removals, so that order
 * is all there is to keep. */
struct Buckets {
        uint32_t limit;
        uint32_t n_removed;
        uint32_t *removed;  /* in the order of removal; room for LIMIT; owned */
        uint32_t *position; /* bucket -> its index in REMOVED, or LIVE; owned */
        uint32_t allocated; /* of both */
};

uint32_t placement_jump(uint64_t hash, uint32_t n_buckets) {
        uint64_t bucket = 0, next = 0;

        assert(n_buckets > 0);

        while (next < n_buckets) {
                bucket = next;
                hash = hash * UINT64_C(2862933555777941757) + 1;
                next = (uint64_t) ((double) (bucket + 1) * (0x1p31 / (double) ((hash >> 33) + 1)));
        }

        return (uint32_t) bucket;
}

/* The finaliser of splitmix64. */
static uint64_t scramble(uint64_t x) {
        x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
        return x ^ x >> 31;
}

static uint64_t mix(uint64_t hash, uint64_t with) {
        return scramble(hash ^ scramble(with));
}

int buckets_new(Buckets **ret) {
        Buckets *buckets = malloc(sizeof(*buckets));

        assert(ret);

        if (!buckets)
                return -ENOMEM;

        *buckets = (Buckets){};
        *ret = buckets;
        return 0;
}

Buckets *buckets_free(Buckets *buckets) {
        if (!buckets)
                return NULL;

        free(buckets->removed);
        free(buckets->position);
        free(buckets);
        return NULL;
}

static int buckets_reserve(Buckets *buckets, uint32_t n) {
        uint32_t *removed, *position;

        if (n <= buckets->allocated)
                return 0;

        n = MAX(n, 2 * buckets->allocated);
        removed = reallocarray(buckets->removed, n, sizeof(*removed));
        if (!removed)
                return -ENOMEM;
        buckets->removed = removed;
        position = reallocarray(buckets->position, n, sizeof(*position));
        if (!position)
                return -ENOMEM;
        buckets->position = position;

        buckets->allocated = n;
        return 0;
}

int buckets_copy(const Buckets *buckets, Buckets **ret) {
        _cleanup_(buckets_freep) Buckets *copy = NULL;
        int r;

        assert(buckets);
        assert(ret);

        r = buckets_new(&copy);
        if (r < 0)
                return r;
        r = buckets_reserve(copy, buckets->limit);
        if (r < 0)
                return r;

        if (buckets->limit > 0) {
                memcpy(copy->position, buckets->position, buckets->limit * sizeof(*copy->position));
                memcpy(copy->removed, buckets->removed,
                       buckets->n_removed * sizeof(*copy->removed));
        }
        copy->limit = buckets->limit;
        copy->n_removed = buckets->n_removed;

        *ret = TAKE_PTR(copy);
        return 0;
}

int buckets_add(Buckets *buckets, uint32_t *ret_bucket) {
        uint32_t bucket;
        int r;

        assert(buckets);
        assert(buckets->limit < LIVE);
        assert(ret_bucket);

        if (buckets->n_removed > 0)
                bucket = buckets->removed[--buckets->n_removed];
        else {
                r = buckets_reserve(buckets, buckets->limit + 1);
                if (r < 0)
                        return r;
                bucket = buckets->limit++;
        }

        buckets->position[bucket] = LIVE;
        *ret_bucket = bucket;
        return 0;
}

int buckets_remove(Buckets *buckets, uint32_t bucket) {
        assert(buckets);

        if (bucket >= buckets->limit || buckets->position[bucket] != LIVE)
                return -ENOENT;

        if (buckets->n_removed == 0 && bucket == buckets->limit - 1)
                buckets->limit--;
        else {
                buckets->position[bucket] = buckets->n_removed;
                buckets->removed[buckets->n_removed++] = bucket;
        }

        return 0;
}

uint32_t buckets_count(const Buckets *buckets) {
        return buckets->limit - buckets->n_removed;
}

uint32_t buckets_limit(const Buckets *buckets) {
        return buckets->limit;
}

const uint32_t *buckets_removed(const Buckets *buckets, uint32_t *ret_count) {
        assert(buckets);
        assert(ret_count);

        *ret_count = buckets->n_removed;
        return buckets->removed;
}

/* The paper's c: how many buckets were left when BUCKET was removed. Those are numbered anew from
 * 0, in that a number below c stands for the bucket itself, or for what that was replaced by. */
static uint32_t left_without(const Buckets *buckets, uint32_t bucket) {
        return buckets->limit - buckets->position[bucket] - 1;
}

static bool is_removed(const Buckets *buckets, uint32_t bucket) {
        return buckets->position[bucket] != LIVE;
}

uint32_t buckets_lookup(const Buckets *buckets, uint64_t hash) {
        uint32_t bucket;

        assert(buckets_count(buckets) > 0);

        bucket = placement_jump(hash, buckets->limit);
        while (is_removed(buckets, bucket)) {
                uint32_t left = left_without(buckets, bucket);

                bucket = (uint32_t) (mix(hash, bucket) % left);
                while (is_removed(buckets, bucket) && left_without(buckets, bucket) >= left)
                        bucket = left_without(buckets, bucket);
        }

        return bucket;
}

double placement_score(uint64_t hash, uint32_t volume, uint32_t weight) {
        /* Beyond all buckets, so that a volume's score tells nothing about the chain of its bucket.
         */
        uint64_t mixed = mix(hash, UINT64_C(1) << 32 | volume);
        double uniform = ((double) (mixed >> 12) + 0.5) * 0x1p-52; /* in (0, 1) */

        return (double) weight / -log(uniform);
}
