/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The files of the object store: naming, opening, removing. */

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "store/disk/disk.h"
#include "store/disk/members.h"
#include "store/object/objects-internal.h"

#define NAME_SIZE (2 * sizeof(uint64_t) + 1)

/* Of a file that is about to replace another one; what is left of a crash is removed at the start.
 */
#define NEW_SUFFIX ".new"

static void name_of(uint64_t version, char ret_name[static NAME_SIZE]) {
        uint64_t key = object_key(version);

        format_hex(&key, sizeof(key), ret_name);
        ret_name[NAME_SIZE - 1] = '\0';
}

static int version_of(const char *name, uint64_t *ret) {
        uint64_t key;
        int r;

        r = parse_hex(name, strlen(name), &key, sizeof(key));
        if (r < 0)
                return r;

        *ret = be64toh(key);
        return 0;
}

static int directory_of(const ObjectStore *store, uint64_t version) {
        return store->directory_fds[version % DIRECTORIES];
}

int object_file_open(ObjectStore *store, uint64_t version) {
        char name[NAME_SIZE];
        int fd;

        name_of(version, name);
        fd = openat(directory_of(store, version), name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        return fd < 0 ? -errno : fd;
}

int versions_add(Versions *versions, uint64_t version) {
        if (versions->n == versions->allocated) {
                size_t allocated = MAX(versions->allocated * 2, (size_t) 64);
                uint64_t *items = realloc(versions->items, allocated * sizeof(*items));

                if (!items)
                        return -ENOMEM;
                versions->items = items;
                versions->allocated = allocated;
        }

        versions->items[versions->n++] = version;
        return 0;
}

/* Returns 1 if the database says that the object is in a file, 0 if not, or a negative errno. */
static int has_record(ObjectStore *store, uint64_t version, Buffer *scratch) {
        Item item;
        int r;

        r = object_find(store, version, scratch);
        if (r >= 0)
                r = item_decode(scratch->data, scratch->size, &item);
        return r == -ENOENT ? 0 : r < 0 ? r : !item.is_inline;
}

/* Removes a name unless a record or a claim wants it. The mutex keeps new claims off. */
static void remove_unwanted(ObjectStore *store, uint64_t version, Buffer *scratch) {
        _cleanup_close_ _unused_ int fd = object_file_open(store, version);
        char name[NAME_SIZE];
        bool is_claimed = false;

        /* While we have it open, unlinking is quick; a large file takes its time when it is closed.
         */

        (void) pthread_mutex_lock(&store->claims_mutex);

        for (const Claim *claim = store->claims; claim; claim = claim->next)
                is_claimed = is_claimed || claim->version == version;

        if (!is_claimed && has_record(store, version, scratch) == 0) {
                name_of(version, name);
                (void) unlinkat(directory_of(store, version), name, 0); /* else at the next start */
        }

        (void) pthread_mutex_unlock(&store->claims_mutex);
}

typedef struct Removal {
        Task task;
        ObjectStore *store; /* not owned */
        Versions versions;
} Removal;

static void run_removal(Task *task) {
        Removal *removal = CONTAINER_OF(task, Removal, task);
        Buffer scratch = {};

        for (size_t i = 0; i < removal->versions.n; i++)
                remove_unwanted(removal->store, removal->versions.items[i], &scratch);

        buffer_done(&scratch);
        free(removal->versions.items);
        free(removal);
}

void object_files_remove(ObjectStore *store, Versions *versions) {
        Removal *removal = malloc(sizeof(*removal));

        /* Without memory the files stay until the next start. */
        if (removal) {
                *removal = (Removal){ .task.run = run_removal,
                                      .store = store,
                                      .versions = *versions };
                workers_submit(&store->workers, &removal->task);
        } else
                free(versions->items);

        *versions = (Versions){};
}

static int link_name(ObjectStore *store, int fd, uint64_t version) {
        char path[sizeof("/proc/self/fd/") + 3 * sizeof(int)], name[NAME_SIZE];
        int dir_fd = directory_of(store, version);

        (void) snprintf(path, sizeof(path), "/proc/self/fd/%i", fd);
        name_of(version, name);
        if (linkat(AT_FDCWD, path, dir_fd, name, AT_SYMLINK_FOLLOW) >= 0)
                return 0;
        if (errno != EEXIST)
                return -errno;

        /* Nobody claims the name and there is no record: it waits for its removal. */
        if (unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT)
                return -errno;

        return linkat(AT_FDCWD, path, dir_fd, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

/* The old file has the name until the new one does; who has it open can go on reading it. */
static int replace_name(ObjectStore *store, int fd, uint64_t version) {
        char path[sizeof("/proc/self/fd/") + 3 * sizeof(int)], name[NAME_SIZE];
        char new_name[NAME_SIZE + sizeof(NEW_SUFFIX)];
        int dir_fd = directory_of(store, version);

        (void) snprintf(path, sizeof(path), "/proc/self/fd/%i", fd);
        name_of(version, name);
        (void) snprintf(new_name, sizeof(new_name), "%s" NEW_SUFFIX, name);
        if (unlinkat(dir_fd, new_name, 0) < 0 && errno != ENOENT)
                return -errno;
        if (linkat(AT_FDCWD, path, dir_fd, new_name, AT_SYMLINK_FOLLOW) < 0)
                return -errno;
        return renameat(dir_fd, new_name, dir_fd, name) < 0 ? -errno : 0;
}

static bool is_same(Encoded x, const Buffer *y) {
        return x.size == y->size && memcmp(x.data, y->data, x.size) == 0;
}

/* Returns 1 if the same object has the name already, 0 if the name is free, or a negative errno. */
static int find_name(ObjectStore *store, const Claim *claim) {
        _cleanup_(buffer_done) Buffer scratch = {};
        Encoded encoded;
        int r;

        for (const Claim *other = store->claims; other; other = other->next)
                if (other->version == claim->version)
                        return is_same((Encoded){ other->object->data, other->object->size },
                                       claim->object)
                                               ? 1
                                               : -EEXIST;

        if (claim->is_replacing)
                return 0;
        r = has_record(store, claim->version, &scratch);
        if (r <= 0)
                return r;

        r = object_read_encoded(store, claim->version, &scratch, &encoded);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        return is_same(encoded, claim->object) ? 1 : -EEXIST;
}

static int claim_and_link(ObjectStore *store, int fd, Claim *claim) {
        int r;

        r = find_name(store, claim);
        if (r == 0)
                r = claim->is_replacing ? replace_name(store, fd, claim->version)
                                        : link_name(store, fd, claim->version);
        if (r < 0)
                return r;

        claim->next = store->claims;
        store->claims = claim;
        return 0;
}

int object_file_link(ObjectStore *store, int fd, Claim *claim) {
        int dir_fd = directory_of(store, claim->version);
        int r;

        disk_flush(fd);

        (void) pthread_mutex_lock(&store->claims_mutex);
        r = claim_and_link(store, fd, claim);
        (void) pthread_mutex_unlock(&store->claims_mutex);
        if (r < 0)
                return r;

        /* Without this the name could be gone after a crash, when the record is already there. */
        if (fsync(dir_fd) < 0)
                disk_fatal("flush", dir_fd, errno);
        return 0;
}

void object_file_unclaim(ObjectStore *store, Claim *claim) {
        (void) pthread_mutex_lock(&store->claims_mutex);
        for (Claim **p = &store->claims; *p; p = &(*p)->next)
                if (*p == claim) {
                        *p = claim->next;
                        break;
                }
        (void) pthread_mutex_unlock(&store->claims_mutex);
}

/* Made only for a new store: in another one it may be on a disk that is not mounted. */
static int open_directory(const ObjectStore *store, int parent_fd, const char *name) {
        bool is_new = store->environment->is_new;
        char path[sizeof("objects/ff")];
        int fd;

        fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT && !is_new) {
                (void) snprintf(path, sizeof(path), "%s%s",
                                parent_fd == store->files_fd ? "objects/" : "", name);
                return members_note_missing(path);
        }
        if (fd < 0 && errno == ENOENT && mkdirat(parent_fd, name, 0750) >= 0)
                fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

static int open_directories(ObjectStore *store, int dir_fd) {
        _cleanup_close_ int probe_fd = -1;

        store->files_fd = open_directory(store, dir_fd, "objects");
        if (store->files_fd < 0)
                return store->files_fd;

        for (unsigned i = 0; i < DIRECTORIES; i++) {
                char name[3];

                (void) snprintf(name, sizeof(name), "%02x", i);
                store->directory_fds[i] = open_directory(store, store->files_fd, name);
                if (store->directory_fds[i] < 0)
                        return store->directory_fds[i];
        }

        probe_fd = openat(store->files_fd, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0640);
        if (probe_fd < 0)
                return errno == EISDIR || errno == ENOENT ? -EOPNOTSUPP : -errno;

        if (fsync(store->files_fd) < 0 || fsync(dir_fd) < 0)
                return -errno;
        return 0;
}

static bool is_new_name(const char *name) {
        return strlen(name) == NAME_SIZE - 1 + strlen(NEW_SUFFIX) &&
               strcmp(name + NAME_SIZE - 1, NEW_SUFFIX) == 0;
}

static int read_versions(int dir_fd, Versions *versions) {
        struct dirent *entry;
        DIR *dir;
        int fd, r = 0;

        fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;

        dir = fdopendir(fd);
        if (!dir) {
                closep(&fd);
                return -errno;
        }

        errno = 0;
        while (r >= 0 && (entry = readdir(dir))) {
                uint64_t version;

                if (version_of(entry->d_name, &version) >= 0)
                        r = versions_add(versions, version);
                else if (is_new_name(entry->d_name))
                        (void) unlinkat(fd, entry->d_name, 0); /* else at the next start */
        }
        if (r >= 0)
                r = -errno;

        (void) closedir(dir);
        return r;
}

static int compare_versions(const void *a, const void *b) {
        const uint64_t *x = a, *y = b;

        return (*x > *y) - (*x < *y);
}

/* Looks the records up in their order, so that each page of the database is read once. */
static int remove_leftovers(ObjectStore *store) {
        _cleanup_(buffer_done) Buffer scratch = {};
        Versions versions = {};
        int r = 0;

        for (size_t i = 0; i < DIRECTORIES && r >= 0; i++)
                r = read_versions(store->directory_fds[i], &versions);

        if (r >= 0 && versions.n > 0)
                qsort(versions.items, versions.n, sizeof(*versions.items), compare_versions);
        for (size_t i = 0; i < versions.n && r >= 0; i++)
                remove_unwanted(store, versions.items[i], &scratch);

        free(versions.items);
        return r;
}

/* A file system gives a file all that it has before it finds that it was not enough, and others
 * find a full disk until it has taken that back. So nothing is allocated that is not there. */
int object_file_allocate(ObjectStore *store, int fd, uint64_t size) {
        uint64_t available;
        int r;

        r = environment_free_space(store->environment, &available, NULL);
        if (r < 0)
                return r;
        if (available < size)
                return -ENOSPC;
        if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t) size) < 0 && errno != EOPNOTSUPP)
                return -errno;
        return 0;
}

int object_files_open(ObjectStore *store, int dir_fd) {
        int r;

        r = open_directories(store, dir_fd);
        if (r < 0)
                return r;

        return remove_leftovers(store);
}

void object_files_close(ObjectStore *store) {
        for (size_t i = 0; i < DIRECTORIES; i++)
                closep(&store->directory_fds[i]);
        closep(&store->files_fd);
}
