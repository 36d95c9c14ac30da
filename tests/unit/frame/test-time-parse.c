/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "frame/time-parse.h"

/* 2026-03-01 00:30:00 in UTC, an hour later where the tests are; see main(). */
#define NOW (UINT64_C(1772325000) * USEC_PER_SEC)

static uint64_t moment(const char *text) {
        uint64_t usec = 0;

        assert_int_equal(parse_moment(text, NOW, &usec), 0);
        return usec;
}

/* Local time, in seconds from NOW. */
static int64_t seconds(const char *text) {
        return ((int64_t) moment(text) - (int64_t) NOW) / (int64_t) USEC_PER_SEC;
}

TEST(dates_are_local) {
        assert_int_equal(seconds("2026-03-01 01:30:00"), 0);
        assert_int_equal(seconds("2026-03-01 01:29"), -60);
        assert_int_equal(seconds("2026-03-01"), -90 * 60);
        assert_int_equal(seconds("2026-02-28 23:59:59"), -90 * 60 - 1);
}

TEST(the_day_may_be_left_out) {
        assert_int_equal(seconds("01:00"), -30 * 60);
        assert_int_equal(seconds("01:30:01"), 1);
        assert_int_equal(seconds("today"), -90 * 60);
        assert_int_equal(seconds("yesterday"), -(24 * 60 + 90) * 60); /* the last of February */
}

TEST(ago) {
        assert_int_equal(seconds("2h"), -2 * 3600);
        assert_int_equal(seconds("2h ago"), -2 * 3600);
        assert_int_equal(seconds("30min ago"), -30 * 60);
        assert_int_equal(seconds("90"), -90);
}

TEST(what_is_no_time) {
        static const char *const texts[] = {
                "",       " ago",        "soon", "2026-13-01",  "25:00",
                "today ", "2026-03-01x", "-2h",  "2h 3min ago", "4000d"
        };
        uint64_t usec;

        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                assert_int_equal(parse_moment(texts[i], NOW, &usec), -EINVAL);
}

TEST(spans) {
        uint64_t usec;

        assert_int_equal(parse_span("1500ms", &usec), 0);
        assert_int_equal(usec, 1500 * USEC_PER_MSEC);
        assert_int_equal(parse_span("2d", &usec), 0);
        assert_int_equal(usec, 2 * USEC_PER_DAY);
        assert_int_equal(parse_span("", &usec), -EINVAL);
        assert_int_equal(parse_span("2 years", &usec), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(dates_are_local),
                cmocka_unit_test(the_day_may_be_left_out),
                cmocka_unit_test(ago),
                cmocka_unit_test(what_is_no_time),
                cmocka_unit_test(spans),
        };

        (void) setenv("TZ", "EAST-1", 1); /* one hour east */
        tzset();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
