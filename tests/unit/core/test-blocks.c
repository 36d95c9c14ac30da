/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <string.h>

#include "core/blocks.h"

#define VERSION UINT64_C(0x123456789abcdef0)

/* As many sums as a page holds besides its mark and its checksum. */
#define PAGE_SUMS (BLOCK_PAGE_SIZE / 8 - 2)

static uint8_t *value; /* of VALUE_SIZE: two pages of sums, and the last block is short */
#define VALUE_SIZE ((PAGE_SUMS + 3) * BLOCK_SIZE + 5)
#define N_BLOCKS   (PAGE_SUMS + 4)

static int make_value(void **state) {
        uint64_t x = 88172645463325252U;

        value = malloc(VALUE_SIZE);
        assert_non_null(value);
        for (size_t i = 0; i < VALUE_SIZE; i++) {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                value[i] = (uint8_t) x;
        }
        return 0;
}

static int free_value(void **state) {
        free(value);
        return 0;
}

static size_t size_of_block(size_t block) {
        return block == N_BLOCKS - 1 ? 5 : BLOCK_SIZE;
}

/* Feeds SIZE bytes of the value in pieces of PIECE. */
static void make_trailer(size_t size, size_t piece, Buffer *ret) {
        BlockSums sums = {};

        for (size_t done = 0; done < size; done += piece)
                block_sums_update(&sums, value + done, MIN(piece, size - done));
        assert_ok(block_sums_finish(&sums, VERSION, ret));
        block_sums_done(&sums);
}

TEST(a_value_of_one_block_has_nothing_behind_it) {
        static const size_t sizes[] = { 0, 1, BLOCK_SIZE - 1, BLOCK_SIZE };

        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                _cleanup_(buffer_done) Buffer trailer = {};

                assert_int_equal(blocks_trailer_size(sizes[i]), 0);
                make_trailer(sizes[i], BLOCK_SIZE, &trailer);
                assert_int_equal(trailer.size, 0);
        }
}

TEST(what_is_written_has_the_size_that_was_foretold) {
        static const struct {
                size_t size, n_blocks, n_pages;
        } rows[] = {
                { BLOCK_SIZE + 1, 2, 1 },
                { 2 * BLOCK_SIZE, 2, 1 },
                { 2 * BLOCK_SIZE + 1, 3, 1 },
                { PAGE_SUMS * BLOCK_SIZE, PAGE_SUMS, 1 },
                { PAGE_SUMS * BLOCK_SIZE + 1, PAGE_SUMS + 1, 2 },
                { VALUE_SIZE, N_BLOCKS, 2 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_(buffer_done) Buffer trailer = {};

                assert_int_equal(
                                blocks_trailer_size(rows[i].size),
                                8 * (rows[i].n_blocks + 2 * rows[i].n_pages));
                make_trailer(rows[i].size, 1 * MIB, &trailer);
                assert_int_equal(trailer.size, blocks_trailer_size(rows[i].size));
        }
}

TEST(the_sizes_of_the_largest_values_do_not_overflow) {
        uint64_t n = UINT64_MAX / BLOCK_SIZE + 1, n_pages = n / PAGE_SUMS + (n % PAGE_SUMS > 0);
        BlockPlace place;

        assert_true(blocks_trailer_size(UINT64_MAX) == 8 * (n + 2 * n_pages));
        place = block_place(UINT64_MAX, n - 1);
        assert_true(place.page == (n - 1) / PAGE_SUMS);
        assert_true(place.offset + place.size == blocks_trailer_size(UINT64_MAX));
}

TEST(it_does_not_matter_in_which_pieces_a_value_comes) {
        static const size_t pieces[] = { 1000, BLOCK_SIZE - 1, BLOCK_SIZE, BLOCK_SIZE + 1, MIB };
        _cleanup_(buffer_done) Buffer whole = {};

        make_trailer(VALUE_SIZE, VALUE_SIZE, &whole);
        for (size_t i = 0; i < ELEMENTSOF(pieces); i++) {
                _cleanup_(buffer_done) Buffer trailer = {};

                make_trailer(VALUE_SIZE, pieces[i], &trailer);
                assert_int_equal(trailer.size, whole.size);
                assert_memory_equal(trailer.data, whole.data, whole.size);
        }
}

TEST(each_block_finds_its_sum) {
        _cleanup_(buffer_done) Buffer trailer = {};

        make_trailer(VALUE_SIZE, MIB, &trailer);
        for (size_t block = 0; block < N_BLOCKS; block++) {
                BlockPlace place = block_place(VALUE_SIZE, block);
                const uint8_t *page = trailer.data + place.offset;

                assert_true(place.offset + place.size <= trailer.size);
                assert_int_equal(block_page_check(page, &place, VERSION), 0);
                assert_true(block_page_get(page, place.index) ==
                            block_sum(value + block * BLOCK_SIZE, size_of_block(block)));
        }
}

/* Whatever bit of a page is wrong, the mark, a sum or the checksum: it is not believed. */
TEST(a_page_with_a_wrong_bit_is_damaged) {
        BlockPlace place = block_place(VALUE_SIZE, N_BLOCKS - 1);
        _cleanup_(buffer_done) Buffer trailer = {};
        uint8_t *page;

        make_trailer(VALUE_SIZE, MIB, &trailer);
        page = trailer.data + place.offset;
        for (size_t i = 0; i < place.size; i++) {
                page[i] ^= 1 << i % 8;
                assert_int_equal(block_page_check(page, &place, VERSION), -EBADMSG);
                page[i] ^= 1 << i % 8;
        }
        assert_int_equal(block_page_check(page, &place, VERSION), 0);
}

/* A disk that writes to the wrong place, or not at all, leaves pages that are whole. */
TEST(a_page_of_another_place_or_version_is_damaged) {
        size_t size = 2 * PAGE_SUMS * BLOCK_SIZE; /* two full pages, of the same form */
        BlockPlace first = block_place(size, 0), second = block_place(size, PAGE_SUMS);
        _cleanup_(buffer_done) Buffer trailer = {};
        BlockSums sums = {};

        for (size_t i = 0; i < 2 * PAGE_SUMS; i++)
                block_sums_update(&sums, value, BLOCK_SIZE);
        assert_ok(block_sums_finish(&sums, VERSION, &trailer));
        block_sums_done(&sums);

        assert_int_equal(first.size, second.size);
        assert_int_equal(block_page_check(trailer.data, &first, VERSION), 0);
        assert_int_equal(block_page_check(trailer.data + second.offset, &second, VERSION), 0);
        assert_int_equal(block_page_check(trailer.data, &second, VERSION), -EBADMSG);
        assert_int_equal(block_page_check(trailer.data + second.offset, &first, VERSION), -EBADMSG);
        assert_int_equal(block_page_check(trailer.data, &first, VERSION + 1), -EBADMSG);
}

TEST(nothing_but_zeroes_is_damaged) {
        static const uint8_t zeroes[BLOCK_PAGE_SIZE];
        BlockPlace place = block_place(VALUE_SIZE, 0);

        assert_int_equal(block_page_check(zeroes, &place, VERSION), -EBADMSG);
        assert_int_equal(block_page_check(zeroes, &place, 0), -EBADMSG);
}

/* It is on the disks of those who have dkv. */
TEST(the_form_on_the_disk_is_known) {
        static const uint8_t expected[] = {
                'd',  'b',  'l',  'o',  'c',  'k',  's',  '1', /* and the sum of the first block: */
                0xaa, 0x5c, 0xb6, 0x02, 0xd3, 0x02, 0xb2, 0x33,
        };
        _cleanup_(buffer_done) Buffer trailer = {};
        _cleanup_free_ uint8_t *zeroes = calloc(1, BLOCK_SIZE + 1);
        BlockSums sums = {};

        assert_non_null(zeroes);
        block_sums_update(&sums, zeroes, BLOCK_SIZE + 1);
        assert_ok(block_sums_finish(&sums, 1, &trailer));
        block_sums_done(&sums);
        assert_int_equal(trailer.size, 4 * 8);
        assert_memory_equal(trailer.data, expected, sizeof(expected));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_value_of_one_block_has_nothing_behind_it),
                cmocka_unit_test(what_is_written_has_the_size_that_was_foretold),
                cmocka_unit_test(the_sizes_of_the_largest_values_do_not_overflow),
                cmocka_unit_test(it_does_not_matter_in_which_pieces_a_value_comes),
                cmocka_unit_test(each_block_finds_its_sum),
                cmocka_unit_test(a_page_with_a_wrong_bit_is_damaged),
                cmocka_unit_test(a_page_of_another_place_or_version_is_damaged),
                cmocka_unit_test(nothing_but_zeroes_is_damaged),
                cmocka_unit_test(the_form_on_the_disk_is_known),
        };

        return cmocka_run_group_tests(tests, make_value, free_value);
}
