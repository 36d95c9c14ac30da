/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is damaged or missing in the log of an environment: either nothing that was acknowledged is
 * lost, or it is not opened, nothing in the directory changes, and the place is named. */

#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "scratch.h"
#include "store/disk/disk.h"
#include "store/format/log-pages.h"
#include "store/format/log-scan.h"
#include "store/index/index.h"

#define KEYS  600
#define FLIPS 300

#define CHECKPOINT_SIZE (384 * KIB)

static uint64_t checkpoint_size = CHECKPOINT_SIZE;

static EnvironmentOptions make_options(const char *directory) {
        return (EnvironmentOptions){
                .directory = directory,
                .log_size = 64 * KIB,
                .checkpoint_size = checkpoint_size,
        };
}

static void key_of(unsigned i, char ret[static 16]) {
        (void) snprintf(ret, 16, "key/%u", i);
}

static int put(Index *index, unsigned i) {
        static char metadata[300] = "m";
        char key[16];
        IndexCommit commit = {
                .request.done = scratch_answered,
                .key = key,
                .record = { .version = i + 1,
                            .content_type = "",
                            .metadata = metadata,
                            .metadata_size = sizeof(metadata) },
        };

        memset(metadata + 2, 'v', sizeof(metadata) - 3);
        key_of(i, key);
        index_commit(index, &commit);
        return scratch_wait();
}

/* Fills an index in another process, and closes it there or does not. */
static void fill(const char *directory, unsigned n_keys, bool clean) {
        EnvironmentOptions options = make_options(directory);
        Index *index;
        int status;
        pid_t pid;

        pid = fork();
        assert_ok(pid);
        if (pid == 0) {
                if (scratch_open_index(&options, &index) < 0)
                        _exit(1);
                for (unsigned i = 0; i < n_keys; i++)
                        if (put(index, i) < 0)
                                _exit(1);
                if (clean)
                        (void) index_free(index);
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

/* All of its logs are needed. */
static void fill_without_checkpoint(const char *directory, unsigned n_keys) {
        checkpoint_size = 8 * MIB;
        fill(directory, n_keys, false);
        checkpoint_size = CHECKPOINT_SIZE;
}

static bool has_all(Index *index) {
        for (unsigned i = 0; i < KEYS; i++) {
                _cleanup_(buffer_done) Buffer scratch = {};
                Record record;
                char key[16];

                key_of(i, key);
                if (index_get(index, key, &scratch, &record) != 0 || record.version != i + 1)
                        return false;
        }
        return true;
}

/* Returns whether it was refused. */
static bool is_refused(const char *directory, const char *name) {
        EnvironmentOptions options = make_options(directory);
        _cleanup_(scratch_freep) char *before = scratch_copy(directory);
        Index *index;
        int r;

        r = scratch_open_index(&options, &index);
        if (r == 0) {
                assert_true(has_all(index));
                assert_null(index_free(index));
                return false;
        }

        assert_int_equal(r, -EBADMSG);
        assert_non_null(strstr(disk_last_damage(), name));
        assert_non_null(strstr(disk_last_damage(), "offset "));
        assert_true(scratch_equal(before, directory));
        return true;
}

typedef struct Logs {
        uint32_t first, last;
} Logs;

static Logs find_logs(const char *directory) {
        Logs logs = { .first = UINT32_MAX };
        struct dirent *entry;
        DIR *dir = opendir(directory);

        assert_non_null(dir);
        while ((entry = readdir(dir))) {
                uint32_t number;

                if (sscanf(entry->d_name, "log.%010" SCNu32, &number) == 1) {
                        logs.first = MIN(logs.first, number);
                        logs.last = MAX(logs.last, number);
                }
        }
        (void) closedir(dir);
        return logs;
}

static const char *path_of(const char *directory, uint32_t log) {
        char name[LOG_NAME_SIZE];

        log_name(log, name);
        return scratch_path(directory, name);
}

static LogScan scan(const char *directory) {
        _cleanup_close_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        LogScan scan = {};
        LogMark mark;

        assert_ok(fd);
        assert_int_equal(log_mark_read(fd, &mark), 0);
        assert_int_equal(log_scan(fd, &mark, &scan), 0);
        return scan;
}

/* After a loss of power: what the system had not written yet of its own accord. */
static void lose_quick_mark(const char *directory) {
        static const uint8_t zeroes[4096] = {};
        _cleanup_close_ int fd = open(scratch_path(directory, LOG_MARK_FILE), O_WRONLY | O_CLOEXEC);

        assert_ok(fd);
        assert_int_equal(pwrite_all(fd, zeroes, sizeof(zeroes), sizeof(zeroes)), 0);
}

/* Flips bits all over the log. Returns how many led to a refusal. */
static unsigned flip_all_over(const char *directory, unsigned n) {
        LogScan whole = scan(directory);
        Logs logs = find_logs(directory);
        uint64_t size = (uint64_t) (logs.last - logs.first) * 64 * KIB + whole.end.offset;
        unsigned refused = 0;

        for (unsigned i = 0; i < n; i++) {
                _cleanup_(scratch_freep) char *copy = scratch_copy(directory);
                uint64_t place = size * i / n + i % 61;
                uint32_t log = logs.first + (uint32_t) (place / (64 * KIB));
                char name[LOG_NAME_SIZE];

                log_name(log, name);
                scratch_flip_bit(scratch_path(copy, name), place % (64 * KIB - 1));
                refused += is_refused(copy, name);
        }

        print_message("%u of %u refused, logs %u to %u\n", refused, n, logs.first, logs.last);
        return refused;
}

TEST(a_flip_after_the_death_of_the_process_loses_nothing) {
        _cleanup_(scratch_freep) char *directory = scratch_new(), *copy = NULL;

        fill(directory, KEYS, false);
        copy = scratch_copy(directory);
        assert_false(is_refused(copy, ""));
        assert_in_range(flip_all_over(directory, FLIPS), FLIPS / 3, FLIPS);
}

TEST(a_flip_after_a_clean_end_loses_nothing) {
        _cleanup_(scratch_freep) char *directory = scratch_new();

        fill(directory, KEYS, true);
        (void) flip_all_over(directory, FLIPS / 6);
}

/* Without the mark there are the claims. */
TEST(a_flip_after_a_loss_of_power_is_found_if_there_is_a_batch_behind) {
        _cleanup_(scratch_freep) char *directory = scratch_new();
        LogScan whole;

        fill(directory, KEYS, false);
        lose_quick_mark(directory);
        whole = scan(directory);
        for (uint32_t offset = 100; offset + 6000 < whole.end.offset; offset += 997) {
                _cleanup_(scratch_freep) char *copy = scratch_copy(directory);

                scratch_flip_bit(path_of(copy, whole.end.file), offset);
                assert_true(is_refused(copy, "log."));
        }
}

TEST(a_log_that_is_missing_is_named) {
        _cleanup_(scratch_freep) char *directory = scratch_new();
        Logs logs;

        fill_without_checkpoint(directory, KEYS);
        logs = find_logs(directory);
        assert_true(logs.last > logs.first);
        for (uint32_t log = logs.first; log <= logs.last; log++) {
                _cleanup_(scratch_freep) char *copy = scratch_copy(directory);
                char name[LOG_NAME_SIZE];

                log_name(log, name);
                assert_ok(unlink(path_of(copy, log)));
                assert_true(is_refused(copy, name));
        }
}

TEST(a_log_that_is_cut_or_zeroed_is_named) {
        _cleanup_(scratch_freep) char *directory = scratch_new();
        LogScan whole;

        fill_without_checkpoint(directory, KEYS);
        whole = scan(directory);
        for (uint32_t log = find_logs(directory).first; log <= whole.end.file; log++) {
                uint32_t end = log == whole.end.file ? whole.end.offset : 60 * KIB;

                for (unsigned i = 0; i < 8; i++) {
                        _cleanup_(scratch_freep) char *copy = scratch_copy(directory);
                        _cleanup_free_ char *zeroes = calloc(1, 64 * KIB);
                        uint32_t offset = end / 8 * i;
                        char name[LOG_NAME_SIZE];
                        int fd;

                        log_name(log, name);
                        assert_ok(truncate(path_of(copy, log), offset));
                        assert_true(is_refused(copy, name));

                        fd = open(path_of(copy, log), O_WRONLY | O_CLOEXEC);
                        assert_ok(pwrite_all(fd, zeroes, 64 * KIB - 1 - offset, offset));
                        (void) close(fd);
                        assert_true(is_refused(copy, name));
                }
        }
}

TEST(logs_that_changed_places_are_noticed) {
        _cleanup_(scratch_freep) char *directory = scratch_new();
        LogScan whole;

        fill_without_checkpoint(directory, KEYS);
        whole = scan(directory);
        for (uint32_t log = find_logs(directory).first; log < whole.end.file; log++) {
                _cleanup_(scratch_freep) char *copy = scratch_copy(directory);
                char other[64];

                (void) snprintf(other, sizeof(other), "%s.other", path_of(copy, log));
                assert_ok(rename(path_of(copy, log), other));
                {
                        char next[64];

                        (void) snprintf(next, sizeof(next), "%s", path_of(copy, log + 1));
                        assert_ok(rename(next, path_of(copy, log)));
                        assert_ok(rename(other, next));
                }
                assert_true(is_refused(copy, "log."));
        }
}

TEST(a_log_of_another_index_is_noticed) {
        _cleanup_(scratch_freep) char *directory = scratch_new(), *other = scratch_new();
        Logs logs, others;

        fill_without_checkpoint(directory, KEYS);
        fill_without_checkpoint(other, KEYS);
        logs = find_logs(directory);
        others = find_logs(other);
        for (uint32_t log = MAX(logs.first, others.first); log <= MIN(logs.last, others.last);
             log++) {
                _cleanup_(scratch_freep) char *copy = scratch_copy(directory);
                _cleanup_free_ char *content = NULL;
                size_t size;
                int fd;

                assert_int_equal(read_file(AT_FDCWD, path_of(other, log), MIB, &content, &size), 0);
                fd = open(path_of(copy, log), O_WRONLY | O_TRUNC | O_CLOEXEC);
                assert_ok(write_all(fd, content, size));
                (void) close(fd);
                assert_true(is_refused(copy, "log."));
        }
}

/* Where the claim of the last batch says that the log was flushed before. */
static LogPosition last_claim(const char *directory) {
        _cleanup_free_ char *content = NULL;
        LogPosition claimed = {};
        size_t size;
        char *p;

        assert_int_equal(
                        read_file(AT_FDCWD, path_of(directory, find_logs(directory).last), MIB,
                                  &content, &size),
                        0);
        for (p = content; (p = memmem(p, size - (size_t) (p - content), "dkv-claim ", 10)); p++)
                assert_int_equal(
                                sscanf(p, "dkv-claim %*x %" SCNu32 " %" SCNu32, &claimed.file,
                                       &claimed.offset),
                                2);
        return claimed;
}

/* Of the last write, the first sector did not come to the disk, and what is behind it did. */
TEST(a_torn_tail_is_accepted) {
        _cleanup_(scratch_freep) char *directory = scratch_new();
        LogPosition flushed;

        fill_without_checkpoint(directory, KEYS + 1);
        lose_quick_mark(directory);

        flushed = last_claim(directory);
        assert_int_equal(flushed.file, find_logs(directory).last);
        scratch_flip_bit(path_of(directory, flushed.file), flushed.offset + 20);
        assert_int_equal(log_position_compare(scan(directory).end, flushed), 0);
        assert_false(is_refused(directory, ""));
}

/* What has been written to a log that grows need not be flushed. */
TEST(the_size_of_a_log_that_grows_is_not_relied_upon) {
        _cleanup_(scratch_freep) char *directory = scratch_new();
        _cleanup_close_ int fd = -1;
        LogMark mark;

        fill(directory, 1, false);
        fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(log_mark_read(fd, &mark), 0);
        assert_int_equal(mark.flushed.file, 1);
        assert_int_equal(mark.size, 0);
}

static void put_prefix(Buffer *record, uint32_t type) {
        buffer_clear(record);
        buffer_put_u32(record, type);
        buffer_put_u32(record, 0); /* no transaction */
        buffer_put_u64(record, 0); /* nothing before it */
}

static void note_allocation(LogPages *pages, uint32_t offset, uint32_t file, uint32_t page) {
        _cleanup_(buffer_done) Buffer record = {};

        put_prefix(&record, 49);
        buffer_put_u32(&record, file);
        buffer_put_u64(&record, 0);
        buffer_put_u32(&record, 0);
        buffer_put_u64(&record, 0);
        buffer_put_u32(&record, page);
        log_pages_note((LogPosition){ 1, offset }, record.data, record.size, pages);
}

static void note_name(LogPages *pages, uint32_t offset, uint32_t file, const char *name) {
        _cleanup_(buffer_done) Buffer record = {};

        put_prefix(&record, 2);
        buffer_put_u32(&record, 1);
        buffer_put_u32(&record, (uint32_t) strlen(name) + 1);
        buffer_put(&record, name, strlen(name) + 1);
        buffer_put_u32(&record, 4);
        buffer_put(&record, "uid", 4);
        buffer_put_u32(&record, file);
        log_pages_note((LogPosition){ 1, offset }, record.data, record.size, pages);
}

/* Pages are allocated while a checkpoint is made, and only at its end it names the files. */
TEST(pages_that_are_allocated_before_their_file_is_named_are_known) {
        _cleanup_(log_pages_freep) LogPages *pages = NULL;

        assert_int_equal(log_pages_new(&pages), 0);
        note_allocation(pages, 100, 1, 7);
        note_allocation(pages, 200, 2, 8);
        note_name(pages, 300, 1, "index.db");
        note_name(pages, 400, 2, "state.db");
        note_allocation(pages, 500, 2, 9);
        assert_int_equal(log_pages_complete(pages, (LogPosition){ 1, 100 }), 0);

        assert_true(log_pages_has("index.db", 7, pages));
        assert_true(log_pages_has("state.db", 8, pages));
        assert_true(log_pages_has("state.db", 9, pages));
        assert_false(log_pages_has("index.db", 8, pages));
        assert_false(log_pages_has("state.db", 7, pages));
}

TEST(an_index_of_before_has_no_mark_and_gets_one) {
        _cleanup_(scratch_freep) char *directory = scratch_new();

        fill(directory, KEYS, false);
        assert_ok(unlink(scratch_path(directory, LOG_MARK_FILE)));
        assert_ok(unlink(scratch_path(directory, "members")));
        assert_false(is_refused(directory, ""));
        assert_ok(access(scratch_path(directory, LOG_MARK_FILE), F_OK));
        assert_false(is_refused(directory, ""));
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_flip_after_the_death_of_the_process_loses_nothing),
                cmocka_unit_test(a_flip_after_a_clean_end_loses_nothing),
                cmocka_unit_test(a_flip_after_a_loss_of_power_is_found_if_there_is_a_batch_behind),
                cmocka_unit_test(a_log_that_is_missing_is_named),
                cmocka_unit_test(a_log_that_is_cut_or_zeroed_is_named),
                cmocka_unit_test(logs_that_changed_places_are_noticed),
                cmocka_unit_test(a_log_of_another_index_is_noticed),
                cmocka_unit_test(a_torn_tail_is_accepted),
                cmocka_unit_test(the_size_of_a_log_that_grows_is_not_relied_upon),
                cmocka_unit_test(pages_that_are_allocated_before_their_file_is_named_are_known),
                cmocka_unit_test(an_index_of_before_has_no_mark_and_gets_one),
        };

        if (access("/dev/shm", W_OK) >= 0)
                (void) setenv("TMPDIR", "/dev/shm", 0);

        return cmocka_run_group_tests(tests, NULL, NULL);
}
