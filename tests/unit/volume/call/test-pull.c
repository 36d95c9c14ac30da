/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "volume/volume-world.h"

#include <errno.h>

#include "base/clock.h"
#include "core/call/wire.h"

/* Copies come from this very volume, under the number of a neighbor. */
static void put_head(
                World *world, Buffer *body, uint64_t deadline_usec, const char *url, size_t n) {
        WirePull pull = {
                .deadline_usec = deadline_usec,
                .n_sources = 1,
                .sources[0] = { .url = url, .store = *allegiance_store(world->allegiance) },
                .n_items = n,
        };

        wire_put_versions(body, NULL, 0);
        wire_put_pull(body, &pull);
}

static void put_item(Buffer *body, uint64_t version, const char *key, uint64_t size, bool replace) {
        wire_put_pull_item(
                        body, &(WirePullItem){
                                              .version = version,
                                              .size = size,
                                              .replace = replace,
                                              .key = key,
                              });
}

static int pull_from(
                World *world,
                const char *url,
                uint64_t deadline_usec,
                uint64_t version,
                const char *key,
                uint64_t size,
                bool replace) {
        _cleanup_(buffer_done) Buffer answer = {};
        Buffer body = {};

        put_head(world, &body, deadline_usec, url, 1);
        put_item(&body, version, key, size, replace);
        assert_int_equal(world_call(world, CALL_PULL, NULL, &body, &answer), 200);
        return world_error(&answer, 0);
}

static int pull(World *world, uint64_t version, const char *key, uint64_t size, bool replace) {
        char url[64];

        (void) snprintf(url, sizeof(url), "http://127.0.0.1:%i", world->server.port);
        return pull_from(world, url, clock_realtime() + USEC_PER_MIN, version, key, size, replace);
}

TEST(what_is_here_already_is_not_fetched) {
        World *world = *state;

        world_put(world, 2, "key", "value", 5);
        assert_int_equal(pull(world, 2, "key", 5, false), 0);
        assert_true(pending_contains(world->copies.pending, 2));
}

TEST(a_file_that_is_here_is_verified_first) {
        static const char good[WORLD_INLINE_MAX + 1] = "GOOD",
                                                  bad[WORLD_INLINE_MAX + 1] = "DAMAGED";
        World *world = *state;

        world_put(world, 2, "key", good, sizeof(good));
        world_put(world, 4, "key", bad, sizeof(bad));
        world_damage(world, "DAMAGED");
        assert_int_equal(pull(world, 2, "key", sizeof(good), false), 0);
        assert_int_equal(pull(world, 4, "key", sizeof(bad), false), -EEXIST);
        /* To be replaced, it is fetched; but the source's copy is this one. */
        assert_int_equal(pull(world, 4, "key", sizeof(bad), true), -EBADMSG);
}

TEST(a_version_that_is_taken_by_something_else_is_refused) {
        World *world = *state;

        world_put(world, 2, "key", "value", 5);
        assert_int_equal(pull(world, 2, "other", 5, false), -EEXIST);
        assert_int_equal(pull(world, 2, "key", 6, false), -EEXIST);
        assert_int_equal(world_verify(world, 2), 0);
}

TEST(what_the_source_does_not_have_cannot_come) {
        World *world = *state;

        assert_int_equal(pull(world, 6, "key", 5, false), -ENOENT);
        assert_false(pending_contains(world->copies.pending, 6));
}

TEST(a_source_that_cannot_be_reached_is_told_as_such) {
        World *world = *state;

        assert_int_equal(
                        pull_from(world, world->master.url, clock_realtime() + USEC_PER_MIN, 8,
                                  "key", 5, false),
                        -EHOSTDOWN);
}

TEST(malformed_orders_are_refused) {
        World *world = *state;
        uint64_t later = clock_realtime() + USEC_PER_MIN;
        Buffer body = {};

        assert_int_equal(world_call(world, CALL_PULL, NULL, NULL, NULL), 400);

        put_head(world, &body, later, "http://a", 2); /* one of two items */
        put_item(&body, 2, "key", 5, false);
        assert_int_equal(world_call(world, CALL_PULL, NULL, &body, NULL), 400);

        body = (Buffer){};
        put_head(world, &body, later, "http://a", 1);
        put_item(&body, 0, "key", 5, false); /* no version */
        assert_int_equal(world_call(world, CALL_PULL, NULL, &body, NULL), 400);

        body = (Buffer){};
        put_head(world, &body, later, "http://a", 1);
        put_item(&body, 2, "key", 5, false);
        buffer_put_u8(&body, 0);
        assert_int_equal(world_call(world, CALL_PULL, NULL, &body, NULL), 400);
}

TEST(copies_come_from_volumes) {
        World *world = *state;
        WirePull master = {
                .deadline_usec = clock_realtime() + USEC_PER_MIN,
                .n_sources = 1,
                .sources[0].url = "http://a",
                .n_items = 1,
        };
        Buffer body = {};

        wire_put_versions(&body, NULL, 0);
        wire_put_pull(&body, &master);
        put_item(&body, 2, "key", 5, false);
        assert_int_equal(world_call(world, CALL_PULL, NULL, &body, NULL), 400);
}

TEST(nothing_to_pull_only_confirms) {
        const uint64_t confirmed[] = { 10 };
        World *world = *state;
        WirePull none = { .n_sources = 1, .sources[0].url = "http://a" };
        Buffer body = {};

        pending_add(world->copies.pending, 10);
        wire_put_versions(&body, confirmed, 1);
        wire_put_pull(&body, &none);
        assert_int_equal(world_call(world, CALL_PULL, NULL, &body, NULL), 200);
        assert_false(pending_contains(world->copies.pending, 10));
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
        const struct CMUnitTest tests[] = {
                RUN(what_is_here_already_is_not_fetched),
                RUN(a_file_that_is_here_is_verified_first),
                RUN(a_version_that_is_taken_by_something_else_is_refused),
                RUN(what_the_source_does_not_have_cannot_come),
                RUN(a_source_that_cannot_be_reached_is_told_as_such),
                RUN(malformed_orders_are_refused),
                RUN(copies_come_from_volumes),
                RUN(nothing_to_pull_only_confirms),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
