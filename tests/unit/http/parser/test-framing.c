/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "test.h"

#include "http/parser/framing.h"

/* Adds fields until one is refused: "name", "value", …, NULL. */
static int add(HttpFraming *framing, const char *const *fields, const char **complaint) {
        int r = 0;

        for (; r == 0 && fields[0]; fields += 2)
                r = http_framing_add(framing, fields[0], fields[1], complaint);
        return r < 0 ? r : http_framing_check(framing, complaint);
}

#define FIELDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

TEST(what_can_be_read_in_two_ways_is_refused) {
        static const struct {
                const char *const fields[7];
                bool is_1_0;
                int result;
        } cases[] = {
                { { "Host", "a", "Content-Length", "5", "content-length", "5" }, false, -EINVAL },
                { { "Host", "a", "Content-Length", "5", "Content-Length", "6" }, false, -EINVAL },
                { { "Host", "a", "Content-Length", "5, 5" }, false, -EINVAL },
                { { "Host", "a", "Content-Length", "" }, false, -EINVAL },
                { { "Host", "a", "Content-Length", "+5" }, false, -EINVAL },
                { { "Host", "a", "Content-Length", "9223372036854775808" }, false, -EFBIG },
                { { "Host", "a", "Content-Length", "9223372036854775807" }, false, 0 },
                { { "Host", "a", "Content-Length", "5", "Transfer-Encoding", "chunked" },
                  false,
                  -EINVAL },
                { { "Host", "a", "Transfer-Encoding", "chunked", "Transfer-Encoding", "chunked" },
                  false,
                  -EINVAL },
                { { "Host", "a", "Transfer-Encoding", "gzip, chunked" }, false, -EINVAL },
                { { "Host", "a", "Transfer-Encoding", "chunked, chunked" }, false, -EINVAL },
                { { "Host", "a", "Transfer-Encoding", "xchunked" }, false, -EINVAL },
                { { "Host", "a", "Transfer-Encoding", "identity" }, false, -EINVAL },
                { { "Host", "a", "Transfer-Encoding", "" }, false, -EINVAL },
                { { "Host", "a", "Transfer-Encoding", "chunked;q=1" }, false, -EINVAL },
                { { "Host", "a", "transfer-encoding", "CHUNKED" }, false, 0 },
                { { "Host", "a", "Transfer-Encoding", "chunked" }, true, -EINVAL },
                { { "Host", "a", "Host", "a" }, false, -EINVAL },
                { { "Host", "a", "Host", "a" }, true, -EINVAL },
                { { "Host", "a b" }, false, -EINVAL },
                { { "Host", "a@b" }, true, -EINVAL },
                { { "Host", "" }, false, 0 },
                { { "Connection", "close" }, false, -EINVAL },
                { { "Connection", "close" }, true, 0 },
                { { "Host", "a", "Connection", "close; x" }, false, -EINVAL },
                { { "Host", "a", "Expect", "a-miracle" }, false, -EBADRQC },
                { { "Host", "a", "Expect", "100-continue, a-miracle" }, false, -EBADRQC },
                { { "Host", "a", "Expect", "a-miracle" }, true, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                HttpFraming framing = { .is_request = true, .is_1_0 = cases[i].is_1_0 };
                const char *complaint = NULL;

                if (add(&framing, cases[i].fields, &complaint) != cases[i].result)
                        fail_msg("case %zu", i);
                assert_true(!complaint == (cases[i].result == 0));
        }
}

TEST(the_end_of_a_message_and_of_its_connection_is_known) {
        HttpFraming framing = { .is_request = true };
        const char *complaint;

        assert_int_equal(
                        add(&framing,
                            FIELDS("Host", "a:1", "content-LENGTH", "17", "Expect", "100-Continue",
                                   "Connection", "upgrade, Close", "Accept", "Host: b"),
                            &complaint),
                        0);
        assert_string_equal(framing.host, "a:1");
        assert_true(framing.has_size && framing.size == 17 && !framing.is_chunked);
        assert_true(framing.expects_continue);
        assert_true(framing.says_close && !framing.says_keep_alive);

        framing = (HttpFraming){ .is_request = true, .is_1_0 = true };
        assert_int_equal(
                        add(&framing,
                            FIELDS("Connection", "x", "Connection", "Keep-Alive", "Expect",
                                   "100-continue"),
                            &complaint),
                        0);
        assert_true(framing.says_keep_alive && !framing.says_close);
        assert_false(framing.expects_continue);
        assert_false(framing.has_size);
}

TEST(responses_have_neither_host_nor_expectation) {
        HttpFraming framing = {};
        const char *complaint;

        assert_int_equal(
                        add(&framing, FIELDS("Host", "a b", "Host", "c", "Expect", "a-miracle"),
                            &complaint),
                        0);
        assert_null(framing.host);
        assert_int_equal(add(&framing, FIELDS("Content-Length", "x"), &complaint), -EINVAL);
}

TEST(fields_that_must_come_first_are_no_trailers) {
        static const char *const early[] = {
                "Content-Length", "transfer-encoding", "HOST",          "Trailer", "If-Match",
                "If-None-Match",  "Content-Type",      "Authorization", "Range",   "Expect",
        };
        static const char *const late[] = { "Server-Timing", "X", "I", "Contents", "Hosts" };

        for (size_t i = 0; i < ELEMENTSOF(early); i++)
                assert_true(http_framing_is_early(early[i]));
        for (size_t i = 0; i < ELEMENTSOF(late); i++)
                assert_false(http_framing_is_early(late[i]));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_can_be_read_in_two_ways_is_refused),
                cmocka_unit_test(the_end_of_a_message_and_of_its_connection_is_known),
                cmocka_unit_test(responses_have_neither_host_nor_expectation),
                cmocka_unit_test(fields_that_must_come_first_are_no_trailers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
