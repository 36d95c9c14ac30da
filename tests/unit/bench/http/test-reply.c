/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "test.h"

#include "bench/http/reply.h"

/* Feeds TEXT in pieces of PIECE bytes, appends the body to BODY, and says how much was consumed. */
static ssize_t feed(Response *response, const char *text, size_t piece, char *body) {
        size_t size = strlen(text), consumed = 0;

        *body = '\0';
        response_begin(response);
        while (consumed < size && response->state != RESPONSE_COMPLETE) {
                const void *data;
                size_t data_size;
                ssize_t n = response_feed(
                                response, text + consumed, MIN(piece, size - consumed), &data,
                                &data_size);

                if (n < 0)
                        return n;
                assert_true(n > 0);
                consumed += (size_t) n;
                if (data_size > 0)
                        strncat(body, data, data_size);
        }

        return (ssize_t) consumed;
}

static const struct {
        const char *text;
        unsigned status;
        bool keep_alive;
        const char *location;
        const char *body;
} good[] = {
        { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, true, NULL, "hello" },
        { "HTTP/1.1 200\r\ncontent-length:0\r\n\r\n", 200, true, NULL, "" },
        { "HTTP/1.1 204 No Content\nConnection: Close\n\n", 204, false, NULL, "" },
        { "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, false, NULL, "hi" },
        { "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi", 200, true,
          NULL, "hi" },
        { "HTTP/1.1 307 Temporary Redirect\r\nLocation:  http://a:1/b?c=d \r\nContent-Length: 1\r\n\r\n.",
          307, true, "http://a:1/b?c=d", "." },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
          "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n",
          200, true, NULL, "abc0123456789" },
        { "HTTP/1.1 100 Continue\r\n\r\n", 100, true, NULL, "" },
        { "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, true, NULL, "" },
        { "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", 200, true, NULL,
          "x" },
};

TEST(good_answers_are_understood_in_any_pieces) {
        Response response = {};
        char body[64];

        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                for (size_t piece = 1; piece <= strlen(good[i].text); piece++) {
                        assert_int_equal(
                                        feed(&response, good[i].text, piece, body),
                                        strlen(good[i].text));
                        assert_int_equal(response.state, RESPONSE_COMPLETE);
                        assert_int_equal(response.status, good[i].status);
                        assert_int_equal(response.keep_alive, good[i].keep_alive);
                        assert_string_equal(body, good[i].body);
                        if (good[i].location)
                                assert_string_equal(response_location(&response), good[i].location);
                        else
                                assert_null(response_location(&response));
                }

        response_done(&response);
}

static const char *const bad[] = {
        "HTTP/2 200 OK\r\n",
        "HTTP/1.1 20x OK\r\n",
        "HTTP/1.1 099 Odd\r\n",
        "HTTP/1.1 2000 OK\r\n",
        "HTTP/1.1\r\n",
        "\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n",
        "HTTP/1.1 200 OK\r\n: no name\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length:\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\n",
};

TEST(bad_answers_are_refused) {
        Response response = {};
        char body[64];

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                for (size_t piece = 1; piece <= strlen(bad[i]); piece++)
                        assert_int_equal(feed(&response, bad[i], piece, body), -EBADMSG);

        response_done(&response);
}

TEST(endless_head_is_refused) {
        Response response = {};
        const void *body;
        size_t body_size;
        ssize_t n = 0;

        for (size_t i = 0; i < RESPONSE_HEAD_MAX + 1 && n >= 0; i++)
                n = response_feed(&response, "x", 1, &body, &body_size);
        assert_int_equal(n, -E2BIG);

        response_done(&response);
}

TEST(what_follows_the_answer_is_left) {
        static const char text[] =
                        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n";
        Response response = {};
        char body[64];

        assert_int_equal(feed(&response, text, sizeof(text), body), strstr(text, "hi") + 2 - text);
        assert_string_equal(body, "hi");

        response_done(&response);
}

TEST(closing_ends_only_what_has_no_length) {
        Response response = {};
        char body[64];

        assert_int_equal(feed(&response, "", 1, body), 0);
        assert_int_equal(response_close(&response), -ECONNRESET);

        assert_true(feed(&response, "HTTP/1.1 200", 100, body) > 0);
        assert_int_equal(response_close(&response), -EPIPE);

        assert_true(feed(&response, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh", 100, body) >
                    0);
        assert_int_equal(response_close(&response), -EPIPE);

        assert_true(feed(&response, "HTTP/1.1 200 OK\r\n\r\nh", 100, body) > 0);
        assert_ok(response_close(&response));
        assert_int_equal(response.state, RESPONSE_COMPLETE);
        assert_false(response.keep_alive);
        assert_string_equal(body, "h");

        response_done(&response);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(good_answers_are_understood_in_any_pieces),
                cmocka_unit_test(bad_answers_are_refused),
                cmocka_unit_test(endless_head_is_refused),
                cmocka_unit_test(what_follows_the_answer_is_left),
                cmocka_unit_test(closing_ends_only_what_has_no_length),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
