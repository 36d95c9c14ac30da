/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* An /etc of the process's own, in memory, on which it is root: for verbs that change this machine.
 */

#include "test.h"

#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/file.h"

static inline bool own_etc_write(const char *path, const char *text) {
        return write_file(AT_FDCWD, path, text, strlen(text), 0644) >= 0;
}

/* Maps our user to root in a namespace of its own. Written in place: these are no files. */
static inline bool own_etc_become_root(uid_t uid) {
        char map[64];
        int fd;
        bool done;

        (void) snprintf(map, sizeof(map), "0 %u 1", (unsigned) uid);
        fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                return false;
        done = write(fd, map, strlen(map)) == (ssize_t) strlen(map);
        (void) close(fd);
        return done;
}

/* Returns false, which skips the tests, where that is not possible. */
static inline bool own_etc_enter(void) {
        uid_t uid = geteuid();

        if (unshare(CLONE_NEWNS | (uid == 0 ? 0 : CLONE_NEWUSER)) < 0 ||
            (uid != 0 && !own_etc_become_root(uid)))
                return false;
        return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
               mount("etc", "/etc", "tmpfs", 0, NULL) == 0 &&
               own_etc_write("/etc/passwd",
                             "root:x:0:0::/:/bin/sh\ndkv:x:990:990::/:/usr/sbin/nologin\n");
}
