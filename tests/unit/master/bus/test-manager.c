/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <stdio.h>

#include "master/bus/bus-fixture.h"
#include "master/bus/bus-reports.h"

static sd_bus_message *add(uint32_t number, uint64_t epoch) {
        return bus_ends_call(
                        &ends, MANAGER_PATH, MANAGER_INTERFACE, "AddVolumes", "aua{sv}", 1, number,
                        1, "epoch", "t", epoch);
}

TEST(manager_says_how_things_are) {
        Fixture *fixture = *state;
        uint32_t copies;

        report(fixture, 2);
        assert_string_equal(get_text(MANAGER_PATH, MANAGER_INTERFACE, "Version"), DKV_VERSION);
        assert_string_equal(
                        get_text(MANAGER_PATH, MANAGER_INTERFACE, "Directory"), fixture->directory);
        assert_string_equal(get_text(MANAGER_PATH, MANAGER_INTERFACE, "Health"), "down");
        assert_true(*get_text(MANAGER_PATH, MANAGER_INTERFACE, "HealthReason"));
        assert_true(*get_text(MANAGER_PATH, MANAGER_INTERFACE, "HealthAdvice"));
        assert_int_equal(get_number(MANAGER_PATH, MANAGER_INTERFACE, "Epoch"), 2);
        assert_int_equal(get_number(MANAGER_PATH, MANAGER_INTERFACE, "Keys"), 0);
        assert_int_equal(get_number(MANAGER_PATH, MANAGER_INTERFACE, "Requests"), 0);
        assert_true(get_number(MANAGER_PATH, MANAGER_INTERFACE, "DiskSize") >=
                    get_number(MANAGER_PATH, MANAGER_INTERFACE, "DiskFree"));
        bus_ends_get(&ends, MANAGER_PATH, MANAGER_INTERFACE, "Copies", "u", &copies);
        assert_int_equal(copies, fixture->conf.copies);
}

TEST(one_call_tells_of_all_volumes) {
        sd_bus_message *reply;
        const char *path;
        unsigned n = 0;

        report(*state, 12);
        reply = assert_no_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, "org.freedesktop.DBus.ObjectManager",
                                      "GetManagedObjects", ""));
        assert_ok(sd_bus_message_enter_container(reply, 'a', "{oa{sa{sv}}}"));
        while (sd_bus_message_enter_container(reply, 'e', "oa{sa{sv}}") > 0) {
                assert_ok(sd_bus_message_read(reply, "o", &path));
                n += strncmp(path, MANAGER_PATH "/volume/", strlen(MANAGER_PATH "/volume/")) == 0;
                assert_ok(sd_bus_message_skip(reply, "a{sa{sv}}"));
                assert_ok(sd_bus_message_exit_container(reply));
        }
        (void) sd_bus_message_unref(reply);
        assert_int_equal(n, 12);
}

TEST(add_makes_active_and_returns_the_epoch) {
        uint64_t epoch;

        report(*state, 2);
        epoch = epoch_of(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "AddVolumes",
                                      "aua{sv}", 2, 1, 2, 0));
        assert_int_equal(epoch, 3);
        assert_int_equal(get_number(MANAGER_PATH, MANAGER_INTERFACE, "Epoch"), epoch);
        assert_string_equal(get_text(VOLUME_1, VOLUME_INTERFACE, "State"), "active");

        /* Once more does no harm, and is no change. */
        assert_int_equal(epoch_of(add(1, epoch)), epoch);
}

TEST(change_of_another_map_conflicts) {
        report(*state, 2);
        assert_bus_error(add(1, 1), "org.dkv.Error.Conflict", "changed");
        assert_string_equal(get_text(VOLUME_1, VOLUME_INTERFACE, "State"), "new");
        assert_int_equal(epoch_of(add(1, 2)), 3);
        assert_bus_error(
                        bus_ends_call(&ends, VOLUME_1, VOLUME_INTERFACE, "Set", "a{sv}", 2,
                                      "weight", "u", 2, "epoch", "t", UINT64_C(2)),
                        "org.dkv.Error.Conflict", "changed");
        assert_bus_error(
                        bus_ends_call(&ends, VOLUME_1, VOLUME_INTERFACE, "SetMaintenance", "ta{sv}",
                                      UINT64_MAX, 1, "epoch", "t", UINT64_C(2)),
                        "org.dkv.Error.Conflict", "changed");
        assert_int_equal(get_number(VOLUME_1, VOLUME_INTERFACE, "MaintenanceUntil"), 0);
}

TEST(add_is_all_or_nothing_and_says_why_nothing) {
        report(*state, 1);
        assert_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "AddVolumes",
                                      "aua{sv}", 2, 1, 9, 0),
                        "org.dkv.Error.NotFound", "Volume 9");
        assert_string_equal(get_text(VOLUME_1, VOLUME_INTERFACE, "State"), "new");
        assert_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "AddVolumes",
                                      "aua{sv}", 0, 0),
                        "org.dkv.Error.Invalid", "1");
        assert_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "AddVolumes",
                                      "aua{sv}", 1, 1, 1, "force", "b", true),
                        "org.dkv.Error.Invalid", "'force'");
}

static int on_reply(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        *(sd_bus_message **) userdata = sd_bus_message_ref(message);
        return 1;
}

/* What was accepted is answered, although the loop has ended. */
TEST(change_under_way_is_answered_at_the_end) {
        Fixture *fixture = *state;
        sd_bus_message *reply = NULL;

        report(fixture, 1);
        assert_int_equal(get_number(MANAGER_PATH, MANAGER_INTERFACE, "Epoch"), 1);
        assert_ok(sd_bus_call_method_async(
                        ends.client, NULL, NULL, MANAGER_PATH, MANAGER_INTERFACE, "AddVolumes",
                        on_reply, &reply, "aua{sv}", 1, 1, 0));
        assert_ok(sd_bus_flush(ends.client));
        while (sd_bus_process(ends.server, NULL) > 0)
                ;
        stop_all(fixture);

        bus_ends_await(&ends, reply);
        assert_int_equal(epoch_of(reply), 2);
}

TEST(strangers_look_and_do_not_touch) {
        static const char refused[] = "org.dkv.Error.NotAuthorized";

        report(*state, 1);
        caller = 54321;
        assert_bus_error(add(1, 1), refused, "Not allowed");
        assert_bus_error(
                        bus_ends_call(&ends, VOLUME_1, VOLUME_INTERFACE, "Set", "a{sv}", 1,
                                      "weight", "u", 2),
                        refused, "Not allowed");
        assert_bus_error(
                        bus_ends_call(&ends, VOLUME_1, VOLUME_INTERFACE, "SetMaintenance", "ta{sv}",
                                      UINT64_MAX, 0),
                        refused, "Not allowed");
        assert_string_equal(get_text(VOLUME_1, VOLUME_INTERFACE, "State"), "new");
        assert_int_equal(get_number(MANAGER_PATH, MANAGER_INTERFACE, "Epoch"), 1);
        (void) sd_bus_message_unref(assert_no_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "GetConfig", "")));
}

/* The signals that came, as "path:name,name;". */
static char signals[4096];

static int on_signal(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *text;
        size_t n = strlen(signals);

        if (sd_bus_message_is_signal(message, NULL, "InterfacesAdded")) {
                assert_ok(sd_bus_message_read(message, "o", &text));
                (void) snprintf(signals + n, sizeof(signals) - n, "new %s;", text);
                return 0;
        }

        n += (size_t) snprintf(
                        signals + n, sizeof(signals) - n, "%s:", sd_bus_message_get_path(message));
        assert_ok(sd_bus_message_skip(message, "s"));
        assert_ok(sd_bus_message_enter_container(message, 'a', "{sv}"));
        while (sd_bus_message_enter_container(message, 'e', "sv") > 0) {
                assert_ok(sd_bus_message_read(message, "s", &text));
                n += (size_t) snprintf(signals + n, sizeof(signals) - n, "%s,", text);
                assert_ok(sd_bus_message_skip(message, "v"));
                assert_ok(sd_bus_message_exit_container(message));
        }
        (void) snprintf(signals + n, sizeof(signals) - n, ";");
        return 0;
}

TEST(changes_are_told) {
        *signals = '\0';
        assert_ok(sd_bus_match_signal(
                        ends.client, NULL, NULL, NULL, "org.freedesktop.DBus.Properties",
                        "PropertiesChanged", on_signal, NULL));
        assert_ok(sd_bus_match_signal(
                        ends.client, NULL, NULL, MANAGER_PATH, "org.freedesktop.DBus.ObjectManager",
                        "InterfacesAdded", on_signal, NULL));

        report(*state, 1);
        bus_ends_await(&ends, strstr(signals, "/Master1:"));
        assert_non_null(strstr(signals, "new " VOLUME_1 ";"));
        assert_non_null(strstr(signals, MANAGER_PATH ":Epoch,"));

        /* They come before the reply. */
        *signals = '\0';
        (void) epoch_of(add(1, EPOCH_ANY));
        assert_non_null(strstr(signals, VOLUME_1 ":State,;"));
        assert_non_null(strstr(signals, MANAGER_PATH ":Epoch,"));
        assert_non_null(strstr(signals, "Health"));
        assert_null(strstr(signals, "new"));

        *signals = '\0';
        (void) epoch_of(
                        bus_ends_call(&ends, VOLUME_1, VOLUME_INTERFACE, "Set", "a{sv}", 2,
                                      "weight", "u", 3, "zone", "s", "there"));
        assert_non_null(strstr(signals, VOLUME_1 ":Zone,Weight,;"));

        /* What stays the same is not told again. */
        *signals = '\0';
        report(*state, 1);
        (void) epoch_of(add(1, EPOCH_ANY));
        assert_string_equal(signals, "");
}

TEST(config_tells_value_default_and_origin) {
        Fixture *fixture = *state;
        const char *name, *value, *initial, *origin;
        sd_bus_message *reply;
        bool found = false;
        size_t n = 0;
        int live;

        reply = assert_no_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "GetConfig", ""));
        assert_ok(sd_bus_message_enter_container(reply, 'a', "(sssbs)"));
        while (sd_bus_message_read(reply, "(sssbs)", &name, &value, &initial, &live, &origin) > 0) {
                const ConfItem *item = master_conf_items + n++;

                assert_string_equal(name, item->name);
                assert_string_equal(initial, item->initial);
                assert_int_equal(live, item->live);
                if (strcmp(name, "Directory") == 0) {
                        found = true;
                        assert_string_equal(value, fixture->directory);
                        assert_string_equal(origin, "a test");
                } else
                        assert_string_equal(origin, "");
        }
        (void) sd_bus_message_unref(reply);
        assert_true(found);
        assert_null(master_conf_items[n].name);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                WITHOUT_VOLUMES(manager_says_how_things_are),
                WITHOUT_VOLUMES(one_call_tells_of_all_volumes),
                WITHOUT_VOLUMES(add_makes_active_and_returns_the_epoch),
                WITHOUT_VOLUMES(change_of_another_map_conflicts),
                WITHOUT_VOLUMES(add_is_all_or_nothing_and_says_why_nothing),
                WITHOUT_VOLUMES(change_under_way_is_answered_at_the_end),
                WITHOUT_VOLUMES(strangers_look_and_do_not_touch),
                WITHOUT_VOLUMES(changes_are_told),
                WITHOUT_VOLUMES(config_tells_value_default_and_origin),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
