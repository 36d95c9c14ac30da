/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* An index is loaded while each of its system calls fails once, finds the disk full once, and is
 * once the last thing that the process does. What is left is the whole index, or none. */

#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>

#include "fault.h"
#include "store/index/dump.h"
#include "store/index/index-fixture.h"

#define N_KEYS 40

static Buffer dump;

static int append(const void *data, size_t size, void *userdata) {
        buffer_put(userdata, data, size);
        return 0;
}

static ssize_t read_some(void *data, size_t size, void *userdata) {
        Reader *reader = userdata;
        size_t n = MIN(MIN(size, reader->size), (size_t) 777);

        memcpy(data, reader_get(reader, n), n);
        return (ssize_t) n;
}

static int load(const char *directory, size_t size) {
        IndexOptions options = {
                .directory = directory,
                .log_size = 64 * KIB,
                .checkpoint_size = 64 * KIB,
        };
        Reader reader = READER(dump.data, size);

        return index_load(&options, read_some, &reader);
}

static int make_dump(void **state) {
        _cleanup_(scratch_freep) char *directory = scratch_new();
        Index *index = open_index(directory);

        fill(index, N_KEYS);
        assert_int_equal(index_dump(index, append, &dump), 0);
        (void) index_free(index);
        return 0;
}

static int free_dump(void **state) {
        buffer_done(&dump);
        return 0;
}

/* In a child there is no cmocka that would catch a failed assertion. */
#define CHECK(condition) \
        do \
                if (!(condition)) { \
                        (void) fprintf(stderr, "line %i: %s\n", __LINE__, #condition); \
                        abort(); \
                } \
        while (false)

#define COMPLETE 1
#define FAILED   2

static void scene(const char *directory) {
        fault_acknowledge(load(directory, dump.size) >= 0 ? COMPLETE : FAILED);
}

/* The last byte is missing, so that what was loaded is removed again. */
static void scene_of_a_cut_stream(const char *directory) {
        CHECK(load(directory, dump.size - 1) < 0);
        fault_acknowledge(FAILED);
}

/* Whether anything is there that belongs to a store. */
static bool has_begun(const char *path) {
        DIR *directory = opendir(path);
        const struct dirent *entry;
        bool found = false;

        CHECK(directory);
        while ((entry = readdir(directory)))
                found = found || (entry->d_name[0] != '.' && strcmp(entry->d_name, "members.new"));
        (void) closedir(directory);
        return found;
}

static int count(const char *key, const Record *record, void *userdata) {
        (*(unsigned *) userdata)++;
        return 0;
}

static void check(const char *directory, const uint8_t *acknowledged, size_t n_acknowledged) {
        bool was_begun = has_begun(directory);
        Index *index = NULL;
        unsigned n = 0;
        int r;

        r = index_open(&(IndexOptions){ .directory = directory, .log_size = 64 * KIB }, &index);
        if (n_acknowledged > 0 && acknowledged[0] == COMPLETE)
                CHECK(r == 0);
        if (r < 0) {
                CHECK(r == -EPROTONOSUPPORT);
                return;
        }

        CHECK(index_scan(index, "", "", SIZE_MAX, count, &n) == 0);
        CHECK(n == (was_begun ? N_KEYS : 0));
        (void) index_free(index);
}

static void sweep(void (*play)(const char *directory), FaultMode mode) {
        unsigned n;

        n = fault_sweep(&(FaultSweep){ play, check }, mode);
        print_message("%u calls\n", n);
        assert_in_range(n, 50, 2000);
}

TEST(a_process_that_dies_leaves_a_whole_index_or_none) {
        sweep(scene, FAULT_DIE);
}

TEST(an_error_leaves_a_whole_index_or_none) {
        sweep(scene, FAULT_ERROR);
}

TEST(a_full_disk_leaves_a_whole_index_or_none) {
        sweep(scene, FAULT_FULL);
}

TEST(a_process_that_dies_while_it_removes_a_cut_stream_leaves_none) {
        sweep(scene_of_a_cut_stream, FAULT_DIE);
}

TEST(what_a_crash_has_left_is_not_loaded_into) {
        _cleanup_(scratch_freep) char *directory = scratch_new();
        FILE *file = fopen(scratch_path(directory, "members"), "we");

        assert_non_null(file);
        assert_true(fputs("# dkv store 1\n", file) >= 0);
        assert_int_equal(fclose(file), 0);

        assert_int_equal(load(directory, dump.size), -ENOTEMPTY);
        assert_int_equal(access(scratch_path(directory, "members"), F_OK), 0);
}

/* Where a file of somebody else appears just before they have the lock. */
static const char *taken;

int __real_flock(int fd, int operation);
int __wrap_flock(int fd, int operation);
int __wrap_flock(int fd, int operation) {
        if (!taken)
                return __real_flock(fd, operation);

        assert_true(close(open(taken, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) >= 0);
        errno = EWOULDBLOCK;
        return -1;
}

TEST(a_directory_that_somebody_has_taken_meanwhile_is_theirs) {
        _cleanup_(scratch_freep) char *directory = scratch_new();

        taken = scratch_path(directory, "index.db");
        assert_int_equal(load(directory, dump.size), -EBUSY);
        assert_int_equal(access(taken, F_OK), 0);
        taken = NULL;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_process_that_dies_leaves_a_whole_index_or_none),
                cmocka_unit_test(an_error_leaves_a_whole_index_or_none),
                cmocka_unit_test(a_full_disk_leaves_a_whole_index_or_none),
                cmocka_unit_test(a_process_that_dies_while_it_removes_a_cut_stream_leaves_none),
                cmocka_unit_test(what_a_crash_has_left_is_not_loaded_into),
                cmocka_unit_test(a_directory_that_somebody_has_taken_meanwhile_is_theirs),
        };

        if (access("/dev/shm", W_OK) >= 0)
                (void) setenv("TMPDIR", "/dev/shm", 0);

        return cmocka_run_group_tests(tests, make_dump, free_dump);
}
