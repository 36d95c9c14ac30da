/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "adm/verb.h"

/* clang-format off */
#define MASTER_OF(copies) \
        { .member = "GetAll", \
          .types = "a{sv}", \
          .text = "3 Health s ok Copies u " copies " Epoch t 9" }

#define VOLUME(number, state, up, rest) \
        " /org/dkv/Master1/volume/" number " 1 org.dkv.Master1.Volume 5 Number u " number \
        " State s " state " Up b " up " Weight u 1 " rest

#define THREE \
        { .member = "GetManagedObjects", .types = "a{oa{sa{sv}}}", \
          .text = "3" VOLUME("1", "active", "1", "Url s http://a:1") \
                          VOLUME("2", "active", "0", "Url s http://b:2") \
                                          VOLUME("3", "removed", "0", "Url s http://c:3") }

#define NONE { .member = "GetManagedObjects", .types = "a{oa{sa{sv}}}", .text = "0" }

#define UNKNOWN "org.freedesktop.DBus.Error.UnknownObject"

TEST(list_shows_what_is_there) {
        static const VerbCase cases[] = {
                { "volume list", { MASTER_OF("2"), THREE }, 0,
                  "VOLUME  STATE   UP    URL  FREE  OBJECTS  SEEN\n"
                  "     1  active  up    a:1     -        0  never\n"
                  "     2  active  down  b:2     -        0  never\n", "", NULL },
                { "volume list --all --no-legend", { MASTER_OF("2"), THREE }, 0,
                  "1  active *\n3  removed  -     c:3 *\n", "", NULL },
                { "volume list --json=short", { MASTER_OF("2"), THREE }, 0,
                  "[{\"number\":1,*\"number\":3,*}]\n", "", NULL },
                { "volume list", { MASTER_OF("2"), NONE }, 0,
                  "No volumes yet. To create one: dkvadm volume create 1 --add\n", "", NULL },
                { "volume list -q", { MASTER_OF("2"), NONE }, 0, "", "", NULL },
                { "volume list --json=short", { MASTER_OF("2"), NONE }, 0, "[]\n", "", NULL },
                { "volume list",
                  { MASTER_OF("2"),
                    { .member = "GetManagedObjects", .types = "a{oa{sa{sv}}}",
                      .text = "1" VOLUME("3", "removed", "0", "Zone s z") } }, 0,
                  "All volumes have been removed; --all shows them.\n", "", NULL },
                { "volume list", { { .member = "GetAll", .types = "a{sv}", .text = "1 Keys u 7" }, NONE },
                  1, "", "Failed to query the master: *\n", NULL },
                {}
        };

        verb_check_all(cases);
}

TEST(show_tells_of_one) {
        static const VerbCase cases[] = {
                { "volume show 2", { MASTER_OF("2"), THREE }, 0,
                  "     Volume: 2\n      State: active\n         Up: down\nMaintenance: no\n*"
                  "  Last seen: never\n", "", NULL },
                { "volume show 1 --json=short", { MASTER_OF("2"), THREE }, 0,
                  "{\"number\":1,\"state\":\"active\",\"up\":true,*}\n", "", NULL },
                { "volume show 9", { MASTER_OF("2"), THREE }, 1, "",
                  "The master knows no volume 9.\n"
                  "To list the volumes: dkvadm volume list. To create it: dkvadm volume create 9\n", NULL },
                { "volume show 0", {}, 2, "", "'0' is not a volume number*", "" },
                { "volume show 65536", {}, 2, "", "'65536' is not*", "" },
                { "volume show", {}, 2, "", "Too few arguments for 'volume show'. Usage: volume show N\n", "" },
                {}
        };

        verb_check_all(cases);
}

TEST(set_sends_only_what_was_given) {
        static const Answer done = { .member = "Set" };
        const VerbCase cases[] = {
                { "volume set 4 --weight=5", { done }, 0, "Settings of volume 4 changed.\n", "",
                  "Set 4 a{sv} 1 weight u 5\n" },
                { "volume set 4 --zone=r1 --url=http://x:1 --epoch=7 -q", { done }, 0, "", "",
                  "Set 4 a{sv} 3 zone s r1 url s http://x:1 epoch t 7\n" },
                { "volume set 4 --zone=", { done }, 0, NULL, "", "Set 4 a{sv} 1 zone s \n" },
                { "volume set 4", { done }, 2, "", "Nothing to set: give --weight, --zone or --url.\n", "" },
                { "volume set 4 --weight=256", { done }, 0, NULL, "", "Set 4 a{sv} 1 weight u 256\n" },
                { "volume set 4 --weight=257", { done }, 2, "", "--weight takes a number from 1 to 256.\n", "" },
                { "volume set 4 --rate=5", { done }, 2, "",
                  "'volume set' does not take --rate; see volume set --help.\n", "" },
                {}
        };

        verb_check_all(cases);
}

TEST(refusal_comes_with_advice) {
        static const VerbCase cases[] = {
                { "volume set 4 --weight=5", { { .member = "Set", .error = UNKNOWN, .text = "No." } }, 1, "",
                  "Failed to change volume 4: The master knows no such volume.\n"
                  "To list the volumes: dkvadm volume list\n", NULL },
                { "volume set 4 --weight=5",
                  { { .member = "Set", .error = "org.dkv.Error.Conflict", .text = "It is epoch 9." } }, 1, "",
                  "Failed to change volume 4: It is epoch 9.\nSee what has changed (dkvadm volume list)*\n", NULL },
                { "volume set 4 --weight=5",
                  { { .member = "Set", .error = "org.freedesktop.DBus.Error.AccessDenied", .text = "Denied." } }, 1,
                  "", "Failed to change volume 4: Denied.\nTry sudo;*\n", NULL },
                { "volume set 4 --weight=5",
                  { { .member = "Set", .error = "org.dkv.Error.Invalid", .text = "The zone\tis odd." } }, 1,
                  "", "Failed to change volume 4: The zone?is odd.\n", NULL },
                {}
        };

        verb_check_all(cases);
}

TEST(maintenance_ends_at_a_time_or_when_told) {
        static const Answer done = { .member = "SetMaintenance" };
        const VerbCase cases[] = {
                { "volume maintenance 1 off", { done }, 0, "Volume 1 left maintenance.\n", "",
                  "SetMaintenance 1 ta{sv} 0 0\n" },
                { "volume maintenance 1 off --epoch=3", { done }, 0, NULL, "",
                  "SetMaintenance 1 ta{sv} 0 1 epoch t 3\n" },
                { "volume maintenance 1 on", { done, MASTER_OF("1"), THREE }, 0,
                  "Volume 1 is in maintenance until turned off.\n", NULL,
                  "*SetMaintenance 1 ta{sv} 18446744073709551615 0\n" },
                { "volume maintenance 1 on 2h", { done, MASTER_OF("1"), THREE }, 0,
                  "Volume 1 is in maintenance until *:*:*.\n", NULL, "*SetMaintenance 1 ta{sv} 1* 0\n" },
                { "volume maintenance 1 on soon", { done }, 2, "",
                  "Invalid time 'soon'; valid are 30min, 2h or 1d.\n", "" },
                { "volume maintenance 1 on 0", { done }, 2, "", "Invalid time '0'*", "" },
                { "volume maintenance 1 maybe", { done }, 2, "", "Usage: dkvadm volume maintenance*", "" },
                { "volume maintenance 1 off 2h", { done }, 2, "", "Usage: dkvadm volume maintenance*", "" },
                {}
        };

        verb_check_all(cases);
}

TEST(maintenance_warns_of_what_stops) {
        static const Answer done = { .member = "SetMaintenance" };
        const VerbCase cases[] = {
                { "volume maintenance 1 on", { done, MASTER_OF("2"), THREE }, 0, NULL,
                  "Warning: Nothing can be stored in the meantime. A write needs 2 of its 2 copies, and 0 volumes "
                  "are left for new values.\n", NULL },
                { "volume maintenance 2 on", { done, MASTER_OF("2"), THREE }, 0, NULL,
                  "Warning: Nothing can be stored in the meantime. A write needs 2 of its 2 copies, and 1 volume "
                  "is left for new values.\n", NULL },
                { "volume maintenance 2 on", { done, MASTER_OF("1"), THREE }, 0, NULL,
                  "Warning: Values on volume 2 have no other copy and cannot be read while it is down.\n", NULL },
                { "volume maintenance 1 on", { done, MASTER_OF("1"), THREE }, 0, NULL,
                  "*A write needs 1 of its 1 copy, *Warning: Values on volume 1 have no other*", NULL },
                { "volume maintenance 3 on", { done }, 0, NULL, "", NULL },
                {}
        };

        verb_check_all(cases);
}
/* clang-format on */

/* clang-format off */
#define FOUR \
        { .member = "GetManagedObjects", .types = "a{oa{sa{sv}}}", \
          .text = "2" VOLUME("1", "active", "1", "Url s http://a-host-with-a-long-name.example.org:3001") \
                      VOLUME("2", "draining", "1", "Zone s a-room-with-a-long-name-in-the-cellar") }

TEST(list_fits_a_terminal) {
        static const TerminalCase cases[] = {
                { "volume list", { MASTER_OF("2"), FOUR }, { .columns = 70 }, 0,
                  "VOLUME  STATE     UP  URL*  ZONE*  FREE  OBJECTS  SEEN\n"
                  "     1  active    up  a-host-*~  - *  never\n"
                  "     2  draining  up  - *  a-room-*~     -        0  never\n", NULL },
                { "volume list", { MASTER_OF("2"), FOUR }, { .columns = 150 }, 0,
                  "*a-host-with-a-long-name.example.org:3001 *\n*a-room-with-a-long-name-in-the-cellar *\n", NULL },
                { "volume show 1", { MASTER_OF("2"), FOUR }, { .columns = 30 }, 0,
                  "*        URL: http://a-host-with-a-long-name.example.org:3001\n*", NULL }, /* all of it */
                {}
        };

        verb_check_on_terminal(cases);
}

TEST(states_that_matter_are_coloured) {
        static const TerminalCase cases[] = {
                { "volume list", { MASTER_OF("2"), THREE }, { .columns = 150 }, 0, "\033[1mVOLUME\033[0m*\033[32mup\033[0m*\033[1;31mdown\033[0m*", NULL },
                { "volume list", { MASTER_OF("2"), FOUR }, { .columns = 150 }, 0, "*\033[1;33mdraining\033[0m*", NULL },
                { "volume list --all", { MASTER_OF("2"), THREE }, { .columns = 150 }, 0, "*\033[90m-\033[0m*", NULL },
                {}
        };

        assert_ok(setenv("SYSTEMD_COLORS", "1", 1));
        verb_check_on_terminal(cases);
        assert_ok(unsetenv("SYSTEMD_COLORS"));
}

TEST(arguments_are_checked_before_anybody_is_asked) {
        static const VerbCase cases[] = {
                { "volume show 0",                    {}, 2, "", "'0' is not a volume number*\n", "" },
                { "volume show",                      {}, 2, "", "Too few arguments for 'volume show'. Usage: volume show N\n", "" },
                { "volume list 1",                    {}, 2, "", "Too many arguments for 'volume list'. Usage: volume list\n", "" },
                { "volume set x --weight=1",          {}, 2, "", "'x' is not a volume number*\n", "" },
                { "volume set 1 --weight=heavy",      {}, 2, "", "Invalid value 'heavy' for --weight=N; see --help.\n", "" },
                { "volume set 1 --epoch=3",           {}, 2, "", "Nothing to set: give --weight, --zone or --url.\n", "" },
                { "volume maintenance 1",             {}, 2, "", "Too few arguments for 'volume maintenance'. *\n", "" },
                { "volume maintenance 1 on 2h extra", {}, 2, "", "Too many arguments for 'volume maintenance'. *\n", "" },
                { "volume maintenance 1 ON",          {}, 2, "", "Usage: dkvadm volume maintenance N on [TIME], or off\n", "" },
                { "volume maintenance 1 on 999ms",    {}, 2, "", "Invalid time '999ms'; valid are 30min, 2h or 1d.\n", "" },
                { "volume maintenance 1 on 3651d",    {}, 2, "", "Invalid time '3651d'; valid are 30min, 2h or 1d.\n", "" },
                { "volume maintenance 1 on -2h",      {}, 2, "", "*", "" },
                { "volume", {}, 2, "", "'volume' needs a second word. The verbs are:\n  volume list\n  volume show N\n*", "" },
                { "volumes list", {}, 2, "", "Unknown verb 'volumes'. Did you mean:\n  volume list\n*", "" },
                {}
        };

        verb_check_all(cases);
}

TEST(maintenance_is_refused_with_the_reason) {
        static const VerbCase cases[] = {
                { "volume maintenance 9 off", { { .member = "SetMaintenance", .error = UNKNOWN, .text = "?" } }, 1, "",
                  "Failed to change volume 9: The master knows no such volume.\nTo list the volumes: dkvadm volume list\n", NULL },
                { "volume maintenance 1 off", { { .member = "SetMaintenance", .error = "org.dkv.Error.Conflict", .text = "It is epoch 9." } }, 1, "",
                  "Failed to change volume 1: It is epoch 9.\nSee what has changed*\n", NULL },
                { "volume maintenance 1 off -q", { { .member = "SetMaintenance" } }, 0, "", "", NULL },
                {}
        };

        verb_check_all(cases);
}
/* clang-format on */

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(list_shows_what_is_there),
                cmocka_unit_test(show_tells_of_one),
                cmocka_unit_test(set_sends_only_what_was_given),
                cmocka_unit_test(refusal_comes_with_advice),
                cmocka_unit_test(maintenance_ends_at_a_time_or_when_told),
                cmocka_unit_test(maintenance_warns_of_what_stops),
                cmocka_unit_test(list_fits_a_terminal),
                cmocka_unit_test(states_that_matter_are_coloured),
                cmocka_unit_test(arguments_are_checked_before_anybody_is_asked),
                cmocka_unit_test(maintenance_is_refused_with_the_reason),
        };

        return verb_run_tests(tests);
}
