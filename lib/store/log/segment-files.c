/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "store/log/segment-files.h"
#include "store/log/segment.h"

#define OPEN_MAX_FILES 256

/* The first of them with this number or a higher one. With the lock, as all that is static here. */
static size_t position_of(const SegmentFiles *files, uint32_t number) {
        size_t low = 0, high = files->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (files->items[middle].number < number)
                        low = middle + 1;
                else
                        high = middle;
        }

        return low;
}

static SegmentFile *find(const SegmentFiles *files, uint32_t number) {
        size_t i = position_of(files, number);

        return i < files->n && files->items[i].number == number ? &files->items[i] : NULL;
}

static int append(SegmentFiles *files, uint32_t number, uint32_t size) {
        if (files->n == files->allocated) {
                size_t allocated = MAX(2 * files->allocated, (size_t) 16);
                SegmentFile *items = realloc(files->items, allocated * sizeof(*items));

                if (!items)
                        return -ENOMEM;
                files->items = items;
                files->allocated = allocated;
        }

        files->items[files->n++] = (SegmentFile){ .number = number, .size = size, .fd = -1 };
        return 0;
}

static int compare(const void *a, const void *b) {
        const SegmentFile *x = a, *y = b;

        return (x->number > y->number) - (x->number < y->number);
}

static int load(SegmentFiles *files, DIR *dir) {
        struct dirent *entry;

        while (errno = 0, (entry = readdir(dir))) {
                uint32_t number;
                struct stat st;
                int r;

                if (segment_parse_name(entry->d_name, &number) < 0)
                        continue;
                if (fstatat(files->dir_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        return -errno;
                r = append(files, number, (uint32_t) MIN((uint64_t) st.st_size, UINT32_MAX));
                if (r < 0)
                        return r;
        }
        if (errno != 0)
                return -errno;

        if (files->n > 0)
                qsort(files->items, files->n, sizeof(*files->items), compare);
        return 0;
}

int segment_files_init(SegmentFiles *files, int dir_fd) {
        DIR *dir;
        int fd, r;

        *files = (SegmentFiles){ .dir_fd = dir_fd };
        (void) pthread_mutex_init(&files->lock, NULL);

        fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        dir = fdopendir(fd);
        if (!dir) {
                closep(&fd);
                return -errno;
        }

        r = load(files, dir);
        (void) closedir(dir);
        return r;
}

void segment_files_done(SegmentFiles *files) {
        for (size_t i = 0; i < files->n; i++)
                closep(&files->items[i].fd);
        free(files->items);
        (void) pthread_mutex_destroy(&files->lock);
}

int segment_files_add(SegmentFiles *files, uint32_t number) {
        int r;

        (void) pthread_mutex_lock(&files->lock);
        assert(files->n == 0 || files->items[files->n - 1].number < number);
        r = append(files, number, 0);
        (void) pthread_mutex_unlock(&files->lock);

        return r;
}

void segment_files_set_size(SegmentFiles *files, uint32_t number, uint32_t size) {
        SegmentFile *file;

        (void) pthread_mutex_lock(&files->lock);
        file = find(files, number);
        if (file)
                file->size = size;
        (void) pthread_mutex_unlock(&files->lock);
}

static void close_file(SegmentFiles *files, SegmentFile *file) {
        if (file->fd >= 0)
                files->n_open--;
        closep(&file->fd);
}

static void forget(SegmentFiles *files, SegmentFile *file) {
        size_t behind = files->n - (size_t) (file - files->items) - 1;

        close_file(files, file);
        memmove(file, file + 1, behind * sizeof(*file));
        files->n--;
}

void segment_files_remove(SegmentFiles *files, uint32_t number) {
        SegmentFile *file;

        (void) pthread_mutex_lock(&files->lock);
        file = find(files, number);
        if (file && file->n_users == 0)
                forget(files, file);
        else if (file)
                file->is_removed = true;
        (void) pthread_mutex_unlock(&files->lock);
}

/* Closes one that nobody uses; which one does not matter much, but it should not be the same again
 * and again. */
static void make_room(SegmentFiles *files) {
        for (size_t n = 0; n < files->n; n++) {
                SegmentFile *file = &files->items[files->hand++ % files->n];

                if (file->fd >= 0 && file->n_users == 0) {
                        close_file(files, file);
                        return;
                }
        }
}

static int open_file(SegmentFiles *files, SegmentFile *file) {
        char name[SEGMENT_NAME_SIZE];

        if (files->n_open >= OPEN_MAX_FILES)
                make_room(files);

        segment_name(file->number, name);
        file->fd = openat(files->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (file->fd < 0)
                return errno == ENOENT ? -ENODATA : -errno;

        files->n_open++;
        return 0;
}

int segment_files_acquire(SegmentFiles *files, uint32_t number) {
        SegmentFile *file;
        int r;

        (void) pthread_mutex_lock(&files->lock);
        file = find(files, number);
        r = !file || file->is_removed ? -ENODATA : file->fd >= 0 ? 0 : open_file(files, file);
        if (r >= 0) {
                file->n_users++;
                r = file->fd;
        }
        (void) pthread_mutex_unlock(&files->lock);

        return r;
}

void segment_files_release(SegmentFiles *files, uint32_t number) {
        SegmentFile *file;

        (void) pthread_mutex_lock(&files->lock);
        file = find(files, number);
        assert(file && file->n_users > 0);
        if (--file->n_users == 0 && file->is_removed)
                forget(files, file);
        (void) pthread_mutex_unlock(&files->lock);
}

int64_t segment_files_size(SegmentFiles *files, uint32_t number) {
        const SegmentFile *file;
        int64_t size;

        (void) pthread_mutex_lock(&files->lock);
        file = find(files, number);
        size = file && !file->is_removed ? (int64_t) file->size : -ENODATA;
        (void) pthread_mutex_unlock(&files->lock);

        return size;
}

uint32_t segment_files_next(SegmentFiles *files, uint32_t after) {
        uint32_t number = 0;

        if (after == UINT32_MAX)
                return 0;

        (void) pthread_mutex_lock(&files->lock);
        for (size_t i = position_of(files, after + 1); i < files->n && number == 0; i++)
                if (!files->items[i].is_removed)
                        number = files->items[i].number;
        (void) pthread_mutex_unlock(&files->lock);

        return number;
}

uint32_t segment_files_last(SegmentFiles *files) {
        uint32_t number;

        (void) pthread_mutex_lock(&files->lock);
        number = files->n > 0 ? files->items[files->n - 1].number : 0;
        (void) pthread_mutex_unlock(&files->lock);

        return number;
}
