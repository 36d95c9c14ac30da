/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Object store: the copies that one volume holds, each under its version.
 *
 * Records lie in a log, which is written once and flushed once for each batch; a B-tree of Berkeley
 * DB says where. Values up to inline_max bytes lie there next to their record, larger ones in a
 * file of their own that is written without a name, flushed, linked under its version, its
 * directory flushed, and only then named by a record. An object is there whole or not at all, also
 * after a crash; files without a record are removed when the store is opened. The space of objects
 * that are deleted comes back in the background.
 *
 * Everything here runs on any thread. Operations (put, delete) are durable when their done() is
 * called. */

#include "base/buffer.h"
#include "base/uuid.h"
#include "core/record.h"
#include "store/environment/environment.h"

typedef struct ObjectStore ObjectStore;

typedef struct ObjectStoreOptions {
        EnvironmentOptions environment;
        uint64_t inline_max; /* bytes; at most INLINE_MAX */
} ObjectStoreOptions;

#define INLINE_MAX (1 * MIB)

/* Opens or creates the store in the directory, after recovery. Returns 0, -EOPNOTSUPP if the file
 * system has no O_TMPFILE, -EBUSY if another process has it open, -EPROTONOSUPPORT, -EBADMSG, or
 * another negative errno. */
int object_store_open(const ObjectStoreOptions *options, ObjectStore **ret);
ObjectStore *object_store_free(ObjectStore *store);
DEFINE_CLEANUP(ObjectStore *, object_store_free);

Environment *object_store_environment(ObjectStore *store);

/* A Uuid, made when the store was created. */
const uint8_t *object_store_uuid(const ObjectStore *store);

typedef struct ObjectStoreCounters {
        uint64_t objects;
        uint64_t bytes;     /* of their values */
        uint64_t disk_size; /* of the file system, in bytes */
        uint64_t disk_free; /* what may still be used: reserve_size is not counted */
} ObjectStoreCounters;

int object_store_counters(ObjectStore *store, ObjectStoreCounters *ret);

/* Reads an object. The pointers of RET point into SCRATCH. An inline value is verified; for one in
 * a file, RET_FD is a new descriptor at offset 0 (else -1) and nothing is verified. Returns 0,
 * -ENOENT, -ENODATA if there is a record without its file, -EBADMSG for a damaged object or page,
 * -EPROTONOSUPPORT, or why the disk does not give it out, such as -EIO. */
int object_store_get(
                ObjectStore *store, uint64_t version, Buffer *scratch, Object *ret, int *ret_fd);

/* Writes the key of an object, with its 0, to RET, also if its value is damaged. Returns 0, or what
 * object_store_get() returns if there is no sound record. */
int object_store_key(ObjectStore *store, uint64_t version, Buffer *ret);

/* Reads the whole value and compares it with its checksum. Blocks. Returns what object_store_get()
 * does. */
int object_store_verify(ObjectStore *store, uint64_t version);

/* Reads SIZE bytes of a file and compares them with their checksum. Blocks. Returns 0, -EBADMSG, or
 * another negative errno. */
int object_file_verify(int fd, uint64_t size, const Checksum *expected);

/* Stores a whole object, its value inline whatever its size up to INLINE_MAX. */
typedef struct ObjectPut {
        Operation operation; /* .done is the caller's to set */
        const void *data;    /* what object_encode() wrote; stays the caller's until done() */
        size_t size;

        /* private */
        uint64_t version, value_size;
        bool is_inline, is_replacing;
        uint32_t segment, offset; /* where it is in the log of the values */
        int error;
} ObjectPut;

/* Result: 0 (also if the very same object is there already), -EBADMSG if DATA or its value is
 * damaged, -EEXIST if the version is taken by another object, -ENOSPC. */
void object_store_put(ObjectStore *store, ObjectPut *put);

/* Deletes an object; one that is not there is fine. One operation for each, so that a damaged page
 * fails only those that need it. */
typedef struct ObjectDelete {
        Operation operation;
        uint64_t version;
} ObjectDelete;

/* Result: 0, -EBADMSG for a damaged page. */

void object_store_delete(ObjectStore *store, ObjectDelete *deletion);

/* Calls on_object() for up to LIMIT objects with a version above AFTER, in order, until it returns
 * non-zero. */
int object_store_scan(
                ObjectStore *store,
                uint64_t after,
                size_t limit,
                int (*on_object)(const Object *object, void *userdata),
                void *userdata);

/* Writes the versions of up to MAX objects above AFTER to RET, in order, without a look at the
 * objects themselves, which may be damaged. Returns how many, less than MAX before a damaged page;
 * -EBADMSG if the very next lies there; or another negative errno. */
int object_store_versions(ObjectStore *store, uint64_t after, uint64_t *ret, size_t max);

/* Where object_store_versions() can go on behind the damaged page that comes after AFTER. Returns
 * 0, or -ENOENT if there is nothing more that can be read. */
int object_store_skip_damage(ObjectStore *store, uint64_t after, uint64_t *ret_after);

/* Named blobs that live with the store, such as the version up to which every object is settled. */
typedef struct ObjectStoreSet {
        Operation operation;
        const char *name;
        const void *data;
        size_t size;
} ObjectStoreSet;

void object_store_set(ObjectStore *store, ObjectStoreSet *set);
int object_store_get_state(ObjectStore *store, const char *name, Buffer *ret);
