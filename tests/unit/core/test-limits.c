/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "base/macro.h"
#include "core/limits.h"

TEST(a_disk_is_nearly_full_below_a_twentieth) {
        static const struct {
                uint64_t free, size;
                bool is_nearly_full;
        } rows[] = {
                { 5, 100, false },
                { 4, 100, true },
                { 0, 100, true },
                { 100, 100, false },
                { 50 * GIB, TIB, true },
                { 52 * GIB, TIB, false },
                { UINT64_MAX / 20, UINT64_MAX, false }, /* nothing wraps */
                { UINT64_MAX / 20 - 1, UINT64_MAX, true },
                { UINT64_MAX, UINT64_MAX, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                assert_int_equal(
                                disk_is_nearly_full(rows[i].free, rows[i].size),
                                rows[i].is_nearly_full);
}

/* A volume that has not told yet has no size: that is no trouble. */
TEST(a_disk_that_is_not_known_is_not_full) {
        assert_false(disk_is_nearly_full(0, 0));
        assert_false(disk_is_nearly_full(0, 19));
}

/* A number of a volume goes into two bytes, of which one is no number: see core/record. */
TEST(volumes_and_copies_have_room_where_they_are_stored) {
        assert_int_equal(VOLUME_MAX, UINT16_MAX);
        assert_in_range(COPIES_MAX, 1, UINT8_MAX);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_disk_is_nearly_full_below_a_twentieth),
                cmocka_unit_test(a_disk_that_is_not_known_is_not_full),
                cmocka_unit_test(volumes_and_copies_have_room_where_they_are_stored),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
