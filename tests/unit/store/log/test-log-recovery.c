/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is torn, and what is damaged: a log is cut, and each of its bits is flipped. And the crashes
 * that lead there. */

#include "test.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "core/checksum.h"
#include "fault.h"
#include "power.h"
#include "store/disk/disk.h"
#include "store/disk/members.h"
#include "store/log/log-fixture.h"
#include "store/log/segment.h"

/* Opens a copy of the log of FIXTURE. */
static int open_copy(const Fixture *fixture, Fixture *ret) {
        *ret = (Fixture){ .directory = scratch_copy(fixture->directory) };
        ret->dir_fd = open(ret->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return open_log(ret, (LogPosition){});
}

static void close_copy(Fixture *copy) {
        copy->log = segment_log_free(copy->log);
        closep(&copy->dir_fd);
        copy->directory = scratch_free(copy->directory);
}

/* Three appends: tags 0 and 1; 2 and 3; 4, 5 and 6. Closed. */
static LogPosition build(Fixture *fixture) {
        LogPosition last;

        append(fixture, 0, 2);
        append(fixture, 2, 2);
        last = segment_log_end(fixture->log);
        append(fixture, 4, 3);
        fixture->log = segment_log_free(fixture->log);
        return last;
}

static void cut_file(const Fixture *fixture, uint32_t number, uint64_t size) {
        assert_ok(truncate(segment_path(fixture, number), (off_t) size));
}

static void wipe(const Fixture *fixture, uint32_t number, uint64_t from, uint64_t to) {
        static const uint8_t zeroes[64 * KIB];
        int fd = open(segment_path(fixture, number), O_WRONLY | O_CLOEXEC);

        assert_true(to - from <= sizeof(zeroes));
        assert_int_equal(pwrite(fd, zeroes, to - from, (off_t) from), to - from);
        (void) close(fd);
}

static uint64_t size_of_segment(const Fixture *fixture, uint32_t number) {
        struct stat st;

        assert_ok(stat(segment_path(fixture, number), &st));
        return (uint64_t) st.st_size;
}

/* A log that was torn goes on. */
static void go_on(Fixture *log, size_t n) {
        append(log, n, 2);
        reopen(log, (LogPosition){});
        assert_seen(log, 0, n + 2);
}

TEST(a_tail_may_be_cut_anywhere) {
        Fixture *fixture = *state, copy;
        LogPosition last = build(fixture);
        uint64_t size = size_of_segment(fixture, 1);
        size_t n = 7;

        for (uint64_t end = size; end-- > last.offset;) {
                cut_file(fixture, 1, end);
                assert_int_equal(open_copy(fixture, &copy), 0);
                assert_true(copy.seen.n <= n && copy.seen.n >= 4);
                n = copy.seen.n;
                assert_seen(&copy, 0, n);
                go_on(&copy, n);
                close_copy(&copy);
        }
        assert_int_equal(n, 4);
}

/* Any part of the last append may be missing, whatever came of the rest. */
TEST(a_tail_may_have_holes) {
        Fixture *fixture = *state, copy;
        LogPosition last = build(fixture);
        uint64_t size = size_of_segment(fixture, 1);

        for (uint64_t from = last.offset; from < size; from += 16) {
                assert_int_equal(open_copy(fixture, &copy), 0);
                copy.log = segment_log_free(copy.log);
                wipe(&copy, 1, from, MIN(from + 16, size));
                assert_int_equal(open_log(&copy, (LogPosition){}), 0);
                assert_true(copy.seen.n >= 4 && copy.seen.n_damaged == 0);
                assert_seen(&copy, 0, copy.seen.n);
                go_on(&copy, copy.seen.n);
                close_copy(&copy);
        }
}

/* The first append of a segment, with its header. */
TEST(a_new_segment_may_be_torn_anywhere) {
        Fixture *fixture = *state, copy;
        uint64_t size;

        append(fixture, 0, 3);
        segment_log_seal(fixture->log);
        append(fixture, 3, 2);
        fixture->log = segment_log_free(fixture->log);
        size = size_of_segment(fixture, 2);

        for (uint64_t from = 0; from < size; from += 16) {
                assert_int_equal(open_copy(fixture, &copy), 0);
                copy.log = segment_log_free(copy.log);
                wipe(&copy, 2, from, MIN(from + 16, size));
                assert_int_equal(open_log(&copy, (LogPosition){}), 0);
                assert_true(copy.seen.n >= 3 && copy.seen.n_damaged == 0);
                assert_seen(&copy, 0, copy.seen.n);
                go_on(&copy, copy.seen.n);
                close_copy(&copy);

                cut_file(fixture, 2, size - from);
                assert_int_equal(open_copy(fixture, &copy), 0);
                assert_seen(&copy, 0, copy.seen.n);
                go_on(&copy, copy.seen.n);
                close_copy(&copy);
        }
}

/* Opens a copy with one bit flipped. All that was flushed before the last append is there, or it is
 * said that it is not. */
static void flip(const Fixture *fixture, uint32_t number, uint64_t offset, size_t n_flushed) {
        Fixture copy;
        int r;

        assert_int_equal(open_copy(fixture, &copy), 0);
        copy.log = segment_log_free(copy.log);
        scratch_flip_bit(segment_path(&copy, number), offset);
        disk_note_damage("%s", "");
        r = open_log(&copy, (LogPosition){});
        if (r < 0) {
                assert_int_equal(r, -EBADMSG);
                assert_non_null(strstr(disk_last_damage(), "offset"));
        } else {
                assert_seen(&copy, 0, copy.seen.n);
                assert_true(copy.seen.n >= n_flushed);
                assert_true(copy.seen.n_damaged <= 1);
        }
        close_copy(&copy);
}

TEST(any_flipped_bit_is_damage_or_a_torn_tail) {
        Fixture *fixture = *state;
        uint64_t size;

        (void) build(fixture);
        size = size_of_segment(fixture, 1);
        for (uint64_t offset = 64; offset < size; offset++)
                flip(fixture, 1, offset, 4);
}

/* A segment with another one behind it was flushed to its end, and that knows where it is. */
TEST(an_earlier_segment_has_no_torn_tail) {
        Fixture *fixture = *state, copy;
        uint64_t size;

        append(fixture, 0, 3);
        segment_log_seal(fixture->log);
        size = size_of_segment(fixture, 1);
        append(fixture, 3, 2);
        append(fixture, 5, 2);
        fixture->log = segment_log_free(fixture->log);

        for (uint64_t offset = 0; offset < size; offset++)
                flip(fixture, 1, offset, 5);
        for (uint64_t offset = 0; offset < 64; offset++)
                flip(fixture, 2, offset, 7);
        for (uint64_t end = 0; end < size; end += 8) {
                assert_int_equal(open_copy(fixture, &copy), 0);
                copy.log = segment_log_free(copy.log);
                cut_file(&copy, 1, end);
                assert_int_equal(open_log(&copy, (LogPosition){}), -EBADMSG);
                close_copy(&copy);
        }
}

TEST(damaged_data_are_the_damage_of_one_entry) {
        Fixture *fixture = *state, copy;
        LogPosition at;

        append(fixture, 0, 1);
        at = add(fixture, 1);
        append(fixture, 2, 1);
        append(fixture, 3, 2);
        fixture->log = segment_log_free(fixture->log);
        scratch_flip_bit(segment_path(fixture, 1), at.offset + ENTRY_HEADER_SIZE);
        assert_int_equal(open_copy(fixture, &copy), 0);
        assert_seen(&copy, 0, 5);
        assert_int_equal(copy.seen.n_damaged, 1);
        assert_int_equal(read_tag(&copy, at, 1), -EBADMSG);
        assert_int_equal(read_tag(&copy, copy.seen.at[4], 4), 0);
        close_copy(&copy);
}

TEST(a_missing_segment_is_named) {
        Fixture *fixture = *state;
        LogPosition second = {};

        for (uint64_t tag = 0; tag < 3; tag++) {
                append(fixture, tag, 1);
                if (tag == 1)
                        second = segment_log_end(fixture->log);
                segment_log_seal(fixture->log);
        }
        fixture->log = segment_log_free(fixture->log);

        /* One from before the position is not needed to open. */
        assert_ok(unlink(segment_path(fixture, 1)));
        assert_int_equal(open_log(fixture, second), 0);
        fixture->log = segment_log_free(fixture->log);

        assert_ok(unlink(segment_path(fixture, 2)));
        assert_int_equal(open_log(fixture, second), -ENOMEDIUM);
        assert_string_equal(members_missing(), "0000000002");
}

TEST(a_segment_that_is_missing_between_others_is_damage) {
        Fixture *fixture = *state;

        for (uint64_t tag = 0; tag < 3; tag++) {
                append(fixture, tag, 1);
                segment_log_seal(fixture->log);
        }
        fixture->log = segment_log_free(fixture->log);
        assert_ok(unlink(segment_path(fixture, 2)));
        assert_int_equal(open_log(fixture, (LogPosition){}), -EBADMSG);
        assert_non_null(strstr(disk_last_damage(), "missing"));
}

/* It was flushed up to FROM. */
TEST(a_log_that_is_shorter_than_it_was_is_damage) {
        Fixture *fixture = *state;
        LogPosition last = build(fixture);

        cut_file(fixture, 1, last.offset - 8);
        assert_int_equal(open_log(fixture, last), -EBADMSG);
        assert_non_null(strstr(disk_last_damage(), "truncated"));
}

TEST(a_segment_of_another_log_or_format_is_refused) {
        Fixture *fixture = *state, copy;
        const SegmentHeader header = { .log_id = 98, .number = 1 };
        uint8_t data[SEGMENT_HEADER_SIZE];
        uint64_t sum;
        int fd;

        append(fixture, 0, 2);
        append(fixture, 2, 2);
        fixture->log = segment_log_free(fixture->log);

        segment_header_encode(&header, data);
        fd = open(segment_path(fixture, 1), O_WRONLY | O_CLOEXEC);
        assert_int_equal(pwrite(fd, data, sizeof(data), 0), sizeof(data));
        assert_int_equal(open_copy(fixture, &copy), -EBADMSG);
        close_copy(&copy);

        data[8] = 2; /* the format */
        sum = checksum_seeded(data, sizeof(data) - sizeof(sum), 0);
        memcpy(data + sizeof(data) - sizeof(sum), &sum, sizeof(sum));
        assert_int_equal(pwrite(fd, data, sizeof(data), 0), sizeof(data));
        assert_int_equal(open_copy(fixture, &copy), -EPROTONOSUPPORT);
        close_copy(&copy);
        (void) close(fd);
}

/* What a failed flush leaves behind */

/* Of a segment, since it is watched: what was written, and how many entries were given out when it
 * was flushed. */
static struct {
        uint64_t inode, begin, end;
        bool is_same, is_flushed;
        const Seen *seen;
        size_t n_seen; /* at the flush */
        uint8_t before[SEGMENT_SIZE];
} watched;

static void watch_call(const FaultCall *call) {
        if (call->inode != watched.inode)
                return;
        if (call->kind == FAULT_WRITE) {
                watched.begin = MIN(watched.begin, call->offset);
                watched.end = MAX(watched.end, call->offset + call->size);
                watched.is_same &= memcmp(watched.before + call->offset, call->data, call->size) ==
                                   0;
        }
        if (call->kind == FAULT_FLUSH) {
                watched.is_flushed = true;
                watched.n_seen = watched.seen->n;
        }
}

/* Opens the log, which writes that part of a segment over itself, and gives out N entries after it.
 */
static void open_watched(
                Fixture *fixture, uint32_t number, uint64_t begin, uint64_t end, size_t n) {
        struct stat st;
        int fd = open(segment_path(fixture, number), O_RDONLY | O_CLOEXEC);

        assert_ok(fstat(fd, &st));
        memset(&watched, 0, sizeof(watched));
        assert_true(pread(fd, watched.before, sizeof(watched.before), 0) >= 0);
        (void) close(fd);

        watched.inode = st.st_ino;
        watched.begin = UINT64_MAX;
        watched.is_same = true;
        watched.seen = &fixture->seen;
        fault_observe(watch_call);
        assert_int_equal(open_log(fixture, (LogPosition){}), 0);
        fault_observe(NULL);

        assert_int_equal(watched.begin, begin);
        assert_int_equal(watched.end, end);
        assert_true(watched.is_same && watched.is_flushed);
        assert_int_equal(watched.n_seen, 0);
        assert_seen(fixture, 0, n);
}

/* The system forgets that a page could not be written: to flush it again does nothing. */
TEST(the_last_append_is_written_once_more_before_it_is_given_out) {
        Fixture *fixture = *state;
        LogPosition last = build(fixture), end;

        open_watched(fixture, 1, last.offset, size_of_segment(fixture, 1), 7);

        /* The first one of a segment, with its header. */
        append(fixture, 7, 2);
        end = segment_log_end(fixture->log);
        fixture->log = segment_log_free(fixture->log);
        open_watched(fixture, 2, 0, end.offset, 9);

        /* While there is an empty one behind it. */
        assert_int_equal(segment_log_reserve(fixture->log, KIB), 0);
        assert_int_equal(segment_log_end(fixture->log).file, 3);
        fixture->log = segment_log_free(fixture->log);
        open_watched(fixture, 2, 0, end.offset, 9);
}

/* Crashes */

#define STEPS 40

#define CHECK(condition) \
        do \
                if (!(condition)) { \
                        (void) fprintf(stderr, "line %i: %s (%s)\n", __LINE__, #condition, \
                                       disk_last_damage()); \
                        abort(); \
                } \
        while (false)

static int append_step(SegmentLog *log, uint64_t step) {
        uint8_t data[500];
        LogPosition at;
        int r = 0;

        for (uint64_t tag = 3 * step; tag < 3 * step + 3 && r >= 0; tag++) {
                make_data(tag, data);
                r = segment_log_add(log, (uint8_t) tag, tag, data, size_of(tag), &at);
        }
        if (r >= 0)
                return segment_log_append(log);

        CHECK(segment_log_append(log) == 0 || r < 0); /* those that found room */
        return r;
}

/* Segments are recycled as soon as there are three, and it is opened again in the middle. */
static void scene(const char *directory) {
        Fixture fixture = { .directory = (char *) directory };

        fixture.dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (open_log(&fixture, (LogPosition){}) < 0)
                return;
        for (uint64_t step = 0; step < STEPS; step++) {
                LogPosition end;

                if (append_step(fixture.log, step) < 0)
                        return;
                fault_acknowledge((uint8_t) step);
                end = segment_log_end(fixture.log);
                if (end.file > 3)
                        segment_log_recycle(fixture.log, end.file - 3);
                if (step == STEPS / 2) {
                        fixture.log = segment_log_free(fixture.log);
                        if (open_log(&fixture, end) < 0)
                                return;
                }
        }
        fixture.log = segment_log_free(fixture.log);
}

static void check(const char *directory, const uint8_t *acknowledged, size_t n_acknowledged) {
        Fixture fixture = { .directory = (char *) directory };
        uint64_t first, last;

        fixture.dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CHECK(open_log(&fixture, (LogPosition){}) == 0);
        CHECK(fixture.seen.n_damaged == 0);
        if (n_acknowledged > 0) {
                CHECK(fixture.seen.n > 0);
                first = fixture.seen.tags[0];
                last = fixture.seen.tags[fixture.seen.n - 1];
                CHECK(last + 1 == first + fixture.seen.n);
                CHECK(last >= 3 * n_acknowledged - 1);
                CHECK(last <= 3 * n_acknowledged + 2);
        }
        for (size_t i = 0; i < fixture.seen.n; i++)
                CHECK(read_tag(&fixture, fixture.seen.at[i], fixture.seen.tags[i]) == 0);
        CHECK(append_step(fixture.log, STEPS) == 0);
        fixture.log = segment_log_free(fixture.log);
}

static const FaultSweep crash = { scene, check };

TEST(the_log_survives_errors) {
        assert_in_range(fault_sweep(&crash, FAULT_ERROR), 80, 500);
}

TEST(the_log_survives_a_full_disk) {
        assert_in_range(fault_sweep(&crash, FAULT_FULL), 80, 500);
}

TEST(the_log_survives_the_death_of_its_process) {
        assert_in_range(fault_sweep(&crash, FAULT_DIE), 80, 500);
}

TEST(the_log_survives_losses_of_power) {
        const char *states = getenv("DKV_POWER_STATES");

        assert_int_equal(power_loss(&crash, states ? (unsigned) atoi(states) : 250, 1), 0);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        static const struct CMUnitTest tests[] = {
                RUN(a_tail_may_be_cut_anywhere),
                RUN(a_tail_may_have_holes),
                RUN(a_new_segment_may_be_torn_anywhere),
                RUN(any_flipped_bit_is_damage_or_a_torn_tail),
                RUN(an_earlier_segment_has_no_torn_tail),
                RUN(damaged_data_are_the_damage_of_one_entry),
                RUN(a_missing_segment_is_named),
                RUN(a_segment_that_is_missing_between_others_is_damage),
                RUN(a_log_that_is_shorter_than_it_was_is_damage),
                RUN(a_segment_of_another_log_or_format_is_refused),
                RUN(the_last_append_is_written_once_more_before_it_is_given_out),
                cmocka_unit_test(the_log_survives_errors),
                cmocka_unit_test(the_log_survives_a_full_disk),
                cmocka_unit_test(the_log_survives_the_death_of_its_process),
                cmocka_unit_test(the_log_survives_losses_of_power),
        };

        if (access("/dev/shm", W_OK) >= 0)
                (void) setenv("TMPDIR", "/dev/shm", 0);

        return cmocka_run_group_tests(tests, NULL, NULL);
}
