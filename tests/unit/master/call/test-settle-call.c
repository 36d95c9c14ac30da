/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What becomes of objects in doubt. */

#include "test.h"

#include <errno.h>

#include "master/call/peer.h"
#include "sweep.h"

static void put_settle(Buffer *body, uint32_t volume, uint64_t version, const char *key) {
        if (body->size == 0)
                buffer_put_u32(body, volume);
        buffer_put_u64(body, version);
        wire_put_key(body, key);
}

TEST(a_copy_in_doubt_stays_if_it_is_current_and_is_garbage_if_not) {
        IndexCounters counters;
        uint64_t lost = next_version();
        Buffer body = {};

        assert_status(put("/k", "value"), 201);
        put_settle(&body, 1, record_of("k").version, "k");
        put_settle(&body, 1, lost, "k");
        put_settle(&body, 1, next_version(), "none");
        assert_int_equal(call(CALL_SETTLE, &body), 200);
        index_counters(world.index, &counters);
        assert_int_equal(counters.garbage, 2);

        put_commit(&body, "k", lost, 1); /* what was given up is never committed */
        assert_int_equal(call(CALL_COMMIT, &body), 200);
        assert_int_equal(result_of(0).error, -ESTALE);
}

TEST(a_list_in_doubt_that_cannot_be_right_is_refused) {
        Buffer body = {};

        assert_int_equal(call(CALL_SETTLE, &body), 400);
        put_settle(&body, 9, next_version(), "k");
        assert_int_equal(call(CALL_SETTLE, &body), 400);
        put_settle(&body, 1, index_version_end(world.index), "k");
        assert_int_equal(call(CALL_SETTLE, &body), 400);
        buffer_put_u32(&body, 1);
        buffer_put_u32(&body, 1);
        assert_int_equal(call(CALL_SETTLE, &body), 400);
}

static void settle_scene(Sweep *sweep, void *userdata) {
        IndexCounters counters;
        uint64_t lost;
        Buffer body = {};
        unsigned status;
        bool was_met;

        assert_int_equal(peer_setup(NULL), 0);
        lost = next_version();
        assert_status(put("/k", "value"), 201);
        put_settle(&body, 1, record_of("k").version, "k");
        put_settle(&body, 1, lost, "k");
        sweep_begin(sweep, world.index);
        status = call(CALL_SETTLE, &body);
        sweep_end(sweep, world.index);
        was_met = sweep_met(sweep) != 0;
        assert_int_equal(status, was_met ? 503 : 200);
        if (was_met)
                assert_int_equal(answer.error == -ECOMM, sweep_way(sweep) != INTERCEPT_NOT_LEADER);

        /* It is asked again, and twice does no harm. */
        put_settle(&body, 1, record_of("k").version, "k");
        put_settle(&body, 1, lost, "k");
        assert_int_equal(call(CALL_SETTLE, &body), 200);
        index_counters(world.index, &counters);
        assert_in_range(counters.garbage, 1,
                        2); /* an entry for each time, of which one is in vain */
        assert_status(get("/k"), 307);
        assert_int_equal(peer_teardown(NULL), 0);
}

TEST(a_question_that_goes_astray_can_be_asked_again) {
        assert_true(sweep_index(settle_scene, NULL) >= 1);
}

TEST(a_list_in_doubt_has_a_limit) {
        uint64_t version = next_version();
        Buffer body = {};

        for (unsigned n = 4096; n <= 4097; n++) {
                for (unsigned i = 0; i < n; i++)
                        put_settle(&body, 1, version, "k");
                assert_int_equal(call(CALL_SETTLE, &body), n <= 4096 ? 200 : 400);
        }
}

/* A reader may just have been sent to the copy. */
TEST(what_is_given_up_stays_as_long_as_a_ticket) {
        uint64_t before = clock_realtime();
        Garbage garbage[4];
        Buffer body = {};

        put_settle(&body, 1, next_version(), "k");
        assert_int_equal(call(CALL_SETTLE, &body), 200);
        assert_int_equal(
                        index_garbage(world.index, 1, UINT64_MAX, garbage, ELEMENTSOF(garbage)), 1);
        assert_in_range(garbage[0].due_usec, before + USEC_PER_MIN,
                        clock_realtime() + USEC_PER_MIN);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, peer_setup, peer_teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_copy_in_doubt_stays_if_it_is_current_and_is_garbage_if_not),
                RUN(a_list_in_doubt_that_cannot_be_right_is_refused),
                cmocka_unit_test(a_question_that_goes_astray_can_be_asked_again), /* whose scenes
                                                                                     make worlds of
                                                                                     their own */
                RUN(a_list_in_doubt_has_a_limit),
                RUN(what_is_given_up_stays_as_long_as_a_ticket),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
