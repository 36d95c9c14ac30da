/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "consensus/trail.h"
#include "test.h"

static void append(Trail *trail, uint64_t term, uint32_t size) {
        assert_ok(trail_reserve(trail, 1));
        trail_append(trail, &(Entry){ .term = term, .type = ENTRY_REQUESTS, .size = size });
}

/* Entries 1 to 6, of the terms 1 1 2 4 4 4 and of 10, 20 ... 60 bytes. */
static Trail six(void) {
        static const uint64_t terms[] = { 1, 1, 2, 4, 4, 4 };
        Trail trail = { 0 };

        for (uint32_t i = 0; i < 6; i++)
                append(&trail, terms[i], 10 * (i + 1));
        return trail;
}

TEST(it_knows_terms_and_sizes) {
        Trail trail = six();

        assert_int_equal(trail_last(&trail), 6);
        assert_int_equal(trail_last_term(&trail), 4);
        assert_int_equal(trail_term(&trail, 0), 0);
        assert_int_equal(trail_term(&trail, 3), 2);
        assert_int_equal(trail_term(&trail, 7), 0);
        assert_int_equal(trail_size(&trail, 0, 6), 210);
        assert_int_equal(trail_size(&trail, 2, 4), 70);
        assert_int_equal(trail_size(&trail, 4, 4), 0);
        trail_done(&trail);
}

TEST(what_is_cut_off_is_gone_but_for_the_base) {
        Trail trail = six();

        trail_cut_head(&trail, 3);
        assert_int_equal(trail.base_index, 3);
        assert_int_equal(trail_term(&trail, 3), 2);
        assert_int_equal(trail_term(&trail, 2), 0);
        assert_int_equal(trail_size(&trail, 3, 5), 90);

        trail_cut_tail(&trail, 5);
        assert_int_equal(trail_last(&trail), 4);
        append(&trail, 5, 7);
        assert_int_equal(trail_term(&trail, 5), 5);
        assert_int_equal(trail_size(&trail, 3, 5), 47);

        trail_cut_head(&trail, 5);
        assert_int_equal(trail_last(&trail), 5);
        assert_int_equal(trail_last_term(&trail), 5);
        trail_done(&trail);
}

TEST(it_begins_anew_behind_a_database) {
        Trail trail = six();

        trail_reset(&trail, 100, 9);
        assert_int_equal(trail_last(&trail), 100);
        assert_int_equal(trail_last_term(&trail), 9);
        append(&trail, 9, 1);
        assert_int_equal(trail_term(&trail, 101), 9);
        trail_done(&trail);
}

TEST(the_hint_is_before_the_first_entry_of_the_term) {
        Trail trail = six();

        assert_int_equal(trail_hint(&trail, 9), 6);
        assert_int_equal(trail_hint(&trail, 6), 3);
        assert_int_equal(trail_hint(&trail, 3), 2);
        assert_int_equal(trail_hint(&trail, 2), 0);
        trail_done(&trail);
}

TEST(a_long_life_takes_no_more_memory) {
        Trail trail = { 0 };

        for (uint32_t i = 0; i < 100000; i++) {
                append(&trail, 1, 1);
                if (i % 100 == 99)
                        trail_cut_head(&trail, i - 50);
        }
        assert_true(trail.allocated < 2000);
        trail_done(&trail);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(it_knows_terms_and_sizes),
                cmocka_unit_test(what_is_cut_off_is_gone_but_for_the_base),
                cmocka_unit_test(it_begins_anew_behind_a_database),
                cmocka_unit_test(the_hint_is_before_the_first_entry_of_the_term),
                cmocka_unit_test(a_long_life_takes_no_more_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
