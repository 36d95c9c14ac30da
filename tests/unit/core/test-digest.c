/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>

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

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(right_ones_fit),
                cmocka_unit_test(wrong_ones_do_not),
                cmocka_unit_test(malformed_ones_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
