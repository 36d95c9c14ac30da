/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What becomes of objects in doubt. */

#include "test.h"

#include "master/call/peer.h"

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
        assert_int_equal(call(CALL_SETTLE, &body), 204);
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

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, peer_setup, peer_teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_copy_in_doubt_stays_if_it_is_current_and_is_garbage_if_not),
                RUN(a_list_in_doubt_that_cannot_be_right_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
