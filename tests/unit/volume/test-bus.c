/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>

#include "bus/bus-ends.h"
#include "bus/server.h"
#include "scratch.h"
#include "volume/bus.h"

#define PATH      "/org/dkv/Volume1"
#define INTERFACE "org.dkv.Volume1.Store"

static BusEnds ends;
static bool accepted;

bool __wrap_report_is_accepted(const Report *report);

bool __wrap_report_is_accepted(const Report *report) {
        return accepted;
}

typedef struct Fixture {
        char *directory;
        VolumeConf conf;
        ObjectStore *store;
        Pending *pending;
        VolumeBus *bus;
} Fixture;

static void set(Fixture *fixture, const char *name, const char *value) {
        assert_ok(conf_set(volume_conf_items, &fixture->conf, name, value, "a test"));
}

static int setup(void **state) {
        Fixture *fixture = calloc(1, sizeof(*fixture));
        ObjectStoreOptions options = { .inline_max = 1024 };

        accepted = false;
        bus_ends_init(&ends);
        options.environment.directory = fixture->directory = scratch_new();
        assert_ok(conf_init(volume_conf_items, &fixture->conf));
        set(fixture, "Directory", fixture->directory);
        set(fixture, "Zone", "here");
        set(fixture, "Number", "7");
        assert_ok(object_store_open(&options, &fixture->store));
        assert_ok(pending_new(fixture->store, &fixture->pending));
        assert_ok(volume_bus_new(
                        &(VolumeBusOptions){
                                        .event = ends.event,
                                        .address = "none",
                                        .connection = ends.server,
                                        .conf = &fixture->conf,
                                        .store = fixture->store,
                                        .pending = fixture->pending,
                        },
                        &fixture->bus));
        *state = fixture;
        return 0;
}

static int teardown(void **state) {
        Fixture *fixture = *state;

        (void) volume_bus_free(fixture->bus);
        (void) pending_free(fixture->pending);
        (void) object_store_free(fixture->store);
        bus_ends_done(&ends);
        conf_done(volume_conf_items, &fixture->conf);
        scratch_free(fixture->directory);
        free(fixture);
        return 0;
}

static const char *get_text(const char *property) {
        const char *text;

        bus_ends_get(&ends, PATH, INTERFACE, property, "s", &text);
        return text;
}

static uint64_t get_number(const char *property) {
        uint64_t number;

        bus_ends_get(&ends, PATH, INTERFACE, property, "t", &number);
        return number;
}

TEST(store_says_what_it_is) {
        Fixture *fixture = *state;
        uint32_t number;

        bus_ends_get(&ends, PATH, INTERFACE, "Number", "u", &number);
        assert_int_equal(number, 7);
        assert_string_equal(get_text("Version"), DKV_VERSION);
        assert_string_equal(get_text("Directory"), fixture->directory);
        assert_string_equal(get_text("Zone"), "here");
        assert_int_equal(strlen(get_text("Uuid")), 36);
        assert_int_not_equal(get_number("StartedAt"), 0);
        assert_int_equal(get_number("Objects"), 0);
        assert_int_equal(get_number("Requests"), 0);
        assert_true(get_number("DiskSize") > 0);
        assert_int_equal(get_number("Pending"), 0);
        pending_add(fixture->pending, 5);
        assert_int_equal(get_number("Pending"), 1);
}

static int on_signal(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        char(*names)[64] = userdata;
        const char *name;

        assert_ok(sd_bus_message_skip(message, "s"));
        assert_ok(sd_bus_message_enter_container(message, 'a', "{sv}"));
        while (sd_bus_message_enter_container(message, 'e', "sv") > 0) {
                assert_ok(sd_bus_message_read(message, "s", &name));
                (void) strcat(*names, name);
                assert_ok(sd_bus_message_skip(message, "v"));
                assert_ok(sd_bus_message_exit_container(message));
        }
        return 0;
}

TEST(changes_are_told) {
        char names[64] = "";
        int accepts;

        assert_ok(sd_bus_match_signal(
                        ends.client, NULL, NULL, PATH, "org.freedesktop.DBus.Properties",
                        "PropertiesChanged", on_signal, &names));
        accepted = true;
        set(*state, "Zone", "there");
        bus_ends_await(&ends, *names);
        assert_string_equal(names, "MasterAcceptsZone");
        assert_string_equal(get_text("Zone"), "there");
        bus_ends_get(&ends, PATH, INTERFACE, "MasterAccepts", "b", &accepts);
        assert_true(accepts);
}

TEST(config_is_told) {
        sd_bus_message *reply = assert_no_bus_error(
                        bus_ends_call(&ends, PATH, INTERFACE, "GetConfig", ""));
        const char *name, *value, *initial, *origin;
        int live;

        assert_ok(sd_bus_message_enter_container(reply, 'a', "(sssbs)"));
        assert_ok(sd_bus_message_read(reply, "(sssbs)", &name, &value, &initial, &live, &origin));
        assert_string_equal(name, "Number");
        assert_string_equal(value, "7");
        assert_string_equal(initial, "1");
        assert_false(live);
        assert_string_equal(origin, "a test");
        (void) sd_bus_message_unref(reply);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
        static const struct CMUnitTest tests[] = {
                ROW(store_says_what_it_is),
                ROW(changes_are_told),
                ROW(config_is_told),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
