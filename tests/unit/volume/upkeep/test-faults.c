/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "volume/volume-world.h"

#include <errno.h>

#include "base/json.h"

TEST(errors_of_the_system_become_what_others_understand) {
        const struct {
                int error, result;
        } table[] = {
                { 0, 0 },
                { 5, 5 },
                { -EEXIST, -EEXIST }, /* of the request, and no fault */
                { -EBADMSG, -EBADMSG },
                { -ENOSPC, -ENOSPC },
                { -EDQUOT, -ENOSPC },
                { -EROFS, -EREMOTEIO },
        };
        World *world = *state;

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                assert_int_equal(
                                faults_note(world->copies.faults, table[i].error, 0),
                                table[i].result);
}

TEST(a_store_that_is_well_takes_values) {
        World *world = *state;

        assert_int_equal(faults_check(world->copies.faults), 0);
        assert_int_equal(faults_get(world->copies.faults), STORE_FAULT_NONE);
        (void) faults_note(world->copies.faults, -EEXIST, 10);
        assert_int_equal(faults_check(world->copies.faults), 0);
}

static Json *report(World *world) {
        Json *json = json_new_object();

        faults_add(world->copies.faults, json);
        assert_ok(json_error(json));
        return json;
}

/* The thread that tests the store may find it well right after the fault was noted: then again. */
static Json *report_fault(World *world) {
        for (unsigned i = 0; i < 100; i++) {
                Json *json;

                assert_int_equal(faults_note(world->copies.faults, -EROFS, 0), -EREMOTEIO);
                json = report(world);
                if (json_get_string(json, "fault"))
                        return json;
                (void) json_free(json);
        }
        return NULL;
}

/* And the test finds within two seconds that the disk is well after all. */
TEST(a_fault_is_reported_until_a_test_succeeds) {
        World *world = *state;
        _cleanup_(json_freep) Json *with = NULL, *without = NULL;

        with = report_fault(world);
        assert_non_null(with);
        assert_string_equal(json_get_string(with, "fault"), "read-only");
        assert_non_null(strstr(json_get_string(with, "fault_detail"), "Read-only"));

        for (unsigned i = 0; i < 500 && faults_check(world->copies.faults) < 0; i++)
                usleep(10 * USEC_PER_MSEC);
        assert_int_equal(faults_check(world->copies.faults), 0);
        without = report(world);
        assert_null(json_get_string(without, "fault"));
}

static bool has_peer(World *world, const char *authority) {
        _cleanup_(json_freep) Json *json = report(world);
        _cleanup_free_ char *text = json_format(json, false);

        return strstr(text, authority);
}

TEST(volumes_that_cannot_be_reached_are_reported) {
        World *world = *state;
        Faults *faults = world->copies.faults;

        faults_note_peer(faults, "10.0.0.1:3001", 0);
        faults_note_peer(faults, "10.0.0.2:3001", -EACCES); /* it has answered */
        assert_false(has_peer(world, "10.0.0."));

        faults_note_peer(faults, "10.0.0.3:3001", -EHOSTDOWN);
        faults_note_peer(faults, "10.0.0.4:3001", -ETIMEDOUT);
        assert_true(has_peer(world, "10.0.0.3:3001"));
        assert_true(has_peer(world, "10.0.0.4:3001"));

        faults_note_peer(faults, "10.0.0.3:3001", 0);
        assert_false(has_peer(world, "10.0.0.3:3001"));
        assert_true(has_peer(world, "10.0.0.4:3001"));
}

TEST(of_too_many_the_oldest_is_forgotten) {
        World *world = *state;
        char authority[32];

        for (unsigned i = 1; i <= 17; i++) {
                (void) snprintf(authority, sizeof(authority), "10.0.1.%u:3001", i);
                faults_note_peer(world->copies.faults, authority, -ECONNRESET);
                usleep(2);
        }
        assert_false(has_peer(world, "10.0.1.1:3001"));
        assert_true(has_peer(world, "10.0.1.2:3001"));
        assert_true(has_peer(world, "10.0.1.17:3001"));
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
        const struct CMUnitTest tests[] = {
                RUN(errors_of_the_system_become_what_others_understand),
                RUN(a_store_that_is_well_takes_values),
                RUN(a_fault_is_reported_until_a_test_succeeds),
                RUN(volumes_that_cannot_be_reached_are_reported),
                RUN(of_too_many_the_oldest_is_forgotten),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
