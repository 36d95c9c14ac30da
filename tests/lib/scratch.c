/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <err.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "scratch.h"

char *scratch_new(void) {
        const char *parent = getenv("TMPDIR") ?: "/tmp";
        char *directory;

        if (asprintf(&directory, "%s/dkv-test-XXXXXX", parent) < 0 || !mkdtemp(directory))
                err(1, "Failed to make a directory in '%s'", parent);
        return directory;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
        return remove(path);
}

char *scratch_free(char *directory) {
        if (directory)
                (void) nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        free(directory);
        return NULL;
}

const char *scratch_path(const char *directory, const char *name) {
        static char path[PATH_MAX];

        (void) snprintf(path, sizeof(path), "%s/%s", directory, name);
        return path;
}

void scratch_flip_bit(const char *path, uint64_t offset) {
        _cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);
        uint8_t byte;

        if (fd < 0 || pread_all(fd, &byte, 1, offset) != 1)
                err(1, "Failed to read '%s'", path);
        byte ^= 0x10;
        if (pwrite_all(fd, &byte, 1, offset) < 0)
                err(1, "Failed to write '%s'", path);
}

uint64_t scratch_find(const char *path, const void *data, size_t size) {
        _cleanup_free_ char *content = NULL;
        size_t content_size;
        const char *p;

        if (read_file(AT_FDCWD, path, 1 * GIB, &content, &content_size) < 0)
                err(1, "Failed to read '%s'", path);
        p = memmem(content, content_size, data, size);
        if (!p)
                errx(1, "Not found in '%s'", path);
        return (uint64_t) (p - content);
}

static sem_t done;
static int done_result;

__attribute__((constructor)) static void init(void) {
        (void) sem_init(&done, 0, 0);
}

void scratch_done(Operation *operation, int result) {
        done_result = result;
        (void) sem_post(&done);
}

int scratch_wait(void) {
        while (sem_wait(&done) < 0)
                ; /* interrupted by a signal */
        return done_result;
}
