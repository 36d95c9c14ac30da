/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "base/histogram.h"

#define VALUE_MAX ((UINT64_C(1) << HISTOGRAM_MAX_BITS) - 1)

/* Bucket i holds the values v with v >> shift == i - (shift << SUB_BITS), where shift leaves one
 * bit more than SUB_BITS of a large value, and is 0 for a small one. */
static size_t bucket_of(uint64_t value) {
        unsigned bits = value > 0 ? 64 - (unsigned) __builtin_clzll(value) : 0;
        unsigned shift = bits > HISTOGRAM_SUB_BITS + 1 ? bits - HISTOGRAM_SUB_BITS - 1 : 0;

        return ((size_t) shift << HISTOGRAM_SUB_BITS) + (value >> shift);
}

static uint64_t bucket_end(size_t i) {
        size_t row = i >> HISTOGRAM_SUB_BITS;
        unsigned shift = row > 1 ? (unsigned) row - 1 : 0;
        uint64_t start = (uint64_t) (i - ((size_t) shift << HISTOGRAM_SUB_BITS)) << shift;

        return start + (UINT64_C(1) << shift) - 1;
}

static uint64_t load(const atomic_uint_least64_t *value) {
        return atomic_load_explicit(value, memory_order_relaxed);
}

static void store(atomic_uint_least64_t *value, uint64_t new) {
        atomic_store_explicit(value, new, memory_order_relaxed);
}

static void increase(atomic_uint_least64_t *value, uint64_t n) {
        store(value, load(value) + n);
}

void histogram_add(Histogram *histogram, uint64_t value) {
        value = MIN(value, VALUE_MAX);

        increase(&histogram->count, 1);
        increase(&histogram->sum, value);
        if (value > load(&histogram->max))
                store(&histogram->max, value);
        increase(histogram->buckets + bucket_of(value), 1);
}

/* The count comes from the buckets: a value that is just being added may be in some of the figures
 * only. */
void histogram_merge(Histogram *histogram, const Histogram *other) {
        uint64_t count = 0;

        for (size_t i = 0; i < HISTOGRAM_SIZE; i++) {
                uint64_t n = load(other->buckets + i);

                increase(histogram->buckets + i, n);
                count += n;
        }
        increase(&histogram->count, count);
        increase(&histogram->sum, load(&other->sum));
        store(&histogram->max, MAX(load(&histogram->max), load(&other->max)));
}

uint64_t histogram_percentile(const Histogram *histogram, double percent) {
        double share = (double) load(&histogram->count) * percent / 100;
        uint64_t rank = (uint64_t) share, seen = 0;

        rank += (double) rank < share; /* rounded up */
        rank = MIN(MAX(rank, (uint64_t) 1), load(&histogram->count));
        for (size_t i = 0; i < HISTOGRAM_SIZE && rank > 0; i++) {
                seen += load(histogram->buckets + i);
                if (seen >= rank)
                        return MIN(bucket_end(i), load(&histogram->max));
        }

        return 0;
}

double histogram_mean(const Histogram *histogram) {
        uint64_t count = load(&histogram->count);

        return count > 0 ? (double) load(&histogram->sum) / (double) count : 0;
}
