/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Copies that volumes found damaged. */

#include "test.h"

#include "master/call/peer.h"
#include "store/index/damage.h"
#include "sweep.h"

static void put_damage(Buffer *body, uint32_t volume, uint64_t version, const char *key) {
        if (body->size == 0)
                buffer_put_u32(body, volume);
        wire_put_damage(body,
                        &(WireDamage){ .version = version, .key = key, .kind = DAMAGE_CORRUPT });
}

TEST(damaged_copies_are_marked_and_each_is_answered) {
        IndexDamageCounters counters;
        Buffer body = {};

        assert_status(put("/k", "value"), 201);
        put_damage(&body, 1, record_of("k").version, "k");
        put_damage(&body, 1, next_version(), "k");
        put_damage(&body, 1, record_of("k").version, "none");
        assert_int_equal(call(CALL_DAMAGED, &body), 200);
        assert_int_equal(error_of(0), 0);
        assert_int_equal(error_of(1), -ENOENT);
        assert_int_equal(error_of(2), -ENOENT);
        index_damage_counters(world.index, &counters);
        assert_int_equal(counters.copies, 1);

        put_damage(&body, 2, record_of("k").version, "k");
        assert_int_equal(call(CALL_DAMAGED, &body), 200);
        put_damage(&body, 3, record_of("k").version, "k");
        assert_int_equal(call(CALL_DAMAGED, &body), 200);
        assert_int_equal(error_of(0), -EBADMSG); /* that was the last one */
}

TEST(damage_that_makes_no_sense_is_refused) {
        Buffer body = {};

        assert_int_equal(call(CALL_DAMAGED, &body), 400);
        put_damage(&body, 0, 1, "k");
        assert_int_equal(call(CALL_DAMAGED, &body), 400);
        buffer_put_u32(&body, 1);
        buffer_put_u32(&body, 1);
        assert_int_equal(call(CALL_DAMAGED, &body), 400);
        intercept(INTERCEPT_NOT_LEADER);
        put_damage(&body, 1, 1, "k");
        assert_int_equal(call(CALL_DAMAGED, &body), 503);
        intercept(INTERCEPT_NOT);
}

static void damage_scene(Sweep *sweep, void *userdata) {
        IndexDamageCounters counters;
        unsigned status;
        Buffer body = {};

        assert_int_equal(peer_setup(NULL), 0);
        assert_status(put("/k", "value"), 201);
        put_damage(&body, 1, record_of("k").version, "k");
        sweep_begin(sweep, world.index);
        status = call(CALL_DAMAGED, &body);
        sweep_end(sweep, world.index);
        assert_int_equal(status, sweep_met(sweep) != 0 ? 503 : 200);

        put_damage(&body, 1, record_of("k").version, "k");
        assert_int_equal(call(CALL_DAMAGED, &body), 200);
        assert_int_equal(error_of(0), 0);
        index_damage_counters(world.index, &counters);
        assert_int_equal(counters.copies, 1); /* told twice, marked once */
        assert_int_equal(peer_teardown(NULL), 0);
}

TEST(damage_whose_mark_goes_astray_can_be_told_again) {
        assert_true(sweep_index(damage_scene, NULL) >= 1);
}

TEST(a_call_has_a_limit_of_copies) {
        Buffer body = {};

        assert_status(put("/k", "value"), 201);
        for (unsigned n = WIRE_DAMAGE_MAX; n <= WIRE_DAMAGE_MAX + 1; n++) {
                for (unsigned i = 0; i < n; i++)
                        put_damage(&body, 1, record_of("k").version, "k");
                assert_int_equal(call(CALL_DAMAGED, &body), n <= WIRE_DAMAGE_MAX ? 200 : 400);
        }
}

/* Where a reader is sent next. */
TEST(readers_go_elsewhere_from_then_on) {
        Buffer body = {};

        assert_status(put("/k", "value"), 201);
        put_damage(&body, 2, record_of("k").version, "k");
        assert_int_equal(call(CALL_DAMAGED, &body), 200);
        for (unsigned i = 0; i < 30; i++)
                assert_int_not_equal(volume_of(get("/k")), 2);
        assert_contains(get("/-/where/k"), "\"damage\":\"damaged\"");
}

TEST(a_kind_of_damage_that_nobody_knows_is_refused) {
        Buffer body = {};

        assert_status(put("/k", "value"), 201);
        put_damage(&body, 1, record_of("k").version, "k");
        body.data[sizeof(uint32_t) + sizeof(uint64_t)] = 0xff;
        assert_int_equal(call(CALL_DAMAGED, &body), 400);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, peer_setup, peer_teardown)
        const struct CMUnitTest tests[] = {
                RUN(damaged_copies_are_marked_and_each_is_answered),
                RUN(damage_that_makes_no_sense_is_refused),
                cmocka_unit_test(damage_whose_mark_goes_astray_can_be_told_again), /* whose scenes
                                                                                      make worlds of
                                                                                      their own */
                RUN(a_call_has_a_limit_of_copies),
                RUN(readers_go_elsewhere_from_then_on),
                RUN(a_kind_of_damage_that_nobody_knows_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
