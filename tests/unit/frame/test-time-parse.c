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

TEST(span_has_limits_and_units) {
        /* clang-format off */
        static const struct {
                const char *text;
                uint64_t usec; /* UINT64_MAX: it is none */
        } rows[] = {
                { "0",       0                   }, { "1ms",     USEC_PER_MSEC       }, { "1s",      USEC_PER_SEC        },
                { "90",      90 * USEC_PER_SEC   }, { "30min",   30 * USEC_PER_MIN   }, { "2h",      2 * USEC_PER_HOUR   },
                { "1d",      USEC_PER_DAY        }, { "3650d",   3650 * USEC_PER_DAY },
                { "3651d",   UINT64_MAX          }, { "-1s",     UINT64_MAX          }, { "1.5h",    UINT64_MAX          },
                { "2 h",     2 * USEC_PER_HOUR   }, { "h",       UINT64_MAX          }, { "2hours",  UINT64_MAX          },
                { "18446744073709551616", UINT64_MAX }, { "18446744073709551615d", UINT64_MAX }, { " ", UINT64_MAX },
        };
        /* clang-format on */

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                uint64_t usec = 4711;
                int r = parse_span(rows[i].text, &usec);

                if (rows[i].usec == UINT64_MAX) {
                        assert_int_equal(r, -EINVAL);
                        assert_int_equal(usec, 4711);
                } else {
                        assert_int_equal(r, 0);
                        assert_int_equal(usec, rows[i].usec);
                }
        }
}

TEST(days_that_do_not_exist_are_refused_or_meant_as_the_calendar_has_them) {
        uint64_t usec;

        assert_int_equal(seconds("2026-02-28"), -90 * 60 - 24 * 3600);
        assert_int_equal(parse_moment("2026-00-10", NOW, &usec), -EINVAL);
        assert_int_equal(parse_moment("2026-01-32", NOW, &usec), -EINVAL);
        assert_int_equal(parse_moment("2026-01-02 24:00", NOW, &usec), -EINVAL);
        assert_int_equal(parse_moment("2026-01-02 03:60", NOW, &usec), -EINVAL);
        assert_int_equal(parse_moment("1969-12-30", NOW, &usec), -EINVAL); /* no time of day */
}

TEST(time_before_the_beginning_is_the_beginning) {
        uint64_t usec = 4711;

        assert_int_equal(parse_moment("2h ago", USEC_PER_MIN, &usec), 0);
        assert_int_equal(usec, 0);
}

TEST(clocks_that_change_do_not_matter) {
        /* The last Sunday of March 2026: two in the morning was three. */
        const uint64_t noon = UINT64_C(1774778400) * USEC_PER_SEC; /* 12:00 there, 10:00 in UTC */
        uint64_t usec;

        assert_ok(setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1));
        tzset();
        assert_int_equal(parse_moment("12:00", noon, &usec), 0);
        assert_int_equal(usec, noon);
        assert_int_equal(parse_moment("today", noon, &usec), 0);
        assert_int_equal((noon - usec) / USEC_PER_HOUR, 11); /* an hour is missing */
        assert_int_equal(parse_moment("yesterday", noon, &usec), 0);
        assert_int_equal((noon - usec) / USEC_PER_HOUR, 35);
        assert_int_equal(parse_moment("12h ago", noon, &usec), 0);
        assert_int_equal((noon - usec) / USEC_PER_HOUR, 12);
        assert_ok(setenv("TZ", "EAST-1", 1));
        tzset();
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(dates_are_local),
                cmocka_unit_test(the_day_may_be_left_out),
                cmocka_unit_test(ago),
                cmocka_unit_test(what_is_no_time),
                cmocka_unit_test(spans),
                cmocka_unit_test(span_has_limits_and_units),
                cmocka_unit_test(
                                days_that_do_not_exist_are_refused_or_meant_as_the_calendar_has_them),
                cmocka_unit_test(time_before_the_beginning_is_the_beginning),
                cmocka_unit_test(clocks_that_change_do_not_matter),
        };

        (void) setenv("TZ", "EAST-1", 1); /* one hour east */
        tzset();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
