/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "core/checksum.h"
#include "master/seat/seat-file.h"
#include "scratch.h"

static const SeatFile some = { .group = "a group", .self = 7, .has_log = true };

TEST(what_is_written_is_read) {
        _cleanup_(scratch_freep) char *directory = scratch_new();
        SeatFile file;

        assert_int_equal(seat_file_read(directory, &file), -ENOENT);
        assert_ok(seat_file_write(directory, &some));
        assert_ok(seat_file_read(directory, &file));
        assert_memory_equal(file.group, some.group, sizeof(file.group));
        assert_int_equal(file.self, 7);
        assert_true(file.has_log);
        assert_int_equal(seat_file_read("/nowhere", &file), -ENOENT);
}

TEST(every_bit_counts) {
        _cleanup_(buffer_done) Buffer bytes = {};
        SeatFile file;

        seat_file_encode(&some, &bytes);
        assert_ok(buffer_error(&bytes));
        for (size_t bit = 0; bit < 8 * bytes.size; bit++) {
                uint8_t *byte = (uint8_t *) bytes.data + bit / 8;

                *byte ^= (uint8_t) (1U << bit % 8);
                assert_int_equal(seat_file_decode(bytes.data, bytes.size, &file), -EBADMSG);
                *byte ^= (uint8_t) (1U << bit % 8);
        }
        for (size_t size = 0; size < bytes.size; size++)
                assert_int_equal(seat_file_decode(bytes.data, size, &file), -EBADMSG);
        assert_ok(seat_file_decode(bytes.data, bytes.size, &file));
}

/* With a good checksum. */
static int decode_changed(size_t at, uint8_t value) {
        _cleanup_(buffer_done) Buffer bytes = {};
        SeatFile file;

        seat_file_encode(&some, &bytes);
        assert_ok(buffer_error(&bytes));
        ((uint8_t *) bytes.data)[at] = value;
        bytes.size -= 8;
        buffer_put_u64(&bytes, checksum_seeded(bytes.data, bytes.size, 0));
        return seat_file_decode(bytes.data, bytes.size, &file);
}

TEST(what_cannot_be_is_refused) {
        assert_int_equal(decode_changed(0, 'x'), -EBADMSG);        /* another file */
        assert_int_equal(decode_changed(8, 2), -EPROTONOSUPPORT);  /* a later release */
        assert_int_equal(decode_changed(8 + 1 + 16, 0), -EBADMSG); /* nobody is member 0 */
        assert_int_equal(decode_changed(8 + 1 + 16 + 8, 2), -EBADMSG);
}

TEST(a_file_that_is_too_long_is_damaged) {
        _cleanup_(scratch_freep) char *directory = scratch_new();
        SeatFile file;
        int fd;

        fd = open(scratch_path(directory, SEAT_FILE), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_ok(ftruncate(fd, 100000));
        (void) close(fd);
        assert_int_equal(seat_file_read(directory, &file), -EBADMSG);
}

int main(void) {
#define RUN(test) cmocka_unit_test(test)
        const struct CMUnitTest tests[] = {
                RUN(what_is_written_is_read),
                RUN(every_bit_counts),
                RUN(what_cannot_be_is_refused),
                RUN(a_file_that_is_too_long_is_damaged),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
