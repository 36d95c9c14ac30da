/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "test.h"

#include "http/parser/text.h"

TEST(tokens_are_letters_digits_and_some_marks) {
        static const char marks[] = "!#$%&'*+-.^_`|~";

        for (int c = 0; c < 256; c++) {
                char text = (char) c;
                bool expected = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                                (c >= 'a' && c <= 'z') || (c != 0 && strchr(marks, c));

                assert_int_equal(http_is(HTTP_TOKEN, &text, 1), expected);
        }
        assert_false(http_is(HTTP_TOKEN, "", 0));
        assert_false(http_is(HTTP_TOKEN, "a b", 3));
}

TEST(values_have_no_control_characters_but_tabs) {
        for (int c = 0; c < 256; c++) {
                char text = (char) c;

                assert_int_equal(
                                http_is(HTTP_VALUE, &text, 1),
                                c == '\t' || (c >= ' ' && c != 0x7f));
        }
}

TEST(targets_have_neither_blanks_nor_fragments) {
        for (int c = 0; c < 256; c++) {
                char text = (char) c;

                assert_int_equal(http_is(HTTP_TARGET, &text, 1), c > ' ' && c != 0x7f && c != '#');
        }
}

TEST(a_span_ends_where_something_else_begins) {
        assert_int_equal(http_span(HTTP_TOKEN, "abc: d", 6), 3);
        assert_int_equal(http_span(HTTP_TOKEN, "abc: d", 2), 2);
        assert_int_equal(http_span(HTTP_TOKEN, ": d", 3), 0);
}

TEST(numbers_are_digits_that_fit) {
        /* clang-format off */
        static const struct {
                const char *text;
                unsigned base;
                int result;
                uint64_t number;
        } cases[] = {
                { "0",                    10, 0,       0             },
                { "0042",                 10, 0,       42            },
                { "9223372036854775807",  10, 0,       INT64_MAX     },
                { "9223372036854775808",  10, -ERANGE, 0             },
                { "18446744073709551615", 10, -ERANGE, 0             },
                { "18446744073709551616", 10, -ERANGE, 0             },
                { "99999999999999999999", 10, -ERANGE, 0             },
                { "99999999999999999999x", 10, -EINVAL, 0            },
                { "",                     10, -EINVAL, 0             },
                { "+1",                   10, -EINVAL, 0             },
                { "-1",                   10, -EINVAL, 0             },
                { "1 ",                   10, -EINVAL, 0             },
                { "1,1",                  10, -EINVAL, 0             },
                { "0x1",                  10, -EINVAL, 0             },
                { "a",                    10, -EINVAL, 0             },
                { "a",                    16, 0,       10            },
                { "fF",                   16, 0,       255           },
                { "g",                    16, -EINVAL, 0             },
                { "0x1",                  16, -EINVAL, 0             },
                { "7fffffffffffffff",     16, 0,       INT64_MAX     },
                { "8000000000000000",     16, -ERANGE, 0             },
                { "ffffffffffffffff",     16, -ERANGE, 0             },
                { "10000000000000000",    16, -ERANGE, 0             },
                { "@",                    16, -EINVAL, 0             },
        };
        /* clang-format on */

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint64_t number = 0;

                assert_int_equal(
                                http_parse_number(
                                                cases[i].text, strlen(cases[i].text), cases[i].base,
                                                &number),
                                cases[i].result);
                assert_int_equal(number, cases[i].number);
        }
}

TEST(hosts_are_names_or_addresses_with_a_port_or_without) {
        static const char *const good[] = {
                "",
                "a",
                "a.example",
                "a.example:80",
                "a:",
                "127.0.0.1:1",
                "[::1]",
                "[::1]:3000",
                "[::ffff:1.2.3.4]:",
                "a%41b",
                "_a-b~c.d",
                "a!$&'()*+,;=b",
                ":80",
                "[fe80::1%25eth0]:80",
        };
        static const char *const bad[] = {
                "user@a",   "a b",  "a/b",  "a?b",     "a#b",     "a:b",    "a:80:80", "::1",
                "[::1",     "[]",   "[a]x", "[::1]x",  "[g::]",   "a%4",    "a%zz",    "a\x80",
                "http://a", "a\\b", "a\"b", "[::1%1]", "[::1%25", "[%251]",
        };

        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                if (!http_is_authority(good[i], strlen(good[i])))
                        fail_msg("'%s' is a host", good[i]);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                if (http_is_authority(bad[i], strlen(bad[i])))
                        fail_msg("'%s' is no host", bad[i]);
}

TEST(lists_have_members_in_any_case_and_may_have_gaps) {
        assert_true(http_list_has("close", "close"));
        assert_true(http_list_has("Keep-Alive ,\t CLOSE", "close"));
        assert_true(http_list_has(",, close", "close"));
        assert_false(http_list_has("", "close"));
        assert_false(http_list_has("closed", "close"));
        assert_false(http_list_has("not close", "close"));
        assert_false(http_list_has("clos", "close"));

        assert_true(http_is_token_list(""));
        assert_true(http_is_token_list("a, b ,,c"));
        assert_false(http_is_token_list("a b"));
        assert_false(http_is_token_list("a, \"b\""));
        assert_false(http_is_token_list("a; b"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(tokens_are_letters_digits_and_some_marks),
                cmocka_unit_test(values_have_no_control_characters_but_tabs),
                cmocka_unit_test(targets_have_neither_blanks_nor_fragments),
                cmocka_unit_test(a_span_ends_where_something_else_begins),
                cmocka_unit_test(numbers_are_digits_that_fit),
                cmocka_unit_test(hosts_are_names_or_addresses_with_a_port_or_without),
                cmocka_unit_test(lists_have_members_in_any_case_and_may_have_gaps),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
