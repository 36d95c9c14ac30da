/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What events there are is tested with a journal, by the integration tests. */

#include "adm/verb.h"

#include <stdio.h>
#include <string.h>

#include "adm/scratch.h"

/* clang-format off */
static const struct {
        const char *words;
        int status;
        const char *out, *err; /* patterns */
} rows[] = {
        { "events --since=soon",       2, "", "Invalid time 'soon'; valid are '2h ago', '03:04', yesterday or '2026-01-02 03:04'.\n" },
        { "events --since=",           2, "", "Invalid time ''; *" },
        { "events --sandbox=/s",       2, "", "'events' can read only the journal of this machine.\nA sandbox logs its events to *.log in its directory.\n" },
        { "events -H far",             2, "", "'events' can read only the journal of this machine.\nOn another machine: ssh HOST dkvadm events, or machinectl*\n" },
        { "events --lines=0",          2, "", "Invalid value '0' for --lines=N; see --help.\n" },
        { "events -D /nowhere",        1, "", "Failed to read the journal in '/nowhere': No such file or directory\n" },
        { "events extra",              2, "", "Too many arguments for 'events'. Usage: events\n" },
};
/* clang-format on */

TEST(bad_requests_are_told) {
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                char *out, *err;

                assert_int_equal(verb_run(rows[i].words, NULL, &out, &err), rows[i].status);
                assert_matches(out, rows[i].out);
                assert_matches(err, rows[i].err);
                free(out);
                free(err);
        }
}

TEST(empty_journal_has_titles_only) {
        static const char *const filters[] = { "", " --since=2h", " --lines=5", " --volume=3" };
        char root[SCRATCH_SIZE], words[256], *out, *err;

        scratch_new(root);
        for (size_t i = 0; i < sizeof(filters) / sizeof(*filters); i++) {
                (void) snprintf(words, sizeof(words), "events -D %s%s", root, filters[i]);
                assert_int_equal(verb_run(words, NULL, &out, &err), 0);
                assert_string_equal(
                                out,
                                "TIME                UNIT          EVENT             MESSAGE\n");
                free(out);
                free(err);
        }

        (void) snprintf(words, sizeof(words), "events -D %s --no-legend", root);
        assert_int_equal(verb_run(words, NULL, &out, &err), 0);
        assert_string_equal(out, "");
        free(out);
        free(err);
        scratch_free(root);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(bad_requests_are_told),
                cmocka_unit_test(empty_journal_has_titles_only),
        };

        return verb_run_tests(tests);
}
