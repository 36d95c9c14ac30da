/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Metrics: the figures that the master and a volume tell about themselves on D-Bus, and that dkvadm
 * shows; what their HTTP servers count is in core/traffic.h. See base/metric.h for what a row is.
 */

#include "base/metric.h"

/* clang-format off */
#define MASTER_METRICS(ROW) \
        ROW(keys,      "Keys",     GAUGE, "",      "How many keys have a value.") \
        ROW(bytes,     "Bytes",    GAUGE, "bytes", "The size of all values, each counted once however many copies it has.") \
        ROW(garbage,   "Garbage",  GAUGE, "",      "How many copies wait to be deleted from their volumes.") \
        ROW(disk_free, "DiskFree", GAUGE, "bytes", "Free space where the index is.") \
        ROW(disk_size, "DiskSize", GAUGE, "bytes", "The size of the file system where the index is.")

#define STORE_METRICS(ROW) \
        ROW(disk_free, "DiskFree", GAUGE, "bytes", "How much more fits on the disk.") \
        ROW(disk_size, "DiskSize", GAUGE, "bytes", "The size of the file system.") \
        ROW(objects,   "Objects",  GAUGE, "",      "How many copies there are, including those that wait to be deleted.") \
        ROW(bytes,     "Bytes",    GAUGE, "bytes", "The size of all copies.")
/* clang-format on */
