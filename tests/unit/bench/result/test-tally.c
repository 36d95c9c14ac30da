/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "bench/result/report.h"
#include "bench/result/tally.h"
#include "frame/capture.h"

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

/* What the report prints; a new string. */
static char *print(bool json) {
        const Options options = { .connections = 4, .threads = 2, .size = (char *) "1K" };
        Capture capture;

        capture_begin(&capture, STDOUT_FILENO, stdout);
        if (json)
                assert_ok(report_print_json(&options, "mixed", "http://h", &tally));
        else
                report_print(&options, "mixed", "http://h", &tally);
        return capture_end(&capture, stdout);
}

TEST(report_tells_people_what_came_out) {
        char *text;

        add(&tally, OPERATION_PUT, OUTCOME_OK, 201, 10);
        add(&tally, OPERATION_PUT, OUTCOME_OK, 201, 20);
        add(&tally, OPERATION_GET, OUTCOME_MISSING, 404, 5);
        add(&tally, OPERATION_GET, OUTCOME_RESET, 0, 5);
        tally.usec = 2 * USEC_PER_SEC;
        tally.n_retries = 6;
        text = print(false);
        assert_string_equal(
                        text,
                        "mixed http://h: connections 4, threads 2, 2.00 s\n"
                        "  get             1 requests          0/s        0.0 MB/s   µs: p50 5 p90 5 p99 5 p99.9 5 max 5\n"
                        "  put             2 requests          1/s        0.0 MB/s   µs: p50 10 p90 20 p99 20 p99.9 20 max 20\n"
                        "  status 201: 2 404: 1\n"
                        "  errors 2 missing: 1 reset: 1, retries 6\n");
        free(text);
}

TEST(report_tells_programs_the_same) {
        static const char *const parts[] = { "\"verb\": \"mixed\"", "\"url\": \"http://h\"",
                                             "\"connections\": 4",  "\"requests\": 1",
                                             "\"put\": {",          "\"201\": 1",
                                             "\"reset\": 1",        "\"missing\": 0",
                                             "\"failures\": 1",     "\"retries\": 0" };
        char *text;

        add(&tally, OPERATION_PUT, OUTCOME_OK, 201, 10);
        add(&tally, OPERATION_PUT, OUTCOME_RESET, 0, 10);
        tally.usec = USEC_PER_SEC;
        text = print(true);
        for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
                if (!strstr(text, parts[i]))
                        fail_msg("no %s in\n%s", parts[i], text);
        assert_null(strstr(text, "\"get\"")); /* there was none */
        free(text);
}

TEST(nothing_is_reported_without_a_division_by_zero) {
        char *text = print(false);

        assert_string_equal(
                        text,
                        "mixed http://h: connections 4, threads 2, 0.00 s\n  status\n  errors 0\n");
        free(text);
}

#define RUN(name) cmocka_unit_test_setup(name, setup)

int main(void) {
        const struct CMUnitTest tests[] = {
                RUN(what_was_answered_counts),
                RUN(status_is_that_of_an_answer),
                RUN(tallies_add_up),
                RUN(report_tells_people_what_came_out),
                RUN(report_tells_programs_the_same),
                RUN(nothing_is_reported_without_a_division_by_zero),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
