/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "store/disk/disk.h"
#include "store/disk/page-file.h"

/* Without what is in the state nothing can be opened. */
#define STATE_NAME "state" DATABASE_SUFFIX

static bool is_leading(
                const PageFile *file, uint32_t number, const uint8_t page[static PAGE_SIZE]) {
        return page_leads(page, number) ||
               (strcmp(file->name, STATE_NAME) == 0 && !page_is_hole(page));
}

static bool is_mirrored(const PageFile *file, uint32_t number) {
        return number < file->n_mirrored && (file->mirrored[number / 8] >> number % 8 & 1);
}

static int set_mirrored(PageFile *file, uint32_t number, bool value) {
        if (number >= file->n_mirrored) {
                uint32_t n = MAX(2 * file->n_mirrored, (number / 8 + 1) * 8);
                uint8_t *bits = realloc(file->mirrored, n / 8);

                if (!bits)
                        return -ENOMEM;
                memset(bits + file->n_mirrored / 8, 0, (n - file->n_mirrored) / 8);
                file->mirrored = bits;
                file->n_mirrored = n;
        }

        if (value)
                file->mirrored[number / 8] |= (uint8_t) (1 << number % 8);
        else
                file->mirrored[number / 8] &= (uint8_t) ~(1 << number % 8);
        return 0;
}

/* Of blocks that are the same, some devices and file systems keep one only. */
static void invert(uint8_t page[static PAGE_SIZE]) {
        for (size_t i = 0; i < PAGE_SIZE; i++)
                page[i] = (uint8_t) ~page[i];
}

static ssize_t read_mirror(PageFile *file, uint32_t number, uint8_t ret_page[static PAGE_SIZE]) {
        ssize_t n;

        n = pread_all(file->mirror_fd, ret_page, PAGE_SIZE, (uint64_t) number * PAGE_SIZE);
        if (n == PAGE_SIZE)
                invert(ret_page);
        return n;
}

/* PAGE is NULL for a page that does not belong in the mirror. */
static int write_mirror(PageFile *file, uint32_t number, const uint8_t *page) {
        uint8_t inverted[PAGE_SIZE] = {};
        int r;

        if (page) {
                memcpy(inverted, page, sizeof(inverted));
                invert(inverted);
        }
        r = pwrite_all(file->mirror_fd, inverted, PAGE_SIZE, (uint64_t) number * PAGE_SIZE);
        if (r < 0)
                return r;
        (void) atomic_fetch_add(&file->n_mirror_written, 1);

        return set_mirrored(file, number, page != NULL);
}

static int update_mirror(PageFile *file, uint32_t number, const uint8_t page[static PAGE_SIZE]) {
        bool wanted = is_leading(file, number, page);
        int r = 0;

        (void) pthread_mutex_lock(&file->lock);
        if (wanted || is_mirrored(file, number))
                r = write_mirror(file, number, wanted ? page : NULL);
        (void) pthread_mutex_unlock(&file->lock);

        return r;
}

int page_file_write(PageFile *file, uint32_t number, const uint8_t page[static PAGE_SIZE]) {
        int r;

        r = pwrite_all(file->fd, page, PAGE_SIZE, (uint64_t) number * PAGE_SIZE);
        if (r >= 0) {
                (void) atomic_fetch_add(&file->n_written, 1);
                r = update_mirror(file, number, page);
        }
        if (r == -ENOSPC || r == -EDQUOT) {
                disk_note_full();
                return -ENOSPC;
        }
        if (r < 0)
                disk_fatal("write", file->fd, -r);
        return 0;
}

int page_file_write_new(PageFile *file, uint32_t number, const uint8_t page[static PAGE_SIZE]) {
        int r = 0;

        if (number < atomic_load(&file->extent))
                return 0;

        (void) pthread_mutex_lock(&file->growth);
        if (number >= atomic_load(&file->extent))
                r = page_file_write(file, number, page) < 0 ? -ENOSPC : 1;
        (void) pthread_mutex_unlock(&file->growth);

        return r;
}

bool page_file_has_mirror(PageFile *file, uint32_t number) {
        bool result;

        (void) pthread_mutex_lock(&file->lock);
        result = is_mirrored(file, number);
        (void) pthread_mutex_unlock(&file->lock);
        return result;
}

bool page_file_read_mirror(PageFile *file, uint32_t number, uint8_t ret_page[static PAGE_SIZE]) {
        return page_file_has_mirror(file, number) &&
               read_mirror(file, number, ret_page) == PAGE_SIZE &&
               page_is_sound(ret_page, number) && is_leading(file, number, ret_page);
}

bool page_file_is_dirty(const PageFile *file) {
        return atomic_load(&file->n_written) != atomic_load(&file->n_flushed);
}

/* Another thread may have done the same meanwhile. */
static void note_flushed(_Atomic(uint64_t) *n_flushed, uint64_t n_written) {
        uint64_t before = atomic_load(n_flushed);

        while (before < n_written && !atomic_compare_exchange_weak(n_flushed, &before, n_written))
                ;
}

void page_file_flush_mirror(PageFile *file) {
        uint64_t n_written = atomic_load(&file->n_mirror_written);

        if (n_written == atomic_load(&file->n_mirror_flushed))
                return;

        disk_flush(file->mirror_fd);
        note_flushed(&file->n_mirror_flushed, n_written);
}

/* What is written from now on is written over pages that this flush may bring to the disk, and
 * which a checkpoint may count on. */
static void raise_extent(PageFile *file) {
        struct stat st;
        uint32_t extent;

        (void) pthread_mutex_lock(&file->growth);
        if (fstat(file->fd, &st) < 0)
                disk_fatal("look at", file->fd, errno);
        extent = (uint32_t) (st.st_size / PAGE_SIZE);
        if (extent > atomic_load(&file->extent))
                atomic_store(&file->extent, extent);
        (void) pthread_mutex_unlock(&file->growth);
}

void page_file_flush(PageFile *file) {
        uint64_t n_written = atomic_load(&file->n_written);

        raise_extent(file);
        disk_flush(file->fd);
        note_flushed(&file->n_flushed, n_written);
}

/* The mirror has a page of this number. */
static int compare(PageFile *file, uint32_t number, const uint8_t mirror[static PAGE_SIZE]) {
        uint8_t page[PAGE_SIZE];
        ssize_t n;

        n = pread_all(file->fd, page, sizeof(page), (uint64_t) number * PAGE_SIZE);
        if (n == -EIO || (n == PAGE_SIZE && page_is_hole(page)))
                return set_mirrored(file, number, true);
        if (n < 0)
                return (int) n;

        if (n < (ssize_t) PAGE_SIZE ||
            (page_is_sound(page, number) && !is_leading(file, number, page)))
                return write_mirror(file, number, NULL);
        if (page_is_sound(page, number) && memcmp(page, mirror, sizeof(page)) != 0)
                return write_mirror(file, number, page);
        return set_mirrored(file, number, true);
}

/* Finds out which pages the mirror has. */
static int load_mirror(PageFile *file, bool was_closed) {
        uint8_t page[PAGE_SIZE];
        off_t offset = 0;

        while ((offset = lseek(file->mirror_fd, offset, SEEK_DATA)) >= 0) {
                uint32_t number = (uint32_t) (offset / PAGE_SIZE);
                int r = 0;
                ssize_t n;

                n = read_mirror(file, number, page);
                if (n < 0 && n != -EIO)
                        return (int) n;

                if (n == PAGE_SIZE && page_is_sound(page, number) && is_leading(file, number, page))
                        r = was_closed ? set_mirrored(file, number, true)
                                       : compare(file, number, page);
                if (r < 0)
                        return r;
                offset = ((off_t) number + 1) * PAGE_SIZE;
        }

        return errno == ENXIO ? 0 : -errno;
}

/* In a mirror that is new, the pages that all others depend on. */
static int fill_mirror(PageFile *file) {
        uint8_t page[PAGE_SIZE];

        for (uint32_t number = 0; number < atomic_load(&file->extent); number++) {
                ssize_t n;
                int r;

                if (number >= PAGES_ALWAYS_LEADING && strcmp(file->name, STATE_NAME) != 0)
                        break;

                n = pread_all(file->fd, page, sizeof(page), (uint64_t) number * PAGE_SIZE);
                if (n < 0 && n != -EIO)
                        return (int) n;
                if (n < (ssize_t) PAGE_SIZE || !page_is_sound(page, number) || page_is_hole(page))
                        continue;
                r = is_mirrored(file, number) ? 0 : write_mirror(file, number, page);
                if (r < 0)
                        return r;
        }

        return 0;
}

static int open_mirror(PageFile *file, bool was_closed) {
        char name[sizeof(file->name) + sizeof(MIRROR_SUFFIX)];
        int r;

        (void) snprintf(name, sizeof(name), "%.*s" MIRROR_SUFFIX,
                        (int) (strlen(file->name) - strlen(DATABASE_SUFFIX)), file->name);
        file->mirror_fd = openat(file->dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
        if (file->mirror_fd < 0)
                return -errno;

        r = load_mirror(file, was_closed);
        if (r >= 0)
                r = fill_mirror(file);
        page_file_flush_mirror(file);
        return r == -ENOSPC || r == -EDQUOT ? 0 : r;
}

static int open_file(PageFile *file) {
        struct stat st;

        file->fd = openat(file->dir_fd, file->name, O_RDWR | O_CLOEXEC);
        if (file->fd < 0 || fstat(file->fd, &st) < 0)
                return -errno;

        atomic_store(&file->extent, (uint32_t) (st.st_size / PAGE_SIZE));
        return 0;
}

int page_file_new(int dir_fd, const char *name, bool was_closed, PageFile **ret) {
        PageFile *file;
        int r;

        file = calloc(1, sizeof(*file));
        if (!file)
                return -ENOMEM;

        file->dir_fd = dir_fd;
        file->fd = file->mirror_fd = -1;
        (void) snprintf(file->name, sizeof(file->name), "%s", name);
        (void) pthread_mutex_init(&file->growth, NULL);
        (void) pthread_mutex_init(&file->lock, NULL);

        r = open_file(file);
        if (r >= 0)
                r = open_mirror(file, was_closed);
        if (r < 0) {
                (void) page_file_free(file);
                return r;
        }

        *ret = file;
        return 0;
}

int page_file_follow(PageFile *file, int fd) {
        struct stat mine, other;

        if (fstat(file->fd, &mine) < 0 || fstat(fd, &other) < 0)
                return -errno;
        if (mine.st_ino == other.st_ino)
                return 0;

        closep(&file->fd);
        if (ftruncate(file->mirror_fd, 0) < 0)
                return -errno;
        if (file->mirrored)
                memset(file->mirrored, 0, file->n_mirrored / 8);
        return open_file(file);
}

PageFile *page_file_free(PageFile *file) {
        if (!file)
                return NULL;

        if (file->mirror_fd >= 0)
                disk_flush(file->mirror_fd);
        closep(&file->mirror_fd);
        closep(&file->fd);
        (void) pthread_mutex_destroy(&file->lock);
        (void) pthread_mutex_destroy(&file->growth);
        free(file->mirrored);
        free(file);
        return NULL;
}
