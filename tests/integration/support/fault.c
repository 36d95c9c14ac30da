/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A disk that fails when it is told to: preloaded into a daemon, makes the call that the file
 * $DKV_FAULT names fail with EIO from then on: "sync", "read", or "values", which is a read of a
 * value that has a file of its own. Reads of the log succeed: a change that fails reads it to undo
 * what it has done, and the daemon ends if it cannot. Only the data directory is meant: the file
 * with the name is somewhere else and is opened here. */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_in(int fd, const char *part) {
        char link[32], path[PATH_MAX];
        ssize_t n;

        (void) snprintf(link, sizeof(link), "/proc/self/fd/%i", fd);
        n = readlink(link, path, sizeof(path) - 1);
        path[n > 0 ? n : 0] = '\0';
        return strstr(path, part);
}

static bool fails(int fd, const char *call) {
        const char *path = getenv("DKV_FAULT");
        char name[32] = "";
        struct stat st;
        int trigger;

        trigger = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        if (trigger < 0)
                return false;

        (void) !read(trigger, name, sizeof(name) - 1);
        (void) close(trigger);
        if (strcmp(name, "values") == 0 && strcmp(call, "read") == 0 && is_in(fd, "/objects/")) {
                errno = EIO;
                return true;
        }
        if (strcmp(name, call) != 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return false;
        if (strcmp(call, "read") == 0 && is_in(fd, "/log."))
                return false;

        errno = EIO;
        return true;
}

#define WRAP(type, function, call, parameters, ...) \
        type function parameters; \
        type function parameters { \
                type(*next) parameters = (type(*) parameters) dlsym(RTLD_NEXT, #function); \
\
                return fails(fd, call) ? -1 : next(__VA_ARGS__); \
        }

WRAP(int, fdatasync, "sync", (int fd), fd)
WRAP(int, fsync, "sync", (int fd), fd)
WRAP(ssize_t, pread, "read", (int fd, void *data, size_t size, off_t at), fd, data, size, at)
WRAP(ssize_t, pread64, "read", (int fd, void *data, size_t size, off64_t at), fd, data, size, at)
