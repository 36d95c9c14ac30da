/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "core/limits.h"
#include "core/majority.h"

/* Two writes of a key that both succeed have a volume in common. */
TEST(two_majorities_meet) {
        for (size_t wanted = 1; wanted <= COPIES_MAX; wanted++) {
                assert_true(2 * copies_needed(wanted) > wanted);
                assert_true(2 * (copies_needed(wanted) - 1) <= wanted); /* and no more is asked */
        }
}

TEST(as_many_as_are_needed_suffice) {
        static const size_t needed[COPIES_MAX + 1] = { 1, 1, 2, 2, 3, 3, 4, 4, 5 };

        for (size_t wanted = 0; wanted <= COPIES_MAX; wanted++) {
                assert_int_equal(copies_needed(wanted), needed[wanted]);
                for (size_t n = 0; n <= COPIES_MAX; n++)
                        assert_int_equal(copies_suffice(n, wanted), n >= needed[wanted]);
        }
}

/* A value without any copy was never stored. */
TEST(none_never_suffices) {
        for (size_t wanted = 0; wanted <= COPIES_MAX; wanted++)
                assert_false(copies_suffice(0, wanted));
}

/* What Copies= buys: with three, one volume may fail; with two, none may while writing. */
TEST(a_minority_may_fail) {
        for (size_t wanted = 1; wanted <= COPIES_MAX; wanted++) {
                size_t may_fail = (wanted - 1) / 2;

                assert_true(copies_suffice(wanted - may_fail, wanted));
                assert_false(copies_suffice(wanted - may_fail - 1, wanted));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(two_majorities_meet),
                cmocka_unit_test(as_many_as_are_needed_suffice),
                cmocka_unit_test(none_never_suffices),
                cmocka_unit_test(a_minority_may_fail),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
