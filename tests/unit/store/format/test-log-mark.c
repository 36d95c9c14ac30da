/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "scratch.h"
#include "store/format/log-mark.h"

static const LogMark some = {
        .id = UINT64_C(0x1122334455667788),
        .flushed = { 3, 0x1000 },
        .needed = { 2, 0x40 },
        .size = 0x100000,
};

typedef struct Place {
        char *directory;
        int dir_fd;
        int fd; /* of the file, once it is there */
} Place;

static int setup(void **state) {
        Place *place = calloc(1, sizeof(*place));

        place->directory = scratch_new();
        place->dir_fd = open(place->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        place->fd = -1;
        assert_ok(place->dir_fd);
        *state = place;
        return 0;
}

static int teardown(void **state) {
        Place *place = *state;

        closep(&place->fd);
        closep(&place->dir_fd);
        (void) scratch_free(place->directory);
        free(place);
        return 0;
}

static void create(Place *place, const LogMark *mark) {
        assert_int_equal(log_mark_create(place->dir_fd, mark), 0);
        place->fd = openat(place->dir_fd, LOG_MARK_FILE, O_RDWR | O_CLOEXEC);
        assert_ok(place->fd);
}

static void assert_position(LogPosition position, uint32_t file, uint32_t offset) {
        assert_int_equal(position.file, file);
        assert_int_equal(position.offset, offset);
}

static void assert_mark(Place *place, const LogMark *expected) {
        LogMark mark;

        assert_int_equal(log_mark_read(place->dir_fd, &mark), 0);
        assert_true(mark.id == expected->id);
        assert_position(mark.flushed, expected->flushed.file, expected->flushed.offset);
        assert_position(mark.needed, expected->needed.file, expected->needed.offset);
        assert_int_equal(mark.size, expected->size);
}

TEST(positions_are_ordered_by_file_and_then_by_offset) {
        static const LogPosition ordered[] = {
                { 0, 0 }, { 0, 1 }, { 0, UINT32_MAX }, { 1, 0 }, { 2, 7 }, { UINT32_MAX, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(ordered); i++)
                for (size_t j = 0; j < ELEMENTSOF(ordered); j++) {
                        int r = log_position_compare(ordered[i], ordered[j]);

                        assert_true(i < j ? r < 0 : i > j ? r > 0 : r == 0);
                }
}

TEST(logs_are_named_as_berkeley_db_names_them) {
        char name[LOG_NAME_SIZE];

        log_name(1, name);
        assert_string_equal(name, "log.0000000001");
        log_name(UINT32_MAX, name);
        assert_string_equal(name, "log.4294967295");
}

TEST(a_mark_that_was_made_is_read_back) {
        create(*state, &some);
        assert_mark(*state, &some);
}

/* Whoever opens an environment of an older version has to find its mark. */
TEST(the_bytes_of_the_file_are_these) {
        static const uint8_t body[] = "dkvmark0"
                                      "\x88\x77\x66\x55\x44\x33\x22\x11"
                                      "\x03\x00\x00\x00\x00\x10\x00\x00"
                                      "\x02\x00\x00\x00\x40\x00\x00\x00"
                                      "\x00\x00\x10\x00";
        Place *place = *state;
        uint8_t bytes[sizeof(body) - 1];

        create(place, &some);
        assert_int_equal(pread_all(place->fd, bytes, sizeof(bytes), 0), sizeof(bytes));
        assert_memory_equal(bytes, body, sizeof(bytes));
}

TEST(a_directory_without_the_file_has_no_mark) {
        Place *place = *state;
        LogMark mark;

        assert_int_equal(log_mark_read(place->dir_fd, &mark), -ENOENT);
}

/* What reached the disk by itself may be behind what was flushed, or ahead of it. */
TEST(the_slot_that_says_more_counts) {
        Place *place = *state;
        LogMark quick = some, sure = some, both = some;

        quick.flushed = (LogPosition){ 3, 0x2000 };
        quick.size = 0;
        sure.needed = (LogPosition){ 3, 0x80 };

        create(place, &some);
        assert_int_equal(log_mark_write(place->fd, LOG_MARK_QUICK, &quick), 0);
        assert_mark(place, &quick);

        assert_int_equal(log_mark_write(place->fd, LOG_MARK_SURE, &sure), 0);
        both.flushed = quick.flushed;
        both.size = quick.size;
        both.needed = sure.needed;
        assert_mark(place, &both);
}

TEST(an_older_quick_slot_takes_nothing_back) {
        Place *place = *state;
        LogMark quick = some;

        quick.flushed = (LogPosition){ 2, 0x5000 };
        quick.needed = (LogPosition){ 1, 0 };
        create(place, &some);
        assert_int_equal(log_mark_write(place->fd, LOG_MARK_QUICK, &quick), 0);
        assert_mark(place, &some);
}

/* It is left from a log that was there before this one. */
TEST(a_quick_slot_of_another_log_is_not_believed) {
        Place *place = *state;
        LogMark quick = some;

        quick.id++;
        quick.flushed = (LogPosition){ 100, 0 };
        create(place, &some);
        assert_int_equal(log_mark_write(place->fd, LOG_MARK_QUICK, &quick), 0);
        assert_mark(place, &some);
}

static void flip(Place *place, uint64_t offset, unsigned bit) {
        uint8_t byte;

        assert_int_equal(pread_all(place->fd, &byte, 1, offset), 1);
        byte ^= (uint8_t) (1 << bit);
        assert_int_equal(pwrite_all(place->fd, &byte, 1, offset), 0);
}

#define SLOT_SIZE     (8 + 8 + 4 * 4 + 4 + 16)
#define SLOT_DISTANCE 4096

TEST(any_flipped_bit_of_a_slot_leaves_the_other_one) {
        Place *place = *state;
        LogMark quick = some, mark;

        quick.flushed.offset += 64;
        create(place, &some);
        assert_int_equal(log_mark_write(place->fd, LOG_MARK_QUICK, &quick), 0);

        for (unsigned i = 0; i < SLOT_SIZE * 8; i++) {
                flip(place, i / 8, i % 8);
                assert_mark(place, &quick); /* what is needed is in both */
                flip(place, SLOT_DISTANCE + i / 8, i % 8);
                assert_int_equal(log_mark_read(place->dir_fd, &mark), -ENOENT);
                flip(place, i / 8, i % 8);
                assert_mark(place, &some);
                flip(place, SLOT_DISTANCE + i / 8, i % 8);
        }
}

TEST(a_file_that_is_cut_anywhere_is_read_as_far_as_it_goes) {
        Place *place = *state;
        LogMark quick = some, mark;

        quick.flushed.offset += 64;
        create(place, &some);
        assert_int_equal(log_mark_write(place->fd, LOG_MARK_QUICK, &quick), 0);

        for (off_t size = SLOT_DISTANCE + SLOT_SIZE; size >= 0; size--) {
                assert_int_equal(ftruncate(place->fd, size), 0);
                if (size == SLOT_DISTANCE + SLOT_SIZE)
                        assert_mark(place, &quick);
                else if (size >= SLOT_SIZE)
                        assert_mark(place, &some);
                else
                        assert_int_equal(log_mark_read(place->dir_fd, &mark), -ENOENT);
        }
}

TEST(a_file_of_another_size_is_none) {
        Place *place = *state;
        LogMark mark;

        create(place, &some);
        assert_int_equal(ftruncate(place->fd, 1 << 20), 0);
        assert_int_equal(log_mark_read(place->dir_fd, &mark), -ENOENT);
}

#define RUN(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                RUN(positions_are_ordered_by_file_and_then_by_offset),
                RUN(logs_are_named_as_berkeley_db_names_them),
                RUN(a_mark_that_was_made_is_read_back),
                RUN(the_bytes_of_the_file_are_these),
                RUN(a_directory_without_the_file_has_no_mark),
                RUN(the_slot_that_says_more_counts),
                RUN(an_older_quick_slot_takes_nothing_back),
                RUN(a_quick_slot_of_another_log_is_not_believed),
                RUN(any_flipped_bit_of_a_slot_leaves_the_other_one),
                RUN(a_file_that_is_cut_anywhere_is_read_as_far_as_it_goes),
                RUN(a_file_of_another_size_is_none),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
