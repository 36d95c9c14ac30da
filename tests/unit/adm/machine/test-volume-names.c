/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "adm/machine/volume-names.h"

TEST(names_are_those_of_the_number) {
        VolumeNames names;

        volume_names_init(&names, 7);
        assert_string_equal(names.socket, "dkv-volume@7.socket");
        assert_string_equal(names.service, "dkv-volume@7.service");
        assert_string_equal(names.object, "/org/dkv/Master1/volume/7");
        assert_string_equal(names.bus_name, "org.dkv.Volume1.i7");
}

TEST(socket_is_stopped_before_what_it_starts) {
        VolumeNames names;

        volume_names_init(&names, 7);
        assert_ptr_equal(names.units[0], names.socket);
        assert_ptr_equal(names.units[1], names.service);
        assert_null(names.units[2]);
}

TEST(longest_names_are_not_cut) {
        VolumeNames names;

        volume_names_init(&names, UINT32_MAX);
        assert_string_equal(names.socket, "dkv-volume@4294967295.socket");
        assert_string_equal(names.service, "dkv-volume@4294967295.service");
        assert_string_equal(names.object, "/org/dkv/Master1/volume/4294967295");
        assert_string_equal(names.bus_name, "org.dkv.Volume1.i4294967295");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(names_are_those_of_the_number),
                cmocka_unit_test(socket_is_stopped_before_what_it_starts),
                cmocka_unit_test(longest_names_are_not_cut),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
