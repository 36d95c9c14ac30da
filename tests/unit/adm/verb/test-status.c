/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "adm/verb.h"

/* clang-format off */
#define MASTER(health, reason, advice) \
        { .member = "GetAll", .path = "/org/dkv/Master1", .types = "a{sv}", \
          .text = "16 Version s 1.0 Directory s /d Listen s h:3000 StartedAt t 1000000 Epoch t 9" \
                  " Health s " health " HealthReason s " reason " HealthAdvice s " advice \
                  " Copies u 1 Keys t 1 Bytes t 2048 Garbage t 1 DiskFree t 512 DiskSize t 1024" \
                  " Requests t 7 Connections t 1" }
#define VOLUMES \
        { .member = "GetManagedObjects", .types = "a{oa{sa{sv}}}", \
          .text = "1 /org/dkv/Master1/volume/1 1 org.dkv.Master1.Volume 4 Number u 1 State s active Up b 1 Weight u 1" }
#define STORE(master, accepts, error) \
        { .member = "GetAll", .path = "/org/dkv/Volume1", .types = "a{sv}", \
          .text = "6 Number u 7 Master s " master " MasterAccepts b " accepts " MasterError s " error \
                  " Listen s 10.0.0.7:3007 Directory s /v" }

TEST(health_comes_first) {
        static const VerbCase cases[] = {
                { "status", { MASTER("ok", "''", "''"), VOLUMES }, 0,
                  "*ok\n\n"
                  "  Master: dkv 1.0 at h:3000, up for *, map epoch 9, 1 copy\n"
                  "   Index: /d, free: 512B 50%\n"
                  "    Keys: 1 with 2.0K; 1 old copy to delete\n"
                  "Requests: 0 in progress on 1 connection; 7 so far, 0 of them failed here\n\n"
                  "VOLUME  STATE   UP *\n     1  active  up *\n", "", NULL },
                { "status", { MASTER("degraded", "'Volume 1 is slow.'", "'Look at it.'"), VOLUMES }, 3,
                  "*degraded: Volume 1 is slow.\n  Look at it.\n\n*", "", NULL },
                { "status", { MASTER("down", "'Nothing works.'", "''"), VOLUMES }, 4, "*down: Nothing works.\n\n*", "", NULL },
                { "status", { MASTER("strange", "''", "''"), VOLUMES }, 4, "*strange\n\n*", "", NULL },
                {}
        };

        verb_check_all(cases); /* in front of the health stands a bullet, or what is one in ASCII */
}

TEST(programs_get_all_of_it) {
        static const VerbCase cases[] = {
                { "status --json=short",
                  { { .member = "GetAll", .types = "a{sv}",
                      .text = "3 Health s degraded Keys t 5 Troubles a(ssutss) 1 volume-down warning 1 5 'Down.' 'Start it.'" }, VOLUMES }, 3,
                  "{\"health\":\"degraded\",\"reason\":\"\",\"advice\":\"\",\"troubles\":[{\"trouble\":\"volume-down\",\"level\":\"warning\","
                  "\"volume\":1,\"since\":5,\"sentence\":\"Down.\",\"advice\":\"Start it.\"}],\"master\":{*\"keys\":5,*},\"volumes\":[{\"number\":1,*}]}\n",
                  "", NULL },
                { "status --json=pretty", { MASTER("ok", "''", "''"), VOLUMES }, 0, "{\n  \"health\":*", "", NULL },
                {}
        };

        verb_check_all(cases);
}

/* The bus of the stand-in is not the system's, so nobody is waited for. */
#define ABSENT { .member = "GetAll", .path = "/org/dkv/Master1", .error = "org.freedesktop.DBus.Error.ServiceUnknown", .text = "No." }, \
               { .member = "GetManagedObjects", .error = "org.freedesktop.DBus.Error.ServiceUnknown", .text = "No." }

TEST(volumes_tell_what_a_master_elsewhere_does_not) {
        static const VerbCase cases[] = {
                { "status", { ABSENT, STORE("http://192.0.2.1:3000", "1", "''") }, 0,
                  "*ok: The volumes of this machine report to the master at http://192.0.2.1:3000.\n"
                  "  For the whole cluster: dkvadm -H 192.0.2.1 status\n\nVolumes on this machine:\n"
                  "VOLUME  TO MASTER  MASTER                 LISTEN         FREE  OBJECTS  DIRECTORY\n"
                  "     7  reports    http://192.0.2.1:3000  10.0.0.7:3007     -        0  /v\n", "", NULL },
                { "status", { ABSENT, STORE("http://192.0.2.1:3000", "0", "''") }, 3,
                  "*degraded: Volume 7 is not in its cluster: Its master has not answered yet.\n*", "", NULL },
                { "status", { ABSENT, STORE("http://192.0.2.1:3000", "0", "'It has another secret.'") }, 3,
                  "*degraded: Volume 7 is not in its cluster: It has another secret.\n*7  no answer *", "", NULL },
                { "status", { ABSENT, STORE("http://127.0.0.1:3000", "0", "''") }, 4,
                  "*down: The master is not running.\n  If it belongs here: systemctl start*", "", NULL },
                { "status --json=short", { ABSENT, STORE("http://192.0.2.1:3000", "1", "''") }, 0,
                  "{\"health\":\"ok\",*\"local_volumes\":[{\"number\":7,\"master_accepts\":true,*}]}\n", "", NULL },
                { "status", { ABSENT }, 4, "*down: The master is not running.\n*", "", NULL },
                {}
        };

        verb_check_all(cases);
}

#define TWO_VOLUMES \
        { .member = "GetManagedObjects", .types = "a{oa{sa{sv}}}", \
          .text = "3 /org/dkv/Master1/volume/2 1 org.dkv.Master1.Volume 6 Number u 2 State s active Up b 0 Weight u 1" \
                  " Url s http://a-name-that-is-long.example.org:3002 Zone s r1" \
                  " /org/dkv/Master1/volume/3 1 org.dkv.Master1.Volume 3 Number u 3 Weight u 1 State s removed" \
                  " /org/dkv/Master1/volume/1 1 org.dkv.Master1.Volume 7 Number u 1 State s active Up b 1 Weight u 1" \
                  " Url s http://a:3001 DiskFree t 1024 DiskSize t 4096" }

TEST(status_fits_a_narrow_terminal) {
        static const TerminalCase cases[] = {
                { "status", { MASTER("ok", "''", "''"), TWO_VOLUMES }, { .columns = 120 }, 0,
                  "*     2  active  down  a-name-that-is-long.example.org:3002  r1           -        0  never\n", NULL },
                { "status", { MASTER("ok", "''", "''"), TWO_VOLUMES }, { .columns = 60 }, 0,
                  "*VOLUME  STATE   UP    URL       ZONE      FREE  OBJECTS  SEEN\n"
                  "     1  active  up    a:3001    -     1.0K 25%        0  never\n"
                  "     2  active  down  a-name-~  r1           -        0  never\n", NULL },
                { "status", { MASTER("degraded", "'Volume 2 is down since yesterday.'", "'Start it again.'"), TWO_VOLUMES }, { .columns = 30 }, 3,
                  "* degraded: Volume 2 is down\n  since yesterday.\n  Start it again.\n\n*", NULL },
                { "status --no-legend", { MASTER("ok", "''", "''"), TWO_VOLUMES }, { .columns = 120 }, 0, "*\n\n1  active  up *\n2  active*", NULL },
                { "status --json=short", { MASTER("ok", "''", "''"), TWO_VOLUMES }, { .columns = 20 }, 0,
                  "{\"health\":\"ok\",*a-name-that-is-long.example.org*\"removed\"*}\n", NULL },
                {}
        };

        verb_check_on_terminal(cases);
}

TEST(colours_are_for_terminals_that_want_them) {
        static const TerminalCase plain[] = {
                { "status", { MASTER("ok", "''", "''"), VOLUMES }, {}, 0, "* ok\n*", NULL },
                {}
        };
        static const TerminalCase coloured[] = {
                { "status", { MASTER("ok", "''", "''"), TWO_VOLUMES }, { .columns = 200 }, 0,
                  "\033[32m* ok\033[0m\n*\033[32mup\033[0m*\033[1;31mdown\033[0m*", NULL },
                { "status", { MASTER("degraded", "Oh.", "''"), VOLUMES }, {}, 3, "\033[1;33m* degraded: Oh.\033[0m\n*", NULL },
                { "status", { MASTER("down", "Oh.", "''"), VOLUMES }, {}, 4, "\033[1;31m* down: Oh.\033[0m\n*", NULL },
                { "status --json=short", { MASTER("ok", "''", "''"), VOLUMES }, {}, 0, "{\"health\":\"ok\",*\"state\":\"active\",*", NULL },
                {}
        };

        verb_check_on_terminal(plain);
        assert_ok(setenv("SYSTEMD_COLORS", "1", 1));
        verb_check_on_terminal(coloured);
        assert_ok(unsetenv("SYSTEMD_COLORS"));
}

TEST(long_status_goes_through_the_pager) {
        static const TerminalCase cases[] = {
                { "status", { MASTER("ok", "''", "''"), VOLUMES }, {}, 0, "| * ok\n| \n|   Master: *\n|      1  active  up *\n", NULL },
                { "status --no-pager", { MASTER("ok", "''", "''"), VOLUMES }, {}, 0, "* ok\n*", NULL },
                { "status --json=pretty", { MASTER("ok", "''", "''"), VOLUMES }, {}, 0, "| {\n|   \"health\": \"ok\",\n*", NULL },
                {}
        };

        assert_ok(setenv("SYSTEMD_PAGER", "sed 's/^/| /'", 1));
        verb_check_on_terminal(cases);
        assert_ok(setenv("SYSTEMD_PAGER", "cat", 1));
}

TEST(what_a_master_says_does_not_reach_the_terminal_raw) {
        static const VerbCase cases[] = {
                { "status", { MASTER("degraded", "'red\033[31m'", "'bell\007'"), VOLUMES }, 3, "*degraded: red?[31m\n  bell?\n*", "", NULL },
                { "status --json=short", { MASTER("degraded", "'red\033[31m'", "''"), VOLUMES }, 3, "*red\\u001b[31m*", "", NULL },
                {}
        };

        verb_check_all(cases);
}

TEST(master_of_another_release_is_read_as_far_as_it_goes) {
        static const VerbCase cases[] = {
                /* Nothing but its health is known. */
                { "status", { { .member = "GetAll", .types = "a{sv}", .text = "1 Health s ok" }, VOLUMES }, 0, "*ok\n\n  Master: *", "", NULL },
                { "status", { { .member = "GetAll", .types = "a{sv}", .text = "2 Health s ok Keys s many" }, VOLUMES }, 4, "*down: *\n", "", NULL },
                { "status", { { .member = "GetAll", .types = "a{sv}", .text = "0" }, VOLUMES }, 4, NULL, "", NULL },
                { "status", { MASTER("ok", "''", "''"), { .member = "GetManagedObjects", .error = "org.dkv.Error.Internal", .text = "Oh." } }, 4,
                  "*down: Oh.\n*", "", NULL },
                {}
        };

        verb_check_all(cases);
}
/* clang-format on */

TEST(status_without_a_bus_is_down) {
        char *out, *err;

        assert_int_equal(verb_run("status", "unix:path=/nowhere", &out, &err), 4);
        assert_matches(out, "*down: The bus at 'unix:path=/nowhere' cannot be reached: *\n");
        assert_string_equal(err, "");
        free(out);
        free(err);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(health_comes_first),
                cmocka_unit_test(programs_get_all_of_it),
                cmocka_unit_test(volumes_tell_what_a_master_elsewhere_does_not),
                cmocka_unit_test(status_fits_a_narrow_terminal),
                cmocka_unit_test(colours_are_for_terminals_that_want_them),
                cmocka_unit_test(long_status_goes_through_the_pager),
                cmocka_unit_test(what_a_master_says_does_not_reach_the_terminal_raw),
                cmocka_unit_test(master_of_another_release_is_read_as_far_as_it_goes),
                cmocka_unit_test(status_without_a_bus_is_down),
        };

        return verb_run_tests(tests);
}
