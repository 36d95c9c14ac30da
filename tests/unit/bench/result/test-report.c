/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "bench/result/report.h"
#include "frame/capture.h"

static Tally tally;
static Connection connection; /* too large for a stack */

static int setup(void **state) {
        memset(&tally, 0, sizeof(tally));
        return 0;
}

static void add(OperationType type, Outcome outcome, unsigned status, uint64_t usec) {
        connection.operation = (Operation){ .type = type, .size = 100 };
        connection.outcome = outcome;
        connection.response.status = status;
        connection.received = 50;
        tally_add(&tally, &connection, usec);
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

        add(OPERATION_PUT, OUTCOME_OK, 201, 10);
        add(OPERATION_PUT, OUTCOME_OK, 201, 20);
        add(OPERATION_GET, OUTCOME_MISSING, 404, 5);
        add(OPERATION_GET, OUTCOME_RESET, 0, 5);
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

        add(OPERATION_PUT, OUTCOME_OK, 201, 10);
        add(OPERATION_PUT, OUTCOME_RESET, 0, 10);
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

TEST(each_kind_of_operation_has_its_line) {
        char *text;

        add(OPERATION_DELETE, OUTCOME_OK, 204, 7);
        tally.usec = USEC_PER_SEC;
        text = print(false);
        assert_non_null(strstr(text, "\n  delete          1 requests          1/s"));
        assert_null(strstr(text, "\n  get"));
        assert_null(strstr(text, "\n  put"));
        assert_null(strstr(text, "retries"));
        free(text);
}

TEST(rates_are_of_the_time_it_took) {
        char *text;

        for (int i = 0; i < 1000; i++)
                add(OPERATION_PUT, OUTCOME_OK, 201, 10);
        tally.usec = USEC_PER_SEC / 10;
        tally.bytes[OPERATION_PUT] = 5000000;
        text = print(false);
        assert_non_null(strstr(text, " 0.10 s\n"));
        assert_non_null(strstr(text, "  put          1000 requests      10000/s       50.0 MB/s "));
        free(text);
        text = print(true);
        assert_non_null(strstr(text, "\"requests_per_second\": 10000"));
        assert_non_null(strstr(text, "\"bytes_per_second\": 50000000"));
        free(text);
}

TEST(every_outcome_but_success_is_a_failure) {
        for (Outcome i = 0; i < _OUTCOME_MAX; i++)
                add(OPERATION_GET, i, 200, 1);
        assert_int_equal(report_failures(&tally), _OUTCOME_MAX - 1);
}

TEST(programs_find_each_error_even_if_there_was_none) {
        char *text = print(true);

        for (Outcome i = OUTCOME_OK + 1; i < _OUTCOME_MAX; i++) {
                char expected[64];

                (void) snprintf(expected, sizeof(expected), "\"%s\": 0", outcome_to_string(i));
                assert_non_null(strstr(text, expected));
        }
        assert_non_null(strstr(text, "\"statuses\": {"));
        assert_non_null(strstr(text, "\"size\": \"1K\""));
        free(text);
}

#define RUN(name) cmocka_unit_test_setup(name, setup)

int main(void) {
        const struct CMUnitTest tests[] = {
                RUN(report_tells_people_what_came_out),
                RUN(report_tells_programs_the_same),
                RUN(nothing_is_reported_without_a_division_by_zero),
                RUN(each_kind_of_operation_has_its_line),
                RUN(rates_are_of_the_time_it_took),
                RUN(every_outcome_but_success_is_a_failure),
                RUN(programs_find_each_error_even_if_there_was_none),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
