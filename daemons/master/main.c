/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* dkv-master: knows where every key is and who the volumes are. */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/event-ids.h"
#include "base/log.h"
#include "master.h"

#define SET_MAX 64

typedef struct Arguments {
        const char *config;
        char *set[SET_MAX + 1];
        size_t n_set;
} Arguments;

static void help(void) {
        (void) puts("Usage: dkv-master [OPTIONS…]\n\n"
                    "Knows where every key of a dkv cluster is and serves it over HTTP.\n\n"
                    "  --config=FILE      Settings (default /etc/dkv/master.conf)\n"
                    "  --set=NAME=VALUE   Override one setting; may be repeated\n"
                    "  --print-settings   Print all settings with their defaults as a commented file\n"
                    "  --help             Print this\n"
                    "  --version          Print the version");
}

/* Returns 1 to go on, 0 if all is done, or a negative errno. */
static int parse_arguments(int argc, char *argv[], Arguments *ret) {
        enum { OPTION_CONFIG = 256, OPTION_SET, OPTION_PRINT, OPTION_HELP, OPTION_VERSION };
        static const struct option options[] = {
                { "config", required_argument, NULL, OPTION_CONFIG },
                { "set", required_argument, NULL, OPTION_SET },
                { "print-settings", no_argument, NULL, OPTION_PRINT },
                { "help", no_argument, NULL, OPTION_HELP },
                { "version", no_argument, NULL, OPTION_VERSION },
                {},
        };
        int option;

        while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (option) {
                case OPTION_CONFIG:
                        ret->config = optarg;
                        break;
                case OPTION_SET:
                        if (ret->n_set == SET_MAX)
                                return log_error_errno(
                                                -EINVAL, "More than %i --set= options", SET_MAX);
                        ret->set[ret->n_set++] = optarg;
                        break;
                case OPTION_PRINT:
                        conf_print_template(master_conf_items, "dkv-master");
                        return 0;
                case OPTION_HELP:
                        help();
                        return 0;
                case OPTION_VERSION:
                        (void) puts("dkv-master " DKV_VERSION);
                        return 0;
                default:
                        return -EINVAL;
                }

        if (optind < argc)
                return log_error_errno(-EINVAL, "Unexpected argument '%s'", argv[optind]);
        return 1;
}

/* The disk failed: what is on stable storage is all there is, and the next start finds out what
 * that is. */
static void on_fatal(const char *what, int error) {
        log_event(LOG_CRIT, EVENT_DISK_FAILED, NULL,
                  "%s: %s; aborting, since nothing can be stored safely.", what,
                  strerror(abs(error)));
        abort();
}

int main(int argc, char *argv[]) {
        _cleanup_(master_freep) Master *master = NULL;
        Arguments arguments = {};
        MasterConf conf = {};
        int r;

        r = parse_arguments(argc, argv, &arguments);
        if (r <= 0)
                return r < 0 ? 2 : EXIT_SUCCESS;

        environment_set_fatal(on_fatal);
        r = master_conf_load(&conf, arguments.config, arguments.set);
        if (r >= 0)
                r = master_new(&conf, &master);
        if (r >= 0)
                r = master_run(master);
        conf_done(master_conf_items, &conf);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
