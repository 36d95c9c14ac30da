/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Machine: directories for what a generator reads and makes, and their files. Include after
 * "test.h". */

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "scratch.h"
#include "test.h"

typedef struct Machine {
        char *directory;
        char config[256], units[256], runtime[256], output[256];
        char text[4096]; /* of the file that was read last */
} Machine;

static inline void machine_directory(const Machine *machine, const char *name, char *ret) {
        (void) snprintf(ret, 256, "%.200s/%s", machine->directory, name);
        assert_ok(make_directory(ret, 0755));
}

static inline int machine_setup(void **state) {
        Machine *machine = calloc(1, sizeof(*machine));

        machine->directory = scratch_new();
        machine_directory(machine, "etc", machine->config);
        machine_directory(machine, "units", machine->units);
        machine_directory(machine, "run", machine->runtime);
        machine_directory(machine, "out", machine->output);
        *state = machine;
        return 0;
}

static inline int machine_teardown(void **state) {
        Machine *machine = *state;
        char command[512];

        (void) snprintf(command, sizeof(command), "rm -rf '%s'/*", machine->directory);
        assert_int_equal(system(command), 0); /* deeper than scratch_free() goes */
        scratch_free(machine->directory);
        free(machine);
        return 0;
}

static inline void machine_write(const char *directory, const char *name, const char *text) {
        char path[1024];
        FILE *file;

        (void) snprintf(path, sizeof(path), "%s/%s", directory, name);
        file = fopen(path, "we");
        assert_non_null(file);
        assert_true(fputs(text, file) >= 0);
        assert_int_equal(fclose(file), 0);
}

static inline void machine_enable(
                const char *units, const char *unit, const char *kind, const char *by) {
        char directory[512], path[1024];

        (void) snprintf(directory, sizeof(directory), "%s/%s.%s", units, by, kind);
        assert_ok(make_directory(directory, 0755));
        (void) snprintf(path, sizeof(path), "%s/%s", directory, unit);
        assert_ok(symlink("/usr/lib/systemd/system/any", path));
}

/* What there is in a file of the output; NULL if there is none. */
static inline const char *machine_read(Machine *machine, const char *name) {
        char path[512];
        size_t n;
        FILE *file;

        (void) snprintf(path, sizeof(path), "%s/%s", machine->output, name);
        file = fopen(path, "re");
        if (!file)
                return NULL;
        n = fread(machine->text, 1, sizeof(machine->text) - 1, file);
        machine->text[n] = '\0';
        (void) fclose(file);
        return machine->text;
}

/* Whether a link is there, wherever it leads. */
static inline bool machine_links(const Machine *machine, const char *name) {
        char path[512];
        struct stat st;

        (void) snprintf(path, sizeof(path), "%s/%s", machine->output, name);
        return lstat(path, &st) >= 0 && S_ISLNK(st.st_mode);
}
