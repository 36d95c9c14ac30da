/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

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

static void copy_file(const char *from, const char *to) {
        _cleanup_free_ char *content = NULL;
        _cleanup_close_ int fd = -1;
        size_t size;

        if (read_file(AT_FDCWD, from, 1 * GIB, &content, &size) < 0)
                err(1, "Failed to read '%s'", from);
        fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
        if (fd < 0 || write_all(fd, content, size) < 0)
                err(1, "Failed to write '%s'", to);
}

/* For nftw(), which passes nothing on. */
static const char *copy_from, *copy_to;

static int copy_one(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
        char to[PATH_MAX];

        (void) snprintf(to, sizeof(to), "%s%s", copy_to, path + strlen(copy_from));
        if (flag == FTW_D && mkdir(to, 0750) < 0 && errno != EEXIST)
                err(1, "Failed to make '%s'", to);
        if (flag == FTW_F)
                copy_file(path, to);
        return 0;
}

char *scratch_copy(const char *directory) {
        char *copy = scratch_new();

        copy_from = directory;
        copy_to = copy;
        if (nftw(directory, copy_one, 16, FTW_PHYS) < 0)
                err(1, "Failed to copy '%s'", directory);
        return copy;
}

static int compare_one(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
        _cleanup_free_ char *content = NULL, *other_content = NULL;
        size_t size, other_size;
        char other[PATH_MAX];

        (void) snprintf(other, sizeof(other), "%s%s", copy_to, path + strlen(copy_from));
        if (flag != FTW_F)
                return 0;
        if (read_file(AT_FDCWD, path, 1 * GIB, &content, &size) < 0 ||
            read_file(AT_FDCWD, other, 1 * GIB, &other_content, &other_size) < 0)
                return 1;
        return size != other_size || memcmp(content, other_content, size) != 0;
}

bool scratch_equal(const char *directory, const char *other) {
        copy_from = directory;
        copy_to = other;
        if (nftw(directory, compare_one, 16, FTW_PHYS) != 0)
                return false;

        copy_from = other;
        copy_to = directory;
        return nftw(other, compare_one, 16, FTW_PHYS) == 0;
}

int scratch_open_index(const EnvironmentOptions *options, Index **ret) {
        return index_open(
                        &(IndexOptions){
                                        .directory = options->directory,
                                        .cache_size = options->cache_size,
                                        .log_size = options->log_size,
                                        .checkpoint_size = options->checkpoint_size,
                                        .reserve_size = options->reserve_size,
                                        .before_done = options->before_done,
                                        .after_done = options->after_done,
                                        .on_progress = options->on_progress,
                        },
                        ret);
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

void scratch_answered(IndexRequest *request, IndexResult result) {
        scratch_done(NULL, result.error);
}

int scratch_wait(void) {
        while (sem_wait(&done) < 0)
                ; /* interrupted by a signal */
        return done_result;
}
