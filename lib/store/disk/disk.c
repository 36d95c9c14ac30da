/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/fatal.h"
#include "store/disk/disk.h"

static atomic_bool was_full;

static _Thread_local char last_damage[PATH_MAX + 64];

bool disk_is_database(const char *name) {
        const char *suffix = strrchr(name, '.');

        return suffix && strcmp(suffix, DATABASE_SUFFIX) == 0;
}

void disk_path_of(int fd, char *ret, size_t size) {
        char link[sizeof("/proc/self/fd/") + DECIMAL_SIZE(int)];
        ssize_t n;

        (void) snprintf(link, sizeof(link), "/proc/self/fd/%i", fd);
        n = readlink(link, ret, size - 1);
        ret[MAX(n, (ssize_t) 0)] = '\0';
}

void disk_fatal(const char *what, int fd, int error) {
        char path[PATH_MAX], sentence[PATH_MAX + 64];

        disk_path_of(fd, path, sizeof(path));
        (void) snprintf(sentence, sizeof(sentence), "Failed to %s '%s'", what, path);
        fatal(sentence, error);
}

void disk_flush(int fd) {
        while (fdatasync(fd) < 0)
                if (errno != EINTR)
                        disk_fatal("flush", fd, errno);
}

const char *disk_last_damage(void) {
        return last_damage;
}

void disk_note_damage(const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        (void) vsnprintf(last_damage, sizeof(last_damage), format, arguments);
        va_end(arguments);
}

void disk_note_full(void) {
        atomic_store(&was_full, true);
}

bool disk_was_full(void) {
        return atomic_load(&was_full);
}
