/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <stdio.h>

#include "bus/bus-ends.h"
#include "bus/property.h"

#define PATH      "/org/dkv/Test"
#define INTERFACE "org.dkv.Test.Thing"

typedef struct Thing {
        char zone[16];
        bool is_up, is_full;
        uint64_t size;
        unsigned n_parts;
        int error; /* of what cannot be read */
} Thing;

BUS_DEFINE_GETTER(get_half, "t", Thing, object->size / 2)
BUS_DEFINE_GETTER(get_name, "s", Thing, property)

static int append_parts(const Thing *thing, sd_bus_message *reply) {
        int r;

        if (thing->error < 0)
                return thing->error;
        r = sd_bus_message_open_container(reply, 'a', "u");
        for (uint32_t i = 0; r >= 0 && i < thing->n_parts; i++)
                r = sd_bus_message_append(reply, "u", i);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

BUS_DEFINE_LONG_GETTER(get_parts, Thing, append_parts)

static int method_look(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return sd_bus_reply_method_return(message, "");
}

/* clang-format off */
static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Zone",  "s",  bus_get_text, offsetof(Thing, zone),    BUS_CONST),
        SD_BUS_PROPERTY("Up",    "b",  bus_get_flag, offsetof(Thing, is_up),   BUS_TELLS),
        SD_BUS_PROPERTY("Full",  "b",  bus_get_flag, offsetof(Thing, is_full), BUS_TELLS),
        SD_BUS_PROPERTY("Size",  "t",  NULL,         offsetof(Thing, size),    BUS_TELLS),
        SD_BUS_PROPERTY("Half",  "t",  get_half,     0,                        0),
        SD_BUS_PROPERTY("Name",  "s",  get_name,     0,                        0),
        SD_BUS_PROPERTY("Parts", "au", get_parts,    0,                        0),
        SD_BUS_METHOD("Look", "", "", method_look, BUS_FOR_ALL),
        SD_BUS_VTABLE_END,
};

static const BusObject objects[] = { { PATH, INTERFACE, vtable }, {} };
/* clang-format on */

static BusEnds ends;
static Thing thing;

static int setup(void **state) {
        thing = (Thing){ .zone = "here", .is_full = true, .size = UINT64_MAX, .n_parts = 3 };
        bus_ends_init(&ends);
        return bus_add_objects(ends.server, objects, &thing);
}

static int teardown(void **state) {
        bus_ends_done(&ends);
        return 0;
}

static sd_bus_message *get(const char *property) {
        return bus_ends_call(
                        &ends, PATH, "org.freedesktop.DBus.Properties", "Get", "ss", INTERFACE,
                        property);
}

TEST(fields_are_read_as_they_are) {
        const char *zone;
        uint64_t size;
        int up, full;

        bus_ends_get(&ends, PATH, INTERFACE, "Zone", "s", &zone);
        assert_string_equal(zone, "here");
        bus_ends_get(&ends, PATH, INTERFACE, "Up", "b", &up);
        assert_false(up);
        bus_ends_get(&ends, PATH, INTERFACE, "Full", "b", &full);
        assert_true(full);
        bus_ends_get(&ends, PATH, INTERFACE, "Size", "t", &size);
        assert_true(size == UINT64_MAX);

        thing.is_up = true;
        thing.zone[0] = '\0';
        bus_ends_get(&ends, PATH, INTERFACE, "Up", "b", &up);
        assert_true(up);
        bus_ends_get(&ends, PATH, INTERFACE, "Zone", "s", &zone);
        assert_string_equal(zone, "");
}

TEST(a_getter_may_reckon_and_knows_its_name) {
        const char *name;
        uint64_t half;

        bus_ends_get(&ends, PATH, INTERFACE, "Half", "t", &half);
        assert_true(half == UINT64_MAX / 2);
        bus_ends_get(&ends, PATH, INTERFACE, "Name", "s", &name);
        assert_string_equal(name, "Name");
}

TEST(a_long_getter_appends_as_much_as_there_is) {
        for (thing.n_parts = 0; thing.n_parts < 1000; thing.n_parts += 333) {
                sd_bus_message *reply = assert_no_bus_error(get("Parts"));
                const void *parts;
                size_t size;

                assert_ok(sd_bus_message_enter_container(reply, 'v', "au"));
                assert_ok(sd_bus_message_read_array(reply, 'u', &parts, &size));
                assert_int_equal(size, thing.n_parts * sizeof(uint32_t));
                (void) sd_bus_message_unref(reply);
        }
}

/* The caller is told, and so is the next one: one bad property is no reason to lose the bus. */
TEST(a_property_that_cannot_be_read_is_an_error_for_its_reader_alone) {
        const char *zone;

        thing.error = -ENOMEM;
        assert_bus_error(get("Parts"), SD_BUS_ERROR_NO_MEMORY, "");
        thing.error = -EIO;
        assert_bus_error(get("Parts"), SD_BUS_ERROR_IO_ERROR, "");
        bus_ends_get(&ends, PATH, INTERFACE, "Zone", "s", &zone);
        assert_string_equal(zone, "here");

        thing.error = 0;
        (void) sd_bus_message_unref(assert_no_bus_error(get("Parts")));
}

/* D-Bus drops a connection that sends such a text. */
TEST(a_text_that_is_no_utf_8_is_not_sent) {
        uint64_t size;

        (void) snprintf(thing.zone, sizeof(thing.zone), "\xff\xfe");
        assert_bus_error(get("Zone"), SD_BUS_ERROR_INVALID_ARGS, "");
        bus_ends_get(&ends, PATH, INTERFACE, "Size", "t", &size);
        assert_true(size == UINT64_MAX);
}

TEST(all_properties_are_read_at_once) {
        sd_bus_message *reply = assert_no_bus_error(bus_ends_call(
                        &ends, PATH, "org.freedesktop.DBus.Properties", "GetAll", "s", INTERFACE));
        static const char *const names[] = {
                "Zone", "Up", "Full", "Size", "Half", "Name", "Parts"
        };
        const char *name;
        size_t n = 0;

        assert_ok(sd_bus_message_enter_container(reply, 'a', "{sv}"));
        while (sd_bus_message_enter_container(reply, 'e', "sv") > 0) {
                assert_ok(sd_bus_message_read(reply, "s", &name));
                assert_true(n < ELEMENTSOF(names));
                assert_string_equal(name, names[n++]);
                assert_ok(sd_bus_message_skip(reply, "v"));
                assert_ok(sd_bus_message_exit_container(reply));
        }
        assert_int_equal(n, ELEMENTSOF(names));
        (void) sd_bus_message_unref(reply);
}

/* The flags stand for what the introspection data says. */
TEST(it_is_told_which_properties_change) {
        sd_bus_message *reply = assert_no_bus_error(bus_ends_call(
                        &ends, PATH, "org.freedesktop.DBus.Introspectable", "Introspect", ""));
        /* "true" is the default, which is not written. */
        static const struct {
                const char *property, *annotation;
        } rows[] = { { "Zone", "\"const\"" }, { "Up", NULL }, { "Half", "\"false\"" } };
        const char *xml;

        assert_ok(sd_bus_message_read(reply, "s", &xml));
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                char name[32], part[512];
                const char *start, *end;

                (void) snprintf(name, sizeof(name), "<property name=\"%s\"", rows[i].property);
                start = strstr(xml, name);
                assert_non_null(start);
                end = strstr(start + 1, "<property");
                (void) snprintf(part, sizeof(part), "%.*s", (int) (end - start), start);
                if (rows[i].annotation)
                        assert_non_null(strstr(part, rows[i].annotation));
                else
                        assert_null(strstr(part, "EmitsChangedSignal"));
        }
        (void) sd_bus_message_unref(reply);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(fields_are_read_as_they_are),
                RUN(a_getter_may_reckon_and_knows_its_name),
                RUN(a_long_getter_appends_as_much_as_there_is),
                RUN(a_property_that_cannot_be_read_is_an_error_for_its_reader_alone),
                RUN(a_text_that_is_no_utf_8_is_not_sent),
                RUN(all_properties_are_read_at_once),
                RUN(it_is_told_which_properties_change),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
