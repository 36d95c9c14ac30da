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
/* clang-format on */

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(rollback_is_accepted_by_a_word),
        };

        return verb_run_tests(tests);
}
