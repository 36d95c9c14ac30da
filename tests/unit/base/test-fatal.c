/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/fatal.h"

static jmp_buf out;
static char what_was_said[64];
static int error_that_was_told;

_noreturn_ static void on_fatal(const char *what, int error) {
        (void) strncpy(what_was_said, what, sizeof(what_was_said) - 1);
        error_that_was_told = error;
        longjmp(out, 1);
}

TEST(the_handler_is_told_what_failed_and_why) {
        fatal_set_handler(on_fatal);

        if (setjmp(out) == 0)
                fatal("Failed to flush '/var/lib/dkv/log.0000000001'", EIO);

        assert_string_equal(what_was_said, "Failed to flush '/var/lib/dkv/log.0000000001'");
        assert_int_equal(error_that_was_told, EIO);
}

_noreturn_ static void on_fatal_of_another(const char *what, int error) {
        longjmp(out, 2);
}

TEST(the_last_handler_counts) {
        int way;

        fatal_set_handler(on_fatal);
        fatal_set_handler(on_fatal_of_another);

        way = setjmp(out);
        if (way == 0)
                fatal("Failed", EIO);
        assert_int_equal(way, 2);
}

/* Whatever the program has forgotten: nothing goes on after a failed flush. */
TEST(without_a_handler_the_process_ends_all_the_same) {
        int status;
        pid_t pid;

        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                (void) setrlimit(RLIMIT_CORE, &(struct rlimit){});
                (void) signal(SIGABRT, SIG_DFL);
                (void) close(STDERR_FILENO);
                fatal_set_handler(NULL);
                fatal("Failed", EIO);
        }

        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_handler_is_told_what_failed_and_why),
                cmocka_unit_test(the_last_handler_counts),
                cmocka_unit_test(without_a_handler_the_process_ends_all_the_same),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
