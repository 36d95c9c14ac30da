/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is done to files; what is done to units as well is in test-machine. */

#include "adm/verb.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "adm/scratch.h"

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

TEST(configuration_is_removed_and_values_are_left) {
        char root[SCRATCH_SIZE];

        scratch_new(root);
        check(root, "volume remove-config 4", 1, "",
              "Volume 4 has no configuration here: '*/etc/dkv/volume@4.conf': No such file or directory\n");
        scratch_write(root, "etc/dkv/volume@4.conf", "[Volume]\nDirectory=/srv/v4\nInlineMax=1K\n");
        check(root, "volume remove-config 4", 0,
              "Volume 4 is no longer configured here.\nIts values are still in '/srv/v4'.\n", "");
        assert_true(access(scratch_path(root, "etc/dkv/volume@4.conf"), F_OK) < 0);

        scratch_write(root, "etc/dkv/volume@4.conf", "[Volume]\n");
        check(root, "volume remove-config 4", 0,
              "*\nIts values are still in '/var/lib/dkv/volume-4'.\n", "");
        check(root, "volume remove-config x", 2, "", "'x' is not a volume number*\n");
        scratch_free(root);
}

TEST(only_the_named_volume_is_removed) {
        char root[SCRATCH_SIZE];

        scratch_new(root);
        scratch_write(root, "etc/dkv/volume@4.conf", "[Volume]\n");
        scratch_write(root, "etc/dkv/volume@44.conf", "[Volume]\n");
        scratch_write(root, "etc/dkv/master.conf", "[Master]\n");
        scratch_write(root, "var/lib/dkv/volume-4/objects.db", "values");
        check(root, "volume remove-config 4 -q", 0, "", "");
        assert_true(access(scratch_path(root, "etc/dkv/volume@4.conf"), F_OK) < 0);
        assert_ok(access(scratch_path(root, "etc/dkv/volume@44.conf"), F_OK));
        assert_ok(access(scratch_path(root, "etc/dkv/master.conf"), F_OK));
        assert_ok(access(scratch_path(root, "var/lib/dkv/volume-4/objects.db"), F_OK));
        scratch_free(root);
}

TEST(what_cannot_be_read_is_not_removed) {
        char root[SCRATCH_SIZE];

        scratch_new(root);
        scratch_write(root, "etc/dkv/volume@4.conf/file", "");
        check(root, "volume remove-config 4", 1, "",
              "Failed to read '*/etc/dkv/volume@4.conf': *\n");
        scratch_free(root);
}

TEST(nobody_is_asked_about_the_files_of_another_machine) {
        static const Answer answers[ANSWERS_MAX] = {
                { .member = "Get", .types = "v", .text = "s active" }
        };
        char root[SCRATCH_SIZE];

        scratch_new(root);
        scratch_write(root, "etc/dkv/volume@7.conf", "[Volume]\n");
        stand_in_set(answers);
        check(root, "volume remove-config 7", 0, "Volume 7 is no longer configured here.\n*", "");
        assert_string_equal(stand_in_calls(), "");
        scratch_free(root);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(configuration_is_removed_and_values_are_left),
                cmocka_unit_test(only_the_named_volume_is_removed),
                cmocka_unit_test(what_cannot_be_read_is_not_removed),
                cmocka_unit_test(nobody_is_asked_about_the_files_of_another_machine),
        };

        return verb_run_tests(tests);
}
