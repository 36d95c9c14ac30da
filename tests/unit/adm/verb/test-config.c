/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "adm/verb.h"

/* clang-format off */
#define CONFIG \
        { .member = "GetConfig", .types = "a(sssbs)", \
          .text = "2 Copies 1 1 0 '' GraceSec 5min 10min 1 /etc/dkv/master.conf:3" }

TEST(config_tells_where_settings_come_from) {
        static const VerbCase cases[] = {
                { "config", { CONFIG, { .member = "Get", .types = "v", .text = "u 1" } }, 0,
                  "SETTING   VALUE  DEFAULT  APPLIES ON  SET IN\n"
                  "Copies    1      1        restart     (default)\n"
                  "GraceSec  5min   10min    reload      /etc/dkv/master.conf:3\n", "", NULL },
                /* The map counts before the setting. */
                { "config", { CONFIG, { .member = "Get", .types = "v", .text = "u 3" } }, 0,
                  "*Copies    3      1        restart     dkvadm set copies=\n*", "", NULL },
                { "config --json=short", { CONFIG }, 0,
                  "[{\"name\":\"Copies\",\"value\":\"1\",\"default\":\"1\",\"live\":false,\"origin\":\"\"},*]\n", "", NULL },
                { "config 7", { CONFIG }, 0, "*Copies    1 *", "", "GetConfig Volume1\n" },
                { "config 8", {}, 1, "",
                  "Failed to query volume 8: It is not running.\nIf it belongs here: systemctl start dkv-volume@8, or*\n", "" },
                { "config 7", { { .member = "GetConfig", .error = "org.dkv.Error.Internal", .text = "Oh." } }, 1, "",
                  "Failed to query volume 7: Oh.\n", NULL },
                { "config", { { .member = "GetConfig", .error = "org.dkv.Error.Internal", .text = "Oh." } }, 1, "",
                  "Failed to query the master: Oh.\nSee what it is doing: systemctl status dkv-master;*\n", NULL },
                { "config", { { .member = "GetConfig", .types = "s", .text = "x" } }, 1, "", "Failed to read the daemon's reply: *\n", NULL },
                { "config 0", {}, 2, "", "'0' is not a volume number*", "" },
                {}
        };

        verb_check_all(cases);
}
/* clang-format on */

/* clang-format off */
#define WIDE \
        { .member = "GetConfig", .types = "a(sssbs)", \
          .text = "2 Directory /srv/a-directory-with-a-long-name/below/another /var/lib/dkv/master 0 /etc/dkv/master.conf.d/50-directory.conf:12" \
                  " Empty '' '' 1 ''" }

TEST(settings_fit_a_terminal) {
        static const TerminalCase cases[] = {
                { "config", { WIDE }, { .columns = 80 }, 0,
                  "SETTING    VALUE *  DEFAULT *  APPLIES ON  SET IN\nDirectory  /srv/a-direct*~  *~  restart     /etc/dkv/mas*~\n"
                  "Empty      - *  - *  reload      (default)\n", NULL },
                { "config", { WIDE }, { .columns = 160 }, 0,
                  "*Directory  /srv/a-directory-with-a-long-name/below/another  /var/lib/dkv/master  restart     /etc/dkv/master.conf.d/50-directory.conf:12\n*", NULL },
                { "config --json=short", { WIDE }, { .columns = 40 }, 0,
                  "[{\"name\":\"Directory\",\"value\":\"/srv/a-directory-with-a-long-name/below/another\",*},{\"name\":\"Empty\",*\"live\":true,\"origin\":\"\"}]\n", NULL },
                {}
        };

        verb_check_on_terminal(cases);
}

TEST(what_was_set_stands_out_in_colours) {
        static const TerminalCase cases[] = {
                { "config", { CONFIG }, { .columns = 120 }, 0,
                  "*\033[1mGraceSec\033[0m *\n*", NULL },
                { "config", { CONFIG }, { .columns = 120 }, 0, "*\nCopies *\033[90m(default)\033[0m\n*", NULL },
                {}
        };

        assert_ok(setenv("SYSTEMD_COLORS", "1", 1));
        verb_check_on_terminal(cases);
        assert_ok(unsetenv("SYSTEMD_COLORS"));
}

TEST(daemon_that_cannot_tell_is_named) {
        static const VerbCase cases[] = {
                { "config", { { .member = "GetConfig", .error = "org.freedesktop.DBus.Error.ServiceUnknown", .text = "No." } }, 1, "",
                  "Failed to query the master: The master is not running.\nIf it belongs here: *\n", NULL },
                { "config 7", { { .member = "GetConfig", .error = "org.freedesktop.DBus.Error.ServiceUnknown", .text = "No." } }, 1, "",
                  "Failed to query volume 7: It is not running.\nIf it belongs here: systemctl start dkv-volume@7, or dkvadm volume create 7 if it is new. "
                  "If it is on another machine: dkvadm -H HOST config 7\n", NULL },
                { "config 7", { { .member = "GetConfig", .error = "org.freedesktop.DBus.Error.NameHasNoOwner", .text = "No." } }, 1, "",
                  "Failed to query volume 7: It is not running.\n*", NULL },
                { "config 7", { { .member = "GetConfig", .error = "org.freedesktop.DBus.Error.AccessDenied", .text = "You may not." } }, 1, "",
                  "Failed to query volume 7: You may not.\n", NULL },
                { "config 65536", {}, 2, "", "'65536' is not a volume number, which is from 1 to 65535.\n", "" },
                { "config master", {}, 2, "", "'master' is not a volume number*\n", "" },
                { "config 1 2", {}, 2, "", "Too many arguments for 'config'. Usage: config [N]\n", "" },
                { "config 7", { { .member = "GetConfig", .types = "a(sssb)", .text = "1 a b c 1" } }, 1, "", "Failed to read the daemon's reply: *\n", NULL },
                {}
        };

        verb_check_all(cases);
}
/* clang-format on */

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(config_tells_where_settings_come_from),
                cmocka_unit_test(settings_fit_a_terminal),
                cmocka_unit_test(what_was_set_stands_out_in_colours),
                cmocka_unit_test(daemon_that_cannot_tell_is_named),
        };

        return verb_run_tests(tests);
}
