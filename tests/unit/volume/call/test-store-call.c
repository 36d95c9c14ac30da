/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "volume/volume-world.h"

#include <errno.h>

#include "core/call/wire.h"

/* A body that confirms VERSIONS and stores nothing yet. */
static void put_confirmed(Buffer *body, const uint64_t versions[], size_t n) {
        wire_put_versions(body, versions, n);
}

static void put_object(
                Buffer *body, uint64_t version, const char *key, const void *value, size_t size) {
        _cleanup_(buffer_done) Buffer object = {};

        world_encode(&object, version, key, value, size);
        buffer_put_bytes(body, object.data, object.size);
}

static void assert_stored(World *world, uint64_t version, bool is_pending) {
        assert_int_equal(world_verify(world, version), 0);
        assert_int_equal(pending_contains(world->copies.pending, version), is_pending);
}

TEST(objects_are_stored_and_pending_until_they_are_confirmed) {
        const uint64_t confirmed[] = { 10, 12 };
        World *world = *state;
        _cleanup_(buffer_done) Buffer answer = {};
        Buffer body = {};

        put_confirmed(&body, NULL, 0);
        buffer_put_varint(&body, 3);
        put_object(&body, 10, "a", "one", 3);
        put_object(&body, 12, "b", "", 0);
        put_object(&body, 14, "c", "three", 5);
        assert_int_equal(world_call(world, CALL_STORE, NULL, &body, &answer), 200);
        for (size_t i = 0; i < 3; i++)
                assert_int_equal(world_error(&answer, i), 0);
        assert_stored(world, 10, true);
        assert_stored(world, 14, true);

        body = (Buffer){};
        put_confirmed(&body, confirmed, 2);
        buffer_put_varint(&body, 0);
        assert_int_equal(world_call(world, CALL_STORE, NULL, &body, NULL), 200);
        assert_stored(world, 10, false);
        assert_stored(world, 12, false);
        assert_stored(world, 14, true);
}

TEST(values_above_the_limit_go_to_files) {
        static const char value[WORLD_INLINE_MAX + 1] = "a large value";
        World *world = *state;
        _cleanup_(buffer_done) Buffer answer = {}, scratch = {};
        _cleanup_close_ int fd = -1;
        Buffer body = {};
        Object object;

        put_confirmed(&body, NULL, 0);
        buffer_put_varint(&body, 2);
        put_object(&body, 2, "large", value, sizeof(value));
        put_object(&body, 4, "small", value, WORLD_INLINE_MAX);
        assert_int_equal(world_call(world, CALL_STORE, NULL, &body, &answer), 200);
        assert_int_equal(world_error(&answer, 0), 0);
        assert_int_equal(world_error(&answer, 1), 0);

        assert_ok(object_store_get(world->copies.store, 4, &scratch, &object, &fd));
        assert_int_equal(fd, -1);
        assert_ok(object_store_get(world->copies.store, 2, &scratch, &object, &fd));
        assert_true(fd >= 0);
        assert_stored(world, 2, true);
}

TEST(an_object_that_is_there_already_is_no_error_and_another_one_is) {
        World *world = *state;
        _cleanup_(buffer_done) Buffer answer = {};
        Buffer body = {};

        put_confirmed(&body, NULL, 0);
        buffer_put_varint(&body, 3);
        put_object(&body, 20, "a", "one", 3);
        put_object(&body, 20, "a", "one", 3);
        put_object(&body, 20, "a", "two", 3);
        assert_int_equal(world_call(world, CALL_STORE, NULL, &body, &answer), 200);
        assert_int_equal(world_error(&answer, 0), 0);
        assert_int_equal(world_error(&answer, 1), 0);
        assert_int_equal(world_error(&answer, 2), -EEXIST);
        assert_stored(world, 20, true); /* though one of the three has failed */
}

/* What is wrong with one object is no reason to refuse the others. */
TEST(a_damaged_object_fails_alone) {
        World *world = *state;
        _cleanup_(buffer_done) Buffer answer = {}, object = {};
        Buffer body = {};

        world_encode(&object, 6, "bad", "value", 5);
        object.data[object.size - 1] ^= 1;
        put_confirmed(&body, NULL, 0);
        buffer_put_varint(&body, 3);
        buffer_put_bytes(&body, object.data, object.size);
        put_object(&body, 8, "good", "value", 5);
        buffer_put_bytes(&body, "nonsense", 8);
        assert_int_equal(world_call(world, CALL_STORE, NULL, &body, &answer), 200);
        assert_int_equal(world_error(&answer, 0), -EBADMSG);
        assert_int_equal(world_error(&answer, 1), 0);
        assert_true(world_error(&answer, 2) < 0);
        assert_int_equal(world_verify(world, 6), -ENOENT);
        assert_false(pending_contains(world->copies.pending, 6));
        assert_stored(world, 8, true);
}

TEST(a_malformed_body_is_refused_as_a_whole) {
        World *world = *state;
        Buffer body = {};

        assert_int_equal(world_call(world, CALL_STORE, NULL, NULL, NULL), 400);

        buffer_put_varint(&body, 1000000); /* versions that do not follow */
        assert_int_equal(world_call(world, CALL_STORE, NULL, &body, NULL), 400);

        body = (Buffer){};
        put_confirmed(&body, NULL, 0);
        buffer_put_varint(&body, 5000); /* more than a call may have */
        assert_int_equal(world_call(world, CALL_STORE, NULL, &body, NULL), 400);

        body = (Buffer){};
        put_confirmed(&body, NULL, 0);
        buffer_put_varint(&body, 1);
        put_object(&body, 30, "a", "one", 3);
        buffer_put_u8(&body, 0); /* more than it says */
        assert_int_equal(world_call(world, CALL_STORE, NULL, &body, NULL), 400);
        assert_int_equal(world_verify(world, 30), -ENOENT);
}

TEST(clients_are_being_served_while_values_come) {
        World *world = *state;
        Buffer body = {};

        put_confirmed(&body, NULL, 0);
        buffer_put_varint(&body, 0);
        assert_int_equal(world_call(world, CALL_STORE, NULL, &body, NULL), 200);
        assert_false(activity_has_clients(&world->activity)); /* it only confirms */

        body = (Buffer){};
        put_confirmed(&body, NULL, 0);
        buffer_put_varint(&body, 1);
        put_object(&body, 40, "a", "one", 3);
        assert_int_equal(world_call(world, CALL_STORE, NULL, &body, NULL), 200);
        assert_true(activity_has_clients(&world->activity));
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
        const struct CMUnitTest tests[] = {
                RUN(objects_are_stored_and_pending_until_they_are_confirmed),
                RUN(values_above_the_limit_go_to_files),
                RUN(an_object_that_is_there_already_is_no_error_and_another_one_is),
                RUN(a_damaged_object_fails_alone),
                RUN(a_malformed_body_is_refused_as_a_whole),
                RUN(clients_are_being_served_while_values_come),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
