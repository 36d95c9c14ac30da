/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "adm/verb.h"

/* clang-format off */
#define JOB_VALUES(id, state, rest) \
        "10 Id u " id " Type s drain State s " state " Volumes au 1 2 KeysDone t 5 KeysTotal t 10" \
        " BytesDone t 512 BytesTotal t 1024 StartedAt t 1000000 " rest
#define JOB(state, rest) { .member = "GetAll", .types = "a{sv}", .text = JOB_VALUES("4", state, rest) }
#define DONE(method)     { .member = method }
#define UNKNOWN(method) \
        { .member = method, .error = "org.freedesktop.DBus.Error.UnknownObject", .text = "Unknown object." }

TEST(list_has_all_jobs_by_their_numbers) {
        static const VerbCase cases[] = {
                { "job list",
                  { { .member = "GetManagedObjects", .types = "a{oa{sa{sv}}}",
                      .text = "3 /org/dkv/Master1/job/12 1 org.dkv.Master1.Job " JOB_VALUES("12", "running", "BytesPerSecond t 2048")
                              " /org/dkv/Master1/volume/1 1 org.dkv.Master1.Volume 1 Number u 1"
                              " /org/dkv/Master1/job/3 1 org.dkv.Master1.Job " JOB_VALUES("3", "failed", "Error s 'No room.'") } },
                  0,
                  "JOB  TYPE   VOLUMES  STATE    DONE  KEYS  BYTES    RATE  STARTED *  REASON\n"
                  "  3  drain  2        failed    50%     5   512B       -  * ago  No room.\n"
                  " 12  drain  2        running   50%     5   512B  2.0K/s  * ago  -\n", "", NULL },
                { "job list", { { .member = "GetManagedObjects", .types = "a{oa{sa{sv}}}", .text = "0" } }, 0, "No jobs yet.\n", "", NULL },
                { "job list -q", { { .member = "GetManagedObjects", .types = "a{oa{sa{sv}}}", .text = "0" } }, 0, "", "", NULL },
                { "job list --json=short", { { .member = "GetManagedObjects", .types = "a{oa{sa{sv}}}", .text = "0" } }, 0, "[]\n", "", NULL },
                { "job list", { { .member = "GetManagedObjects", .types = "s", .text = "x" } }, 1, "", "Failed to query the master: *", NULL },
                {}
        };

        verb_check_all(cases);
}

TEST(show_tells_of_one) {
        static const VerbCase cases[] = {
                { "job show 4", { JOB("paused", "Rate t 2048") }, 0,
                  "       Job: 4\n      Type: drain\n   Volumes: 2\n     State: paused\n    Reason: -\n      Keys: 5 of 10\n"
                  "     Bytes: 512B of 1.0K\n      Rate: -\n     Limit: 2.0K/s\n  Parallel: 0\n   Started: 1970-01-01 00:00:01 (* ago)\n"
                  "     Ended: not yet\nStarted by: root (0)\n Lost keys: 0\n", "", "GetAll 4 s org.dkv.Master1.Job\n" },
                { "job show 4 --json=short", { JOB("done", "LostKeys t 2") }, 0, "{\"id\":4,*\"lost_keys\":2,*}\n", "",
                  "GetAll 4 *\n" },
                { "job show 4", { JOB("failed", "LostKeys t 3"), { .member = "GetLostKeys", .types = "as", .text = "2 a b/c" } }, 0,
                  "*\nKeys that have no other readable copy:\n  a\n  b/c\n  and 1 more\n", "", NULL },
                { "job show 4", { JOB("failed", "LostKeys t 3"), { .member = "GetLostKeys", .error = "org.dkv.Error.Internal", .text = "Oh." } },
                  1, NULL, "Failed to show the lost keys of job 4: Oh.\n*", NULL },
                { "job show 4", { UNKNOWN("GetAll") }, 1, "", "The master knows no job 4.\nTo list the jobs: dkvadm job list\n", NULL },
                { "job show 0", {}, 2, "", "'0' is not a job number.\n", "" },
                { "job show 4294967296", {}, 2, "", "'4294967296' is not a job number.\n", "" },
                {}
        };

        verb_check_all(cases);
}

TEST(jobs_are_told_what_to_do) {
        static const VerbCase cases[] = {
                { "job pause 4", { DONE("Pause") }, 0, "Job 4 is paused. To resume it: dkvadm job resume 4\n", "", "Pause 4\n" },
                { "job resume 4", { DONE("Resume") }, 0, "Job 4 is resumed.\n", "", "Resume 4\n" },
                { "job cancel 4", { DONE("Cancel") }, 0, "Job 4 is cancelled.\n", "", "Cancel 4\n" },
                { "job cancel 4 -q", { DONE("Cancel") }, 0, "", "", "Cancel 4\n" },
                { "job cancel 4", { UNKNOWN("Cancel") }, 1, "", "The master knows no job 4.\n*", NULL },
                { "job resume 4", { { .member = "Resume", .error = "org.dkv.Error.Refused", .text = "It has ended." } }, 1, "",
                  "Failed to resume job 4: It has ended.\n", NULL },
                { "job set 4 --rate=1M --parallel=7", { DONE("Set") }, 0, "Limits of job 4 changed.\n", "",
                  "Set 4 a{sv} 2 rate t 1048576 parallel u 7\n" },
                { "job set 4 --rate=0", { DONE("Set") }, 0, NULL, "", "Set 4 a{sv} 1 rate t 0\n" },
                { "job set 4", {}, 2, "", "Nothing to set: give --rate or --parallel.\n", "" },
                { "job set 4 --rate=", {}, 2, "", "--rate *\n", "" },
                { "job set x --rate=1M", {}, 2, "", "'x' is not a job number.\n", "" },
                { "job set 4 --rate=1M", { UNKNOWN("Set") }, 1, "", "The master knows no job 4.\n*", NULL },
                { "job pause -1", {}, 2, "", "Unknown option '-1'; see --help.\n", "" },
                {}
        };

        verb_check_all(cases);
}

TEST(watch_ends_with_the_job) {
        static const VerbCase cases[] = {
                { "job watch 4",
                  { { .member = "GetAll", .types = "a{sv}", .text = JOB_VALUES("4", "running", "Rate t 0"), .times = 2 },
                    JOB("done", "EndedAt t 3000000") }, 0,
                  "Job 4 (drain) is done: 5 keys with 512B in 2s.\n", "", "GetAll*\nGetAll*\nGetAll*\n" },
                { "job watch 4 --json=short", { JOB("done", "EndedAt t 3000000") }, 0, "{\"id\":4,*}\n", "", NULL },
                { "job watch 4 --json=short", { JOB("failed", "Error s Full.") }, 1, "{\"id\":4,*}\n", "Job 4 failed: Full.\n*", NULL },
                { "job watch 4", { UNKNOWN("GetAll") }, 1, "", "The master knows no job 4.\n*", NULL },
                { "job watch", {}, 2, "", "Too few arguments*", "" },
                {}
        };

        verb_check_all(cases);
}
/* clang-format on */

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(list_has_all_jobs_by_their_numbers),
                cmocka_unit_test(show_tells_of_one),
                cmocka_unit_test(jobs_are_told_what_to_do),
                cmocka_unit_test(watch_ends_with_the_job),
        };

        return verb_run_tests(tests);
}
