/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <string.h>

#include "core/key.h"

TEST(path_becomes_key) {
        /* clang-format off */
        static const struct {
                const char *path, *key;
        } cases[] = {
                { "/a",              "a"           },
                { "/users/42",       "users/42"    },
                { "//",              "/"           },
                { "/a%20b",          "a b"         },
                { "/%c3%A9%2f",      "\xc3\xa9/"   },
                { "/a+b?c#d",        "a+b?c#d"     },
                { "/%25%32%35",      "%25"         },
                { "/\x01\xff",       "\x01\xff"    },
                { "/..",             ".."          },
                { "/-",              "-"           },
                { "/-a/",            "-a/"         },
                { "/a-/",            "a-/"         },
        };
        /* clang-format on */
        char key[KEY_MAX + 1];

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                assert_int_equal(key_from_path(cases[i].path, key), strlen(cases[i].key));
                assert_string_equal(key, cases[i].key);
        }
}

TEST(bad_paths_are_refused) {
        /* clang-format off */
        static const struct {
                const char *path;
                int error;
        } cases[] = {
                { "",              -EINVAL },
                { "a",             -EINVAL },
                { "/",             -EINVAL },
                { "/a%",           -EINVAL },
                { "/a%4",          -EINVAL },
                { "/a%4g",         -EINVAL },
                { "/a%g4",         -EINVAL },
                { "/a%%41",        -EINVAL },
                { "/a% 41",        -EINVAL },
                { "/a%-1",         -EINVAL },
                { "/%00",          -EINVAL },
                { "/a%00b",        -EINVAL },
                { "/-/health",     -EPROTO },
                { "/%2d%2Fhealth", -EPROTO },
                { "/-/",           -EPROTO },
        };
        /* clang-format on */
        char key[KEY_MAX + 1];

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_int_equal(key_from_path(cases[i].path, key), cases[i].error);
}

TEST(longest_key_fits) {
        char path[KEY_PATH_SIZE + 1] = "/", key[KEY_MAX + 1], again[KEY_PATH_SIZE];

        memset(path + 1, 'k', KEY_MAX);
        assert_int_equal(key_from_path(path, key), KEY_MAX);
        assert_int_equal(key_to_path(key, again), KEY_MAX + 1);
        assert_string_equal(again, path);

        path[1 + KEY_MAX] = 'k';
        assert_int_equal(key_from_path(path, key), -ENAMETOOLONG);

        /* The limit is on what the escapes stand for. */
        for (size_t i = 0; i < (size_t) 3 * KEY_MAX; i++)
                path[1 + i] = "%FF"[i % 3];
        assert_int_equal(key_from_path(path, key), KEY_MAX);
        assert_int_equal(key_to_path(key, again), KEY_PATH_SIZE - 1);
        assert_string_equal(again, path);

        path[KEY_PATH_SIZE - 1] = 'k';
        assert_int_equal(key_from_path(path, key), -ENAMETOOLONG);
}

TEST(key_comes_back_from_its_path) {
        char path[KEY_PATH_SIZE], decoded[KEY_MAX + 1];

        for (int c = 1; c < 256; c++) {
                char key[] = { 'x', (char) c, 'y', 0 };
                bool plain = strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                    "-._~/",
                                    c) != NULL;

                assert_int_equal(key_to_path(key, path), plain ? 4 : 6);
                assert_int_equal(strlen(path), plain ? 4 : 6);
                assert_int_equal(key_from_path(path, decoded), 3);
                assert_string_equal(decoded, key);
        }
}

TEST(decoding_stops_at_the_length_and_at_the_size) {
        char buffer[4];

        assert_int_equal(percent_decode("a%20bcd", 5, buffer, sizeof(buffer)), 3);
        assert_string_equal(buffer, "a b");
        assert_int_equal(percent_decode("abcd", 4, buffer, sizeof(buffer)), -ENAMETOOLONG);
        assert_int_equal(percent_decode("", 0, buffer, sizeof(buffer)), 0);
        assert_string_equal(buffer, "");
        assert_int_equal(percent_decode("+", 1, buffer, sizeof(buffer)), 1);
        assert_string_equal(buffer, "+");

        /* An escape that only what lies behind the length would complete; a 0 within it. */
        assert_int_equal(percent_decode("a%20", 3, buffer, sizeof(buffer)), -EINVAL);
        assert_int_equal(percent_decode("a\0b", 3, buffer, sizeof(buffer)), -EINVAL);
}

TEST(encoding_stops_at_the_size) {
        char buffer[8] = "";

        assert_int_equal(percent_encode("a b/~", buffer, 8), 7);
        assert_string_equal(buffer, "a%20b/~");
        assert_int_equal(percent_encode("a b/~", buffer, 7), -ENAMETOOLONG);
        assert_int_equal(percent_encode(" ", buffer, 4), 3);
        assert_int_equal(percent_encode(" ", buffer, 3), -ENAMETOOLONG);
        assert_int_equal(percent_encode("", buffer, 1), 0);
}

/* Where data lies depends on these: if this test fails, do not "fix" the numbers. */
TEST(hash_is_xxh3) {
        assert_true(key_hash("") == UINT64_C(0x2d06800538d394c2));
        assert_true(key_hash("a") == UINT64_C(0xe6c632b61e964e1f));
        assert_true(key_hash("abc") == UINT64_C(0x78af5f94892f3950));
}

TEST(table_is_the_first_segment) {
        char table[KEY_MAX + 1], key[KEY_MAX + 1];

        key_table("users/42", table);
        assert_string_equal(table, "users");
        key_table("users/42/photo", table);
        assert_string_equal(table, "users");
        key_table("users", table);
        assert_string_equal(table, "default");
        key_table("/users", table);
        assert_string_equal(table, "");

        memset(key, 'k', KEY_MAX);
        key[KEY_MAX - 1] = '/';
        key[KEY_MAX] = '\0';
        key_table(key, table);
        assert_int_equal(strlen(table), KEY_MAX - 1);
}

TEST(segments_of_dots_are_found) {
        static const char *const with[] = { ".",     "..",     "./a", "../a", "a/.",    "a/..",
                                            "a/./b", "a/../b", "//.", "./",   "a/b/../" };
        static const char *const without[] = { "a",   "...",     ".a",      "a.", "..a",
                                               "a..", "a/.../b", "a/.b/c",  "/",  "//",
                                               "a/",  "%2e",     "a\\..\\b" };

        for (size_t i = 0; i < ELEMENTSOF(with); i++)
                if (!key_has_dots(with[i]))
                        fail_msg("'%s' has dots", with[i]);
        for (size_t i = 0; i < ELEMENTSOF(without); i++)
                if (key_has_dots(without[i]))
                        fail_msg("'%s' has no dots", without[i]);
}

/* Two paths that look different may name one key, and no path names two. */
TEST(a_key_has_one_path_of_its_own) {
        static const char *const paths[] = { "/a b", "/%61 b", "/a%20b", "/%61%20%62" };
        char key[KEY_MAX + 1], path[KEY_PATH_SIZE];

        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                assert_ok(key_from_path(paths[i], key));
                (void) key_to_path(key, path);
                assert_string_equal(path, "/a%20b");
        }
}

/* Only once, or "%2500" would become a NUL. */
TEST(a_path_is_decoded_once) {
        char key[KEY_MAX + 1];

        assert_int_equal(key_from_path("/%2500", key), 3);
        assert_string_equal(key, "%00");
        assert_int_equal(key_from_path("/%252e%252e", key), 6);
        assert_string_equal(key, "%2e%2e");
        assert_false(key_has_dots(key));
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(path_becomes_key),
                cmocka_unit_test(bad_paths_are_refused),
                cmocka_unit_test(longest_key_fits),
                cmocka_unit_test(key_comes_back_from_its_path),
                cmocka_unit_test(decoding_stops_at_the_length_and_at_the_size),
                cmocka_unit_test(encoding_stops_at_the_size),
                cmocka_unit_test(hash_is_xxh3),
                cmocka_unit_test(segments_of_dots_are_found),
                cmocka_unit_test(a_key_has_one_path_of_its_own),
                cmocka_unit_test(a_path_is_decoded_once),
                cmocka_unit_test(table_is_the_first_segment),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
