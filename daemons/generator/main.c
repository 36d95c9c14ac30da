/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* dkv-generator: makes drop-ins for dkv's units from its settings. systemd runs it at boot and with
 * each daemon-reload, before it loads any unit. */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "daemon/program.h"
#include "generator/generator.h"

/* Where "systemctl enable" notes what is to be started: for good, and for this boot. */
#define UNITS_ENABLED "/etc/systemd/system"
#define UNITS_RUNTIME "/run/systemd/system"

/* systemd gives its generators no stderr, and the journal may not be there yet. */
static void log_to_kernel(void) {
        _cleanup_close_ int fd = -1;

        fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NOCTTY);
        if (fd >= 0)
                (void) dup2(fd, STDERR_FILENO); /* otherwise the messages are lost */
}

static void help(void) {
        (void) puts("Usage: dkv-generator [OPTIONS…] NORMAL [EARLY LATE]\n\n"
                    "Makes drop-ins for dkv's units from its settings, in the directory NORMAL. Started by\n"
                    "systemd; see systemd.generator(7).\n\n"
                    "  --config=DIRECTORY  Where the settings are (default /etc/dkv)\n"
                    "  --units=DIRECTORY   Where it is noted what is enabled (default /etc/systemd/system and\n"
                    "                      /run/systemd/system)\n"
                    "  --help              Print this\n"
                    "  --version           Print the version");
}

/* Returns 1 to go on, 0 if all is done, or a negative errno. */
static int parse_arguments(int argc, char *argv[], GeneratorOptions *ret) {
        enum { OPTION_CONFIG = 256, OPTION_UNITS, OPTION_HELP, OPTION_VERSION };
        static const struct option table[] = {
                { "config", required_argument, NULL, OPTION_CONFIG },
                { "units", required_argument, NULL, OPTION_UNITS },
                { "help", no_argument, NULL, OPTION_HELP },
                { "version", no_argument, NULL, OPTION_VERSION },
                {},
        };
        int option;

        while ((option = getopt_long(argc, argv, "", table, NULL)) >= 0)
                switch (option) {
                case OPTION_CONFIG:
                        ret->config = optarg;
                        break;
                case OPTION_UNITS:
                        ret->units[0] = optarg;
                        ret->units[1] = NULL;
                        break;
                case OPTION_HELP:
                        help();
                        return 0;
                case OPTION_VERSION:
                        (void) puts("dkv-generator " DKV_VERSION);
                        return 0;
                default:
                        return -EINVAL;
                }

        if (argc - optind != 1 && argc - optind != 3)
                return log_error_errno(-EINVAL, "One or three arguments are needed.");
        ret->output = argv[optind];
        return 1;
}

int main(int argc, char *argv[]) {
        GeneratorOptions options = {
                .config = "/etc/dkv",
                .units = { UNITS_ENABLED, UNITS_RUNTIME },
        };
        int r;

        /* Only systemd sets this, and only for generators. */
        if (getenv("SYSTEMD_SCOPE"))
                log_to_kernel();

        r = parse_arguments(argc, argv, &options);
        if (r <= 0)
                return r < 0 ? 2 : program_exit(EXIT_SUCCESS);
        return generator_run(&options) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
