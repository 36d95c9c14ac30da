/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "core/placement/cluster.h"
#include "generator/drop-in.h"
#include "generator/generator.h"
#include "master/conf.h"
#include "volume/conf.h"

#define NO_SETTINGS "/dev/null"

typedef struct Generator {
        GeneratorOptions options;

        /* The volumes that there are on this machine, in the order in which they were found. */
        struct {
                uint32_t number;
                bool enabled;
        } * volumes; /* owned */
        size_t n_volumes;
        bool target_enabled; /* dkv.target is */
} Generator;

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

        /* systemd does not accept these in all the places where they are needed. */
        if (*directory != '/' || strpbrk(directory, "\"\\")) {
                log_error("Directory=%s cannot be given to %s: not an absolute path, or it has quotes in it.",
                          directory, unit);
                return 0;
        }

        r = drop_in_service(generator->options.output, unit, directory);
        return r < 0 ? r : 1;
}

static int generate_master(const Generator *generator) {
        const char *output = generator->options.output;
        MasterConf conf = {}, initial = {};
        _cleanup_free_ char *path = NULL;
        int r;

        if (asprintf(&path, "%s/master.conf", generator->options.config) < 0) {
                path = NULL;
                return log_error_errno(-ENOMEM, "Failed to name a file: %m");
        }

        r = master_conf_load(&initial, &(ProgramArguments){ .config = NO_SETTINGS });
        if (r >= 0 && master_conf_load(&conf, &(ProgramArguments){ .config = path }) >= 0) {
                r = drop_in_socket(output, "dkv-master.socket", conf.endpoint.listen);
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
        const char *output = generator->options.output;
        char socket[sizeof("dkv-volume@.socket") + 20], service[sizeof("dkv-volume@.service") + 20];
        VolumeConf conf = {}, initial = {}, *chosen = &conf;
        _cleanup_free_ char *path = NULL;
        int r;

        (void) snprintf(socket, sizeof(socket), "dkv-volume@%" PRIu32 ".socket", number);
        (void) snprintf(service, sizeof(service), "dkv-volume@%" PRIu32 ".service", number);
        if (asprintf(&path, "%s/volume@%" PRIu32 ".conf", generator->options.config, number) < 0) {
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
                r = drop_in_socket(output, socket, chosen->endpoint.listen);
        }
        if (r >= 0)
                r = generate_directory(generator, service, chosen->directory, initial.directory);
        if (r > 0 && enabled)
                r = drop_in_wants(output, service, chosen->directory);

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

        r = for_each_name(generator, generator->options.config, on_settings);
        for (size_t i = 0; i < ELEMENTSOF(generator->options.units) && r >= 0; i++)
                if (generator->options.units[i])
                        r = for_each_name(generator, generator->options.units[i], on_wants);

        for (size_t i = 0; i < generator->n_volumes && r >= 0; i++)
                r = generate_volume(
                                generator, generator->volumes[i].number,
                                generator->target_enabled && generator->volumes[i].enabled);
        return r;
}

int generator_run(const GeneratorOptions *options) {
        Generator generator = { .options = *options };
        int r;

        r = generate_master(&generator);
        if (r >= 0)
                r = generate_volumes(&generator);
        free(generator.volumes);
        return r;
}
