/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "master/world.h"
#include "sweep.h"

static const char *delete (const char *target, const char *headers) {
        return ask("DELETE", target, headers, "");
}

static uint64_t count_garbage(void) {
        IndexCounters counters;

        index_counters(world.index, &counters);
        return counters.garbage;
}

TEST(a_value_is_gone_at_once_and_its_copies_become_garbage) {
        Garbage garbage[4];
        uint64_t before = clock_realtime();

        assert_status(put("/a%20b", "value"), 201);
        assert_status(delete ("/a%20b", ""), 204);
        assert_status(get("/a%20b"), 404);
        assert_int_equal(count_garbage(), N_VOLUMES);
        assert_int_equal(
                        index_garbage(world.index, 1, UINT64_MAX, garbage, ELEMENTSOF(garbage)), 1);
        assert_in_range(garbage[0].due_usec, before + GRACE_USEC, clock_realtime() + GRACE_USEC);
}

TEST(what_is_not_there_cannot_be_deleted) {
        assert_status(delete ("/none", ""), 404);
        assert_status(delete ("/%zz", ""), 400);
        assert_status(delete ("/", ""), 400);
        assert_status(delete ("/-/health", ""), 405);
}

TEST(conditions_decide) {
        char header[3 * TICKET_QUERY_SIZE];

        assert_status(put("/k", "value"), 201);
        assert_status(delete ("/k", "If-Match: \"x\"\r\n"), 412);
        assert_status(delete ("/k", "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\n"), 412);
        assert_status(get("/k"), 307);
        (void) snprintf(header, sizeof(header), "If-Match: %s\r\n",
                        header_of(exchange_simple(&world.master, "HEAD", "/k"), "ETag"));
        assert_status(delete ("/k", header), 204);
}

TEST(what_the_index_says_is_told) {
        assert_status(put("/k", "value"), 201);
        intercept(INTERCEPT_NOT_LEADER);
        assert_status(delete ("/k", ""), 503);
        intercept(INTERCEPT_LOSE);
        assert_contains(delete ("/k", ""), "outcome-unknown");
        intercept(INTERCEPT_NOT);
        assert_status(get("/k"), 307);

        intercept(INTERCEPT_LOSE_ANSWER);
        assert_contains(delete ("/k", ""), "outcome-unknown");
        intercept(INTERCEPT_NOT);
        assert_status(get("/k"), 404);
}

static void remove_scene(Sweep *sweep, void *userdata) {
        const char *answer;
        bool was_met, is_gone;

        assert_int_equal(world_setup(NULL), 0);
        assert_status(put("/k", "value"), 201);
        sweep_begin(sweep, world.index);
        answer = delete ("/k", "");
        sweep_end(sweep, world.index);
        was_met = sweep_met(sweep) != 0;
        is_gone = !was_met || sweep_way(sweep) == INTERCEPT_LOSE_ANSWER;
        if (!was_met)
                assert_status(answer, 204);
        else
                assert_status(answer, 503);
        if (was_met && sweep_way(sweep) == INTERCEPT_NOT_LEADER)
                assert_contains(answer, "about:blank");
        else if (was_met)
                assert_contains(answer, "The value may have been deleted, or may still be");
        if (was_met)
                assert_non_null(header_of(answer, "Retry-After"));
        assert_int_equal(count_garbage(), is_gone ? N_VOLUMES : 0);

        answer = delete ("/k", ""); /* once more tells what it came to */
        if (is_gone)
                assert_status(answer, 404);
        else
                assert_status(answer, 204);
        assert_int_equal(world_teardown(NULL), 0);
}

TEST(a_deletion_that_goes_astray_is_told_as_what_it_is) {
        assert_true(sweep_index(remove_scene, NULL) >= 1);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_value_is_gone_at_once_and_its_copies_become_garbage),
                RUN(what_is_not_there_cannot_be_deleted),
                RUN(conditions_decide),
                RUN(what_the_index_says_is_told),
                cmocka_unit_test(a_deletion_that_goes_astray_is_told_as_what_it_is), /* whose scenes
                                                                                        make worlds
                                                                                        of their own
                                                                                      */
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
