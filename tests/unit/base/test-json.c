/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"

static Json *parse(const char *text) {
        Json *json;

        assert_ok(json_parse(text, strlen(text), &json));
        return json;
}

static void assert_refused(const char *text, size_t size) {
        Json *json = NULL;

        assert_int_equal(json_parse(text, size, &json), -EBADMSG);
        assert_null(json);
}

TEST(document_prints_as_built) {
        _cleanup_(json_freep) Json *object = json_new_object();
        _cleanup_free_ char *text = NULL, *pretty = NULL;
        Json *array = json_new_array(), *entry = json_new_object();

        json_add_string(entry, "key", "a/\"b\"\n");
        json_append(array, entry);
        json_add_uint(object, "size", UINT64_MAX);
        json_add_double(object, "rate", 0.1);
        json_add_bool(object, "more", true);
        json_add(object, "keys", array);

        text = json_format(object, false);
        assert_string_equal(
                        text, "{\"size\":18446744073709551615,\"rate\":0.1,\"more\":true,"
                              "\"keys\":[{\"key\":\"a/\\\"b\\\"\\n\"}]}\n");

        pretty = json_format(object, true);
        assert_non_null(strstr(pretty, "\n  \"more\": true"));
        assert_int_equal(pretty[strlen(pretty) - 1], '\n');
}

static void assert_incomplete(const Json *json) {
        assert_int_equal(json_error(json), -ENOMEM);
        assert_null(json_format(json, false));
        assert_null(json_format(json, true));
}

/* NULL stands for what could not be allocated. */
TEST(a_document_remembers_what_could_not_be_added) {
        _cleanup_(json_freep) Json *object = json_new_object(), *array = json_new_array();

        assert_ok(json_error(object));
        json_add(object, "a", NULL);
        json_add_uint(object, "b", 1); /* goes on as if nothing had happened */
        assert_incomplete(object);

        assert_ok(json_error(array));
        json_append(array, NULL);
        assert_incomplete(array);
}

TEST(a_document_remembers_what_is_missing_deep_inside) {
        _cleanup_(json_freep) Json *object = json_new_object();
        Json *array = json_new_array(), *late = json_new_object(), *inner = json_new_object();

        json_add(object, "array", array);
        json_append(array, inner);
        json_add(object, "late", late);
        assert_ok(json_error(object));
        json_add(inner, "a", NULL); /* after all the others were put together */
        assert_incomplete(object);
        assert_incomplete(array);
        assert_ok(json_error(late));
}

TEST(nothing_can_be_added_to_what_is_not_there) {
        json_add(NULL, "a", json_new_object()); /* which is freed */
        json_add_string(NULL, "a", "b");
        json_add_uint(NULL, "a", 1);
        json_append(NULL, json_new_array());
        assert_incomplete(NULL);
}

/* A number keeps its format where others keep their error. */
TEST(numbers_are_no_errors) {
        _cleanup_(json_freep) Json *object = json_new_object();
        _cleanup_free_ char *text = NULL;

        json_add_double(object, "d", 1.5);
        assert_ok(json_error(object));
        text = json_format(object, false);
        assert_string_equal(text, "{\"d\":1.5}\n");
}

TEST(lookups_ask_for_the_type) {
        _cleanup_(json_freep) Json *json = parse(
                        "{ \"s\": \"text\", \"u\": 18446744073709551615, \"n\": -1, \"d\": 1.5, "
                        "\"b\": true, \"z\": null, \"o\": { \"inner\": \"x\" } }\n");
        uint64_t u = 7;
        bool b = false;

        assert_string_equal(json_get_string(json, "s"), "text");
        assert_null(json_get_string(json, "u"));
        assert_null(json_get_string(json, "missing"));

        assert_ok(json_get_uint(json, "u", &u));
        assert_int_equal(u, UINT64_MAX);
        assert_int_equal(json_get_uint(json, "n", &u), -ENOENT);
        assert_int_equal(json_get_uint(json, "d", &u), -ENOENT);
        assert_int_equal(json_get_uint(json, "s", &u), -ENOENT);
        assert_int_equal(json_get_uint(json, "missing", &u), -ENOENT);
        assert_int_equal(u, UINT64_MAX);

        assert_ok(json_get_bool(json, "b", &b));
        assert_true(b);
        assert_int_equal(json_get_bool(json, "u", &b), -ENOENT);

        assert_string_equal(json_get_string(json_get(json, "o"), "inner"), "x");
        assert_null(json_get(json, "z"));
        assert_null(json_get(json_get(json, "s"), "inner"));
        assert_null(json_get(NULL, "inner"));
}

TEST(arrays_are_read_by_position) {
        _cleanup_(json_freep) Json *json = parse("[\"a\", 5, -5, {}]");

        assert_int_equal(json_array_size(json), 4);
        assert_string_equal(json_to_string(json_array_get(json, 0)), "a");
        assert_int_equal(json_to_uint(json_array_get(json, 0)), 0);
        assert_int_equal(json_to_uint(json_array_get(json, 1)), 5);
        assert_null(json_to_string(json_array_get(json, 1)));
        assert_int_equal(json_to_uint(json_array_get(json, 2)), 0);
        assert_null(json_array_get(json, 4));
        assert_int_equal(json_array_size(json_array_get(json, 3)), 0);
        assert_int_equal(json_array_size(NULL), 0);
}

TEST(bare_number_is_a_document) {
        _cleanup_(json_freep) Json *json = parse("17"), *spaced = parse(" 18 \n");

        assert_int_equal(json_to_uint(json), 17);
        assert_int_equal(json_to_uint(spaced), 18);
}

TEST(anything_but_one_document_is_refused) {
        static const char *const texts[] = {
                "",      " ",   "{",   "}",    "{\"a\":1", "{\"a\":1}}",
                "{} {}", "{}x", "nul", "[1,]", "1 2",      "\"\xff\"",
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                assert_refused(texts[i], strlen(texts[i]));

        assert_refused("{}\0", 3);
        assert_refused("{}\0{}", 5);
        assert_refused("{\0}", 3);
}

TEST(text_needs_no_terminator) {
        _cleanup_free_ char *text = malloc(7);
        _cleanup_(json_freep) Json *json = NULL;
        uint64_t a;

        assert_non_null(text);
        memcpy(text, "{\"a\":1}", 7); /* the sanitizer sees a read of an eighth byte */
        assert_ok(json_parse(text, 7, &json));
        assert_ok(json_get_uint(json, "a", &a));
        assert_int_equal(a, 1);
}

TEST(deep_nesting_is_refused) {
        _cleanup_(json_freep) Json *json = NULL;
        char text[200];

        memset(text, '[', 100);
        memset(text + 100, ']', 100);
        assert_refused(text, 200);

        /* 20 of them are fine. */
        assert_ok(json_parse(text + 80, 40, &json));
}

TEST(nesting_ends_where_it_is_said_to) {
        char text[2 * 40];
        Json *json;

        for (size_t depth = 1; depth <= 40; depth++) {
                int r;

                memset(text, '[', depth);
                memset(text + depth, ']', depth);
                r = json_parse(text, 2 * depth, &json);
                assert_int_equal(r, depth <= 32 ? 0 : -EBADMSG);
                if (r >= 0)
                        json = json_free(json);
        }
}

/* Out of the bodies that others send. */
TEST(what_is_no_utf_8_is_refused) {
        static const char *const texts[] = {
                "\"\x80\"", /* begins in the middle */
                "\"\xc3\"", /* ends in the middle */
                "\"\xc3\xc3\"", "\"\xff\"", "{\"\xff\":1}",
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                assert_refused(texts[i], strlen(texts[i]));
}

TEST(characters_in_escapes_are_read) {
        _cleanup_(json_freep) Json *json = parse(
                        "[\"\\u00e9\", \"\\ud83d\\ude00\", \"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]");

        assert_string_equal(json_to_string(json_array_get(json, 0)), "\xc3\xa9");
        assert_string_equal(json_to_string(json_array_get(json, 1)), "\xf0\x9f\x98\x80");
        assert_string_equal(json_to_string(json_array_get(json, 2)), "\"\\/\b\f\n\r\t");
}

TEST(malformed_documents_are_refused) {
        static const char *const texts[] = {
                "'a'",       "{a:1}",     "{\"a\" 1}", "{\"a\":}", "{,}",        "[,1]",
                "[1 2]",     "+1",        "01",        ".5",       "0x10",       "--1",
                "\"\\x41\"", "\"\\u12\"",

                "tru",       "TRUE",      "/* a */ 1", "\"a",      "{\"a\":1,}", "\xef\xbb\xbf{}",
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                Json *json = NULL;

                if (json_parse(texts[i], strlen(texts[i]), &json) != -EBADMSG)
                        fail_msg("'%s' was taken for JSON", texts[i]);
                assert_null(json);
        }
}

/* A number that is too large must not become a small one. */
TEST(numbers_do_not_wrap) {
        _cleanup_(json_freep) Json *json = parse(
                        "{ \"max\": 18446744073709551615, \"more\": 18446744073709551616, "
                        "\"much\": 99999999999999999999999999999999, \"e\": 1e3, "
                        "\"min\": -9223372036854775808 }");
        uint64_t n = 7;

        assert_ok(json_get_uint(json, "max", &n));
        assert_true(n == UINT64_MAX);
        assert_int_equal(json_get_uint(json, "e", &n), -ENOENT); /* no whole number as written */
        assert_int_equal(json_get_uint(json, "min", &n), -ENOENT);
        if (json_get_uint(json, "more", &n) >= 0)
                assert_true(n == UINT64_MAX);
        if (json_get_uint(json, "much", &n) >= 0)
                assert_true(n == UINT64_MAX);
}

TEST(of_two_members_of_a_name_the_last_counts) {
        _cleanup_(json_freep) Json *json = parse("{\"a\":1,\"b\":2,\"a\":3}");
        uint64_t a;

        assert_ok(json_get_uint(json, "a", &a));
        assert_int_equal(a, 3);
}

/* As the trouble list is: told by one thread while another makes the next one. */
TEST(a_shared_document_lives_as_long_as_one_owner) {
        Json *json = parse("{\"a\":\"text\"}"), *share = json_share(json);

        json = json_free(json);
        assert_string_equal(json_get_string(share, "a"), "text");
        share = json_free(share);
        assert_null(json_share(NULL));
        assert_null(json_free(NULL));
}

TEST(what_is_printed_is_read_again) {
        static const char *const texts[] = {
                "",
                "plain",
                "with \"quotes\" and \\",
                "a\nb\tc\x01",
                "\xc3\xa9\xf0\x9f\x98\x80",
                "</script>",
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                _cleanup_(json_freep) Json *made = json_new_object(), *read = NULL;
                _cleanup_free_ char *text = NULL;

                json_add_string(made, "text", texts[i]);
                json_add(made, "array", json_new_array());
                text = json_format(made, i % 2);
                assert_non_null(text);
                assert_ok(json_parse(text, strlen(text), &read));
                assert_string_equal(json_get_string(read, "text"), texts[i]);
                assert_int_equal(json_array_size(json_get(read, "array")), 0);
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(document_prints_as_built),
                cmocka_unit_test(a_document_remembers_what_could_not_be_added),
                cmocka_unit_test(a_document_remembers_what_is_missing_deep_inside),
                cmocka_unit_test(nothing_can_be_added_to_what_is_not_there),
                cmocka_unit_test(numbers_are_no_errors),
                cmocka_unit_test(lookups_ask_for_the_type),
                cmocka_unit_test(arrays_are_read_by_position),
                cmocka_unit_test(bare_number_is_a_document),
                cmocka_unit_test(anything_but_one_document_is_refused),
                cmocka_unit_test(text_needs_no_terminator),
                cmocka_unit_test(deep_nesting_is_refused),
                cmocka_unit_test(nesting_ends_where_it_is_said_to),
                cmocka_unit_test(what_is_no_utf_8_is_refused),
                cmocka_unit_test(characters_in_escapes_are_read),
                cmocka_unit_test(malformed_documents_are_refused),
                cmocka_unit_test(numbers_do_not_wrap),
                cmocka_unit_test(of_two_members_of_a_name_the_last_counts),
                cmocka_unit_test(a_shared_document_lives_as_long_as_one_owner),
                cmocka_unit_test(what_is_printed_is_read_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
