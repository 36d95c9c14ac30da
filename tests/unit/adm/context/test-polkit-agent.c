/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The real agent needs polkit and a user who types a password; what is started here in its place
 * tells how it was called. */

#include "frame/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "adm/context/polkit-agent.h"
#include "adm/scratch.h"

#define NOBODY 65534

static char root[SCRATCH_SIZE];

/* Puts SCRIPT into the place of pkttyagent, or nothing if it is NULL. */
static void set_agent(const char *script) {
        scratch_new(root);
        assert_ok(chmod(root, 0755));
        if (script) {
                scratch_write(root, "pkttyagent", script);
                assert_ok(chmod(scratch_path(root, "pkttyagent"), 0755));
        }
        assert_ok(setenv("PATH", root, 1));
}

static void drop_agent(void) {
        scratch_free(root);
        assert_ok(setenv("PATH", "/usr/bin:/bin", 1));
}

/* As dkvadm does around a call for which polkit may ask. Root is never asked. */
static int ask(void *userdata) {
        if (geteuid() == 0 && setuid(NOBODY) < 0)
                return 10;

        polkit_agent_open();
        (void) printf("the call\n");
        (void) fflush(stdout);
        polkit_agent_close();
        polkit_agent_close(); /* once more does nothing */
        return waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD ? 0 : 11;
}

TEST(agent_is_ready_before_the_call_and_gone_after_it) {
        int status;
        char *text;

        set_agent("#!/bin/sh\n"
                  "echo \"agent $1 $3\"\n"
                  "eval \"exec $2>&-\"\n" /* it tells so that it is ready */
                  "while :; do read -r line || exit 0; done\n");
        text = pty_run(&(Pty){}, ask, NULL, &status);
        assert_string_equal(text, "agent --notify-fd --fallback\nthe call\n");
        assert_int_equal(status, 0);
        free(text);
        drop_agent();
}

TEST(agent_that_fails_or_is_missing_does_not_keep_the_call) {
        static const char *const scripts[] = { "#!/bin/sh\nexit 1\n", "#!/nowhere/sh\n", NULL };

        for (size_t i = 0; i < sizeof(scripts) / sizeof(*scripts); i++) {
                int status;
                char *text;

                set_agent(scripts[i]);
                text = pty_run(&(Pty){}, ask, NULL, &status);
                assert_string_equal(text, "the call\n");
                assert_int_equal(status, 0);
                free(text);
                drop_agent();
        }
}

static int ask_without_stdin(void *userdata) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        if (null < 0 || dup2(null, STDIN_FILENO) < 0)
                return 10;
        return ask(userdata);
}

TEST(script_is_not_asked_for_a_password) {
        int status;
        char *text;

        set_agent("#!/bin/sh\necho agent\n");
        text = pty_run(&(Pty){}, ask_without_stdin, NULL, &status);
        assert_string_equal(text, "the call\n");
        assert_int_equal(status, 0);
        free(text);
        drop_agent();
}

static int ask_into_a_pipe(void *userdata) {
        int ends[2], r;
        char text[64] = "";

        if (pipe(ends) < 0 || dup2(ends[1], STDOUT_FILENO) < 0)
                return 10;
        r = ask(userdata);
        if (r == 0 &&
            (read(ends[0], text, sizeof(text) - 1) < 0 || strcmp(text, "the call\n") != 0))
                r = 12;
        return r;
}

TEST(agent_talks_to_the_terminal_wherever_the_output_goes) {
        int status;
        char *text;

        set_agent("#!/bin/sh\necho agent\neval \"exec $2>&-\"\nread -r line\n");
        text = pty_run(&(Pty){}, ask_into_a_pipe, NULL, &status);
        assert_string_equal(text, "agent\n");
        assert_int_equal(status, 0);
        free(text);
        drop_agent();
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(agent_is_ready_before_the_call_and_gone_after_it),
                cmocka_unit_test(agent_that_fails_or_is_missing_does_not_keep_the_call),
                cmocka_unit_test(script_is_not_asked_for_a_password),
                cmocka_unit_test(agent_talks_to_the_terminal_wherever_the_output_goes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
