/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Placement: which bucket a hash belongs to, and which volumes come next.
 *
 * Pure functions of their arguments; tests/unit/core/placement/test-placement.c pins known answers.
 * A changed answer means that data has to move, so an improvement needs a new function, never an
 * edit of these. */

#include "base/macro.h"

/* Jump consistent hash (Lamping and Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm",
 * 2014): maps HASH to a bucket in [0, N_BUCKETS). Growing N_BUCKETS by one moves about 1/N_BUCKETS
 * of all keys, and those only into the new bucket. N_BUCKETS must not be 0. */
uint32_t placement_jump(uint64_t hash, uint32_t n_buckets) _const_;

/* Buckets that may be removed in any order (Coluzzi, Brocco, Antonucci, Leidi, "MementoHash",
 * 2023). With nothing removed, or only the last buckets, it is plain jump hash. */
typedef struct Buckets Buckets;

int buckets_new(Buckets **ret);
Buckets *buckets_free(Buckets *buckets);
DEFINE_CLEANUP(Buckets *, buckets_free);
int buckets_copy(const Buckets *buckets, Buckets **ret);

/* Adds a bucket: the one removed last, if any, else a new one. Its number is RET_BUCKET.
 * Returns 0 or -ENOMEM. */
int buckets_add(Buckets *buckets, uint32_t *ret_bucket);

/* Returns 0, or -ENOENT if there is no such bucket. */
int buckets_remove(Buckets *buckets, uint32_t bucket);

/* How many there are, and the number that all of them are below. */
uint32_t buckets_count(const Buckets *buckets) _pure_;
uint32_t buckets_limit(const Buckets *buckets) _pure_;

/* The removed buckets in the order of their removal; to persist the state and, through a series of
 * buckets_add() and buckets_remove(), to restore it. Returns a borrowed array. */
const uint32_t *buckets_removed(const Buckets *buckets, uint32_t *ret_count);

/* The bucket of HASH. There must be one. Does not allocate or change anything, so that any number
 * of threads may call it. */
uint32_t buckets_lookup(const Buckets *buckets, uint64_t hash) _pure_;

/* Weighted rendezvous hash (Thaler and Ravishankar, "Using Name-Based Mappings to Increase Hit
 * Rates", 1998; weights as by Schindelhauer and Schomaker, 2005): the higher score comes first. */
double placement_score(uint64_t hash, uint32_t volume, uint32_t weight) _const_;
