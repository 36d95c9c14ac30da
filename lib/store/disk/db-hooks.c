/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <db.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "store/disk/db-hooks.h"
#include "store/disk/disk.h"
#include "store/disk/page-files.h"

/* Which descriptors are databases. Those are opened once, at the start: their numbers are small. */
static _Atomic(PageFile *) databases[4096];

/* How many files were created, and of how many the names are flushed. */
static atomic_uint_least64_t n_created, n_named;

/* pread() or pwrite() refused a page of this file, with this error: see on_seek(). */
static _Thread_local int refused_fd = -1, refused_error;

static _Thread_local bool is_tolerant;

/* A file that ends for this thread where its content does. */
static _Thread_local struct {
        bool is_set;
        dev_t dev;
        ino_t ino;
        uint64_t end;
} shortened;

void db_hooks_tolerate_begin(void) {
        is_tolerant = true;
}

void db_hooks_tolerate_end(void) {
        is_tolerant = false;
}

void db_hooks_shorten_begin(const struct stat *st, uint64_t end) {
        shortened.is_set = true;
        shortened.dev = st->st_dev;
        shortened.ino = st->st_ino;
        shortened.end = end;
}

void db_hooks_shorten_end(void) {
        shortened.is_set = false;
}

/* Puts the spare log in the place of a log that is about to be created. */
static void use_spare_log(const char *path) {
        const char *slash = strrchr(path, '/');
        char spare[PATH_MAX];

        if (!slash || strncmp(slash, "/log.", strlen("/log.")) != 0)
                return;

        if (snprintf(spare, sizeof(spare), "%.*s/" SPARE_LOG, (int) (slash - path), path) <
            (int) sizeof(spare))
                (void) renameat2(
                                AT_FDCWD, spare, AT_FDCWD, path,
                                RENAME_NOREPLACE); /* if that fails, a new file is made */
}

static int on_open(const char *path, int flags, ...) {
        va_list arguments;
        mode_t mode;
        int fd;

        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);

        if (flags & O_CREAT)
                use_spare_log(path);

        fd = open(path, flags | O_CLOEXEC, mode);
        if (fd < 0)
                return -1;

        if (flags & O_CREAT)
                (void) atomic_fetch_add(&n_created, 1);

        if (disk_is_database(path)) {
                PageFile *file;
                int r;

                r = (size_t) fd < ELEMENTSOF(databases) ? page_files_find(path, fd, &file)
                                                        : -EMFILE;
                if (r < 0) {
                        (void) close(fd);
                        errno = -r;
                        return -1;
                }
                atomic_store(&databases[fd], file);
        }

        return fd;
}

static PageFile *database_of(int fd) {
        return (size_t) fd < ELEMENTSOF(databases) ? atomic_load(&databases[fd]) : NULL;
}

static int on_close(int fd) {
        if (database_of(fd))
                atomic_store(&databases[fd], NULL);
        return close(fd);
}

static bool is_page(size_t size, off_t offset) {
        return size == PAGE_SIZE && offset % PAGE_SIZE == 0;
}

static void refuse(int fd, int error) {
        refused_fd = fd;
        refused_error = error;
}

static ssize_t on_pread(int fd, void *data, size_t size, off_t offset) {
        PageFile *database = database_of(fd);
        ssize_t n;

        if (database && is_page(size, offset)) {
                n = page_files_read(database, (uint32_t) (offset / PAGE_SIZE), data);
                if (n == -EBADMSG)
                        refuse(fd, EBADMSG);
                if (n < 0)
                        errno = (int) -n;
                return n < 0 ? -1 : n;
        }

        n = pread(fd, data, size, offset);
        if (n < 0 && errno != EINTR && !is_tolerant)
                disk_fatal("read", fd, errno);
        return n;
}

/* When pread() or pwrite() fails, Berkeley DB tries once more by seek and read or write, past all
 * of this. So the seek fails, too. */
static int on_seek(int fd, off_t offset, int whence) {
        if (refused_fd == fd) {
                refused_fd = -1;
                return refused_error;
        }

        return lseek(fd, offset, whence) < 0 ? errno : 0;
}

static ssize_t on_pwrite(int fd, const void *data, size_t size, off_t offset) {
        PageFile *database = database_of(fd);
        ssize_t n;

        if (database && is_page(size, offset)) {
                int r;

                r = page_files_write(database, (uint32_t) (offset / PAGE_SIZE), data);
                if (r < 0) {
                        refuse(fd, -r);
                        errno = -r;
                }
                return r < 0 ? -1 : (ssize_t) size;
        }

        n = pwrite(fd, data, size, offset);

        /* A page that finds no room stays in the cache until there is some; the log cannot wait. */
        if (n < 0 && errno == ENOSPC && database)
                disk_note_full();
        else if (n < 0 && errno != EINTR)
                disk_fatal("write", fd, errno);

        return n;
}

static void flush_directory_of(int fd) {
        _cleanup_close_ int dir_fd = -1;
        char path[PATH_MAX], *slash;

        disk_path_of(fd, path, sizeof(path));
        slash = strrchr(path, '/');
        if (slash)
                *slash = '\0';

        dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir_fd < 0 || fsync(dir_fd) < 0)
                disk_fatal("flush the directory of", fd, errno);
}

/* Before a file is flushed, its name is; nobody overtakes who does it. */
static void flush_names(int fd) {
        static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
        uint64_t created = atomic_load(&n_created);

        if (atomic_load(&n_named) >= created)
                return;

        (void) pthread_mutex_lock(&lock);
        if (atomic_load(&n_named) < created) {
                flush_directory_of(fd);
                atomic_store(&n_named, created);
        }
        (void) pthread_mutex_unlock(&lock);
}

static int on_fsync(int fd) {
        PageFile *database = database_of(fd);

        flush_names(fd);
        if (database && page_files_flush(database) < 0) {
                errno = ENOSPC;
                return -1;
        }
        if (!database)
                disk_flush(fd);
        return 0;
}

/* A checkpoint that finds a page in use would sleep for a second; such a page is free again at
 * once. */
static int on_yield(unsigned long sec, unsigned long usec) {
        if (sec == 0 && usec == 0)
                return sched_yield();

        return usleep(sec > 0 ? USEC_PER_MSEC : MIN(usec, USEC_PER_MSEC));
}

/* Something has been written there in between, if it is not. */
static bool is_still_empty(int fd, uint64_t offset) {
        uint8_t bytes[64];
        ssize_t n;

        n = pread(fd, bytes, sizeof(bytes), (off_t) offset);
        for (ssize_t i = 0; i < n; i++)
                if (bytes[i] != 0)
                        return false;
        return n >= 0;
}

static int on_ioinfo(
                const char *path,
                int fd,
                uint32_t *ret_mbytes,
                uint32_t *ret_bytes,
                uint32_t *ret_io_size) {
        struct stat st;
        uint64_t size;

        if (fstat(fd, &st) < 0)
                return errno;

        size = (uint64_t) st.st_size;
        if (shortened.is_set && st.st_dev == shortened.dev && st.st_ino == shortened.ino &&
            size > shortened.end && is_still_empty(fd, shortened.end))
                size = shortened.end;

        if (ret_mbytes)
                *ret_mbytes = (uint32_t) (size / MIB);
        if (ret_bytes)
                *ret_bytes = (uint32_t) (size % MIB);
        if (ret_io_size)
                *ret_io_size = (uint32_t) st.st_blksize;
        return 0;
}

static void install(void) {
        (void) db_env_set_func_open(on_open);
        (void) db_env_set_func_close(on_close);
        (void) db_env_set_func_pread(on_pread);
        (void) db_env_set_func_seek(on_seek);
        (void) db_env_set_func_pwrite(on_pwrite);
        (void) db_env_set_func_fsync(on_fsync);
        (void) db_env_set_func_ioinfo(on_ioinfo);
        (void) db_env_set_func_yield(on_yield);
}

void db_hooks_install(void) {
        static pthread_once_t once = PTHREAD_ONCE_INIT;

        (void) pthread_once(&once, install);
}
