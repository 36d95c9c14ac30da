/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "store/object/objects-internal.h"
#include "store/object/probe.h"

#define PIECE_SIZE (4 * KIB)

static int test_directory(int fd) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (st.st_nlink == 0)
                return -ENOENT;
        return faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0 ? -errno : 0;
}

static int test_file(ObjectStore *store, uint64_t size, bool flush) {
        _cleanup_close_ int fd = -1;
        uint8_t piece[PIECE_SIZE];
        int r;

        fd = openat(store->files_fd, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0640);
        if (fd < 0)
                return -errno;

        memset(piece, 0, sizeof(piece));
        r = size > PIECE_SIZE ? object_file_allocate(store, fd, size) : 0;
        if (r >= 0)
                r = write_all(fd, piece, sizeof(piece));
        if (r < 0)
                return r;
        return flush && fdatasync(fd) < 0 ? -errno : 0;
}

int object_store_test(ObjectStore *store, uint64_t size, bool flush) {
        int r;

        r = test_directory(store->files_fd);
        for (size_t i = 0; r >= 0 && i < DIRECTORIES; i++)
                r = test_directory(store->directory_fds[i]);
        if (r >= 0)
                r = test_file(store, size, flush);
        if (r < 0)
                return r;

        return databases_room(store->environment, store->environment->growing) > 0 ? 0 : -ENOSPC;
}
