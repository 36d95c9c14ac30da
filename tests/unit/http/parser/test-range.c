/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>

#include "http/parser/range.h"

static void assert_part(const char *range, uint64_t size, uint64_t offset, uint64_t part) {
        HttpRange parsed;

        assert_int_equal(http_range_parse(range, size, &parsed), 1);
        assert_int_equal(parsed.offset, offset);
        assert_int_equal(parsed.size, part);
}

static void assert_parsed(const char *range, uint64_t size, int expected) {
        HttpRange parsed = { 7, 7 };

        assert_int_equal(http_range_parse(range, size, &parsed), expected);
        assert_int_equal(parsed.offset, 7); /* untouched */
}

TEST(single_ranges) {
        assert_part("bytes=0-0", 10, 0, 1);
        assert_part("bytes=2-5", 10, 2, 4);
        assert_part("bytes=2-", 10, 2, 8);
        assert_part("bytes=-3", 10, 7, 3);
        assert_part("BYTES= 2-5 ", 10, 2, 4);
        assert_part("bytes=0-9", 10, 0, 10);
}

TEST(ends_are_cut_to_the_size) {
        assert_part("bytes=5-100", 10, 5, 5);
        assert_part("bytes=-100", 10, 0, 10);
        assert_part("bytes=5-99999999999999999999999999", 10, 5, 5);
        assert_part("bytes=0-18446744073709551615", UINT64_MAX, 0, UINT64_MAX);
}

TEST(malformed_and_multiple_ranges_mean_the_whole) {
        static const char *const ranges[] = {
                "",          "bytes",      "bytes=",     "bytes=-",       "bytes=a-b",
                "bytes=5-2", "bytes=1-2,", "bytes=1-2x", "bytes=1-2,4-5", "items=1-2",
                "bytes=--1", "bytes=1",    "bytes=1 -2", "bytes=+1-2",
        };

        assert_parsed(NULL, 10, 0);
        for (size_t i = 0; i < ELEMENTSOF(ranges); i++)
                assert_parsed(ranges[i], 10, 0);
}

TEST(ranges_outside_are_refused) {
        assert_parsed("bytes=10-", 10, -ERANGE);
        assert_parsed("bytes=10-20", 10, -ERANGE);
        assert_parsed("bytes=-0", 10, -ERANGE);
        assert_parsed("bytes=0-", 0, -ERANGE);
        assert_parsed("bytes=-1", 0, -ERANGE);
        assert_parsed("bytes=99999999999999999999999999-", 10, -ERANGE);
}

TEST(if_range_compares_exactly) {
        static const char date[] = "Sun, 06 Nov 1994 08:49:37 GMT";

        assert_true(http_range_if(NULL, "\"a\"", date));
        assert_true(http_range_if("\"a\"", "\"a\"", date));
        assert_false(http_range_if("\"b\"", "\"a\"", date));
        assert_false(http_range_if("\"a\"", NULL, date));
        assert_false(http_range_if("W/\"a\"", "\"a\"", date));
        assert_true(http_range_if(date, "\"a\"", date));
        assert_false(http_range_if("Sun, 06 Nov 1994 08:49:38 GMT", "\"a\"", date));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(single_ranges),
                cmocka_unit_test(ends_are_cut_to_the_size),
                cmocka_unit_test(malformed_and_multiple_ranges_mean_the_whole),
                cmocka_unit_test(ranges_outside_are_refused),
                cmocka_unit_test(if_range_compares_exactly),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
