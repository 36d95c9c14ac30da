/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "store/disk/disk.h"
#include "store/disk/members.h"
#include "store/format/log-mark.h"

#define MEMBERS_MAX (64 * KIB)

#define HEAD \
        "# dkv store 1: what belongs to it. It is not opened while something of this is missing.\n"
#define UNFINISHED HEAD "# It is being made.\n"
#define LOADING    HEAD "# It is being loaded, and is no store before it is complete.\n"

static _Thread_local char missing[NAME_MAX + 1];

const char *members_missing(void) {
        return missing;
}

int members_note_missing(const char *name) {
        (void) snprintf(missing, sizeof(missing), "%s", name);
        return -ENOMEDIUM;
}

static int check_name(int dir_fd, const char *name) {
        if (faccessat(dir_fd, name, F_OK, 0) >= 0)
                return 0;
        return errno == ENOENT ? members_note_missing(name) : -errno;
}

static bool is_log(const char *name) {
        return strncmp(name, "log.", strlen("log.")) == 0;
}

/* Whether a store has something by this name. */
static bool is_of_store(const char *name) {
        size_t n = strlen(name), suffix = strlen(DATABASE_SUFFIX);

        return is_log(name) || strcmp(name, LOG_MARK_FILE) == 0 || strcmp(name, "objects") == 0 ||
               (n > suffix && strcmp(name + n - suffix, DATABASE_SUFFIX) == 0);
}

/* Returns 1 if the directory has anything that IS_SUCH, 0, or a negative errno. */
static int has_any(int dir_fd, bool (*is_such)(const char *name)) {
        struct dirent *entry;
        bool found = false;
        DIR *dir;
        int fd;

        fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        dir = fdopendir(fd);
        if (!dir) {
                closep(&fd);
                return -errno;
        }

        errno = 0;
        while (!found && (entry = readdir(dir)))
                found = is_such(entry->d_name);
        fd = found ? 1 : -errno;
        (void) closedir(dir);
        return fd;
}

static int check_without_list(int dir_fd, const char *const required[]) {
        int r;

        r = has_any(dir_fd, is_of_store);
        if (r < 0)
                return r;
        if (r == 0) {
                r = write_file(dir_fd, MEMBERS_FILE, UNFINISHED, strlen(UNFINISHED), 0640);
                return r < 0 ? r : 1;
        }

        for (size_t i = 0; required && required[i]; i++) {
                r = check_name(dir_fd, required[i]);
                if (r < 0)
                        return r;
        }

        /* What is in the databases is worth nothing without any log. */
        r = has_any(dir_fd, is_log);
        return r == 0 ? members_note_missing("log.*") : MIN(r, 0);
}

static int check_list(int dir_fd, char *text) {
        char *line, *rest = text;
        int r;

        if (strncmp(text, HEAD, strlen(HEAD)) != 0) {
                disk_note_damage("the list '" MEMBERS_FILE "'");
                return -EBADMSG;
        }

        while ((line = strsep(&rest, "\n"))) {
                if (*line == '\0' || *line == '#')
                        continue;
                r = check_name(dir_fd, line);
                if (r < 0)
                        return r;
        }
        return 0;
}

int members_begin_load(int dir_fd) {
        return write_file(dir_fd, MEMBERS_FILE, LOADING, strlen(LOADING), 0640);
}

int members_check(int dir_fd, const char *const required[]) {
        _cleanup_free_ char *text = NULL;
        int r;

        r = read_file(dir_fd, MEMBERS_FILE, MEMBERS_MAX, &text, NULL);
        if (r == -ENOENT)
                return check_without_list(dir_fd, required);
        if (r < 0)
                return r;
        if (strcmp(text, UNFINISHED) == 0)
                return 1;
        if (strcmp(text, LOADING) == 0)
                return -EINPROGRESS;
        return check_list(dir_fd, text);
}

int members_write(int dir_fd, const char *const names[], size_t n) {
        _cleanup_(buffer_done) Buffer list = {};
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        int r;

        buffer_put(&list, HEAD, strlen(HEAD));
        for (size_t i = 0; i < n; i++) {
                buffer_put(&list, names[i], strlen(names[i]));
                buffer_put_u8(&list, '\n');
        }
        r = buffer_error(&list);
        if (r < 0)
                return r;

        r = read_file(dir_fd, MEMBERS_FILE, MEMBERS_MAX, &text, &size);
        if (r >= 0 && size == list.size && memcmp(text, list.data, size) == 0)
                return 0;

        /* The names first: the list must not be there without them. */
        if (fsync(dir_fd) < 0)
                return -errno;
        return write_file(dir_fd, MEMBERS_FILE, list.data, list.size, 0640);
}
