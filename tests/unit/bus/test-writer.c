/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>

#include "bus/bus-ends.h"
#include "bus/writer.h"

static BusEnds ends;

/* What the writer does at the other end, and what it returned. */
static void (*write_it)(BusWriter *writer);
static int result;

static int method(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        _cleanup_(bus_writer_done) BusWriter writer = bus_writer_reply(message);

        write_it(&writer);
        result = bus_writer_send(&writer);
        return result;
}

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Write", NULL, "a{sv}au", method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static const BusObject objects[] = { { "/test", "org.dkv.Test", vtable }, {} };

static int setup(void **state) {
        bus_ends_init(&ends);
        return bus_add_objects(ends.server, objects, NULL);
}

static int teardown(void **state) {
        bus_ends_done(&ends);
        return 0;
}

static sd_bus_message *call(void (*function)(BusWriter *writer)) {
        write_it = function;
        return bus_ends_call(&ends, "/test", "org.dkv.Test", "Write", "");
}

static void write_dictionary(BusWriter *writer) {
        static const uint32_t numbers[] = { 7, 8 };

        bus_writer_open(writer, 'a', "{sv}");
        bus_writer_put(writer, "{sv}", "one", "t", UINT64_MAX);
        bus_writer_open_list(writer, "list", "(us)");
        bus_writer_put(writer, "(us)", 1, "a");
        bus_writer_put(writer, "(us)", 2, "b");
        bus_writer_close_list(writer);
        bus_writer_close(writer);
        bus_writer_put_array(writer, 'u', numbers, sizeof(numbers));
        assert_ok(bus_writer_error(writer));
}

TEST(what_was_put_arrives) {
        sd_bus_message *reply = assert_no_bus_error(call(write_dictionary));
        const char *one, *list, *a, *b;
        uint32_t x, y, seven, eight;
        uint64_t value;

        assert_string_equal(sd_bus_message_get_signature(reply, true), "a{sv}au");
        assert_ok(sd_bus_message_read(
                        reply, "a{sv}", 2, &one, "t", &value, &list, "a(us)", 2, &x, &a, &y, &b));
        assert_true(value == UINT64_MAX && x == 1 && y == 2);
        assert_string_equal(list, "list");
        assert_string_equal(a, "a");
        assert_string_equal(b, "b");
        assert_ok(sd_bus_message_read(reply, "au", 2, &seven, &eight));
        assert_true(seven == 7 && eight == 8);
        (void) sd_bus_message_unref(reply);
}

static void write_nonsense(BusWriter *writer) {
        bus_writer_open(writer, 'a', "u");
        bus_writer_put(writer, "s", "no number");
        assert_true(bus_writer_error(writer) < 0);
        bus_writer_put(writer, "u", 1); /* nothing more happens */
        bus_writer_close(writer);
}

TEST(the_first_error_is_kept_and_nothing_is_sent) {
        sd_bus_message *reply = call(write_nonsense);

        assert_non_null(sd_bus_message_get_error(reply));
        assert_true(result < 0);
        (void) sd_bus_message_unref(reply);
}

static void write_with_an_error(BusWriter *writer) {
        bus_writer_note(writer, 5);
        bus_writer_note(writer, 0);
        assert_ok(bus_writer_error(writer));
        bus_writer_note(writer, -EBADMSG);
        bus_writer_note(writer, -ENOMEM);
        bus_writer_put(writer, "s", "x");
        assert_int_equal(bus_writer_error(writer), -EBADMSG);
}

TEST(an_error_of_the_caller_counts) {
        sd_bus_message *reply = call(write_with_an_error);

        assert_non_null(sd_bus_message_get_error(reply));
        assert_int_equal(result, -EBADMSG);
        (void) sd_bus_message_unref(reply);
}

static void write_open_end(BusWriter *writer) {
        bus_writer_open(writer, 'a', "s");
}

TEST(what_is_not_closed_is_not_sent) {
        sd_bus_message *reply = call(write_open_end);

        assert_non_null(sd_bus_message_get_error(reply));
        assert_true(result < 0);
        (void) sd_bus_message_unref(reply);
}

/* A list of volumes, say, when there are none. */
static void write_nothing_in_lists(BusWriter *writer) {
        bus_writer_open(writer, 'a', "{sv}");
        bus_writer_open_list(writer, "none", "(us)");
        bus_writer_close_list(writer);
        bus_writer_close(writer);
        bus_writer_put_array(writer, 'u', NULL, 0);
}

TEST(a_list_may_be_empty) {
        sd_bus_message *reply = assert_no_bus_error(call(write_nothing_in_lists));
        const char *name;

        assert_ok(sd_bus_message_enter_container(reply, 'a', "{sv}"));
        assert_ok(sd_bus_message_enter_container(reply, 'e', "sv"));
        assert_ok(sd_bus_message_read(reply, "s", &name));
        assert_string_equal(name, "none");
        assert_ok(sd_bus_message_enter_container(reply, 'v', "a(us)"));
        assert_ok(sd_bus_message_enter_container(reply, 'a', "(us)"));
        assert_int_equal(sd_bus_message_at_end(reply, false), 1);
        (void) sd_bus_message_unref(reply);
}

static int get_list(
                sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *reply,
                void *userdata,
                sd_bus_error *error) {
        _cleanup_(bus_writer_done) BusWriter writer = bus_writer_on(reply);

        bus_writer_put(&writer, "as", 2, "a", "b");
        return bus_writer_error(&writer);
}

/* The message stays that of whoever sends it. */
TEST(a_property_is_written_into_a_message_of_somebody_else) {
        static const sd_bus_vtable properties[] = {
                SD_BUS_VTABLE_START(0),
                SD_BUS_PROPERTY("List", "as", get_list, 0, 0),
                SD_BUS_VTABLE_END,
        };
        const BusObject more[] = { { "/more", "org.dkv.More", properties }, {} };
        sd_bus_message *reply;
        const char *a, *b;

        assert_ok(bus_add_objects(ends.server, more, NULL));
        reply = assert_no_bus_error(
                        bus_ends_call(&ends, "/more", "org.freedesktop.DBus.Properties", "Get",
                                      "ss", "org.dkv.More", "List"));
        assert_ok(sd_bus_message_read(reply, "v", "as", 2, &a, &b));
        assert_string_equal(a, "a");
        assert_string_equal(b, "b");
        (void) sd_bus_message_unref(reply);
}

/* Handlers are called for signals, too, to which there is no reply. */
TEST(without_a_call_there_is_no_reply_to_write) {
        sd_bus_message *signal;
        BusWriter writer;

        assert_ok(sd_bus_message_new_signal(ends.server, &signal, "/test", "org.dkv.Test", "Gone"));
        writer = bus_writer_reply(signal);
        bus_writer_put(&writer, "s", "x");
        assert_true(bus_writer_error(&writer) < 0);
        assert_true(bus_writer_send(&writer) < 0);
        bus_writer_done(&writer);
        (void) sd_bus_message_unref(signal);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(what_was_put_arrives, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                the_first_error_is_kept_and_nothing_is_sent, setup, teardown),
                cmocka_unit_test_setup_teardown(an_error_of_the_caller_counts, setup, teardown),
                cmocka_unit_test_setup_teardown(what_is_not_closed_is_not_sent, setup, teardown),
                cmocka_unit_test_setup_teardown(a_list_may_be_empty, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                a_property_is_written_into_a_message_of_somebody_else, setup,
                                teardown),
                cmocka_unit_test_setup_teardown(
                                without_a_call_there_is_no_reply_to_write, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
