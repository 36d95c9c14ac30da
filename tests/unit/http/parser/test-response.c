/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "test.h"

#include "http/parser/transcript.h"

TEST(good_responses_are_understood) {
        static const Case cases[] = {
                { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
                  "200\nContent-Length=5\n[hello]\n" },
                { "HTTP/1.1 200\r\ncontent-length:0\r\n\r\n", "200\ncontent-length=0\n[]\n" },
                { "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", "200\nContent-Length=0\n[]\n" },
                { "HTTP/1.1 204 No Content\r\nConnection: Close\r\n\r\n",
                  "204 close\nConnection=Close\n[]\n" },
                { "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
                  "200 close\nContent-Length=2\n[hi]\n" },
                { "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi",
                  "200\nConnection=keep-alive\nContent-Length=2\n[hi]\n" },
                { "HTTP/1.1 307 Temporary Redirect\r\nLocation:  http://a:1/b?c=d \r\nContent-Length: 1\r\n\r\n.",
                  "307\nLocation=http://a:1/b?c=d\nContent-Length=1\n[.]\n" },
                { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nA: x\r\n\r\n",
                  "200\nTransfer-Encoding=chunked\n[abc0123456789|A=x]\n" },
                { "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Made\r\nContent-Length: 0\r\n\r\n",
                  "100\n[]\n201\nContent-Length=0\n[]\n" },
                { "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
                  "304\nContent-Length=5\n[]\n" },
                { "HTTP/1.1 200 OK\r\nHost: a\r\nHost: b c\r\n\r\nall of it",
                  "200 close\nHost=a\nHost=b c\n[all of it" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                check_response(cases[i].data, cases[i].expected);
}

TEST(bad_responses_are_refused) {
        static const Case cases[] = {
                { "\r\n", "error EINVAL" },
                { "HTTP/1.1\r\n", "error EINVAL" },
                { "HTTP/2 200 OK\r\n", "error EINVAL" },
                { "HTTP/2.0 200 OK\r\n", "error EPROTOTYPE" },
                { "HTTP/1.1 20x OK\r\n", "error EINVAL" },
                { "HTTP/1.1 099 Odd\r\n", "error EINVAL" },
                { "HTTP/1.1 2000 OK\r\n", "error EINVAL" },
                { "HTTP/1.1 20 OK\r\n", "error EINVAL" },
                { "HTTP/1.1  200 OK\r\n", "error EINVAL" },
                { "HTTP/1.1 200 OK\n", "error EINVAL" },
                { "HTTP/1.1 200 OK\r\nno colon\r\n", "error EINVAL" },
                { "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n", "error EINVAL" },
                { "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n", "error EINVAL" },
                { "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n", "error EINVAL" },
                { "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                  "error EINVAL" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                check_response(cases[i].data, cases[i].expected);
}

TEST(a_response_to_head_has_no_body) {
        static const char sized[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
                          chunked[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

        check(false, true, sized, strlen(sized), "200\nContent-Length=5\n[]\n");
        check(false, true, chunked, strlen(chunked), "200\nTransfer-Encoding=chunked\n[]\n");
}

TEST(closing_ends_only_what_has_no_length) {
        static const struct {
                const char *text;
                int result;
                bool has_begun;
        } cases[] = {
                { "", -ECONNRESET, false },
                { "H", -EPIPE, true },
                { "HTTP/1.1 200 OK\r\n", -EPIPE, true },
                { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh", -EPIPE, true },
                { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", -EPIPE, true },
                { "HTTP/1.1 200 OK\r\n\r\n", 0, true },
                { "HTTP/1.1 200 OK\r\n\r\nh", 0, true },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const char *text = cases[i].text;
                size_t size = strlen(text);
                char store[HEAD_MAX + HTTP_STORE_EXTRA];
                HttpParser parser;
                HttpEvent event;

                http_parser_init(&parser, false, store, HEAD_MAX);
                do {
                        ssize_t n = http_parser_feed(&parser, text, size, &event);

                        assert_true(n >= 0);
                        text += n;
                        size -= (size_t) n;
                } while (event != HTTP_EVENT_MORE);

                assert_int_equal(http_parser_has_begun(&parser), cases[i].has_begun);
                assert_int_equal(http_parser_close(&parser), cases[i].result);
                if (cases[i].result < 0)
                        continue;

                assert_int_equal(http_parser_feed(&parser, NULL, 0, &event), 0);
                assert_int_equal(event, HTTP_EVENT_END);
                assert_int_equal(http_parser_close(&parser), 0);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(good_responses_are_understood),
                cmocka_unit_test(bad_responses_are_refused),
                cmocka_unit_test(a_response_to_head_has_no_body),
                cmocka_unit_test(closing_ends_only_what_has_no_length),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
