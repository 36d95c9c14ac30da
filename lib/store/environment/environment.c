/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <sys/statvfs.h>

#include "store/disk/disk.h"
#include "store/environment/environment-internal.h"

#define CACHE_SIZE_DEFAULT_MIN (64 * MIB)
#define CACHE_SIZE_DEFAULT_MAX (4 * GIB)

uint64_t environment_default_cache(void) {
        uint64_t memory = (uint64_t) sysconf(_SC_PHYS_PAGES) * (uint64_t) sysconf(_SC_PAGESIZE);

        return MIN(MAX(memory / 8, CACHE_SIZE_DEFAULT_MIN), CACHE_SIZE_DEFAULT_MAX);
}

unsigned environment_damaged_pages(const Environment *environment) {
        return page_files_damaged(environment->page_files);
}

bool environment_damaged_page(const Environment *environment, unsigned i, char *ret, size_t size) {
        return page_files_name_damaged(environment->page_files, i, ret, size);
}

unsigned environment_repaired_pages(const Environment *environment) {
        return page_files_repaired(environment->page_files);
}

bool environment_was_recovered(const Environment *environment) {
        return environment->was_recovered;
}

int environment_free_space(const Environment *environment, uint64_t *ret_free, uint64_t *ret_size) {
        uint64_t available, reserve = environment->options.reserve_size;
        struct statvfs st;

        if (fstatvfs(environment->dir_fd, &st) < 0)
                return -errno;

        available = (uint64_t) st.f_bavail * st.f_frsize;
        *ret_free = available > reserve ? available - reserve : 0;
        if (ret_size)
                *ret_size = (uint64_t) st.f_blocks * st.f_frsize;
        return 0;
}

/* Why the environment could not be opened. A recovery also writes zeroes behind the end of the log,
 * past all hooks: that the disk has no room for them, or fails, is no damage. */
static int panic_error(Environment *environment) {
        int error = atomic_load(&environment->panic_error);

        if (disk_was_full() || error == ENOSPC || error == EDQUOT)
                return -ENOSPC;
        return error == EIO || error == EINTR || error == ENOMEM ? -error : -EBADMSG;
}

int environment_error(Environment *environment, int db_error) {
        switch (db_error) {
        case 0:
                return 0;
        case DB_NOTFOUND:
        case DB_KEYEMPTY:
                return -ENOENT;
        case DB_KEYEXIST:
                return -EEXIST;
        case DB_BUFFER_SMALL:
                return -ENOBUFS;
        case DB_RUNRECOVERY:
                return environment->is_open ? -EBADMSG : panic_error(environment);
        case DB_PAGE_NOTFOUND: /* a page names one behind the end of the file */
        case DB_VERIFY_BAD:
                return -EBADMSG;
        case DB_VERSION_MISMATCH:
        case DB_OLD_VERSION:
                return -EPROTONOSUPPORT;
        default:
                return db_error > 0 ? -db_error : -EIO;
        }
}

void environment_read_lock(Environment *environment) {
        (void) pthread_rwlock_rdlock(&environment->lock);
}

void environment_read_unlock(Environment *environment) {
        (void) pthread_rwlock_unlock(&environment->lock);
}
