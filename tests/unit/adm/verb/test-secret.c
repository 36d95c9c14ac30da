/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "adm/verb.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adm/scratch.h"

/* Runs "WORDS --root=ROOT". */
static int run(const char *words, const char *root, char **ret_out, char **ret_err) {
        char line[256];

        (void) snprintf(line, sizeof(line), "%s --root=%s", words, root);
        return verb_run(line, NULL, ret_out, ret_err);
}

TEST(secret_is_created_once) {
        char root[SCRATCH_SIZE], *out, *err, *first, *again;
        struct stat st;

        scratch_new(root);
        assert_int_equal(run("secret create", root, &out, &err), 0);
        assert_matches(out,
                       "Created a new secret in '*/etc/credstore/dkv.secret'.\n\n*systemctl try-restart*");
        assert_string_equal(err, "");
        free(out);
        free(err);

        first = scratch_read(root, "etc/credstore/dkv.secret");
        assert_int_equal(strlen(first), 45); /* 32 bytes in base64, and a newline */
        assert_true(first[43] == '=' && first[44] == '\n');
        assert_ok(stat(scratch_path(root, "etc/credstore/dkv.secret"), &st));
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_ok(stat(scratch_path(root, "etc/credstore"), &st));
        assert_int_equal(st.st_mode & 07777, 0700);

        assert_int_equal(run("secret create", root, &out, &err), 1);
        assert_matches(err, "There already is a secret in '*'.\n*dkvadm secret create --force\n");
        free(out);
        free(err);
        again = scratch_read(root, "etc/credstore/dkv.secret");
        assert_string_equal(again, first);
        free(again);

        assert_int_equal(run("secret create --force -q", root, &out, &err), 0);
        assert_string_equal(out, "");
        free(out);
        free(err);
        again = scratch_read(root, "etc/credstore/dkv.secret");
        assert_string_not_equal(again, first);
        free(again);
        free(first);
        scratch_free(root);
}

TEST(secret_is_shown_to_the_byte) {
        char root[SCRATCH_SIZE], *out, *err;

        scratch_new(root);
        assert_int_equal(run("secret show", root, &out, &err), 1);
        assert_matches(err, "There is no secret: '*' does not exist.\n"
                            "To create one for a new cluster: dkvadm secret create\n");
        free(out);
        free(err);

        scratch_write(root, "etc/credstore/dkv.secret", "no newline, and a \t");
        assert_int_equal(run("secret show", root, &out, &err), 0);
        assert_string_equal(out, "no newline, and a \t");
        free(out);
        free(err);
        scratch_free(root);
}

TEST(unwritable_place_is_told) {
        char root[SCRATCH_SIZE], *out, *err;

        scratch_new(root);
        scratch_write(root, "etc", "a file");
        assert_int_equal(run("secret create", root, &out, &err), 1);
        assert_matches(err, "Failed to write '*/etc/credstore/dkv.secret': *\n");
        free(out);
        free(err);
        assert_int_equal(run("secret show", root, &out, &err), 1);
        assert_matches(err, "Failed to read '*': Not a directory\n");
        free(out);
        free(err);
        scratch_free(root);
}

TEST(secret_is_a_matter_of_this_machine) {
        /* clang-format off */
        static const struct {
                const char *words;
                int status;
                const char *err;
        } rows[] = {
                { "secret create --sandbox=/x", 2, "'secret create' works on files of this machine and does not go with --sandbox.\n" },
                { "secret show -H far",         2, "'secret show' works on files of this machine and does not go with --host.\n"      },
                { "secret show extra",          2, "Too many arguments for 'secret show'. Usage: secret show\n"                        },
                { "secret",                     2, "'secret' needs a second word. The verbs are:\n  secret create\n  secret show\n"     },
        };
        /* clang-format on */

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                char *out, *err;

                assert_int_equal(verb_run(rows[i].words, NULL, &out, &err), rows[i].status);
                assert_string_equal(err, rows[i].err);
                free(out);
                free(err);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(secret_is_created_once),
                cmocka_unit_test(secret_is_shown_to_the_byte),
                cmocka_unit_test(unwritable_place_is_told),
                cmocka_unit_test(secret_is_a_matter_of_this_machine),
        };

        return verb_run_tests(tests);
}
