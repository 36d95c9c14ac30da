/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "base/metric.h"

int metric_read(const Metric table[],
                size_t n,
                const char *property,
                const void *source,
                uint64_t *ret) {
        for (const Metric *metric = table; metric < table + n; metric++) {
                if (strcmp(metric->property, property) != 0)
                        continue;
                if (metric->get)
                        return metric->get(source, ret);
                *ret = *(const uint64_t *) ((const char *) source + metric->offset);
                return 0;
        }
        return -ENOENT;
}
