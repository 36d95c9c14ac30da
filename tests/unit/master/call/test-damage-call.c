/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Copies that volumes found damaged. */

#include "test.h"

#include "master/call/peer.h"
#include "store/index/damage.h"

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

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, peer_setup, peer_teardown)
        const struct CMUnitTest tests[] = {
                RUN(damaged_copies_are_marked_and_each_is_answered),
                RUN(damage_that_makes_no_sense_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
