/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/conf.h"
#include "bench/load/random.h"

#define ZIPF_EXPONENT 0.99

uint64_t random_next(Random *random) {
        uint64_t x = random->state += UINT64_C(0x9e3779b97f4a7c15);

        x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
        return x ^ (x >> 31);
}

uint64_t random_below(Random *random, uint64_t limit) {
        assert(limit > 0);

        return (uint64_t) (((unsigned __int128) random_next(random) * limit) >> 64);
}

double random_unit(Random *random) {
        return (double) (random_next(random) >> 11) * 0x1p-53;
}

/* As in configuration files: a number with K, M, G or T. */
static int parse_quantity(const char *text, size_t length, ConfType type, uint64_t *ret) {
        typedef struct Quantity {
                ConfOrigins origins;
                uint64_t value;
        } Quantity;
        const ConfItem items[] = { { "", "value", type, offsetof(Quantity, value), "0" }, {} };
        _cleanup_free_ char *copy = strndup(text, length);
        Quantity quantity = {};
        int r;

        if (!copy)
                return -ENOMEM;
        if (length == 0)
                return -EINVAL;

        r = conf_set(items, &quantity, "value", copy, NULL);
        if (r >= 0)
                *ret = quantity.value;
        return r;
}

static int parse_item(Sizes *sizes, const char *text, size_t length) {
        const char *colon = memchr(text, ':', length);
        size_t size_length = colon ? (size_t) (colon - text) : length;
        uint64_t size = 0, weight = 1;
        int r;

        if (sizes->n >= SIZES_MAX)
                return -ERANGE;

        r = parse_quantity(text, size_length, CONF_SIZE, &size);
        if (r < 0)
                return r;
        if (colon) {
                r = parse_quantity(colon + 1, length - size_length - 1, CONF_UINT, &weight);
                if (r < 0)
                        return r;
        }
        if (weight == 0 || __builtin_add_overflow(sizes->total, weight, &sizes->total))
                return -ERANGE;

        sizes->items[sizes->n].size = size;
        sizes->items[sizes->n++].weight = weight;
        return 0;
}

static int parse_range(const char *text, const char *dash, Sizes *ret) {
        Sizes sizes = {};
        int r;

        r = parse_quantity(text, (size_t) (dash - text), CONF_SIZE, &sizes.minimum);
        if (r < 0)
                return r;
        r = parse_quantity(dash + 1, strlen(dash + 1), CONF_SIZE, &sizes.maximum);
        if (r < 0)
                return r;
        if (sizes.minimum > sizes.maximum)
                return -ERANGE;

        *ret = sizes;
        return 0;
}

int sizes_parse(const char *text, Sizes *ret) {
        const char *dash = strchr(text, '-');
        Sizes sizes = {};
        int r;

        if (dash)
                return parse_range(text, dash, ret);

        for (;;) {
                size_t length = strcspn(text, ",");

                r = parse_item(&sizes, text, length);
                if (r < 0)
                        return r;
                if (text[length] == '\0')
                        break;
                text += length + 1;
        }

        *ret = sizes;
        return 0;
}

uint64_t sizes_draw(const Sizes *sizes, Random *random) {
        uint64_t x;
        size_t i;

        if (sizes->n == 1)
                return sizes->items[0].size;

        if (sizes->n == 0) {
                double low = log1p((double) sizes->minimum), high = log1p((double) sizes->maximum);

                x = (uint64_t) expm1(low + random_unit(random) * (high - low));
                return MIN(MAX(x, sizes->minimum), sizes->maximum);
        }

        x = random_below(random, sizes->total);
        for (i = 0; x >= sizes->items[i].weight; i++)
                x -= sizes->items[i].weight;
        return sizes->items[i].size;
}

/* The area under x^-ZIPF_EXPONENT (up to a constant), and its inverse. */
static double area(double x) {
        return pow(x, 1 - ZIPF_EXPONENT) / (1 - ZIPF_EXPONENT);
}

static double area_inverse(double a) {
        return pow(a * (1 - ZIPF_EXPONENT), 1 / (1 - ZIPF_EXPONENT));
}

/* Rejection-inversion (Hörmann and Derflinger, "Rejection-inversion to generate variates from
 * monotone discrete distributions", 1996): throws a dart below the curve, and again if it missed
 * the step of the number that it fell on. */
void zipf_init(Zipf *zipf, uint64_t n) {
        assert(n > 0);

        *zipf = (Zipf){
                .n = (double) n,
                .start = area(1.5) - 1,
                .end = area((double) n + 0.5),
                .shortcut = 2 - area_inverse(area(2.5) - pow(2, -ZIPF_EXPONENT)),
        };
}

uint64_t zipf_draw(const Zipf *zipf, Random *random) {
        for (;;) {
                double dart = zipf->start + random_unit(random) * (zipf->end - zipf->start);
                double x = area_inverse(dart);
                double k = fmin(fmax(round(x), 1), zipf->n);

                if (k - x <= zipf->shortcut || dart >= area(k + 0.5) - pow(k, -ZIPF_EXPONENT))
                        return (uint64_t) k - 1;
        }
}
