/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"

/* Each test runs in an empty directory of its own, which is also the working directory. */
static int enter(void **state) {
        char *directory = strdup("/tmp/dkv-test-file-XXXXXX");

        *state = directory;
        return directory && mkdtemp(directory) ? chdir(directory) : -1;
}

static int leave(void **state) {
        _cleanup_free_ char *directory = *state, *command = NULL;

        if (chdir("/") < 0 || asprintf(&command, "rm -rf '%s'", directory) < 0)
                return -1;
        return system(command);
}

static void assert_content(const char *path, const char *expected) {
        _cleanup_free_ char *data = NULL;
        size_t size;

        assert_ok(read_file(AT_FDCWD, path, KIB, &data, &size));
        assert_int_equal(size, strlen(expected));
        assert_string_equal(data, expected);
}

TEST(file_reads_back_as_written) {
        struct stat st;

        assert_ok(write_file(AT_FDCWD, "a", "one", 3, 0600));
        assert_content("a", "one");
        assert_int_equal(stat("a", &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);

        assert_ok(write_file(AT_FDCWD, "a", "", 0, 0600));
        assert_content("a", "");
        assert_int_equal(access("a.new", F_OK), -1);
}

TEST(file_is_written_relative_to_the_directory) {
        _cleanup_close_ int fd = -1;

        assert_ok(make_directory("d/e", 0700));
        fd = open("d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_ok(fd);
        assert_ok(write_file(fd, "e/f", "x", 1, 0600));
        assert_content("d/e/f", "x");
        assert_int_equal(write_file(fd, "missing/f", "x", 1, 0600), -ENOENT);
}

TEST(leftover_of_a_crash_does_not_matter) {
        struct stat st;

        assert_ok(write_file(AT_FDCWD, "a.new", "half of a very long va", 22, 0644));
        assert_ok(write_file(AT_FDCWD, "a", "new", 3, 0600));
        assert_content("a", "new");
        assert_int_equal(stat("a", &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
}

TEST(failed_write_leaves_the_old_file) {
        /* A directory that is not empty: the rename has to fail. */
        assert_ok(make_directory("a/b", 0700));
        assert_true(write_file(AT_FDCWD, "a", "x", 1, 0600) < 0);
        assert_int_equal(access("a/b", F_OK), 0);
        assert_int_equal(access("a.new", F_OK), -1);
}

TEST(larger_file_than_allowed_is_refused) {
        _cleanup_free_ char *data = calloc(1, 20000), *back = NULL;
        size_t size = 0;

        assert_non_null(data);
        memset(data, 'x', 20000);
        assert_ok(write_file(AT_FDCWD, "a", data, 20000, 0600));

        assert_int_equal(read_file(AT_FDCWD, "a", 19999, &back, &size), -EFBIG);
        assert_int_equal(read_file(AT_FDCWD, "a", 0, &back, &size), -EFBIG);
        assert_null(back);
        assert_ok(read_file(AT_FDCWD, "a", 20000, &back, &size));
        assert_int_equal(size, 20000);
        assert_memory_equal(back, data, 20000);
        assert_int_equal(back[20000], '\0');

        assert_int_equal(read_file(AT_FDCWD, "b", KIB, &back, &size), -ENOENT);
}

TEST(file_without_a_size_is_read) {
        _cleanup_free_ char *data = NULL;

        assert_ok(read_file(AT_FDCWD, "/proc/self/stat", MIB, &data, NULL));
        assert_true(strlen(data) > 10);
}

TEST(reads_and_writes_are_whole) {
        _cleanup_close_ int fd = open("a", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        char data[16] = "";

        assert_ok(fd);
        assert_ok(write_all(fd, "0123456789", 10));
        assert_ok(pwrite_all(fd, "ab", 2, 4));
        assert_int_equal(pread_all(fd, data, 4, 3), 4);
        assert_string_equal(data, "3ab6");
        assert_int_equal(pread_all(fd, data, sizeof(data), 7), 3);
        assert_int_equal(pread_all(fd, data, sizeof(data), 10), 0);
        assert_int_equal(pread_all(-1, data, sizeof(data), 0), -EBADF);
        assert_int_equal(write_all(-1, "x", 1), -EBADF);
        assert_int_equal(pwrite_all(-1, "x", 1, 0), -EBADF);
        assert_int_equal(lseek(fd, 0, SEEK_END), 10);
}

TEST(directories_are_made_with_their_parents) {
        struct stat st;

        assert_ok(make_directory("a//b/c/", 0700));
        assert_int_equal(stat("a/b/c", &st), 0);
        assert_true(S_ISDIR(st.st_mode));
        assert_int_equal(st.st_mode & 0777, 0700);
        assert_ok(make_directory("a/b/c", 0700));
        assert_ok(make_directory("/", 0700));

        assert_ok(write_file(AT_FDCWD, "file", "", 0, 0600));
        assert_int_equal(make_directory("file", 0700), -ENOTDIR);
        assert_int_equal(make_directory("file/b", 0700), -ENOTDIR);
}

TEST(numbers_are_digits_and_nothing_else) {
        static const char *const bad[] = { "", " 1", "1 ", "+1", "-1", "0x10", "1.5", "1e3" };
        uint64_t n = 5;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(parse_u64(bad[i], UINT64_MAX, &n), -EINVAL);
        assert_int_equal(parse_u64("18446744073709551616", UINT64_MAX, &n), -ERANGE);
        assert_int_equal(parse_u64("99999999999999999999999", UINT64_MAX, &n), -ERANGE);
        assert_int_equal(parse_u64("11", 10, &n), -ERANGE);
        assert_int_equal(n, 5);

        assert_ok(parse_u64("18446744073709551615", UINT64_MAX, &n));
        assert_int_equal(n, UINT64_MAX);
        assert_ok(parse_u64("007", 10, &n));
        assert_int_equal(n, 7);
}

TEST(numbers_go_there_and_back) {
        static const uint64_t numbers[] = { 0, 7, 10, 99, 100, 12345678901, UINT64_MAX };
        char text[DECIMAL_SIZE(uint64_t)];
        uint64_t back;

        for (size_t i = 0; i < ELEMENTSOF(numbers); i++) {
                size_t length = format_u64(numbers[i], text);

                assert_int_equal(length, strlen(text));
                assert_ok(parse_u64(text, UINT64_MAX, &back));
                assert_int_equal(back, numbers[i]);
        }
        assert_string_equal(text, "18446744073709551615");
}

TEST(hex_goes_there_and_back) {
        uint8_t data[256], back[256];
        char text[512];

        for (size_t i = 0; i < sizeof(data); i++)
                data[i] = (uint8_t) i;
        format_hex(data, sizeof(data), text);
        assert_memory_equal(text, "000102030405060708090a0b", 24);
        assert_ok(parse_hex(text, sizeof(text), back, sizeof(back)));
        assert_memory_equal(data, back, sizeof(data));
}

TEST(hex_is_strict) {
        static const char *const bad[] = { "", "ab", "abc", "abcde", "abcg", "ABCD", "ab d" };
        uint8_t data[2] = { 1, 2 };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(parse_hex(bad[i], strlen(bad[i]), data, 2), -EINVAL);
        assert_int_equal(parse_hex("abc\0", 4, data, 2), -EINVAL);
        assert_int_equal(data[0], 1);
        assert_int_equal(data[1], 2);
}

int main(void) {
#define IN_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, enter, leave)
        static const struct CMUnitTest tests[] = {
                IN_DIRECTORY(file_reads_back_as_written),
                IN_DIRECTORY(file_is_written_relative_to_the_directory),
                IN_DIRECTORY(leftover_of_a_crash_does_not_matter),
                IN_DIRECTORY(failed_write_leaves_the_old_file),
                IN_DIRECTORY(larger_file_than_allowed_is_refused),
                cmocka_unit_test(file_without_a_size_is_read),
                IN_DIRECTORY(reads_and_writes_are_whole),
                IN_DIRECTORY(directories_are_made_with_their_parents),
                cmocka_unit_test(numbers_are_digits_and_nothing_else),
                cmocka_unit_test(numbers_go_there_and_back),
                cmocka_unit_test(hex_goes_there_and_back),
                cmocka_unit_test(hex_is_strict),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
