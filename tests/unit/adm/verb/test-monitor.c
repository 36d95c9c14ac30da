/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "adm/verb.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

/* clang-format off */
static const Answer cluster[ANSWERS_MAX] = {
        { .member = "GetAll", .types = "a{sv}", .text = "4 Health s ok Keys t 1 StartedAt t 5 Requests t 0" },
        { .member = "GetManagedObjects", .types = "a{oa{sa{sv}}}",
          .text = "1 /org/dkv/Master1/volume/1 1 org.dkv.Master1.Volume 3 Number u 1 State s active Up b 1" },
};
/* clang-format on */

static void *end_soon(void *userdata) {
        (void) usleep(300000);
        (void) kill(getpid(), SIGTERM);
        return NULL;
}

/* What it prints until it is told to end, without a terminal. */
static void watch(const char *words, const char *out_pattern) {
        pthread_t thread;
        char *out, *err;

        assert_int_equal(pthread_create(&thread, NULL, end_soon, NULL), 0);
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
        char *out, *err;

        assert_int_equal(verb_run("monitor --interval=3601", NULL, &out, &err), 2);
        assert_string_equal(err, "--interval takes a number of seconds from 1 to 3600.\n");
        free(out);
        free(err);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(line_tells_how_things_are),
                cmocka_unit_test(master_that_is_away_is_told),
                cmocka_unit_test(interval_has_a_limit),
        };
        sigset_t mask;

        /* No thread but that of the verb may take the signal. */
        (void) sigemptyset(&mask);
        (void) sigaddset(&mask, SIGTERM);
        (void) sigprocmask(SIG_BLOCK, &mask, NULL);
        return verb_run_tests(tests);
}
