/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

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
                cmocka_unit_test(settings_overridden_have_a_limit),
                cmocka_unit_test(settings_come_from_file_and_options),
                cmocka_unit_test(only_what_is_live_is_applied),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
