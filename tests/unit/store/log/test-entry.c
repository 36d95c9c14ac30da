/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <string.h>

#include "store/log/entry.h"

#define SEED   UINT64_C(12345)
#define OFFSET 64

static const LogEntry value = {
        .kind = 7, .tag = 1234567890123, .size = 5, .begun = 32, .data = (const uint8_t *) "hello"
};

/* Returns 0 if it is whole. */
static int read_back(const Buffer *buffer, uint64_t seed, uint32_t offset, LogEntry *ret) {
        int r;

        r = entry_decode_header(buffer->data, seed, offset, ret);
        return r < 0 ? r : entry_verify(buffer->data, ret, seed, offset);
}

TEST(an_entry_comes_back) {
        _cleanup_(buffer_done) Buffer buffer = {};
        LogEntry entry;

        entry_encode(&value, SEED, OFFSET, &buffer);
        assert_int_equal(buffer.size, entry_size(value.size));
        assert_int_equal(buffer.size % ENTRY_ALIGNMENT, 0);
        assert_int_equal(read_back(&buffer, SEED, OFFSET, &entry), 0);
        assert_int_equal(entry.kind, value.kind);
        assert_int_equal(entry.tag, value.tag);
        assert_int_equal(entry.size, value.size);
        assert_int_equal(entry.begun, value.begun);
        assert_memory_equal(buffer.data + ENTRY_HEADER_SIZE, "hello", 5);
}

TEST(an_entry_may_be_empty) {
        _cleanup_(buffer_done) Buffer buffer = {};
        const LogEntry empty = { .kind = 1 };
        LogEntry entry;

        entry_encode(&empty, SEED, OFFSET, &buffer);
        assert_int_equal(buffer.size, ENTRY_HEADER_SIZE);
        assert_int_equal(read_back(&buffer, SEED, OFFSET, &entry), 0);
}

TEST(any_flipped_bit_is_found) {
        _cleanup_(buffer_done) Buffer buffer = {};
        LogEntry entry;

        entry_encode(&value, SEED, OFFSET, &buffer);
        for (size_t bit = 0; bit < 8 * (ENTRY_HEADER_SIZE + value.size); bit++) {
                buffer.data[bit / 8] ^= (uint8_t) (1 << bit % 8);
                assert_int_equal(read_back(&buffer, SEED, OFFSET, &entry), -EBADMSG);
                buffer.data[bit / 8] ^= (uint8_t) (1 << bit % 8);
        }
}

/* The checksum of the data lies in the header, and is not covered by that of the header: a bit of
 * it makes the data bad, not the header. */
TEST(damaged_data_leave_the_header_sound) {
        _cleanup_(buffer_done) Buffer buffer = {};
        LogEntry entry;

        entry_encode(&value, SEED, OFFSET, &buffer);
        buffer.data[ENTRY_HEADER_SIZE] ^= 1;
        assert_int_equal(entry_decode_header(buffer.data, SEED, OFFSET, &entry), 0);
        assert_int_equal(entry_verify(buffer.data, &entry, SEED, OFFSET), -EBADMSG);
}

TEST(an_entry_is_good_in_one_place_only) {
        _cleanup_(buffer_done) Buffer buffer = {};
        LogEntry entry;

        entry_encode(&value, entry_seed(1, 1), OFFSET, &buffer);
        assert_int_equal(read_back(&buffer, entry_seed(1, 1), OFFSET, &entry), 0);
        assert_int_equal(read_back(&buffer, entry_seed(1, 1), OFFSET + 8, &entry), -EBADMSG);
        assert_int_equal(read_back(&buffer, entry_seed(1, 2), OFFSET, &entry), -EBADMSG);
        assert_int_equal(read_back(&buffer, entry_seed(2, 1), OFFSET, &entry), -EBADMSG);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_entry_comes_back),
                cmocka_unit_test(an_entry_may_be_empty),
                cmocka_unit_test(any_flipped_bit_is_found),
                cmocka_unit_test(damaged_data_leave_the_header_sound),
                cmocka_unit_test(an_entry_is_good_in_one_place_only),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
