/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Whole runs of dkv-bench against a server that keeps values. */

#include "bench/server.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"

TEST(values_are_written_read_and_deleted) {
        bench_begin(OPTIONS("--count=20", "--threads=2"));
        assert_ok(bench_run(0, OPERATION_PUT));
        assert_int_equal(tally.statuses[201], KEYS);
        assert_int_equal(tally_answered(&tally), KEYS);

        memset(&tally, 0, sizeof(tally));
        assert_ok(bench_run(100, OPERATION_PUT));
        assert_int_equal(tally.outcomes[OUTCOME_OK], KEYS);

        memset(&tally, 0, sizeof(tally));
        assert_ok(bench_run(0, OPERATION_DELETE));
        assert_int_equal(tally.outcomes[OUTCOME_OK], KEYS);

        memset(&tally, 0, sizeof(tally));
        assert_ok(bench_run(100, OPERATION_PUT));
        assert_int_equal(tally.outcomes[OUTCOME_MISSING], KEYS);
        bench_end();
}

TEST(damaged_value_is_seen) {
        server_fill();
        server.values[7][50] ^= 1;
        bench_begin(OPTIONS("--count=20"));
        assert_ok(bench_run(100, OPERATION_PUT));
        assert_int_equal(tally.outcomes[OUTCOME_WRONG], 1);
        assert_int_equal(tally.outcomes[OUTCOME_OK], KEYS - 1);
        bench_end();

        bench_begin(OPTIONS("--count=20", "--verify=no"));
        assert_ok(bench_run(100, OPERATION_PUT));
        assert_int_equal(tally.outcomes[OUTCOME_OK], KEYS);
        bench_end();
}

TEST(errors_are_counted_or_retried) {
        server_fill();
        bench_begin(OPTIONS("--count=20"));
        server.n_failures = 3;
        assert_ok(bench_run(100, OPERATION_PUT));
        assert_int_equal(tally.outcomes[OUTCOME_STATUS], 3);
        assert_int_equal(tally.statuses[503], 3);
        bench_end();

        bench_begin(OPTIONS("--count=20", "--retry=10s"));
        server.n_failures = 3;
        assert_ok(bench_run(100, OPERATION_PUT));
        assert_int_equal(tally.outcomes[OUTCOME_OK], KEYS);
        assert_int_equal(tally.n_retries, 3);
        bench_end();
}

TEST(lost_connections_are_errors) {
        bench_begin(OPTIONS("--count=5"));
        server.closes = true;
        assert_ok(bench_run(100, OPERATION_PUT));
        assert_int_equal(tally.outcomes[OUTCOME_RESET], 5);
        bench_end();
}

TEST(redirects_are_followed_or_not) {
        server_fill();
        bench_begin(OPTIONS("--count=20"));
        server.redirects = true;
        assert_ok(bench_run(100, OPERATION_PUT));
        assert_int_equal(tally.outcomes[OUTCOME_OK], KEYS);
        assert_int_equal(server.n_requests, 2 * KEYS);
        bench_end();

        bench_begin(OPTIONS("--count=20", "--follow=no"));
        server.redirects = true;
        assert_ok(bench_run(100, OPERATION_PUT));
        assert_int_equal(tally.statuses[307], KEYS);
        assert_int_equal(server.n_requests, KEYS);
        bench_end();
}

TEST(rate_and_duration_are_kept) {
        bench_begin(OPTIONS("--rate=100", "--duration=500ms"));
        assert_ok(bench_run(0, OPERATION_PUT));
        assert_in_range(tally_answered(&tally), 10, 50); /* fewer if the machine is slow */
        assert_true(tally.usec >= 480 * USEC_PER_MSEC);
        bench_end();
}

TEST(server_that_is_not_there_ends_the_run) {
        bench_begin(OPTIONS("--count=1000000"));
        bench.url = "http://127.0.0.1:1";
        assert_ok(bench_run(100, OPERATION_PUT));
        assert_true(tally.outcomes[OUTCOME_CONNECT] > 0 && tally.outcomes[OUTCOME_CONNECT] < 100);
        bench_end();
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(values_are_written_read_and_deleted),
                cmocka_unit_test(damaged_value_is_seen),
                cmocka_unit_test(errors_are_counted_or_retried),
                cmocka_unit_test(lost_connections_are_errors),
                cmocka_unit_test(redirects_are_followed_or_not),
                cmocka_unit_test(rate_and_duration_are_kept),
                cmocka_unit_test(server_that_is_not_there_ends_the_run),
        };

        return cmocka_run_group_tests(tests, server_start, server_stop);
}
