/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "volume/volume-world.h"

#include <errno.h>

#include "core/call/fetch-parser.h"
#include "core/call/wire.h"

#define LARGE (2 * INLINE_MAX)

/* What came. */
typedef struct Got {
        uint64_t versions[8];
        int errors[8];
        size_t n;
        Buffer values; /* one behind another */
} Got;

static int on_object(void *userdata, uint64_t version, int error, const Object *object) {
        Got *got = userdata;

        got->versions[got->n] = version;
        got->errors[got->n++] = error;
        if (error == 0)
                assert_string_equal(object->key, "key");
        return 0;
}

static int on_value(void *userdata, const void *data, size_t size) {
        Got *got = userdata;

        buffer_put(&got->values, data, size);
        return 0;
}

static int on_end(void *userdata) {
        return 0;
}

static unsigned fetch(World *world, const uint64_t versions[], size_t n, Buffer *ret) {
        Buffer body = {};

        for (size_t i = 0; i < n; i++)
                buffer_put_u64(&body, versions[i]);
        return world_call(world, CALL_FETCH, NULL, &body, ret);
}

static void parse(const Buffer *answer, Got *ret) {
        FetchParser parser;

        *ret = (Got){};
        fetch_parser_init(&parser, &(FetchParserEvents){ on_object, on_value, on_end, ret });
        assert_int_equal(fetch_parser_feed(&parser, answer->data, answer->size), 0);
        fetch_parser_done(&parser);
}

TEST(objects_come_in_the_order_in_which_they_were_asked_for) {
        const uint64_t versions[] = { 4, 8, 2, 6 };
        World *world = *state;
        _cleanup_(buffer_done) Buffer answer = {};
        _cleanup_free_ char *large = calloc(1, LARGE);
        Got got;

        memset(large, 'L', LARGE);
        world_put(world, 2, "key", "two", 3);
        world_put(world, 4, "key", "", 0);
        world_put(world, 6, "key", large, LARGE);
        assert_int_equal(fetch(world, versions, 4, &answer), 200);
        parse(&answer, &got);
        assert_int_equal(got.n, 4);
        for (size_t i = 0; i < 4; i++) {
                assert_int_equal(got.versions[i], versions[i]);
                assert_int_equal(got.errors[i], versions[i] == 8 ? -ENOENT : 0);
        }
        assert_int_equal(got.values.size, 3 + LARGE);
        assert_memory_equal(got.values.data, "two", 3);
        assert_memory_equal(got.values.data + 3, large, LARGE);
        buffer_done(&got.values);
}

/* The others come all the same, and the master hears of it. */
TEST(a_damaged_object_is_an_error_in_its_place) {
        static const char value[WORLD_INLINE_MAX + 1] = "DAMAGED";
        const uint64_t versions[] = { 2, 4 };
        World *world = *state;
        _cleanup_(buffer_done) Buffer answer = {};
        uint64_t n_copies, n_found;
        Got got;

        world_put(world, 2, "key", value, sizeof(value));
        world_put(world, 4, "key", "four", 4);
        world_damage(world, "DAMAGED");
        assert_int_equal(fetch(world, versions, 2, &answer), 200);
        parse(&answer, &got);
        assert_int_equal(got.n, 2);
        assert_int_equal(got.errors[0], -EBADMSG);
        assert_int_equal(got.errors[1], 0);
        damage_count(world->copies.damage, &n_copies, &n_found);
        assert_int_equal(n_copies, 1);
        buffer_done(&got.values);
}

TEST(nothing_is_a_question_as_well) {
        World *world = *state;
        _cleanup_(buffer_done) Buffer answer = {};

        assert_int_equal(fetch(world, NULL, 0, &answer), 200);
        assert_int_equal(answer.size, 0);
}

TEST(malformed_questions_are_refused) {
        uint64_t many[WIRE_FETCH_MAX + 1] = { 2 };
        World *world = *state;
        Parties parties = world_order(world);
        Buffer body = {};

        assert_int_equal(fetch(world, many, ELEMENTSOF(many), NULL), 400);
        buffer_put(&body, "1234567", 7);
        assert_int_equal(world_call(world, CALL_FETCH, NULL, &body, NULL), 400);

        parties.from = (StoreIdentity){ .number = 9, .run = 1 };
        parties.to.uuid[0] ^= 1;
        assert_int_equal(world_call(world, CALL_FETCH, &parties, NULL, NULL), 421);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
        const struct CMUnitTest tests[] = {
                RUN(objects_come_in_the_order_in_which_they_were_asked_for),
                RUN(a_damaged_object_is_an_error_in_its_place),
                RUN(nothing_is_a_question_as_well),
                RUN(malformed_questions_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
