/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which copies are damaged, as GetDamage() and the volumes tell it. */

#include "test.h"

#include <errno.h>
#include <stdio.h>

#include "master/bus/bus-content.h"
#include "master/bus/bus-fixture.h"
#include "master/bus/bus-reports.h"
#include "master/bus/damage.h"
#include "store/index/damage.h"

static uint64_t write_copies(Fixture *fixture, const char *key, uint32_t a, uint32_t b) {
        IndexCommit commit = {
                .request.done = scratch_answered,
                .key = key,
                .record = {
                        .version = index_next_version(fixture->index, VERSION_DIRECT),
                        .content_type = "",
                        .metadata = "",
                        .n_copies = 2,
                        .copies = { a, b },
                },
        };

        index_commit(fixture->index, &commit);
        assert_ok(scratch_wait());
        return commit.record.version;
}

static void
mark(Fixture *fixture, const char *key, uint64_t version, uint32_t volume, DamageKind kind) {
        IndexDamageItem item = { .key = key, .version = version, .volume = volume, .kind = kind };
        IndexDamage damage = {
                .request.done = scratch_answered,
                .items = &item,
                .n_items = 1,
                .now_usec = 77,
        };

        index_damage(fixture->index, &damage);
        assert_ok(scratch_wait());
}

typedef struct Told {
        uint64_t copies, lost;
        unsigned n;
        char text[512]; /* "key volume kind lost since;" of each */
} Told;

static Told get_damage(void) {
        sd_bus_message *reply = assert_no_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "GetDamage", ""));
        uint64_t version, since;
        const char *key, *kind;
        Told told = {};
        uint32_t volume;
        size_t n = 0;
        int lost;

        assert_ok(sd_bus_message_read(reply, "tt", &told.copies, &told.lost));
        assert_ok(sd_bus_message_enter_container(reply, 'a', "(stusbt)"));
        for (;
             sd_bus_message_read(reply, "(stusbt)", &key, &version, &volume, &kind, &lost, &since) >
             0;
             told.n++)
                if (n < sizeof(told.text) / 2)
                        n += (size_t) snprintf(
                                        told.text + n, sizeof(told.text) - n, "%s %u %s %d %u;",
                                        key, volume, kind, lost, (unsigned) since);
        (void) sd_bus_message_unref(reply);
        return told;
}

TEST(without_damage_the_list_is_empty) {
        Told told = get_damage();

        assert_int_equal(told.copies, 0);
        assert_int_equal(told.lost, 0);
        assert_int_equal(told.n, 0);
}

TEST(each_copy_is_told_with_its_kind_and_whether_its_value_is_lost) {
        Fixture *fixture = *state;
        uint64_t first = write_copies(fixture, "one key", 1, 2),
                 second = write_copies(fixture, "b\xff", 2, 3);
        Told told;

        mark(fixture, "one key", first, 2, DAMAGE_CORRUPT);
        mark(fixture, "b\xff", second, 2, DAMAGE_MISSING);
        mark(fixture, "b\xff", second, 3, DAMAGE_UNREADABLE);
        told = get_damage();
        assert_int_equal(told.copies, 3);
        assert_int_equal(told.lost, 1);
        assert_string_equal(
                        told.text,
                        "one%20key 2 damaged 0 77;b%FF 2 missing 1 77;b%FF 3 unreadable 1 77;");
        assert_int_equal(get_number(VOLUME_1, VOLUME_INTERFACE, "DamagedCopies"), 0);
        assert_int_equal(
                        get_number(MANAGER_PATH "/volume/2", VOLUME_INTERFACE, "DamagedCopies"), 2);

        /* What turns out to be good is not damaged. */
        mark(fixture, "b\xff", second, 3, DAMAGE_NONE);
        told = get_damage();
        assert_int_equal(told.copies, 2);
        assert_int_equal(told.lost, 0);
}

TEST(a_thousand_are_named_and_all_are_counted) {
        Fixture *fixture = *state;
        Told told;

        for (unsigned i = 0; i < DAMAGE_BUS_MAX / 2 + 1; i++) {
                char key[16];
                uint64_t version;

                (void) snprintf(key, sizeof(key), "%u", i);
                version = write_copies(fixture, key, 1, 2);
                mark(fixture, key, version, 1, DAMAGE_CORRUPT);
                mark(fixture, key, version, 2, DAMAGE_CORRUPT);
        }
        told = get_damage();
        assert_int_equal(told.copies, DAMAGE_BUS_MAX + 2);
        assert_int_equal(told.lost, DAMAGE_BUS_MAX / 2 + 1);
        assert_int_equal(told.n, DAMAGE_BUS_MAX);
}

TEST(everybody_may_look) {
        caller = 54321;
        assert_int_equal(get_damage().n, 0);
}

/* Without jobs: none of it is repaired meanwhile. */
static int setup(void **state) {
        Fixture *fixture = fixture_new();
        const JobStatus paused = { .id = 1, .type = JOB_REPAIR, .state = JOB_PAUSED };

        keep_jobs(fixture, &paused, 1, NULL, 0);
        start_jobs(fixture);
        start_bus(fixture);
        report(fixture, 3);
        *state = fixture;
        return 0;
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, setup, stop)

int main(void) {
        static const struct CMUnitTest tests[] = {
                ROW(without_damage_the_list_is_empty),
                ROW(each_copy_is_told_with_its_kind_and_whether_its_value_is_lost),
                ROW(a_thousand_are_named_and_all_are_counted),
                ROW(everybody_may_look),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
