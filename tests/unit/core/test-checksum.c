/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <string.h>

#include "core/blocks.h"
#include "core/checksum.h"
#include "core/etag.h"

static void assert_etag(Checksum checksum, const char *expected) {
        char etag[ETAG_SIZE];

        etag_of_checksum(&checksum, etag);
        assert_string_equal(etag, expected);
}

/* ETags are stored by clients, checksums by us: these numbers stay. */
TEST(checksum_is_xxh3_128) {
        assert_etag(checksum_of("", 0), "\"x3-99aa06d3014798d86001c324468d497f\"");
        assert_etag(checksum_of(NULL, 0), "\"x3-99aa06d3014798d86001c324468d497f\"");
        assert_etag(checksum_of("a", 1), "\"x3-a96faf705af16834e6c632b61e964e1f\"");
        assert_etag(checksum_of("abc", 3), "\"x3-06b05ab6733a618578af5f94892f3950\"");
}

static uint8_t much[20000];

static int make_much(void **state) {
        for (size_t i = 0; i < sizeof(much); i++)
                much[i] = (uint8_t) (i * 31 + (i >> 8));
        return 0;
}

/* On every processor, whichever of its registers are used for what is long */
TEST(checksum_of_much_is_the_same_everywhere) {
        assert_etag(checksum_of(much, 5000), "\"x3-47aa050a1d2c0b8cc0dd97972a4d2de3\"");
        assert_true(block_sum(much, 5000) == UINT64_C(0xc0dd97972a4d2de3));
        assert_etag(checksum_of(much, 20000), "\"x3-90cf1b9384f617b2715164f5dee344ee\"");
        assert_true(block_sum(much, 20000) == UINT64_C(0x715164f5dee344ee));
}

TEST(pieces_give_the_same_as_the_whole) {
        static const size_t steps[] = { 1, 7, 64, 255, 256, 1000, 4096, 17000 };

        for (size_t s = 0; s < ELEMENTSOF(steps); s++) {
                _cleanup_(checksum_state_freep) ChecksumState *sum = NULL;
                Checksum whole, pieces;

                assert_ok(checksum_state_new(&sum));
                for (size_t i = 0; i < sizeof(much); i += steps[s]) {
                        checksum_state_update(sum, much + i, MIN(steps[s], sizeof(much) - i));

                        whole = checksum_of(much, MIN(i + steps[s], sizeof(much)));
                        pieces = checksum_state_final(sum);
                        assert_true(checksum_equal(&whole, &pieces));
                }
        }
}

TEST(every_flipped_bit_shows) {
        uint8_t data[33] = "a value";
        Checksum before = checksum_of(data, sizeof(data)), after;

        for (size_t bit = 0; bit < 8 * sizeof(data); bit++) {
                data[bit / 8] ^= (uint8_t) (1 << bit % 8);
                after = checksum_of(data, sizeof(data));
                assert_false(checksum_equal(&before, &after));
                data[bit / 8] ^= (uint8_t) (1 << bit % 8);
        }

        after = checksum_of(data, sizeof(data));
        assert_true(checksum_equal(&before, &after));
}

TEST(etag_comes_back) {
        Checksum checksum = checksum_of("value", 5), parsed;
        char etag[ETAG_SIZE];

        etag_of_checksum(&checksum, etag);
        assert_ok(etag_to_checksum(etag, strlen(etag), &parsed));
        assert_true(checksum_equal(&checksum, &parsed));
}

TEST(other_etags_are_refused) {
        static const char *const etags[] = {
                "",
                "\"",
                "\"\"",
                "x3-99aa06d3014798d86001c324468d497f",
                "\"x4-99aa06d3014798d86001c324468d497f\"",
                "\"x3-99aa06d3014798d86001c324468d497F\"",
                "\"x3-99aa06d3014798d86001c324468d497g\"",
                "\"x3-99aa06d3014798d86001c324468d497f ",
                "\"x3-99aa06d3014798d86001c324468d497f0\"",
                "\"x3-99aa06d3014798d86001c324468d497\"",
                "W/\"x3-99aa06d3014798d86001c324468d497f\"",
        };
        Checksum checksum;

        for (size_t i = 0; i < ELEMENTSOF(etags); i++)
                assert_int_equal(etag_to_checksum(etags[i], strlen(etags[i]), &checksum), -EINVAL);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(checksum_is_xxh3_128),
                cmocka_unit_test(checksum_of_much_is_the_same_everywhere),
                cmocka_unit_test(pieces_give_the_same_as_the_whole),
                cmocka_unit_test(every_flipped_bit_shows),
                cmocka_unit_test(etag_comes_back),
                cmocka_unit_test(other_etags_are_refused),
        };

        return cmocka_run_group_tests(tests, make_much, NULL);
}
