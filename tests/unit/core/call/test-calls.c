/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "core/call/calls.h"
#include "core/call/wire.h"
#include "core/key.h"

TEST(each_call_that_is_a_request_has_a_path_of_its_own) {
        for (CallKind kind = 0; kind < _CALL_MAX; kind++) {
                const CallType *type = call_types + kind;

                if (kind != CALL_HELLO && kind != CALL_FETCH) {
                        assert_string_equal(type->path, "");
                        continue;
                }
                assert_int_equal(strncmp(type->path, "/-/", 3), 0);
                assert_true(strlen(type->path) + 1 < sizeof(type->path)); /* none is cut */
                assert_ptr_equal(call_find(type->path), type);
        }
}

TEST(no_other_path_is_a_call) {
        static const char *const paths[] = {
                "",        "/",         "/-/",      "/-/health", "/-/where/", "/-/copy/key",
                "/-/hell", "/-/hello/", "/-/Hello", "/hello",    "/-/store",
        };

        for (size_t i = 0; i < ELEMENTSOF(paths); i++)
                assert_null(call_find(paths[i]));
}

TEST(a_daemon_without_a_number_is_the_master) {
        assert_int_equal(call_role(&(StoreIdentity){}), CALL_ROLE_MASTER);
        assert_int_equal(call_role(&(StoreIdentity){ .run = 7 }), CALL_ROLE_MASTER);
        assert_int_equal(call_role(&(StoreIdentity){ .number = 1 }), CALL_ROLE_VOLUME);
}

TEST(daemons_of_one_role_fetch_or_are_a_group) {
        for (CallKind kind = 0; kind < _CALL_MAX; kind++)
                assert_int_equal(
                                call_types[kind].caller == call_types[kind].receiver,
                                kind == CALL_FETCH || kind == CALL_GROUP);
}

/* The greatest body that the encoders of wire.h are given must pass, and so must its answer. */
TEST(the_largest_batches_fit) {
        size_t version = sizeof(uint64_t), key = KEY_MAX + 3, error = 2;

        assert_true(1 + WIRE_CHECK_VERSIONS_MAX * version <= CALL_CHECK_BODY_MAX);
        assert_true(WIRE_CHECK_VERSIONS_MAX * error <= call_types[CALL_CHECK].answer_max);
        assert_true(WIRE_FETCH_MAX * version <= CALL_FETCH_BODY_MAX);
        assert_true(4 + WIRE_DAMAGE_MAX * (version + 1 + key) <= CALL_DAMAGED_BODY_MAX);
        assert_true(WIRE_DAMAGE_MAX * error <= call_types[CALL_DAMAGED].answer_max);
        assert_true(WIRE_PULL_MAX * (version + 9 + 2 + 1 + key) <= CALL_PULL_BODY_MAX);
        assert_true(WIRE_PULL_MAX * error <= call_types[CALL_PULL].answer_max);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_call_that_is_a_request_has_a_path_of_its_own),
                cmocka_unit_test(no_other_path_is_a_call),
                cmocka_unit_test(a_daemon_without_a_number_is_the_master),
                cmocka_unit_test(daemons_of_one_role_fetch_or_are_a_group),
                cmocka_unit_test(the_largest_batches_fit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
