/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "small-disk.h"
#include "store/log/log-fixture.h"

static bool exists(const Fixture *fixture, uint32_t number) {
        return access(segment_path(fixture, number), F_OK) >= 0;
}

static uint64_t file_size(const char *path) {
        struct stat st;

        assert_ok(stat(path, &st));
        return (uint64_t) st.st_size;
}

TEST(what_was_appended_comes_back_in_its_order) {
        Fixture *fixture = *state;
        LogPosition at[100];

        for (uint64_t tag = 0; tag < 100; tag++) {
                at[tag] = add(fixture, tag);
                if (tag % 3 == 0)
                        assert_int_equal(segment_log_append(fixture->log), 0);
        }
        assert_true(at[99].file > 3);
        for (uint64_t tag = 0; tag < 100; tag++)
                assert_int_equal(read_tag(fixture, at[tag], tag), 0);

        reopen(fixture, (LogPosition){});
        assert_seen(fixture, 0, 100);
        for (uint64_t tag = 0; tag < 100; tag++)
                assert_int_equal(read_tag(fixture, at[tag], tag), 0);

        reopen(fixture, at[50]);
        assert_seen(fixture, 50, 50);
}

TEST(what_was_not_appended_never_was) {
        Fixture *fixture = *state;

        append(fixture, 0, 2);
        (void) add(fixture, 2);
        reopen(fixture, (LogPosition){});
        assert_seen(fixture, 0, 2);
        append(fixture, 2, 1);
        reopen(fixture, (LogPosition){});
        assert_seen(fixture, 0, 3);
}

TEST(nothing_is_added_to_a_segment_of_before) {
        Fixture *fixture = *state;
        LogPosition first, second;

        first = add(fixture, 0);
        assert_int_equal(segment_log_append(fixture->log), 0);
        reopen(fixture, (LogPosition){});
        second = add(fixture, 1);
        assert_int_equal(second.file, first.file + 1);
}

TEST(a_log_takes_no_more_room_than_it_needs) {
        Fixture *fixture = *state;

        append(fixture, 1, 1);
        assert_int_equal(file_size(segment_path(fixture, 1)), SEGMENT_SIZE); /* claimed */
        segment_log_seal(fixture->log);
        assert_int_equal(file_size(segment_path(fixture, 1)), segment_log_end(fixture->log).offset);
        append(fixture, 2, 1);
        reopen(fixture, (LogPosition){});
        assert_int_equal(file_size(segment_path(fixture, 2)), segment_log_end(fixture->log).offset);
}

TEST(what_is_not_there_is_not_read) {
        Fixture *fixture = *state;
        LogPosition at, wrong;

        append(fixture, 1, 3);
        at = add(fixture, 4);
        assert_int_equal(segment_log_append(fixture->log), 0);

        wrong = at;
        wrong.file++;
        assert_int_equal(read_tag(fixture, wrong, 4), -ENODATA);
        wrong = at;
        wrong.offset += 8;
        assert_int_equal(read_tag(fixture, wrong, 4), -EBADMSG);
        wrong.offset = UINT32_MAX - 8;
        assert_int_equal(read_tag(fixture, wrong, 4), -EBADMSG);
        assert_int_equal(read_tag(fixture, at, 5), -EBADMSG); /* another size */
        assert_int_equal(read_tag(fixture, at, 4), 0);
}

TEST(an_entry_has_its_limit) {
        Fixture *fixture = *state;
        static uint8_t data[ENTRY_DATA_MAX + 1];
        _cleanup_(buffer_done) Buffer scratch = {};
        LogPosition at;
        LogEntry entry;

        assert_int_equal(
                        segment_log_add(fixture->log, 0, 0, data, ENTRY_DATA_MAX + 1, &at), -EFBIG);
        assert_int_equal(segment_log_add(fixture->log, 0, 0, data, ENTRY_DATA_MAX, &at), 0);
        assert_int_equal(segment_log_append(fixture->log), 0);
        assert_int_equal(segment_log_read(fixture->log, at, ENTRY_DATA_MAX, &scratch, &entry), 0);
}

TEST(segments_are_removed_and_those_that_read_them_are_told) {
        Fixture *fixture = *state;
        LogPosition at[60];

        for (uint64_t tag = 0; tag < 60; tag++) {
                at[tag] = add(fixture, tag);
                assert_int_equal(segment_log_append(fixture->log), 0);
        }
        segment_log_remove(fixture->log, 2);
        assert_false(exists(fixture, 2));
        for (uint64_t tag = 0; tag < 60; tag++)
                assert_int_equal(read_tag(fixture, at[tag], tag), at[tag].file == 2 ? -ENODATA : 0);

        /* One in the middle is not needed, if it lies before. */
        reopen(fixture, at[59]);
        assert_int_equal(read_tag(fixture, at[0], 0), 0);
}

static int stop(const LogEntry *entry, LogPosition at, LogPosition behind, void *userdata) {
        *(LogPosition *) userdata = behind;
        return 1;
}

TEST(a_segment_is_scanned_from_anywhere_past_its_damage) {
        Fixture *fixture = *state;
        LogPosition at[6], behind;
        Seen seen = {};

        for (uint64_t tag = 0; tag < 6; tag++)
                at[tag] = add(fixture, tag);
        assert_int_equal(segment_log_append(fixture->log), 0);

        scratch_flip_bit(segment_path(fixture, 1), at[1].offset + ENTRY_HEADER_SIZE); /* data */
        scratch_flip_bit(segment_path(fixture, 1), at[4].offset);                     /* header */
        assert_int_equal(segment_log_scan(fixture->log, (LogPosition){ 1, 0 }, on_entry, &seen), 0);
        assert_int_equal(seen.n, 4);
        assert_int_equal(seen.tags[1], 2);
        assert_int_equal(seen.tags[3], 5);

        assert_int_equal(segment_log_scan(fixture->log, at[2], stop, &behind), 1);
        assert_int_equal(behind.offset, at[3].offset);
        assert_int_equal(
                        segment_log_scan(fixture->log, (LogPosition){ 7, 0 }, stop, &behind),
                        -ENODATA);
}

/* A segment that is full, with large entries: its file is kept. */
static void fill_segment(Fixture *fixture, uint64_t tag) {
        uint32_t number = segment_log_end(fixture->log).file;

        append(fixture, tag, 1);
        number = segment_log_end(fixture->log).file;
        while (segment_log_end(fixture->log).offset < SEGMENT_SIZE)
                append(fixture, tag, 1);
        assert_int_equal(segment_log_end(fixture->log).file, number);
}

TEST(what_a_file_held_in_its_former_life_is_never_found) {
        Fixture *fixture = *state;
        Seen seen = {};
        LogPosition at;
        uint32_t size;

        fill_segment(fixture, 10);
        fill_segment(fixture, 11);
        segment_log_recycle(fixture->log, 1);
        assert_false(exists(fixture, 1));
        assert_int_equal(access(scratch_path(fixture->directory, "spare"), F_OK), 0);
        assert_int_equal(segment_log_next(fixture->log, 0, &size), 2);
        assert_int_equal(size, segment_log_end(fixture->log).offset);

        /* Entries of the same sizes: the old ones lie right behind the new one. */
        at = add(fixture, 10);
        assert_int_equal(segment_log_append(fixture->log), 0);
        assert_int_equal(at.file, 3);
        assert_true(access(scratch_path(fixture->directory, "spare"), F_OK) < 0);
        assert_true(file_size(segment_path(fixture, 3)) >= SEGMENT_SIZE);
        assert_int_equal(segment_log_scan(fixture->log, (LogPosition){ 3, 0 }, on_entry, &seen), 0);
        assert_int_equal(seen.n, 1);
        at.offset += (uint32_t) entry_size(size_of(10));
        assert_int_equal(read_tag(fixture, at, 10), -EBADMSG);

        /* The same when it is not closed: a copy of what would be there after a crash. */
        reopen(fixture, (LogPosition){ 3, 0 });
        assert_seen(fixture, 10, 1);
}

TEST(one_file_is_kept_and_given_back) {
        Fixture *fixture = *state;

        for (uint64_t tag = 10; tag < 13; tag++)
                fill_segment(fixture, tag);
        append(fixture, 13, 1);
        segment_log_recycle(fixture->log, 1);
        segment_log_recycle(fixture->log, 2);
        assert_false(exists(fixture, 1));
        assert_false(exists(fixture, 2));
        segment_log_trim(fixture->log);
        assert_true(access(scratch_path(fixture->directory, "spare"), F_OK) < 0);

        /* Too small to be kept. */
        segment_log_seal(fixture->log);
        segment_log_recycle(fixture->log, 4);
        assert_true(access(scratch_path(fixture->directory, "spare"), F_OK) < 0);
        append(fixture, 14, 1);
        assert_int_equal(segment_log_end(fixture->log).file, 5);
}

TEST(many_segments_are_read_with_few_descriptors) {
        Fixture *fixture = *state;
        LogPosition at[600];

        for (uint64_t tag = 0; tag < 600; tag++) {
                at[tag] = add(fixture, tag);
                assert_int_equal(segment_log_append(fixture->log), 0);
                segment_log_seal(fixture->log);
        }
        for (unsigned round = 0; round < 2; round++)
                for (uint64_t tag = 0; tag < 600; tag++)
                        assert_int_equal(read_tag(fixture, at[tag], tag), 0);
        assert_true(dup(0) < 400);
}

/* What is left of a segment that could not be begun is in nobody's way. */
TEST(a_name_that_is_taken_is_no_obstacle) {
        Fixture *fixture = *state;

        append(fixture, 1, 1);
        segment_log_seal(fixture->log);
        assert_ok(mknodat(fixture->dir_fd, "0000000002", S_IFREG | 0600, 0));
        append(fixture, 2, 1);
        reopen(fixture, (LogPosition){});
        assert_seen(fixture, 1, 2);
}

/* On a small file system, in a namespace of its own. */
static void fill_the_disk(const char *directory) {
        Fixture fixture = { .directory = (char *) directory };
        LogPosition at = {}, last = {};
        uint64_t tag = 0;
        uint8_t data[500];
        int r;

        fixture.dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(open_log(&fixture, (LogPosition){}), 0);
        for (;; tag++) {
                make_data(tag, data);
                r = segment_log_add(fixture.log, (uint8_t) tag, tag, data, size_of(tag), &at);
                if (r >= 0)
                        r = segment_log_append(fixture.log);
                if (r < 0)
                        break;
                last = at;
        }
        assert_int_equal(r, -ENOSPC);
        assert_true(tag > 20);
        assert_int_equal(read_tag(&fixture, last, tag - 1), 0);

        /* It stays full, and nothing is lost. */
        make_data(tag, data);
        assert_int_equal(
                        segment_log_add(fixture.log, (uint8_t) tag, tag, data, size_of(tag), &at),
                        -ENOSPC);
        reopen(&fixture, (LogPosition){});
        assert_seen(&fixture, 0, tag);

        /* With some room there is some. */
        segment_log_remove(fixture.log, 1);
        segment_log_remove(fixture.log, 2);
        (void) add(&fixture, tag);
        assert_int_equal(segment_log_append(fixture.log), 0);
        reopen(&fixture, last);
        assert_seen(&fixture, tag - 1, 2);
        (void) segment_log_free(fixture.log);
}

TEST(a_full_disk_refuses_and_loses_nothing) {
        Fixture *fixture = *state;
        int status;

        status = small_disk(fixture->directory, 200, fill_the_disk);
        if (status == -EPERM)
                skip();
        assert_int_equal(status, 0);
}

static int claim_error; /* errno, if no room is given out */

int __real_fallocate64(int fd, int mode, off_t offset, off_t size);
int __wrap_fallocate64(int fd, int mode, off_t offset, off_t size);

int __wrap_fallocate64(int fd, int mode, off_t offset, off_t size) {
        if (claim_error == 0)
                return __real_fallocate64(fd, mode, offset, size);
        errno = claim_error;
        return -1;
}

TEST(a_quota_that_is_used_up_is_a_full_disk) {
        static const int errors[] = { EDQUOT, ENOSPC };
        Fixture *fixture = *state;
        LogPosition at;

        for (size_t i = 0; i < ELEMENTSOF(errors); i++) {
                claim_error = errors[i];
                assert_int_equal(segment_log_reserve(fixture->log, 100), -ENOSPC);
                assert_int_equal(segment_log_add(fixture->log, 1, 1, "a", 1, &at), -ENOSPC);
        }
        claim_error = 0;
        assert_int_equal(segment_log_reserve(fixture->log, 100), 0);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        static const struct CMUnitTest tests[] = {
                RUN(what_was_appended_comes_back_in_its_order),
                RUN(what_was_not_appended_never_was),
                RUN(nothing_is_added_to_a_segment_of_before),
                RUN(a_log_takes_no_more_room_than_it_needs),
                RUN(what_is_not_there_is_not_read),
                RUN(an_entry_has_its_limit),
                RUN(segments_are_removed_and_those_that_read_them_are_told),
                RUN(a_segment_is_scanned_from_anywhere_past_its_damage),
                RUN(what_a_file_held_in_its_former_life_is_never_found),
                RUN(one_file_is_kept_and_given_back),
                RUN(many_segments_are_read_with_few_descriptors),
                RUN(a_name_that_is_taken_is_no_obstacle),
                RUN(a_full_disk_refuses_and_loses_nothing),
                RUN(a_quota_that_is_used_up_is_a_full_disk),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
