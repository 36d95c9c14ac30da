/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "adm/verb.h"

/* clang-format off */
#define OLDER { .member = "GetAll", .types = "a{sv}", .text = "2 Health s down HealthReason s 'The index is old.'" }
#define NO_VOLUMES { .member = "GetManagedObjects", .types = "a{oa{sa{sv}}}", .text = "0" }

TEST(rollback_is_accepted_by_a_word) {
        static const VerbCase cases[] = {
                { "master accept-rollback --yes", { OLDER, NO_VOLUMES, { .member = "AcceptRollback" } }, 0,
                  "The master leads with the older index. To see what is lost: dkvadm status\n", "", "*AcceptRollback Master1 a{sv} 0\n" },
                { "master accept-rollback", { OLDER, NO_VOLUMES }, 2, "",
                  "Cannot ask for confirmation without a terminal: --yes proceeds.\n", "GetAll*\nGetManagedObjects Master1\n" },
                { "master accept-rollback --yes",
                  { OLDER, NO_VOLUMES, { .member = "AcceptRollback", .error = "org.dkv.Error.Refused", .text = "It leads." } }, 1, "",
                  "Failed to accept the older index: It leads.\n", NULL },
                { "master accept-rollback --yes", { NO_VOLUMES }, 1, "", "Failed to query the master: *\n", NULL },
                {}
        };

        verb_check_all(cases);
}

#define WARNING \
        "The index is old.\nNewer values and deletions, which this index does not know, will be given up.\n" \
        "This cannot be undone. If there is a newer index, restore that one instead.\nProceed? [y/N] "
#define TYPES(typed_) { .prompt = "Proceed? [y/N] ", .typed = typed_ }

TEST(what_would_be_lost_is_told_before_the_question) {
        static const TerminalCase cases[] = {
                { "master accept-rollback", { OLDER, NO_VOLUMES, { .member = "AcceptRollback" } }, TYPES("y\n"), 0,
                  WARNING "The master leads with the older index. To see what is lost: dkvadm status\n", "*AcceptRollback Master1 a{sv} 0\n" },
                { "master accept-rollback", { OLDER, NO_VOLUMES }, TYPES("no\n"), 1, WARNING "Nothing was changed.\n",
                  "GetAll*\nGetManagedObjects Master1\n" },
                { "master accept-rollback", { OLDER, NO_VOLUMES }, TYPES("\n"), 1, WARNING "Nothing was changed.\n", NULL },
                { "master accept-rollback", { OLDER, NO_VOLUMES }, TYPES("\004"), 1, WARNING "Nothing was changed.\n", NULL },
                { "master accept-rollback --json=short", { OLDER, NO_VOLUMES }, {}, 2, "Cannot ask*", NULL },
                { "master accept-rollback --yes -q", { OLDER, NO_VOLUMES, { .member = "AcceptRollback" } }, {}, 0, "", "*AcceptRollback *" },
                {}
        };

        verb_check_on_terminal(cases);
}

TEST(nothing_is_asked_of_a_master_that_is_not_there) {
        static const VerbCase cases[] = {
                { "master accept-rollback --yes", { { .member = "GetAll", .error = "org.freedesktop.DBus.Error.ServiceUnknown", .text = "No." }, NO_VOLUMES }, 1,
                  "", "Failed to query the master: The master is not running.\nIf it belongs here: *\n", "GetAll*\nGetManagedObjects*\n" },
                { "master accept-rollback", { { .member = "GetAll", .error = "org.dkv.Error.Internal", .text = "Oh." }, NO_VOLUMES }, 1,
                  "", "Failed to query the master: Oh.\n*", NULL },
                { "master", {}, 2, "", "'master' needs a second word. The verbs are:\n  master accept-rollback\n", "" },
                { "master accept", {}, 2, "", "Unknown verb 'master accept'. The verbs are:\n  master accept-rollback\n", "" },
                { "master accept-rollback now", {}, 2, "", "Too many arguments for 'master accept-rollback'. *\n", "" },
                { "master accept-rollback --force", {}, 2, "", "'master accept-rollback' does not take --force; see*\n", "" },
                {}
        };

        verb_check_all(cases);
}
/* clang-format on */

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(rollback_is_accepted_by_a_word),
                cmocka_unit_test(what_would_be_lost_is_told_before_the_question),
                cmocka_unit_test(nothing_is_asked_of_a_master_that_is_not_there),
        };

        return verb_run_tests(tests);
}
