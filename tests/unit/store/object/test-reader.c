/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "core/blocks.h"
#include "store/object/reader.h"

#define VERSION 77

typedef struct Fixture {
        int fd;
        uint8_t *value;
        Object object;
} Fixture;

static int teardown(void **state) {
        Fixture *fixture = *state;

        closep(&fixture->fd);
        free(fixture->value);
        free(fixture);
        return 0;
}

static int setup(void **state) {
        Fixture *fixture = calloc(1, sizeof(*fixture));

        fixture->fd = -1;
        *state = fixture;
        return 0;
}

/* A file as the store writes it. */
static void make(Fixture *fixture, size_t size) {
        _cleanup_(block_sums_done) BlockSums sums = {};
        _cleanup_(buffer_done) Buffer trailer = {};

        closep(&fixture->fd);
        free(fixture->value);
        fixture->value = malloc(size);
        for (size_t i = 0; i < size; i++)
                fixture->value[i] = (uint8_t) (i * 31 + i / 251 + i / 65537);
        fixture->object = (Object){
                .record = { .version = VERSION,
                            .size = size,
                            .checksum = checksum_of(fixture->value, size) },
        };

        for (size_t i = 0; i < size; i += 10007) /* whatever the pieces are */
                block_sums_update(&sums, fixture->value + i, MIN(size - i, (size_t) 10007));
        assert_int_equal(block_sums_finish(&sums, VERSION, &trailer), 0);
        assert_int_equal(trailer.size, blocks_trailer_size(size));

        fixture->fd = open("/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
        assert_ok(fixture->fd);
        assert_int_equal(write_all(fixture->fd, fixture->value, size), 0);
        assert_int_equal(write_all(fixture->fd, trailer.data, trailer.size), 0);
}

static void flip(const Fixture *fixture, uint64_t offset) {
        uint8_t byte;

        assert_int_equal(pread_all(fixture->fd, &byte, 1, offset), 1);
        byte ^= 4;
        assert_int_equal(pwrite_all(fixture->fd, &byte, 1, offset), 0);
}

static ObjectReader *open_reader(const Fixture *fixture, uint64_t offset, uint64_t size) {
        ObjectReader *reader;

        assert_int_equal(
                        object_reader_new(
                                        &fixture->object, dup(fixture->fd), offset, size, &reader),
                        0);
        return reader;
}

/* Reads a part; returns 0 if it came, all of it, or the error. What comes is what is there. */
static int read_part(const Fixture *fixture, uint64_t offset, uint64_t size, size_t piece) {
        _cleanup_(object_reader_freep) ObjectReader *reader = open_reader(fixture, offset, size);
        _cleanup_free_ uint8_t *data = malloc(piece);
        uint64_t done = 0;
        ssize_t n;

        while ((n = object_reader_read(reader, data, piece)) > 0) {
                assert_true(done + (uint64_t) n <= size);
                assert_memory_equal(data, fixture->value + offset + done, (size_t) n);
                done += (uint64_t) n;
        }
        assert_true(n < 0 || done == size);
        assert_true(n == 0 || done < size || size == 0);
        return (int) n;
}

TEST(whatever_part_is_wanted_comes) {
        static const size_t sizes[] = { 1,
                                        1000,
                                        BLOCK_SIZE - 1,
                                        BLOCK_SIZE,
                                        BLOCK_SIZE + 1,
                                        2 * BLOCK_SIZE,
                                        5 * BLOCK_SIZE + 17,
                                        600 * BLOCK_SIZE + 5 };
        Fixture *fixture = *state;

        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                size_t size = sizes[i];

                make(fixture, size);
                assert_int_equal(read_part(fixture, 0, size, BLOCK_SIZE), 0);
                assert_int_equal(read_part(fixture, 0, size, 7777), 0);
                assert_int_equal(read_part(fixture, 0, size, 3 * BLOCK_SIZE), 0);
                assert_int_equal(read_part(fixture, size / 3, size / 3, 4 * BLOCK_SIZE + 1), 0);
                assert_int_equal(read_part(fixture, size / 2, size - size / 2, BLOCK_SIZE), 0);
                assert_int_equal(read_part(fixture, size - 1, 1, BLOCK_SIZE), 0);
                assert_int_equal(read_part(fixture, size / 3, size / 3, 100), 0);
                assert_int_equal(read_part(fixture, size, 0, 100), 0);
        }
}

TEST(a_damaged_block_is_not_given_out_and_the_others_are) {
        Fixture *fixture = *state;

        make(fixture, 600 * BLOCK_SIZE);
        flip(fixture, 550 * BLOCK_SIZE + 3);
        assert_int_equal(read_part(fixture, 0, 600 * BLOCK_SIZE, BLOCK_SIZE), -EBADMSG);
        assert_int_equal(read_part(fixture, 0, 550 * BLOCK_SIZE, BLOCK_SIZE), 0);
        assert_int_equal(read_part(fixture, 551 * BLOCK_SIZE, 49 * BLOCK_SIZE, BLOCK_SIZE), 0);
        assert_int_equal(read_part(fixture, 551 * BLOCK_SIZE - 1, 1, BLOCK_SIZE), -EBADMSG);

        make(fixture, 1000);
        flip(fixture, 999);
        assert_int_equal(read_part(fixture, 0, 1, BLOCK_SIZE), -EBADMSG);
}

/* How many bytes come at first, of a value whose FLIPPED byte was changed. */
static ssize_t read_first(
                Fixture *fixture, size_t size, uint64_t flipped, size_t piece, int *ret_next) {
        _cleanup_(object_reader_freep) ObjectReader *reader = NULL;
        _cleanup_free_ uint8_t *data = malloc(piece);
        ssize_t n;

        make(fixture, size);
        flip(fixture, flipped);
        reader = open_reader(fixture, 0, size);
        n = object_reader_read(reader, data, piece);
        if (n > 0)
                assert_memory_equal(data, fixture->value, (size_t) n);
        *ret_next = (int) object_reader_read(reader, data, piece);
        return n;
}

TEST(of_blocks_that_are_read_at_once_those_before_a_damaged_one_are_given_out) {
        Fixture *fixture = *state;
        size_t size = 9 * BLOCK_SIZE + 5;
        int next;

        assert_int_equal(
                        read_first(fixture, size, 3 * BLOCK_SIZE, 8 * BLOCK_SIZE, &next),
                        3 * BLOCK_SIZE);
        assert_int_equal(next, -EBADMSG);
        assert_int_equal(
                        read_first(fixture, size, size - 1, 10 * BLOCK_SIZE, &next),
                        9 * BLOCK_SIZE);
        assert_int_equal(next, -EBADMSG);
        assert_int_equal(read_first(fixture, size, 17, 8 * BLOCK_SIZE, &next), -EBADMSG);
        assert_int_equal(next, -EBADMSG);
}

TEST(what_is_before_the_end_of_a_shorter_file_is_given_out) {
        _cleanup_(object_reader_freep) ObjectReader *reader = NULL;
        _cleanup_free_ uint8_t *data = malloc(8 * BLOCK_SIZE);
        Fixture *fixture = *state;

        make(fixture, 8 * BLOCK_SIZE);
        reader = open_reader(fixture, 0, 8 * BLOCK_SIZE);
        assert_int_equal(object_reader_read(reader, data, BLOCK_SIZE), BLOCK_SIZE);
        assert_ok(ftruncate(fixture->fd, 3 * BLOCK_SIZE));
        assert_int_equal(object_reader_read(reader, data, 7 * BLOCK_SIZE), 2 * BLOCK_SIZE);
        assert_memory_equal(data, fixture->value + BLOCK_SIZE, 2 * BLOCK_SIZE);
        assert_int_equal(object_reader_read(reader, data, BLOCK_SIZE), -EBADMSG);
}

TEST(the_first_block_is_looked_at_before) {
        Fixture *fixture = *state;
        ObjectReader *reader;

        make(fixture, 4 * BLOCK_SIZE);
        flip(fixture, 2 * BLOCK_SIZE);
        reader = open_reader(fixture, 2 * BLOCK_SIZE + 5, BLOCK_SIZE);
        assert_int_equal(object_reader_begin(reader), -EBADMSG);
        (void) object_reader_free(reader);
        reader = open_reader(fixture, 0, 3 * BLOCK_SIZE);
        assert_int_equal(object_reader_begin(reader), 0);
        (void) object_reader_free(reader);
}

TEST(damaged_checksums_of_blocks_lose_nothing) {
        Fixture *fixture = *state;
        size_t size = 600 * BLOCK_SIZE;

        make(fixture, size);
        flip(fixture, size + 100);
        assert_int_equal(read_part(fixture, 0, size, BLOCK_SIZE), 0);
        assert_int_equal(read_part(fixture, 5, 10, BLOCK_SIZE), 0);
        flip(fixture, 7);
        assert_int_equal(read_part(fixture, 5, 10, BLOCK_SIZE), -EBADMSG);

        /* Those of another value are no better. */
        make(fixture, size);
        fixture->object.record.version++;
        assert_int_equal(read_part(fixture, 0, size, BLOCK_SIZE), 0);
}

TEST(a_file_from_before_is_verified_as_a_whole) {
        Fixture *fixture = *state;
        size_t size = 3 * BLOCK_SIZE + 9;
        ObjectReader *reader;

        make(fixture, size);
        assert_int_equal(ftruncate(fixture->fd, (off_t) size), 0);
        assert_int_equal(read_part(fixture, 0, size, BLOCK_SIZE), 0);
        assert_int_equal(read_part(fixture, 0, size, 999), 0);
        reader = open_reader(fixture, 1, 2);
        assert_true(object_reader_is_blind(reader));
        (void) object_reader_free(reader);

        flip(fixture, 5);
        fixture->value[5] ^= 4; /* it is given out, but never to the end */
        assert_int_equal(read_part(fixture, 0, size, BLOCK_SIZE), -EBADMSG);
        assert_int_equal(read_part(fixture, 0, size, 999), -EBADMSG);
}

TEST(a_file_that_became_shorter_is_damaged) {
        Fixture *fixture = *state;
        _cleanup_(object_reader_freep) ObjectReader *reader = NULL;
        uint8_t block[BLOCK_SIZE];

        make(fixture, 3 * BLOCK_SIZE);
        reader = open_reader(fixture, 0, 3 * BLOCK_SIZE);
        assert_int_equal(object_reader_begin(reader), 0);
        assert_int_equal(ftruncate(fixture->fd, 2 * BLOCK_SIZE - 1), 0);
        assert_int_equal(object_reader_read(reader, block, sizeof(block)), BLOCK_SIZE);
        assert_int_equal(object_reader_read(reader, block, sizeof(block)), -EBADMSG);
}

#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
int main(void) {
        const struct CMUnitTest tests[] = {
                RUN(whatever_part_is_wanted_comes),
                RUN(a_damaged_block_is_not_given_out_and_the_others_are),
                RUN(of_blocks_that_are_read_at_once_those_before_a_damaged_one_are_given_out),
                RUN(what_is_before_the_end_of_a_shorter_file_is_given_out),
                RUN(the_first_block_is_looked_at_before),
                RUN(damaged_checksums_of_blocks_lose_nothing),
                RUN(a_file_from_before_is_verified_as_a_whole),
                RUN(a_file_that_became_shorter_is_damaged),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
