/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <sys/statvfs.h>

#include "master/bus/metrics.h"

static IndexCounters counters_of(const MasterFigures *figures) {
        IndexCounters counters;

        index_counters(figures->index, &counters);
        return counters;
}

static int get_keys(const void *source, uint64_t *ret) {
        *ret = counters_of(source).keys;
        return 0;
}

static int get_bytes(const void *source, uint64_t *ret) {
        *ret = counters_of(source).bytes;
        return 0;
}

static int get_garbage(const void *source, uint64_t *ret) {
        *ret = counters_of(source).garbage;
        return 0;
}

static int get_disk_free(const void *source, uint64_t *ret) {
        const MasterFigures *figures = source;
        struct statvfs disk;

        if (statvfs(figures->directory, &disk) < 0)
                return -errno;
        *ret = (uint64_t) disk.f_bavail * disk.f_frsize;
        return 0;
}

static int get_disk_size(const void *source, uint64_t *ret) {
        const MasterFigures *figures = source;
        struct statvfs disk;

        if (statvfs(figures->directory, &disk) < 0)
                return -errno;
        *ret = (uint64_t) disk.f_blocks * disk.f_frsize;
        return 0;
}

const Metric master_metrics[MASTER_METRICS_MAX] = { MASTER_METRICS(METRIC_BY_FUNCTION) };
