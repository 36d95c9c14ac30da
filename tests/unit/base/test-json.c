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
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
