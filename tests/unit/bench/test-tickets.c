/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bench/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/tickets.h"
#include "frame/capture.h"

/* Returns what tickets_get() does, and what it says as a new string. */
static int get(Tickets *ret, char **ret_said) {
        Capture capture;
        int r;

        capture_begin(&capture, STDERR_FILENO, stderr);
        r = tickets_get(&bench, ret);
        *ret_said = capture_end(&capture, stderr);
        return r;
}

TEST(tickets_are_the_redirects_of_all_keys) {
        Tickets tickets = {};

        bench_begin(OPTIONS("--rate=1"));
        server.redirects = true;
        assert_ok(tickets_get(&bench, &tickets));
        assert_int_equal(tickets.n, KEYS);
        for (size_t i = 0; i < KEYS; i++) {
                char expected[128];

                (void) snprintf(expected, sizeof(expected), "%s/bench/%zu?ticket", server.url, i);
                assert_string_equal(tickets.urls[i], expected);
        }
        tickets_done(&tickets);
        bench_end();
}

TEST(each_key_is_asked_for_once_whatever_the_load_is) {
        static const char *const options[] = { "--count=3", "--pattern=random", "--read=1",
                                               "--duration=1ms", "--threads=2" };

        for (size_t i = 0; i < ELEMENTSOF(options); i++) {
                Tickets tickets = {};

                bench_begin(OPTIONS(options[i]));
                server.redirects = true;
                assert_ok(tickets_get(&bench, &tickets));
                assert_int_equal(tickets.n, KEYS);
                assert_int_equal(server.n_requests, KEYS);
                tickets_done(&tickets);
                assert_int_equal(tickets.n, 0);
                assert_null(tickets.urls);
                bench_end();
        }
}

TEST(server_that_answers_itself_has_no_tickets) {
        Tickets tickets = {};
        char *said;

        server_fill();
        bench_begin(OPTIONS("--count=1"));
        assert_int_equal(get(&tickets, &said), -ENOENT);
        assert_string_equal(said, "Found no redirect for key number 0 of 20.\n");
        assert_int_equal(tickets.n, 0);
        free(said);
        bench_end();
}

TEST(redirect_that_fails_is_told_by_its_number) {
        Tickets tickets = {};
        char *said;

        bench_begin(OPTIONS("--connections=1"));
        server.redirects = true;
        server.n_failures = 1;
        assert_int_equal(get(&tickets, &said), -ENOENT);
        assert_string_equal(said, "Found no redirect for key number 0 of 20.\n");
        free(said);
        bench_end();

        /* With patience it is had. */
        bench_begin(OPTIONS("--connections=1", "--retry=10s"));
        server.redirects = true;
        server.n_failures = 2;
        assert_ok(get(&tickets, &said));
        assert_string_equal(said, "");
        free(said);
        tickets_done(&tickets);
        bench_end();
}

TEST(tickets_are_where_the_load_goes) {
        Tickets tickets = {};
        Load load;
        Run one;

        server_fill();
        bench_begin(OPTIONS("--count=20"));
        server.redirects = true;
        assert_ok(tickets_get(&bench, &tickets));
        server.n_requests = 0;
        assert_ok(load_init(&load, &bench.options));
        load.read_percent = 100;
        load.targets = tickets.urls;
        one = bench_make_run(&bench, &load);
        assert_ok(run_execute(&one, &tally));
        assert_int_equal(tally.outcomes[OUTCOME_OK], KEYS);
        assert_int_equal(server.n_requests, KEYS); /* nobody was asked where */
        load_done(&load);
        tickets_done(&tickets);
        bench_end();
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(tickets_are_the_redirects_of_all_keys),
                cmocka_unit_test(each_key_is_asked_for_once_whatever_the_load_is),
                cmocka_unit_test(server_that_answers_itself_has_no_tickets),
                cmocka_unit_test(redirect_that_fails_is_told_by_its_number),
                cmocka_unit_test(tickets_are_where_the_load_goes),
        };

        return cmocka_run_group_tests(tests, server_start, server_stop);
}
