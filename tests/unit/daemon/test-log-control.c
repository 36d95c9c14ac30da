/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>

#include "base/log.h"
#include "bus/bus-ends.h"
#include "daemon/log-control.h"

#define PATH      "/org/freedesktop/LogControl1"
#define INTERFACE "org.freedesktop.LogControl1"

static BusEnds ends;

static int setup(void **state) {
        static const BusObject objects[] = { LOG_CONTROL_OBJECT, {} };

        log_set_level(LOG_INFO);
        log_set_target(LOG_TARGET_AUTO);
        bus_ends_init(&ends);
        return bus_add_objects(ends.server, objects, NULL);
}

static int teardown(void **state) {
        bus_ends_done(&ends);
        return 0;
}

static const char *get(const char *property) {
        const char *text;

        bus_ends_get(&ends, PATH, INTERFACE, property, "s", &text);
        return text;
}

static sd_bus_message *set(const char *property, const char *value) {
        return bus_ends_call(
                        &ends, PATH, "org.freedesktop.DBus.Properties", "Set", "ssv", INTERFACE,
                        property, "s", value);
}

TEST(says_how_it_is) {
        assert_string_equal(get("LogLevel"), "info");
        assert_string_equal(get("LogTarget"), "auto");
        assert_string_equal(get("SyslogIdentifier"), program_invocation_short_name);
}

TEST(level_is_set) {
        static const char *const levels[] = { "emerg",   "alert",  "crit", "err",
                                              "warning", "notice", "info", "debug" };

        for (int level = LOG_EMERG; level <= LOG_DEBUG; level++) {
                (void) sd_bus_message_unref(assert_no_bus_error(set("LogLevel", levels[level])));
                assert_int_equal(log_get_level(), level);
                assert_string_equal(get("LogLevel"), levels[level]);
        }
}

TEST(what_is_no_level_changes_nothing) {
        static const char *const wrong[] = { "", "all", "7", "Debug", "debug " };

        for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
                assert_bus_error(
                                set("LogLevel", wrong[i]), "org.dkv.Error.Invalid", "no log level");
                assert_int_equal(log_get_level(), LOG_INFO);
        }
}

TEST(target_is_set) {
        static const char *const targets[] = { "journal", "console", "auto" };

        for (size_t i = 0; i < ELEMENTSOF(targets); i++) {
                (void) sd_bus_message_unref(assert_no_bus_error(set("LogTarget", targets[i])));
                assert_string_equal(get("LogTarget"), targets[i]);
        }
        assert_bus_error(set("LogTarget", "syslog"), "org.dkv.Error.Invalid", "no log target");
        assert_string_equal(get("LogTarget"), "auto");
}

TEST(identifier_cannot_be_set) {
        sd_bus_message *reply = set("SyslogIdentifier", "x");

        assert_non_null(sd_bus_message_get_error(reply));
        (void) sd_bus_message_unref(reply);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
        static const struct CMUnitTest tests[] = {
                ROW(says_how_it_is),
                ROW(level_is_set),
                ROW(what_is_no_level_changes_nothing),
                ROW(target_is_set),
                ROW(identifier_cannot_be_set),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
