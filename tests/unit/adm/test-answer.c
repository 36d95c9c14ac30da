/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "adm/verb.h"

#include <string.h>
#include <sys/wait.h>

#include "adm/answer.h"
#include "adm/scratch.h"
#include "adm/tables.h"
#include "adm/words.h"
#include "frame/capture.h"

/* clang-format off */
#define VOLUME(number, state, rest) \
        " /org/dkv/Master1/volume/" number " 1 org.dkv.Master1.Volume 4 Number u " number " State s " state \
        " Url s http://" number " " rest

static const Answer cluster[ANSWERS_MAX] = {
        { .member = "GetAll", .path = "/org/dkv/Master1", .types = "a{sv}", .text = "2 Epoch t 9 Copies u 2" },
        { .member = "GetAll", .path = "/org/dkv/Volume1", .types = "a{sv}", .text = "2 Number u 7 Directory s /v" },
        { .member = "GetManagedObjects", .types = "a{oa{sa{sv}}}",
          .text = "6" VOLUME("1", "active", "Zone s r1") VOLUME("2", "active", "Zone s r2") VOLUME("3", "active", "Zone s r1")
                  VOLUME("4", "new", "Up b 1")
                  " /org/dkv/Master1/job/5 1 org.dkv.Master1.Job 3 Id u 5 Type s drain State s running"
                  " /org/dkv/Master1/job/6 1 org.dkv.Master1.Job 3 Id u 6 Type s repair State s done" },
};

static const struct {
        const char *words; /* the last one is to be completed; ~ stands for an empty one */
        const char *answers;
} rows[] = {
        { "volume add ~",             "4\tnew, http://4\n" },
        { "volume add 4 ~",           "" },
        { "volume delete 2 ~",        "1\tactive, down, http://1\n3\tactive, down, http://3\n" },
        { "volume show ~",            "1\t*\n2\t*\n3\t*\n4\tnew, http://4\n" },
        { "volume create ~",          "" },
        { "volume set 1 --zone=",     "--zone=r1\t\n--zone=r2\t\n" },
        { "volume set 1 --zone ~",    "r1\t\nr2\t\n" },
        { "volume set 1 --epoch ~",   "9\tcurrent\n" },
        { "set ~",                    "copies=\tSet the number of copies of each value\n" },
        { "set copies=",              "copies=1\t1 of each value\ncopies=2\t2 of each value (current)\ncopies=3\t3 of each value\n" },
        { "job pause ~",              "5\tdrain, running\n" },
        { "job show ~",               "5\tdrain, running\n6\trepair, done\n" },
        { "job resume ~",             "" },
        { "events --volume ~",        "1\t*4\tnew, http://4\n" },
        { "config ~",                 "7\t/v\n" },
        { "--sandbox ~",              ":directories\n" },
        { "--host=",                  ":hosts\n" },
        { "volume create 4 -D ~",     ":directories\n" },
        { "help ~",                   "" },
        { "volume maintenance 1 ~",   "on\t\noff\t\n" },
        { "sta",                      "*status\tShow the health of the cluster*" },
        { "locate ~",                 "" },
};
/* clang-format on */

/* What the shell is told; in a child, since that leaves the terminal and sets an alarm. A new
 * string. */
static char *complete(const char *words, const char *root) {
        char *argv[16] = { (char *) "--complete" }, *text;
        Capture capture;
        int argc = 1, status;
        pid_t pid;

        while ((argv[argc] = words_next(&words))) {
                if (strcmp(argv[argc], "~") == 0)
                        argv[argc][0] = '\0';
                argc++;
        }

        capture_begin(&capture, STDOUT_FILENO, stdout);
        pid = fork();
        if (pid == 0) {
                Context context = { .connection.bus_address = stand_in_address(),
                                    .options.root = root };
                CompletionQuestion question;

                if (completion_print(adm_verbs, adm_options, argc, argv, &context, &question) > 0)
                        answer_print(&context, &question);
                (void) fflush(stdout);
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        text = capture_end(&capture, stdout);
        for (int i = 1; i < argc; i++)
                free(argv[i]);
        return text;
}

TEST(answers_fit_the_verb) {
        stand_in_set(cluster);
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                char *text = complete(rows[i].words, NULL);

                if (!matches(rows[i].answers, text))
                        fail_msg("\n--- %s\n%s\n--- should be\n%s", rows[i].words, text,
                                 rows[i].answers);
                free(text);
        }
}

TEST(volumes_with_files_are_found_below_the_root) {
        char root[SCRATCH_SIZE], *text;

        scratch_new(root);
        scratch_write(root, "etc/dkv/volume@12.conf", "");
        scratch_write(root, "etc/dkv/volume@3.conf", "");
        scratch_write(root, "etc/dkv/volume.conf", "");
        text = complete("volume remove-config ~", root);
        assert_string_equal(text, "12\t\n3\t\n");
        free(text);
        scratch_free(root);
}

TEST(cluster_that_is_away_has_no_answers) {
        char *text;

        stand_in_leave();
        text = complete("volume show ~", NULL);
        assert_string_equal(text, "");
        free(text);
        text = complete("job show ~", NULL);
        assert_string_equal(text, "");
        free(text);
}

TEST(every_option_of_a_verb_is_in_the_table) {
        for (const Verb *verb = adm_verbs; verb->name; verb++) {
                const char *rest = verb->options;
                char *name;

                while ((name = words_next(&rest))) {
                        const Option *option = options_find(adm_options, name);

                        assert_non_null(option);
                        assert_true(option->special);
                        free(name);
                }
                assert_true(verb->min_args <= verb->max_args);
                assert_true(strlen(verb->help) <=
                            61); /* behind the names, in a line of 100 columns */
        }
}

TEST(every_special_option_has_a_verb) {
        for (const Option *option = adm_options; option->name; option++) {
                bool used = !option->special;

                for (const Verb *verb = adm_verbs; verb->name; verb++)
                        used = used || verb_takes(verb, option->name);
                assert_true(used);
                assert_true(option->type == OPTION_FLAG ? !option->argument : !!option->argument);
        }
}

TEST(help_is_for_all_or_for_some) {
        char *out, *err;

        assert_int_equal(verb_run("help", NULL, &out, &err), 0);
        assert_matches(out,
                       "Usage: dkvadm [OPTIONS] VERB [ARGUMENTS]\n\nShow and change*\nVerbs:\n  status *\nOptions:\n*");
        free(out);
        free(err);
        assert_int_equal(verb_run("help job set", NULL, &out, &err), 0);
        assert_matches(out,
                       "Usage: *\n\n  job set JOB *Change the limits of a job\n    *--rate=BYTES *--parallel=N *\n");
        free(out);
        free(err);
        assert_int_equal(verb_run("help nothing", NULL, &out, &err), 2);
        assert_string_equal(err, "Unknown verb 'nothing'; see --help.\n");
        free(out);
        free(err);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(answers_fit_the_verb),
                cmocka_unit_test(volumes_with_files_are_found_below_the_root),
                cmocka_unit_test(cluster_that_is_away_has_no_answers),
                cmocka_unit_test(every_option_of_a_verb_is_in_the_table),
                cmocka_unit_test(every_special_option_has_a_verb),
                cmocka_unit_test(help_is_for_all_or_for_some),
        };

        return verb_run_tests(tests);
}
