/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/fatal.h"
#include "scratch.h"
#include "store/disk/disk.h"

static jmp_buf out;
static char sentence[PATH_MAX];
static int told_error;

_noreturn_ static void on_fatal(const char *what, int error) {
        (void) snprintf(sentence, sizeof(sentence), "%s", what);
        told_error = error;
        longjmp(out, 1);
}

static int setup(void **state) {
        fatal_set_handler(on_fatal);
        sentence[0] = '\0';
        *state = scratch_new();
        return 0;
}

static int teardown(void **state) {
        *state = scratch_free(*state);
        return 0;
}

static int make_file(const char *directory, int flags) {
        int fd = open(scratch_path(directory, "log.0000000001"), flags | O_CREAT | O_CLOEXEC, 0640);

        assert_ok(fd);
        return fd;
}

TEST(a_failure_that_ends_the_process_names_the_file) {
        char expected[PATH_MAX];
        int fd = make_file(*state, O_RDWR);

        (void) snprintf(expected, sizeof(expected), "Failed to write '%s'",
                        scratch_path(*state, "log.0000000001"));
        if (setjmp(out) == 0)
                disk_fatal("write", fd, ENOSPC);
        closep(&fd);
        assert_string_equal(sentence, expected);
        assert_int_equal(told_error, ENOSPC);
}

TEST(a_flush_that_works_is_no_event) {
        int fd = make_file(*state, O_RDWR);

        if (setjmp(out) == 0)
                disk_flush(fd);
        closep(&fd);
        assert_string_equal(sentence, "");
}

/* After it, nobody knows what is on the disk. */
TEST(a_flush_that_fails_ends_the_process) {
        int fds[2];

        assert_int_equal(pipe(fds), 0);
        if (setjmp(out) == 0)
                disk_flush(fds[1]); /* a pipe cannot be flushed */
        closep(&fds[0]);
        closep(&fds[1]);
        assert_int_equal(strncmp(sentence, "Failed to flush '", 17), 0);
        assert_int_equal(told_error, EINVAL);
}

TEST(a_path_that_does_not_fit_is_cut) {
        int fd = make_file(*state, O_RDWR);
        char path[PATH_MAX], cut[9] = "........";

        disk_path_of(fd, path, sizeof(path));
        assert_string_equal(path, scratch_path(*state, "log.0000000001"));
        disk_path_of(fd, cut, sizeof(cut));
        assert_int_equal(strlen(cut), sizeof(cut) - 1);
        assert_memory_equal(cut, path, sizeof(cut) - 1);
        closep(&fd);

        disk_path_of(-1, path, sizeof(path));
        assert_string_equal(path, "");
}

TEST(databases_are_known_by_their_names) {
        static const char *const databases[] = { "index.db", "a.b.db", "/var/lib/dkv/state.db" };
        static const char *const others[] = {
                "index", "index.mirror", "db", "index.db.new", "log.0000000001", "index.dbx", ""
        };

        for (size_t i = 0; i < ELEMENTSOF(databases); i++)
                assert_true(disk_is_database(databases[i]));
        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                assert_false(disk_is_database(others[i]));
}

static void *note_on_another_thread(void *userdata) {
        assert_string_equal(disk_last_damage(), "");
        disk_note_damage("page %i of '%s'", 8, "other.db");
        assert_string_equal(disk_last_damage(), "page 8 of 'other.db'");
        return NULL;
}

TEST(each_thread_knows_what_it_has_found_damaged) {
        pthread_t thread;

        disk_note_damage("page %i of '%s'", 7, "index.db");
        assert_int_equal(pthread_create(&thread, NULL, note_on_another_thread, NULL), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_string_equal(disk_last_damage(), "page 7 of 'index.db'");

        disk_note_damage("%s", "");
        assert_string_equal(disk_last_damage(), "");
}

TEST(that_the_disk_was_full_is_remembered) {
        assert_false(disk_was_full());
        disk_note_full();
        assert_true(disk_was_full());
}

#define RUN(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                RUN(a_failure_that_ends_the_process_names_the_file),
                RUN(a_flush_that_works_is_no_event),
                RUN(a_flush_that_fails_ends_the_process),
                RUN(a_path_that_does_not_fit_is_cut),
                RUN(databases_are_known_by_their_names),
                RUN(each_thread_knows_what_it_has_found_damaged),
                RUN(that_the_disk_was_full_is_remembered),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
