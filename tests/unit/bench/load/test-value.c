/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "test.h"

#include "bench/http/body.h"
#include "bench/load/value.h"

#define KEY  UINT64_C(0x123456789abcdef)
#define SIZE 1000

static const size_t sizes[] = { 0, 1, 7, 8, 15, 16, 17, 23, 24, 25, 63, 64, 65, SIZE };

static int check(uint64_t key, const uint8_t *data, size_t size, size_t piece) {
        ValueCheck check;

        value_check_begin(&check, key);
        for (size_t i = 0; i < size; i += piece)
                value_check_update(&check, data + i, MIN(piece, size - i));

        return value_check_end(&check);
}

TEST(any_piece_is_a_piece_of_the_whole) {
        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                Value value = value_make(KEY, 42, sizes[i]);
                uint8_t whole[SIZE], piece[SIZE];

                value_fill(&value, 0, whole, sizes[i]);
                for (size_t offset = 0; offset <= sizes[i]; offset++)
                        for (size_t size = 0; size <= MIN(sizes[i] - offset, (size_t) 40); size++) {
                                value_fill(&value, offset, piece, size);
                                assert_memory_equal(piece, whole + offset, size);
                        }
        }
}

TEST(value_is_right_in_any_chunking) {
        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                Value value = value_make(KEY, 42, sizes[i]);
                uint8_t data[SIZE];

                value_fill(&value, 0, data, sizes[i]);
                for (size_t piece = 1; piece <= SIZE; piece++)
                        assert_ok(check(KEY, data, sizes[i], piece));
        }
}

TEST(generation_is_read) {
        Value value = value_make(KEY, 42, SIZE);
        uint8_t data[SIZE];
        ValueCheck reader;

        value_fill(&value, 0, data, SIZE);
        value_check_begin(&reader, KEY);
        value_check_update(&reader, data, SIZE);
        assert_ok(value_check_end(&reader));
        assert_int_equal(value_check_generation(&reader), 42);
}

TEST(every_flipped_bit_is_found) {
        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                Value value = value_make(KEY, 42, sizes[i]);
                uint8_t data[SIZE];

                value_fill(&value, 0, data, sizes[i]);
                for (size_t bit = 0; bit < 8 * sizes[i]; bit++) {
                        data[bit / 8] ^= (uint8_t) (1 << bit % 8);
                        assert_int_equal(check(KEY, data, sizes[i], 33), -EBADMSG);
                        data[bit / 8] ^= (uint8_t) (1 << bit % 8);
                }
        }
}

TEST(other_key_size_or_a_mix_is_found) {
        Value value = value_make(KEY, 42, SIZE), newer = value_make(KEY, 43, SIZE);
        uint8_t data[SIZE + 1] = "";

        value_fill(&value, 0, data, SIZE);
        assert_int_equal(check(KEY + 1, data, SIZE, SIZE), -EBADMSG);
        assert_int_equal(check(KEY, data, SIZE - 1, SIZE), -EBADMSG);
        assert_int_equal(check(KEY, data, VALUE_HEAD_SIZE, SIZE), -EBADMSG);
        assert_int_equal(check(KEY, data, SIZE + 1, SIZE + 1), -EBADMSG);

        value_fill(&newer, SIZE / 2, data + SIZE / 2, SIZE / 2);
        assert_int_equal(check(KEY, data, SIZE, SIZE), -EBADMSG);
}

TEST(streams_of_neighbours_differ) {
        Value values[] = {
                value_make(KEY, 1, 64), value_make(KEY, 2, 64),    value_make(KEY + 1, 1, 64),
                value_make(KEY, 0, 8),  value_make(KEY + 1, 0, 8),
        };

        for (size_t i = 0; i < ELEMENTSOF(values); i++)
                for (size_t j = 0; j < i; j++) {
                        size_t size = MIN(values[i].size, values[j].size);
                        uint8_t a[64], b[64];

                        value_fill(values + i, 0, a, size);
                        value_fill(values + j, 0, b, size);
                        assert_memory_not_equal(a + size - 8, b + size - 8, 8);
                }
}

/* Takes the chunks off. */
static size_t decode(const uint8_t *wire, size_t size, uint8_t *ret) {
        const uint8_t *end = wire + size;
        size_t n = 0, length;

        do {
                char *data;

                length = strtoul((const char *) wire, &data, 16);
                assert_memory_equal(data, "\r\n", 2);
                memcpy(ret + n, data + 2, length);
                assert_memory_equal(data + 2 + length, "\r\n", 2);
                wire = (const uint8_t *) data + 2 + length + 2;
                n += length;
        } while (length > 0);

        assert_ptr_equal(wire, end);
        return n;
}

TEST(chunked_body_carries_the_value) {
        static const size_t body_sizes[] = { 0, 1, 65535, 65536, 65537, 131072, 200000 };
        static uint8_t wire[300000], data[300000];
        static const size_t pieces[] = { 1, 5, 4096, 65545, 300000 };

        for (size_t i = 0; i < ELEMENTSOF(body_sizes); i++)
                for (size_t j = 0; j < ELEMENTSOF(pieces); j++) {
                        Body body = { value_make(KEY, 42, body_sizes[i]), .chunked = true };
                        size_t n = 0, n_read;

                        while ((n_read = body_read(&body, n, wire + n, pieces[j])) > 0)
                                n += n_read;

                        assert_int_equal(n, body_size(&body));
                        assert_int_equal(decode(wire, n, data), body_sizes[i]);
                        assert_ok(check(KEY, data, body_sizes[i], 4096));
                }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(any_piece_is_a_piece_of_the_whole),
                cmocka_unit_test(value_is_right_in_any_chunking),
                cmocka_unit_test(generation_is_read),
                cmocka_unit_test(every_flipped_bit_is_found),
                cmocka_unit_test(other_key_size_or_a_mix_is_found),
                cmocka_unit_test(streams_of_neighbours_differ),
                cmocka_unit_test(chunked_body_carries_the_value),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
