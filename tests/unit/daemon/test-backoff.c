/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "daemon/backoff.h"
#include "scratch.h"

static char *directory;

static int setup(void **state) {
        directory = scratch_new();
        assert_ok(setenv("RUNTIME_DIRECTORY", directory, true));
        assert_ok(setenv("NOTIFY_SOCKET", "@dkv-test-backoff", true)); /* nobody listens there */
        assert_ok(setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent", true));
        return 0;
}

static int teardown(void **state) {
        scratch_free(directory);
        return 0;
}

/* How many failures are noted; -1 for no note at all. */
static int noted(void) {
        _cleanup_close_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_free_ char *text = NULL;
        uint64_t n;

        if (read_file(fd, "failed-starts", 32, &text, NULL) < 0)
                return -1;
        assert_ok(parse_u64(text, UINT32_MAX, &n));
        return (int) n;
}

static void note(const char *text) {
        _cleanup_close_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        assert_ok(write_file(fd, "failed-starts", text, strlen(text), 0600));
}

static bool waits(void) {
        uint64_t begin = clock_monotonic();

        backoff_wait();
        return clock_monotonic() - begin >= USEC_PER_SEC;
}

TEST(failures_are_counted_until_one_start_is_none) {
        assert_int_equal(noted(), -1);
        backoff_failed();
        backoff_failed();
        backoff_failed();
        assert_int_equal(noted(), 3);
        backoff_forget();
        assert_int_equal(noted(), -1);
        backoff_forget(); /* once more does no harm */
        backoff_failed();
        assert_int_equal(noted(), 1);
}

TEST(the_first_failures_cost_no_time) {
        assert_false(waits());
        backoff_failed();
        assert_false(waits());
        assert_int_equal(noted(), 1);
}

TEST(a_note_that_is_no_number_is_none) {
        note("many");
        assert_false(waits());
        backoff_failed();
        assert_int_equal(noted(), 1);
        note("");
        assert_false(waits());
}

TEST(who_fails_again_and_again_waits) {
        note("2");
        assert_true(waits());
        assert_int_equal(noted(), 2); /* whether this start fails is not known yet */
}

TEST(outside_of_systemd_nothing_happens) {
        note("9");
        assert_ok(unsetenv("NOTIFY_SOCKET"));
        assert_false(waits());
        backoff_failed();
        backoff_forget();
        assert_int_equal(noted(), 9);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
        static const struct CMUnitTest tests[] = {
                ROW(failures_are_counted_until_one_start_is_none),
                ROW(the_first_failures_cost_no_time),
                ROW(a_note_that_is_no_number_is_none),
                ROW(who_fails_again_and_again_waits),
                ROW(outside_of_systemd_nothing_happens),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
