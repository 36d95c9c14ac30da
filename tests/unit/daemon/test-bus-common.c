/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "bus/bus-ends.h"
#include "bus/property.h"
#include "daemon/bus-common.h"
#include "http/http.h"

#define PATH      "/org/dkv/Test"
#define INTERFACE "org.dkv.Test.Daemon"

/* clang-format off */
#define FRUIT_METRICS(ROW) \
        ROW(apples, "Apples", GAUGE,   "",      "How many apples there are.") \
        ROW(juice,  "Juice",  COUNTER, "bytes", "What they came to.")
/* clang-format on */

typedef struct Fruit {
        uint64_t apples, juice;
} Fruit;

static const Metric fruit_metrics[] = { METRIC_IN(Fruit, apples, "Apples", GAUGE, "", "") METRIC_IN(
                Fruit, juice, "Juice", COUNTER, "bytes", "") };

typedef struct Settings {
        ConfOrigins origins;
        char *name;
        uint64_t timeout_usec;
} Settings;

/* clang-format off */
static const ConfItem items[] = {
        { "Test", "Name",       CONF_STRING, offsetof(Settings, name),         "x",  0, 0, "A name.", .live = true },
        { "Test", "TimeoutSec", CONF_TIME,   offsetof(Settings, timeout_usec), "90", 0, 0, "A time." },
        {}
};
/* clang-format on */

typedef struct Daemon {
        Fruit fruit;
        HttpServer *server; /* NULL before it is there */
        uint8_t uuid[16];
        Settings settings;
} Daemon;

static int append_fruit(const Daemon *daemon, const char *property, sd_bus_message *reply) {
        return bus_append_metric(
                        reply, fruit_metrics, ELEMENTSOF(fruit_metrics), property, &daemon->fruit);
}

static int get_metric(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *reply,
                void *userdata,
                sd_bus_error *error) {
        return append_fruit(userdata, property, reply);
}

static int get_traffic(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *reply,
                void *userdata,
                sd_bus_error *error) {
        const Daemon *daemon = userdata;

        return bus_append_traffic(reply, property, daemon->server);
}

static int append_uuid(const Daemon *daemon, sd_bus_message *reply) {
        return bus_append_uuid(reply, daemon->uuid);
}
BUS_DEFINE_LONG_GETTER(get_uuid, Daemon, append_uuid)

static int method_get_settings(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const Daemon *daemon = userdata;

        return bus_reply_conf(message, items, &daemon->settings);
}

/* clang-format off */
static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        FRUIT_METRICS(BUS_METRIC)
        TRAFFIC_METRICS(BUS_TRAFFIC)
        SD_BUS_PROPERTY("Pears", "t", get_metric, 0, 0), /* which nobody counts */
        SD_BUS_PROPERTY("Uuid",  "s", get_uuid,   0, BUS_CONST),
        SD_BUS_METHOD("GetSettings", "", BUS_CONF_TYPE, method_get_settings, BUS_FOR_ALL),
        SD_BUS_VTABLE_END,
};
/* clang-format on */

static const BusObject objects[] = { { PATH, INTERFACE, vtable }, {} };

static BusEnds ends;
static Daemon the_daemon;

static int setup(void **state) {
        the_daemon = (Daemon){ .fruit = { .apples = 3, .juice = UINT64_MAX } };
        assert_ok(conf_init(items, &the_daemon.settings));
        bus_ends_init(&ends);
        return bus_add_objects(ends.server, objects, &the_daemon);
}

static int teardown(void **state) {
        bus_ends_done(&ends);
        conf_done(items, &the_daemon.settings);
        return 0;
}

static uint64_t get(const char *property) {
        uint64_t value;

        bus_ends_get(&ends, PATH, INTERFACE, property, "t", &value);
        return value;
}

TEST(figures_are_found_by_the_names_of_their_properties) {
        assert_true(get("Apples") == 3);
        assert_true(get("Juice") == UINT64_MAX);
        the_daemon.fruit.apples = 0;
        assert_true(get("Apples") == 0);
}

TEST(a_figure_that_nobody_counts_is_an_error) {
        sd_bus_message *reply = bus_ends_call(
                        &ends, PATH, "org.freedesktop.DBus.Properties", "Get", "ss", INTERFACE,
                        "Pears");

        assert_int_equal(sd_bus_message_get_errno(reply), ENOENT);
        (void) sd_bus_message_unref(reply);
}

static int hello_finish(HttpRequest *request) {
        return http_request_reply_data(request, 200, "text/plain", "hello", 5);
}

/* The bus is there before the server is. */
TEST(without_a_server_there_was_no_traffic) {
        static const HttpRoute routes[] = { { "GET", "/", HTTP_PUBLIC, .finish = hello_finish },
                                            {} };
        Fixture fixture;

        assert_true(get("Requests") == 0);
        assert_true(get("Connections") == 0);

        fixture_start(&fixture, routes, NULL);
        the_daemon.server = fixture.server;
        assert_status(exchange_simple(&fixture, "GET", "/a"), 200);
        while (get("Requests") < 1) /* it is counted once it is over */
                ;
        assert_true(get("Reads") == 1);
        assert_true(get("BytesSent") == 5);
        assert_true(get("Writes") == 0);

        the_daemon.server = NULL;
        fixture_stop(&fixture);
}

TEST(a_uuid_is_told_as_people_write_it) {
        const char *text;

        bus_ends_get(&ends, PATH, INTERFACE, "Uuid", "s", &text);
        assert_string_equal(text, "00000000-0000-0000-0000-000000000000");

        for (uint8_t i = 0; i < 16; i++)
                the_daemon.uuid[i] = (uint8_t) (0xf0 + i);
        bus_ends_get(&ends, PATH, INTERFACE, "Uuid", "s", &text);
        assert_string_equal(text, "f0f1f2f3-f4f5-f6f7-f8f9-fafbfcfdfeff");
}

static void assert_setting(
                sd_bus_message *reply,
                const char *name,
                const char *value,
                const char *initial,
                bool live,
                const char *origin) {
        const char *found_name, *found_value, *found_initial, *found_origin;
        int found_live;

        assert_true(sd_bus_message_read(
                                    reply, "(sssbs)", &found_name, &found_value, &found_initial,
                                    &found_live, &found_origin) > 0);
        assert_string_equal(found_name, name);
        assert_string_equal(found_value, value);
        assert_string_equal(found_initial, initial);
        assert_int_equal(found_live, live);
        assert_string_equal(found_origin, origin);
}

TEST(settings_are_told_with_where_they_come_from) {
        sd_bus_message *reply;

        assert_ok(conf_set(items, &the_daemon.settings, "TimeoutSec", "2min", "/etc/a.conf:7"));
        reply = assert_no_bus_error(bus_ends_call(&ends, PATH, INTERFACE, "GetSettings", ""));
        assert_ok(sd_bus_message_enter_container(reply, 'a', "(sssbs)"));
        assert_setting(reply, "Name", "x", "x", true, "");
        assert_setting(reply, "TimeoutSec", "2min", "90", false, "/etc/a.conf:7");
        assert_int_equal(sd_bus_message_at_end(reply, false), 1);
        (void) sd_bus_message_unref(reply);
}

/* A value that D-Bus would not carry, from a file that anybody may have written. */
TEST(a_setting_that_is_no_utf_8_is_an_error_and_no_end) {
        sd_bus_message *reply;

        assert_ok(conf_set(items, &the_daemon.settings, "Name", "\xff", NULL));
        reply = bus_ends_call(&ends, PATH, INTERFACE, "GetSettings", "");
        assert_non_null(sd_bus_message_get_error(reply));
        (void) sd_bus_message_unref(reply);
        assert_true(get("Apples") == 3);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(figures_are_found_by_the_names_of_their_properties),
                RUN(a_figure_that_nobody_counts_is_an_error),
                RUN(without_a_server_there_was_no_traffic),
                RUN(a_uuid_is_told_as_people_write_it),
                RUN(settings_are_told_with_where_they_come_from),
                RUN(a_setting_that_is_no_utf_8_is_an_error_and_no_end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
