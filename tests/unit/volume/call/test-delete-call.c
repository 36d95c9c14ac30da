/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "volume/volume-world.h"

#include <errno.h>

#include "core/call/wire.h"

static unsigned delete (
                World *world, uint64_t number, const uint64_t versions[], size_t n, Buffer *ret) {
        Buffer body = {};

        buffer_put_u64(&body, number);
        for (size_t i = 0; i < n; i++)
                buffer_put_u64(&body, versions[i]);
        return world_call(world, CALL_DELETE, NULL, &body, ret);
}

TEST(versions_are_deleted_and_pending_no_more) {
        const uint64_t versions[] = { 10, 12, 14 };
        World *world = *state;
        _cleanup_(buffer_done) Buffer answer = {};

        world_put(world, 10, "a", "one", 3);
        world_put(world, 12, "b", "two", 3);
        world_put(world, 16, "c", "three", 5);
        pending_add(world->copies.pending, 10);
        assert_int_equal(delete (world, 1, versions, 3, &answer), 200);
        for (size_t i = 0; i < 3; i++) /* one was not there */
                assert_int_equal(world_error(&answer, i), 0);
        assert_int_equal(world_verify(world, 10), -ENOENT);
        assert_int_equal(world_verify(world, 12), -ENOENT);
        assert_int_equal(world_verify(world, 16), 0);
        assert_false(pending_contains(world->copies.pending, 10));
        assert_int_equal(deletions_last(world->deletions), 1);
}

/* The master has repeated it meanwhile, and may have had the version copied here again. */
TEST(a_call_that_was_overtaken_deletes_nothing) {
        const uint64_t version = 20;
        World *world = *state;

        world_put(world, version, "a", "one", 3);
        assert_int_equal(delete (world, 7, NULL, 0, NULL), 200);
        assert_int_not_equal(delete (world, 6, &version, 1, NULL), 200);
        assert_int_not_equal(delete (world, 7, &version, 1, NULL), 200);
        assert_int_equal(world_verify(world, version), 0);
        assert_int_equal(delete (world, 8, &version, 1, NULL), 200);
        assert_int_equal(world_verify(world, version), -ENOENT);
}

TEST(malformed_calls_are_refused_and_not_remembered) {
        uint64_t many[4097];
        World *world = *state;
        Buffer body = {};

        assert_int_equal(world_call(world, CALL_DELETE, NULL, NULL, NULL), 400);
        buffer_put(&body, "123456789", 9);
        assert_int_equal(world_call(world, CALL_DELETE, NULL, &body, NULL), 400);
        assert_int_equal(delete (world, UINT64_MAX, NULL, 0, NULL), 400); /* none could follow */

        for (size_t i = 0; i < ELEMENTSOF(many); i++)
                many[i] = 2 * i + 2;
        assert_int_equal(delete (world, 5, many, 4097, NULL), 400);
        assert_int_equal(deletions_last(world->deletions), 0);
        assert_int_equal(delete (world, 5, many, 4096, NULL), 200);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
        const struct CMUnitTest tests[] = {
                RUN(versions_are_deleted_and_pending_no_more),
                RUN(a_call_that_was_overtaken_deletes_nothing),
                RUN(malformed_calls_are_refused_and_not_remembered),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
