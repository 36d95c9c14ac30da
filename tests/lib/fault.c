/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "fault.h"
#include "scratch.h"

#define ACKNOWLEDGED_MAX 256

enum {
        EXIT_COMPLETE = 0, /* the scene met no fault */
        EXIT_FAULT = 77,   /* it met one and got to its end */
};

static atomic_uint calls;
static unsigned fault_at; /* 0 while nothing shall fail */
static FaultMode fault_mode;
static int acknowledge_fd = -1;

/* Returns whether the call that asks is the one that has to fail. */
static bool fails(void) {
        if (fault_at == 0 || atomic_fetch_add(&calls, 1) + 1 != fault_at)
                return false;

        if (fault_mode == FAULT_DIE)
                (void) kill(getpid(), SIGKILL);
        errno = fault_mode == FAULT_FULL ? ENOSPC : EIO;
        return true;
}

/* The name for the linker is an extra, because the headers redirect some of these to others. */
#define REPLACE(type, name, symbol, ...) \
        __attribute__((visibility("default"))) type fault_##name(__VA_ARGS__) __asm__(symbol); \
        type fault_##name(__VA_ARGS__)

/* clang-format off */
REPLACE(ssize_t, write, "write", int fd, const void *data, size_t size) {
        return fails() ? -1 : syscall(SYS_write, fd, data, size);
}

REPLACE(ssize_t, pwrite, "pwrite", int fd, const void *data, size_t size, off_t offset) {
        return fails() ? -1 : syscall(SYS_pwrite64, fd, data, size, offset);
}

REPLACE(ssize_t, pwrite64, "pwrite64", int fd, const void *data, size_t size, off_t offset) {
        return fails() ? -1 : syscall(SYS_pwrite64, fd, data, size, offset);
}

REPLACE(int, fsync, "fsync", int fd) {
        return fails() ? -1 : (int) syscall(SYS_fsync, fd);
}

REPLACE(int, fdatasync, "fdatasync", int fd) {
        return fails() ? -1 : (int) syscall(SYS_fdatasync, fd);
}

REPLACE(int, linkat, "linkat", int old_fd, const char *old, int new_fd, const char *new, int flags) {
        return fails() ? -1 : (int) syscall(SYS_linkat, old_fd, old, new_fd, new, flags);
}

REPLACE(int, rename, "rename", const char *old, const char *new) {
        return fails() ? -1 : (int) syscall(SYS_rename, old, new);
}

REPLACE(int, renameat, "renameat", int old_fd, const char *old, int new_fd, const char *new) {
        return fails() ? -1 : (int) syscall(SYS_renameat, old_fd, old, new_fd, new);
}

REPLACE(int, renameat2, "renameat2", int old_fd, const char *old, int new_fd, const char *new, unsigned flags) {
        return fails() ? -1 : (int) syscall(SYS_renameat2, old_fd, old, new_fd, new, flags);
}

REPLACE(int, unlink, "unlink", const char *path) {
        return fails() ? -1 : (int) syscall(SYS_unlink, path);
}

REPLACE(int, unlinkat, "unlinkat", int fd, const char *path, int flags) {
        return fails() ? -1 : (int) syscall(SYS_unlinkat, fd, path, flags);
}

REPLACE(int, ftruncate, "ftruncate", int fd, off_t size) {
        return fails() ? -1 : (int) syscall(SYS_ftruncate, fd, size);
}

REPLACE(int, ftruncate64, "ftruncate64", int fd, off_t size) {
        return fails() ? -1 : (int) syscall(SYS_ftruncate, fd, size);
}

REPLACE(int, fallocate64, "fallocate64", int fd, int mode, off_t offset, off_t size) {
        return fails() ? -1 : (int) syscall(SYS_fallocate, fd, mode, offset, size);
}
/* clang-format on */

void fault_acknowledge(uint8_t byte) {
        if (syscall(SYS_write, acknowledge_fd, &byte, 1) != 1)
                _exit(1);
}

static pid_t start(void) {
        const struct rlimit no_core = {};
        pid_t pid;

        pid = fork();
        if (pid < 0)
                err(1, "Failed to fork");
        if (pid == 0)
                (void) setrlimit(RLIMIT_CORE, &no_core); /* dying is what they are for */
        return pid;
}

static int wait_for(pid_t pid) {
        int status;

        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        err(1, "Failed to wait");
        return status;
}

_noreturn_ static void run_scene(
                const FaultSweep *sweep, const char *directory, FaultMode mode, unsigned n) {
        fault_mode = mode;
        fault_at = n;
        sweep->scene(directory);
        _exit(atomic_load(&calls) >= n ? EXIT_FAULT : EXIT_COMPLETE);
}

/* Returns the status of the scene, and what it acknowledged. */
static int play(const FaultSweep *sweep,
                const char *directory,
                FaultMode mode,
                unsigned n,
                uint8_t acknowledged[static ACKNOWLEDGED_MAX],
                size_t *ret_size) {
        int fds[2];
        pid_t pid;
        size_t size = 0;
        ssize_t r;

        if (pipe2(fds, O_CLOEXEC) < 0)
                err(1, "Failed to make a pipe");

        pid = start();
        if (pid == 0) {
                acknowledge_fd = fds[1];
                run_scene(sweep, directory, mode, n);
        }
        (void) close(fds[1]);

        while ((r = read(fds[0], acknowledged + size, ACKNOWLEDGED_MAX - size)) > 0)
                size += (size_t) r;
        (void) close(fds[0]);

        *ret_size = size;
        return wait_for(pid);
}

unsigned fault_sweep(const FaultSweep *sweep, FaultMode mode) {
        for (unsigned n = 1;; n++) {
                _cleanup_(scratch_freep) char *directory = scratch_new();
                uint8_t acknowledged[ACKNOWLEDGED_MAX];
                size_t size;
                int status, verdict;
                pid_t pid;

                status = play(sweep, directory, mode, n, acknowledged, &size);

                pid = start();
                if (pid == 0) {
                        sweep->check(directory, acknowledged, size);
                        _exit(0);
                }
                verdict = wait_for(pid);
                if (verdict != 0) {
                        warnx("With a fault of kind %i at call %u: the scene ended with status %#x having "
                              "acknowledged %zu, the check with %#x",
                              mode, n, (unsigned) status, size, (unsigned) verdict);
                        return 0;
                }

                if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_COMPLETE)
                        return n - 1;
                if (WIFEXITED(status) && WEXITSTATUS(status) != EXIT_FAULT) {
                        warnx("The scene ended with status %i at call %u", WEXITSTATUS(status), n);
                        return 0;
                }
        }
}
