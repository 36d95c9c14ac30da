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

/* Each unit of a table begins where the one before has one of it. */
TEST(every_unit_has_its_turn) {
        /* clang-format off */
        static const struct {
                uint64_t bytes;
                const char *text;
        } sizes[] = {
                { 1,                 "1B"      }, { 999,              "999B"    }, { KIB,              "1.0K"    },
                { 10 * KIB + 102,    "10.0K"   }, { 10 * KIB + 103,   "10.1K"   }, { MIB,              "1.0M"    },
                { GIB - 1,           "1023.9M" }, { GIB,              "1.0G"    }, { TIB - 1,          "1023.9G" },
                { TIB,               "1.0T"    }, { KIB * TIB - 1,    "1023.9T" }, { KIB * TIB,        "1.0P"    },
                { MIB * TIB - 1,     "1023.9P" }, { MIB * TIB,        "1.0E"    },
        };
        static const struct {
                uint64_t count;
                const char *text;
        } counts[] = {
                { 1,                 "1"       }, { 1000,             "1000"    }, { 9999,             "9999"    },
                { 10099,             "10.0k"   }, { 10100,            "10.1k"   }, { 999999,           "999.9k"  },
                { 1000000,           "1.0M"    }, { 999999999,        "999.9M"  }, { 1000000000,       "1.0G"    },
                { 999999999999,      "999.9G"  }, { 1000000000000,    "1.0T"    }, { UINT64_MAX,       "18446744.0T" },
        };
        static const struct {
                uint64_t usec;
                const char *text;
        } spans[] = {
                { USEC_PER_SEC - 1,                    "0s"       }, { USEC_PER_SEC,                      "1s"       },
                { USEC_PER_MIN - 1,                    "59s"      }, { USEC_PER_MIN,                      "1min"     },
                { USEC_PER_MIN + USEC_PER_SEC - 1,     "1min"     }, { USEC_PER_HOUR - 1,                 "59min 59s" },
                { USEC_PER_HOUR,                       "1h"       }, { USEC_PER_HOUR + USEC_PER_MIN,      "1h 1min"  },
                { USEC_PER_DAY - 1,                    "23h 59min" }, { USEC_PER_DAY,                     "1d"       },
                { USEC_PER_DAY + USEC_PER_HOUR - 1,    "1d"       }, { UINT64_MAX,                        "213503982d 8h" },
        };
        /* clang-format on */
        char text[FORMAT_SIZE];

        for (size_t i = 0; i < ELEMENTSOF(sizes); i++)
                assert_string_equal(format_bytes(text, sizes[i].bytes), sizes[i].text);
        for (size_t i = 0; i < ELEMENTSOF(counts); i++)
                assert_string_equal(format_count(text, counts[i].count), counts[i].text);
        for (size_t i = 0; i < ELEMENTSOF(spans); i++)
                assert_string_equal(format_span(text, spans[i].usec), spans[i].text);
}

TEST(numbers_agree_with_their_nouns) {
        assert_string_equal(plural(0, "key", "keys"), "keys");
        assert_string_equal(plural(1, "key", "keys"), "key");
        assert_string_equal(plural(2, "key", "keys"), "keys");
        assert_string_equal(plural(UINT64_MAX, "key", "keys"), "keys");
}

TEST(half_a_day_away_a_time_gets_its_date) {
        char text[FORMAT_SIZE];

        assert_string_equal(format_time(text, NOW - USEC_PER_DAY / 2 + 1, NOW), "20:00:00");
        assert_string_equal(format_time(text, NOW - USEC_PER_DAY / 2, NOW), "2027-01-14 20:00:00");
        assert_string_equal(format_time(text, NOW + USEC_PER_DAY / 2, NOW), "2027-01-15 20:00:00");
        assert_string_equal(format_time(text, 0, NOW), "1970-01-01 00:00:00");
}

TEST(time_is_that_of_the_place) {
        char text[FORMAT_SIZE];

        assert_ok(setenv("TZ", "EAST-2", 1));
        tzset();
        assert_string_equal(format_time(text, NOW, NOW), "10:00:00");
        assert_string_equal(format_time(text, 0, NOW), "1970-01-01 02:00:00");
        assert_ok(setenv("TZ", "UTC", 1));
        tzset();
}

TEST(clocks_that_differ_a_little_are_no_future) {
        char text[FORMAT_SIZE];

        assert_string_equal(format_ago(text, NOW - 2 * USEC_PER_SEC + 1, NOW), "now");
        assert_string_equal(format_ago(text, NOW - 2 * USEC_PER_SEC, NOW), "2s ago");
        assert_string_equal(format_ago(text, NOW + 1, NOW), "now");
        assert_string_equal(format_ago(text, NOW - USEC_PER_HOUR, NOW), "1h ago");
}

TEST(share_of_a_full_disk_is_nothing) {
        char text[FORMAT_SIZE];

        assert_string_equal(format_share(text, 0, GIB), "0B 0%");
        assert_string_equal(format_share(text, 0, 0), "0B");
        assert_string_equal(format_share(text, 2 * GIB, GIB), "2.0G 200%"); /* as it was told */
        assert_string_equal(format_share(text, 1, UINT64_MAX), "1B 0%");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(bytes_have_three_digits_or_so),
                cmocka_unit_test(counts_are_exact_as_long_as_they_are_short),
                cmocka_unit_test(spans_have_two_units),
                cmocka_unit_test(ago_tells_never_and_now),
                cmocka_unit_test(times_have_a_date_where_they_need_one),
                cmocka_unit_test(shares_have_percent),
                cmocka_unit_test(every_unit_has_its_turn),
                cmocka_unit_test(numbers_agree_with_their_nouns),
                cmocka_unit_test(half_a_day_away_a_time_gets_its_date),
                cmocka_unit_test(time_is_that_of_the_place),
                cmocka_unit_test(clocks_that_differ_a_little_are_no_future),
                cmocka_unit_test(share_of_a_full_disk_is_nothing),
        };

        (void) setenv("TZ", "UTC", 1);
        tzset();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
