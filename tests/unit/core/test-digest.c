/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/digest.h"

#define MD5    "XUFAKrxLKna5cZ2REBfFkg=="
#define SHA256 "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="
#define SHA512 \
        "m3HSJL1i83hdltRq0+o9czGb+8KJDKra4t/3JRlnPKcjI8PZm6XBHXx6zG4UuMXaDEZjR1wuXDre9G9zvN7AQw=="

/* What comes of "hello", in two pieces. */
static int check(int (*add)(Digests *, const char *), const char *value) {
        _cleanup_(digests_freep) Digests *digests = NULL;
        int r;

        assert_ok(digests_new(&digests));
        r = add(digests, value);
        if (r < 0)
                return r;
        digests_update(digests, "hel", 3);
        digests_update(digests, "lo", 2);
        return digests_check(digests);
}

TEST(right_ones_fit) {
        static const char *const lists[] = {
                "sha-256=:" SHA256 ":",
                "sha-512=:" SHA512 ":",
                "md5=:" MD5 ":",
                "sha-256=:" SHA256 ":, sha-512=:" SHA512 ":",
                "crc32c=:AAAA:,sha-256=:" SHA256 ":;x=1",
                "unknown=?1, other",
                "",
        };

        assert_int_equal(check(digests_add_md5, MD5), 0);
        assert_int_equal(check(digests_add_md5, " " MD5 " "), 0);
        for (size_t i = 0; i < ELEMENTSOF(lists); i++)
                assert_int_equal(check(digests_add_list, lists[i]), 0);
}

TEST(wrong_ones_do_not) {
        assert_int_equal(check(digests_add_md5, "XUFAKrxLKna5cZ2REBfFkA=="), -EBADMSG);
        assert_int_equal(
                        check(digests_add_list,
                              "sha-512=:" SHA512 ":, "
                              "sha-256=:MPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:"),
                        -EBADMSG);
}

TEST(malformed_ones_are_refused) {
        static const char *const lists[] = {
                "sha-256",
                "sha-256=",
                "sha-256=:",
                "sha-256=::",
                "sha-256=" SHA256,
                "sha-256=:" SHA256,
                "sha-256=:" MD5 ":",
                "sha-256=:" SHA256 ":x",
                "sha-256=:!!!!ul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:",
        };

        for (size_t i = 0; i < ELEMENTSOF(lists); i++)
                assert_int_equal(check(digests_add_list, lists[i]), -EINVAL);
        assert_int_equal(check(digests_add_md5, ""), -EINVAL);
        assert_int_equal(check(digests_add_md5, "hello"), -EINVAL);
        assert_int_equal(check(digests_add_md5, MD5 " x"), -EINVAL);
}

TEST(nothing_has_a_digest_too) {
        _cleanup_(digests_freep) Digests *digests = NULL, *none = NULL;

        assert_ok(digests_new(&digests));
        assert_ok(digests_add_md5(digests, "1B2M2Y8AsgTpgAmY7PhCfg=="));
        assert_int_equal(
                        digests_add_list(
                                        digests,
                                        "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"),
                        1);
        digests_update(digests, "", 0);
        assert_int_equal(digests_check(digests), 0);

        assert_ok(digests_new(&none));
        digests_update(none, "hello", 5);
        assert_int_equal(digests_check(none), 0); /* who says nothing cannot be wrong */
}

/* Each costs time for every byte that comes. */
TEST(there_are_only_so_many_digests) {
        _cleanup_(digests_freep) Digests *digests = NULL;
        char list[1024] = "";

        for (size_t i = 0; i < DIGESTS_MAX; i++)
                strcat(list, "md5=:" MD5 ":,");
        assert_ok(digests_new(&digests));
        assert_int_equal(digests_add_list(digests, list), DIGESTS_MAX);
        assert_int_equal(digests_add_md5(digests, MD5), -EINVAL);
        assert_int_equal(digests_add_list(digests, "md5=:" MD5 ":"), -EINVAL);
        assert_int_equal(digests_add_list(digests, "other=:AAAA:"), 0); /* costs nothing */
        digests_update(digests, "hello", 5);
        assert_int_equal(digests_check(digests), 0);
}

/* One that is wrong among others that are right, in whatever place. */
TEST(every_digest_counts) {
        static const char wrong[] = "md5=:AAAAAAAAAAAAAAAAAAAAAA==:", right[] = "md5=:" MD5 ":";

        for (size_t place = 0; place < 4; place++) {
                char list[256] = "";

                for (size_t i = 0; i < 4; i++)
                        strcat(strcat(list, i == place ? wrong : right), ", ");
                assert_int_equal(check(digests_add_list, list), -EBADMSG);
        }
}

TEST(a_digest_sees_every_bit) {
        char value[] = "hello";

        for (size_t bit = 0; bit < 8 * strlen(value); bit++) {
                _cleanup_(digests_freep) Digests *digests = NULL;

                assert_ok(digests_new(&digests));
                assert_int_equal(digests_add_list(digests, "sha-256=:" SHA256 ":"), 1);
                value[bit / 8] ^= (char) (1 << bit % 8);
                digests_update(digests, value, strlen(value));
                assert_int_equal(digests_check(digests), -EBADMSG);
                value[bit / 8] ^= (char) (1 << bit % 8);
        }
}

TEST(names_are_known_in_any_case_and_numbers_are_counted) {
        static const struct {
                const char *list;
                int n;
        } rows[] = {
                { "SHA-256=:" SHA256 ":", 1 },
                { "MD5=:" MD5 ":,Sha-512=:" SHA512 ":", 2 },
                { "sha-1=:AAAA:, sha=:AAAA:, sha-2567=:AAAA:, sha-25=:AAAA:", 0 },
                { "other, md5=:" MD5 ":", 1 },
                { " ,, \t, ", 0 },
                { "md5=:" MD5 ": ;a=b;c", 1 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_(digests_freep) Digests *digests = NULL;

                assert_ok(digests_new(&digests));
                assert_int_equal(digests_add_list(digests, rows[i].list), rows[i].n);
                digests_update(digests, "hello", 5);
                assert_int_equal(digests_check(digests), 0);
        }
}

TEST(base_64_may_lack_its_padding_and_nothing_else) {
        static const char *const bad[] = {
                "XUFAKrxLKna5cZ2REBfFk",       "XUFAKrxLKna5cZ2REBfFkg=A",
                "=XUFAKrxLKna5cZ2REBfFkg",     "XUFAKrxLKna5cZ2REBfFkgA",
                "XUFAKrxLKna5cZ2-EBfFkg==",    "XUFAKrxLKna5 cZ2REBfFkg==",
                "XUFAKrxLKna5cZ2REBf\xc3kg==",
        };

        assert_int_equal(check(digests_add_md5, "XUFAKrxLKna5cZ2REBfFkg"), 0);
        assert_int_equal(check(digests_add_md5, "XUFAKrxLKna5cZ2REBfFkg="), 0);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                if (check(digests_add_md5, bad[i]) != -EINVAL)
                        fail_msg("'%s' was taken", bad[i]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(right_ones_fit),
                cmocka_unit_test(wrong_ones_do_not),
                cmocka_unit_test(malformed_ones_are_refused),
                cmocka_unit_test(nothing_has_a_digest_too),
                cmocka_unit_test(there_are_only_so_many_digests),
                cmocka_unit_test(every_digest_counts),
                cmocka_unit_test(a_digest_sees_every_bit),
                cmocka_unit_test(names_are_known_in_any_case_and_numbers_are_counted),
                cmocka_unit_test(base_64_may_lack_its_padding_and_nothing_else),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
