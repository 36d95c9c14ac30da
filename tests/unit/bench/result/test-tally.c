/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <string.h>

#include "bench/result/report.h"
#include "bench/result/tally.h"

static Tally tally, other;
static Connection connection; /* too large for a stack */

static int setup(void **state) {
        memset(&tally, 0, sizeof(tally));
        memset(&other, 0, sizeof(other));
        return 0;
}

static void add(Tally *to, OperationType type, Outcome outcome, unsigned status, uint64_t usec) {
        connection.operation = (Operation){ .type = type, .size = 100 };
        connection.outcome = outcome;
        connection.response.status = status;
        connection.received = 50;
        tally_add(to, &connection, usec);
}

TEST(what_was_answered_counts) {
        add(&tally, OPERATION_PUT, OUTCOME_OK, 201, 10);
        add(&tally, OPERATION_GET, OUTCOME_OK, 200, 20);
        add(&tally, OPERATION_GET, OUTCOME_MISSING, 404, 30);
        add(&tally, OPERATION_GET, OUTCOME_STATUS, 503, 40);
        add(&tally, OPERATION_GET, OUTCOME_TIMEOUT, 200, 50);

        assert_int_equal(tally_answered(&tally), 3);
        assert_int_equal(tally_bytes(&tally), 150); /* a missing value has none */
        assert_int_equal(tally.latencies[OPERATION_GET].count, 2);
        assert_int_equal(tally.latencies[OPERATION_GET].max, 30);
        assert_int_equal(tally.n_answered, 3);
        assert_int_equal(tally.n_failed, 2);
        assert_int_equal(report_failures(&tally), 3);
}

TEST(status_is_that_of_an_answer) {
        add(&tally, OPERATION_GET, OUTCOME_OK, 200, 1);
        add(&tally, OPERATION_GET, OUTCOME_WRONG, 200, 1);
        add(&tally, OPERATION_GET, OUTCOME_RESET, 200, 1);
        add(&tally, OPERATION_GET, OUTCOME_STATUS, 999, 1);
        assert_int_equal(tally.statuses[200], 2);
        assert_int_equal(tally.statuses[0], 1); /* no status at all */
}

TEST(tallies_add_up) {
        add(&tally, OPERATION_PUT, OUTCOME_OK, 201, 10);
        add(&other, OPERATION_PUT, OUTCOME_OK, 201, 90);
        add(&other, OPERATION_DELETE, OUTCOME_STATUS, 500, 5);
        tally.usec = 7;
        other.usec = 9;
        other.n_retries = 3;
        tally_merge(&tally, &other);

        assert_int_equal(tally.statuses[201], 2);
        assert_int_equal(tally.outcomes[OUTCOME_STATUS], 1);
        assert_int_equal(tally.latencies[OPERATION_PUT].count, 2);
        assert_int_equal(tally.latencies[OPERATION_PUT].max, 90);
        assert_int_equal(tally.bytes[OPERATION_PUT], 200);
        assert_int_equal(tally.usec, 9);
        assert_int_equal(tally.n_retries, 3);
}

#define RUN(name) cmocka_unit_test_setup(name, setup)

int main(void) {
        const struct CMUnitTest tests[] = {
                RUN(what_was_answered_counts),
                RUN(status_is_that_of_an_answer),
                RUN(tallies_add_up),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
