/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#include "http/serve/network.h"

static void network_of(const char *text, uint8_t ret[static HTTP_NETWORK_SIZE]) {
        struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
        struct sockaddr_in v4 = { .sin_family = AF_INET };

        memset(ret, 0xaa, HTTP_NETWORK_SIZE);
        if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
                http_network_of((struct sockaddr *) &v4, ret);
        else {
                assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
                http_network_of((struct sockaddr *) &v6, ret);
        }
}

static bool are_alike(const char *a, const char *b) {
        uint8_t x[HTTP_NETWORK_SIZE], y[HTTP_NETWORK_SIZE];

        network_of(a, x);
        network_of(b, y);
        return memcmp(x, y, sizeof(x)) == 0;
}

TEST(an_ipv4_address_is_one_and_of_ipv6_the_first_half_counts) {
        assert_true(are_alike("10.0.0.1", "10.0.0.1"));
        assert_false(are_alike("10.0.0.1", "10.0.0.2"));
        assert_true(are_alike("10.0.0.1", "::ffff:10.0.0.1"));
        assert_false(are_alike("::ffff:10.0.0.1", "::ffff:10.0.0.2"));
        assert_true(are_alike("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_false(are_alike("2001:db8:1:2::1", "2001:db8:1:3::1"));
}

TEST(whoever_has_no_address_is_like_all_others_without) {
        static const uint8_t zeroes[HTTP_NETWORK_SIZE];
        struct sockaddr local = { .sa_family = AF_UNIX };
        uint8_t network[HTTP_NETWORK_SIZE] = { 1, 2, 3 };

        http_network_of(NULL, network);
        assert_memory_equal(network, zeroes, sizeof(zeroes));
        network[5] = 1;
        http_network_of(&local, network);
        assert_memory_equal(network, zeroes, sizeof(zeroes));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_ipv4_address_is_one_and_of_ipv6_the_first_half_counts),
                cmocka_unit_test(whoever_has_no_address_is_like_all_others_without),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
