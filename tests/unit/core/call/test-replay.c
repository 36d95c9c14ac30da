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

/* Compared with a set that forgets nothing, for calls that overtake each other at random. */
TEST(every_number_in_the_window_is_told_apart) {
        enum { N = 50000 };
        uint64_t x = 88172645463325252U, highest = 0;
        static bool seen[N + 2 * REPLAY_WINDOW];
        Replay replay = {};

        for (uint64_t i = 0; i < N; i++) {
                uint64_t number;
                int expected;

                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                number = 1 + i / 2 + x % (2 * REPLAY_WINDOW - 1);
                highest = MAX(highest, number);
                expected = seen[number] || highest - number >= REPLAY_WINDOW ? -EALREADY : 0;
                assert_int_equal(replay_note(&replay, number), expected);
                seen[number] = true;
        }
}

/* A sender that has been started anew begins with 1, as another run: it has a window of its own. */
TEST(windows_know_nothing_of_each_other) {
        Replay one = {}, other = {};

        assert_int_equal(replay_note(&one, 1), 0);
        assert_int_equal(replay_note(&one, UINT64_C(1) << 40), 0);
        assert_int_equal(replay_note(&other, 1), 0);
        assert_int_equal(replay_note(&other, 1), -EALREADY);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(numbers_pass_once_in_any_order),
                cmocka_unit_test(nothing_is_no_number),
                cmocka_unit_test(what_lies_too_far_back_is_refused),
                cmocka_unit_test(gaps_stay_open_as_long_as_the_window_is),
                cmocka_unit_test(a_leap_forgets_all),
                cmocka_unit_test(every_number_in_the_window_is_told_apart),
                cmocka_unit_test(windows_know_nothing_of_each_other),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
