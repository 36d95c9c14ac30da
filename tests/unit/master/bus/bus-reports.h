/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Volumes that report to a master, and what its objects say. */

#include "master/bus/bus-fixture.h"
#include "master/cluster/report.h"

static inline const char *get_text(const char *path, const char *interface, const char *property) {
        const char *text;

        bus_ends_get(&ends, path, interface, property, "s", &text);
        return text;
}

static inline uint64_t get_number(const char *path, const char *interface, const char *property) {
        uint64_t number;

        bus_ends_get(&ends, path, interface, property, "t", &number);
        return number;
}

static inline uint32_t get_small(const char *path, const char *interface, const char *property) {
        uint32_t number;

        bus_ends_get(&ends, path, interface, property, "u", &number);
        return number;
}

static inline bool get_flag(const char *path, const char *interface, const char *property) {
        int flag;

        bus_ends_get(&ends, path, interface, property, "b", &flag);
        return flag;
}

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

/* Three active volumes, with jobs and bus. */
static inline int three_volumes(void **state) {
        Fixture *fixture = fixture_new();

        start_jobs(fixture);
        start_bus(fixture);
        report(fixture, 3);
        (void) epoch_of(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "AddVolumes",
                                      "aua{sv}", 3, 1, 2, 3, 0));
        *state = fixture;
        return 0;
}

/* No volumes, but jobs and bus. */
static inline int no_volumes(void **state) {
        Fixture *fixture = fixture_new();

        start_jobs(fixture);
        start_bus(fixture);
        *state = fixture;
        return 0;
}

static inline int stop(void **state) {
        fixture_free(*state);
        return 0;
}

#define WITH_VOLUMES(test)    cmocka_unit_test_setup_teardown(test, three_volumes, stop)
#define WITHOUT_VOLUMES(test) cmocka_unit_test_setup_teardown(test, no_volumes, stop)
