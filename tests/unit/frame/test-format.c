/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <stdlib.h>
#include <time.h>

#include "frame/format.h"

#define NOW (UINT64_C(1800000000) * USEC_PER_SEC)

TEST(bytes_have_three_digits_or_so) {
        char text[FORMAT_SIZE];

        assert_string_equal(format_bytes(text, 0), "0B");
        assert_string_equal(format_bytes(text, 1023), "1023B");
        assert_string_equal(format_bytes(text, 1024), "1.0K");
        assert_string_equal(format_bytes(text, 1536), "1.5K");
        assert_string_equal(format_bytes(text, MIB - 1), "1023.9K");
        assert_string_equal(format_bytes(text, 56 * GIB + 300 * MIB), "56.2G");
        assert_string_equal(format_bytes(text, 2 * TIB - 1), "1.9T");
        assert_string_equal(format_bytes(text, UINT64_MAX), "15.9E");
}

TEST(counts_are_exact_as_long_as_they_are_short) {
        char text[FORMAT_SIZE];

        assert_string_equal(format_count(text, 0), "0");
        assert_string_equal(format_count(text, 9999), "9999");
        assert_string_equal(format_count(text, 10000), "10.0k");
        assert_string_equal(format_count(text, 12399), "12.3k");
        assert_string_equal(format_count(text, 999999), "999.9k");
        assert_string_equal(format_count(text, 4500000), "4.5M");
}

TEST(spans_have_two_units) {
        char text[FORMAT_SIZE];

        assert_string_equal(format_span(text, 0), "0s");
        assert_string_equal(format_span(text, 59 * USEC_PER_SEC), "59s");
        assert_string_equal(format_span(text, 5 * USEC_PER_MIN), "5min");
        assert_string_equal(format_span(text, 5 * USEC_PER_MIN + 10 * USEC_PER_SEC), "5min 10s");
        assert_string_equal(format_span(text, 2 * USEC_PER_HOUR + USEC_PER_SEC), "2h");
        assert_string_equal(format_span(text, 2 * USEC_PER_DAY + 23 * USEC_PER_HOUR), "2d 23h");
}

TEST(ago_tells_never_and_now) {
        char text[FORMAT_SIZE];

        assert_string_equal(format_ago(text, 0, NOW), "never");
        assert_string_equal(format_ago(text, NOW - USEC_PER_SEC, NOW), "now");
        assert_string_equal(format_ago(text, NOW + USEC_PER_HOUR, NOW), "now");
        assert_string_equal(format_ago(text, NOW - 3 * USEC_PER_SEC, NOW), "3s ago");
        assert_string_equal(format_ago(text, 1, UINT64_MAX), "213503982d 8h ago");
}

TEST(times_have_a_date_where_they_need_one) {
        char text[FORMAT_SIZE];

        assert_string_equal(format_time(text, NOW, NOW), "08:00:00");
        assert_string_equal(format_time(text, NOW + USEC_PER_HOUR, NOW), "09:00:00");
        assert_string_equal(format_time(text, NOW - USEC_PER_DAY, NOW), "2027-01-14 08:00:00");
        assert_string_equal(format_time(text, NOW + USEC_PER_DAY, NOW), "2027-01-16 08:00:00");
}

TEST(shares_have_percent) {
        char text[FORMAT_SIZE];

        assert_string_equal(format_share(text, GIB, 4 * GIB), "1.0G 25%");
        assert_string_equal(format_share(text, GIB, 0), "1.0G");
        assert_string_equal(format_share(text, UINT64_MAX, UINT64_MAX), "15.9E 100%");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(bytes_have_three_digits_or_so),
                cmocka_unit_test(counts_are_exact_as_long_as_they_are_short),
                cmocka_unit_test(spans_have_two_units),
                cmocka_unit_test(ago_tells_never_and_now),
                cmocka_unit_test(times_have_a_date_where_they_need_one),
                cmocka_unit_test(shares_have_percent),
        };

        (void) setenv("TZ", "UTC", 1);
        tzset();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
