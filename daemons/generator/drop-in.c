/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "generator/drop-in.h"

/* The values come from the administrator's files: they contain no newlines. */
static void put_escaped(const char *value, FILE *file) {
        for (; *value != '\0'; value++) {
                if (*value == '%')
                        (void) putc('%', file);
                (void) putc(*value, file);
        }
}

/* Opens OUTPUT/UNIT.d/50-dkv.conf. Returns NULL, and errno set, on failure. */
static FILE *open_drop_in(const char *output, const char *unit, char **ret_path) {
        _cleanup_free_ char *directory = NULL;
        int r;

        *ret_path = NULL;
        if (asprintf(&directory, "%s/%s.d", output, unit) < 0) {
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

static int write_drop_in(
                const char *output,
                const char *unit,
                void (*put)(const char *value, FILE *file),
                const char *value) {
        _cleanup_free_ char *path = NULL;
        bool failed;
        FILE *file;

        file = open_drop_in(output, unit, &path);
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

/* When something is mounted at the first SIZE bytes of PATH, UNIT is started. */
static int write_wish(const char *output, const char *unit, const char *path, size_t size) {
        _cleanup_free_ char *name = escape_path(path, size), *directory = NULL, *link = NULL;
        int r;

        if (!name)
                return log_error_errno(-ENOMEM, "Failed to name a mount: %m");
        if (asprintf(&directory, "%s/%s.mount.wants", output, name) < 0) {
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

int drop_in_wants(const char *output, const char *unit, const char *directory) {
        int r = 0;

        for (const char *end = directory + 1; r >= 0 && *end; end += strspn(end, "/")) {
                end += strcspn(end, "/");
                r = write_wish(output, unit, directory, (size_t) (end - directory));
        }
        return r;
}

int drop_in_socket(const char *output, const char *unit, const char *listen) {
        return write_drop_in(output, unit, put_socket, listen);
}

int drop_in_service(const char *output, const char *unit, const char *directory) {
        return write_drop_in(output, unit, put_service, directory);
}
