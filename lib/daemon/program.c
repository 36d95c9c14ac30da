/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/event-ids.h"
#include "base/fatal.h"
#include "base/file.h"
#include "base/log.h"
#include "daemon/program.h"

#define COLUMN 24 /* of the explanations in --help */

typedef struct Option {
        const char *name;
        const char *argument; /* NULL for none */
        const char *help;

        /* Returns 1 to go on, 0 if all is done, or -EINVAL. */
        int (*on_option)(const Program *program, const char *value, ProgramArguments *arguments);
} Option;

static int on_number(const Program *program, const char *value, ProgramArguments *arguments) {
        uint64_t number;

        if (parse_u64(value, program->number_max, &number) < 0 || number == 0)
                return log_error_errno(-EINVAL, "Not a volume's number: '%s'", value);

        arguments->number = number;
        return 1;
}

static int on_config(const Program *program, const char *value, ProgramArguments *arguments) {
        arguments->config = value;
        return 1;
}

static int on_set(const Program *program, const char *value, ProgramArguments *arguments) {
        size_t n = 0;

        while (arguments->set[n])
                n++;
        if (n == PROGRAM_SET_MAX)
                return log_error_errno(-EINVAL, "More than %i --set= options", PROGRAM_SET_MAX);

        arguments->set[n] = value;
        return 1;
}

static int on_bus_address(const Program *program, const char *value, ProgramArguments *arguments) {
        arguments->bus_address = value;
        return 1;
}

static int on_accept_rollback(
                const Program *program, const char *value, ProgramArguments *arguments) {
        arguments->accept_rollback = true;
        return 1;
}

static int on_found_group(const Program *program, const char *value, ProgramArguments *arguments) {
        arguments->found_group = value;
        return 1;
}

static int on_join_group(const Program *program, const char *value, ProgramArguments *arguments) {
        if (parse_u64(value, UINT64_MAX, &arguments->join_group) < 0 || arguments->join_group == 0)
                return log_error_errno(-EINVAL, "Not a member's number: '%s'", value);
        return 1;
}

static int on_bus_introspect(
                const Program *program, const char *value, ProgramArguments *arguments) {
        int r = bus_print_introspection(program->objects, value);

        if (r < 0 && !ferror(stdout)) /* program_exit() tells about that */
                return log_error_errno(r, "Failed to introspect '%s': %m", value);
        return 0;
}

static int on_print_settings(
                const Program *program, const char *value, ProgramArguments *arguments) {
        conf_print_template(program->items, program->name);
        return 0;
}

static int on_version(const Program *program, const char *value, ProgramArguments *arguments) {
        (void) printf("%s %s\n", program->name, DKV_VERSION);
        return 0;
}

static int on_help(const Program *program, const char *value, ProgramArguments *arguments);

/* clang-format off */
static const Option options[] = {
        { "number",         "N",          "The volume's number (default 1)",                                on_number },
        { "config",         "FILE",       "Settings",                                                       on_config },
        { "set",            "NAME=VALUE", "Override one setting; may be repeated",                          on_set },
        { "bus-address",    "ADDRESS",    "D-Bus to be on: system (default, or $DKV_BUS), none, or an address", on_bus_address },
        { "accept-rollback", NULL,        "Lead though the index is older than its volumes, and lose the rest", on_accept_rollback },
        { "found-group",    "URLS",       "Make a group of masters, this one first, and print what the others need", on_found_group },
        { "join-group",     "N",          "Become member N of the group that the input is about",           on_join_group },
        { "bus-introspect", "PATH",       "Print what is at this path on the bus, as XML",                  on_bus_introspect },
        { "print-settings", NULL,         "Print all settings with their defaults as a commented file",     on_print_settings },
        { "help",           NULL,         "Print this",                                                     on_help },
        { "version",        NULL,         "Print the version",                                              on_version },
        {}
};
/* clang-format on */

static bool is_offered(const Option *option, const Program *program) {
        if (option->on_option == on_accept_rollback || option->on_option == on_found_group ||
            option->on_option == on_join_group)
                return program->is_master;
        return option->on_option != on_number || program->number_max > 0;
}

static int on_help(const Program *program, const char *value, ProgramArguments *arguments) {
        (void) printf("Usage: %s [OPTIONS…]\n\n%s\n\n", program->name, program->summary);

        for (const Option *option = options; option->name; option++) {
                const char *argument = option->argument ?: "";
                int width;

                if (!is_offered(option, program))
                        continue;

                width = printf("  --%s%s%s", option->name, *argument ? "=" : "", argument);
                (void) printf("%*s%s", MAX(COLUMN - width, 1), "", option->help);
                if (option->on_option == on_config)
                        (void) printf(" (default %s)", program->config);
                (void) putchar('\n');
        }

        return 0;
}

static int parse(const Program *program, int argc, char *argv[], ProgramArguments *arguments) {
        struct option table[ELEMENTSOF(options)] = {};
        size_t n = 0;
        int i, r = 1;

        for (const Option *option = options; option->name; option++)
                if (is_offered(option, program))
                        table[n++] = (struct option){
                                .name = option->name,
                                .has_arg = option->argument ? required_argument : no_argument,
                                .val = 256 + (int) (option - options),
                        };

        while (r > 0 && (i = getopt_long(argc, argv, "", table, NULL)) >= 0)
                r = i >= 256 ? options[i - 256].on_option(program, optarg, arguments) : -EINVAL;

        if (r > 0 && optind < argc)
                return log_error_errno(-EINVAL, "Unexpected argument '%s'", argv[optind]);
        return r;
}

/* Only what is on stable storage counts, and the next start finds out what that is. */
_noreturn_ static void on_fatal(const char *what, int error) {
        log_event(LOG_CRIT, EVENT_DISK_FAILED, NULL,
                  "%s: %s; aborting, since nothing can be stored safely.", what,
                  strerror(abs(error)));
        abort();
}

int program_start(const Program *program, int argc, char *argv[], ProgramArguments *ret) {
        const char *bus_address = getenv("DKV_BUS");
        ProgramArguments arguments = {
                .bus_address = bus_address && *bus_address ? bus_address : "system",
        };
        int r;

        assert(program);
        assert(ret);

        fatal_set_handler(on_fatal);
        r = parse(program, argc, argv, &arguments);
        if (r > 0)
                *ret = arguments;
        return r;
}

static void on_report(
                int level, const char *file, unsigned line, const char *message, void *userdata) {
        (void) log_full_errno(level, 0, "%s:%u: %s", file, line, message);
}

int program_load(
                const ProgramArguments *arguments,
                const char *path,
                const ConfItem items[],
                void *conf) {
        int r;

        r = conf_init(items, conf);
        if (r < 0)
                return log_error_errno(r, "Failed to set defaults: %m");
        r = conf_load(items, path, conf, on_report, NULL);
        if (r < 0)
                return log_error_errno(r, "Failed to load '%s': %m", path);

        for (const char *const *set = arguments->set; *set; set++) {
                _cleanup_free_ char *reason = NULL;

                r = conf_set_assignment(items, conf, *set, "--set");
                if (r >= 0)
                        continue;
                reason = conf_explain(items, *set, r);
                return log_error_errno(r, "--set=%s: %s.", *set, reason ?: strerror(-r));
        }

        return 0;
}

static void on_difference(const ConfItem *item, const char *value, void *userdata) {
        const char *unit = userdata;

        if (item->live)
                log_notice("%s= is '%s' from now on.", item->name, value);
        else
                log_warning("%s= changed to '%s'; this needs a restart (systemctl restart %s).",
                            item->name, value, unit);
}

void program_apply(const ConfItem items[], void *conf, void *fresh, const char *unit) {
        conf_apply(items, conf, fresh, on_difference, (void *) unit);
}

int program_exit(int status) {
        if (fflush(stdout) == 0 && !ferror(stdout))
                return status;

        (void) log_error_errno(-errno, "Failed to print: %m");
        return EXIT_FAILURE;
}
