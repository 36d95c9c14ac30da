/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Random: numbers for keys and sizes (splitmix64), and Sizes and Zipf: distributions to draw from
 * them. The same seed gives the same series. */

#include "base/macro.h"

typedef struct Random {
        uint64_t state;
} Random;

uint64_t random_next(Random *random);

/* Uniform in [0, LIMIT). */
uint64_t random_below(Random *random, uint64_t limit);

/* Uniform in [0, 1). */
double random_unit(Random *random);

#define SIZES_MAX 32

/* One size, a range of sizes (uniform in their logarithm), or sizes with weights. */
typedef struct Sizes {
        size_t n; /* 0 for a range */
        uint64_t minimum, maximum;
        uint64_t total; /* of the weights */
        struct {
                uint64_t size;
                uint64_t weight;
        } items[SIZES_MAX];
} Sizes;

/* Parses "SIZE", "MIN-MAX" or "SIZE:WEIGHT,…". Returns 0, -EINVAL or -ERANGE. */
int sizes_parse(const char *text, Sizes *ret);

uint64_t sizes_draw(const Sizes *sizes, Random *random);

/* Numbers in [0, n), number k with a probability proportional to 1/(k+1)^0.99. */
typedef struct Zipf {
        double n;
        double start, end; /* of the area under the curve */
        double shortcut;
} Zipf;

/* N must not be 0. Takes constant time, like each draw. */
void zipf_init(Zipf *zipf, uint64_t n);
uint64_t zipf_draw(const Zipf *zipf, Random *random);
