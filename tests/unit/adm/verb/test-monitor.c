/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "adm/verb.h"

#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

/* clang-format off */
static const Answer cluster[ANSWERS_MAX] = {
        { .member = "GetAll", .types = "a{sv}", .text = "4 Health s ok Keys t 1 StartedAt t 5 Requests t 0" },
        { .member = "GetManagedObjects", .types = "a{oa{sa{sv}}}",
          .text = "1 /org/dkv/Master1/volume/1 1 org.dkv.Master1.Volume 3 Number u 1 State s active Up b 1" },
};
/* clang-format on */

/* Whether stdout is another file than BEFORE, since it is captured, and something is in it. */
static bool has_printed(const struct stat *before) {
        struct stat now;

        return fstat(STDOUT_FILENO, &now) >= 0 && now.st_size > 0 &&
               (now.st_ino != before->st_ino || now.st_dev != before->st_dev);
}

static void *end_once_it_has_printed(void *userdata) {
        for (int i = 0; i < 20000 && !has_printed(userdata); i++)
                (void) usleep(1000);
        (void) kill(getpid(), SIGTERM);
        return NULL;
}

/* What it prints until it is told to end, without a terminal. */
static void watch(const char *words, const char *out_pattern) {
        struct stat before;
        pthread_t thread;
        char *out, *err;

        assert_ok(fstat(STDOUT_FILENO, &before));
        assert_int_equal(pthread_create(&thread, NULL, end_once_it_has_printed, &before), 0);
        assert_int_equal(verb_run(words, NULL, &out, &err), 0);
        (void) pthread_join(thread, NULL);
        assert_matches(out, out_pattern);
        assert_string_equal(err, "");
        free(out);
        free(err);
}

TEST(line_tells_how_things_are) {
        stand_in_set(cluster);
        watch("monitor --interval=3600",
              "*:*:* ok: 0 reads/s, 0 writes/s, 0 deletes/s, 0 errors/s, in 0B/s, out 0B/s, 1 key, 1 of 1 volume up\n");
        watch("monitor --json=short",
              "{\"time\":*,\"health\":\"ok\",\"reason\":\"\",\"reads_per_second\":0*\"volumes\":[{\"number\":1,*}]}\n*");
}

TEST(master_that_is_away_is_told) {
        stand_in_leave();
        watch("monitor", "*:*:* down: The master is not running.\n*");
        watch("monitor --json=short",
              "{\"time\":*,\"health\":\"down\",\"reason\":\"The master is not running.\"}\n*");
}

TEST(interval_has_a_limit) {
        /* clang-format off */
        static const VerbCase cases[] = {
                { "monitor --interval=3601", {}, 2, "", "--interval takes a number of seconds from 1 to 3600.\n", "" },
                { "monitor --interval=18446744073709551615", {}, 2, "", "--interval takes a number of seconds*\n", "" },
                { "monitor --interval=0",    {}, 2, "", "Invalid value '0' for --interval=SECONDS; see --help.\n", "" },
                { "monitor --interval=fast", {}, 2, "", "Invalid value 'fast' for --interval=SECONDS; see --help.\n", "" },
                { "monitor now",             {}, 2, "", "Too many arguments for 'monitor'. Usage: monitor\n", "" },
                {}
        };
        /* clang-format on */

        verb_check_all(cases);
}

#define ENTER "\033[?1049h\033[?25l\033[?7l\033[2J"
#define LEAVE "\033[?7h\033[?25h\033[?1049l"

TEST(page_is_shown_until_a_key_ends_it) {
        static const char *const keys[] = { "q", "Q", "xxq", "\003" /* Ctrl-C */ };

        for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
                const Pty pty = { .lines = 20, .prompt = "q: quit", .typed = keys[i] };
                int status;
                char *text;

                stand_in_set(cluster);
                text = verb_run_on_terminal("monitor --interval=3600", &pty, &status);
                assert_int_equal(status, 0);
                assert_matches(text, ENTER "\033[H* ok\033[K\n*1 key with 0B; *REQUESTS/s *VOLUME *"
                                           "\033[20H*dkvadm monitor  q: quit\033[K" LEAVE);
                free(text);
        }
}

TEST(page_follows_the_size_of_the_terminal) {
        const Pty pty = { .columns = 30, .lines = 20, .prompt = "q: quit", .wider = 90 };
        PtyRun *run = calloc(1, sizeof(*run));
        size_t first;

        assert_non_null(run);
        stand_in_set(cluster);
        verb_start_on_terminal("monitor --interval=1", &pty, run);
        pty_read(run, 0, pty.prompt);
        first = run->n;
        pty_act(run, &pty);
        pty_read(run, first, pty.prompt); /* once more, without waiting for the next look */
        assert_int_equal(write(run->fd, "q", 1), 1);
        assert_int_equal(pty_end(run), 0);
        free(run);
}

TEST(page_tells_that_the_master_went_away_and_came_back) {
        const Pty pty = { .lines = 20 };
        PtyRun *run = calloc(1, sizeof(*run));
        size_t n;

        assert_non_null(run);
        stand_in_set(cluster);
        verb_start_on_terminal("monitor --interval=1", &pty, run);
        pty_read(run, 0, "1 key with");
        n = run->n;
        stand_in_leave();
        pty_read(run, n, "down: The master is not running.");
        n = run->n;
        stand_in_set(cluster);
        pty_read(run, n, "1 key with");
        assert_int_equal(write(run->fd, "q", 1), 1);
        assert_int_equal(pty_end(run), 0);
        free(run);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(line_tells_how_things_are),
                cmocka_unit_test(master_that_is_away_is_told),
                cmocka_unit_test(interval_has_a_limit),
                cmocka_unit_test(page_is_shown_until_a_key_ends_it),
                cmocka_unit_test(page_follows_the_size_of_the_terminal),
                cmocka_unit_test(page_tells_that_the_master_went_away_and_came_back),
        };
        sigset_t mask;

        /* No thread but that of the verb may take the signal. */
        (void) sigemptyset(&mask);
        (void) sigaddset(&mask, SIGTERM);
        (void) sigprocmask(SIG_BLOCK, &mask, NULL);
        return verb_run_tests(tests);
}
