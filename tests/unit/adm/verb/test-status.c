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
                cmocka_unit_test(status_without_a_bus_is_down),
        };

        return verb_run_tests(tests);
}
