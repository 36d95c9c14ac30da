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

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(config_tells_where_settings_come_from),
        };

        return verb_run_tests(tests);
}
