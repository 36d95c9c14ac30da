/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <time.h>

#include "http/parser/date.h"

static void assert_date(uint64_t seconds, const char *expected) {
        char date[HTTP_DATE_SIZE];

        http_date_format(seconds, date);
        assert_string_equal(date, expected);
}

TEST(known_dates) {
        assert_date(0, "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_date(784111777, "Sun, 06 Nov 1994 08:49:37 GMT"); /* the example of RFC 9110 */
        assert_date(951782400, "Tue, 29 Feb 2000 00:00:00 GMT");
        assert_date(4107542399, "Sun, 28 Feb 2100 23:59:59 GMT");
        assert_date(4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"); /* no leap year */
        assert_date(253402300799, "Fri, 31 Dec 9999 23:59:59 GMT");
}

TEST(agrees_with_the_c_library) {
        for (uint64_t seconds = 0; seconds < UINT64_C(253402300800); seconds += 86400 * 3 + 12345) {
                char expected[64];
                struct tm tm;
                time_t t = (time_t) seconds;

                assert_non_null(gmtime_r(&t, &tm));
                assert_true(strftime(expected, sizeof(expected), "%a, %d %b %Y %H:%M:%S GMT", &tm) >
                            0);
                assert_date(seconds, expected);
        }
}

TEST(all_three_forms_are_understood) {
        static const char *const dates[] = {
                "Sun, 06 Nov 1994 08:49:37 GMT",
                "Sunday, 06-Nov-94 08:49:37 GMT",
                "Sun Nov  6 08:49:37 1994",
        };
        static const char *const others[] = {
                "",
                "yesterday",
                "Sun, 06 Nov 1994 08:49:37",
                "Sun, 06 Nov 1994 08:49:37 GMTx",
                "Thu, 01 Jan 1960 00:00:00 GMT",
                "784111777",
        };
        uint64_t seconds;

        for (size_t i = 0; i < ELEMENTSOF(dates); i++) {
                assert_int_equal(http_date_parse(dates[i], &seconds), 0);
                assert_int_equal(seconds, 784111777);
        }
        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                assert_int_equal(http_date_parse(others[i], &seconds), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(known_dates),
                cmocka_unit_test(agrees_with_the_c_library),
                cmocka_unit_test(all_three_forms_are_understood),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
