/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "adm/verb.h"

/* clang-format off */
#define DAMAGE(n, copies) { .member = "GetDamage", .types = "tta(stusbt)", .text = n " 1 " copies }

TEST(damage_lists_copies) {
        static const VerbCase cases[] = {
                { "damage", { DAMAGE("0", "0") }, 0, "No damaged copies are known.\n", "", "GetDamage Master1\n" },
                { "damage --json=short", { DAMAGE("0", "0") }, 0, "[]\n", "", NULL },
                { "damage", { DAMAGE("2", "2 a 7 1 missing 1 1000000 b 8 2 checksum 0 1000000") }, 0,
                  "KEY  OBJECT  VOLUME  DAMAGE    LOST  SINCE\n"
                  "a         7       1  missing   yes   1970-01-01 00:00:01\n"
                  "b         8       2  checksum  no    1970-01-01 00:00:01\n", "", NULL },
                { "damage", { DAMAGE("9", "1 a 7 1 missing 1 1000000") }, 0, "*\nand 8 more\n", "", NULL },
                { "damage", { { .member = "GetDamage", .types = "t", .text = "1" } }, 1, "", "Failed to read the master's reply*", NULL },
                { "damage", { { .member = "GetDamage", .error = "org.freedesktop.DBus.Error.UnknownMethod", .text = "Unknown method." } },
                  1, "", "Failed to list damaged copies: Unknown method.\ndkvadm and the master are different releases: *\n", NULL },
                {}
        };

        verb_check_all(cases);
}
/* clang-format on */

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(damage_lists_copies),
        };

        return verb_run_tests(tests);
}
