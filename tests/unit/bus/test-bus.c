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

/* What is about another type is not taken, although it would fit. */
TEST(options_keep_to_their_types) {
        assert_bus_error(
                        bus_ends_call(*state, PATH, INTERFACE, "Set", "a{sv}", 1, "number", "t",
                                      UINT64_C(1)),
                        "org.dkv.Error.Invalid", "'number' must be of type 'u', not 't'");
        assert_bus_error(
                        bus_ends_call(*state, PATH, INTERFACE, "Set", "a{sv}", 1, "number", "i", 1),
                        "org.dkv.Error.Invalid", "'number'");
        assert_bus_error(
                        bus_ends_call(*state, PATH, INTERFACE, "Set", "a{sv}", 1, "zone", "o",
                                      "/here"),
                        "org.dkv.Error.Invalid", "'zone'");
        assert_bus_error(
                        bus_ends_call(*state, PATH, INTERFACE, "Set", "a{sv}", 1, "zone", "as", 0),
                        "org.dkv.Error.Invalid", "not 'as'");
        assert_int_equal(thing.number, 7);
}

TEST(an_option_given_twice_is_the_last_one) {
        (void) sd_bus_message_unref(assert_no_bus_error(
                        bus_ends_call(*state, PATH, INTERFACE, "Set", "a{sv}", 2, "number", "u", 1,
                                      "number", "u", 2)));
        assert_int_equal(thing.number, 2);
}

/* What came before a bad one has been read, so a method looks at its options once all are good. */
TEST(a_bad_option_ends_the_reading) {
        assert_bus_error(
                        bus_ends_call(*state, PATH, INTERFACE, "Set", "a{sv}", 3, "number", "u", 1,
                                      "colour", "s", "red", "epoch", "t", UINT64_C(5)),
                        "org.dkv.Error.Invalid", "'colour'");
        assert_int_equal(thing.epoch, 0);
}

TEST(an_error_is_cut_where_it_is_too_long) {
        char name[2000];
        sd_bus_message *reply;
        const sd_bus_error *error;

        memset(name, 'x', sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';
        reply = bus_ends_call(*state, PATH, INTERFACE, "Set", "a{sv}", 1, name, "s", "");
        error = sd_bus_message_get_error(reply);
        assert_non_null(error);
        assert_string_equal(error->name, "org.dkv.Error.Invalid");
        assert_int_equal(strlen(error->message), 511);
        (void) sd_bus_message_unref(reply);
}

static int count_entry(sd_bus_message *message, void *userdata) {
        unsigned *n = userdata;
        const char *name;
        uint32_t number;
        int r;

        r = sd_bus_message_read(message, "su", &name, &number);
        if (r < 0)
                return r;
        *n += number;
        return number == 13 ? -EDOM : 0;
}

static sd_bus_message *make_dictionary(BusEnds *ends, const char *types, ...) {
        sd_bus_message *message;
        va_list arguments;

        assert_ok(sd_bus_message_new_method_call(
                        ends->client, &message, NULL, PATH, INTERFACE, "Set"));
        va_start(arguments, types);
        assert_ok(sd_bus_message_appendv(message, types, arguments));
        va_end(arguments);
        assert_ok(sd_bus_message_seal(message, 1, 0));
        return message;
}

TEST(entries_are_read_to_their_end_or_to_an_error) {
        sd_bus_message *message = make_dictionary(*state, "a{su}s", 2, "a", 1, "b", 2, "behind");
        const char *behind;
        unsigned sum = 0;

        assert_int_equal(bus_read_entries(message, "su", count_entry, &sum), 1);
        assert_int_equal(sum, 3);
        assert_ok(sd_bus_message_read(message, "s", &behind)); /* the reader stands behind it */
        assert_string_equal(behind, "behind");
        (void) sd_bus_message_unref(message);

        sum = 0;
        message = make_dictionary(*state, "a{su}", 3, "a", 1, "b", 13, "c", 2);
        assert_int_equal(bus_read_entries(message, "su", count_entry, &sum), -EDOM);
        assert_int_equal(sum, 14);
        (void) sd_bus_message_unref(message);

        message = make_dictionary(*state, "a{sv}", 0); /* something else than was expected */
        assert_int_equal(bus_read_entries(message, "su", count_entry, &sum), -ENXIO);
        (void) sd_bus_message_unref(message);
}

TEST(addresses_that_are_none_are_refused) {
        static const char *const addresses[] = {
                "", "nonsense", "unix:", "unix:path=relative", "unix:path=/a%zz", "tcp:host=a"
        };

        for (size_t i = 0; i < ELEMENTSOF(addresses); i++) {
                sd_bus *bus = NULL;

                assert_true(bus_open(addresses[i], &bus) < 0);
                assert_null(bus);
        }
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
                cmocka_unit_test_setup_teardown(options_keep_to_their_types, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                an_option_given_twice_is_the_last_one, setup, teardown),
                cmocka_unit_test_setup_teardown(a_bad_option_ends_the_reading, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                an_error_is_cut_where_it_is_too_long, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                entries_are_read_to_their_end_or_to_an_error, setup, teardown),
                cmocka_unit_test(addresses_that_are_none_are_refused),
                cmocka_unit_test(introspection_needs_no_daemon),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
