/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <math.h>

#include "bench/histogram.h"

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

void histogram_add(Histogram *histogram, uint64_t value) {
        value = MIN(value, VALUE_MAX);

        histogram->count++;
        histogram->sum += value;
        histogram->max = MAX(histogram->max, value);
        histogram->buckets[bucket_of(value)]++;
}

void histogram_merge(Histogram *histogram, const Histogram *other) {
        histogram->count += other->count;
        histogram->sum += other->sum;
        histogram->max = MAX(histogram->max, other->max);
        for (size_t i = 0; i < HISTOGRAM_SIZE; i++)
                histogram->buckets[i] += other->buckets[i];
}

uint64_t histogram_percentile(const Histogram *histogram, double percent) {
        uint64_t rank = (uint64_t) ceil((double) histogram->count * percent / 100), seen = 0;

        rank = MIN(MAX(rank, (uint64_t) 1), histogram->count);
        for (size_t i = 0; i < HISTOGRAM_SIZE && rank > 0; i++) {
                seen += histogram->buckets[i];
                if (seen >= rank)
                        return MIN(bucket_end(i), histogram->max);
        }

        return 0;
}

double histogram_mean(const Histogram *histogram) {
        return histogram->count > 0 ? (double) histogram->sum / (double) histogram->count : 0;
}
