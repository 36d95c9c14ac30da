/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <string.h>

#include "core/etag.h"

#define GOOD "\"x3-000102030405060708090a0b0c0d0eff\""

static const Checksum checksum = { { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255 } };

TEST(a_checksum_becomes_an_etag_and_a_checksum_again) {
        char etag[ETAG_SIZE];
        Checksum read;

        etag_of_checksum(&checksum, etag);
        assert_string_equal(etag, GOOD);
        assert_ok(etag_to_checksum(etag, strlen(etag), &read));
        assert_true(checksum_equal(&read, &checksum));
}

TEST(what_follows_an_etag_in_a_list_is_not_looked_at) {
        Checksum read;

        assert_ok(etag_to_checksum(GOOD ", \"other\"", strlen(GOOD), &read));
        assert_true(checksum_equal(&read, &checksum));
}

/* Clients send what others gave them, too. What no value can have matches nothing. */
TEST(what_dkv_has_not_written_is_no_etag) {
        static const char *const texts[] = {
                "",
                "\"",
                "\"\"",
                "*",
                "W/" GOOD,
                "x3-000102030405060708090a0b0c0d0eff",
                "'x3-000102030405060708090a0b0c0d0eff'",
                "\"x3-000102030405060708090a0b0c0d0eff",    /* the end is missing */
                "\"x3-000102030405060708090a0b0c0d0ef\"",   /* a digit is missing */
                "\"x3-000102030405060708090a0b0c0d0eff0\"", /* one too many */
                "\"x4-000102030405060708090a0b0c0d0eff\"",  /* of another release */
                "\"X3-000102030405060708090a0b0c0d0eff\"",
                "\"x3-000102030405060708090a0b0c0d0efg\"",
                "\"x3- 00102030405060708090a0b0c0d0eff\"",
                "\"x3-+00102030405060708090a0b0c0d0eff\"",
                "\"x3-0x0102030405060708090a0b0c0d0eff\"",
                "\"d41d8cd98f00b204e9800998ecf8427e....\"", /* an MD5 of somebody else */
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                Checksum read = checksum;

                assert_int_equal(etag_to_checksum(texts[i], strlen(texts[i]), &read), -EINVAL);
                assert_true(checksum_equal(&read, &checksum)); /* as it was */
        }
}

/* An entity tag is opaque: two that differ in case are different ones (RFC 9110, 8.8.3). */
TEST(digits_in_capitals_are_another_etag) {
        static const char capitals[] = "\"x3-000102030405060708090A0B0C0D0EFF\"";
        Checksum read;

        assert_int_equal(etag_to_checksum(capitals, strlen(capitals), &read), -EINVAL);
}

TEST(a_byte_that_is_0_is_not_the_end) {
        char text[] = GOOD;
        Checksum read;

        text[10] = '\0';
        assert_int_equal(etag_to_checksum(text, sizeof(text) - 1, &read), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_checksum_becomes_an_etag_and_a_checksum_again),
                cmocka_unit_test(what_follows_an_etag_in_a_list_is_not_looked_at),
                cmocka_unit_test(what_dkv_has_not_written_is_no_etag),
                cmocka_unit_test(digits_in_capitals_are_another_etag),
                cmocka_unit_test(a_byte_that_is_0_is_not_the_end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
