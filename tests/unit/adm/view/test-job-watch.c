/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Jobs that are watched on a terminal, where "job watch" draws a line again and again; see
 * verb/test-job.c for what is printed without one. */

#include "adm/verb.h"

/* clang-format off */
#define JOB(state, rest) \
        { .member = "GetAll", .types = "a{sv}", \
          .text = "10 Id u 4 Type s drain State s " state " Volumes au 2 2 5 KeysDone t 50 KeysTotal t 100" \
                  " BytesDone t 1024 BytesTotal t 2048 StartedAt t 1000000 " rest }
#define TIMES(n, state, rest) \
        { .member = "GetAll", .types = "a{sv}", .times = n, \
          .text = "10 Id u 4 Type s drain State s " state " Volumes au 2 2 5 KeysDone t 50 KeysTotal t 100" \
                  " BytesDone t 1024 BytesTotal t 2048 StartedAt t 1000000 " rest }
#define FAILS(n, name, sentence) { .member = "GetAll", .error = name, .text = sentence, .times = n }
#define NO_REPLY "org.freedesktop.DBus.Error.NoReply"
#define LINE     "\r\033[K"

TEST(line_is_drawn_again_and_removed_at_the_end) {
        static const TerminalCase cases[] = {
                { "job watch 4", { TIMES(2, "running", "Rate t 0"), JOB("done", "EndedAt t 3000000") }, { .columns = 100 }, 0,
                  LINE "Job 4: [=*>*]  50% 50/100 keys, 1.0K/2.0K" LINE "Job 4: [*" LINE
                  "Job 4 (drain) is done: 50 keys with 1.0K in 2s.\n", NULL },
                { "job watch 4", { TIMES(1, "paused", "Rate t 0"), JOB("done", "EndedAt t 3000000") }, { .columns = 100 }, 0,
                  LINE "Job 4: *50% paused, 50/100 keys*" LINE "Job 4 (drain) is done:*", NULL },
                { "job watch 4", { TIMES(1, "running", "Error s 'Volume 2 is down.'"), JOB("done", "EndedAt t 3000000") }, { .columns = 100 }, 0,
                  "*50/100 keys, 1.0K/2.0K. Volume 2 is down.*" LINE "Job 4 (drain) is done:*", NULL },
                /* One that has ended is only told about. */
                { "job watch 4", { JOB("done", "EndedAt t 3000000") }, {}, 0, LINE "Job 4 (drain) is done: 50 keys with 1.0K in 2s.\n", NULL },
                { "job watch 4 -q", { TIMES(1, "running", "Rate t 0"), JOB("done", "EndedAt t 3000000") }, {}, 0, "", NULL },
                { "job watch 4 --json=short", { TIMES(1, "running", "Rate t 0"), JOB("done", "EndedAt t 3000000") }, {}, 0, "{\"id\":4,*}\n", NULL },
                {}
        };

        verb_check_on_terminal(cases);
}

TEST(line_is_no_longer_than_the_terminal) {
        static const unsigned short widths[] = { 1, 20, 21, 40, 80, 200 };

        for (size_t i = 0; i < sizeof(widths) / sizeof(*widths); i++) {
                const Answer answers[ANSWERS_MAX] = {
                        TIMES(1, "running", "Error s 'What is said here is longer than most terminals are wide, or so.'"),
                        JOB("done", "EndedAt t 3000000"),
                };
                const Pty pty = { .columns = widths[i] };
                size_t most = widths[i] > 20 ? widths[i] - 1u : 19;
                const char *line, *end;
                int status;
                char *text;

                stand_in_set(answers);
                text = verb_run_on_terminal("job watch 4", &pty, &status);
                assert_int_equal(status, 0);
                line = strstr(text, LINE "Job 4:");
                assert_non_null(line);
                line += strlen(LINE);
                end = strstr(line, LINE);
                assert_non_null(end);
                if ((size_t) (end - line) > most)
                        fail_msg("%zu columns of %u: %s", (size_t) (end - line), widths[i], text);
                free(text);
        }
}

TEST(what_the_master_says_stays_on_the_line) {
        static const TerminalCase cases[] = {
                { "job watch 4", { TIMES(1, "running", "Error s 'a\nb\033[31m'"), JOB("done", "EndedAt t 3000000") }, { .columns = 100 }, 0,
                  "*a?b?[31m" LINE "*", NULL },
                { "job watch 4", { JOB("failed", "Error s 'a\nb\033[31m'") }, { .columns = 100 }, 1, LINE "Job 4 failed: a?b?[31m\n*", NULL },
                {}
        };

        verb_check_on_terminal(cases);
}

TEST(interrupt_leaves_the_job_alone) {
        static const TerminalCase cases[] = {
                { "job watch 4", { JOB("running", "Rate t 0") }, { .columns = 100, .prompt = "50/100 keys", .typed = "\003" }, 130,
                  "*" LINE "Job 4 goes on in the background. To watch it again: dkvadm job watch 4; to cancel it: dkvadm job cancel 4\n", "GetAll*" },
                { "job watch 4 -q", { TIMES(3, "running", "Rate t 0"), JOB("done", "EndedAt t 3000000") }, {}, 0, "", NULL },
                {}
        };

        verb_check_on_terminal(cases);
}

TEST(master_that_is_restarted_is_waited_for) {
        static const TerminalCase cases[] = {
                { "job watch 4", { FAILS(2, NO_REPLY, "Gone."), JOB("done", "EndedAt t 3000000") }, { .columns = 100 }, 0,
                  LINE "The master does not respond. Waiting for it..." LINE "*" LINE "Job 4 (drain) is done:*", "GetAll*\nGetAll*\nGetAll*\n" },
                { "job watch 4", { FAILS(1, "org.freedesktop.DBus.Error.ServiceUnknown", "Gone."), JOB("done", "EndedAt t 3000000") }, { .columns = 30 }, 0,
                  LINE "The master does not respond. " LINE "Job 4 (drain) is done:*", NULL },
                /* One that is back and does not know the job has forgotten it. */
                { "job watch 4", { TIMES(1, "running", "Rate t 0"), FAILS(0, "org.freedesktop.DBus.Error.UnknownObject", "?") }, { .columns = 100 }, 1,
                  "*" LINE "The master knows no job 4.\nTo list the jobs: dkvadm job list\n", NULL },
                {}
        };

        verb_check_on_terminal(cases);
}

TEST(job_that_fails_says_what_to_do_next) {
        static const VerbCase cases[] = {
                { "job watch 4", { JOB("failed", "Error s 'Volume 5 is full.'") }, 1, "",
                  "Job 4 failed: Volume 5 is full.\nSee dkvadm job show 4, dkvadm status and dkvadm events.\n", NULL },
                { "job watch 4", { JOB("failed", "LostKeys t 1") }, 1, "",
                  "Job 4 failed: for an unknown reason.\nSee which keys: dkvadm job show 4. To give them up: "
                  "dkvadm volume delete 2 5 --accept-loss; to keep the volumes: dkvadm job cancel 4\n", NULL },
                { "job watch 4", { JOB("cancelled", "LostKeys t 1") }, 1, "", "Job 4 was cancelled.\n", NULL },
                { "job watch 4 --json=short", { JOB("cancelled", "LostKeys t 0") }, 1, "{\"id\":4,*\"state\":\"cancelled\",*}\n", "Job 4 was cancelled.\n", NULL },
                {}
        };

        verb_check_all(cases);
}
/* clang-format on */

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(line_is_drawn_again_and_removed_at_the_end),
                cmocka_unit_test(line_is_no_longer_than_the_terminal),
                cmocka_unit_test(what_the_master_says_stays_on_the_line),
                cmocka_unit_test(interrupt_leaves_the_job_alone),
                cmocka_unit_test(master_that_is_restarted_is_waited_for),
                cmocka_unit_test(job_that_fails_says_what_to_do_next),
        };

        return verb_run_tests(tests);
}
