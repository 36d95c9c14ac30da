/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bench/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "bench/check.h"
#include "frame/capture.h"

static unsigned n_failures; /* of the server, during a check */
static char path[] = "/tmp/dkv-test-ledger-XXXXXX";

static int setup(void **state) {
        int fd;

        strcpy(path + strlen(path) - 6, "XXXXXX");
        fd = mkstemp(path);
        return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state) {
        return unlink(path);
}

/* Checks the ledger at PATH; what is printed on stdout and stderr, as new strings. */
static void check(const char *ledger, const char *option, int expected, char **out, char **err) {
        Capture out_capture, err_capture;
        int r;

        bench_begin(OPTIONS(option));
        server.n_failures = n_failures;
        capture_begin(&out_capture, STDOUT_FILENO, stdout);
        capture_begin(&err_capture, STDERR_FILENO, stderr);
        r = check_ledger(&bench, ledger);
        *err = capture_end(&err_capture, stderr);
        *out = capture_end(&out_capture, stdout);
        bench_end();
        assert_int_equal(r, expected);
}

static void assert_check(
                const char *ledger,
                const char *option,
                int expected,
                const char *expected_out,
                const char *expected_err) {
        char *out, *err;

        check(ledger, option, expected, &out, &err);
        assert_string_equal(out, expected_out);
        assert_string_equal(err, expected_err);
        free(out);
        free(err);
}

/* Writes each key once, and what was acknowledged into the ledger. */
static void write_all_keys(void) {
        Load load;
        Run one;

        bench_begin(OPTIONS("--count=20"));
        assert_ok(load_init(&load, &bench.options));
        load.read_percent = 0;
        assert_ok(load_claim_keys(&load));
        one = bench_make_run(&bench, &load);
        assert_ok(ledger_open(path, &one.ledger));
        assert_ok(run_execute(&one, &tally));
        (void) ledger_free(one.ledger);
        load_done(&load);
        bench_end();
}

static void set_ledger(const char *text) {
        assert_ok(write_file(-1, path, text, strlen(text), 0600));
}

TEST(what_was_acknowledged_is_found) {
        write_all_keys();
        assert_check(path, "--json=no", 0,
                     "20 keys: ok 20 lost 0 late 0 torn 0 wrong 0 unreadable 0\n", "");
        assert_check(path, "--json", 0,
                     "{\n  \"keys\": 20,\n  \"ok\": 20,\n  \"lost\": 0,\n  \"late\": 0,\n  \"torn\": 0,\n"
                     "  \"wrong\": 0,\n  \"unreadable\": 0\n}\n",
                     "");
}

TEST(each_key_that_is_not_as_acknowledged_is_named) {
        write_all_keys();
        server.sizes[3] = 0;
        server.values[5][60] ^= 1;
        server.sizes[9]--;
        assert_check(path, "--json=no", 1,
                     "20 keys: ok 17 lost 1 late 0 torn 2 wrong 0 unreadable 0\n",
                     "'bench/3' is lost.\n'bench/5' is torn.\n'bench/9' is torn.\n");
        assert_check(path, "--json", 1,
                     "{\n  \"keys\": 20,\n  \"ok\": 17,\n  \"lost\": 1,\n  \"late\": 0,\n  \"torn\": 2,\n"
                     "  \"wrong\": 0,\n  \"unreadable\": 0\n}\n",
                     "'bench/3' is lost.\n'bench/5' is torn.\n'bench/9' is torn.\n");
}

TEST(no_more_than_twenty_are_named) {
        char text[4096] = "", *out, *err;
        unsigned lines = 0;

        for (int i = 0; i < 30; i++) {
                char line[64];

                (void) snprintf(line, sizeof(line), "bench/%d.%d 7 100\n", i % KEYS, i / KEYS);
                strcat(text, line);
        }
        memset(server.sizes, 0, sizeof(server.sizes));
        set_ledger(text);
        check(path, "--json=no", 1, &out, &err);
        for (const char *p = err; *p; p++)
                lines += *p == '\n';
        assert_int_equal(lines, 20);
        assert_string_equal(out, "30 keys: ok 0 lost 30 late 0 torn 0 wrong 0 unreadable 0\n");
        free(out);
        free(err);
}

TEST(what_nobody_waited_for_may_be_gone) {
        /* Attempted, never answered: either is right. */
        memset(server.sizes, 0, sizeof(server.sizes));
        set_ledger("?bench/1 7 100\n");
        assert_check(path, "--json=no", 0,
                     "1 key: ok 1 lost 0 late 0 torn 0 wrong 0 unreadable 0\n", "");
}

TEST(server_that_does_not_answer_leaves_it_open) {
        char *out, *err;

        write_all_keys();
        n_failures = 1000;
        check(path, "--json=no", 1, &out, &err);
        n_failures = 0;
        assert_string_equal(out, "20 keys: ok 0 lost 0 late 0 torn 0 wrong 0 unreadable 20\n");
        assert_non_null(strstr(err, "'bench/0' is unreadable.\n"));
        free(out);
        free(err);
}

TEST(empty_ledger_asks_nobody) {
        set_ledger("");
        assert_check(path, "--json=no", 0,
                     "0 keys: ok 0 lost 0 late 0 torn 0 wrong 0 unreadable 0\n", "");
        assert_int_equal(server.n_requests, 0);
}

TEST(what_is_no_ledger_is_refused_with_its_line) {
        static const struct {
                const char *text;
                size_t line;
        } rows[] = {
                { "no ledger\n", 1 },       { "bench/1 7 100\nbench/2 7\n", 2 },
                { "bench/1 7 100\n\n", 2 }, { "bench/1 seven 100\n", 1 },
                { "bench/1 7 -1\n", 1 },    { "bench/1 7 100 extra\n", 1 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                char expected[128];

                set_ledger(rows[i].text);
                (void) snprintf(expected, sizeof(expected), "%s:%zu: Not a line of a ledger.\n",
                                path, rows[i].line);
                assert_check(path, "--json=no", -EBADMSG, "", expected);
        }
}

TEST(ledger_that_cannot_be_read_is_named) {
        assert_check("/nowhere/ledger", "--json=no", -ENOENT, "",
                     "Failed to read '/nowhere/ledger': No such file or directory\n");
        assert_check("/", "--json=no", -EISDIR, "", "Failed to read '/': Is a directory\n");
}

#define WITH_LEDGER(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                WITH_LEDGER(what_was_acknowledged_is_found),
                WITH_LEDGER(each_key_that_is_not_as_acknowledged_is_named),
                WITH_LEDGER(no_more_than_twenty_are_named),
                WITH_LEDGER(what_nobody_waited_for_may_be_gone),
                WITH_LEDGER(server_that_does_not_answer_leaves_it_open),
                WITH_LEDGER(empty_ledger_asks_nobody),
                WITH_LEDGER(what_is_no_ledger_is_refused_with_its_line),
                WITH_LEDGER(ledger_that_cannot_be_read_is_named),
        };

        return cmocka_run_group_tests(tests, server_start, server_stop);
}
