/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a change would move, as Plan() tells it. */

#include "test.h"

#include <errno.h>
#include <stdio.h>

#include "master/bus/bus-content.h"
#include "master/bus/bus-fixture.h"
#include "master/bus/bus-reports.h"

static sd_bus_message *plan(const char *what, uint32_t number) {
        return number == 0 ? bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "Plan",
                                           "saua{sv}", what, 0, 0)
                           : bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "Plan",
                                           "saua{sv}", what, 1, number, 0);
}

/* What a reply says, added up. */
typedef struct Told {
        uint64_t keys, bytes, all_keys, lost_keys, waits_until, epoch;
        uint64_t moved_keys, moved_bytes;
        uint64_t bytes_before, bytes_after;
        uint64_t from[4], to[4]; /* keys, by volume */
        unsigned n_volumes, n_entries;
} Told;

static void read_moves(sd_bus_message *reply, Told *told) {
        uint32_t source, target;
        uint64_t keys, bytes;

        assert_ok(sd_bus_message_enter_container(reply, 'v', "a(uutt)"));
        assert_ok(sd_bus_message_enter_container(reply, 'a', "(uutt)"));
        while (sd_bus_message_read(reply, "(uutt)", &source, &target, &keys, &bytes) > 0) {
                assert_true(source < ELEMENTSOF(told->from) && target < ELEMENTSOF(told->to));
                told->from[source] += keys;
                told->to[target] += keys;
                told->moved_keys += keys;
                told->moved_bytes += bytes;
        }
        assert_ok(sd_bus_message_exit_container(reply));
        assert_ok(sd_bus_message_exit_container(reply));
}

static void read_volumes(sd_bus_message *reply, Told *told) {
        uint64_t before, after, disk_free;
        uint32_t number, last = 0;

        assert_ok(sd_bus_message_enter_container(reply, 'v', "a(uttt)"));
        assert_ok(sd_bus_message_enter_container(reply, 'a', "(uttt)"));
        while (sd_bus_message_read(reply, "(uttt)", &number, &before, &after, &disk_free) > 0) {
                assert_true(number > last);
                last = number;
                told->n_volumes++;
                told->bytes_before += before;
                told->bytes_after += after;
                assert_int_equal(disk_free, 90 * GIB);
        }
        assert_ok(sd_bus_message_exit_container(reply));
        assert_ok(sd_bus_message_exit_container(reply));
}

static Told read_plan(sd_bus_message *reply) {
        Told told = {};
        const struct {
                const char *name;
                uint64_t *value;
        } numbers[] = {
                { "keys", &told.keys },
                { "bytes", &told.bytes },
                { "all-keys", &told.all_keys },
                { "lost-keys", &told.lost_keys },
                { "waits-until", &told.waits_until },
                { "epoch", &told.epoch },
        };
        const char *name;

        (void) assert_no_bus_error(reply);
        assert_ok(sd_bus_message_enter_container(reply, 'a', "{sv}"));
        for (; sd_bus_message_enter_container(reply, 'e', "sv") > 0; told.n_entries++) {
                assert_ok(sd_bus_message_read(reply, "s", &name));
                if (strcmp(name, "moves") == 0)
                        read_moves(reply, &told);
                else if (strcmp(name, "volumes") == 0)
                        read_volumes(reply, &told);
                for (size_t i = 0; i < ELEMENTSOF(numbers); i++)
                        if (strcmp(name, numbers[i].name) == 0)
                                assert_ok(sd_bus_message_read(reply, "v", "t", numbers[i].value));
                assert_ok(sd_bus_message_exit_container(reply));
        }
        (void) sd_bus_message_unref(reply);
        assert_int_equal(told.n_entries, 8);
        return told;
}

TEST(an_empty_cluster_has_nothing_to_move) {
        Told told = read_plan(plan("rebalance", 0));

        assert_int_equal(told.keys, 0);
        assert_int_equal(told.all_keys, 0);
        assert_int_equal(told.moved_keys, 0);
        assert_int_equal(told.waits_until, 0);
        assert_int_equal(told.epoch, get_number(MANAGER_PATH, MANAGER_INTERFACE, "Epoch"));
        assert_int_equal(told.n_volumes, 3);
}

TEST(a_leaving_volume_gives_each_of_its_keys_away) {
        Fixture *fixture = *state;
        Told told;

        write_keys(fixture, 20, 3);
        told = read_plan(plan("delete", 3));
        assert_int_equal(told.keys, 20);
        assert_int_equal(told.all_keys, 20);
        assert_int_equal(told.bytes, 2000);
        assert_int_equal(told.moved_bytes, 2000);
        assert_int_equal(told.from[3], 20);
        assert_int_equal(told.to[1] + told.to[2], 20);
        assert_int_equal(told.bytes_before, 2000);
        assert_int_equal(told.bytes_after, 2000);
        assert_int_equal(told.lost_keys, 0);

        /* It was a look: nothing has changed. */
        assert_string_equal(
                        get_text(MANAGER_PATH "/volume/3", VOLUME_INTERFACE, "State"), "active");
        assert_int_equal(get_number(MANAGER_PATH, MANAGER_INTERFACE, "Epoch"), told.epoch);
}

TEST(more_copies_are_as_many_moves_as_there_are_keys) {
        Fixture *fixture = *state;
        Told told;

        write_keys(fixture, 20, 1);
        told = read_plan(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "Plan", "saua{sv}",
                                      "copies", 0, 1, "copies", "u", 3));
        assert_int_equal(told.keys, 20);
        assert_int_equal(told.bytes, 4000);
        assert_int_equal(told.bytes_after, 6000);
        assert_int_equal(told.to[2], 20);
        assert_int_equal(told.to[3], 20);
}

TEST(what_cannot_be_planned_says_so) {
        static const char invalid[] = "org.dkv.Error.Invalid";
        _cleanup_free_ uint32_t *many = calloc(JOB_VOLUMES_MAX + 1, sizeof(*many));
        sd_bus_message *call, *reply;

        assert_bus_error(plan("nonsense", 0), invalid, "'nonsense' cannot be planned.");
        assert_bus_error(plan("", 0), invalid, "cannot be planned.");
        assert_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "Plan", "saua{sv}",
                                      "copies", 0, 1, "copies", "t", UINT64_C(2)),
                        invalid, "copies");
        assert_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "Plan", "saua{sv}",
                                      "rebalance", 0, 1, "epoch", "t", UINT64_C(2)),
                        invalid, "'epoch'");
        assert_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "Plan", "s",
                                      "rebalance"),
                        SD_BUS_ERROR_INVALID_ARGS, "");

        assert_ok(sd_bus_message_new_method_call(
                        ends.client, &call, NULL, MANAGER_PATH, MANAGER_INTERFACE, "Plan"));
        assert_ok(sd_bus_message_append(call, "s", "add"));
        assert_ok(sd_bus_message_append_array(
                        call, 'u', many, (JOB_VOLUMES_MAX + 1) * sizeof(*many)));
        assert_ok(sd_bus_message_append(call, "a{sv}", 0));
        assert_ok(bus_run_call(ends.client, call, &reply));
        (void) sd_bus_message_unref(call);
        assert_bus_error(reply, invalid, "At most 64 volumes");
}

TEST(a_refusal_names_the_volume) {
        assert_bus_error(
                        plan("add", 9), "org.dkv.Error.NotFound",
                        "Volume 9 is not known to the master; start it first.");
        assert_bus_error(
                        plan("delete", 9), "org.dkv.Error.NotFound",
                        "Volume 9 is not known to the master.");
        assert_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "Plan", "saua{sv}",
                                      "copies", 0, 1, "copies", "u", 4),
                        "org.dkv.Error.TooFewVolumes", "fewer active volumes");
        assert_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "Plan", "saua{sv}",
                                      "delete", 3, 1, 2, 3, 0),
                        "org.dkv.Error.TooFewVolumes", "fewer active volumes");
}

TEST(everybody_may_look) {
        caller = 54321;
        (void) read_plan(plan("rebalance", 0));
}

/* One is made at a time, but one after the other there is no end to them. */
TEST(a_plan_may_follow_a_plan) {
        Fixture *fixture = *state;

        write_keys(fixture, 5, 2);
        for (unsigned i = 0; i < 10; i++)
                assert_int_equal(read_plan(plan("delete", 2)).keys, 5);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                WITH_VOLUMES(an_empty_cluster_has_nothing_to_move),
                WITH_VOLUMES(a_leaving_volume_gives_each_of_its_keys_away),
                WITH_VOLUMES(more_copies_are_as_many_moves_as_there_are_keys),
                WITH_VOLUMES(what_cannot_be_planned_says_so),
                WITH_VOLUMES(a_refusal_names_the_volume),
                WITH_VOLUMES(everybody_may_look),
                WITH_VOLUMES(a_plan_may_follow_a_plan),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
