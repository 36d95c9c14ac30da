/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/url.h"

static void assert_host(const char *url, const char *host, uint16_t port) {
        Address address;

        assert_int_equal(url_host(url, &address), 0);
        assert_string_equal(address.host, host);
        assert_int_equal(address.port, port);
}

TEST(host_and_port_are_read_out_of_a_url) {
        Address address;

        assert_host("http://10.0.0.1:3000", "10.0.0.1", 3000);
        assert_host("http://disk-1.example", "disk-1.example", 80);
        assert_host("http://[fe80::1]:7", "fe80::1", 7);
        assert_host("http://[fe80::1]", "fe80::1", 80);
        assert_true(url_host("10.0.0.1:3000", &address) < 0);
        assert_true(url_host("https://10.0.0.1:3000", &address) < 0);
        assert_true(url_host("http://", &address) < 0);
}

TEST(the_authority_is_what_is_behind_the_scheme) {
        const char *url = "http://10.0.0.1:3000";

        assert_ptr_equal(url_authority(url), url + 7);
        assert_string_equal(url_authority("HTTP://a:1/b"), "a:1/b");
        assert_string_equal(url_authority("a:1"), "a:1");
        assert_string_equal(url_authority("httpd:1"), "httpd:1");
        assert_string_equal(url_authority(""), "");
}

TEST(a_url_is_made_of_an_authority_and_a_path) {
        _cleanup_free_ char *url = NULL, *bare = NULL;

        assert_ok(url_format(&url, "[::1]:80", "/-/copy/%s?v=%u", "a%20b", 7U));
        assert_string_equal(url, "http://[::1]:80/-/copy/a%20b?v=7");
        assert_ok(url_format(&bare, "a", "%s", ""));
        assert_string_equal(bare, "http://a");
}

static void assert_from(const char *text, const char *expected) {
        _cleanup_free_ char *url = NULL;
        const char *reason;
        Address address;

        assert_ok(address_parse(text, &address, &reason));
        assert_ok(url_from_address(&address, &url));
        assert_string_equal(url, expected);
}

TEST(an_address_has_a_url) {
        assert_from("10.0.0.1:3000", "http://10.0.0.1:3000");
        assert_from("[fe80::1]:1", "http://[fe80::1]:1");
        assert_from("disk-1.example:80", "http://disk-1.example:80");
}

TEST(what_is_made_is_what_is_read) {
        static const char *const urls[] = { "http://10.0.0.1:3000", "http://[::1]:99",
                                            "http://a-b.c:1" };

        for (size_t i = 0; i < ELEMENTSOF(urls); i++) {
                _cleanup_free_ char *url = NULL, *normal = NULL;
                const char *reason = NULL;
                Address address;

                assert_ok(url_host(urls[i], &address));
                assert_ok(url_from_address(&address, &url));
                assert_string_equal(url, urls[i]);
                assert_ok(url_normalize(url, &normal, &reason));
                assert_string_equal(normal, urls[i]);
                assert_null(url_complain(url));
        }
}

/* A sentence for those who have typed it, that begins with what they typed. */
TEST(a_refusal_says_what_is_wrong_with_a_url) {
        static const struct {
                const char *text, *reason;
        } rows[] = {
                { "https://a:1", "does not begin with http://" },
                { "HTTP://a:1", "does not begin with http://" },
                { "http://u@a:1", "has a user" },
                { "http://a:1?x", "has a query" },
                { "http://a:1/#x", "has a query" },
                { "http://a:1/x", "has a path" },
                { "http:///", "has no host" },
                { "http://:1", "has no address" },
                { "a", "has neither http:// nor a port" },
                { "http://a:0", "has no port from 1 to 65535" },
                { "http://a:65536", "has no port from 1 to 65535" },
                { "http://[::]:1", "names all addresses" },
                { "http://fe80::1:80", "needs brackets" },
                { "http://a_b!:1", "has neither an IP address nor the name of a machine" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                const char *reason = url_complain(rows[i].text);

                if (!reason || strncmp(reason, rows[i].reason, strlen(rows[i].reason)) != 0)
                        fail_msg("'%s' %s", rows[i].text, reason ?: "is taken");
        }
}

TEST(a_host_that_is_too_long_is_refused) {
        char text[400] = "http://";

        memset(text + 7, 'a', ADDRESS_HOST_SIZE - 1);
        strcat(text, ":1");
        assert_null(url_complain(text));
        memset(text + 7, 'a', ADDRESS_HOST_SIZE);
        strcpy(text + 7 + ADDRESS_HOST_SIZE, ":1");
        assert_string_equal(url_complain(text), "is too long");
}

TEST(what_is_refused_leaves_nothing_behind) {
        char *url = NULL;
        const char *reason = NULL;
        Address address = { .port = 7 };

        assert_int_equal(url_normalize("http://", &url, &reason), -EINVAL);
        assert_null(url);
        assert_int_equal(url_host("http://a:x", &address), -EINVAL);
        assert_int_equal(address.port, 7);
}

TEST(a_list_has_each_daemon_once_in_the_form_that_urls_have) {
        _cleanup_free_ char *list = NULL, *one = NULL;
        const char *reason, *rest;
        char *url;

        assert_ok(url_list_normalize("http://a/, b:1 ,http://[::1]:2", &list, &reason));
        assert_string_equal(list, "http://a,http://b:1,http://[::1]:2");
        rest = list;
        for (size_t i = 0; i < 3; i++) {
                static const char *const urls[] = { "http://a", "http://b:1", "http://[::1]:2" };

                assert_int_equal(url_list_take(&rest, &url), 1);
                assert_string_equal(url, urls[i]);
                free(url);
        }
        assert_int_equal(url_list_take(&rest, &url), 0);
        assert_ok(url_list_normalize("http://a:1", &one, &reason));
        assert_string_equal(one, "http://a:1");
}

TEST(a_refusal_says_what_is_wrong_with_a_list) {
        char many[40 * (URLS_MAX + 1)] = "http://a:1";

        assert_string_equal(
                        url_list_complain("a:1,b:2,http://a:1/"), "names the same daemon twice");
        assert_null(url_list_complain("a:1,a:12,aa:1"));
        assert_string_equal(url_list_complain("a:1,,b:2"), url_complain(""));
        assert_string_equal(url_list_complain("a:1,"), url_complain(""));
        assert_string_equal(url_list_complain(""), url_complain(""));
        for (size_t i = 2; i <= URLS_MAX; i++)
                (void) sprintf(many + strlen(many), ",http://a:%zu", i);
        assert_null(url_list_complain(many));
        strcat(many, ",http://b:1");
        assert_string_equal(url_list_complain(many), "names more than 16 daemons");
}

int main(void) {
#define RUN(test) cmocka_unit_test(test)
        const struct CMUnitTest tests[] = {
                RUN(host_and_port_are_read_out_of_a_url),
                RUN(the_authority_is_what_is_behind_the_scheme),
                RUN(a_url_is_made_of_an_authority_and_a_path),
                RUN(an_address_has_a_url),
                RUN(what_is_made_is_what_is_read),
                RUN(a_refusal_says_what_is_wrong_with_a_url),
                RUN(a_host_that_is_too_long_is_refused),
                RUN(what_is_refused_leaves_nothing_behind),
                RUN(a_list_has_each_daemon_once_in_the_form_that_urls_have),
                RUN(a_refusal_says_what_is_wrong_with_a_list),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
