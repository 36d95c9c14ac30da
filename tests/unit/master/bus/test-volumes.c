/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The objects of the volumes: what they show, and how they are changed. */

#include "test.h"

#include <errno.h>
#include <stdio.h>

#include "master/bus/bus-fixture.h"
#include "master/bus/bus-reports.h"

TEST(volumes_are_objects) {
        static const char *const missing[] = { "3", "0", "01", "1x", "x", "4294967297", "1/2" };
        uint32_t number;

        report(*state, 2);
        bus_ends_get(&ends, VOLUME_1, VOLUME_INTERFACE, "Number", "u", &number);
        assert_int_equal(number, 1);
        assert_string_equal(
                        get_text(VOLUME_1, VOLUME_INTERFACE, "Uuid"),
                        "ab000000-0000-0000-0000-000000000001");
        assert_string_equal(get_text(VOLUME_1, VOLUME_INTERFACE, "State"), "new");
        assert_string_equal(get_text(VOLUME_1, VOLUME_INTERFACE, "Zone"), "here");
        assert_string_equal(get_text(VOLUME_1, VOLUME_INTERFACE, "Url"), "http://127.0.0.1:3001");
        assert_true(get_flag(VOLUME_1, VOLUME_INTERFACE, "Up"));
        assert_false(get_flag(VOLUME_1, VOLUME_INTERFACE, "NearlyFull"));
        assert_int_equal(get_number(VOLUME_1, VOLUME_INTERFACE, "DiskFree"), 90 * GIB);
        assert_int_equal(get_number(VOLUME_1, VOLUME_INTERFACE, "Objects"), 5);
        assert_int_equal(get_number(VOLUME_1, VOLUME_INTERFACE, "Bytes"), 6);
        assert_int_equal(get_number(VOLUME_1, VOLUME_INTERFACE, "Pending"), 7);
        assert_int_not_equal(get_number(VOLUME_1, VOLUME_INTERFACE, "LastSeen"), 0);

        for (size_t i = 0; i < ELEMENTSOF(missing); i++) {
                char path[64];

                (void) snprintf(path, sizeof(path), MANAGER_PATH "/volume/%s", missing[i]);
                assert_bus_error(
                                bus_ends_call(&ends, path, VOLUME_INTERFACE, "Set", "a{sv}", 0),
                                SD_BUS_ERROR_UNKNOWN_OBJECT, "");
        }
}

TEST(set_changes_what_is_given) {
        uint32_t weight;

        report(*state, 1);
        (void) epoch_of(
                        bus_ends_call(&ends, VOLUME_1, VOLUME_INTERFACE, "Set", "a{sv}", 2,
                                      "weight", "u", 3, "zone", "s", "there"));
        bus_ends_get(&ends, VOLUME_1, VOLUME_INTERFACE, "Weight", "u", &weight);
        assert_int_equal(weight, 3);
        assert_string_equal(get_text(VOLUME_1, VOLUME_INTERFACE, "Zone"), "there");
        assert_string_equal(get_text(VOLUME_1, VOLUME_INTERFACE, "Url"), "http://127.0.0.1:3001");

        assert_bus_error(
                        bus_ends_call(&ends, VOLUME_1, VOLUME_INTERFACE, "Set", "a{sv}", 1,
                                      "weight", "u", 0),
                        "org.dkv.Error.Invalid", "at least 1");
        assert_bus_error(
                        bus_ends_call(&ends, VOLUME_1, VOLUME_INTERFACE, "Set", "a{sv}", 1, "url",
                                      "s", "gopher://here"),
                        "org.dkv.Error.Invalid", "Volume 1");
}

TEST(maintenance_begins_and_ends) {
        report(*state, 1);
        (void) epoch_of(
                        bus_ends_call(&ends, VOLUME_1, VOLUME_INTERFACE, "SetMaintenance", "ta{sv}",
                                      UINT64_MAX, 0));
        assert_int_equal(get_number(VOLUME_1, VOLUME_INTERFACE, "MaintenanceUntil"), UINT64_MAX);
        (void) epoch_of(
                        bus_ends_call(&ends, VOLUME_1, VOLUME_INTERFACE, "SetMaintenance", "ta{sv}",
                                      UINT64_C(0), 0));
        assert_int_equal(get_number(VOLUME_1, VOLUME_INTERFACE, "MaintenanceUntil"), 0);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                WITHOUT_VOLUMES(volumes_are_objects),
                WITHOUT_VOLUMES(set_changes_what_is_given),
                WITHOUT_VOLUMES(maintenance_begins_and_ends),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
