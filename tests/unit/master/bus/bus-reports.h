/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Volumes that report to a master. */

#include "master/bus/bus-fixture.h"
#include "master/cluster/report.h"

static inline size_t count_volumes(Fixture *fixture) {
        _cleanup_free_ VolumeStatus *list = NULL;
        uint64_t epoch;
        size_t n;

        assert_ok(volumes_list(fixture->volumes, &list, &n, &epoch));
        return n;
}

/* Volumes 1 to N report. */
static inline void report(Fixture *fixture, uint32_t n) {
        static uint64_t sequence;

        for (uint32_t number = 1; number <= n; number++) {
                VolumeReport one = { .number = number,
                                     .uuid = { 0xab, [15] = (uint8_t) number },
                                     .run = 1,
                                     .sequence = ++sequence,
                                     .url = "http://127.0.0.1:3001",
                                     .zone = "here",
                                     .disk_free = 90 * GIB,
                                     .disk_size = 100 * GIB,
                                     .objects = 5,
                                     .bytes = 6,
                                     .pending = 7 };

                assert_ok(volumes_report(fixture->volumes, &one));
                bus_ends_await(&ends, count_volumes(fixture) >= number);
        }
        master_bus_refresh(fixture->bus);
}
