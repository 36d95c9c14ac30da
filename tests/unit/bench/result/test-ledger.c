/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "test.h"

#include "base/file.h"
#include "bench/result/ledger.h"

static char path[] = "/tmp/test-bench-ledger-XXXXXX";

static int setup(void **state) {
        int fd;

        strcpy(path + sizeof(path) - sizeof("XXXXXX"), "XXXXXX");
        fd = mkstemp(path);
        assert_ok(fd);
        closep(&fd);
        return 0;
}

static int teardown(void **state) {
        assert_int_equal(unlink(path), 0);
        return 0;
}

static void write_text(const char *text) {
        assert_ok(write_file(AT_FDCWD, path, text, strlen(text), 0600));
}

static Verdict judge(const char *text, Outcome outcome, uint64_t generation, uint64_t size) {
        _cleanup_(ledger_keys_done) LedgerKeys keys = {};
        size_t line;

        write_text(text);
        assert_ok(ledger_read(path, &keys, &line));
        assert_int_equal(keys.n, 1);
        assert_string_equal(keys.names[0], "k");
        return ledger_judge(keys.items[0], outcome, generation, size);
}

TEST(acknowledged_write_must_be_there) {
        static const char text[] = "?k 5 100\nk 5 100\n?k 7 200\nk 7 200\n";

        assert_int_equal(judge(text, OUTCOME_OK, 7, 200), VERDICT_OK);
        assert_int_equal(judge(text, OUTCOME_MISSING, 0, 0), VERDICT_LOST);
        assert_int_equal(judge(text, OUTCOME_OK, 5, 100), VERDICT_LOST);
        assert_int_equal(judge(text, OUTCOME_OK, 8, 200), VERDICT_WRONG);
        assert_int_equal(judge(text, OUTCOME_WRONG, 0, 0), VERDICT_TORN);
        assert_int_equal(judge(text, OUTCOME_SHORT, 0, 0), VERDICT_TORN);
        assert_int_equal(judge(text, OUTCOME_CONNECT, 0, 0), VERDICT_UNREADABLE);
        assert_int_equal(judge(text, OUTCOME_STATUS, 0, 0), VERDICT_UNREADABLE);
}

TEST(later_attempt_may_be_there) {
        static const char text[] = "?k 5 100\nk 5 100\n?k 7 200\n?k 9 300\n";

        assert_int_equal(judge(text, OUTCOME_OK, 5, 100), VERDICT_OK);
        assert_int_equal(judge(text, OUTCOME_OK, 7, 200), VERDICT_OK);
        assert_int_equal(judge(text, OUTCOME_OK, 9, 300), VERDICT_OK);
        assert_int_equal(judge(text, OUTCOME_MISSING, 0, 0), VERDICT_LOST);
        assert_int_equal(judge(text, OUTCOME_OK, 6, 100), VERDICT_WRONG);
}

TEST(earlier_attempt_must_not_win) {
        static const char text[] = "?k 5 100\n?k 7 200\nk 7 200\n";

        assert_int_equal(judge(text, OUTCOME_OK, 5, 100), VERDICT_LATE);
        assert_int_equal(judge(text, OUTCOME_OK, 7, 200), VERDICT_OK);
}

TEST(unacknowledged_key_may_be_absent) {
        assert_int_equal(judge("?k 5 100\n", OUTCOME_MISSING, 0, 0), VERDICT_OK);
        assert_int_equal(judge("?k 5 100\n", OUTCOME_OK, 5, 100), VERDICT_OK);
        assert_int_equal(judge("?k 5 100\n", OUTCOME_OK, 4, 100), VERDICT_WRONG);
}

TEST(short_values_are_told_apart_by_size) {
        static const char text[] = "?k 5 1\nk 5 1\n?k 7 2\n";

        assert_int_equal(judge(text, OUTCOME_OK, 0, 1), VERDICT_OK);
        assert_int_equal(judge(text, OUTCOME_OK, 0, 2), VERDICT_OK);
        assert_int_not_equal(judge(text, OUTCOME_OK, 0, 3), VERDICT_OK);
}

TEST(malformed_lines_are_refused) {
        static const char *const bad[] = { "\n",        "k\n",      "k 5\n",  "k 5 x\n",
                                           "k 5 6 7\n", "k -5 6\n", "? 5 6\n" };
        LedgerKeys keys;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                char text[64] = "k 1 1\n";
                size_t line = 0;

                write_text(strcat(text, bad[i]));
                assert_int_equal(ledger_read(path, &keys, &line), -EBADMSG);
                assert_int_equal(line, 2);
        }
}

TEST(what_is_written_is_read) {
        _cleanup_(ledger_keys_done) LedgerKeys keys = {};
        _cleanup_(ledger_freep) Ledger *ledger = NULL;
        Operation operation = { .type = OPERATION_PUT };
        size_t line;

        assert_ok(ledger_open(path, &ledger));
        for (size_t i = 0; i < 1000; i++) {
                char key[16];

                (void) snprintf(key, sizeof(key), "key/%zu", i % 100);
                operation.generation = i;
                operation.size = 100 + i;
                assert_ok(ledger_write(ledger, LEDGER_ATTEMPTED, key, &operation));
                if (i < 950)
                        assert_ok(ledger_write(ledger, LEDGER_ACKNOWLEDGED, key, &operation));
        }

        assert_ok(ledger_read(path, &keys, &line));
        assert_int_equal(keys.n, 100);
        assert_string_equal(keys.names[99], "key/99");
        assert_int_equal(ledger_judge(keys.items[99], OUTCOME_OK, 899, 999), VERDICT_OK);
        assert_int_equal(ledger_judge(keys.items[99], OUTCOME_OK, 999, 1099), VERDICT_OK);
        assert_int_equal(ledger_judge(keys.items[99], OUTCOME_OK, 799, 899), VERDICT_LOST);
        assert_int_equal(ledger_judge(keys.items[49], OUTCOME_OK, 849, 949), VERDICT_LOST);
}

TEST(line_without_end_is_dropped) {
        Operation operation = { .type = OPERATION_PUT, .generation = 9, .size = 9 };
        _cleanup_(ledger_keys_done) LedgerKeys keys = {};
        _cleanup_(ledger_freep) Ledger *ledger = NULL;
        size_t line;

        write_text("k 1 1\n?other 12");
        assert_ok(ledger_open(path, &ledger));
        assert_ok(ledger_write(ledger, LEDGER_ATTEMPTED, "k", &operation));
        assert_ok(ledger_read(path, &keys, &line));
        assert_int_equal(keys.n, 1);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(acknowledged_write_must_be_there, setup, teardown),
                cmocka_unit_test_setup_teardown(later_attempt_may_be_there, setup, teardown),
                cmocka_unit_test_setup_teardown(earlier_attempt_must_not_win, setup, teardown),
                cmocka_unit_test_setup_teardown(unacknowledged_key_may_be_absent, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                short_values_are_told_apart_by_size, setup, teardown),
                cmocka_unit_test_setup_teardown(malformed_lines_are_refused, setup, teardown),
                cmocka_unit_test_setup_teardown(what_is_written_is_read, setup, teardown),
                cmocka_unit_test_setup_teardown(line_without_end_is_dropped, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
