/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Histogram: counts of times in µs, exact up to 255 and within 1/128 above, of constant size and
 * cost. One thread at a time adds, without a lock or a locked instruction; others may read
 * meanwhile, and find each value counted soon. */

#include <stdatomic.h>

#include "base/macro.h"

#define HISTOGRAM_SUB_BITS 7
#define HISTOGRAM_MAX_BITS 40 /* longer times than this, 12 days, count as the longest */
#define HISTOGRAM_SIZE     ((HISTOGRAM_MAX_BITS - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS)

typedef struct Histogram {
        atomic_uint_least64_t count;
        atomic_uint_least64_t sum;
        atomic_uint_least64_t max;
        atomic_uint_least64_t buckets[HISTOGRAM_SIZE];
} Histogram;

void histogram_add(Histogram *histogram, uint64_t value);

/* Adds what OTHER has counted, while another thread may be adding to that. */
void histogram_merge(Histogram *histogram, const Histogram *other);

/* The smallest recorded value (rounded up to the end of its bucket) that at least PERCENT of all
 * values do not exceed; 0 if there are none. */
uint64_t histogram_percentile(const Histogram *histogram, double percent) _pure_;

double histogram_mean(const Histogram *histogram) _pure_;
