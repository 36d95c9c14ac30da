/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "adm/verb.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adm/scratch.h"

/* A machine with the user dkv, who is the one that runs the test. */
static void machine_new(char root[static SCRATCH_SIZE]) {
        char passwd[128];

        scratch_new(root);
        (void) snprintf(passwd, sizeof(passwd), "root:x:0:0::/:/bin/sh\ndkv:x:%u:%u::/:/bin/sh\n",
                        (unsigned) getuid(), (unsigned) getgid());
        scratch_write(root, "etc/passwd", passwd);
}

/* Runs "WORDS --root=ROOT", compares, and forgets what it printed. */
static void check(
                const char *root,
                const char *words,
                int status,
                const char *out_pattern,
                const char *err_pattern) {
        char line[256], *out, *err;
        int r;

        (void) snprintf(line, sizeof(line), "%s --root=%s", words, root);
        r = verb_run(line, NULL, &out, &err);
        assert_matches(err, err_pattern);
        assert_matches(out, out_pattern);
        assert_int_equal(r, status);
        free(out);
        free(err);
}

static void assert_file(const char *root, const char *path, const char *text) {
        char *found = scratch_read(root, path);

        assert_string_equal(found, text);
        free(found);
}

TEST(settings_are_what_was_given) {
        char root[SCRATCH_SIZE];
        struct stat st;

        machine_new(root);
        check(root,
              "volume create 4 --zone=r1 --listen=10.0.0.4:3004 --master=http://10.0.0.1:3000 -D /srv/v4",
              0, "Volume 4 is configured in '*/etc/dkv/volume@4.conf'.\n", "");
        assert_file(root, "etc/dkv/volume@4.conf",
                    "# Settings of volume 4; \"dkv-volume --print-settings\" lists all.\n[Volume]\n"
                    "Directory=/srv/v4\nListen=10.0.0.4:3004\nMaster=http://10.0.0.1:3000\nZone=r1\n");
        assert_ok(stat(scratch_path(root, "srv/v4"), &st));
        assert_true(S_ISDIR(st.st_mode));

        check(root, "volume create 5 -q", 0, "", "");
        assert_file(root, "etc/dkv/volume@5.conf",
                    "# Settings of volume 5; \"dkv-volume --print-settings\" lists all.\n[Volume]\n");
        scratch_free(root);
}

TEST(what_is_wrong_is_seen_before_anything_is_written) {
        /* clang-format off */
        static const struct {
                const char *words;
                int status;
                const char *err;
        } rows[] = {
                { "volume create 4 -D srv",                2, "--directory takes an absolute path, not 'srv'.\n" },
                { "volume create 4 --weight=300",          2, "--weight takes a number from 1 to 256.\n" },
                { "volume create 4 --add",                 2, "--add and --weight do not go with --root, which starts nothing.\n" },
                { "volume create 4 --weight=2",            2, "--add and --weight do not go with --root, which starts nothing.\n" },
                { "volume create 4 --listen=foo",          2, "--listen takes ADDRESS:PORT*\n" },
                { "volume create 4 --listen=3003",         2, "--listen takes ADDRESS:PORT*\n" },
                { "volume create 4 --listen=host:3003",    2, "--listen takes ADDRESS:PORT*, not 'host:3003'.\n" },
                { "volume create 4 --listen=10.0.0.1:99999", 2, "--listen takes ADDRESS:PORT*\n" },
                { "volume create 4 --master=10.0.0.1",     2, "--master takes http://ADDRESS:PORT, but '10.0.0.1' *.\n" },
                { "volume create 4 '--zone=a ;b'",         1, "A configuration file cannot contain Zone='a ;b'.\n" },
                { "volume create 63000",                   2, "Volume 63000 needs --listen=ADDRESS:PORT.\n" },
                { "volume create 0",                       2, "'0' is not a volume number*\n" },
                { "volume create 4 -D /etc",               1, "'/etc' is a directory of the system.\nGive the volume a directory of its own: --directory=/etc/dkv-volume-4\n" },
                { "volume create 4 -D /",                  1, "'/' is a directory of the system.\n*--directory=/dkv-volume-4\n" },
                { "volume create 4 -D /run/v",             1, "Data in '/run/v' does not survive a reboot.\n*--directory=/srv/dkv-volume-4\n" },
                { "volume create 4 -D /tmp/v",             1, "Data in '/tmp/v' does not survive a reboot.\n*" },
        };
        /* clang-format on */
        char root[SCRATCH_SIZE];

        machine_new(root);
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                check(root, rows[i].words, rows[i].status, "", rows[i].err);
                assert_true(access(scratch_path(root, "etc/dkv/volume@4.conf"), F_OK) < 0);
                assert_true(access(scratch_path(root, "srv"), F_OK) < 0);
        }
        scratch_free(root);
}

TEST(volume_is_not_configured_twice) {
        char root[SCRATCH_SIZE];

        machine_new(root);
        scratch_write(root, "etc/dkv/volume@4.conf", "[Volume]\nZone=old\n");
        check(root, "volume create 4 --zone=new", 1, "",
              "Volume 4 is already configured in '*/etc/dkv/volume@4.conf'.\n"
              "To change it, edit that file, then: systemctl restart dkv-volume@4\n");
        assert_file(root, "etc/dkv/volume@4.conf", "[Volume]\nZone=old\n");
        scratch_free(root);
}

TEST(what_was_made_is_taken_back) {
        char root[SCRATCH_SIZE];

        machine_new(root);
        check(root, "volume create 4 -D /srv/v4 '--zone=a ;b'", 1, "",
              "A configuration file cannot*");
        assert_true(access(scratch_path(root, "srv/v4"), F_OK) < 0);

        /* But not what was there before. */
        scratch_write(root, "srv/v4/lost+found", "");
        check(root, "volume create 4 -D /srv/v4 '--zone=a ;b'", 1, "",
              "A configuration file cannot*");
        assert_ok(access(scratch_path(root, "srv/v4/lost+found"), F_OK));
        scratch_free(root);
}

TEST(machine_without_the_user_cannot_have_a_directory) {
        char root[SCRATCH_SIZE];

        scratch_new(root);
        check(root, "volume create 4 -D /srv/v4", 1, "",
              "User dkv does not exist.\nThe packages of dkv create it; to create it now: systemd-sysusers\n");
        scratch_write(root, "etc/passwd", "root:x:0:0::/:/bin/sh\n");
        check(root, "volume create 4 -D /srv/v4", 1, "", "User dkv does not exist.\n*");
        scratch_free(root);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(settings_are_what_was_given),
                cmocka_unit_test(what_is_wrong_is_seen_before_anything_is_written),
                cmocka_unit_test(volume_is_not_configured_twice),
                cmocka_unit_test(what_was_made_is_taken_back),
                cmocka_unit_test(machine_without_the_user_cannot_have_a_directory),
        };

        return verb_run_tests(tests);
}
