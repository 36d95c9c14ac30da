/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <err.h>
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "small-disk.h"

#define EXIT_NO_MOUNT 77

static bool mount_disk(const char *directory, unsigned kib) {
        int flags = geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS;
        char size[32];

        (void) snprintf(size, sizeof(size), "size=%uk", kib);
        return unshare(flags) >= 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) >= 0 &&
               mount("dkv", directory, "tmpfs", 0, size) >= 0;
}

int small_disk(const char *directory, unsigned kib, void (*scene)(const char *directory)) {
        int status;
        pid_t pid;

        pid = fork();
        if (pid < 0)
                err(1, "Failed to fork");
        if (pid == 0) {
                if (!mount_disk(directory, kib))
                        _exit(EXIT_NO_MOUNT);
                scene(directory);
                _exit(0);
        }
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        err(1, "Failed to wait");
        return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NO_MOUNT ? -EPERM : status;
}
