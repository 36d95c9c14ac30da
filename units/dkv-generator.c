/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* dkv-generator: tells systemd what dkv's units cannot know by themselves: on which port each
 * socket listens, and which directory elsewhere a service needs. systemd runs it at boot and with
 * each daemon-reload, before it loads any unit.
 *
 * It reads the settings as the daemons do. Of a file with errors it takes nothing: the daemon then
 * starts with the socket of the defaults, and says itself what is wrong. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "core/cluster.h"
#include "master/conf.h"
#include "volume/conf.h"

/* So many volumes can be started without a file of their own. */
#define VOLUMES_UNCONFIGURED 64

#define NO_SETTINGS "/dev/null"

typedef struct Generator {
        const char *config; /* the directory of the settings */
        const char *output; /* the directory of what is generated */
} Generator;

/* Values come from files of the administrator's: they do not contain newlines. */
static void put_escaped(const char *value, FILE *file) {
        for (; *value != '\0'; value++) {
                if (*value == '%')
                        (void) putc('%', file);
                (void) putc(*value, file);
        }
}

/* Opens OUTPUT/UNIT.d/50-dkv.conf. Returns NULL, and errno set, on failure. */
static FILE *open_drop_in(const Generator *generator, const char *unit, char **ret_path) {
        _cleanup_free_ char *directory = NULL;
        int r;

        *ret_path = NULL;
        if (asprintf(&directory, "%s/%s.d", generator->output, unit) < 0) {
                directory = NULL;
                return NULL;
        }
        if (asprintf(ret_path, "%s/50-dkv.conf", directory) < 0) {
                *ret_path = NULL;
                return NULL;
        }

        r = make_directory(directory, 0755);
        if (r < 0) {
                errno = -r;
                return NULL;
        }

        return fopen(*ret_path, "we");
}

static void put_socket(const char *listen, FILE *file) {
        (void) fputs("# Made by dkv-generator from Listen=.\n"
                     "[Socket]\n"
                     "ListenStream=\n"
                     "ListenStream=",
                     file);
        put_escaped(listen, file);
        (void) putc('\n', file);
}

static bool is_below_home(const char *path) {
        return strncmp(path, "/home/", strlen("/home/")) == 0 ||
               strncmp(path, "/root/", strlen("/root/")) == 0;
}

static void put_service(const char *directory, FILE *file) {
        (void) fputs("# Made by dkv-generator from Directory=.\n"
                     "[Unit]\n"
                     "RequiresMountsFor=\"",
                     file);
        put_escaped(directory, file);
        (void) fputs("\"\n\n"
                     "[Service]\n"
                     "StateDirectory=\n"
                     "ReadWritePaths=\"",
                     file);
        put_escaped(directory, file);
        (void) fputs("\"\n", file);
        if (is_below_home(directory))
                (void) fputs("ProtectHome=read-only\n", file);
}

static int generate(
                const Generator *generator,
                const char *unit,
                void (*put)(const char *value, FILE *file),
                const char *value) {
        _cleanup_free_ char *path = NULL;
        bool failed;
        FILE *file;

        file = open_drop_in(generator, unit, &path);
        if (!file)
                return log_error_errno(-errno, "Failed to write '%s': %m", path ?: unit);

        put(value, file);
        failed = ferror(file);
        if (fclose(file) != 0 || failed)
                return log_error_errno(-EIO, "Failed to write '%s'", path);
        return 0;
}

/* What the service needs if DIRECTORY is not the one that systemd makes. */
static int generate_directory(
                const Generator *generator,
                const char *unit,
                const char *directory,
                const char *initial) {
        if (strcmp(directory, initial) == 0)
                return 0;

        /* systemd has no way to write all of these everywhere. */
        if (*directory != '/' || strpbrk(directory, "\"\\")) {
                log_error("Directory=%s cannot be given to %s: not an absolute path, or it has quotes in it.",
                          directory, unit);
                return 0;
        }

        return generate(generator, unit, put_service, directory);
}

static int generate_master(const Generator *generator) {
        MasterConf conf = {}, initial = {};
        _cleanup_free_ char *path = NULL;
        int r;

        if (asprintf(&path, "%s/master.conf", generator->config) < 0) {
                path = NULL;
                return log_error_errno(-ENOMEM, "Failed to name a file: %m");
        }

        r = master_conf_load(&initial, &(ProgramArguments){ .config = NO_SETTINGS });
        if (r >= 0 && master_conf_load(&conf, &(ProgramArguments){ .config = path }) >= 0) {
                r = generate(generator, "dkv-master.socket", put_socket, conf.endpoint.listen);
                if (r >= 0)
                        r = generate_directory(
                                        generator, "dkv-master.service", conf.directory,
                                        initial.directory);
        }

        conf_done(master_conf_items, &conf);
        conf_done(master_conf_items, &initial);
        return r;
}

static int generate_volume(const Generator *generator, uint64_t number) {
        char socket[sizeof("dkv-volume@.socket") + 20], service[sizeof("dkv-volume@.service") + 20];
        VolumeConf conf = {}, initial = {}, *chosen = &conf;
        _cleanup_free_ char *path = NULL;
        int r;

        (void) snprintf(socket, sizeof(socket), "dkv-volume@%" PRIu64 ".socket", number);
        (void) snprintf(service, sizeof(service), "dkv-volume@%" PRIu64 ".service", number);
        if (asprintf(&path, "%s/volume@%" PRIu64 ".conf", generator->config, number) < 0) {
                path = NULL;
                return log_error_errno(-ENOMEM, "Failed to name a file: %m");
        }

        r = volume_conf_load(
                        &initial, &(ProgramArguments){ .config = NO_SETTINGS, .number = number });
        if (r >= 0) {
                if (volume_conf_load(
                                    &conf,
                                    &(ProgramArguments){ .config = path, .number = number }) < 0)
                        chosen = &initial;
                r = generate(generator, socket, put_socket, chosen->endpoint.listen);
        }
        if (r >= 0)
                r = generate_directory(generator, service, chosen->directory, initial.directory);

        conf_done(volume_conf_items, &conf);
        conf_done(volume_conf_items, &initial);
        return r;
}

/* The N of volume@N.conf and volume@N.conf.d, or 0. */
static uint64_t volume_of_file(const char *name) {
        static const char prefix[] = "volume@";
        char digits[sizeof("18446744073709551615")];
        uint64_t number;
        size_t n;

        if (strncmp(name, prefix, strlen(prefix)) != 0)
                return 0;

        name += strlen(prefix);
        n = strcspn(name, ".");
        if (n >= sizeof(digits) ||
            (strcmp(name + n, ".conf") != 0 && strcmp(name + n, ".conf.d") != 0))
                return 0;

        memcpy(digits, name, n);
        digits[n] = '\0';
        return parse_u64(digits, VOLUME_MAX, &number) < 0 ? 0 : number;
}

static int generate_volumes(const Generator *generator) {
        const struct dirent *entry;
        DIR *directory;
        int r = 0;

        for (uint64_t number = 1; number <= VOLUMES_UNCONFIGURED && r >= 0; number++)
                r = generate_volume(generator, number);
        if (r < 0)
                return r;

        directory = opendir(generator->config);
        if (!directory) {
                if (errno == ENOENT)
                        return 0;
                return log_error_errno(-errno, "Failed to read '%s': %m", generator->config);
        }

        while (r >= 0 && (entry = readdir(directory)))
                if (volume_of_file(entry->d_name) > VOLUMES_UNCONFIGURED)
                        r = generate_volume(generator, volume_of_file(entry->d_name));

        (void) closedir(directory);
        return r;
}

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
                    "  --help              Print this\n"
                    "  --version           Print the version");
}

/* Returns 1 to go on, 0 if all is done, or a negative errno. */
static int parse_arguments(int argc, char *argv[], Generator *ret) {
        enum { OPTION_CONFIG = 256, OPTION_HELP, OPTION_VERSION };
        static const struct option options[] = {
                { "config", required_argument, NULL, OPTION_CONFIG },
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
        Generator generator = { .config = "/etc/dkv" };
        int r;

        /* Only systemd sets this, and only for generators. */
        if (getenv("SYSTEMD_SCOPE"))
                log_to_kernel();

        r = parse_arguments(argc, argv, &generator);
        if (r <= 0)
                return r < 0 ? 2 : EXIT_SUCCESS;

        r = generate_master(&generator);
        if (r >= 0)
                r = generate_volumes(&generator);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
