/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "volume/volume-world.h"

#include "base/json.h"

static Json *ask(World *world) {
        const char *answer = exchange_simple(&world->server, "GET", "/-/health");
        Json *json;

        assert_status(answer, 200);
        assert_contains(answer, "Content-Type: application/json\r\n");
        assert_ok(json_parse(body_of(answer), strlen(body_of(answer)), &json));
        return json;
}

static uint64_t figure(const Json *json, const char *name) {
        uint64_t value;

        assert_ok(json_get_uint(json, name, &value));
        return value;
}

TEST(it_says_who_the_volume_is) {
        World *world = *state;
        _cleanup_(json_freep) Json *json = ask(world), *again = ask(world);

        assert_string_equal(json_get_string(json, "status"), "ok");
        assert_string_equal(json_get_string(json, "version"), DKV_VERSION);
        assert_int_equal(figure(json, "number"), WORLD_NUMBER);
        assert_int_equal(strlen(json_get_string(json, "uuid")), 2 * sizeof(Uuid));
        assert_string_equal(json_get_string(json, "uuid"), json_get_string(again, "uuid"));
        assert_string_equal(json_get_string(json, "run"), json_get_string(again, "run"));
}

TEST(it_says_whom_the_volume_follows) {
        World *world = *state;
        _cleanup_(json_freep) Json *before = ask(world), *after = NULL;

        assert_int_equal(figure(before, "term"), 1);
        assert_string_equal(json_get_string(before, "leader"), "65"); /* 101 */
        world_follow(world, 7);
        after = ask(world);
        assert_int_equal(figure(after, "term"), 7);
        assert_string_equal(json_get_string(after, "leader"), "6b");
        assert_string_equal(json_get_string(after, "cluster"), json_get_string(before, "cluster"));
        assert_int_equal(strlen(json_get_string(after, "cluster")), 2 * CLUSTER_ID_SIZE);
}

TEST(it_counts_what_is_stored_and_what_is_pending) {
        static const char large[WORLD_INLINE_MAX + 1] = "large";
        World *world = *state;
        _cleanup_(json_freep) Json *before = ask(world), *after = NULL;

        assert_int_equal(figure(before, "objects"), 0);
        assert_int_equal(figure(before, "bytes"), 0);
        assert_int_equal(figure(before, "pending"), 0);
        world_put(world, 2, "a", "12345", 5);
        world_put(world, 4, "b", large, sizeof(large));
        pending_add(world->copies.pending, 4);
        after = ask(world);
        assert_int_equal(figure(after, "objects"), 2);
        assert_int_equal(figure(after, "bytes"), 5 + sizeof(large));
        assert_int_equal(figure(after, "pending"), 1);
        assert_true(figure(after, "size") >= figure(after, "free"));
        assert_true(figure(after, "size") > 0);
}

TEST(nobody_keeps_it_from_answering_before_the_master_knows_the_volume) {
        World *world = *state;
        _cleanup_(json_freep) Json *json = ask(world);
        bool known;

        assert_ok(json_get_bool(json, "master", &known));
        assert_false(known);
}

/* A monitor asks for the headers alone. */
TEST(head_has_the_length_and_no_body) {
        World *world = *state;
        const char *answer = exchange_simple(&world->server, "HEAD", "/-/health");

        assert_status(answer, 200);
        assert_contains(answer, "Content-Length: ");
        assert_lacks(answer, "Content-Length: 0\r\n");
        assert_string_equal(body_of(answer), "");
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
        const struct CMUnitTest tests[] = {
                RUN(it_says_who_the_volume_is),
                RUN(it_says_whom_the_volume_follows),
                RUN(it_counts_what_is_stored_and_what_is_pending),
                RUN(nobody_keeps_it_from_answering_before_the_master_knows_the_volume),
                RUN(head_has_the_length_and_no_body),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
