/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

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

TEST(names_go_there_and_back) {
        for (int level = LOG_EMERG; level <= LOG_DEBUG; level++)
                assert_int_equal(log_level_from_string(log_level_to_string(level)), level);
        for (LogTarget target = 0; target < _LOG_TARGET_MAX; target++)
                assert_int_equal(log_target_from_string(log_target_to_string(target)), target);
}

TEST(what_is_no_name_is_refused) {
        static const char *const names[] = {
                "", "ERR", "error", "warn", "7", "debug ", "console\n"
        };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                assert_int_equal(log_level_from_string(names[i]), -EINVAL);
                assert_int_equal(log_target_from_string(names[i]), -EINVAL);
        }
}

TEST(more_is_shown_the_higher_the_level_is) {
        for (int level = LOG_EMERG; level <= LOG_DEBUG; level++) {
                log_set_level(level);
                for (int of_message = LOG_EMERG; of_message <= LOG_DEBUG; of_message++) {
                        char pattern[64];

                        log_event(of_message, EVENT_VOLUME_UP, NULL, "message");
                        (void) snprintf(pattern, sizeof(pattern), " %s message\n$",
                                        log_level_to_string(of_message));
                        assert_logged(of_message <= level ? pattern : "^$");
                }
        }
}

/* The daemon goes on: a log that cannot be written is no reason to stop serving. */
TEST(without_a_journal_its_target_is_the_console) {
        log_set_target(LOG_TARGET_JOURNAL);
        if (access(LOG_JOURNAL_SOCKET, F_OK) < 0) {
                log_info("still here");
                assert_logged(" info still here\n$");
        }
        log_set_target(LOG_TARGET_CONSOLE);
        log_info("here");
        assert_logged(" info here\n$");
        log_set_target(LOG_TARGET_AUTO);
}

TEST(a_log_that_is_closed_or_full_does_no_harm) {
        int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

        assert_ok(full);
        errno = EPIPE;
        assert_int_equal(dup2(full, STDERR_FILENO), STDERR_FILENO);
        log_error("lost");
        assert_int_equal(close(STDERR_FILENO), 0);
        log_error("lost");
        assert_int_equal(log_error_errno(-EIO, "lost: %m"), -EIO);
        assert_int_equal(dup2(pipe_fds[1], STDERR_FILENO), STDERR_FILENO);
        log_error("found");
        assert_logged("^" DATE " err found\n$");
        assert_int_equal(close(full), 0);
}

#define LINES 50

static void *log_lines(void *userdata) {
        for (unsigned i = 0; i < LINES; i++)
                log_info("%s", (const char *) userdata);
        return NULL;
}

/* Each line is one write, which is whole up to the size of a pipe's buffer. */
TEST(lines_of_several_threads_do_not_mix) {
        static char texts[4][80], found[64 * 1024];
        unsigned counts[4] = {};
        pthread_t threads[4];
        ssize_t n;

        for (size_t i = 0; i < ELEMENTSOF(threads); i++) {
                memset(texts[i], 'a' + (int) i, sizeof(texts[i]) - 1);
                assert_int_equal(pthread_create(threads + i, NULL, log_lines, texts[i]), 0);
        }
        for (size_t i = 0; i < ELEMENTSOF(threads); i++)
                assert_int_equal(pthread_join(threads[i], NULL), 0);

        n = read(pipe_fds[0], found, sizeof(found) - 1);
        assert_ok(n);
        for (char *line = found, *end; *line; line = end + 1) {
                const char *text;

                end = strchr(line, '\n');
                assert_non_null(end);
                *end = '\0';
                text = strstr(line, " info ");
                assert_non_null(text);
                text += strlen(" info ");
                assert_in_range(*text, 'a', 'd');
                assert_string_equal(text, texts[*text - 'a']);
                counts[*text - 'a']++;
        }
        for (size_t i = 0; i < ELEMENTSOF(counts); i++)
                assert_int_equal(counts[i], LINES);
}

/* In a process of its own, since it is asked for once. */
static int level_with(const char *debug) {
        int status;
        pid_t pid = fork();

        assert_ok(pid);
        if (pid == 0) {
                if (debug)
                        (void) setenv("DKV_DEBUG", debug, 1);
                else
                        (void) unsetenv("DKV_DEBUG");
                log_set_level(-1); /* as at the start */
                _exit(log_get_level());
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

TEST(the_environment_says_whether_to_debug) {
        assert_int_equal(level_with(NULL), LOG_INFO);
        assert_int_equal(level_with("1"), LOG_DEBUG);
        assert_int_equal(level_with("0"), LOG_INFO);
        assert_int_equal(level_with(""), LOG_INFO);
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
                cmocka_unit_test(names_go_there_and_back),
                cmocka_unit_test(what_is_no_name_is_refused),
                CAPTURED(more_is_shown_the_higher_the_level_is),
                CAPTURED(without_a_journal_its_target_is_the_console),
                CAPTURED(a_log_that_is_closed_or_full_does_no_harm),
                CAPTURED(lines_of_several_threads_do_not_mix),
                cmocka_unit_test(the_environment_says_whether_to_debug),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
