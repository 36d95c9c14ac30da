/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "rpc/posts.h"

static HttpPosts posts;
static Buffer order; /* the letters of what was run */

static int setup(void **state) {
        http_posts_init(&posts);
        order = (Buffer){};
        return 0;
}

static int teardown(void **state) {
        http_posts_done(&posts);
        buffer_done(&order);
        return 0;
}

static void note(void *userdata) {
        buffer_put(&order, userdata, 1);
}

static void post(const char *letter, uint64_t delay_usec, int expected) {
        assert_int_equal(http_posts_add(&posts, delay_usec, note, (void *) letter), expected);
}

static void assert_order(const char *expected) {
        assert_int_equal(order.size, strlen(expected));
        if (order.size > 0)
                assert_memory_equal(order.data, expected, order.size);
        buffer_clear(&order);
}

TEST(only_the_first_of_several_wakes_the_loop) {
        post("a", 0, 1);
        post("b", 0, 0);
        assert_int_equal(http_posts_run(&posts, 1), UINT64_MAX);
        assert_order("ab");
        post("c", 0, 1);
}

TEST(what_is_not_due_waits) {
        uint64_t before = clock_monotonic(), due, now;

        post("b", 2 * USEC_PER_SEC, 1);
        post("a", USEC_PER_SEC, 0);
        now = clock_monotonic();

        due = http_posts_run(&posts, now);
        assert_order("");
        assert_in_range(due, before + USEC_PER_SEC, now + USEC_PER_SEC);

        due = http_posts_run(&posts, due);
        assert_order("a");
        assert_in_range(due, before + 2 * USEC_PER_SEC, now + 2 * USEC_PER_SEC);

        assert_int_equal(http_posts_run(&posts, due), UINT64_MAX);
        assert_order("b");
}

static void note_and_post(void *userdata) {
        note(userdata);
        assert_int_equal(http_posts_add(&posts, 0, note_and_post, userdata), 1);
}

/* Otherwise a function that asks for itself would keep the loop from all else. */
TEST(what_is_added_meanwhile_is_left_for_the_next_time) {
        assert_ok(http_posts_add(&posts, 0, note_and_post, (void *) "a"));
        assert_int_equal(http_posts_run(&posts, 1), UINT64_MAX);
        assert_order("a");
        assert_int_equal(http_posts_run(&posts, 1), UINT64_MAX);
        assert_order("a");
}

TEST(what_still_waits_at_the_end_is_not_run) {
        post("a", USEC_PER_SEC, 1);
        assert_true(http_posts_run(&posts, 1) != UINT64_MAX);
        post("b", 0, 1);
        http_posts_done(&posts);
        assert_order("");
        http_posts_init(&posts);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(
                                only_the_first_of_several_wakes_the_loop, setup, teardown),
                cmocka_unit_test_setup_teardown(what_is_not_due_waits, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                what_is_added_meanwhile_is_left_for_the_next_time, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                what_still_waits_at_the_end_is_not_run, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
