/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* dkv-generator: tells systemd what dkv's units cannot know by themselves: on which port each
 * socket listens, which directory elsewhere a service needs, and that a disk which is mounted late
 * starts its volume. systemd runs it at boot and with each daemon-reload, before it loads any unit.
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
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "core/placement/cluster.h"
#include "master/conf.h"
#include "volume/conf.h"

#define NO_SETTINGS "/dev/null"

/* Where "systemctl enable" notes what is to be started: for good, and for this boot. */
#define UNITS_ENABLED "/etc/systemd/system"
#define UNITS_RUNTIME "/run/systemd/system"

typedef struct Generator {
        const char *config;   /* the directory of the settings */
        const char *units[2]; /* the directories of links to what is enabled; NULL for none */
        const char *output;   /* the directory of what is generated */

        /* The volumes that there are on this machine, in the order in which they were found. */
        struct {
                uint32_t number;
                bool enabled;
        } * volumes; /* owned */
        size_t n_volumes;
        bool target_enabled; /* dkv.target is */
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
                     "ReadWritePaths=\"-", /* if it is missing, the daemon says so, in better words
                                            */
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

/* As systemd names the unit of a mount point: "/srv/disk-2" is srv-disk\\x2d2. Returns NULL without
 * memory. PATH is absolute and SIZE bytes of it count. */
static char *escape_path(const char *path, size_t size) {
        static const char plain[] =
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:_.";
        char *escaped = malloc(4 * size + 1), *to = escaped;

        if (!escaped)
                return NULL;

        for (const char *p = path; p < path + size; p++) {
                bool is_first = to == escaped;

                if (*p == '/') {
                        if (!is_first && p + 1 < path + size && p[1] != '/')
                                *to++ = '-';
                } else if (strchr(plain, *p) && !(is_first && *p == '.'))
                        *to++ = *p;
                else
                        to += sprintf(to, "\\x%02x", (unsigned char) *p);
        }
        *to = '\0';
        return escaped;
}

/* Whichever of its parents is the mount point: when that is mounted, UNIT is started. */
static int generate_wish(
                const Generator *generator, const char *unit, const char *path, size_t size) {
        _cleanup_free_ char *name = escape_path(path, size), *directory = NULL, *link = NULL;
        int r;

        if (!name)
                return log_error_errno(-ENOMEM, "Failed to name a mount: %m");
        if (asprintf(&directory, "%s/%s.mount.wants", generator->output, name) < 0) {
                directory = NULL;
                return log_error_errno(-ENOMEM, "Failed to name a mount: %m");
        }
        if (asprintf(&link, "%s/%s", directory, unit) < 0) {
                link = NULL;
                return log_error_errno(-ENOMEM, "Failed to name a mount: %m");
        }

        r = make_directory(directory, 0755);
        if (r < 0)
                return log_error_errno(r, "Failed to make '%s': %m", directory);
        if (symlink("/usr/lib/systemd/system/dkv-volume@.service", link) < 0 && errno != EEXIST)
                return log_error_errno(-errno, "Failed to make '%s': %m", link);
        return 0;
}

/* A disk that is not there at boot makes its volume fail, and may be mounted by hand later. */
static int generate_wishes(const Generator *generator, const char *unit, const char *directory) {
        int r = 0;

        for (const char *end = directory + 1; r >= 0 && *end; end += strspn(end, "/")) {
                end += strcspn(end, "/");
                r = generate_wish(generator, unit, directory, (size_t) (end - directory));
        }
        return r;
}

/* What the service needs if DIRECTORY is not the one that systemd makes. Returns 1 if it is, 0 if
 * nothing is needed or can be done, or a negative errno. */
static int generate_directory(
                const Generator *generator,
                const char *unit,
                const char *directory,
                const char *initial) {
        int r;

        if (strcmp(directory, initial) == 0)
                return 0;

        /* systemd has no way to write all of these everywhere. */
        if (*directory != '/' || strpbrk(directory, "\"\\")) {
                log_error("Directory=%s cannot be given to %s: not an absolute path, or it has quotes in it.",
                          directory, unit);
                return 0;
        }

        r = generate(generator, unit, put_service, directory);
        return r < 0 ? r : 1;
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

static int generate_volume(const Generator *generator, uint32_t number, bool enabled) {
        char socket[sizeof("dkv-volume@.socket") + 20], service[sizeof("dkv-volume@.service") + 20];
        VolumeConf conf = {}, initial = {}, *chosen = &conf;
        _cleanup_free_ char *path = NULL;
        int r;

        (void) snprintf(socket, sizeof(socket), "dkv-volume@%" PRIu32 ".socket", number);
        (void) snprintf(service, sizeof(service), "dkv-volume@%" PRIu32 ".service", number);
        if (asprintf(&path, "%s/volume@%" PRIu32 ".conf", generator->config, number) < 0) {
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
        if (r > 0 && enabled)
                r = generate_wishes(generator, service, chosen->directory);

        conf_done(volume_conf_items, &conf);
        conf_done(volume_conf_items, &initial);
        return r;
}

/* The N of a NAME that is PREFIX, N and one of two ends, or 0. */
static uint32_t number_in_name(const char *name, const char *prefix, const char *const ends[2]) {
        char digits[sizeof("18446744073709551615")];
        uint64_t number;
        size_t n;

        if (strncmp(name, prefix, strlen(prefix)) != 0)
                return 0;

        name += strlen(prefix);
        n = strcspn(name, ".");
        if (n >= sizeof(digits) || *name == '0' ||
            (strcmp(name + n, ends[0]) != 0 && strcmp(name + n, ends[1]) != 0))
                return 0;

        memcpy(digits, name, n);
        digits[n] = '\0';
        return parse_u64(digits, VOLUME_MAX, &number) < 0 ? 0 : (uint32_t) number;
}

static int note_volume(Generator *generator, uint32_t number, bool enabled) {
        void *volumes;
        size_t i = 0;

        while (i < generator->n_volumes && generator->volumes[i].number != number)
                i++;
        if (i == generator->n_volumes) {
                volumes = reallocarray(generator->volumes, i + 1, sizeof(*generator->volumes));
                if (!volumes)
                        return log_error_errno(-ENOMEM, "Failed to list the volumes: %m");
                generator->volumes = volumes;
                generator->volumes[i].number = number;
                generator->volumes[i].enabled = false;
                generator->n_volumes++;
        }

        generator->volumes[i].enabled |= enabled;
        return 0;
}

/* Reads the names in the directory PATH, which need not exist. */
static int for_each_name(
                Generator *generator,
                const char *path,
                int (*on_name)(Generator *generator, const char *directory, const char *name)) {
        const struct dirent *entry;
        DIR *directory;
        int r = 0;

        directory = opendir(path);
        if (!directory) {
                if (errno == ENOENT || errno == ENOTDIR)
                        return 0;
                return log_error_errno(-errno, "Failed to read '%s': %m", path);
        }

        while (r >= 0 && (entry = readdir(directory)))
                r = on_name(generator, path, entry->d_name);

        (void) closedir(directory);
        return r;
}

static int on_settings(Generator *generator, const char *directory, const char *name) {
        uint32_t number = number_in_name(name, "volume@", (const char *[]){ ".conf", ".conf.d" });

        return number > 0 ? note_volume(generator, number, false) : 0;
}

static int on_link(Generator *generator, const char *directory, const char *name) {
        uint32_t number = number_in_name(
                        name, "dkv-volume@", (const char *[]){ ".service", ".socket" });

        if (strcmp(name, "dkv.target") == 0)
                generator->target_enabled = true;
        return number > 0 ? note_volume(generator, number, true) : 0;
}

static int on_wants(Generator *generator, const char *directory, const char *name) {
        _cleanup_free_ char *path = NULL;
        const char *dot = strrchr(name, '.');

        if (!dot || (strcmp(dot, ".wants") != 0 && strcmp(dot, ".requires") != 0))
                return 0;
        if (asprintf(&path, "%s/%s", directory, name) < 0) {
                path = NULL;
                return log_error_errno(-ENOMEM, "Failed to name a directory: %m");
        }
        return for_each_name(generator, path, on_link);
}

static int generate_volumes(Generator *generator) {
        int r;

        r = for_each_name(generator, generator->config, on_settings);
        for (size_t i = 0; i < ELEMENTSOF(generator->units) && r >= 0; i++)
                if (generator->units[i])
                        r = for_each_name(generator, generator->units[i], on_wants);

        for (size_t i = 0; i < generator->n_volumes && r >= 0; i++)
                r = generate_volume(
                                generator, generator->volumes[i].number,
                                generator->target_enabled && generator->volumes[i].enabled);
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
                    "  --units=DIRECTORY   Where it is noted what is enabled (default /etc/systemd/system and\n"
                    "                      /run/systemd/system)\n"
                    "  --help              Print this\n"
                    "  --version           Print the version");
}

/* Returns 1 to go on, 0 if all is done, or a negative errno. */
static int parse_arguments(int argc, char *argv[], Generator *ret) {
        enum { OPTION_CONFIG = 256, OPTION_UNITS, OPTION_HELP, OPTION_VERSION };
        static const struct option options[] = {
                { "config", required_argument, NULL, OPTION_CONFIG },
                { "units", required_argument, NULL, OPTION_UNITS },
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
        Generator generator = {
                .config = "/etc/dkv",
                .units = { UNITS_ENABLED, UNITS_RUNTIME },
        };
        int r;

        /* Only systemd sets this, and only for generators. */
        if (getenv("SYSTEMD_SCOPE"))
                log_to_kernel();

        r = parse_arguments(argc, argv, &generator);
        if (r <= 0)
                return r < 0 ? 2 : program_exit(EXIT_SUCCESS);

        r = generate_master(&generator);
        if (r >= 0)
                r = generate_volumes(&generator);
        free(generator.volumes);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
