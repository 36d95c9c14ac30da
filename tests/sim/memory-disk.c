/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sim/memory-disk.h"
#include "sim/world.h"

/* Smaller than those of real disks, for so are the entries. */
#define SECTOR ((size_t) 64)

#define FD_BASE   10000 /* none of the system is so high */
#define FILES_MAX 1024
#define NAME_SIZE 16

/* A file as it is seen, and as it is on the disk; in between they differ in the dirty part. */
typedef struct Inode {
        unsigned references;
        uint8_t *seen, *kept; /* owned; 0 behind the end */
        size_t seen_size, kept_size, allocated;
        size_t dirty_from, dirty_to;
} Inode;

typedef struct Name {
        char name[NAME_SIZE];
        Inode *inode; /* a reference */
} Name;

typedef struct Names {
        Name *items; /* owned */
        size_t n, allocated;
} Names;

/* Of names: FROM goes, then TO is the inode's; "" for none. */
typedef struct Change {
        char from[NAME_SIZE], to[NAME_SIZE];
        Inode *inode; /* a reference, or NULL */
} Change;

struct MemoryDisk {
        Names seen, kept;
        Change *changes; /* from kept to seen; owned */
        size_t n_changes, n_allocated;
        uint64_t calls_left; /* until the power fails */
};

/* What is open, of all disks. */
static struct {
        MemoryDisk *disk; /* not owned; NULL if it is not open */
        Inode *inode;     /* a reference; NULL for the directory */
        size_t offset;
} files[FILES_MAX];

typedef struct Listing {
        int fd;
        size_t next;
        struct dirent entry;
} Listing;

static Inode *inode_new(void) {
        Inode *inode = calloc(1, sizeof *inode);

        assert(inode);
        return inode;
}

static Inode *inode_ref(Inode *inode) {
        if (inode)
                inode->references++;
        return inode;
}

static void inode_unref(Inode *inode) {
        if (!inode || --inode->references > 0)
                return;
        free(inode->seen);
        free(inode->kept);
        free(inode);
}

static void reserve(Inode *inode, size_t size) {
        size_t old = inode->allocated;

        if (size <= old)
                return;
        inode->allocated = MAX(2 * old, (size + SECTOR - 1) / SECTOR * SECTOR);
        inode->seen = realloc(inode->seen, inode->allocated);
        inode->kept = realloc(inode->kept, inode->allocated);
        assert(inode->seen && inode->kept);
        memset(inode->seen + old, 0, inode->allocated - old);
        memset(inode->kept + old, 0, inode->allocated - old);
}

static void soil(Inode *inode, size_t from, size_t to) {
        bool is_clean = inode->dirty_from == inode->dirty_to;

        inode->dirty_from = is_clean ? from : MIN(from, inode->dirty_from);
        inode->dirty_to = is_clean ? to : MAX(to, inode->dirty_to);
}

static void resize(Inode *inode, size_t size) {
        reserve(inode, size);
        if (size < inode->seen_size) {
                memset(inode->seen + size, 0, inode->seen_size - size);
                soil(inode, size, inode->seen_size);
        }
        inode->seen_size = size;
}

static void settle(Inode *inode) {
        size_t n = inode->dirty_to - inode->dirty_from;

        if (n > 0)
                memcpy(inode->kept + inode->dirty_from, inode->seen + inode->dirty_from, n);
        inode->kept_size = inode->seen_size;
        inode->dirty_from = inode->dirty_to = 0;
}

static void revert(Inode *inode) {
        size_t n = inode->dirty_to - inode->dirty_from;

        if (n > 0)
                memcpy(inode->seen + inode->dirty_from, inode->kept + inode->dirty_from, n);
        inode->seen_size = inode->kept_size;
        inode->dirty_from = inode->dirty_to = 0;
}

/* Some sectors have got to the disk, and perhaps the length. */
static void tear(Inode *inode, World *world) {
        if (inode->allocated == 0)
                return;
        if (chance(world, 2))
                inode->kept_size = inode->seen_size;
        for (size_t at = inode->dirty_from; at < inode->dirty_to;) {
                size_t end = MIN((at / SECTOR + 1) * SECTOR, inode->dirty_to);

                if (chance(world, 2))
                        memcpy(inode->kept + at, inode->seen + at, end - at);
                at = end;
        }
        memset(inode->kept + inode->kept_size, 0, inode->allocated - inode->kept_size);
        memcpy(inode->seen, inode->kept, inode->allocated);
        revert(inode);
}

static Name *find(const Names *names, const char *name) {
        for (size_t i = 0; i < names->n; i++)
                if (strcmp(names->items[i].name, name) == 0)
                        return names->items + i;
        return NULL;
}

static void names_remove(Names *names, const char *name) {
        Name *found = find(names, name);

        if (!found)
                return;
        inode_unref(found->inode);
        *found = names->items[--names->n];
}

static void names_set(Names *names, const char *name, Inode *inode) {
        names_remove(names, name);
        if (names->n == names->allocated) {
                names->allocated = MAX(2 * names->allocated, (size_t) 16);
                names->items = reallocarray(names->items, names->allocated, sizeof *names->items);
                assert(names->items);
        }
        names->items[names->n].inode = inode_ref(inode);
        (void) snprintf(names->items[names->n++].name, NAME_SIZE, "%s", name);
}

static void names_clear(Names *names) {
        while (names->n > 0)
                inode_unref(names->items[--names->n].inode);
}

static void names_apply(Names *names, const Change *change) {
        if (*change->from)
                names_remove(names, change->from);
        if (*change->to)
                names_set(names, change->to, change->inode);
}

/* The names as they are seen change. */
static void change_names(MemoryDisk *disk, const char *from, const char *to, Inode *inode) {
        Change *change;

        if (disk->n_changes == disk->n_allocated) {
                disk->n_allocated = MAX(2 * disk->n_allocated, (size_t) 16);
                disk->changes = reallocarray(
                                disk->changes, disk->n_allocated, sizeof *disk->changes);
                assert(disk->changes);
        }
        change = disk->changes + disk->n_changes++;
        change->inode = inode_ref(inode);
        (void) snprintf(change->from, NAME_SIZE, "%s", from);
        (void) snprintf(change->to, NAME_SIZE, "%s", to);
        names_apply(&disk->seen, change);
}

/* The first N changes have got to the disk; nothing is known of the others. */
static void keep_names(MemoryDisk *disk, size_t n) {
        for (size_t i = 0; i < disk->n_changes; i++) {
                if (i < n)
                        names_apply(&disk->kept, disk->changes + i);
                inode_unref(disk->changes[i].inode);
        }
        disk->n_changes = 0;
}

MemoryDisk *memory_disk_new(void) {
        MemoryDisk *disk = calloc(1, sizeof *disk);

        assert(disk);
        disk->calls_left = UINT64_MAX;
        return disk;
}

MemoryDisk *memory_disk_free(MemoryDisk *disk) {
        if (!disk)
                return NULL;

        keep_names(disk, 0);
        names_clear(&disk->seen);
        names_clear(&disk->kept);
        free(disk->seen.items);
        free(disk->kept.items);
        free(disk->changes);
        free(disk);
        return NULL;
}

void memory_disk_fail(MemoryDisk *disk, uint64_t n) {
        disk->calls_left = n;
}

void memory_disk_lose_process(MemoryDisk *disk) {
        disk->calls_left = UINT64_MAX;
}

void memory_disk_lose_power(MemoryDisk *disk, World *world) {
        disk->calls_left = UINT64_MAX;
        keep_names(disk, chance(world, disk->n_changes + 1));
        names_clear(&disk->seen);
        for (size_t i = 0; i < disk->kept.n; i++) {
                Inode *inode = disk->kept.items[i].inode;
                uint64_t fate = chance(world, 4);

                names_set(&disk->seen, disk->kept.items[i].name, inode);
                if (fate == 0)
                        revert(inode);
                else if (fate == 1)
                        settle(inode);
                else
                        tear(inode, world);
        }
}

static bool has_power(MemoryDisk *disk) {
        if (disk->calls_left == 0)
                return false;
        if (disk->calls_left < UINT64_MAX)
                disk->calls_left--;
        return true;
}

static int fail(int error) {
        errno = error;
        return -1;
}

static int open_file(MemoryDisk *disk, Inode *inode) {
        for (int i = 0; i < FILES_MAX; i++)
                if (!files[i].disk) {
                        files[i].disk = disk;
                        files[i].inode = inode_ref(inode);
                        files[i].offset = 0;
                        return FD_BASE + i;
                }
        return fail(EMFILE);
}

int memory_disk_open(MemoryDisk *disk) {
        return open_file(disk, NULL);
}

int memory_openat(int dir_fd, const char *path, int flags, ...) {
        MemoryDisk *disk = files[dir_fd - FD_BASE].disk;
        const Name *name = find(&disk->seen, path);
        Inode *inode = name ? name->inode : NULL;

        if (strcmp(path, ".") == 0)
                return open_file(disk, NULL);
        if (!inode && !(flags & O_CREAT))
                return fail(ENOENT);
        if ((flags & (O_CREAT | O_TRUNC)) && !has_power(disk))
                return open_file(disk, inode_new());
        if (inode && (flags & O_EXCL))
                return fail(EEXIST);
        if (!inode) {
                inode = inode_new();
                change_names(disk, "", path, inode);
        } else if (flags & O_TRUNC)
                resize(inode, 0);
        return open_file(disk, inode);
}

int memory_close(int fd) {
        inode_unref(files[fd - FD_BASE].inode);
        files[fd - FD_BASE].disk = NULL;
        return 0;
}

ssize_t memory_pread(int fd, void *data, size_t size, off_t offset) {
        const Inode *inode = files[fd - FD_BASE].inode;
        size_t from = (size_t) offset;

        if (from >= inode->seen_size)
                return 0;
        size = MIN(size, inode->seen_size - from);
        memcpy(data, inode->seen + from, size);
        return (ssize_t) size;
}

ssize_t memory_read(int fd, void *data, size_t size) {
        size_t *offset = &files[fd - FD_BASE].offset;
        ssize_t n = memory_pread(fd, data, size, (off_t) *offset);

        *offset += (size_t) n;
        return n;
}

ssize_t memory_pwrite(int fd, const void *data, size_t size, off_t offset) {
        Inode *inode = files[fd - FD_BASE].inode;
        size_t from = (size_t) offset;

        if (!has_power(files[fd - FD_BASE].disk))
                return (ssize_t) size;
        if (from + size > inode->seen_size)
                resize(inode, from + size);
        memcpy(inode->seen + from, data, size);
        soil(inode, from, from + size);
        return (ssize_t) size;
}

ssize_t memory_write(int fd, const void *data, size_t size) {
        size_t *offset = &files[fd - FD_BASE].offset;
        ssize_t n = memory_pwrite(fd, data, size, (off_t) *offset);

        *offset += (size_t) n;
        return n;
}

int memory_flush(int fd) {
        MemoryDisk *disk = files[fd - FD_BASE].disk;
        Inode *inode = files[fd - FD_BASE].inode;

        if (!has_power(disk))
                return 0;
        if (inode)
                settle(inode);
        else
                keep_names(disk, disk->n_changes);
        return 0;
}

int memory_ftruncate(int fd, off_t size) {
        if (has_power(files[fd - FD_BASE].disk))
                resize(files[fd - FD_BASE].inode, (size_t) size);
        return 0;
}

int memory_fallocate(int fd, int mode, off_t offset, off_t size) {
        Inode *inode = files[fd - FD_BASE].inode;

        assert(mode == 0);
        if (has_power(files[fd - FD_BASE].disk))
                resize(inode, MAX((size_t) (offset + size), inode->seen_size));
        return 0;
}

int memory_fstat(int fd, struct stat *ret) {
        *ret = (struct stat){ .st_size = (off_t) files[fd - FD_BASE].inode->seen_size };
        return 0;
}

int memory_fstatat(int dir_fd, const char *path, struct stat *ret, int flags) {
        const Name *name = find(&files[dir_fd - FD_BASE].disk->seen, path);

        if (!name)
                return fail(ENOENT);
        *ret = (struct stat){ .st_size = (off_t) name->inode->seen_size };
        return 0;
}

int memory_unlinkat(int dir_fd, const char *path, int flags) {
        MemoryDisk *disk = files[dir_fd - FD_BASE].disk;

        if (!find(&disk->seen, path))
                return fail(ENOENT);
        if (has_power(disk))
                change_names(disk, path, "", NULL);
        return 0;
}

int memory_renameat2(
                int old_fd,
                const char *old_path,
                int new_fd,
                const char *new_path,
                unsigned flags) {
        MemoryDisk *disk = files[old_fd - FD_BASE].disk;
        const Name *name = find(&disk->seen, old_path);

        if (!has_power(disk))
                return 0;
        if (!name)
                return fail(ENOENT);
        if ((flags & RENAME_NOREPLACE) && find(&disk->seen, new_path))
                return fail(EEXIST);
        change_names(disk, old_path, new_path, name->inode);
        return 0;
}

DIR *memory_fdopendir(int fd) {
        Listing *listing = calloc(1, sizeof *listing);

        assert(listing);
        listing->fd = fd;
        return (DIR *) listing;
}

struct dirent *memory_readdir(DIR *dir) {
        Listing *listing = (Listing *) dir;
        const Names *names = &files[listing->fd - FD_BASE].disk->seen;

        if (listing->next == names->n)
                return NULL;
        (void) snprintf(listing->entry.d_name, sizeof listing->entry.d_name, "%s",
                        names->items[listing->next++].name);
        return &listing->entry;
}

int memory_closedir(DIR *dir) {
        Listing *listing = (Listing *) dir;

        (void) memory_close(listing->fd);
        free(listing);
        return 0;
}
