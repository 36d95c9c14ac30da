/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/fatal.h"
#include "base/file.h"
#include "daemon/program.h"

typedef struct Settings {
        ConfOrigins origins;
        char *name;
        uint64_t number;
} Settings;

/* clang-format off */
static const ConfItem items[] = {
        { "Test", "Name",   CONF_STRING, offsetof(Settings, name),   "x", 0, 0,   "A name.", .live = true },
        { "Test", "Number", CONF_UINT,   offsetof(Settings, number), "1", 1, 100, "A number." },
        {}
};
/* clang-format on */

static const BusObject objects[] = { {} };

static const Program program = {
        .name = "dkv-test",
        .summary = "Tests.",
        .config = "/etc/test.conf",
        .items = items,
        .objects = objects,
};

static const Program numbered = {
        .name = "dkv-test",
        .summary = "Tests.",
        .config = "/etc/test.conf",
        .items = items,
        .objects = objects,
        .number_max = 100,
};

static void settings_done(Settings *settings) {
        conf_done(items, settings);
}

/* What main() would do with these arguments. */
static int start(const Program *this, ProgramArguments *ret, const char *const words[]) {
        char *argv[PROGRAM_SET_MAX + 8] = { (char *) "dkv-test" };
        int argc = 1;

        for (; words[argc - 1]; argc++)
                argv[argc] = (char *) words[argc - 1];

        optind = 0; /* for getopt, once more from the start */
        opterr = 0;
        return program_start(this, argc, argv, ret);
}

#define START(program, ret, ...) start(program, ret, (const char *const[]){ __VA_ARGS__ })

TEST(without_arguments_all_is_default) {
        ProgramArguments arguments;

        assert_ok(unsetenv("DKV_BUS"));
        assert_int_equal(START(&program, &arguments, NULL), 1);
        assert_null(arguments.config);
        assert_null(arguments.set[0]);
        assert_string_equal(arguments.bus_address, "system");
        assert_int_equal(arguments.number, 0);
}

TEST(options_are_read) {
        ProgramArguments arguments;

        assert_int_equal(
                        START(&numbered, &arguments, "--config=a", "--set=A=1", "--set", "B=2",
                              "--number=7", "--bus-address=unix:path=/x", NULL),
                        1);
        assert_string_equal(arguments.config, "a");
        assert_string_equal(arguments.set[0], "A=1");
        assert_string_equal(arguments.set[1], "B=2");
        assert_null(arguments.set[2]);
        assert_string_equal(arguments.bus_address, "unix:path=/x");
        assert_int_equal(arguments.number, 7);
}

TEST(environment_says_which_bus_unless_an_option_does) {
        ProgramArguments arguments;

        assert_ok(setenv("DKV_BUS", "none", 1));
        assert_int_equal(START(&program, &arguments, NULL), 1);
        assert_string_equal(arguments.bus_address, "none");
        assert_int_equal(START(&program, &arguments, "--bus-address=system", NULL), 1);
        assert_string_equal(arguments.bus_address, "system");
        assert_ok(unsetenv("DKV_BUS"));
}

TEST(wrong_usage_is_refused) {
        static const char *const bad[] = {
                "--nonsense",
                "word",
                "--config",
                "--number=0",
                "--number=x",
                "--number=101",
                "--number=1",
                "--print-settings=x",
                "--set",
                "--bus-address",
                "--bus-introspect=/nothing",
        };
        ProgramArguments arguments, before = {};

        arguments = before;
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_true(START(&program, &arguments, bad[i], NULL) < 0);
        assert_true(START(&numbered, &arguments, "--number=101", NULL) < 0);
        assert_true(START(&numbered, &arguments, "--number=0", NULL) < 0);
        assert_memory_equal(&arguments, &before, sizeof(before));
}

TEST(a_rollback_is_accepted_by_masters_only) {
        Program master = program;
        ProgramArguments arguments;

        assert_int_equal(START(&program, &arguments, NULL), 1);
        assert_false(arguments.accept_rollback);
        assert_int_equal(START(&program, &arguments, "--accept-rollback", NULL), -EINVAL);

        master.is_master = true;
        assert_int_equal(START(&master, &arguments, "--accept-rollback", NULL), 1);
        assert_true(arguments.accept_rollback);
        assert_int_equal(START(&master, &arguments, "--accept-rollback=yes", NULL), -EINVAL);
}

/* What is printed with this option, which is all that the program does then. */
static const char *print(const Program *this, const char *option) {
        int fd = memfd_create("stdout", MFD_CLOEXEC), saved = dup(STDOUT_FILENO), r;
        static char text[4096];
        ProgramArguments arguments;
        ssize_t n;

        assert_true(fd >= 0 && saved >= 0);
        (void) fflush(stdout);
        assert_ok(dup2(fd, STDOUT_FILENO));
        r = START(this, &arguments, option, NULL);
        (void) fflush(stdout);
        assert_ok(dup2(saved, STDOUT_FILENO));
        assert_int_equal(r, 0);

        n = pread(fd, text, sizeof(text) - 1, 0);
        assert_ok(n);
        text[n] = '\0';
        closep(&fd);
        closep(&saved);
        return text;
}

TEST(help_offers_what_the_program_takes) {
        const char *text = print(&program, "--help");

        assert_non_null(strstr(text, "Usage: dkv-test [OPTIONS…]\n\nTests.\n"));
        assert_non_null(strstr(text, "--config=FILE"));
        assert_non_null(strstr(text, "(default /etc/test.conf)"));
        assert_null(strstr(text, "--number"));
        assert_null(strstr(text, "--accept-rollback"));
        assert_non_null(strstr(print(&numbered, "--help"), "--number=N"));
}

TEST(version_and_settings_are_printed) {
        const char *text = print(&program, "--version");

        assert_int_equal(strncmp(text, "dkv-test ", 9), 0);
        text = print(&program, "--print-settings");
        assert_non_null(strstr(text, "[Test]"));
        assert_non_null(strstr(text, "#Name=x"));
        assert_non_null(strstr(text, "#Number=1"));
}

/* Runs in a child, and says how that ended: a status, or the signal as a negative number. */
static int in_a_child(void (*function)(void)) {
        int status;
        pid_t pid = fork();

        assert_ok(pid);
        if (pid == 0) {
                function();
                _exit(99);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void print_to_a_full_disk(void) {
        int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

        if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0)
                _exit(98);
        (void) printf("settings");
        _exit(program_exit(EXIT_SUCCESS));
}

static void print_to_where_it_fits(void) {
        int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

        if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0)
                _exit(98);
        (void) printf("settings");
        _exit(program_exit(3));
}

TEST(what_was_not_printed_is_a_failure) {
        assert_int_equal(in_a_child(print_to_a_full_disk), EXIT_FAILURE);
        assert_int_equal(in_a_child(print_to_where_it_fits), 3);
}

static void fail_to_flush(void) {
        ProgramArguments arguments;

        if (START(&program, &arguments, NULL) != 1)
                _exit(98);
        fatal("Failed to flush '/srv/log'", EIO);
}

/* Not exit(): nothing that runs then may write what is not known to be right. */
TEST(a_program_does_not_outlive_its_disk) {
        assert_int_equal(in_a_child(fail_to_flush), -SIGABRT);
}

TEST(settings_overridden_have_a_limit) {
        const char *words[PROGRAM_SET_MAX + 2] = {};
        ProgramArguments arguments;

        for (size_t i = 0; i < PROGRAM_SET_MAX; i++)
                words[i] = "--set=A=1";
        assert_int_equal(start(&program, &arguments, words), 1);
        assert_null(arguments.set[PROGRAM_SET_MAX]);
        words[PROGRAM_SET_MAX] = "--set=A=1";
        assert_int_equal(start(&program, &arguments, words), -EINVAL);
}

TEST(settings_come_from_file_and_options) {
        _cleanup_(settings_done) Settings settings = {}, bad = {};
        char directory[] = "/tmp/test-program-XXXXXX", path[64];
        const char *text = "[Test]\nName=file\nNumber=3\n";
        ProgramArguments arguments = { .set = { "Name=option" } };
        ProgramArguments mistaken = { .set = { "Number=101" } };

        assert_non_null(mkdtemp(directory));
        (void) snprintf(path, sizeof(path), "%s/conf", directory);
        assert_ok(write_file(AT_FDCWD, path, text, strlen(text), 0600));

        assert_ok(program_load(&arguments, path, items, &settings));
        assert_string_equal(settings.name, "option");
        assert_string_equal(conf_origin(&settings, 0), "--set");
        assert_int_equal(settings.number, 3);
        assert_int_equal(program_load(&mistaken, path, items, &bad), -ERANGE);

        assert_ok(unlink(path));
        assert_ok(rmdir(directory));
}

TEST(what_is_no_setting_is_refused) {
        static const struct {
                const char *set;
                int error;
        } rows[] = {
                { "Nonsense=1", -ENOENT }, { "Number", -EINVAL },       { "Number=", 0 },
                { "Number=0", -ERANGE },   { "Number=ten", -EINVAL },   { "=1", -ENOENT },
                { "number=1", -ENOENT },   { "Number=1 ; 2", -EINVAL }, { "Number=100", 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_(settings_done) Settings settings = {};
                const ProgramArguments arguments = { .set = { rows[i].set } };
                int r = program_load(&arguments, "/nonexistent/conf", items, &settings);

                if (r != rows[i].error)
                        fail_msg("%s: %i", rows[i].set, r);
        }
}

TEST(a_file_that_cannot_be_read_is_an_error) {
        _cleanup_(settings_done) Settings settings = {};
        const ProgramArguments arguments = {};

        assert_int_equal(program_load(&arguments, "/dev", items, &settings), -EISDIR);
}

TEST(only_what_is_live_is_applied) {
        _cleanup_(settings_done) Settings settings = {}, fresh = {};
        const ProgramArguments before = {}, after = { .set = { "Name=new", "Number=9" } };

        assert_ok(program_load(&before, "/nonexistent/conf", items, &settings));
        assert_ok(program_load(&after, "/nonexistent/conf", items, &fresh));
        program_apply(items, &settings, &fresh, "dkv-test");
        assert_string_equal(settings.name, "new");
        assert_int_equal(settings.number, 1);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(without_arguments_all_is_default),
                cmocka_unit_test(options_are_read),
                cmocka_unit_test(environment_says_which_bus_unless_an_option_does),
                cmocka_unit_test(wrong_usage_is_refused),
                cmocka_unit_test(a_rollback_is_accepted_by_masters_only),
                cmocka_unit_test(help_offers_what_the_program_takes),
                cmocka_unit_test(version_and_settings_are_printed),
                cmocka_unit_test(what_was_not_printed_is_a_failure),
                cmocka_unit_test(a_program_does_not_outlive_its_disk),
                cmocka_unit_test(settings_overridden_have_a_limit),
                cmocka_unit_test(what_is_no_setting_is_refused),
                cmocka_unit_test(a_file_that_cannot_be_read_is_an_error),
                cmocka_unit_test(settings_come_from_file_and_options),
                cmocka_unit_test(only_what_is_live_is_applied),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
