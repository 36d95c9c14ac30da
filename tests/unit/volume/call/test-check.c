/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "volume/volume-world.h"

#include <errno.h>

#include "core/call/wire.h"

#define LARGE (WORLD_INLINE_MAX + 100)

static unsigned check(
                World *world, WireCheck depth, const uint64_t versions[], size_t n, Buffer *ret) {
        Buffer body = {};

        buffer_put_u8(&body, (uint8_t) depth);
        for (size_t i = 0; i < n; i++)
                buffer_put_u64(&body, versions[i]);
        return world_call(world, CALL_CHECK, NULL, &body, ret);
}

TEST(what_is_there_is_told_in_the_order_of_the_question) {
        static const char value[LARGE] = "large";
        const uint64_t versions[] = { 6, 2, 4, 2 };
        World *world = *state;

        world_put(world, 2, "a", "small", 5);
        world_put(world, 4, "b", value, LARGE);
        for (WireCheck depth = 0; depth < _WIRE_CHECK_MAX; depth++) {
                _cleanup_(buffer_done) Buffer answer = {};

                assert_int_equal(check(world, depth, versions, 4, &answer), 200);
                assert_int_equal(world_error(&answer, 0), -ENOENT);
                for (size_t i = 1; i < 4; i++)
                        assert_int_equal(world_error(&answer, i), 0);
        }
}

/* Only who reads the whole value finds that it is damaged; then the master hears of it. */
TEST(a_damaged_value_is_found_by_a_look_at_the_whole_of_it) {
        static const char value[LARGE] = "DAMAGED";
        const uint64_t version = 8;
        World *world = *state;
        _cleanup_(buffer_done) Buffer present = {}, whole = {};
        uint64_t n_copies, n_found;

        world_put(world, version, "a", value, LARGE);
        world_damage(world, "DAMAGED");
        assert_int_equal(check(world, WIRE_CHECK_PRESENT, &version, 1, &present), 200);
        assert_int_equal(world_error(&present, 0), 0);
        damage_count(world->copies.damage, &n_copies, &n_found);
        assert_int_equal(n_copies, 0);

        assert_int_equal(check(world, WIRE_CHECK_WHOLE, &version, 1, &whole), 200);
        assert_int_equal(world_error(&whole, 0), -EBADMSG);
        damage_count(world->copies.damage, &n_copies, &n_found);
        assert_int_equal(n_copies, 1);
}

/* Unless it is on its way to the master at this very moment; then the next look will do. */
TEST(a_copy_that_is_good_again_is_damaged_no_more) {
        const uint64_t version = 10;
        World *world = *state;
        uint64_t n_copies = 1, n_found;

        world_put(world, version, "a", "good", 4);
        assert_true(damage_found(world->copies.damage, "a", version, -EBADMSG));
        for (unsigned i = 0; i < 200 && n_copies > 0; i++) {
                _cleanup_(buffer_done) Buffer answer = {};

                assert_int_equal(check(world, WIRE_CHECK_WHOLE, &version, 1, &answer), 200);
                assert_int_equal(world_error(&answer, 0), 0);
                damage_count(world->copies.damage, &n_copies, &n_found);
        }
        assert_int_equal(n_copies, 0);
        assert_int_equal(n_found, 1);
}

TEST(malformed_questions_are_refused) {
        World *world = *state;
        uint64_t many[WIRE_CHECK_VERSIONS_MAX + 1] = { 2 };
        Buffer body = {};

        assert_int_equal(world_call(world, CALL_CHECK, NULL, NULL, NULL), 400);
        assert_int_equal(check(world, _WIRE_CHECK_MAX, many, 1, NULL), 400);
        assert_int_equal(check(world, WIRE_CHECK_PRESENT, many, ELEMENTSOF(many), NULL), 400);
        assert_int_equal(
                        check(world, WIRE_CHECK_PRESENT, many, WIRE_CHECK_VERSIONS_MAX, NULL), 200);
        assert_int_equal(check(world, WIRE_CHECK_PRESENT, NULL, 0, NULL), 200);

        buffer_put_u8(&body, WIRE_CHECK_PRESENT);
        buffer_put(&body, "1234567", 7);
        assert_int_equal(world_call(world, CALL_CHECK, NULL, &body, NULL), 400);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
        const struct CMUnitTest tests[] = {
                RUN(what_is_there_is_told_in_the_order_of_the_question),
                RUN(a_damaged_value_is_found_by_a_look_at_the_whole_of_it),
                RUN(a_copy_that_is_good_again_is_damaged_no_more),
                RUN(malformed_questions_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
