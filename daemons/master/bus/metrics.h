/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The figures of the master, besides what its HTTP server counts. */

#include "base/metric.h"

/* clang-format off */
#define MASTER_METRICS(ROW) \
        ROW(keys,      "Keys",     GAUGE, "",      "How many keys have a value.") \
        ROW(bytes,     "Bytes",    GAUGE, "bytes", "The size of all values, each counted once however many copies it has.") \
        ROW(garbage,   "Garbage",  GAUGE, "",      "How many copies wait to be deleted from their volumes.") \
        ROW(disk_free, "DiskFree", GAUGE, "bytes", "Free space where the index is.") \
        ROW(disk_size, "DiskSize", GAUGE, "bytes", "The size of the file system where the index is.")
/* clang-format on */

#define MASTER_METRICS_MAX 5

/* Their source is a MasterBus. */
extern const Metric master_metrics[MASTER_METRICS_MAX];
