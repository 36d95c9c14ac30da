/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "adm/verb.h"

/* clang-format off */
#define NO_PLAN { .member = "Plan", .types = "a{sv}", .text = "3 keys t 0 all-keys t 10 epoch t 9" }

#define PLAN \
        { .member = "Plan", .types = "a{sv}", \
          .text = "7 keys t 3 bytes t 2048 all-keys t 12 lost-keys t 1 epoch t 9 " \
                  "moves a(uutt) 2 1 2 3 2048 2 0 1 10 " \
                  "volumes a(uttt) 2 1 4096 2048 1024 2 0 2048 18446744073709551615" }

#define STARTS(method)     { .member = method, .types = "ot", .text = "/org/dkv/Master1/job/5 8" }
#define STARTS_NONE(method) { .member = method, .types = "ot", .text = "/ 8" }

#define JOB(state, error) \
        { .member = "GetAll", .path = "/org/dkv/Master1/job/5", .types = "a{sv}", \
          .text = "9 Id u 5 Type s rebalance State s " state " Error s " error \
                  " Volumes au 2 2 5 KeysDone t 1 BytesDone t 1024 StartedAt t 1000000 EndedAt t 4000000" }

#define REFUSES(method, name, sentence) { .member = method, .error = name, .text = sentence }

TEST(volumes_are_added_and_their_job_is_watched) {
        static const VerbCase cases[] = {
                { "volume add 3 4 --no-rebalance", { STARTS_NONE("AddVolumes") }, 0,
                  "Volume 3 is active.\nVolume 4 is active.\n", "",
                  "AddVolumes Master1 aua{sv} 2 3 4 1 rebalance b 0\n" },
                { "volume add 3 --yes --rate=1K --parallel=3 --epoch=6", { STARTS("AddVolumes"), JOB("done", "''") }, 0,
                  "Volume 3 is active.\nJob 5 (rebalance) is done: 1 key with 1.0K in 3s.\n", "",
                  "AddVolumes Master1 aua{sv} 1 3 4 epoch t 6 rebalance b 1 rate t 1024 parallel u 3\n"
                  "GetAll 5 s org.dkv.Master1.Job\n" },
                { "volume add 3 --yes --no-block", { STARTS("AddVolumes") }, 0, "5\n", "", NULL },
                { "volume add 3 --yes --no-block --json=short", { STARTS("AddVolumes") }, 0, "{\"job\":5}\n", "", NULL },
                { "volume add 3 --yes -q", { STARTS("AddVolumes"), JOB("done", "''") }, 0, "", "", NULL },
                { "volume add 3 --yes --rate=0", { STARTS_NONE("AddVolumes") }, 0, NULL, "", "*rate t 0\n" },
                {}
        };

        verb_check_all(cases);
}

TEST(volumes_are_deleted_at_the_end_of_their_job) {
        static const VerbCase cases[] = {
                { "volume delete 2 5 --yes", { STARTS("DeleteVolumes"), JOB("done", "''") }, 0,
                  "Job 5 (rebalance) is done:*Volume 2 was removed.\nVolume 5 was removed.\n", "",
                  "DeleteVolumes Master1 aua{sv} 2 2 5 0\n*" },
                { "volume delete 2 --yes --accept-loss", { STARTS_NONE("DeleteVolumes") }, 0, "", "",
                  "DeleteVolumes Master1 aua{sv} 1 2 1 accept-loss b 1\n" },
                { "volume delete 2 --yes", { STARTS("DeleteVolumes"), JOB("cancelled", "''") }, 1, "",
                  "Job 5 was cancelled.\n", NULL },
                { "volume delete 2 --yes", { STARTS("DeleteVolumes"), JOB("failed", "'No room.'") }, 1, "",
                  "Job 5 failed: No room.\nSee dkvadm job show 5, dkvadm status and dkvadm events.\n", NULL },
                { "volume delete 2 --yes", { STARTS("DeleteVolumes"), JOB("failed", "''") }, 1, "",
                  "Job 5 failed: for an unknown reason.\n*", NULL },
                { "volume delete 2 5 --yes",
                  { STARTS("DeleteVolumes"),
                    { .member = "GetAll", .types = "a{sv}",
                      .text = "5 Id u 5 State s failed Error s Lost. LostKeys t 3 Volumes au 2 2 5" } }, 1, "",
                  "Job 5 failed: Lost.\nSee which keys: dkvadm job show 5. To give them up: "
                  "dkvadm volume delete 2 5 --accept-loss; to keep the volumes: dkvadm job cancel 5\n", NULL },
                {}
        };

        verb_check_all(cases);
}

TEST(plan_is_shown_and_nothing_is_changed) {
        static const VerbCase cases[] = {
                { "rebalance --dry-run", { NO_PLAN }, 0, "Nothing to move.\n", "", "Plan Master1 saua{sv} rebalance 0 0\n" },
                { "rebalance --dry-run", { PLAN }, 0,
                  "FROM       TO  KEYS  BYTES\n   1        2     3   2.0K\n   2  deleted     1    10B\n\n"
                  "VOLUME   NOW  AFTERWARDS  FREE NOW  AFTERWARDS\n"
                  "     1  4.0K        2.0K      1.0K        3.0K\n"
                  "     2    0B        2.0K         -           -\n\n"
                  "3 of 12 keys (25.0%) and 2.0K will be moved, in about 1s.\n"
                  "1 key has no other readable copy and would be lost.\n", "", NULL },
                { "set copies=3 --dry-run --json=short", { PLAN }, 0,
                  "{\"moves\":[{\"source\":1,\"target\":2,\"keys\":3,\"bytes\":2048},*\"keys\":3,*\"epoch\":9,*}\n", "",
                  "Plan Master1 saua{sv} copies 0 1 copies u 3\n" },
                { "volume delete 2 --dry-run", { PLAN }, 0, NULL, "", "Plan Master1 saua{sv} delete 1 2 0\n" },
                { "volume add 2 3 --dry-run", { PLAN }, 0, NULL, "", "Plan Master1 saua{sv} add 2 2 3 0\n" },
                { "volume add 2 --dry-run --no-rebalance", {}, 2, "", "--no-rebalance moves nothing*", "" },
                { "rebalance --dry-run", { REFUSES("Plan", "org.dkv.Error.Busy", "A job runs.") }, 1, "",
                  "Failed to rebalance: A job runs.\n", NULL },
                {}
        };

        verb_check_all(cases);
}

TEST(nobody_is_asked_without_a_terminal) {
        static const VerbCase cases[] = {
                { "rebalance", { PLAN, STARTS("Rebalance") }, 2, "",
                  "Cannot ask for confirmation without a terminal: --yes proceeds, --dry-run shows*", "Plan *\n" },
                /* What moves nothing needs no question, but what deletes volumes does. */
                { "rebalance", { NO_PLAN, STARTS_NONE("Rebalance") }, 0, "", "",
                  "Plan *\nRebalance Master1 a{sv} 1 epoch t 9\n" },
                { "rebalance --epoch=4", { NO_PLAN, STARTS_NONE("Rebalance") }, 0, "", "",
                  "Plan *\nRebalance Master1 a{sv} 1 epoch t 4\n" },
                { "volume delete 2", { NO_PLAN }, 2, "", "Cannot ask*", "Plan *\n" },
                {}
        };

        verb_check_all(cases);
}

TEST(copies_are_set) {
        static const VerbCase cases[] = {
                { "set copies=2 --yes", { STARTS_NONE("SetCopies") }, 0, "", "", "SetCopies Master1 ua{sv} 2 0\n" },
                { "set copies=0", {}, 2, "", "A value can have from 1 to * copies.\n", "" },
                { "set copies=99", {}, 2, "", "A value can have from 1 to * copies.\n", "" },
                { "set copies", {}, 2, "", "'copies' cannot be set; copies=N can.\n", "" },
                { "set colour=red", {}, 2, "", "'colour=red' cannot be set; copies=N can.\n", "" },
                { "set copies=2 --rate=fast", {}, 2, "", "--rate *50M*\n", "" },
                { "set copies=2 --parallel=65", {}, 2, "", "--parallel *64.\n", "" },
                {}
        };

        verb_check_all(cases);
}

TEST(volumes_that_are_just_starting_are_waited_for) {
        static const VerbCase cases[] = {
                { "volume add 3 --yes",
                  { { .member = "AddVolumes", .error = "org.dkv.Error.NotFound", .text = "Volume 3 is unknown.", .times = 2 },
                    STARTS_NONE("AddVolumes") }, 0, "Volume 3 is active.\n",
                  "Volume 3 is unknown. Waiting for it...\n", "AddVolumes*\nAddVolumes*\nAddVolumes*\n" },
                { "volume add 3 --yes -q",
                  { { .member = "AddVolumes", .error = "org.dkv.Error.Unavailable", .text = "It is down.", .times = 1 },
                    STARTS_NONE("AddVolumes") }, 0, "", "", NULL },
                /* Who deletes one that is unknown has mistyped it. */
                { "volume delete 3 --yes", { REFUSES("DeleteVolumes", "org.dkv.Error.NotFound", "Volume 3 is unknown.") },
                  1, "", "Failed to delete the volumes: Volume 3 is unknown.\n", "DeleteVolumes*\n" },
                {}
        };

        verb_check_all(cases);
}

TEST(odd_replies_are_told) {
        static const VerbCase cases[] = {
                { "rebalance --yes", { { .member = "Rebalance", .types = "s", .text = "x" } }, 1, "",
                  "Failed to read the master's reply: *\n", NULL },
                { "rebalance --yes", { { .member = "Rebalance", .types = "ot", .text = "/org/dkv/Master1/jab/5 1" } }, 1, "",
                  "The master's reply is not the path of a job: '/org/dkv/Master1/jab/5'.\n", NULL },
                { "rebalance --dry-run", { { .member = "Plan", .types = "a{sv}", .text = "1 keys s many" } }, 1, "",
                  "Failed to read the plan: *\n", NULL },
                { "rebalance --yes", { STARTS("Rebalance"), REFUSES("GetAll", "org.freedesktop.DBus.Error.UnknownObject", "?") },
                  1, "", "The master knows no job 5.\nTo list the jobs: dkvadm job list\n", NULL },
                {}
        };

        verb_check_all(cases);
}

#define ASKS       { .prompt = "Proceed? [y/N] ", .typed = "y\n" }
#define TYPES(typed_) { .prompt = "Proceed? [y/N] ", .typed = typed_ }
#define SUM        "3 of 12 keys (25.0%) and 2.0K will be moved, in about 1s.\n" \
                   "1 key has no other readable copy and would be lost.\nProceed? [y/N] "

TEST(somebody_at_a_terminal_sees_the_plan_and_decides) {
        static const TerminalCase cases[] = {
                { "rebalance", { PLAN, STARTS_NONE("Rebalance") }, ASKS, 0, "FROM  *" SUM,
                  "Plan *\nRebalance Master1 a{sv} 1 epoch t 9\n" },
                { "rebalance", { PLAN, STARTS_NONE("Rebalance") }, TYPES("Yes\n"), 0, "*" SUM, "Plan *\nRebalance *\n" },
                { "rebalance", { PLAN }, TYPES("n\n"), 1, "*" SUM "Nothing was changed.\n", "Plan *\n" },
                { "rebalance", { PLAN }, TYPES("\n"), 1, "*" SUM "Nothing was changed.\n", "Plan *\n" },
                { "rebalance", { PLAN }, TYPES("\004"), 1, "*" SUM "Nothing was changed.\n", "Plan *\n" }, /* the end of input */
                { "rebalance --epoch=4", { PLAN, STARTS_NONE("Rebalance") }, ASKS, 0, NULL, "Plan *\nRebalance Master1 a{sv} 1 epoch t 4\n" },
                { "volume delete 2", { NO_PLAN, STARTS_NONE("DeleteVolumes") }, ASKS, 0, "Nothing to move.\nProceed? [y/N] ",
                  "Plan *\nDeleteVolumes Master1 aua{sv} 1 2 1 epoch t 9\n" },
                /* No question where nothing moves, where it was answered before, and for programs. */
                { "set copies=2", { NO_PLAN, STARTS_NONE("SetCopies") }, {}, 0, "", "Plan *\nSetCopies Master1 ua{sv} 2 1 epoch t 9\n" },
                { "rebalance --yes", { STARTS_NONE("Rebalance") }, {}, 0, "", "Rebalance *\n" },
                { "rebalance --json=short", { PLAN }, {}, 2, "Cannot ask for confirmation without a terminal:*", "Plan *\n" },
                {}
        };

        verb_check_on_terminal(cases);
}

TEST(map_that_changed_during_the_question_ends_it) {
        static const TerminalCase cases[] = {
                { "rebalance", { PLAN, REFUSES("Rebalance", "org.dkv.Error.Conflict", "The cluster map has changed meanwhile.") }, ASKS, 1,
                  "*Proceed? [y/N] Failed to rebalance: The cluster map has changed meanwhile.\n"
                  "See what has changed (dkvadm volume list), then try again with the new --epoch= or without it.\n", NULL },
                {}
        };

        verb_check_on_terminal(cases);
}

TEST(numbers_of_volumes_are_checked_before_anything_is_sent) {
        static const VerbCase cases[] = {
                { "volume add 0 --yes",          {}, 2, "", "'0' is not a volume number*\n", "" },
                { "volume add 1 x --yes",        {}, 2, "", "'x' is not a volume number*\n", "" },
                { "volume add 1, 2 --yes",       {}, 2, "", "'1,' is not a volume number*\n", "" },
                { "volume add 1-3 --yes",        {}, 2, "", "'1-3' is not a volume number*\n", "" },
                { "volume delete 4294967296 --yes", {}, 2, "", "'4294967296' is not a volume number*\n", "" },
                { "volume add --yes",            {}, 2, "", "Too few arguments for 'volume add'. Usage: volume add N...\n", "" },
                { "rebalance 1",                 {}, 2, "", "Too many arguments for 'rebalance'. Usage: rebalance\n", "" },
                { "set",                         {}, 2, "", "Too few arguments for 'set'. Usage: set copies=N\n", "" },
                { "set copies=-1",               {}, 2, "", "A value can have from 1 to * copies.\n", "" },
                { "set copies=",                 {}, 2, "", "A value can have from 1 to * copies.\n", "" },
                { "set copies=2x",               {}, 2, "", "A value can have from 1 to * copies.\n", "" },
                { "set Copies=2",                {}, 2, "", "'Copies=2' cannot be set; copies=N can.\n", "" },
                { "rebalance --parallel=0",      {}, 2, "", "Invalid value '0' for --parallel=N; see --help.\n", "" },
                { "rebalance --rate=-1",         {}, 2, "", "--rate *50M*\n", "" },
                { "rebalance --epoch=new",       {}, 2, "", "Invalid value 'new' for --epoch=N; see --help.\n", "" },
                { "rebalance --accept-loss",     {}, 2, "", "'rebalance' does not take --accept-loss; see rebalance --help.\n", "" },
                { "volume delete 1 --no-rebalance", {}, 2, "", "'volume delete' does not take --no-rebalance; see*\n", "" },
                {}
        };

        verb_check_all(cases);
}

TEST(refusals_of_the_master_say_what_to_do) {
        static const VerbCase cases[] = {
                { "rebalance --yes", { REFUSES("Rebalance", "org.freedesktop.DBus.Error.AccessDenied", "You may not.") }, 1, "",
                  "Failed to rebalance: You may not.\nTry sudo; or allow the polkit action org.dkv.manage-volumes, see dkvadm(8).\n", NULL },
                { "rebalance --yes", { REFUSES("Rebalance", "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", "Who are you?") }, 1, "",
                  "Failed to rebalance: Who are you?\nTry sudo;*\n", NULL },
                { "set copies=4 --yes", { REFUSES("SetCopies", "org.dkv.Error.TooFewVolumes", "There are 3.") }, 1, "",
                  "Failed to set the copies: There are 3.\n", NULL },
                { "set copies=2 --yes", { REFUSES("SetCopies", "org.dkv.Error.OutcomeUnknown", "It is not known.") }, 1, "",
                  "Failed to set the copies: It is not known.\nSee whether it was done (dkvadm status, dkvadm job list) before you repeat it.\n", NULL },
                { "rebalance --yes", { REFUSES("Rebalance", "org.freedesktop.DBus.Error.UnknownMethod", "Unknown method.") }, 1, "",
                  "Failed to rebalance: Unknown method.\ndkvadm and the master are different releases: *\n", NULL },
                { "rebalance --dry-run", { REFUSES("Plan", "org.freedesktop.DBus.Error.NoReply", "Remote peer disconnected") }, 1, "",
                  "Failed to rebalance: The master does not respond.\nSee what it is doing: systemctl status dkv-master;*\n", NULL },
                { "volume delete 2 --yes", { REFUSES("DeleteVolumes", "org.dkv.Error.Busy", "Job 4 adds volume 2.") }, 1, "",
                  "Failed to delete the volumes: Job 4 adds volume 2.\n", NULL },
                {}
        };

        verb_check_all(cases);
}
/* clang-format on */

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(volumes_are_added_and_their_job_is_watched),
                cmocka_unit_test(volumes_are_deleted_at_the_end_of_their_job),
                cmocka_unit_test(plan_is_shown_and_nothing_is_changed),
                cmocka_unit_test(nobody_is_asked_without_a_terminal),
                cmocka_unit_test(copies_are_set),
                cmocka_unit_test(volumes_that_are_just_starting_are_waited_for),
                cmocka_unit_test(odd_replies_are_told),
                cmocka_unit_test(somebody_at_a_terminal_sees_the_plan_and_decides),
                cmocka_unit_test(map_that_changed_during_the_question_ends_it),
                cmocka_unit_test(numbers_of_volumes_are_checked_before_anything_is_sent),
                cmocka_unit_test(refusals_of_the_master_say_what_to_do),
        };

        return verb_run_tests(tests);
}
