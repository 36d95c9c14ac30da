/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "store/environment/room.h"

#define NOW UINT64_C(1000000000)

TEST(nothing_is_known_before_the_first_look) {
        const Room room = {};

        assert_false(room_is_certain(&room, 0));
        assert_false(room_is_certain(&room, NOW));
}

TEST(a_look_is_good_for_a_second) {
        Room room = {};

        room_note(&room, ROOM_PLENTY, NOW);
        assert_true(room_is_certain(&room, NOW));
        assert_true(room_is_certain(&room, NOW + USEC_PER_SEC - 1));
        assert_false(room_is_certain(&room, NOW + USEC_PER_SEC));

        room_note(&room, ROOM_PLENTY, NOW + USEC_PER_SEC);
        assert_true(room_is_certain(&room, NOW + USEC_PER_SEC));
}

TEST(where_there_is_little_each_batch_looks) {
        Room room = {};

        room_note(&room, ROOM_PLENTY - 1, NOW);
        assert_false(room_is_certain(&room, NOW));
        room_note(&room, 0, NOW);
        assert_false(room_is_certain(&room, NOW));
}

TEST(what_batches_write_is_counted_from_the_last_look_on) {
        Room room = {};

        room_note(&room, ROOM_PLENTY, NOW);
        room_use(&room, ROOM_PLENTY / ROOM_PER_BYTE / 2);
        assert_true(room_is_certain(&room, NOW));
        room_use(&room, ROOM_PLENTY / ROOM_PER_BYTE / 2);
        assert_false(room_is_certain(&room, NOW));

        room_note(&room, 2 * ROOM_PLENTY, NOW);
        room_use(&room, ROOM_PLENTY / ROOM_PER_BYTE);
        assert_true(room_is_certain(&room, NOW));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nothing_is_known_before_the_first_look),
                cmocka_unit_test(a_look_is_good_for_a_second),
                cmocka_unit_test(where_there_is_little_each_batch_looks),
                cmocka_unit_test(what_batches_write_is_counted_from_the_last_look_on),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
