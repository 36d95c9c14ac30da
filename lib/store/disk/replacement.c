/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "store/disk/db-hooks.h"
#include "store/disk/disk.h"
#include "store/disk/double-write.h"
#include "store/disk/members.h"
#include "store/disk/page-file.h"
#include "store/disk/replacement.h"
#include "store/format/log-mark.h"

/* What it is called after it counts, and after all of the old one is gone. */
#define COMMITTED "replacement"
#define MOVING    "replacement-moves"

static DIR *closedir_null(DIR *dir) {
        if (dir)
                (void) closedir(dir);
        return NULL;
}

DEFINE_CLEANUP(DIR *, closedir_null);

static int open_directory(int dir_fd, const char *name) {
        int fd;

        fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

/* Calls function() for each name in the directory until it returns a negative errno. */
static int
for_each(int dir_fd, int (*function)(int dir_fd, const char *name, int other_fd), int other_fd) {
        _cleanup_(closedir_nullp) DIR *dir = NULL;
        int fd;

        fd = open_directory(dir_fd, ".");
        if (fd < 0)
                return fd;
        dir = fdopendir(fd);
        if (!dir) {
                closep(&fd);
                return -errno;
        }

        for (;;) {
                const struct dirent *entry;
                int r = 0;

                errno = 0;
                entry = readdir(dir);
                if (!entry)
                        return -errno;
                if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
                        r = function(dir_fd, entry->d_name, other_fd);
                if (r < 0)
                        return r;
        }
}

static int flush_directory(int dir_fd) {
        return fsync(dir_fd) < 0 ? -errno : 0;
}

static int remove_one(int dir_fd, const char *name, int unused) {
        return unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

/* Removes a directory that has only files in it. */
static int remove_directory(int dir_fd, const char *name) {
        _cleanup_close_ int fd = -1;
        int r;

        fd = open_directory(dir_fd, name);
        if (fd < 0)
                return fd == -ENOENT ? 0 : fd;

        r = for_each(fd, remove_one, -1);
        if (r < 0)
                return r;
        return unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

/* Whether an environment has something by this name, besides its lock and the list of its members.
 */
static bool is_of_environment(const char *name) {
        const char *suffix = strrchr(name, '.');

        return strncmp(name, "log.", strlen("log.")) == 0 || disk_is_database(name) ||
               (suffix && strcmp(suffix, MIRROR_SUFFIX) == 0) || strcmp(name, SPARE_LOG) == 0 ||
               strcmp(name, LOG_MARK_FILE) == 0 || strcmp(name, DOUBLE_WRITE_FILE) == 0;
}

static int remove_old(int dir_fd, const char *name, int unused) {
        return is_of_environment(name) ? remove_one(dir_fd, name, unused) : 0;
}

static int move_file(int from_fd, const char *name, int to_fd) {
        if (!is_of_environment(name) && strcmp(name, MEMBERS_FILE) != 0)
                return 0;
        return renameat(from_fd, name, to_fd, name) < 0 ? -errno : 0;
}

/* Each step is on the disk before the next one counts on it. */
static int clear_place(int dir_fd) {
        int r;

        r = for_each(dir_fd, remove_old, -1);
        if (r >= 0)
                r = flush_directory(dir_fd);
        if (r < 0)
                return r;

        if (renameat(dir_fd, COMMITTED, dir_fd, MOVING) < 0)
                return -errno;
        return flush_directory(dir_fd);
}

static int move_all(int dir_fd, int from_fd) {
        int r;

        r = for_each(from_fd, move_file, dir_fd);
        if (r >= 0)
                r = flush_directory(dir_fd);
        return r < 0 ? r : remove_directory(dir_fd, MOVING);
}

/* Does what is left of a replacement that counts. */
static int finish(int dir_fd) {
        _cleanup_close_ int from_fd = -1;
        int r;

        if (faccessat(dir_fd, COMMITTED, F_OK, 0) >= 0) {
                r = clear_place(dir_fd);
                if (r < 0)
                        return r;
        }

        from_fd = open_directory(dir_fd, MOVING);
        if (from_fd < 0)
                return from_fd == -ENOENT ? 0 : from_fd;
        return move_all(dir_fd, from_fd);
}

static int flush_one(int dir_fd, const char *name, int unused) {
        _cleanup_close_ int fd = -1;

        fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        return fdatasync(fd) < 0 ? -errno : 0;
}

static int flush_all(int dir_fd, const char *name) {
        _cleanup_close_ int fd = -1;
        int r;

        fd = open_directory(dir_fd, name);
        if (fd < 0)
                return fd;
        r = for_each(fd, flush_one, -1);
        return r < 0 ? r : flush_directory(fd);
}

int replacement_install(int dir_fd) {
        int r;

        r = finish(dir_fd); /* of one before */
        if (r >= 0)
                r = flush_all(dir_fd, REPLACEMENT_DIRECTORY);
        if (r < 0)
                return r;

        if (renameat(dir_fd, REPLACEMENT_DIRECTORY, dir_fd, COMMITTED) < 0)
                return -errno;
        r = flush_directory(dir_fd);
        return r < 0 ? r : finish(dir_fd);
}

bool replacement_is_pending(int dir_fd) {
        return faccessat(dir_fd, COMMITTED, F_OK, 0) >= 0 ||
               faccessat(dir_fd, MOVING, F_OK, 0) >= 0;
}

int replacement_complete(int dir_fd) {
        int r;

        r = replacement_discard(dir_fd);
        return r < 0 ? r : finish(dir_fd);
}

int replacement_begin(int dir_fd) {
        _cleanup_close_ int fd = -1;
        int r;

        r = replacement_discard(dir_fd);
        if (r < 0)
                return r;

        if (mkdirat(dir_fd, REPLACEMENT_DIRECTORY, 0750) < 0)
                return -errno;
        fd = open_directory(dir_fd, REPLACEMENT_DIRECTORY);
        if (fd < 0)
                return fd;

        r = members_begin_load(fd);
        return r < 0 ? r : TAKE_FD(fd);
}

int replacement_discard(int dir_fd) {
        return remove_directory(dir_fd, REPLACEMENT_DIRECTORY);
}
