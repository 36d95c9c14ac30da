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

/* clang-format off */
#define LONG_KEY "photos/2026/11/holiday/a-name-that-does-not-fit-anywhere.jpeg"

TEST(long_keys_give_way_on_a_terminal_only) {
        static const TerminalCase on_terminal[] = {
                { "damage", { DAMAGE("1", "1 " LONG_KEY " 7 1 missing 1 1000000") }, { .columns = 80 }, 0,
                  "KEY                           OBJECT  VOLUME  DAMAGE   LOST  SINCE\n"
                  "photos/2026/11/holiday/a-na~       7       1  missing  yes   1970-01-01 00:00:01\n", NULL },
                { "damage --json=short", { DAMAGE("1", "1 " LONG_KEY " 7 1 missing 1 1000000") }, { .columns = 80 }, 0,
                  "[{\"key\":\"" LONG_KEY "\",\"object\":7,\"volume\":1,\"damage\":\"missing\",\"lost\":true,\"since\":1000000}]\n", NULL },
                {}
        };
        static const VerbCase in_pipe[] = {
                { "damage --no-legend", { DAMAGE("1", "1 " LONG_KEY " 7 1 missing 1 1000000") }, 0, LONG_KEY "*\n", "", NULL },
                {}
        };

        verb_check_on_terminal(on_terminal);
        assert_ok(unsetenv("COLUMNS"));
        verb_check_all(in_pipe);
        assert_ok(setenv("COLUMNS", "200", 1));
}

TEST(keys_of_strangers_do_not_reach_the_terminal_raw) {
        static const VerbCase cases[] = {
                { "damage --no-legend", { DAMAGE("1", "1 'a\033[31m\nb' 7 1 missing 0 1000000") }, 0, "a?[31m?b  7  1  missing  no  1970-01-01 00:00:01\n", "", NULL },
                { "damage", { { .member = "GetDamage", .error = "org.freedesktop.DBus.Error.ServiceUnknown", .text = "No." } }, 1, "",
                  "Failed to list damaged copies: The master is not running.\nIf it belongs here: *\n", NULL },
                { "damage", { { .member = "GetDamage", .types = "tta(stusb)", .text = "1 1 1 a 7 1 missing 0" } }, 1, "", "Failed to read the master's reply: *\n", NULL },
                { "damage k", {}, 2, "", "Too many arguments for 'damage'. Usage: damage\n", "" },
                { "damage --all", {}, 2, "", "'damage' does not take --all; see damage --help.\n", "" },
                {}
        };

        verb_check_all(cases);
}
/* clang-format on */

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(damage_lists_copies),
                cmocka_unit_test(long_keys_give_way_on_a_terminal_only),
                cmocka_unit_test(keys_of_strangers_do_not_reach_the_terminal_raw),
        };

        return verb_run_tests(tests);
}
