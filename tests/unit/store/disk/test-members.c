/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "scratch.h"
#include "store/disk/disk.h"
#include "store/disk/members.h"
#include "store/environment/environment.h"
#include "store/index/index.h"
#include "store/object/objects.h"

static int try_store(const char *directory) {
        ObjectStoreOptions options = {
                .environment.directory = directory,
                .inline_max = 4 * KIB,
        };
        ObjectStore *store;
        int r;

        r = object_store_open(&options, &store);
        if (r >= 0)
                (void) object_store_free(store);
        return r;
}

static int try_index(const char *directory) {
        EnvironmentOptions options = { .directory = directory };
        Index *index;
        int r;

        r = scratch_open_index(&options, &index);
        if (r >= 0)
                (void) index_free(index);
        return r;
}

/* How many names there are. */
static size_t count(const char *directory) {
        DIR *dir = opendir(directory);
        size_t n = 0;

        assert_non_null(dir);
        while (readdir(dir))
                n++;
        (void) closedir(dir);
        return n;
}

static void move_away(const char *directory, const char *name) {
        char from[512], to[512];

        (void) snprintf(from, sizeof(from), "%s/%s", directory, name);
        (void) snprintf(to, sizeof(to), "%s-aside", directory);
        assert_int_equal(rename(from, to), 0);
}

static void move_back(const char *directory, const char *name) {
        char from[512], to[512];

        (void) snprintf(from, sizeof(from), "%s-aside", directory);
        (void) snprintf(to, sizeof(to), "%s/%s", directory, name);
        assert_int_equal(rename(from, to), 0);
}

/* Without one of its files it is not opened and nothing is made; when that is back, all is well. */
static void check_all(
                const char *directory,
                int (*try_open)(const char *directory),
                const char *const names[],
                int error) {
        for (size_t i = 0; names[i]; i++) {
                size_t n;

                move_away(directory, names[i]);
                n = count(directory);
                assert_int_equal(try_open(directory), error);
                if (error == -ENOMEDIUM)
                        assert_string_equal(members_missing(), names[i]);
                assert_int_equal(count(directory), n);
                move_back(directory, names[i]);
                assert_int_equal(try_open(directory), 0);
        }
}

TEST(a_store_is_not_opened_without_any_of_its_files) {
        _cleanup_(scratch_freep) char *directory = scratch_new();
        static const char *const names[] = { "objects.db", "state.db",   "mark",
                                             "objects",    "objects/3f", NULL };

        assert_int_equal(try_store(directory), 0);
        check_all(directory, try_store, names, -ENOMEDIUM);
}

TEST(an_index_is_not_opened_without_any_of_its_files) {
        _cleanup_(scratch_freep) char *directory = scratch_new();
        static const char *const names[] = { "index.db", "garbage.db", "strays.db", "state.db",
                                             NULL };
        static const char *const logs[] = { "log.0000000001", NULL };

        assert_int_equal(try_index(directory), 0);
        check_all(directory, try_index, names, -ENOMEDIUM);
        check_all(directory, try_index, logs, -EBADMSG); /* see store/environment/log-keeper.h */
}

TEST(a_store_without_a_list_gets_one_if_it_looks_whole) {
        _cleanup_(scratch_freep) char *directory = scratch_new();
        static const char *const names[] = { "objects.db", "state.db", "objects", NULL };

        assert_int_equal(try_store(directory), 0);
        for (size_t i = 0; names[i]; i++) {
                assert_int_equal(unlink(scratch_path(directory, "members")), 0);
                move_away(directory, names[i]);
                assert_int_equal(try_store(directory), -ENOMEDIUM);
                assert_string_equal(members_missing(), names[i]);
                assert_int_equal(access(scratch_path(directory, "members"), F_OK), -1);
                move_back(directory, names[i]);
                assert_int_equal(try_store(directory), 0);
                assert_int_equal(access(scratch_path(directory, "members"), F_OK), 0);
        }
}

TEST(an_index_without_a_list_and_without_logs_is_refused) {
        _cleanup_(scratch_freep) char *directory = scratch_new();

        assert_int_equal(try_index(directory), 0);
        assert_int_equal(unlink(scratch_path(directory, "members")), 0);
        move_away(directory, "log.0000000001");
        assert_int_equal(try_index(directory), -ENOMEDIUM);
        move_back(directory, "log.0000000001");
        assert_int_equal(try_index(directory), 0);
}

TEST(what_was_not_completed_is_begun_anew) {
        _cleanup_(scratch_freep) char *directory = scratch_new();
        static const char *const none[] = { NULL };
        int dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        assert_ok(dir_fd);
        assert_int_equal(members_check(dir_fd, none), 1);
        assert_int_equal(mkdirat(dir_fd, "objects", 0750), 0);
        assert_int_equal(members_check(dir_fd, none), 1);
        closep(&dir_fd);

        assert_int_equal(try_store(directory), 0);
        move_away(directory, "objects.db");
        assert_int_equal(try_store(directory), -ENOMEDIUM);
        move_back(directory, "objects.db");
}

/* Whatever else is there: only what loads it takes it for something, until the list is written. */
TEST(what_is_being_loaded_is_neither_a_store_nor_an_index) {
        _cleanup_(scratch_freep) char *directory = scratch_new();
        static const char *const none[] = { NULL };
        _cleanup_close_ int dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        assert_ok(dir_fd);
        assert_int_equal(members_begin_load(dir_fd), 0);
        assert_int_equal(members_check(dir_fd, none), -EINPROGRESS);
        assert_int_equal(try_index(directory), -EPROTONOSUPPORT);
        assert_int_equal(try_store(directory), -EPROTONOSUPPORT);

        assert_int_equal(members_write(dir_fd, NULL, 0), 0);
        assert_int_equal(members_check(dir_fd, none), 0);
}

TEST(a_list_that_makes_no_sense_is_refused) {
        _cleanup_(scratch_freep) char *directory = scratch_new();

        assert_int_equal(try_store(directory), 0);
        assert_int_equal(write_file(AT_FDCWD, scratch_path(directory, "members"), "x", 1, 0640), 0);
        assert_int_equal(try_store(directory), -EBADMSG);
        assert_non_null(strstr(disk_last_damage(), "members"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_store_is_not_opened_without_any_of_its_files),
                cmocka_unit_test(an_index_is_not_opened_without_any_of_its_files),
                cmocka_unit_test(a_store_without_a_list_gets_one_if_it_looks_whole),
                cmocka_unit_test(an_index_without_a_list_and_without_logs_is_refused),
                cmocka_unit_test(what_was_not_completed_is_begun_anew),
                cmocka_unit_test(what_is_being_loaded_is_neither_a_store_nor_an_index),
                cmocka_unit_test(a_list_that_makes_no_sense_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
