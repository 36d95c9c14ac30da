/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The last entries: what is found, cut off, and forgotten when they take too much memory. */

#include "test.h"

#include <string.h>

#include "master/group/recent.h"

static Recent recent;

static int teardown(void **state) {
        recent_done(&recent);
        return 0;
}

/* Appends entries with these indices, whose data are their index, and SIZE bytes. */
static void append(uint64_t first, uint64_t last, uint32_t size) {
        uint8_t data[1024] = {};

        for (uint64_t index = first; index <= last; index++) {
                memcpy(data, &index, MIN(size, (uint32_t) sizeof(index)));
                assert_ok(recent_append(
                                &recent, &(Entry){ .term = index, .size = size, .data = data }));
                assert_int_equal(recent_last(&recent), index);
        }
}

/* These, and no others, are there. */
static void assert_has(uint64_t first, uint64_t last) {
        assert_null(recent_find(&recent, first - 1));
        assert_null(recent_find(&recent, last + 1));
        assert_int_equal(recent_last(&recent), last);
        for (uint64_t index = first; index <= last; index++) {
                const Entry *entry = recent_find(&recent, index);

                assert_non_null(entry);
                assert_int_equal(entry->term, index);
                assert_memory_equal(entry->data, &index, MIN(entry->size, (uint32_t) 8));
        }
}

TEST(what_was_appended_is_found) {
        recent_reset(&recent, 10);
        assert_has(11, 10);
        append(11, 500, 8);
        assert_has(11, 500);
        recent_reset(&recent, 1000);
        assert_has(1001, 1000);
        assert_int_equal(recent.size, 0);
        append(1001, 1001, 0);
        assert_has(1001, 1001);
}

TEST(what_was_cut_off_is_gone) {
        recent_reset(&recent, 10);
        append(11, 100, 8);
        recent_cut(&recent, 200);
        assert_has(11, 100);
        recent_cut(&recent, 50);
        assert_has(11, 50);
        append(51, 60, 8);
        assert_has(11, 60);
        recent_cut(&recent, 5); /* before all of them */
        assert_has(6, 5);
        assert_int_equal(recent.size, 0);
        append(6, 7, 8);
        assert_has(6, 7);
}

TEST(entries_without_data_take_memory_as_well) {
        recent_reset(&recent, 0);
        append(1, 1000, 0);
        assert_true(recent.size >= 1000 * sizeof(Entry));
        recent_trim(&recent, 1000, 100 * sizeof(Entry));
        assert_true(recent.n > 0 && recent.n <= 100);
        assert_int_equal(recent_last(&recent), 1000);
}

TEST(the_first_ones_are_forgotten_many_at_a_time) {
        uint64_t limit;

        recent_reset(&recent, 0);
        append(1, 800, 100);
        limit = recent.size;
        append(801, 900, 100);
        recent_trim(&recent, 900, limit); /* an eighth more, and no more than that */
        assert_has(1, 900);
        append(901, 901, 100);
        recent_trim(&recent, 901, limit);
        assert_has(102, 901);
        assert_int_equal(recent.size, limit);
}

TEST(what_is_not_done_with_stays) {
        recent_reset(&recent, 0);
        append(1, 100, 100);
        recent_trim(&recent, 30, 0);
        assert_has(31, 100);
        recent_trim(&recent, 100, 0);
        assert_has(101, 100);
        assert_int_equal(recent.size, 0);
}

int main(void) {
#define RUN(test) cmocka_unit_test_teardown(test, teardown)
        const struct CMUnitTest tests[] = {
                RUN(what_was_appended_is_found),
                RUN(what_was_cut_off_is_gone),
                RUN(entries_without_data_take_memory_as_well),
                RUN(the_first_ones_are_forgotten_many_at_a_time),
                RUN(what_is_not_done_with_stays),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
