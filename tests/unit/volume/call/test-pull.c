/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "volume/volume-world.h"

#include <errno.h>
#include <glob.h>

#include "base/clock.h"
#include "core/call/wire.h"
#include "core/limits.h"
#include "http/stand-in.h"
#include "volume/neighbor.h"

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

/* An order to pull several items, each from one of the neighbors. */
typedef struct Order {
        WirePull head;
        WirePullItem items[8];
} Order;

static void order_from(Order *order, const Neighbor *neighbors, size_t n) {
        *order = (Order){
                .head = { .deadline_usec = clock_realtime() + USEC_PER_MIN, .n_sources = n },
        };
        for (size_t i = 0; i < n; i++) {
                order->head.sources[i].url = neighbors[i].url;
                order->head.sources[i].store = neighbor_identity();
        }
}

static void order_item(
                Order *order, size_t source, uint64_t version, const char *key, size_t size) {
        order->items[order->head.n_items++] = (WirePullItem){
                .version = version,
                .size = size,
                .source = (uint8_t) source,
                .key = key,
        };
}

static unsigned give(World *world, const Order *order, Buffer *ret_answer) {
        Buffer body = {};

        wire_put_versions(&body, NULL, 0);
        wire_put_pull(&body, &order->head);
        for (size_t i = 0; i < order->head.n_items; i++)
                wire_put_pull_item(&body, order->items + i);
        return world_call(world, CALL_PULL, NULL, &body, ret_answer);
}

/* The same for one item. Returns its error. */
static int
pull_one(World *world, const Neighbor *neighbor, uint64_t version, const char *key, size_t size) {
        _cleanup_(buffer_done) Buffer answer = {};
        Order order;

        order_from(&order, neighbor, 1);
        order_item(&order, 0, version, key, size);
        assert_int_equal(give(world, &order, &answer), 200);
        return world_error(&answer, 0);
}

#define LARGE (3 * MIB + 17)

static uint8_t *make_value(size_t size) {
        uint8_t *value = malloc(size);

        for (size_t i = 0; i < size; i++)
                value[i] = (uint8_t) (i * 31 + i / 253);
        return value;
}

TEST(copies_of_every_size_arrive_and_are_pending) {
        static const size_t sizes[] = { 0, 1, WORLD_INLINE_MAX, WORLD_INLINE_MAX + 1, LARGE };
        _cleanup_free_ uint8_t *value = make_value(LARGE);
        _cleanup_(buffer_done) Buffer answer = {};
        World *world = *state;
        Neighbor neighbor = {};
        Order order;

        neighbor_start(&neighbor, world);
        order_from(&order, &neighbor, 1);
        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                neighbor_put(&neighbor, 20 + 2 * i, "key", value, sizes[i]);
                order_item(&order, 0, 20 + 2 * i, "key", sizes[i]);
        }
        assert_int_equal(give(world, &order, &answer), 200);
        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                assert_int_equal(world_error(&answer, i), 0);
                assert_int_equal(world_verify(world, 20 + 2 * i), 0);
                assert_true(pending_contains(world->copies.pending, 20 + 2 * i));
        }
        assert_int_equal(neighbor.n_calls, 1);
        neighbor_stop(&neighbor);
}

TEST(each_copy_comes_from_its_own_source) {
        _cleanup_(buffer_done) Buffer answer = {};
        Neighbor neighbors[2] = {};
        World *world = *state;
        Order order;

        neighbor_start(neighbors + 0, world);
        neighbor_start(neighbors + 1, world);
        neighbor_put(neighbors + 0, 20, "a", "one", 3);
        neighbor_put(neighbors + 1, 22, "b", "two", 3);
        order_from(&order, neighbors, 2);
        order_item(&order, 1, 22, "b", 3);
        order_item(&order, 0, 20, "a", 3);
        order_item(&order, 0, 22, "b", 3); /* which that one does not have */
        order.head.n_items = 2;
        assert_int_equal(give(world, &order, &answer), 200);
        assert_int_equal(world_error(&answer, 0), 0);
        assert_int_equal(world_error(&answer, 1), 0);
        assert_int_equal(neighbors[0].n_asked, 1);
        assert_int_equal(neighbors[1].n_asked, 1);
        neighbor_stop(neighbors + 0);
        neighbor_stop(neighbors + 1);
}

TEST(a_source_that_fails_does_not_fail_the_others) {
        _cleanup_(buffer_done) Buffer answer = {};
        Neighbor neighbors[2] = { { .error = -ESHUTDOWN } };
        World *world = *state;
        Order order;

        neighbor_start(neighbors + 0, world);
        neighbor_start(neighbors + 1, world);
        neighbor_put(neighbors + 1, 22, "b", "two", 3);
        order_from(&order, neighbors, 2);
        order_item(&order, 0, 20, "a", 3);
        order_item(&order, 1, 22, "b", 3);
        assert_int_equal(give(world, &order, &answer), 200);
        assert_true(world_error(&answer, 0) < 0);
        assert_int_equal(world_error(&answer, 1), 0);
        assert_false(pending_contains(world->copies.pending, 20));
        neighbor_stop(neighbors + 0);
        neighbor_stop(neighbors + 1);
}

/* Of one call, what is good arrives. */
TEST(a_damaged_copy_is_refused_alone) {
        static char good[WORLD_INLINE_MAX + 1] = "GOOD", bad[WORLD_INLINE_MAX + 1] = "DAMAGED";
        _cleanup_(buffer_done) Buffer answer = {};
        World *world = *state;
        Neighbor neighbor = {};
        Order order;

        neighbor_start(&neighbor, world);
        neighbor_put(&neighbor, 20, "a", good, sizeof(good));
        neighbor_put(&neighbor, 22, "b", bad, sizeof(bad));
        neighbor_put(&neighbor, 24, "c", "small", 5);
        neighbor_damage(&neighbor, "DAMAGED");
        order_from(&order, &neighbor, 1);
        order_item(&order, 0, 20, "a", sizeof(good));
        order_item(&order, 0, 22, "b", sizeof(bad));
        order_item(&order, 0, 24, "c", 5);
        assert_int_equal(give(world, &order, &answer), 200);
        assert_int_equal(world_error(&answer, 0), 0);
        assert_int_equal(world_error(&answer, 1), -EBADMSG);
        assert_int_equal(world_error(&answer, 2), 0);
        assert_int_equal(world_verify(world, 22), -ENOENT);
        assert_false(pending_contains(world->copies.pending, 22));
        neighbor_stop(&neighbor);
}

/* A flipped bit behind the first block of a large value, which has begun to arrive by then. */
TEST(a_large_copy_that_is_damaged_in_the_middle_does_not_become_one) {
        _cleanup_free_ uint8_t *value = make_value(LARGE);
        World *world = *state;
        Neighbor neighbor = {};
        glob_t files = {};
        char pattern[512];

        neighbor_start(&neighbor, world);
        neighbor_put(&neighbor, 20, "key", value, LARGE);
        (void) snprintf(pattern, sizeof(pattern), "%s/objects/*/*", neighbor.directory);
        assert_int_equal(glob(pattern, 0, NULL, &files), 0);
        scratch_flip_bit(files.gl_pathv[0], 2 * MIB);
        globfree(&files);
        assert_true(pull_one(world, &neighbor, 20, "key", LARGE) < 0);
        assert_int_equal(world_verify(world, 20), -ENOENT);
        assert_false(pending_contains(world->copies.pending, 20));
        neighbor_stop(&neighbor);
}

/* It is the index that says what a version is. */
TEST(what_is_not_as_the_master_says_is_refused) {
        World *world = *state;
        Neighbor neighbor = {};

        neighbor_start(&neighbor, world);
        neighbor_put(&neighbor, 20, "key", "value", 5);
        assert_int_equal(pull_one(world, &neighbor, 20, "other", 5), -EBADMSG);
        assert_int_equal(pull_one(world, &neighbor, 20, "key", 4), -EBADMSG);
        assert_int_equal(pull_one(world, &neighbor, 20, "key", 6), -EBADMSG);
        assert_int_equal(world_verify(world, 20), -ENOENT);
        assert_int_equal(pull_one(world, &neighbor, 20, "key", 5), 0);
        neighbor_stop(&neighbor);
}

TEST(an_answer_that_makes_no_sense_or_breaks_off_brings_nothing) {
        static const uint64_t cuts[] = { 1, 19, 21, 100, 100000 };
        World *world = *state;
        Neighbor neighbor = {};

        neighbor_start(&neighbor, world);
        for (size_t i = 0; i < ELEMENTSOF(cuts); i++) {
                neighbor.cut_after = cuts[i];
                assert_true(pull_one(world, &neighbor, 20, "key", 5) < 0);
                assert_int_equal(world_verify(world, 20), -ENOENT);
                assert_false(pending_contains(world->copies.pending, 20));
        }
        neighbor_stop(&neighbor);
}

/* What the source says of itself must not be taken for something about this volume. */
TEST(the_errors_of_a_source_are_not_our_own) {
        static const struct {
                int error, result;
        } rows[] = {
                { -ENOSPC, -EHOSTDOWN },
                { -ENOENT, -EHOSTDOWN },
                { -EBADMSG, -EHOSTDOWN },
                { -EACCES, -EACCES },
        };
        World *world = *state;
        Neighbor neighbor = {};

        neighbor_start(&neighbor, world);
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                neighbor.error = rows[i].error;
                assert_int_equal(pull_one(world, &neighbor, 20, "key", 5), rows[i].result);
        }
        neighbor_stop(&neighbor);
}

TEST(after_the_deadline_nothing_is_stored_any_more) {
        _cleanup_(buffer_done) Buffer answer = {};
        World *world = *state;
        Neighbor neighbor = {};
        Order order;

        neighbor_start(&neighbor, world);
        neighbor_put(&neighbor, 20, "key", "value", 5);
        order_from(&order, &neighbor, 1);
        order.head.deadline_usec = clock_realtime() - 1;
        order_item(&order, 0, 20, "key", 5);
        assert_int_equal(give(world, &order, &answer), 200);
        assert_int_equal(world_error(&answer, 0), -ESTALE);
        assert_int_equal(world_verify(world, 20), -ENOENT);
        assert_false(pending_contains(world->copies.pending, 20));
        neighbor_stop(&neighbor);
}

TEST(a_damaged_copy_is_replaced_by_a_good_one) {
        static char value[WORLD_INLINE_MAX + 1] = "DAMAGED";
        _cleanup_(buffer_done) Buffer answer = {};
        World *world = *state;
        Neighbor neighbor = {};
        Order order;

        neighbor_start(&neighbor, world);
        neighbor_put(&neighbor, 20, "key", value, sizeof(value));
        world_put(world, 20, "key", value, sizeof(value));
        world_damage(world, "DAMAGED");
        assert_int_equal(world_verify(world, 20), -EBADMSG);
        order_from(&order, &neighbor, 1);
        order_item(&order, 0, 20, "key", sizeof(value));
        order.items[0].replace = true;
        assert_int_equal(give(world, &order, &answer), 200);
        assert_int_equal(world_error(&answer, 0), 0);
        assert_int_equal(world_verify(world, 20), 0);
        assert_true(pending_contains(world->copies.pending, 20));
        neighbor_stop(&neighbor);
}

/* Whose copy is bad as well must not cost what is left of this one. */
TEST(a_replacement_that_is_damaged_leaves_the_old_copy) {
        static char value[WORLD_INLINE_MAX + 1] = "DAMAGED";
        _cleanup_(buffer_done) Buffer answer = {};
        World *world = *state;
        Neighbor neighbor = {};
        Order order;

        neighbor_start(&neighbor, world);
        neighbor_put(&neighbor, 20, "key", value, sizeof(value));
        neighbor_damage(&neighbor, "DAMAGED");
        world_put(world, 20, "key", value, sizeof(value));
        world_damage(world, "DAMAGED");
        order_from(&order, &neighbor, 1);
        order_item(&order, 0, 20, "key", sizeof(value));
        order.items[0].replace = true;
        assert_int_equal(give(world, &order, &answer), 200);
        assert_int_equal(world_error(&answer, 0), -EBADMSG);
        assert_int_equal(world_verify(world, 20), -EBADMSG);
        assert_true(pending_contains(
                        world->copies.pending, 20)); /* it is there, and to be asked about */
        neighbor_stop(&neighbor);
}

/* What goes into the database is in memory until it does. */
TEST(small_copies_of_one_order_have_a_limit_together) {
        World *world = *state;
        Neighbor neighbor = {};

        world->copies.inline_max = MIB;
        neighbor_start(&neighbor, world);
        for (size_t n = WIRE_PULL_INLINE_MAX / MIB; n <= WIRE_PULL_INLINE_MAX / MIB + 1; n++) {
                WirePull head = {
                        .deadline_usec = clock_realtime() + USEC_PER_MIN,
                        .n_sources = 1,
                        .sources[0] = { .url = neighbor.url, .store = neighbor_identity() },
                        .n_items = n,
                };
                Buffer body = {};

                wire_put_versions(&body, NULL, 0);
                wire_put_pull(&body, &head);
                for (size_t i = 0; i < n; i++)
                        put_item(&body, 20 + 2 * i, "key", MIB, false);
                assert_int_equal(
                                world_call(world, CALL_PULL, NULL, &body, NULL),
                                n * MIB <= WIRE_PULL_INLINE_MAX ? 200 : 400);
        }
        neighbor_stop(&neighbor);
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
                RUN(copies_of_every_size_arrive_and_are_pending),
                RUN(each_copy_comes_from_its_own_source),
                RUN(a_source_that_fails_does_not_fail_the_others),
                RUN(a_damaged_copy_is_refused_alone),
                RUN(a_large_copy_that_is_damaged_in_the_middle_does_not_become_one),
                RUN(what_is_not_as_the_master_says_is_refused),
                RUN(an_answer_that_makes_no_sense_or_breaks_off_brings_nothing),
                RUN(the_errors_of_a_source_are_not_our_own),
                RUN(after_the_deadline_nothing_is_stored_any_more),
                RUN(a_damaged_copy_is_replaced_by_a_good_one),
                RUN(a_replacement_that_is_damaged_leaves_the_old_copy),
                RUN(small_copies_of_one_order_have_a_limit_together),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
