/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "adm/verb.h"

TEST(master_that_is_not_there_is_no_riddle) {
        static const char *const verbs[] = {
                "locate k",    "damage",          "config",
                "job list",    "job show 4",      "job pause 4",
                "volume list", "rebalance --yes", "volume set 1 --weight=2"
        };

        stand_in_leave();
        for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
                char *out, *err;

                assert_int_equal(verb_run(verbs[i], NULL, &out, &err), 1);
                assert_string_equal(out, "");
                assert_matches(err,
                               "Failed to *: The master is not running.\nIf it belongs here: systemctl start "
                               "dkv-master.socket dkv-master. If it is on another machine: dkvadm -H HOST ...\n");
                free(out);
                free(err);
        }
}

TEST(bus_that_is_not_there_is_named) {
        char *out, *err;

        assert_int_equal(verb_run("damage", "unix:path=/nowhere/bus", &out, &err), 1);
        assert_matches(err,
                       "Failed to *: The bus at 'unix:path=/nowhere/bus' cannot be reached*.\n*");
        free(out);
        free(err);
        assert_int_equal(verb_run("damage --sandbox=/nowhere", NULL, &out, &err), 1);
        assert_string_equal(
                        err,
                        "Failed to connect: The bus of the sandbox '/nowhere' cannot be reached: No such "
                        "file or directory.\nIs it running? dkv-sandbox start /nowhere\n");
        free(out);
        free(err);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(master_that_is_not_there_is_no_riddle),
                cmocka_unit_test(bus_that_is_not_there_is_named),
        };

        return verb_run_tests(tests);
}
