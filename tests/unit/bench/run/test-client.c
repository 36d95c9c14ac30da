/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One client of a run, without threads; see test-run.c for whole runs. */

#include "bench/server.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "bench/run/client.h"

static Load load;
static Run one;
static Client client;
static unsigned n_observed;

static void on_operation(const Connection *connection, void *userdata) {
        n_observed++;
}

static void client_begin(const char *const options[], unsigned read_percent) {
        bench_begin(options);
        assert_ok(load_init(&load, &bench.options));
        load.read_percent = read_percent;
        one = bench_make_run(&bench, &load);
        one.observe = on_operation;
        n_observed = 0;
        load_start(&load, clock_monotonic());
        assert_ok(client_init(&client, &one, 0, bench.options.connections));
}

static void client_end(void) {
        client_done(&client);
        load_done(&load);
        bench_end();
}

TEST(each_operation_is_counted_and_observed_once) {
        client_begin(OPTIONS("--count=55"), 0);
        assert_ok(client_loop(&client));
        assert_int_equal(tally_answered(client.tally), 55);
        assert_int_equal(n_observed, 55);
        assert_int_equal(server.n_requests, 55);
        assert_int_equal(client.n_active, 0);
        assert_true(client.ended);
        client_end();
}

TEST(more_connections_than_work_are_no_harm) {
        client_begin(OPTIONS("--count=2", "--connections=50"), 0);
        assert_ok(client_loop(&client));
        assert_int_equal(server.n_requests, 2);
        client_end();
}

TEST(what_is_repeated_counts_once) {
        client_begin(OPTIONS("--count=20", "--retry=10s"), 0);
        server.n_failures = 7;
        assert_ok(client_loop(&client));
        assert_int_equal(tally_answered(client.tally), 20);
        assert_int_equal(client.tally->n_retries, 7);
        assert_int_equal(client.tally->statuses[503], 0); /* only the last answer counts */
        assert_int_equal(n_observed, 20);
        assert_int_equal(server.n_requests, 27);
        client_end();
}

TEST(lost_connection_is_opened_again_for_the_same_request) {
        client_begin(OPTIONS("--count=20", "--retry=10s"), 0);
        server.n_closes = 5;
        assert_ok(client_loop(&client));
        assert_int_equal(tally_answered(client.tally), 20);
        assert_true(client.tally->n_retries >= 1 && client.tally->n_retries <= 5);
        assert_int_equal(client.tally->outcomes[OUTCOME_RESET], 0);
        client_end();
}

TEST(what_will_not_change_is_not_repeated) {
        /* A value that is not there, and one that is wrong. */
        memset(server.sizes, 0, sizeof(server.sizes));
        client_begin(OPTIONS("--count=20", "--retry=10s"), 100);
        assert_ok(client_loop(&client));
        assert_int_equal(client.tally->outcomes[OUTCOME_MISSING], 20);
        assert_int_equal(client.tally->n_retries, 0);
        client_end();

        server_fill();
        server.values[4][20] ^= 1;
        client_begin(OPTIONS("--count=20", "--retry=10s"), 100);
        assert_ok(client_loop(&client));
        assert_int_equal(client.tally->outcomes[OUTCOME_WRONG], 1);
        assert_int_equal(client.tally->n_retries, 0);
        client_end();
}

TEST(patience_has_an_end) {
        client_begin(OPTIONS("--count=1", "--connections=1", "--retry=50ms"), 100);
        server.n_failures = 1000000;
        assert_ok(client_loop(&client));
        assert_int_equal(client.tally->statuses[503], 1);
        assert_int_equal(client.tally->n_retries, server.n_requests - 1);
        assert_true(server.n_requests < 1000); /* with a pause in between */
        client_end();
}

TEST(server_that_never_was_there_ends_the_load) {
        client_begin(OPTIONS("--count=1000000"), 100);
        one.url = "http://127.0.0.1:1";
        client_done(&client);
        assert_ok(client_init(&client, &one, 0, 4));
        assert_ok(client_loop(&client));
        assert_true(client.tally->outcomes[OUTCOME_CONNECT] >= 1);
        assert_true(client.tally->outcomes[OUTCOME_CONNECT] <= 8);
        client_end();

        /* Unless errors are what is looked for. */
        client_begin(OPTIONS("--count=30", "--allow-errors"), 100);
        one.url = "http://127.0.0.1:1";
        client_done(&client);
        assert_ok(client_init(&client, &one, 0, 4));
        assert_ok(client_loop(&client));
        assert_int_equal(client.tally->outcomes[OUTCOME_CONNECT], 30);
        client_end();
}

TEST(load_that_is_stopped_lets_its_requests_end) {
        client_begin(OPTIONS("--count=1000000"), 0);
        load_stop(&load);
        assert_ok(client_loop(&client));
        assert_int_equal(server.n_requests, 0);
        client_end();
}

TEST(clients_of_a_run_draw_other_keys) {
        Client other;

        client_begin(OPTIONS("--count=1"), 0);
        assert_ok(client_init(&other, &one, 1, 1));
        assert_true(random_below(&client.random, UINT64_MAX) !=
                    random_below(&other.random, UINT64_MAX));
        client_done(&other);

        /* The same client draws the same ones in the next run. */
        assert_ok(client_init(&other, &one, 0, 1));
        client_done(&client);
        assert_ok(client_init(&client, &one, 0, 1));
        assert_true(random_below(&client.random, UINT64_MAX) ==
                    random_below(&other.random, UINT64_MAX));
        client_done(&other);
        client_end();
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_operation_is_counted_and_observed_once),
                cmocka_unit_test(more_connections_than_work_are_no_harm),
                cmocka_unit_test(what_is_repeated_counts_once),
                cmocka_unit_test(lost_connection_is_opened_again_for_the_same_request),
                cmocka_unit_test(what_will_not_change_is_not_repeated),
                cmocka_unit_test(patience_has_an_end),
                cmocka_unit_test(server_that_never_was_there_ends_the_load),
                cmocka_unit_test(load_that_is_stopped_lets_its_requests_end),
                cmocka_unit_test(clients_of_a_run_draw_other_keys),
        };

        return cmocka_run_group_tests(tests, server_start, server_stop);
}
