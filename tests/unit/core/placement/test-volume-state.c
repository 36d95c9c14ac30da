/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "core/placement/volume-state.h"

TEST(states_have_names_for_programs) {
        static const char *const names[] = { "new", "active", "draining", "removed" };

        assert_int_equal(ELEMENTSOF(names), _VOLUME_STATE_MAX);
        for (VolumeState s = 0; s < _VOLUME_STATE_MAX; s++)
                assert_string_equal(volume_state_to_string(s), names[s]);
}

/* What every other part relies on: the ways through a volume's life, written out. */
TEST(a_volume_goes_these_ways_and_no_others) {
        static const char *const ways[] = {
                [VOLUME_NEW] = "yy-y", /* to new, active, draining, removed */
                [VOLUME_ACTIVE] = "-yyy",
                [VOLUME_DRAINING] = "-yyy",
                [VOLUME_REMOVED] = "---y",
        };

        for (VolumeState from = 0; from < _VOLUME_STATE_MAX; from++)
                for (VolumeState to = 0; to < _VOLUME_STATE_MAX; to++)
                        assert_int_equal(volume_state_may_follow(from, to), ways[from][to] == 'y');
}

/* A number is never used again, and a volume that was added never counts as unknown again. */
TEST(nothing_leads_out_of_removed_or_back_to_new) {
        for (VolumeState s = 0; s < _VOLUME_STATE_MAX; s++) {
                assert_int_equal(volume_state_may_follow(VOLUME_REMOVED, s), s == VOLUME_REMOVED);
                assert_int_equal(volume_state_may_follow(s, VOLUME_NEW), s == VOLUME_NEW);
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(states_have_names_for_programs),
                cmocka_unit_test(a_volume_goes_these_ways_and_no_others),
                cmocka_unit_test(nothing_leads_out_of_removed_or_back_to_new),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
