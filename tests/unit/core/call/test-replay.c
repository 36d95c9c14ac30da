/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>

#include "core/call/replay.h"

TEST(numbers_pass_once_in_any_order) {
        Replay replay = {};

        for (uint64_t n = REPLAY_WINDOW - 1; n >= 1; n--) {
                assert_int_equal(replay_note(&replay, n), 0);
                assert_int_equal(replay_note(&replay, n), -EALREADY);
        }
        for (uint64_t n = 1; n < REPLAY_WINDOW; n++)
                assert_int_equal(replay_note(&replay, n), -EALREADY);
}

TEST(nothing_is_no_number) {
        Replay replay = {};

        assert_int_equal(replay_note(&replay, 0), -EALREADY);
}

TEST(what_lies_too_far_back_is_refused) {
        Replay replay = {};

        assert_int_equal(replay_note(&replay, 10 + REPLAY_WINDOW), 0);
        assert_int_equal(replay_note(&replay, 10), -EALREADY);
        assert_int_equal(replay_note(&replay, 11), 0);
        assert_int_equal(replay_note(&replay, 11), -EALREADY);
}

/* The bits are used again and again. */
TEST(gaps_stay_open_as_long_as_the_window_is) {
        Replay replay = {};

        for (uint64_t n = 1; n < 5 * REPLAY_WINDOW; n += 3) {
                assert_int_equal(replay_note(&replay, n), 0);
                if (n > 3000)
                        assert_int_equal(replay_note(&replay, n - 2999), 0);
        }
}

TEST(a_leap_forgets_all) {
        Replay replay = {};

        for (uint64_t n = 1; n <= 100; n++)
                assert_int_equal(replay_note(&replay, n), 0);
        assert_int_equal(replay_note(&replay, UINT64_MAX), 0);
        assert_int_equal(replay_note(&replay, 50), -EALREADY);
        for (uint64_t n = 1; n < REPLAY_WINDOW; n++)
                assert_int_equal(replay_note(&replay, UINT64_MAX - n), 0);
        assert_int_equal(replay_note(&replay, UINT64_MAX - REPLAY_WINDOW), -EALREADY);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(numbers_pass_once_in_any_order),
                cmocka_unit_test(nothing_is_no_number),
                cmocka_unit_test(what_lies_too_far_back_is_refused),
                cmocka_unit_test(gaps_stay_open_as_long_as_the_window_is),
                cmocka_unit_test(a_leap_forgets_all),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
