/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "store/disk/disk.h"
#include "store/disk/double-write.h"
#include "store/disk/page-files.h"

#define FILES_MAX        16
#define ENVIRONMENTS_MAX 8

/* More than that are as bad as that many. */
#define DAMAGED_MAX 4096

/* Whoever writes a page is done with it by then. */
#define COPY_USEC USEC_PER_SEC

typedef struct DamagedPage {
        const PageFile *file;
        uint32_t number;
        bool is_substituted;
} DamagedPage;

struct PageFiles {
        int dir_fd;            /* not owned */
        const char *directory; /* not owned */
        bool was_closed;
        DoubleWrite *double_write;
        PageFile *files[FILES_MAX];
        size_t n_files;

        PageIsAllocated is_allocated; /* during a recovery */
        const void *userdata;

        pthread_mutex_t lock; /* for what follows */
        DamagedPage *damaged;
        unsigned n_damaged, n_substituted, n_repaired;
};

/* The environments of the process. Usually there is one. */
static PageFiles *all[ENVIRONMENTS_MAX];
static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;

static void publish(PageFiles *files) {
        (void) pthread_mutex_lock(&all_lock);
        for (size_t i = 0; i < ELEMENTSOF(all); i++)
                if (!all[i]) {
                        all[i] = files;
                        break;
                }
        (void) pthread_mutex_unlock(&all_lock);
}

static void withdraw(const PageFiles *files) {
        (void) pthread_mutex_lock(&all_lock);
        for (size_t i = 0; i < ELEMENTSOF(all); i++)
                if (all[i] == files)
                        all[i] = NULL;
        (void) pthread_mutex_unlock(&all_lock);
}

int page_files_new(
                int dir_fd,
                const char *directory,
                uint64_t ring_size,
                bool was_closed,
                PageFiles **ret) {
        PageFiles *files;
        int r;

        files = calloc(1, sizeof(*files));
        if (!files)
                return -ENOMEM;

        files->dir_fd = dir_fd;
        files->directory = directory;
        files->was_closed = was_closed;
        (void) pthread_mutex_init(&files->lock, NULL);

        r = double_write_new(dir_fd, ring_size, &files->n_repaired, &files->double_write);
        if (r < 0) {
                (void) page_files_free(files);
                return r;
        }

        publish(files);
        *ret = files;
        return 0;
}

PageFiles *page_files_free(PageFiles *files) {
        if (!files)
                return NULL;

        withdraw(files);
        for (size_t i = 0; i < files->n_files; i++)
                (void) page_file_free(files->files[i]);
        (void) double_write_free(files->double_write);
        (void) pthread_mutex_destroy(&files->lock);
        free(files->damaged);
        free(files);
        return NULL;
}

unsigned page_files_recover(PageFiles *files, PageIsAllocated is_allocated, const void *userdata) {
        unsigned n;

        (void) pthread_mutex_lock(&files->lock);
        files->is_allocated = is_allocated;
        files->userdata = userdata;
        n = files->n_substituted;
        files->n_substituted = 0;
        if (!is_allocated)
                for (unsigned i = 0; i < files->n_damaged; i++)
                        files->damaged[i].is_substituted = false;
        (void) pthread_mutex_unlock(&files->lock);

        return n;
}

unsigned page_files_damaged(PageFiles *files) {
        unsigned n;

        (void) pthread_mutex_lock(&files->lock);
        n = files->n_damaged;
        (void) pthread_mutex_unlock(&files->lock);
        return n;
}

unsigned page_files_repaired(PageFiles *files) {
        unsigned n;

        (void) pthread_mutex_lock(&files->lock);
        n = files->n_repaired;
        (void) pthread_mutex_unlock(&files->lock);
        return n;
}

bool page_files_name_damaged(PageFiles *files, unsigned i, char *ret, size_t size) {
        bool found;

        (void) pthread_mutex_lock(&files->lock);
        found = i < files->n_damaged;
        if (found)
                (void) snprintf(ret, size, "page %" PRIu32 " of '%s/%s'", files->damaged[i].number,
                                files->directory, files->damaged[i].file->name);
        (void) pthread_mutex_unlock(&files->lock);
        return found;
}

static bool is_in(const PageFiles *files, const char *path, const char **ret_name) {
        size_t n = strlen(files->directory);

        if (strncmp(path, files->directory, n) != 0)
                return false;
        while (path[n] == '/')
                n++;
        *ret_name = path + n;
        return !strchr(*ret_name, '/');
}

static PageFile *find_file(const PageFiles *files, const char *name) {
        for (size_t i = 0; i < files->n_files; i++)
                if (strcmp(files->files[i]->name, name) == 0)
                        return files->files[i];
        return NULL;
}

static int find_in(PageFiles *files, const char *name, int fd, PageFile **ret) {
        PageFile *file;
        int r;

        *ret = find_file(files, name);
        if (*ret)
                return page_file_follow(*ret, fd);

        if (files->n_files >= FILES_MAX || strlen(name) >= sizeof(file->name))
                return -EMFILE;

        r = page_file_new(files->dir_fd, name, files->was_closed, &file);
        if (r < 0)
                return r;

        file->owner = files;
        double_write_add(files->double_write, file);
        files->files[files->n_files++] = file;
        *ret = file;
        return 0;
}

int page_files_find(const char *path, int fd, PageFile **ret) {
        const char *name;
        int r = 0;

        *ret = NULL;
        (void) pthread_mutex_lock(&all_lock);
        for (size_t i = 0; i < ELEMENTSOF(all) && !*ret && r >= 0; i++)
                if (all[i] && is_in(all[i], path, &name))
                        r = find_in(all[i], name, fd, ret);
        (void) pthread_mutex_unlock(&all_lock);

        return r;
}

static DamagedPage *find_damaged(PageFiles *files, const PageFile *file, uint32_t number) {
        for (unsigned i = 0; i < files->n_damaged; i++)
                if (files->damaged[i].file == file && files->damaged[i].number == number)
                        return &files->damaged[i];
        return NULL;
}

/* Returns whether it is known now that an empty page is in its place, if it is SUBSTITUTED. */
static bool note_damage(PageFiles *files, const PageFile *file, uint32_t number, bool substituted) {
        DamagedPage *page;

        disk_note_damage("page %" PRIu32 " of '%s/%s'", number, files->directory, file->name);

        (void) pthread_mutex_lock(&files->lock);
        if (!files->damaged)
                files->damaged = calloc(DAMAGED_MAX, sizeof(*files->damaged));
        page = find_damaged(files, file, number);
        if (!page && files->damaged && files->n_damaged < DAMAGED_MAX) {
                page = &files->damaged[files->n_damaged++];
                *page = (DamagedPage){ .file = file, .number = number };
        }
        if (substituted && page && !page->is_substituted) {
                page->is_substituted = true;
                files->n_substituted++;
        }
        (void) pthread_mutex_unlock(&files->lock);
        return substituted && page;
}

/* Whether Berkeley DB has an empty page in its place that must not be written. */
static bool is_substituted(PageFiles *files, const PageFile *file, uint32_t number) {
        const DamagedPage *page;
        bool result;

        (void) pthread_mutex_lock(&files->lock);
        page = files->n_substituted > 0 ? find_damaged(files, file, number) : NULL;
        result = page && page->is_substituted;
        (void) pthread_mutex_unlock(&files->lock);
        return result;
}

/* A page that is written is as good as new. */
static void forget_damage(PageFiles *files, const PageFile *file, uint32_t number) {
        DamagedPage *page;

        (void) pthread_mutex_lock(&files->lock);
        page = files->n_damaged > 0 ? find_damaged(files, file, number) : NULL;
        if (page) {
                *page = files->damaged[--files->n_damaged];
                files->n_repaired++;
        }
        (void) pthread_mutex_unlock(&files->lock);
}

/* What was read once as an empty page must not come back as it was before what the log knew of it.
 */
static void spoil(PageFile *file, uint32_t number) {
        uint8_t page[PAGE_SIZE];
        uint64_t offset = (uint64_t) number * PAGE_SIZE;
        int r = -EIO;

        if (pread_all(file->fd, page, sizeof(page), offset) == PAGE_SIZE) {
                page_spoil(page);
                r = pwrite_all(file->fd, page, sizeof(page), offset);
        }
        if (r < 0) {
                memset(page, 0xff, sizeof(page));
                r = pwrite_all(file->fd, page, sizeof(page), offset);
        }
        if (r < 0)
                disk_fatal("write", file->fd, -r);
        disk_flush(file->fd);
}

/* What to do without the page. Returns how many bytes there are, or -EBADMSG. */
static ssize_t read_damaged(PageFile *file, uint32_t number, uint8_t ret_page[static PAGE_SIZE]) {
        PageFiles *files = file->owner;

        if (files->is_allocated && files->is_allocated(file->name, number, files->userdata)) {
                memset(ret_page, 0, PAGE_SIZE);
                return PAGE_SIZE;
        }

        if (page_file_read_mirror(file, number, ret_page)) {
                (void) page_file_write(file, number, ret_page);
                (void) pthread_mutex_lock(&files->lock);
                files->n_repaired++;
                (void) pthread_mutex_unlock(&files->lock);
                return PAGE_SIZE;
        }

        if (!note_damage(files, file, number, files->is_allocated != NULL))
                return -EBADMSG;

        spoil(file, number);
        page_make_unlogged(number, ret_page);
        return PAGE_SIZE;
}

/* Whether nothing is in the place of a page that is something. Where a database begins, nothing may
 * have come to the disk yet. */
static bool is_wiped(PageFile *file, uint32_t number, const uint8_t page[static PAGE_SIZE]) {
        return page_is_hole(page) &&
               (number >= PAGES_ALWAYS_LEADING || page_file_has_mirror(file, number));
}

ssize_t page_files_read(PageFile *file, uint32_t number, uint8_t ret_page[static PAGE_SIZE]) {
        ssize_t n;

        if (double_write_get(file->owner->double_write, file, number, ret_page))
                return PAGE_SIZE;

        n = pread_all(file->fd, ret_page, PAGE_SIZE, (uint64_t) number * PAGE_SIZE);
        if (n == -EINTR || (n >= 0 && n < (ssize_t) PAGE_SIZE) ||
            (n == PAGE_SIZE && page_is_sound(ret_page, number) &&
             !is_wiped(file, number, ret_page)))
                return n;

        return read_damaged(file, number, ret_page);
}

/* A hole may be a page that is in memory only yet: the log knows it. */
static bool can_be_copied(PageFile *file, uint32_t number, const uint8_t page[static PAGE_SIZE]) {
        return page_is_sound(page, number) &&
               !(page_is_hole(page) && page_file_has_mirror(file, number));
}

/* Reads one page until it is sound, which takes as long as somebody else takes to write it. Returns
 * 1, 0 if the file ends before it, or a negative errno. */
static int copy_page(PageFile *file, uint32_t number, uint8_t ret_page[static PAGE_SIZE]) {
        uint64_t end_usec = clock_monotonic() + COPY_USEC;

        for (;;) {
                ssize_t n;

                n = pread_all(file->fd, ret_page, PAGE_SIZE, (uint64_t) number * PAGE_SIZE);
                if (n == 0 || (n < 0 && n != -EIO))
                        return (int) n;
                if (n == PAGE_SIZE && can_be_copied(file, number, ret_page))
                        return 1;
                if (clock_monotonic() >= end_usec)
                        break;
                (void) usleep(USEC_PER_MSEC);
        }

        (void) note_damage(file->owner, file, number, false);
        return -EBADMSG;
}

int page_files_copy(PageFiles *files, const char *name, uint32_t first, uint32_t n, uint8_t *ret) {
        PageFile *file = find_file(files, name);
        uint64_t offset = (uint64_t) first * PAGE_SIZE, size = (uint64_t) n * PAGE_SIZE;
        ssize_t n_bytes;
        uint32_t i;

        if (!file)
                return -ENOENT;

        n_bytes = pread_all(file->fd, ret, size, offset);
        for (i = 0; i < n; i++) {
                uint8_t *page = ret + (size_t) i * PAGE_SIZE;
                int r = 1;

                if (n_bytes < (ssize_t) ((i + 1) * PAGE_SIZE) ||
                    !can_be_copied(file, first + i, page))
                        r = copy_page(file, first + i, page);
                if (r < 0)
                        return r;
                if (r == 0)
                        break;
                if (page_is_hole(page))
                        memset(page, 0, PAGE_SIZE); /* or the beginning of what is being written */
        }

        (void) posix_fadvise(file->fd, (off_t) offset, (off_t) size, POSIX_FADV_DONTNEED);
        return (int) i;
}

static int check_database(PageFiles *files, const char *name) {
        uint8_t page[PAGE_SIZE];
        PageFile *file;
        ssize_t n;
        int r;

        (void) pthread_mutex_lock(&all_lock);
        r = find_in(files, name, -1, &file);
        (void) pthread_mutex_unlock(&all_lock);
        if (r < 0)
                return r;

        /* What the last run wrote may not be on the disk, and the ring is about to be written over.
         */
        if (!files->was_closed)
                page_file_flush(file);

        n = page_files_read(file, 0, page);
        return n < 0 ? (int) n : 0;
}

static DIR *closedir_null(DIR *dir) {
        if (dir)
                (void) closedir(dir);
        return NULL;
}

DEFINE_CLEANUP(DIR *, closedir_null);

int page_files_check(PageFiles *files) {
        _cleanup_(closedir_nullp) DIR *dir = NULL;
        int fd;

        fd = openat(files->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;

        dir = fdopendir(fd);
        if (!dir) {
                closep(&fd);
                return -errno;
        }

        for (;;) {
                struct dirent *entry;
                int r;

                errno = 0;
                entry = readdir(dir);
                if (!entry)
                        return -errno;

                r = disk_is_database(entry->d_name) ? check_database(files, entry->d_name) : 0;
                if (r < 0)
                        return r;
        }
}

int page_files_write(PageFile *file, uint32_t number, const uint8_t page[static PAGE_SIZE]) {
        PageFiles *files = file->owner;
        int r;

        if (is_substituted(files, file, number))
                return 0;

        r = page_file_write_new(file, number, page);
        if (r == 0)
                r = double_write_put(files->double_write, file, number, page);
        if (r >= 0)
                forget_damage(files, file, number);
        return MIN(r, 0);
}

int page_files_flush(PageFile *file) {
        int r;

        r = double_write_drain(file->owner->double_write);
        if (r < 0)
                return r;

        page_file_flush(file);
        page_file_flush_mirror(file);
        return 0;
}
