/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "base/event-ids.h"
#include "base/log.h"

static int saved_fd, pipe_fds[2];

/* From here on what goes to stderr goes to a pipe. */
static int capture(void **state) {
        log_set_level(LOG_INFO);
        saved_fd = dup(STDERR_FILENO);
        return pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0 || dup2(pipe_fds[1], STDERR_FILENO) < 0;
}

static int release(void **state) {
        int r = dup2(saved_fd, STDERR_FILENO);

        (void) close(saved_fd);
        (void) close(pipe_fds[0]);
        (void) close(pipe_fds[1]);
        return r < 0;
}

static void assert_logged(const char *pattern) {
        char text[8192] = "";
        regex_t regex;
        int r;

        (void) !read(pipe_fds[0], text, sizeof(text) - 1);
        assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
        r = regexec(&regex, text, 0, NULL, 0);
        regfree(&regex);
        if (r != 0)
                fail_msg("'%s' does not match '%s'", text, pattern);
}

#define DATE "[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{3}"

TEST(message_is_one_line_with_time_and_level) {
        log_warning("The %s is %i", "answer", 42);
        assert_logged("^" DATE " warning The answer is 42\n$");
}

TEST(errno_is_named_and_returned_negative) {
        errno = EPIPE;
        assert_int_equal(log_error_errno(-ENOENT, "Failed to open '%s': %m", "a"), -ENOENT);
        assert_int_equal(errno, EPIPE);
        assert_logged("err Failed to open 'a': it is not there [(]No such file or directory[)]; "
                      "is its disk mounted[?]\n$");

        assert_int_equal(log_error_errno(EEXIST, "x"), -EEXIST);
}

TEST(only_what_ends_with_the_error_is_explained) {
        log_warning_errno(-EROFS, "Cannot go on (%m): is '%s' mounted?", "a");
        assert_logged("warning Cannot go on [(]Read-only file system[)]: is 'a' mounted[?]\n$");
        log_warning_errno(-EROFS, "It is read-only: %%m");
        assert_logged("It is read-only: %m\n$");
        log_warning("Nothing failed: %s", "%m");
        assert_logged("Nothing failed: %m\n$");
}

TEST(an_explanation_never_goes_beyond_a_message) {
        char name[3000];

        memset(name, 'x', sizeof(name));
        for (size_t size = 1900; size < sizeof(name); size += 7) {
                name[size] = '\0';
                log_warning_errno(-ENOSPC, "%s: %m", name);
                name[size] = 'x';
                assert_logged("warning x+");
        }
}

TEST(level_decides_what_is_shown) {
        log_debug("hidden");
        log_event(LOG_DEBUG, EVENT_VOLUME_UP, NULL, "hidden");
        assert_int_equal(log_debug_errno(-EIO, "hidden"), -EIO);
        assert_logged("^$");

        log_set_level(LOG_DEBUG);
        log_debug("shown");
        assert_logged("debug shown\n$");
}

TEST(message_stays_one_line) {
        log_info("key '%s'", "a\n2026-01-01 00:00:00.000 err forged\x1b[2J");
        assert_logged("^" DATE " info key 'a[?]2026[^\n]*forged[?]\\[2J'\n$");
}

TEST(long_message_is_cut) {
        char text[5000];

        memset(text, 'x', sizeof(text));
        log_info("%.*s", (int) sizeof(text), text);
        assert_logged("^" DATE " info x{200}[^\n]*x\n$");
}

TEST(event_is_logged) {
        const char *fields[] = { "DKV_VOLUME=3", NULL };

        log_event(LOG_NOTICE, EVENT_VOLUME_DOWN, fields, "Volume %i is down", 3);
        assert_logged("notice Volume 3 is down\n$");
}

int main(void) {
#define CAPTURED(test) cmocka_unit_test_setup_teardown(test, capture, release)
        static const struct CMUnitTest tests[] = {
                CAPTURED(message_is_one_line_with_time_and_level),
                CAPTURED(errno_is_named_and_returned_negative),
                CAPTURED(only_what_ends_with_the_error_is_explained),
                CAPTURED(an_explanation_never_goes_beyond_a_message),
                CAPTURED(level_decides_what_is_shown),
                CAPTURED(message_stays_one_line),
                CAPTURED(long_message_is_cut),
                CAPTURED(event_is_logged),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
