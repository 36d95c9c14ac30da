/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include "bus/bus-ends.h"

#define PATH      "/org/dkv/Test"
#define INTERFACE "org.dkv.Test.Thing"

typedef struct Thing {
        uint32_t number;
        uint64_t epoch;
        const char *zone;
        char zone_copy[32];
} Thing;

static int method_set(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Thing *thing = userdata;
        BusOption options[] = {
                { "number", 'u', &thing->number },
                { "zone", 's', &thing->zone },
                { "epoch", 't', &thing->epoch },
                {},
        };
        int r;

        thing->zone = NULL; /* the last one was in another message */
        r = bus_read_options(message, options, error);
        if (r < 0)
                return r;
        if (thing->zone)
                (void) snprintf(thing->zone_copy, sizeof(thing->zone_copy), "%s", thing->zone);
        return sd_bus_reply_method_return(
                        message, "bbb", options[0].is_set, options[1].is_set, options[2].is_set);
}

static int method_fail(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        int number, r;

        r = sd_bus_message_read(message, "i", &number);
        if (r < 0)
                return r;
        return number < 0 ? bus_fail(error, number, NULL)
                          : bus_fail(error, -number, "Number %i.", number);
}

static int find_member(
                sd_bus *bus,
                const char *path,
                const char *interface,
                void *userdata,
                void **ret,
                sd_bus_error *error) {
        if (strcmp(path, PATH "/member/1") != 0)
                return 0;
        *ret = userdata;
        return 1;
}

/* clang-format off */
static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Number", "u", NULL, offsetof(Thing, number), SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_METHOD("Set",  "a{sv}", "bbb", method_set,  SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Fail", "i",     "",    method_fail, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static const BusObject objects[] = {
        { PATH,           INTERFACE,              vtable, .manages = true     },
        { PATH "/member", "org.dkv.Test.Member",  vtable, .find = find_member },
        {}
};
/* clang-format on */

static Thing thing;

static int setup(void **state) {
        BusEnds *ends = calloc(1, sizeof(*ends));

        thing = (Thing){ .number = 7 };
        bus_ends_init(ends);
        assert_ok(bus_add_objects(ends->server, objects, &thing));
        *state = ends;
        return 0;
}

static int teardown(void **state) {
        bus_ends_done(*state);
        free(*state);
        return 0;
}

TEST(objects_and_members_of_families_are_there) {
        uint32_t number;

        bus_ends_get(*state, PATH, INTERFACE, "Number", "u", &number);
        assert_int_equal(number, 7);
        bus_ends_get(*state, PATH "/member/1", "org.dkv.Test.Member", "Number", "u", &number);
        assert_int_equal(number, 7);
        assert_bus_error(
                        bus_ends_call(*state, PATH "/member/2", "org.dkv.Test.Member", "Fail", "i",
                                      1),
                        SD_BUS_ERROR_UNKNOWN_OBJECT, "");
}

TEST(errors_come_from_the_table) {
        assert_bus_error(
                        bus_ends_call(*state, PATH, INTERFACE, "Fail", "i", -EREMCHG),
                        "org.dkv.Error.Conflict", "The cluster map has changed meanwhile.");
        assert_bus_error(
                        bus_ends_call(*state, PATH, INTERFACE, "Fail", "i", ENOENT),
                        "org.dkv.Error.NotFound", "Number 2.");
        assert_bus_error(
                        bus_ends_call(*state, PATH, INTERFACE, "Fail", "i", -EDOM),
                        "org.dkv.Error.Internal", "");
}

TEST(options_are_read) {
        sd_bus_message *reply;
        int set[3];

        reply = assert_no_bus_error(
                        bus_ends_call(*state, PATH, INTERFACE, "Set", "a{sv}", 2, "epoch", "t",
                                      UINT64_MAX, "zone", "s", "here"));
        assert_ok(sd_bus_message_read(reply, "bbb", set, set + 1, set + 2));
        (void) sd_bus_message_unref(reply);
        assert_true(!set[0] && set[1] && set[2]);
        assert_int_equal(thing.number, 7);
        assert_int_equal(thing.epoch, UINT64_MAX);
        assert_string_equal(thing.zone_copy, "here");

        reply = assert_no_bus_error(bus_ends_call(*state, PATH, INTERFACE, "Set", "a{sv}", 0));
        assert_ok(sd_bus_message_read(reply, "bbb", set, set + 1, set + 2));
        (void) sd_bus_message_unref(reply);
        assert_true(!set[0] && !set[1] && !set[2]);
}

TEST(bad_options_are_refused_by_name) {
        assert_bus_error(
                        bus_ends_call(*state, PATH, INTERFACE, "Set", "a{sv}", 1, "colour", "s",
                                      "red"),
                        "org.dkv.Error.Invalid", "'colour'");
        assert_bus_error(
                        bus_ends_call(*state, PATH, INTERFACE, "Set", "a{sv}", 1, "epoch", "s",
                                      "7"),
                        "org.dkv.Error.Invalid", "'epoch' must be of type 't', not 's'");
}

/* What is printed, or "" if it fails with -ENOENT. */
static void capture(const char *path, char *ret, size_t size) {
        int fd = memfd_create("stdout", MFD_CLOEXEC), saved = dup(STDOUT_FILENO), r;
        ssize_t n;

        assert_true(fd >= 0 && saved >= 0);
        (void) fflush(stdout);
        assert_ok(dup2(fd, STDOUT_FILENO));
        r = bus_print_introspection(objects, path);
        (void) fflush(stdout);
        assert_ok(dup2(saved, STDOUT_FILENO));
        assert_true(r == 0 || r == -ENOENT);

        n = pread(fd, ret, size - 1, 0);
        assert_true(n >= 0 && (n == 0) == (r < 0));
        ret[n] = '\0';
        closep(&fd);
        closep(&saved);
}

TEST(introspection_needs_no_daemon) {
        char xml[8192];

        capture(PATH, xml, sizeof(xml));
        assert_non_null(strstr(xml, "<interface name=\"" INTERFACE "\">"));
        assert_non_null(strstr(xml, "org.freedesktop.DBus.ObjectManager"));
        assert_null(strstr(xml, "org.dkv.Test.Member"));

        capture(PATH "/member/42", xml, sizeof(xml));
        assert_non_null(strstr(xml, "<interface name=\"org.dkv.Test.Member\">"));
        assert_null(strstr(xml, INTERFACE));

        capture("/org/dkv", xml, sizeof(xml));
        assert_string_equal(xml, "");
        capture(PATH "/member", xml, sizeof(xml));
        assert_string_equal(xml, "");
        capture("nonsense", xml, sizeof(xml));
        assert_string_equal(xml, "");
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(
                                objects_and_members_of_families_are_there, setup, teardown),
                cmocka_unit_test_setup_teardown(errors_come_from_the_table, setup, teardown),
                cmocka_unit_test_setup_teardown(options_are_read, setup, teardown),
                cmocka_unit_test_setup_teardown(bad_options_are_refused_by_name, setup, teardown),
                cmocka_unit_test(introspection_needs_no_daemon),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
