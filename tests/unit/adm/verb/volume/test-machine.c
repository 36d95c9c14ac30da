/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* "volume create" and "volume remove-config" on a machine with systemd, for which something stands
 * in; what they do to files alone, as with --root, is in test-create and test-remove-config. */

#include "adm/verb.h"

#include <sys/stat.h>

#include "adm/own-etc.h"

#define FILE_OF_7 "/etc/dkv/volume@7.conf"

/* clang-format off */
#define LISTENS(address) { .member = "Get", .path = "/org/dkv/Master1", .types = "v", .text = "s " address }
#define KNOWN(state)     { .member = "Get", .path = "/org/dkv/Master1/volume/7", .types = "v", .text = "s " state }
#define UNKNOWN          { .member = "Get", .path = "/org/dkv/Master1/volume/7", .error = "org.freedesktop.DBus.Error.UnknownObject", .text = "?" }
#define ACCEPTED         { .member = "Get", .path = "/org/dkv/Volume1", .types = "v", .text = "b 1" }
#define RELOAD           { .member = "Reload" }
#define SUBSCRIBE        { .member = "Subscribe" }
#define NOT_THERE        { .member = "StopUnit", .error = "org.freedesktop.systemd1.NoSuchUnit", .text = "No such unit." }
#define ENABLE           { .member = "EnableUnitFiles" }
#define JOB(method, id, result) \
        { .member = method, .types = "o", .text = "/job/" id, .times = 1, .signal = "JobRemoved", \
          .signal_types = "uoss", .signal_text = "1 /job/" id " a.service " result }
#define STARTED          JOB("StartUnit", "1", "done"), JOB("StartUnit", "2", "done")
#define STOPPED          JOB("StopUnit", "3", "done"), JOB("StopUnit", "4", "done")

#define ASKED   "Get Master1 ss org.dkv.Master1.Manager Listen\n"
#define SET_UP \
        "Reload systemd1\nSubscribe systemd1\nStopUnit systemd1 ss dkv-volume@7.socket replace\n" \
        "StopUnit systemd1 ss dkv-volume@7.service replace\n" \
        "EnableUnitFiles systemd1 asbb 1 dkv.target 0 1\nReload systemd1\n" \
        "EnableUnitFiles systemd1 asbb 2 dkv-volume@7.socket dkv-volume@7.service 0 1\nReload systemd1\n" \
        "Subscribe systemd1\nStartUnit systemd1 ss dkv-volume@7.socket replace\n" \
        "StartUnit systemd1 ss dkv-volume@7.service replace\n"
#define ACCEPTANCE "Get Volume1 ss org.dkv.Volume1.Store MasterAccepts\n"
/* clang-format on */

static int setup(void **state) {
        (void) unlink(FILE_OF_7);
        return 0;
}

static void assert_file(const char *text) {
        _cleanup_free_ char *found = NULL;
        size_t size;

        assert_ok(read_file(AT_FDCWD, FILE_OF_7, 4096, &found, &size));
        assert_string_equal(found, text);
}

static void assert_no_file(void) {
        assert_true(access(FILE_OF_7, F_OK) < 0);
}

#define HEAD "# Settings of volume 7; \"dkv-volume --print-settings\" lists all.\n[Volume]\n"

TEST(volume_is_configured_enabled_started_and_accepted) {
        /* clang-format off */
        static const VerbCase cases[] = {
                { "volume create 7", { LISTENS("127.0.0.1:3000"), UNKNOWN, ACCEPTED, RELOAD, SUBSCRIBE, NOT_THERE, ENABLE, STARTED }, 0,
                  "Volume 7 is configured in '/etc/dkv/volume@7.conf'.\ndkv-volume@7.service is running.\n"
                  "To store values on it: dkvadm volume add 7\n", "",
                  ASKED "Get 7 ss org.dkv.Master1.Volume State\n" SET_UP ACCEPTANCE },
                {}
        };
        /* clang-format on */

        verb_check_all(cases);
        assert_file(HEAD);
}

TEST(volume_joins_the_cluster_with_its_weight) {
        /* clang-format off */
        static const VerbCase cases[] = {
                { "volume create 7 --add --weight=5 --zone=r1",
                  { LISTENS("10.0.0.1:3000"), UNKNOWN, ACCEPTED, RELOAD, SUBSCRIBE, NOT_THERE, ENABLE, STARTED, { .member = "Set" },
                    { .member = "AddVolumes", .types = "ot", .text = "/ 8" } }, 0,
                  "*dkv-volume@7.service is running.\nVolume 7 is active.\n", "",
                  "*" SET_UP ACCEPTANCE "Set 7 a{sv} 1 weight u 5\nAddVolumes Master1 aua{sv} 1 7 1 rebalance b 0\n" },
                {}
        };
        /* clang-format on */

        verb_check_all(cases);
        assert_file(HEAD "Listen=10.0.0.1:3007\nMaster=http://10.0.0.1:3000\nZone=r1\n");
}

TEST(master_elsewhere_is_where_the_volume_is_added) {
        /* clang-format off */
        static const VerbCase cases[] = {
                { "volume create 7 --master=http://192.0.2.1:3000 --listen=192.0.2.7:3007",
                  { ACCEPTED, RELOAD, SUBSCRIBE, NOT_THERE, ENABLE, STARTED }, 0,
                  "*is running.\nTo store values on it, run on the master's machine: dkvadm volume add 7\n", "", SET_UP ACCEPTANCE },
                {}
        };
        /* clang-format on */

        verb_check_all(cases);
        assert_file(HEAD "Listen=192.0.2.7:3007\nMaster=http://192.0.2.1:3000\n");
}

TEST(number_of_a_removed_volume_is_refused_before_anything_is_done) {
        /* clang-format off */
        static const VerbCase cases[] = {
                { "volume create 7", { LISTENS("127.0.0.1:3000"), KNOWN("removed") }, 1, "",
                  "Volume 7 was removed from the cluster, and its number cannot be used again.\n"
                  "Choose another one; to list those in use: dkvadm volume list --all\n", ASKED "Get 7 *\n" },
                {}
        };
        /* clang-format on */

        verb_check_all(cases);
        assert_no_file();
}

TEST(volume_that_does_not_start_leaves_nothing_behind) {
        /* clang-format off */
        static const VerbCase cases[] = {
                { "volume create 7",
                  { LISTENS("127.0.0.1:3000"), UNKNOWN, RELOAD, SUBSCRIBE, NOT_THERE, ENABLE, { .member = "DisableUnitFiles" },
                    JOB("StartUnit", "1", "done"), JOB("StartUnit", "2", "failed") }, 1, "",
                  "Failed to start dkv-volume@7.service.\nSee why: systemctl status dkv-volume@7.service; journalctl -u dkv-volume@7.service -n 20\n"
                  "*Nothing was changed: the settings of volume 7 were removed again.\n",
                  "*" SET_UP "*StopUnit systemd1 ss dkv-volume@7.service replace\n"
                  "DisableUnitFiles systemd1 asb 2 dkv-volume@7.socket dkv-volume@7.service 0\nReload systemd1\n" },
                /* What systemd refuses is no better. */
                { "volume create 7",
                  { LISTENS("127.0.0.1:3000"), UNKNOWN, RELOAD, SUBSCRIBE, NOT_THERE, { .member = "DisableUnitFiles" },
                    { .member = "EnableUnitFiles", .error = "org.freedesktop.DBus.Error.FileNotFound", .text = "There is no dkv.target." } }, 1, "",
                  "Failed to enable dkv.target: There is no dkv.target.\n*Nothing was changed:*\n", NULL },
                { "volume create 7",
                  { LISTENS("127.0.0.1:3000"), UNKNOWN, { .member = "DisableUnitFiles" }, NOT_THERE, SUBSCRIBE,
                    { .member = "Reload", .error = "org.freedesktop.DBus.Error.AccessDenied", .text = "Denied." } }, 1, "",
                  "Failed to reload systemd: Denied.\n*Nothing was changed:*\n", NULL },
                {}
        };
        /* clang-format on */

        verb_check_all(cases);
        assert_no_file();
}

TEST(directory_that_was_made_goes_with_the_volume) {
        struct stat st;
        /* clang-format off */
        static const VerbCase fails[] = {
                { "volume create 7 -D /etc/data",
                  { LISTENS("127.0.0.1:3000"), UNKNOWN, RELOAD, SUBSCRIBE, NOT_THERE, ENABLE, { .member = "DisableUnitFiles" },
                    JOB("StartUnit", "1", "failed"), JOB("StartUnit", "2", "dependency") }, 1, "", "Failed to start *\n", NULL },
                {}
        };
        /* clang-format on */

        verb_check_all(fails);
        assert_true(stat("/etc/data", &st) < 0);

        /* One that was there before stays. */
        assert_ok(mkdir("/etc/data", 0755));
        verb_check_all(fails);
        assert_ok(stat("/etc/data", &st));
        assert_ok(rmdir("/etc/data"));
}

TEST(configuration_goes_with_its_units) {
        /* clang-format off */
        static const VerbCase cases[] = {
                { "volume remove-config 7", { KNOWN("new"), RELOAD, SUBSCRIBE, STOPPED, { .member = "DisableUnitFiles" } }, 0,
                  "Volume 7 is no longer configured here.\nIts values are still in '/var/lib/dkv/volume-7'.\n", "",
                  "Get 7 ss org.dkv.Master1.Volume State\nReload systemd1\nSubscribe systemd1\n"
                  "StopUnit systemd1 ss dkv-volume@7.socket replace\nStopUnit systemd1 ss dkv-volume@7.service replace\n"
                  "DisableUnitFiles systemd1 asb 2 dkv-volume@7.socket dkv-volume@7.service 0\nReload systemd1\n" },
                {}
        };
        /* clang-format on */

        assert_true(mkdir("/etc/dkv", 0755) == 0 || access("/etc/dkv", F_OK) == 0);
        assert_true(own_etc_write(FILE_OF_7, HEAD));
        verb_check_all(cases);
        assert_no_file();
}

TEST(volume_that_the_cluster_needs_keeps_its_configuration) {
        /* clang-format off */
        static const struct {
                VerbCase one;
                bool stays;
        } rows[] = {
                { { "volume remove-config 7", { KNOWN("active") }, 1, "",
                    "Volume 7 is active and holds values that the cluster needs.\n"
                    "To stop it temporarily: systemctl stop dkv-volume@7.socket dkv-volume@7\n", "Get 7 *\n" }, true },
                { { "volume remove-config 7", { KNOWN("draining") }, 1, "", "Volume 7 is draining and holds*\n", NULL }, true },
                { { "volume remove-config 7", { { .member = "Get", .error = "org.freedesktop.DBus.Error.ServiceUnknown", .text = "No." } }, 1, "",
                    "Failed to query the master about volume 7: The master is not running.\nIf it belongs here: *\n"
                    "Ask it on its own machine: dkvadm volume show 7. If the volume is new or removed, use --force here.\n", NULL }, true },
                { { "volume remove-config 7", { KNOWN("new"), RELOAD, SUBSCRIBE, { .member = "StopUnit", .error = "org.example.Oops", .text = "Oops." } }, 1,
                    "", "Failed to stop dkv-volume@7.socket: Oops.\n", NULL }, true },
                { { "volume remove-config 7", { KNOWN("removed"), RELOAD, SUBSCRIBE, NOT_THERE, { .member = "DisableUnitFiles" } }, 0, NULL, "", NULL }, false },
                { { "volume remove-config 7", { UNKNOWN, RELOAD, SUBSCRIBE, NOT_THERE, { .member = "DisableUnitFiles" } }, 0, NULL, "", NULL }, false },
                /* Nobody is asked. */
                { { "volume remove-config 7 --force", { KNOWN("active"), RELOAD, SUBSCRIBE, NOT_THERE, { .member = "DisableUnitFiles" } }, 0, NULL, "",
                    "Reload*" }, false },
        };
        /* clang-format on */

        assert_true(mkdir("/etc/dkv", 0755) == 0 || access("/etc/dkv", F_OK) == 0);
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                assert_true(own_etc_write(FILE_OF_7, HEAD));
                verb_check(&rows[i].one);
                assert_int_equal(access(FILE_OF_7, F_OK) == 0, rows[i].stays);
        }
}

TEST(other_machines_are_not_changed_from_here) {
        /* clang-format off */
        static const VerbCase cases[] = {
                { "volume create 7 -H far",               {}, 2, "", "'volume create' works on files of this machine and does not go with --host.\n", "" },
                { "volume create 7 -M box",               {}, 2, "", "'volume create' works on files of this machine and does not go with --machine.\n", "" },
                { "volume create 7 --sandbox=/s",         {}, 2, "", "'volume create' works on files of this machine and does not go with --sandbox.\n", "" },
                { "volume remove-config 7 -H far",        {}, 2, "", "'volume remove-config' works on files of this machine and does not go with --host.\n", "" },
                { "volume remove-config 7 --sandbox=/s",  {}, 2, "", "'volume remove-config' works on files of this machine and does not go with --sandbox.\n", "" },
                { "volume create 7 --add --master=http://h:1", {}, 2, "", "--add and --weight do not go with --master; use dkvadm where the master runs.\n", "" },
                {}
        };
        /* clang-format on */

        verb_check_all(cases);
        assert_no_file();
}

#define CLEAN(name) cmocka_unit_test_setup(name, setup)

int main(void) {
        const struct CMUnitTest tests[] = {
                CLEAN(volume_is_configured_enabled_started_and_accepted),
                CLEAN(volume_joins_the_cluster_with_its_weight),
                CLEAN(master_elsewhere_is_where_the_volume_is_added),
                CLEAN(number_of_a_removed_volume_is_refused_before_anything_is_done),
                CLEAN(volume_that_does_not_start_leaves_nothing_behind),
                CLEAN(directory_that_was_made_goes_with_the_volume),
                CLEAN(configuration_goes_with_its_units),
                CLEAN(volume_that_the_cluster_needs_keeps_its_configuration),
                CLEAN(other_machines_are_not_changed_from_here),
        };

        return own_etc_enter() ? verb_run_tests(tests) : 77;
}
