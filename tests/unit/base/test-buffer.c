/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <string.h>

#include "base/buffer.h"

TEST(integers_are_little_endian) {
        static const uint8_t expected[] = { 0x01, 0x03, 0x02, 0x07, 0x06, 0x05, 0x04, 0x0f,
                                            0x0e, 0x0d, 0x0c, 0x0b, 0x0a, 0x09, 0x08 };
        _cleanup_(buffer_done) Buffer buffer = {};

        buffer_put_u8(&buffer, 0x01);
        buffer_put_u16(&buffer, 0x0203);
        buffer_put_u32(&buffer, 0x04050607);
        buffer_put_u64(&buffer, 0x08090a0b0c0d0e0f);

        assert_ok(buffer_error(&buffer));
        assert_int_equal(buffer.size, sizeof(expected));
        assert_memory_equal(buffer.data, expected, sizeof(expected));
}

TEST(what_was_put_is_got) {
        static const uint64_t varints[] = { 0,      1,      0x7f,           0x80,
                                            0x3fff, 0x4000, UINT64_MAX - 1, UINT64_MAX };
        _cleanup_(buffer_done) Buffer buffer = {};
        const void *bytes;
        size_t size;
        Reader reader;

        buffer_put_u8(&buffer, 200);
        buffer_put_u16(&buffer, 60000);
        buffer_put_u32(&buffer, UINT32_MAX);
        buffer_put_u64(&buffer, UINT64_MAX);
        for (size_t i = 0; i < ELEMENTSOF(varints); i++)
                buffer_put_varint(&buffer, varints[i]);
        buffer_put_string(&buffer, "hello");
        buffer_put_bytes(&buffer, "", 0);
        assert_ok(buffer_error(&buffer));

        reader = READER(buffer.data, buffer.size);
        assert_int_equal(reader_get_u8(&reader), 200);
        assert_int_equal(reader_get_u16(&reader), 60000);
        assert_int_equal(reader_get_u32(&reader), UINT32_MAX);
        assert_int_equal(reader_get_u64(&reader), UINT64_MAX);
        for (size_t i = 0; i < ELEMENTSOF(varints); i++)
                assert_int_equal(reader_get_varint(&reader), varints[i]);
        assert_int_equal(reader_end(&reader), -EBADMSG); /* not yet */
        bytes = reader_get_bytes(&reader, &size);
        assert_int_equal(size, 5);
        assert_memory_equal(bytes, "hello", 5);
        assert_non_null(reader_get_bytes(&reader, &size));
        assert_int_equal(size, 0);
        assert_ok(reader_end(&reader));
}

TEST(what_was_reserved_does_not_move) {
        _cleanup_(buffer_done) Buffer buffer = {};
        const uint8_t *data;

        buffer_put_u8(&buffer, 1);
        buffer_reserve(&buffer, 1000);
        data = buffer.data;
        for (size_t i = 0; i < 125; i++)
                buffer_put_u64(&buffer, i);
        assert_ok(buffer_error(&buffer));
        assert_ptr_equal(buffer.data, data);
        assert_int_equal(buffer.allocated, 1001);
        assert_int_equal(buffer.data[0], 1);

        buffer.error = -ENOMEM;
        buffer_reserve(&buffer, 10000);
        assert_int_equal(buffer.allocated, 1001);
}

TEST(overrun_is_remembered) {
        static const uint8_t data[] = { 1, 2, 3 };
        Reader reader = READER(data, sizeof(data));

        assert_int_equal(reader_get_u16(&reader), 0x0201);
        assert_int_equal(reader_get_u32(&reader), 0);
        assert_int_equal(reader_error(&reader), -EBADMSG);

        /* The one byte that is left is out of reach now. */
        assert_int_equal(reader_get_u8(&reader), 0);
        assert_null(reader_get(&reader, 0));
        assert_int_equal(reader_end(&reader), -EBADMSG);
}

TEST(malformed_varints_are_refused) {
        static const uint8_t endless[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                           0xff, 0xff, 0xff, 0xff, 0x01 };
        static const uint8_t too_large[] = { 0xff, 0xff, 0xff, 0xff, 0xff,
                                             0xff, 0xff, 0xff, 0xff, 0x02 };
        static const uint8_t cut[] = { 0x80 };
        Reader readers[] = {
                READER(endless, sizeof(endless)),
                READER(too_large, sizeof(too_large)),
                READER(cut, sizeof(cut)),
        };

        for (size_t i = 0; i < ELEMENTSOF(readers); i++) {
                assert_int_equal(reader_get_varint(readers + i), 0);
                assert_int_equal(reader_error(readers + i), -EBADMSG);
        }
}

TEST(length_beyond_the_end_is_refused) {
        static const uint8_t data[] = { 4, 'a', 'b', 'c' };
        static const uint8_t huge[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                        0xff, 0xff, 0xff, 0x01, 'a' };
        Reader reader = READER(data, sizeof(data)), huge_reader = READER(huge, sizeof(huge));
        size_t size;

        assert_null(reader_get_bytes(&reader, &size));
        assert_int_equal(reader_error(&reader), -EBADMSG);
        assert_null(reader_get_bytes(&huge_reader, &size));
        assert_int_equal(reader_error(&huge_reader), -EBADMSG);
}

TEST(buffer_grows_and_is_used_again) {
        _cleanup_(buffer_done) Buffer buffer = {};
        uint8_t *data;
        Reader reader;

        for (uint32_t i = 0; i < 10000; i++)
                buffer_put_u32(&buffer, i);
        assert_ok(buffer_error(&buffer));
        assert_int_equal(buffer.size, 40000);

        reader = READER(buffer.data, buffer.size);
        for (uint32_t i = 0; i < 10000; i++)
                assert_int_equal(reader_get_u32(&reader), i);
        assert_ok(reader_end(&reader));

        data = buffer.data;
        buffer_clear(&buffer);
        assert_int_equal(buffer.size, 0);
        buffer_put_u8(&buffer, 1);
        assert_ptr_equal(buffer.data, data);
}

TEST(length_is_filled_in_later) {
        _cleanup_(buffer_done) Buffer buffer = {};
        Reader reader;

        buffer_put_u8(&buffer, 1);
        buffer_put_u32(&buffer, 0);
        buffer_put_u8(&buffer, 2);
        buffer_set_u32(&buffer, 1, 0xabcdef01);

        reader = READER(buffer.data, buffer.size);
        assert_int_equal(reader_get_u8(&reader), 1);
        assert_int_equal(reader_get_u32(&reader), 0xabcdef01);
        assert_int_equal(reader_get_u8(&reader), 2);
        assert_ok(reader_end(&reader));
}

TEST(failed_allocation_is_remembered) {
        _cleanup_(buffer_done) Buffer buffer = { .error = -ENOMEM };

        buffer_put_u64(&buffer, 1);
        buffer_set_u32(&buffer, 0, 1);
        assert_int_equal(buffer.size, 0);
        assert_int_equal(buffer_error(&buffer), -ENOMEM);

        buffer_clear(&buffer);
        assert_ok(buffer_error(&buffer));
}

/* Whatever a length says, nothing behind the end is touched: the sanitizer would see it. */
TEST(every_cut_of_a_message_is_noticed) {
        _cleanup_(buffer_done) Buffer buffer = {};

        buffer_put_u8(&buffer, 1);
        buffer_put_varint(&buffer, 300);
        buffer_put_u16(&buffer, 2);
        buffer_put_string(&buffer, "some text");
        buffer_put_u32(&buffer, 3);
        buffer_put_bytes(&buffer, "bytes", 5);
        buffer_put_u64(&buffer, 4);

        for (size_t size = 0; size <= buffer.size; size++) {
                _cleanup_free_ uint8_t *cut = malloc(MAX(size, (size_t) 1));
                size_t length;
                Reader reader;

                assert_non_null(cut);
                memcpy(cut, buffer.data, size);
                reader = READER(cut, size);
                (void) reader_get_u8(&reader);
                (void) reader_get_varint(&reader);
                (void) reader_get_u16(&reader);
                (void) reader_get_bytes(&reader, &length);
                (void) reader_get_u32(&reader);
                (void) reader_get_bytes(&reader, &length);
                (void) reader_get_u64(&reader);
                assert_int_equal(reader_end(&reader), size < buffer.size ? -EBADMSG : 0);
        }
}

TEST(a_varint_takes_the_bytes_that_its_size_needs) {
        for (unsigned bits = 0; bits <= 64; bits++) {
                uint64_t value = bits == 0 ? 0 : UINT64_MAX >> (64 - bits);
                _cleanup_(buffer_done) Buffer buffer = {};
                Reader reader;

                buffer_put_varint(&buffer, value);
                assert_int_equal(buffer.size, MAX((bits + 6) / 7, 1U));
                reader = READER(buffer.data, buffer.size);
                assert_true(reader_get_varint(&reader) == value);
                assert_ok(reader_end(&reader));
        }
}

/* Other releases, and other programs, may write it longer than it has to be. */
TEST(a_varint_may_have_zeroes_at_its_end) {
        static const uint8_t data[] = { 0x81, 0x80, 0x80, 0x00 };
        Reader reader = READER(data, sizeof(data));

        assert_true(reader_get_varint(&reader) == 1);
        assert_ok(reader_end(&reader));
}

TEST(nothing_is_nothing) {
        Reader reader = READER(NULL, 0);
        Buffer buffer = {};
        size_t size = 7;

        assert_ok(reader_end(&reader));
        assert_null(reader_get_bytes(&reader, &size));
        assert_int_equal(size, 7);
        assert_int_equal(reader_error(&reader), -EBADMSG);

        buffer_put(&buffer, NULL, 0);
        assert_ok(buffer_error(&buffer));
        assert_int_equal(buffer.size, 0);
        buffer_done(&buffer);
        buffer_done(&buffer); /* once more does no harm */
}

/* The length comes from outside, the check for room must not wrap. */
TEST(no_length_is_too_large_to_be_refused) {
        static const uint64_t sizes[] = { 2, SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2, UINT32_MAX };

        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                _cleanup_(buffer_done) Buffer buffer = {};
                Reader reader;
                size_t size;

                buffer_put_varint(&buffer, sizes[i]);
                buffer_put_u8(&buffer, 'x');
                reader = READER(buffer.data, buffer.size);
                assert_null(reader_get_bytes(&reader, &size));
                assert_int_equal(reader_error(&reader), -EBADMSG);
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(integers_are_little_endian),
                cmocka_unit_test(what_was_put_is_got),
                cmocka_unit_test(what_was_reserved_does_not_move),
                cmocka_unit_test(overrun_is_remembered),
                cmocka_unit_test(malformed_varints_are_refused),
                cmocka_unit_test(length_beyond_the_end_is_refused),
                cmocka_unit_test(buffer_grows_and_is_used_again),
                cmocka_unit_test(length_is_filled_in_later),
                cmocka_unit_test(failed_allocation_is_remembered),
                cmocka_unit_test(every_cut_of_a_message_is_noticed),
                cmocka_unit_test(a_varint_takes_the_bytes_that_its_size_needs),
                cmocka_unit_test(a_varint_may_have_zeroes_at_its_end),
                cmocka_unit_test(nothing_is_nothing),
                cmocka_unit_test(no_length_is_too_large_to_be_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
