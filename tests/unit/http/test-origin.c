/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "http/origin.h"
#include "http/request-internal.h"

#define HEAD_MAX 4096

static char store[HEAD_MAX + HTTP_STORE_EXTRA];
static HttpParser parser;

/* A request of METHOD, which stays until the next one; ORIGIN may be NULL. */
static HttpRequest make_request(const char *method, const char *host, const char *origin) {
        char head[HEAD_MAX];
        HttpEvent event;
        int size = snprintf(
                        head, sizeof(head), "%s /k HTTP/1.1\r\nHost: %s\r\n%s%s%s\r\n", method,
                        host, origin ? "Origin: " : "", origin ?: "", origin ? "\r\n" : "");

        http_parser_init(&parser, true, store, HEAD_MAX);
        assert_int_equal(http_parser_feed(&parser, head, (size_t) size, &event), size);
        assert_int_equal(event, HTTP_EVENT_HEAD);
        return (HttpRequest){ .head = &parser, .method = parser.method, .path = "/k", .query = "" };
}

static const char *own_name(void) {
        static char name[256];

        assert_ok(gethostname(name, sizeof(name) - 1));
        return name;
}

TEST(pages_may_change_something_only_where_they_may) {
        static const struct {
                const char *host, *origin, *allowed;
                bool redirected;
                int result; /* of a PUT */
        } rows[] = {
                { "dkv:3000", NULL, "", false, 0 }, /* no page */
                { "dkv:3000", "http://evil.example", "", false, -EACCES },
                { "dkv:3000", "null", "", false, -EACCES },
                { "dkv:3000", "", "", false, -EACCES },

                /* Listed */
                { "dkv:3000", "http://a.example", "http://a.example", false, 0 },
                { "dkv:3000", "http://A.example", "http://a.example", false, 0 },
                { "dkv:3000", "http://b.example", "http://a.example, http://b.example", false, 0 },
                { "dkv:3000", "http://a.example", "*", false, 0 },
                { "dkv:3000", "http://a.exampl", "http://a.example", false, -EACCES },
                { "dkv:3000", "http://a.example.evil", "http://a.example", false, -EACCES },
                { "dkv:3000", "https://a.example", "http://a.example", false, -EACCES },
                { "dkv:3000", "http://a.example:80", "http://a.example", false, -EACCES },

                /* Behind a redirect browsers say "null". */
                { "dkv:3000", "null", "http://a.example", true, 0 },
                { "dkv:3000", "null", "http://a.example", false, -EACCES },
                { "dkv:3000", "null", "", true, -EACCES },

                /* The server's own; but whoever owns a name may have it point here. */
                { "127.0.0.1:3000", "http://127.0.0.1:3000", "", false, 0 },
                { "[::1]:3000", "http://[::1]:3000", "", false, 0 },
                { "localhost:3000", "http://LOCALHOST:3000", "", false, 0 },
                { "127.0.0.1:3000", "http://127.0.0.1:3001", "", false, -EACCES },
                { "127.0.0.1:3000", "127.0.0.1:3000", "", false, -EACCES },
                { "evil.example:3000", "http://evil.example:3000", "", false, -EACCES },
                { "localhost.evil.example", "http://localhost.evil.example", "", false, -EACCES },
                { "127.0.0.1.evil.example", "http://127.0.0.1.evil.example", "", false, -EACCES },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                HttpOrigins origins = { rows[i].allowed, rows[i].redirected };
                static const char *const methods[] = { "PUT", "POST", "DELETE", "PATCH" };

                for (size_t j = 0; j < ELEMENTSOF(methods); j++) {
                        HttpRequest request = make_request(
                                        methods[j], rows[i].host, rows[i].origin);

                        assert_int_equal(http_check_origin(&request, &origins), rows[i].result);
                        assert_true(rows[i].result == 0 || strstr(request.detail, "CorsOrigins="));
                }
        }
}

TEST(the_name_of_this_machine_is_its_own_with_and_without_a_domain) {
        char host[300], origin[320];
        HttpOrigins origins = { "", false };
        HttpRequest request;

        (void) snprintf(host, sizeof(host), "%s:3000", own_name());
        (void) snprintf(origin, sizeof(origin), "http://%s", host);
        request = make_request("PUT", host, origin);
        assert_int_equal(http_check_origin(&request, &origins), 0);

        (void) snprintf(host, sizeof(host), "x%s:3000", own_name());
        (void) snprintf(origin, sizeof(origin), "http://%s", host);
        request = make_request("PUT", host, origin);
        assert_int_equal(http_check_origin(&request, &origins), -EACCES);

        /* As much as a name may have, and more */
        (void) snprintf(host, sizeof(host), "%0255d", 1);
        (void) snprintf(origin, sizeof(origin), "http://%s", host);
        request = make_request("PUT", host, origin);
        assert_int_equal(http_check_origin(&request, &origins), -EACCES);
}

TEST(every_page_may_ask_and_only_those_that_may_read_the_answer) {
        static const char *const methods[] = { "GET", "HEAD", "OPTIONS" };
        HttpOrigins none = { "", false }, some = { "http://a.example", false };
        const char *value;

        for (size_t i = 0; i < ELEMENTSOF(methods); i++) {
                HttpRequest request = make_request(methods[i], "dkv", "http://evil.example");

                assert_int_equal(http_check_origin(&request, &none), 0);
                assert_string_equal(http_origin_headers(&request, &none, &value), "");
                assert_null(value);
                assert_int_equal(http_check_origin(&request, &some), 0);
                assert_string_equal(
                                http_origin_headers(&request, &some, &value), "Vary: Origin\r\n");
                assert_null(value);

                request = make_request(methods[i], "dkv", "http://a.example");
                assert_int_equal(http_check_origin(&request, &some), 0);
                assert_non_null(
                                strstr(http_origin_headers(&request, &some, &value),
                                       "Access-Control-Allow-Origin: "));
                assert_string_equal(value, "http://a.example");
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(pages_may_change_something_only_where_they_may),
                cmocka_unit_test(the_name_of_this_machine_is_its_own_with_and_without_a_domain),
                cmocka_unit_test(every_page_may_ask_and_only_those_that_may_read_the_answer),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
