/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>

#include "core/damage.h"

TEST(errors_say_what_is_wrong_with_a_copy) {
        assert_int_equal(damage_kind_of_error(-EBADMSG), DAMAGE_CORRUPT);
        assert_int_equal(damage_kind_of_error(-EPROTONOSUPPORT), DAMAGE_CORRUPT);
        assert_int_equal(damage_kind_of_error(-ENOENT), DAMAGE_MISSING);
        assert_int_equal(damage_kind_of_error(-ENODATA), DAMAGE_MISSING);
        assert_int_equal(damage_kind_of_error(-EIO), DAMAGE_UNREADABLE);
        assert_int_equal(damage_kind_of_error(EIO), DAMAGE_UNREADABLE);
}

TEST(errors_of_the_daemon_say_nothing_about_a_copy) {
        static const int errors[] = {
                0, ENOMEM, EMFILE, ENFILE, EINTR, EAGAIN, ESHUTDOWN,
        };

        for (size_t i = 0; i < ELEMENTSOF(errors); i++)
                assert_int_equal(damage_kind_of_error(-errors[i]), DAMAGE_NONE);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(errors_say_what_is_wrong_with_a_copy),
                cmocka_unit_test(errors_of_the_daemon_say_nothing_about_a_copy),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
