/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
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

/* Calls that are observed come one at a time, so that their order is known. */
static void (*observe)(const FaultCall *call);
static pthread_mutex_t observed = PTHREAD_MUTEX_INITIALIZER;

void fault_observe(void (*observer)(const FaultCall *call)) {
        observe = observer;
}

static void begin(void) {
        if (observe)
                (void) pthread_mutex_lock(&observed);
}

static void end(void) {
        int error = errno;

        if (observe)
                (void) pthread_mutex_unlock(&observed);
        errno = error;
}

static uint64_t inode_of(int dir_fd, const char *path) {
        struct stat st;

        return (path ? fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) : fstat(dir_fd, &st)) < 0
                               ? 0
                               : st.st_ino;
}

static void resolve(int dir_fd, const char *path, char ret[static PATH_MAX]) {
        char link[64], directory[PATH_MAX / 2] = "";

        if (*path == '/' || dir_fd == AT_FDCWD) {
                (void) snprintf(ret, PATH_MAX, "%s", path);
                return;
        }
        (void) snprintf(link, sizeof(link), "/proc/self/fd/%i", dir_fd);
        (void) !readlink(link, directory, sizeof(directory) - 1);
        (void) snprintf(ret, PATH_MAX, "%s/%.1000s", directory, path);
}

static ssize_t note_write(ssize_t n, int fd, const void *data, off_t offset) {
        int error = errno;

        if (n > 0 && observe)
                observe(&(FaultCall){ .kind = FAULT_WRITE,
                                      .inode = inode_of(fd, NULL),
                                      .data = data,
                                      .size = (uint64_t) n,
                                      .offset = (uint64_t) offset });
        errno = error;
        return n;
}

static int note_fd(int r, int fd, FaultCallKind kind) {
        struct stat st;

        if (r >= 0 && observe && fstat(fd, &st) >= 0)
                observe(&(FaultCall){
                                .kind = kind, .inode = st.st_ino, .size = (uint64_t) st.st_size });
        return r;
}

static int note_name(int r, FaultCallKind kind, uint64_t inode, int dir_fd, const char *path) {
        char resolved[PATH_MAX];

        if (r >= 0 && observe) {
                resolve(dir_fd, path, resolved);
                observe(&(FaultCall){ .kind = kind, .inode = inode, .path = resolved });
        }
        return r;
}

static int note_rename(int r, int old_fd, const char *old, int new_fd, const char *new) {
        char before[PATH_MAX], after[PATH_MAX];

        if (r >= 0 && observe) {
                resolve(old_fd, old, before);
                resolve(new_fd, new, after);
                observe(&(FaultCall){ .kind = FAULT_RENAME,
                                      .inode = inode_of(new_fd, new),
                                      .path = before,
                                      .other = after });
        }
        return r;
}

static int open_observed(int dir_fd, const char *path, int flags, mode_t mode) {
        bool creates = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE, is_new;
        int fd;

        if (!creates || !observe)
                return (int) syscall(SYS_openat, dir_fd, path, flags, mode);

        begin();
        is_new = (flags & O_TMPFILE) == O_TMPFILE || inode_of(dir_fd, path) == 0;
        fd = (int) syscall(SYS_openat, dir_fd, path, flags, mode);
        if (fd >= 0 && is_new)
                (void) note_name(
                                fd, FAULT_CREATE, inode_of(fd, NULL), dir_fd,
                                (flags & O_TMPFILE) == O_TMPFILE ? "" : path);
        else if (fd >= 0 && (flags & O_TRUNC))
                (void) note_fd(fd, fd, FAULT_TRUNCATE);
        end();
        return fd;
}

/* clang-format off */
#define OPEN(name, symbol) \
        REPLACE(int, name, symbol, const char *path, int flags, ...) { \
                va_list arguments; \
                mode_t mode; \
                va_start(arguments, flags); \
                mode = va_arg(arguments, mode_t); \
                va_end(arguments); \
                return open_observed(AT_FDCWD, path, flags, mode); \
        }
#define OPENAT(name, symbol) \
        REPLACE(int, name, symbol, int dir_fd, const char *path, int flags, ...) { \
                va_list arguments; \
                mode_t mode; \
                va_start(arguments, flags); \
                mode = va_arg(arguments, mode_t); \
                va_end(arguments); \
                return open_observed(dir_fd, path, flags, mode); \
        }

OPEN(open, "open")
OPEN(open64, "open64")
OPENAT(openat, "openat")
OPENAT(openat64, "openat64")

REPLACE(int, mkdirat, "mkdirat", int fd, const char *path, mode_t mode) {
        int r;

        begin();
        r = (int) syscall(SYS_mkdirat, fd, path, mode);
        r = note_name(r, FAULT_DIRECTORY, inode_of(fd, path), fd, path);
        end();
        return r;
}

/* Makes the call if it does not fail, and then tells the observer. */
#define CALL(type, call, note) \
        do { \
                type r; \
                begin(); \
                r = fails() ? -1 : (type) (call); \
                r = (note); \
                end(); \
                return r; \
        } while (false)

REPLACE(ssize_t, write, "write", int fd, const void *data, size_t size) {
        CALL(ssize_t, syscall(SYS_write, fd, data, size),
             note_write(r, fd, data, observe ? lseek(fd, 0, SEEK_CUR) - r : 0));
}

REPLACE(ssize_t, pwrite, "pwrite", int fd, const void *data, size_t size, off_t offset) {
        CALL(ssize_t, syscall(SYS_pwrite64, fd, data, size, offset), note_write(r, fd, data, offset));
}

REPLACE(ssize_t, pwrite64, "pwrite64", int fd, const void *data, size_t size, off_t offset) {
        CALL(ssize_t, syscall(SYS_pwrite64, fd, data, size, offset), note_write(r, fd, data, offset));
}

REPLACE(int, fsync, "fsync", int fd) {
        CALL(int, syscall(SYS_fsync, fd), note_fd(r, fd, FAULT_FLUSH));
}

REPLACE(int, fdatasync, "fdatasync", int fd) {
        CALL(int, syscall(SYS_fdatasync, fd), note_fd(r, fd, FAULT_FLUSH));
}

REPLACE(int, linkat, "linkat", int old_fd, const char *old, int new_fd, const char *new, int flags) {
        CALL(int, syscall(SYS_linkat, old_fd, old, new_fd, new, flags),
             note_name(r, FAULT_LINK, inode_of(new_fd, new), new_fd, new));
}

REPLACE(int, rename, "rename", const char *old, const char *new) {
        CALL(int, syscall(SYS_rename, old, new), note_rename(r, AT_FDCWD, old, AT_FDCWD, new));
}

REPLACE(int, renameat, "renameat", int old_fd, const char *old, int new_fd, const char *new) {
        CALL(int, syscall(SYS_renameat, old_fd, old, new_fd, new), note_rename(r, old_fd, old, new_fd, new));
}

REPLACE(int, renameat2, "renameat2", int old_fd, const char *old, int new_fd, const char *new, unsigned flags) {
        CALL(int, syscall(SYS_renameat2, old_fd, old, new_fd, new, flags), note_rename(r, old_fd, old, new_fd, new));
}

REPLACE(int, unlink, "unlink", const char *path) {
        CALL(int, syscall(SYS_unlink, path), note_name(r, FAULT_UNLINK, 0, AT_FDCWD, path));
}

REPLACE(int, unlinkat, "unlinkat", int fd, const char *path, int flags) {
        CALL(int, syscall(SYS_unlinkat, fd, path, flags), note_name(r, FAULT_UNLINK, 0, fd, path));
}

REPLACE(int, ftruncate, "ftruncate", int fd, off_t size) {
        CALL(int, syscall(SYS_ftruncate, fd, size), note_fd(r, fd, FAULT_TRUNCATE));
}

REPLACE(int, ftruncate64, "ftruncate64", int fd, off_t size) {
        CALL(int, syscall(SYS_ftruncate, fd, size), note_fd(r, fd, FAULT_TRUNCATE));
}

REPLACE(int, fallocate64, "fallocate64", int fd, int mode, off_t offset, off_t size) {
        CALL(int, syscall(SYS_fallocate, fd, mode, offset, size), note_fd(r, fd, FAULT_TRUNCATE));
}
/* clang-format on */

void fault_acknowledge(uint8_t byte) {
        if (observe) {
                begin();
                observe(&(FaultCall){ .kind = FAULT_ACKNOWLEDGE, .data = &byte, .size = 1 });
                end();
                return;
        }

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
        for (unsigned n = 1;; n += FAULT_STRIDE) {
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
