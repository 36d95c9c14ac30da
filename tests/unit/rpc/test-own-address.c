/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>

#include "rpc/own-address.h"

TEST(the_loopback_is_seen_as_itself) {
        Address address;

        assert_int_equal(own_address_find("127.0.0.1", 3001, &address), 0);
        assert_string_equal(address.host, "127.0.0.1");
        assert_int_equal(address.port, 3001);
        assert_true(address.is_numeric);
        assert_false(address.is_v6);
        assert_true(address_is_loopback(&address));
}

TEST(a_name_is_looked_up) {
        Address address;

        assert_int_equal(own_address_find("localhost", 7, &address), 0);
        assert_true(address.is_numeric); /* it comes out as a number */
        assert_true(address_is_loopback(&address));
        assert_int_equal(address.port, 7);
}

TEST(what_is_not_known_cannot_be_seen) {
        Address address;

        assert_int_equal(own_address_find("no such machine", 1, &address), -EHOSTUNREACH);
        assert_int_equal(own_address_find("256.0.0.1", 1, &address), -EHOSTUNREACH);
}

int main(void) {
#define RUN(test) cmocka_unit_test(test)
        const struct CMUnitTest tests[] = {
                RUN(the_loopback_is_seen_as_itself),
                RUN(a_name_is_looked_up),
                RUN(what_is_not_known_cannot_be_seen),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
