/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Every call of the system that file.c makes fails once, and is once the last one of the process;
 * or it does less than it was asked for. */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"

static struct {
        unsigned n_calls, bad_call; /* counted from 1; 0 for none */
        int error;                  /* positive; 0 to die */
        bool is_slow;               /* a byte at a time, with signals in between */
        bool was_interrupted;
} disk;

/* Whether this call is the one. */
static bool is_bad(void) {
        if (++disk.n_calls != disk.bad_call)
                return false;
        if (disk.error == 0)
                _exit(EXIT_SUCCESS);
        errno = disk.error;
        return true;
}

static bool is_interrupted(void) {
        disk.was_interrupted = disk.is_slow && !disk.was_interrupted;
        if (disk.was_interrupted)
                errno = EINTR;
        return disk.was_interrupted;
}

#define SIZE_NOW(size) (disk.is_slow ? MIN((size), (size_t) 1) : (size))

ssize_t __real_read(int fd, void *data, size_t size);
ssize_t __wrap_read(int fd, void *data, size_t size);
ssize_t __wrap_read(int fd, void *data, size_t size) {
        return is_interrupted() || is_bad() ? -1 : __real_read(fd, data, SIZE_NOW(size));
}

ssize_t __real_pread64(int fd, void *data, size_t size, off_t offset);
ssize_t __wrap_pread64(int fd, void *data, size_t size, off_t offset);
ssize_t __wrap_pread64(int fd, void *data, size_t size, off_t offset) {
        return is_interrupted() || is_bad() ? -1 : __real_pread64(fd, data, SIZE_NOW(size), offset);
}

ssize_t __real_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size) {
        return is_interrupted() || is_bad() ? -1 : __real_write(fd, data, SIZE_NOW(size));
}

ssize_t __real_pwrite64(int fd, const void *data, size_t size, off_t offset);
ssize_t __wrap_pwrite64(int fd, const void *data, size_t size, off_t offset);
ssize_t __wrap_pwrite64(int fd, const void *data, size_t size, off_t offset) {
        return is_interrupted() || is_bad() ? -1
                                            : __real_pwrite64(fd, data, SIZE_NOW(size), offset);
}

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd) {
        return is_bad() ? -1 : __real_fdatasync(fd);
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd) {
        return is_bad() ? -1 : __real_fsync(fd);
}

int __real_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to) {
        return is_bad() ? -1 : __real_renameat(from_fd, from, to_fd, to);
}

int __real_unlinkat(int dir_fd, const char *path, int flags);
int __wrap_unlinkat(int dir_fd, const char *path, int flags);
int __wrap_unlinkat(int dir_fd, const char *path, int flags) {
        return is_bad() ? -1 : __real_unlinkat(dir_fd, path, flags);
}

/* Each test runs in an empty directory of its own, which is also the working directory. */
static int enter(void **state) {
        char *directory = strdup("/tmp/dkv-test-sweep-XXXXXX");

        memset(&disk, 0, sizeof(disk));
        *state = directory;
        return directory && mkdtemp(directory) ? chdir(directory) : -1;
}

static int leave(void **state) {
        _cleanup_free_ char *directory = *state, *command = NULL;

        memset(&disk, 0, sizeof(disk));
        if (chdir("/") < 0 || asprintf(&command, "rm -rf '%s'", directory) < 0)
                return -1;
        return system(command);
}

#define OLD "what was there before"
#define NEW "what shall be there, and is longer than that"

static int replace(void) {
        disk.n_calls = 0;
        return write_file(AT_FDCWD, "a", NEW, strlen(NEW), 0600);
}

static void put_old(void) {
        disk.bad_call = 0;
        assert_ok(write_file(AT_FDCWD, "a", OLD, strlen(OLD), 0600));
}

static bool has(const char *expected) {
        _cleanup_free_ char *text = NULL;

        disk.bad_call = 0;
        assert_ok(read_file(AT_FDCWD, "a", KIB, &text, NULL));
        return strcmp(text, expected) == 0;
}

static unsigned count_calls(void) {
        put_old();
        assert_ok(replace());
        return disk.n_calls;
}

/* Unlink, write, flush, rename, flush of the directory; some more or less. */
TEST(a_write_that_fails_leaves_one_of_the_two_whole) {
        unsigned n = count_calls();

        assert_in_range(n, 5, 10);
        for (unsigned bad = 1; bad <= n; bad++) {
                int r;

                put_old();
                disk.bad_call = bad;
                disk.error = EIO;
                r = replace();
                assert_int_equal(r, -EIO);
                assert_true(has(OLD) || (bad == n && has(NEW)));
                assert_int_equal(access("a.new", F_OK), -1);

                assert_ok(replace()); /* the next one finds nothing in its way */
                assert_true(has(NEW));
        }
}

TEST(a_full_disk_is_told_as_such) {
        put_old();
        disk.bad_call = 2; /* the write */
        disk.error = ENOSPC;
        assert_int_equal(replace(), -ENOSPC);
        assert_true(has(OLD));
}

static void die_at(unsigned call) {
        int status;
        pid_t pid = fork();

        assert_ok(pid);
        if (pid == 0) {
                disk.bad_call = call;
                disk.error = 0;
                (void) replace();
                _exit(EXIT_FAILURE); /* it has lived on */
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), EXIT_SUCCESS);
}

TEST(a_process_that_dies_leaves_one_of_the_two_whole) {
        unsigned n = count_calls();

        for (unsigned call = 1; call <= n; call++) {
                put_old();
                die_at(call);
                assert_true(has(OLD) || (call == n && has(NEW)));

                assert_ok(replace()); /* whatever the dead one has left */
                assert_true(has(NEW));
                assert_int_equal(access("a.new", F_OK), -1);
        }
}

TEST(a_file_that_cannot_be_read_gives_nothing) {
        char *text = NULL;
        size_t size = 7;

        put_old();
        disk.n_calls = 0;
        disk.bad_call = 1;
        disk.error = EIO;
        assert_int_equal(read_file(AT_FDCWD, "a", KIB, &text, &size), -EIO);
        assert_null(text);
        assert_int_equal(size, 7);
}

TEST(slow_calls_are_repeated_until_all_is_done) {
        _cleanup_close_ int fd = -1;
        char data[8] = "";

        put_old();
        disk.is_slow = true;
        assert_ok(replace());
        assert_true(has(NEW));

        fd = open("a", O_RDWR | O_CLOEXEC);
        assert_ok(fd);
        assert_ok(pwrite_all(fd, "WHAT", 4, 0));
        assert_int_equal(pread_all(fd, data, 7, 0), 7);
        assert_string_equal(data, "WHAT sh");
        assert_int_equal(pread_all(fd, data, 8, strlen(NEW) - 3), 3);
        assert_ok(lseek(fd, 0, SEEK_END));
        assert_ok(write_all(fd, "!!", 2));
        assert_int_equal(lseek(fd, 0, SEEK_END), strlen(NEW) + 2);
}

/* What was done before counts for nothing: the caller does it all once more, or not at all. */
TEST(a_failure_half_way_is_a_failure) {
        _cleanup_close_ int fd = open("a", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        char data[16];

        assert_ok(fd);
        disk.is_slow = true;
        disk.error = ENOSPC;
        disk.n_calls = 0;
        disk.bad_call = 5;
        assert_int_equal(write_all(fd, "0123456789", 10), -ENOSPC);
        disk.n_calls = 0;
        disk.bad_call = 5;
        assert_int_equal(pwrite_all(fd, "0123456789", 10, 100), -ENOSPC);
        assert_int_equal(lseek(fd, 0, SEEK_END), 104);
        disk.n_calls = 0;
        disk.bad_call = 5;
        disk.error = EIO;
        assert_int_equal(pread_all(fd, data, 10, 0), -EIO);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, enter, leave)
        static const struct CMUnitTest tests[] = {
                RUN(a_write_that_fails_leaves_one_of_the_two_whole),
                RUN(a_full_disk_is_told_as_such),
                RUN(a_process_that_dies_leaves_one_of_the_two_whole),
                RUN(a_file_that_cannot_be_read_gives_nothing),
                RUN(slow_calls_are_repeated_until_all_is_done),
                RUN(a_failure_half_way_is_a_failure),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
