/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Metric: a figure that a daemon tells about itself, with all that others need to show it.
 *
 * A table of them is one macro with a row for each, from which everything else is made: fields,
 * properties on D-Bus, what dkvadm reads, and what the man pages are compared with. A row is
 *
 *     ROW(field, "Property", TYPE, "unit", "What it counts, in a sentence.") */

#include "base/macro.h"

typedef enum MetricType {
        METRIC_COUNTER, /* only grows, from the start of the daemon on */
        METRIC_GAUGE,
} MetricType;

typedef struct Metric {
        const char *name;     /* "bytes_sent" */
        const char *property; /* "BytesSent", on D-Bus */
        MetricType type;
        const char *unit; /* "bytes"; "" for a number of things */
        const char *help;
        size_t offset; /* where the struct of figures has it: a uint64_t */
        int (*get)(const void *source,
                   uint64_t *ret); /* or a function that knows it; NULL for OFFSET */
} Metric;

/* Rows for a table of Metric: out of a struct TYPE, or by functions get_FIELD(). */
#define METRIC_IN(Type, field, property, type, unit, help) \
        { #field, property, METRIC_##type, unit, help, offsetof(Type, field), NULL },
#define METRIC_BY_FUNCTION(field, property, type, unit, help) \
        { #field, property, METRIC_##type, unit, help, 0, get_##field },

/* Reads the metric with this PROPERTY from SOURCE, which is what the rows of the table want.
 * Returns 0, -ENOENT if the TABLE, of N, has none, or what get() says. */
int metric_read(const Metric table[],
                size_t n,
                const char *property,
                const void *source,
                uint64_t *ret);
