/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <stdio.h>

#include "core/url.h"
#include "volume/link/masters.h"

#define THREE "http://a:1,http://b:1,http://c:1"

TEST(one_is_talked_to_until_it_fails) {
        _cleanup_(masters_freep) Masters *masters = NULL;

        assert_ok(masters_new(THREE, &masters));
        assert_int_equal(masters_count(masters), 3);
        assert_string_equal(masters_url(masters), "http://a:1");
        masters_turn_from(masters, "http://b:1"); /* an old failure */
        assert_string_equal(masters_url(masters), "http://a:1");
        masters_turn_from(masters, "http://a:1");
        assert_string_equal(masters_url(masters), "http://b:1");
        masters_turn_from(masters, "http://a:1");
        assert_string_equal(masters_url(masters), "http://b:1");
        masters_turn_from(masters, "http://b:1");
        masters_turn_from(masters, "http://c:1");
        assert_string_equal(masters_url(masters), "http://a:1");
}

TEST(who_is_said_to_lead_is_talked_to_and_then_the_others_get_their_turn) {
        _cleanup_(masters_freep) Masters *masters = NULL;
        unsigned asked = 0;

        assert_ok(masters_new(THREE, &masters));
        assert_true(masters_turn_to(masters, "http://c:1"));
        assert_string_equal(masters_url(masters), "http://c:1");
        assert_true(masters_turn_to(masters, "http://d:1"));
        assert_string_equal(masters_url(masters), "http://d:1");
        for (size_t i = 0; i < 3; i++) {
                masters_turn_from(masters, masters_url(masters));
                asked |= 1U << (masters_url(masters)[7] - 'a');
        }
        assert_int_equal(asked, 7); /* d is not in the list */
}

TEST(a_master_alone_has_no_alternative) {
        _cleanup_(masters_freep) Masters *masters = NULL;
        const char *url;

        assert_ok(masters_new("http://a:1", &masters));
        url = masters_url(masters);
        masters_turn_from(masters, url);
        assert_ptr_equal(masters_url(masters), url);
        assert_true(masters_turn_to(masters, "http://b:1"));
        masters_turn_from(masters, "http://b:1");
        assert_ptr_equal(masters_url(masters), url);
}

/* A string that was given out stays, so there is an end to it. */
TEST(there_is_a_limit_to_what_is_remembered) {
        _cleanup_(masters_freep) Masters *masters = NULL;
        size_t n = 0;
        char url[64];

        assert_ok(masters_new(THREE, &masters));
        do
                (void) snprintf(url, sizeof(url), "http://m:%zu", ++n);
        while (masters_turn_to(masters, url));
        assert_in_range(n, URLS_MAX, 4 * URLS_MAX);
        assert_true(masters_turn_to(masters, "http://m:1"));
        masters_turn_from(masters, "http://m:1");
        assert_string_equal(masters_url(masters), "http://a:1");
}

int main(void) {
#define RUN(test) cmocka_unit_test(test)
        const struct CMUnitTest tests[] = {
                RUN(one_is_talked_to_until_it_fails),
                RUN(who_is_said_to_lead_is_talked_to_and_then_the_others_get_their_turn),
                RUN(a_master_alone_has_no_alternative),
                RUN(there_is_a_limit_to_what_is_remembered),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
