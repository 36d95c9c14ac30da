/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "test.h"

#include "http/parser/transcript.h"

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"
#define PUT "PUT /a HTTP/1.1\r\nHost: a\r\n"

TEST(good_requests_are_understood) {
        static const Case cases[] = {
                { GET "\r\n", "GET /?\nHost=a\n[]\n" },
                { "GET /a/%41?b=c&d HTTP/1.1\r\nHost: a:80\r\n\r\n",
                  "GET /a/%41?b=c&d\nHost=a:80\n[]\n" },
                { "GET / HTTP/1.0\r\n\r\n", "GET /? close\n[]\n" },
                { "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
                  "GET /?\nConnection=keep-alive\n[]\n" },
                { "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
                  "GET /? close\nConnection=keep-alive, close\n[]\n" },
                { GET "Connection: Close\r\n\r\n", "GET /? close\nHost=a\nConnection=Close\n[]\n" },
                { "GET / HTTP/1.9\r\nHost: a\r\n\r\n", "GET /?\nHost=a\n[]\n" },
                { "\r\n" GET "\r\n", "GET /?\nHost=a\n[]\n" },
                { "M-SEARCH /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n",
                  "M-SEARCH /\xc3\xa4?\nHost=a\n[]\n" },
                { "GET http://b/c?d HTTP/1.1\r\nHost: a\r\n\r\n", "GET /c?d\nHost=a\n[]\n" },
                { "OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n", "OPTIONS *?\nHost=\n[]\n" },
                { "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", "CONNECT a:1?\nHost=a:1\n[]\n" },
                { GET "A: \t b\tc \t\r\nB:\r\nC:   \r\nD:e:f\r\nE: \xff\r\n\r\n",
                  "GET /?\nHost=a\nA=b\tc\nB=\nC=\nD=e:f\nE=\xff\n[]\n" },
                { GET "A: 1\r\nA: 2\r\n\r\n", "GET /?\nHost=a\nA=1\nA=2\n[]\n" },
                { PUT "Content-Length: 5\r\n\r\nhello",
                  "PUT /a?\nHost=a\nContent-Length=5\n[hello]\n" },
                { PUT "Content-Length:5 \t \r\n\r\nhello",
                  "PUT /a?\nHost=a\nContent-Length=5\n[hello]\n" },
                { PUT "Content-Length: 00\r\n\r\n", "PUT /a?\nHost=a\nContent-Length=00\n[]\n" },
                { PUT "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n",
                  "PUT /a?\nHost=a\nTransfer-Encoding=Chunked\n[]\n" },
                { PUT
                  "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0000000000000000000A\r\n0123\r\n6789\r\n0\r\n\r\n",
                  "PUT /a?\nHost=a\nTransfer-Encoding=chunked\n[abc0123\r\n6789]\n" },
                { PUT
                  "Transfer-Encoding: chunked\r\n\r\n1;a\r\nx\r\n1 ; b = c\t;d=\"e;\\\"\\\\\";f\r\ny\r\n0;g=h\r\n\r\n",
                  "PUT /a?\nHost=a\nTransfer-Encoding=chunked\n[xy]\n" },
                { PUT "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nA: b \r\nC:\r\n\r\n",
                  "PUT /a?\nHost=a\nTransfer-Encoding=chunked\n[x|A=b|C=]\n" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                check_request(cases[i].data, cases[i].expected);
}

TEST(messages_follow_each_other) {
        check_request(GET "\r\n" PUT "Content-Length: 2\r\n\r\nhi\r\n" PUT
                          "Transfer-Encoding: chunked\r\n\r\n2\r\nyo\r\n0\r\n\r\n" GET "\r\n",
                      "GET /?\nHost=a\n[]\n"
                      "PUT /a?\nHost=a\nContent-Length=2\n[hi]\n"
                      "PUT /a?\nHost=a\nTransfer-Encoding=chunked\n[yo]\n"
                      "GET /?\nHost=a\n[]\n");
        check_request(PUT "Content-Length: 2\r\n\r\nhiX",
                      "PUT /a?\nHost=a\nContent-Length=2\n[hi]\n");
}

#define MALFORMED "error EINVAL The "
#define LF        "error EINVAL A line ends in LF alone"
#define CONTROL   "error EINVAL There is a control character."
#define CR        "error EINVAL There is a CR without its LF."
#define NAME      "error EINVAL The name of a header"

TEST(first_lines_that_are_no_request_are_refused) {
        static const Case cases[] = {
                { "\r\n\r\n", MALFORMED "first line does not begin with a method" },
                { " GET / HTTP/1.1\r\n", MALFORMED "first line" },
                { "G@T / HTTP/1.1\r\n", MALFORMED "first line" },
                { "GET\t/ HTTP/1.1\r\n", MALFORMED "first line" },
                { "GET\r\n", MALFORMED "first line" },
                { "GET \r\n", MALFORMED "target" },
                { "GET /\r\n", MALFORMED "target" },
                { "GET  / HTTP/1.1\r\n", MALFORMED "target" },
                { "GET /  HTTP/1.1\r\n", MALFORMED "first line has no version" },
                { "GET /a b HTTP/1.1\r\n", MALFORMED "first line has no version" },
                { "GET / HTTP/1.1 \r\n", MALFORMED "first line has no version" },
                { "GET / http/1.1\r\n", MALFORMED "first line has no version" },
                { "GET / HTTP/1.10\r\n", MALFORMED "first line has no version" },
                { "GET / HTTP/1,1\r\n", MALFORMED "first line has no version" },
                { "GET / HTTP/a.1\r\n", MALFORMED "first line has no version" },
                { "GET / HTTP/1.a\r\n", MALFORMED "first line has no version" },
                { "GET / \r\n", MALFORMED "first line has no version" },
                { "GET /#a HTTP/1.1\r\n", MALFORMED "target" },
                { "GET a HTTP/1.1\r\n", MALFORMED "target" },
                { "GET * HTTP/1.1\r\n", MALFORMED "target" },
                { "GET http://a b/ HTTP/1.1\r\n", MALFORMED "first line has no version" },
                { "GET / HTTP/2.0\r\n", "error EPROTOTYPE" },
                { "GET / HTTP/0.9\r\n", "error EPROTOTYPE" },
                { "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "error EPROTOTYPE" },
                { "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\r\n", "error EOPNOTSUPP" },
                { "GET / HTTP/1.1\n", LF },
                { "GET /\x7f HTTP/1.1\r\n", CONTROL },
                { "\x16\x03\x01\x02", CONTROL }, /* TLS is told at once */
                { "GET / HTTP/1.1\rHost: a\r\n", CR },
                { "GET / HTTP/1.1\r\r\n", CR },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                check_request(cases[i].data, cases[i].expected);
}

TEST(malformed_fields_are_refused) {
        static const Case cases[] = {
                { GET "A : b\r\n", NAME },
                { GET "A\t: b\r\n", NAME },
                { GET ": b\r\n", NAME },
                { GET "A\r\n", NAME },
                { GET "A b: c\r\n", NAME },
                { GET "A[]: b\r\n", NAME },
                { GET "\xc3\xa4: b\r\n", NAME },
                { GET "A: b\r\n c\r\n", "error EINVAL A header goes on" },
                { GET "A: b\r\n\tc\r\n", "error EINVAL A header goes on" },
                { "GET / HTTP/1.1\r\n Host: a\r\n", "error EINVAL A header goes on" },
                { GET "A: b\r\n \r\n", "error EINVAL A header goes on" },
                { GET "A: b\n", LF },
                { GET "\n", LF },
                { GET "A: b\rc\r\n", CR },
                { GET "A: b\r\r\n", CR },
                { GET "A: b\r\n\rc: d\r\n", CR },
                { GET "A: \x01\r\n", CONTROL },
                { GET "A: \x7f\r\n", CONTROL },
                { GET "A\x0b: b\r\n", CONTROL },
                { PUT "Content-Length:\r\n 5\r\n\r\nhello", "error EINVAL Content-Length" },
                { PUT "Content-Length : 5\r\n\r\nhello", NAME },
                { PUT "Content-Length: 5\r\nContent-Length: 5\r\n", "error EINVAL" },
                { PUT "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "error EINVAL" },
                { PUT "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", "error EINVAL" },
                { PUT "Transfer-Encoding: gzip\r\n", "error EINVAL" },
                { "PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n", "error EINVAL" },
                { "GET / HTTP/1.1\r\n\r\n", "error EINVAL There is no Host." },
                { "GET http://a/ HTTP/1.1\r\n\r\n", "error EINVAL There is no Host." },
                { GET "Host: a\r\n", "error EINVAL There is more than one Host." },
                { GET "Expect: a-miracle\r\n", "error EBADRQC" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                check_request(cases[i].data, cases[i].expected);
}

TEST(a_nul_is_refused_wherever_it_stands) {
        static const char text[] = GET "A: b\r\n\r\n";

        for (size_t i = 0; i + 4 < sizeof(text); i++) {
                char copy[sizeof(text)];

                memcpy(copy, text, sizeof(text));
                if (i > 0 && copy[i - 1] == '\r')
                        continue; /* then it is the CR that lacks its LF */
                copy[i] = '\0';
                check(true, false, copy, sizeof(copy) - 1, CONTROL);
        }
}

#define CHUNKED   PUT "Transfer-Encoding: chunked\r\n\r\n"
#define BODY      "PUT /a?\nHost=a\nTransfer-Encoding=chunked\n["
#define SIZE      BODY "error EINVAL The size of a chunk"
#define EXTENSION BODY "error EINVAL The extension of a chunk"
#define LONGER    "error EINVAL A chunk is longer than its size."

static void check_error(const char *data, const char *expected) {
        static Transcript whole;

        run(true, false, data, strlen(data), strlen(data), 1, &whole);
        if (strncmp(whole.text, expected, strlen(expected)) != 0)
                fail_msg("'%s'\ncame to\n'%s', not\n'%s'", data, whole.text, expected);
        check(true, false, data, strlen(data), whole.text);
}

TEST(malformed_chunks_are_refused) {
        static const Case cases[] = {
                { CHUNKED "\r\n", SIZE },
                { CHUNKED "g\r\n", SIZE },
                { CHUNKED "-1\r\n", SIZE },
                { CHUNKED "0x1\r\n", BODY "error EINVAL The extension" },
                { CHUNKED " 1\r\n", SIZE },
                { CHUNKED "8000000000000000\r\n", BODY "error EFBIG" },
                { CHUNKED "10000000000000000\r\n", BODY "error EFBIG" },
                { CHUNKED "1 \r\n", EXTENSION },
                { CHUNKED "1 x\r\n", EXTENSION },
                { CHUNKED "1;\r\n", EXTENSION },
                { CHUNKED "1; \r\n", EXTENSION },
                { CHUNKED "1;a \r\n", EXTENSION },
                { CHUNKED "1;a=\r\n", EXTENSION },
                { CHUNKED "1;a=b c\r\n", EXTENSION },
                { CHUNKED "1;a=\"b\r\n", EXTENSION },
                { CHUNKED "1;a=\"b\\\r\n", EXTENSION },
                { CHUNKED "1;a=\"b\"c\r\n", EXTENSION },
                { CHUNKED "1;=b\r\n", EXTENSION },
                { CHUNKED "1\nx", BODY LF },
                { CHUNKED "1;a\nb\r\n", BODY LF },
                { CHUNKED "1\rx", BODY CR },
                { CHUNKED "1\r\nxy\r\n", BODY "x" LONGER },
                { CHUNKED "1\r\nx0\r\n\r\n", BODY "x" LONGER },
                { CHUNKED "1\r\nx\n", BODY "x" LONGER },
                { CHUNKED "1\r\nx\ry", BODY "x" CR },
                { CHUNKED "0\r\nA : b\r\n", BODY NAME },
                { CHUNKED "0\r\n A: b\r\n", BODY "error EINVAL A header goes on" },
                { CHUNKED "0\r\nContent-Length: 1\r\n",
                  BODY "error EINVAL A header stands behind" },
                { CHUNKED "0\r\nIf-Match: *\r\n", BODY "error EINVAL A header stands behind" },
                { CHUNKED "0\r\nA: b\n", BODY LF },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                check_error(cases[i].data, cases[i].expected);
}

/* BEFORE, N times C, AFTER. */
static const char *make(const char *before, char c, size_t n, const char *after) {
        static char text[16 * KIB];
        size_t size = strlen(before);

        assert_true(size + n + strlen(after) < sizeof(text));
        memcpy(text, before, size);
        memset(text + size, c, n);
        (void) strcpy(text + size + n, after);
        return text;
}

/* For long texts: every cut of them would take too long. */
static void check_long(const char *text, const char *expected) {
        static const size_t sizes[] = { 16 * KIB, 1000, 511, 64, 7, 1 };
        static Transcript transcript;

        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                run(true, false, text, strlen(text), sizes[i], sizes[i], &transcript);
                if (!strstr(transcript.text, expected))
                        fail_msg("came to '%s', not '%s'", transcript.text, expected);
        }
}

TEST(limits_do_not_depend_on_how_the_bytes_come) {
        const size_t line = HEAD_MAX - strlen("Host: a\r\n\r\n");
        const size_t head = HEAD_MAX - strlen(GET "A: \r\n\r\n");

        check_long(make("GET /", 'a', line - strlen("GET / HTTP/1.1\r\n"),
                        " HTTP/1.1\r\nHost: a\r\n\r\n"),
                   "a?\nHost=a\n[]\n");
        check_request(make("GET /", 'a', HEAD_MAX - 4, " HTTP/1.1\r\n"), "error ENAMETOOLONG");
        check_request(make("GET /", 'a', HEAD_MAX - strlen("GET / HTTP/1.1\r\n") + 1,
                           " HTTP/1.1\r\n"),
                      "error ENAMETOOLONG");
        check_request(make(GET "A: ", 'a', head + 1, "\r\n\r\n"), "error E2BIG");
        check_request(make(GET "A: ", 'a', 10 * HEAD_MAX, ""), "error E2BIG");
        check_long(make(GET "A: ", 'a', head, "\r\n\r\n"), "a\n[]\n");
        check_long(make(GET "A: ", 'a', head, "\r\n\r"), "");
}

TEST(many_small_fields_are_as_long_as_they_are) {
        char text[HEAD_MAX + 32] = GET;

        while (strlen(text) + 4 + 2 <= HEAD_MAX)
                (void) strcat(text, "a:\r\n");
        (void) strcat(text, "\r\n");
        check_long(text, "a=\n[]\n");

        text[strlen(text) - 2] = '\0';
        (void) strcat(text, "a:\r\n\r\n");
        check_request(text, "error E2BIG");
}

TEST(what_surrounds_chunks_is_limited) {
        static char text[16 * KIB];

        check_long(make(CHUNKED "1;", 'a', HTTP_TAIL_MAX - 100, "\r\nx\r\n0\r\n\r\n"), "[x]\n");
        check_long(make(CHUNKED "1;", 'a', HTTP_TAIL_MAX, "\r\nx\r\n0\r\n\r\n"),
                   "error EINVAL The line in front of a chunk");
        check_long(make(CHUNKED "1;", 'a', HTTP_TAIL_MAX + 100, ""),
                   "error EINVAL The line in front of a chunk");
        check_long(make(CHUNKED "0\r\nA: ", 'a', HTTP_TAIL_MAX - 100, "\r\n\r\n"), "a]\n");
        check_long(make(CHUNKED "0\r\nA: ", 'a', HTTP_TAIL_MAX, "\r\n\r\n"), "error E2BIG");

        /* All of them together count. */
        (void) strcpy(text, CHUNKED);
        while (strlen(text) < 12 * KIB)
                (void) strcat(text,
                              "1;abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz\r\nx\r\n");
        check_long(text, "error EINVAL The line in front of a chunk");
}

TEST(the_largest_lengths_are_no_trouble) {
        HttpParser parser;
        char store[HEAD_MAX + HTTP_STORE_EXTRA];
        static const char text[] = PUT "Content-Length: 9223372036854775807\r\n\r\nabc";
        HttpEvent event;
        ssize_t n;

        http_parser_init(&parser, true, store, HEAD_MAX);
        n = http_parser_feed(&parser, text, strlen(text), &event);
        assert_int_equal(event, HTTP_EVENT_HEAD);
        assert_int_equal(parser.framing.size, INT64_MAX);
        assert_int_equal(http_parser_feed(&parser, text + n, strlen(text) - (size_t) n, &event), 3);
        assert_int_equal(event, HTTP_EVENT_BODY);
        assert_int_equal(http_parser_close(&parser), -EPIPE);
}

TEST(fields_are_found_by_name_in_any_case) {
        static const char
                        text[] = "GET http://b:1/c HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nx-two: 2\r\n"
                                 "X-TWO: 3\r\nEmpty:\r\n\r\n";
        char store[HEAD_MAX + HTTP_STORE_EXTRA];
        HttpParser parser;
        HttpEvent event;

        http_parser_init(&parser, true, store, HEAD_MAX);
        assert_int_equal(http_parser_feed(&parser, text, strlen(text), &event), strlen(text));
        assert_string_equal(http_parser_field(&parser, "x-one"), "1");
        assert_string_equal(http_parser_field(&parser, "X-Two"), "2");
        assert_string_equal(http_parser_field(&parser, "empty"), "");
        assert_null(http_parser_field(&parser, "X-Six")); /* as long, with the same first letter */
        assert_null(http_parser_field(&parser, "Accept"));
        assert_string_equal(http_parser_field(&parser, "host"), "b:1"); /* RFC 9112, 3.2.2 */
        assert_string_equal(parser.framing.host, "a");

        http_parser_begin(&parser);
        assert_null(http_parser_field(&parser, "X-One"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(good_requests_are_understood),
                cmocka_unit_test(messages_follow_each_other),
                cmocka_unit_test(first_lines_that_are_no_request_are_refused),
                cmocka_unit_test(malformed_fields_are_refused),
                cmocka_unit_test(a_nul_is_refused_wherever_it_stands),
                cmocka_unit_test(malformed_chunks_are_refused),
                cmocka_unit_test(limits_do_not_depend_on_how_the_bytes_come),
                cmocka_unit_test(many_small_fields_are_as_long_as_they_are),
                cmocka_unit_test(what_surrounds_chunks_is_limited),
                cmocka_unit_test(the_largest_lengths_are_no_trouble),
                cmocka_unit_test(fields_are_found_by_name_in_any_case),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
