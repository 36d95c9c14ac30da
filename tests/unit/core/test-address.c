/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "core/address.h"
#include "core/url.h"

static void assert_refused(const char *text) {
        if (!address_complain(text))
                fail_msg("'%s' should not be an address", text);
}

static void assert_no_url(const char *text) {
        if (!url_complain(text))
                fail_msg("'%s' should not be a URL", text);
}

static void assert_url(const char *text, const char *expected) {
        _cleanup_free_ char *url = NULL;
        const char *reason = NULL;
        int r = url_normalize(text, &url, &reason);

        if (r < 0)
                fail_msg("'%s' %s", text, reason);
        assert_string_equal(url, expected);
}

TEST(an_address_has_a_port_and_perhaps_a_host) {
        const char *reason;
        Address address;

        assert_ok(address_parse("10.0.0.1:3000", &address, &reason));
        assert_string_equal(address.host, "10.0.0.1");
        assert_int_equal(address.port, 3000);
        assert_true(address.is_numeric && !address.is_v6 && !address.is_any);

        assert_ok(address_parse("[fe80::1]:1", &address, &reason));
        assert_string_equal(address.host, "fe80::1");
        assert_true(address.is_numeric && address.is_v6 && !address.is_any);

        assert_ok(address_parse("disk-1.example:65535", &address, &reason));
        assert_true(!address.is_numeric && !address.is_any);
}

TEST(all_addresses_of_a_machine_are_known_as_such) {
        static const char *const all[] = { "3003", "0.0.0.0:3003", "[::]:3003", "[0:0::0]:3003" };
        const char *reason;
        Address address;

        for (size_t i = 0; i < ELEMENTSOF(all); i++) {
                assert_ok(address_parse(all[i], &address, &reason));
                assert_true(address.is_any);
        }
}

TEST(what_cannot_be_listened_on_is_refused_with_a_reason) {
        static const char *const bad[] = {
                "",          "foo",           "0",           "99999",       "-1",
                "127.0.0.1", "127.0.0.1:",    ":3000",       "[]:3000",     "127.0.0.1:0",
                "1.2.3.4:x", "1.2.3.4:99999", "::1:3000",    "[::1]",       "[::1]3000",
                "3003:3003", "1.2.3:3000",    "1.2.3.256:1", "a b:3000",    "0x7f000001:1",
                "a/b:3000",  "[fe80::g]:1",   "http://a:1",  "user@host:1", "10.0.0.1:+1",
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_refused(bad[i]);
}

TEST(a_url_comes_out_in_one_way) {
        assert_url("http://10.0.0.1:3000", "http://10.0.0.1:3000");
        assert_url("http://10.0.0.1:3000/", "http://10.0.0.1:3000");
        assert_url("10.0.0.1:3000", "http://10.0.0.1:3000");
        assert_url("[::1]:3000/", "http://[::1]:3000");
        assert_url("http://[fe80::1]", "http://[fe80::1]");
        assert_url("http://disk-1.example", "http://disk-1.example");
}

TEST(a_url_that_no_client_could_follow_is_refused) {
        static const char *const bad[] = {
                "",
                "3003",
                "http://",
                "http://3003",
                "http://3003:3003",
                "http://0.0.0.0:3003",
                "http://[::]:3003",
                "http://user@host:3003",
                "http://user:password@host:3003",
                "http://host:3003?a=b",
                "http://host:3003/?a=b",
                "http://host:3003#top",
                "http://host:3003/path",
                "http://host:3003//",
                "https://host:3003",
                "ftp://host",
                "host",
                "http://host:0",
                "http://host:99999",
                "http://host:",
                "http://ho st:1",
                "http://::1:3003",
                "http://0x7f.1:80",
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_no_url(bad[i]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_address_has_a_port_and_perhaps_a_host),
                cmocka_unit_test(all_addresses_of_a_machine_are_known_as_such),
                cmocka_unit_test(what_cannot_be_listened_on_is_refused_with_a_reason),
                cmocka_unit_test(a_url_comes_out_in_one_way),
                cmocka_unit_test(a_url_that_no_client_could_follow_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
