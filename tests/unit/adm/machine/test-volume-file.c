/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adm/machine/volume-file.h"
#include "adm/scratch.h"

static char root[SCRATCH_SIZE];

/* A machine on which the user dkv is UID. */
static void add_user(unsigned uid) {
        char passwd[128];

        (void) snprintf(passwd, sizeof(passwd), "dkv:x:%u:%u::/:/bin/sh\n", uid,
                        (unsigned) getgid());
        scratch_write(root, "etc/passwd", passwd);
}

static int setup(void **state) {
        scratch_new(root);
        add_user(getuid());
        return 0;
}

static int teardown(void **state) {
        scratch_free(root);
        return 0;
}

TEST(path_is_below_the_root) {
        char *path;

        assert_ok(volume_file_path(NULL, 7, &path));
        assert_string_equal(path, "/etc/dkv/volume@7.conf");
        free(path);
        assert_ok(volume_file_path("/image", 65535, &path));
        assert_string_equal(path, "/image/etc/dkv/volume@65535.conf");
        free(path);
}

TEST(what_was_written_is_read) {
        const VolumeFileInput input = { .directory = "/srv/a b",
                                        .listen = "[::1]:3007",
                                        .master = "http://m:1",
                                        .zone = "z#1" };
        VolumeFile file;
        char path[128];

        (void) snprintf(path, sizeof(path), "%s", scratch_path(root, "etc/dkv/volume@7.conf"));
        assert_ok(volume_file_write(path, 7, &input));
        assert_ok(volume_file_load(path, &file));
        assert_string_equal(file.directory, "/srv/a b");
        assert_string_equal(file.listen, "[::1]:3007");
        assert_string_equal(file.master, "http://m:1");
        assert_string_equal(file.zone, "z#1");
        volume_file_done(&file);
}

TEST(file_that_is_not_there_has_defaults) {
        VolumeFile file;

        assert_ok(volume_file_load(scratch_path(root, "none.conf"), &file));
        assert_string_equal(file.directory, "");
        assert_string_equal(file.master, "");
        volume_file_done(&file);

        scratch_write(root, "other.conf", "[Volume]\nInlineMax=1K\nZone=z\n[Odd]\nX=1\n");
        assert_ok(volume_file_load(scratch_path(root, "other.conf"), &file));
        assert_string_equal(file.zone, "z");
        volume_file_done(&file);
}

TEST(values_that_would_not_come_back_are_refused) {
        static const char *const bad[] = { " a", "a ", "a ;b", "a\nb", "a\tb", "a\x7f" };
        static const char *const good[] = { "", "a b", "a;b", "ä", "a=b" };
        char path[128], *large = malloc(182);

        (void) snprintf(path, sizeof(path), "%s", scratch_path(root, "v.conf"));
        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
                assert_int_equal(
                                volume_file_write(path, 1, &(VolumeFileInput){ .zone = bad[i] }),
                                -EINVAL);
        for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
                VolumeFile file;

                assert_ok(volume_file_write(path, 1, &(VolumeFileInput){ .zone = good[i] }));
                assert_ok(volume_file_load(path, &file));
                assert_string_equal(file.zone, good[i]);
                volume_file_done(&file);
        }

        memset(large, 'x', 181);
        large[181] = '\0';
        assert_int_equal(volume_file_write(path, 1, &(VolumeFileInput){ .zone = large }), -EINVAL);
        large[180] = '\0';
        assert_ok(volume_file_write(path, 1, &(VolumeFileInput){ .zone = large }));
        free(large);
}

static int make(const char *path) {
        bool made;
        int r = volume_directory_make(root, 3, path, &made);

        return r < 0 ? r : made;
}

TEST(directory_is_made_or_taken) {
        assert_int_equal(make("/srv/new/deep"), true);
        assert_int_equal(make("/srv/new/deep"), false);

        /* One's own may have something in it, as when a volume moves back. */
        scratch_write(root, "srv/own/objects.db", "x");
        assert_int_equal(make("/srv/own"), false);
        scratch_write(root, "srv/file", "x");
        assert_true(make("/srv/file") < 0);
}

TEST(what_belongs_to_the_system_is_refused) {
        static const char *const paths[] = {
                "/",        "/etc",       "/srv",       "/var/lib/dkv", "/usr/local", "/tmp/v",
                "/run/dkv", "/dev/shm/v", "/var/tmp/x", "/srv/../etc",  "/srv/link"
        };

        scratch_write(root, "srv/x", "");
        scratch_write(root, "var/lib/dkv/x", "");
        scratch_write(root, "usr/local/x", "");
        assert_ok(symlink("../etc", scratch_path(root, "srv/link")));
        for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
                assert_int_equal(make(paths[i]), -EPERM);
}

TEST(directory_that_all_may_write_is_refused) {
        scratch_write(root, "srv/open/x", "");
        assert_ok(chmod(scratch_path(root, "srv/open"), 01777));
        assert_int_equal(make("/srv/open"), -EPERM);
}

TEST(directory_of_somebody_else_must_be_empty) {
        add_user(getuid() + 12345);
        scratch_write(root, "srv/full/x", "");
        assert_int_equal(make("/srv/full"), -EPERM);
        scratch_write(root, "srv/moved/objects.db", "");
        assert_int_equal(make("/srv/moved"), -EPERM);

        if (getuid() == 0) { /* others cannot give away anything */
                struct stat st;

                scratch_write(root, "srv/disk/lost+found", "");
                assert_int_equal(make("/srv/disk"), false);
                assert_ok(stat(scratch_path(root, "srv/disk"), &st));
                assert_int_equal(st.st_uid, 12345);
        }
}

TEST(only_what_was_made_is_taken_back) {
        scratch_write(root, "f.conf", "");
        scratch_write(root, "srv/kept/x", "");
        volume_file_take_back(root, scratch_path(root, "f.conf"), "/srv/kept", false);
        assert_true(access(scratch_path(root, "f.conf"), F_OK) < 0);
        assert_ok(access(scratch_path(root, "srv/kept/x"), F_OK));
        volume_file_take_back(root, scratch_path(root, "f.conf"), "/srv/kept", true);
        assert_true(access(scratch_path(root, "srv/kept"), F_OK) < 0);
        volume_file_take_back(root, scratch_path(root, "f.conf"), NULL, true);
        assert_ok(access(root, F_OK));
}

static void assert_written(const VolumeFileInput *input, const char *expected) {
        char path[128], *text;

        (void) snprintf(path, sizeof(path), "%s", scratch_path(root, "etc/dkv/volume@9.conf"));
        assert_ok(volume_file_write(path, 9, input));
        text = scratch_read(root, "etc/dkv/volume@9.conf");
        assert_string_equal(text, expected);
        free(text);
}

TEST(settings_that_were_not_given_are_left_out) {
        static const char head[] =
                        "# Settings of volume 9; \"dkv-volume --print-settings\" lists all.\n[Volume]\n";
        char expected[256];

        assert_written(&(VolumeFileInput){}, head);
        (void) snprintf(expected, sizeof(expected), "%sListen=1.2.3.4:5\n", head);
        assert_written(&(VolumeFileInput){ .listen = "1.2.3.4:5" }, expected);
        (void) snprintf(expected, sizeof(expected), "%sDirectory=/d\nZone=\n", head);
        assert_written(&(VolumeFileInput){ .directory = "/d", .zone = "" }, expected);
}

TEST(everybody_may_read_the_settings) {
        struct stat st;

        assert_ok(volume_file_write(
                        scratch_path(root, "etc/dkv/volume@9.conf"), 9, &(VolumeFileInput){}));
        assert_ok(stat(scratch_path(root, "etc/dkv/volume@9.conf"), &st));
        assert_int_equal(st.st_mode & 0777, 0644);
        assert_ok(stat(scratch_path(root, "etc/dkv"), &st));
        assert_int_equal(st.st_mode & 0777, 0755);
}

TEST(place_that_is_a_file_is_told) {
        scratch_write(root, "etc/dkv", "a file");
        assert_true(volume_file_write(
                                    scratch_path(root, "etc/dkv/volume@9.conf"), 9,
                                    &(VolumeFileInput){}) < 0);
}

TEST(user_must_be_there) {
        bool made;

        scratch_write(root, "etc/passwd", "root:x:0:0::/:/bin/sh\ndkvx:x:7:7::/:\n");
        assert_int_equal(volume_directory_make(root, 3, "/srv/v", &made), -ESRCH);
        assert_ok(unlink(scratch_path(root, "etc/passwd")));
        assert_int_equal(volume_directory_make(root, 3, "/srv/v", &made), -ESRCH);
        assert_true(access(scratch_path(root, "srv"), F_OK) < 0);
}

#define RUN(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                RUN(path_is_below_the_root),
                RUN(what_was_written_is_read),
                RUN(file_that_is_not_there_has_defaults),
                RUN(values_that_would_not_come_back_are_refused),
                RUN(directory_is_made_or_taken),
                RUN(what_belongs_to_the_system_is_refused),
                RUN(directory_that_all_may_write_is_refused),
                RUN(directory_of_somebody_else_must_be_empty),
                RUN(only_what_was_made_is_taken_back),
                RUN(settings_that_were_not_given_are_left_out),
                RUN(everybody_may_read_the_settings),
                RUN(place_that_is_a_file_is_told),
                RUN(user_must_be_there),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
