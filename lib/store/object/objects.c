/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/file.h"
#include "core/blocks.h"
#include "store/disk/disk.h"
#include "store/environment/committer.h"
#include "store/environment/opening.h"
#include "store/format/page.h"
#include "store/object/objects-internal.h"

/* So many objects are read under one lock. */
#define SLICE 64

#define N_WORKERS 4

static ObjectStore *store_of(const Transaction *transaction) {
        return transaction->environment->hooks.userdata;
}

Environment *object_store_environment(ObjectStore *store) {
        return store->environment;
}

const uint8_t *object_store_uuid(const ObjectStore *store) {
        return store->uuid;
}

uint64_t object_key(uint64_t version) {
        return htobe64(version);
}

/* About what an object takes in the database: small ones share pages, which are not quite full,
 * larger ones have pages of their own. */
static uint64_t database_bytes(size_t size) {
        return size <= PAGE_SIZE / 4 ? size * 3 / 2 : (size / (PAGE_SIZE - 32) + 1) * PAGE_SIZE;
}

static void count(Transaction *transaction, int sign, uint64_t value_size, size_t size) {
        transaction->counters[COUNTER_OBJECTS] += sign;
        transaction->counters[COUNTER_BYTES] += sign * (int64_t) value_size;
        transaction->counters[COUNTER_DATABASE_BYTES] += sign * (int64_t) database_bytes(size);
}

int object_store_counters(ObjectStore *store, ObjectStoreCounters *ret) {
        const atomic_uint_least64_t *counters = store->environment->counters;
        uint64_t size, used = atomic_load(&counters[COUNTER_DATABASE_BYTES]);
        ObjectStoreCounters result = {
                .objects = atomic_load(&counters[COUNTER_OBJECTS]),
                .bytes = atomic_load(&counters[COUNTER_BYTES]),
        };
        int r;

        r = environment_free_space(store->environment, &result.disk_free, &result.disk_size);
        if (r < 0)
                return r;

        r = database_size(store->environment, store->objects, &size);
        if (r < 0)
                return r;

        /* The file never shrinks; what deletions have left in it is used again. */
        result.disk_free += size > used ? size - used : 0;
        *ret = result;
        return 0;
}

int object_read(ObjectStore *store, uint64_t version, Buffer *scratch, Object *ret) {
        uint64_t key = object_key(version);
        int r;

        r = database_get(store->environment, store->objects, &key, sizeof(key), scratch);
        if (r < 0)
                return r;

        r = object_decode(scratch->data, scratch->size, ret);
        if (r < 0)
                return r;

        return ret->record.version == version ? 0 : -EBADMSG;
}

static int read_locked(ObjectStore *store, uint64_t version, Buffer *scratch, Object *ret) {
        int r;

        environment_read_lock(store->environment);
        r = object_read(store, version, scratch, ret);
        environment_read_unlock(store->environment);

        return r;
}

int object_store_key(ObjectStore *store, uint64_t version, Buffer *ret) {
        _cleanup_(buffer_done) Buffer scratch = {};
        Object object;
        int r;

        r = read_locked(store, version, &scratch, &object);
        if (r < 0)
                return r;

        buffer_clear(ret);
        buffer_put(ret, object.key, strlen(object.key) + 1);
        return buffer_error(ret);
}

/* Opens the file of an object and compares its size. */
static int open_value(ObjectStore *store, const Object *object) {
        uint64_t version = object->record.version, size = object->record.size;
        uint64_t trailer = blocks_trailer_size(size);
        _cleanup_close_ int fd = -1;
        struct stat st;

        fd = object_file_open(store, version);
        if (fd < 0)
                return fd;
        if (fstat(fd, &st) < 0)
                return -errno;

        /* One from before there were checksums of blocks ends with the value. */
        return (uint64_t) st.st_size == size || (uint64_t) st.st_size == size + trailer
                               ? TAKE_FD(fd)
                               : -EBADMSG;
}

int object_store_get(
                ObjectStore *store, uint64_t version, Buffer *scratch, Object *ret, int *ret_fd) {
        Object object;
        int fd = -1, r;

        r = read_locked(store, version, scratch, &object);
        if (r < 0)
                return r;

        if (object.is_inline)
                r = object_verify(&object);
        else
                r = fd = open_value(store, &object);
        if (r == -ENOENT) {
                /* The file is gone: has the object been deleted meanwhile? */
                r = read_locked(store, version, scratch, &object);
                return r < 0 ? r : -ENODATA;
        }
        if (r < 0)
                return r;

        *ret = object;
        *ret_fd = fd;
        return 0;
}

int object_file_verify(int fd, uint64_t size, const Checksum *expected) {
        _cleanup_(checksum_state_freep) ChecksumState *state = NULL;
        _cleanup_free_ uint8_t *piece = NULL;
        const uint64_t piece_size = 1 * MIB;
        Checksum checksum;
        ssize_t n;
        int r;

        piece = malloc(piece_size);
        if (!piece)
                return -ENOMEM;

        r = checksum_state_new(&state);
        if (r < 0)
                return r;

        for (uint64_t offset = 0; offset < size; offset += (uint64_t) n) {
                n = pread_all(fd, piece, (size_t) MIN(piece_size, size - offset), offset);
                if (n <= 0)
                        return n < 0 ? (int) n : -EBADMSG;
                checksum_state_update(state, piece, (size_t) n);
        }

        checksum = checksum_state_final(state);
        return checksum_equal(&checksum, expected) ? 0 : -EBADMSG;
}

int object_store_verify(ObjectStore *store, uint64_t version) {
        _cleanup_(buffer_done) Buffer scratch = {};
        _cleanup_close_ int fd = -1;
        Object object;
        int r;

        r = object_store_get(store, version, &scratch, &object, &fd);
        if (r < 0 || object.is_inline)
                return r;

        return object_file_verify(fd, object.record.size, &object.record.checksum);
}

typedef struct Scan {
        ObjectStore *store;
        uint64_t after;
        size_t left;
        int (*on_object)(const Object *object, void *userdata);
        void *userdata;
} Scan;

/* Reads one slice. Returns 0 if there may be more, -ENOENT at the end, or what on_object()
 * returned. */
static int scan_slice(Scan *scan, Cursor *cursor) {
        uint64_t key = object_key(scan->after + 1);
        int r;

        r = cursor_seek(cursor, &key, sizeof(key));
        for (size_t n = 0; r >= 0;) {
                Object object;

                r = object_decode(cursor->value.data, cursor->value.size, &object);
                if (r < 0)
                        return r;

                scan->after = object.record.version;
                scan->left--;
                r = scan->on_object(&object, scan->userdata);
                if (r != 0 || ++n == SLICE || scan->left == 0)
                        return r;

                r = cursor_next(cursor);
        }

        return r;
}

int object_store_scan(
                ObjectStore *store,
                uint64_t after,
                size_t limit,
                int (*on_object)(const Object *object, void *userdata),
                void *userdata) {
        Scan scan = { store, after, limit, on_object, userdata };
        int r = 0;

        while (r == 0 && scan.left > 0 && scan.after < UINT64_MAX) {
                Cursor cursor;

                environment_read_lock(store->environment);
                r = cursor_open(store->environment, store->objects, &cursor);
                if (r >= 0) {
                        r = scan_slice(&scan, &cursor);
                        cursor_close(&cursor);
                }
                environment_read_unlock(store->environment);
        }

        return r == -ENOENT ? 0 : r;
}

static int read_versions(Cursor *cursor, uint64_t after, uint64_t *ret, size_t max) {
        uint64_t key = object_key(after + 1);
        size_t n = 0;
        int r;

        cursor_skip_values(cursor);
        for (r = cursor_seek(cursor, &key, sizeof(key)); r >= 0 && n < max;
             r = cursor_next(cursor)) {
                if (cursor->key.size != sizeof(key))
                        return -EBADMSG;
                memcpy(&key, cursor->key.data, sizeof(key));
                ret[n++] = be64toh(key);
        }

        return r < 0 && r != -ENOENT && n == 0 ? r : (int) n;
}

int object_store_versions(ObjectStore *store, uint64_t after, uint64_t *ret, size_t max) {
        Cursor cursor;
        int r;

        if (after == UINT64_MAX)
                return 0;

        environment_read_lock(store->environment);
        r = cursor_open(store->environment, store->objects, &cursor);
        if (r >= 0) {
                r = read_versions(&cursor, after, ret, max);
                cursor_close(&cursor);
        }
        environment_read_unlock(store->environment);

        return r;
}

/* A probe: whether the first object above AFTER can be found. -ENOENT is a good answer, too. */
static bool is_readable(ObjectStore *store, uint64_t after) {
        uint64_t version;

        return object_store_versions(store, after, &version, 1) != -EBADMSG;
}

/* A page covers a range of versions of unknown width: steps that grow, but slowly, so that none
 * goes over what lies between two damaged pages, lead behind it; then its end is narrowed down. */
int object_store_skip_damage(ObjectStore *store, uint64_t after, uint64_t *ret_after) {
        uint64_t damaged = after, readable, version;
        int r;

        for (uint64_t step = 1;; step += step / 8 + 1) {
                if (step > (UINT64_MAX - after) / 2)
                        return -ENOENT;
                readable = after + step;
                if (is_readable(store, readable))
                        break;
                damaged = readable;
        }

        while (readable - damaged > 1) {
                uint64_t middle = damaged + (readable - damaged) / 2;

                if (is_readable(store, middle))
                        readable = middle;
                else
                        damaged = middle;
        }

        r = object_store_versions(store, readable, &version, 1);
        if (r <= 0)
                return r < 0 ? r : -ENOENT;

        *ret_after = readable;
        return 0;
}

/* The old one, perhaps damaged, is in the transaction's scratch buffer. */
static int replace_object(Transaction *transaction, const ObjectPut *put) {
        ObjectStore *store = store_of(transaction);
        uint64_t key = object_key(put->version);
        Object old = {}, new;
        bool had_file;
        int r;

        r = object_decode(put->data, put->size, &new);
        if (r < 0)
                return r;
        if (!transaction_has_room(transaction))
                return -ENOSPC;

        r = object_decode(transaction->scratch.data, transaction->scratch.size, &old);
        had_file = r < 0 || !old.is_inline;
        count(transaction, -1, r < 0 ? 0 : old.record.size, transaction->scratch.size);
        count(transaction, 1, put->value_size, put->size);
        if (had_file && new.is_inline)
                (void) versions_add(&store->deleted, put->version); /* else at the next start */

        return transaction_put(
                        transaction, store->objects, &key, sizeof(key), put->data, put->size);
}

static int apply_put(Operation *operation, Transaction *transaction) {
        ObjectPut *put = CONTAINER_OF(operation, ObjectPut, operation);
        ObjectStore *store = store_of(transaction);
        Buffer *scratch = &transaction->scratch;
        uint64_t key = object_key(put->version);
        int r;

        if (put->error < 0)
                return put->error;

        r = transaction_get(transaction, store->objects, &key, sizeof(key), scratch);
        if (r >= 0 && put->is_replacing)
                return replace_object(transaction, put);
        if (r >= 0) /* a second try of the same write is fine */
                return scratch->size == put->size && memcmp(scratch->data, put->data, put->size) ==
                                                                       0
                                       ? 0
                                       : -EEXIST;
        if (r != -ENOENT)
                return r;

        if (!transaction_has_room(transaction))
                return -ENOSPC;

        count(transaction, 1, put->value_size, put->size);
        reach_count(&store->reach, put->version);
        return transaction_put(
                        transaction, store->objects, &key, sizeof(key), put->data, put->size);
}

void object_put_submit(ObjectStore *store, ObjectPut *put, const Record *record) {
        put->version = record->version;
        put->value_size = record->size;
        put->operation.apply = apply_put;
        environment_submit(store->environment, &put->operation);
}

void object_store_put(ObjectStore *store, ObjectPut *put) {
        Object object = {};

        put->error = object_decode(put->data, put->size, &object);
        if (put->error >= 0)
                put->error = object.is_inline && object.record.size <= INLINE_MAX
                                             ? object_verify(&object)
                                             : -EBADMSG;

        object_put_submit(store, put, &object.record);
}

static int delete_object(Transaction *transaction, uint64_t version) {
        ObjectStore *store = store_of(transaction);
        uint64_t key = object_key(version);
        Object object;
        int r;

        r = transaction_get(transaction, store->objects, &key, sizeof(key), &transaction->scratch);
        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return r;

        r = object_decode(transaction->scratch.data, transaction->scratch.size, &object);
        count(transaction, -1, r < 0 ? 0 : object.record.size, transaction->scratch.size);

        /* Whether a damaged record had a file cannot be told; without memory it stays until the
         * next start. */
        if (r < 0 || !object.is_inline)
                (void) versions_add(&store->deleted, version);

        return transaction_delete(transaction, store->objects, &key, sizeof(key));
}

static int apply_delete(Operation *operation, Transaction *transaction) {
        return delete_object(
                        transaction, CONTAINER_OF(operation, ObjectDelete, operation)->version);
}

void object_store_delete(ObjectStore *store, ObjectDelete *deletion) {
        deletion->operation.apply = apply_delete;
        environment_submit(store->environment, &deletion->operation);
}

/* The deletion of the records is on the disk: now the files may go. */
static void on_flushed(void *userdata) {
        ObjectStore *store = userdata;

        reach_show(&store->reach);
        if (store->deleted.n > 0)
                object_files_remove(store, &store->deleted);
}

static int apply_set(Operation *operation, Transaction *transaction) {
        ObjectStoreSet *set = CONTAINER_OF(operation, ObjectStoreSet, operation);

        return transaction_set_state(transaction, set->name, set->data, set->size);
}

void object_store_set(ObjectStore *store, ObjectStoreSet *set) {
        assert(set->name[0] != '.');

        set->operation.apply = apply_set;
        environment_submit(store->environment, &set->operation);
}

int object_store_get_state(ObjectStore *store, const char *name, Buffer *ret) {
        assert(name[0] != '.');

        return environment_get_state(store->environment, name, ret);
}

static int open_uuid(ObjectStore *store) {
        ObjectStoreSet set = {
                .operation.apply = apply_set,
                .name = ".uuid",
                .data = store->uuid,
                .size = sizeof(store->uuid),
        };
        _cleanup_(buffer_done) Buffer buffer = {};
        int r;

        r = environment_get_state(store->environment, ".uuid", &buffer);
        if (r == -ENOENT) {
                if (getrandom(store->uuid, sizeof(store->uuid), 0) != sizeof(store->uuid))
                        return -errno;
                return environment_run(store->environment, &set.operation);
        }
        if (r < 0)
                return r;
        if (buffer.size != sizeof(store->uuid))
                return -EBADMSG;

        memcpy(store->uuid, buffer.data, sizeof(store->uuid));
        return 0;
}

static int store_new(uint64_t inline_max, ObjectStore **ret) {
        ObjectStore *store;

        store = calloc(1, sizeof(*store));
        if (!store)
                return -ENOMEM;

        store->inline_max = MIN(inline_max, INLINE_MAX);
        store->files_fd = -1;
        for (size_t i = 0; i < DIRECTORIES; i++)
                store->directory_fds[i] = -1;
        workers_init(&store->workers);
        (void) pthread_mutex_init(&store->claims_mutex, NULL);

        *ret = store;
        return 0;
}

int object_store_open(const ObjectStoreOptions *options, ObjectStore **ret) {
        _cleanup_(object_store_freep) ObjectStore *store = NULL;
        static const char *const required[] = { "state" DATABASE_SUFFIX, "objects" DATABASE_SUFFIX,
                                                OBJECTS_DIRECTORY, NULL };
        static const char *const others[] = { OBJECTS_DIRECTORY, NULL };
        EnvironmentHooks hooks = { .required = required,
                                   .others = others,
                                   .format = "objects 2",
                                   .older = "objects 1",
                                   .ending = object_save_reach,
                                   .ended = object_reach_ended,
                                   .flushed = on_flushed };
        int r;

        assert(options);
        assert(ret);

        r = store_new(options->inline_max, &store);
        if (r < 0)
                return r;

        hooks.userdata = store;
        r = environment_open(&options->environment, &hooks, &store->environment);
        if (r < 0)
                return r;

        r = environment_open_database(
                        store->environment, "objects" DATABASE_SUFFIX, &store->objects);
        if (r < 0)
                return r;

        store->environment->growing = store->objects;

        r = open_uuid(store);
        if (r < 0)
                return r;

        r = object_open_reach(store);
        if (r < 0)
                return r;

        r = object_files_open(store, store->environment->dir_fd);
        if (r < 0)
                return r;

        r = environment_seal(store->environment);
        if (r < 0)
                return r;

        r = workers_start(&store->workers, N_WORKERS);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(store);
        return 0;
}

ObjectStore *object_store_free(ObjectStore *store) {
        if (!store)
                return NULL;

        /* The committer may still find work for the workers, not the other way round. */
        if (store->environment)
                committer_stop(store->environment);
        workers_done(&store->workers);
        environment_free(store->environment);

        object_files_close(store);
        (void) pthread_mutex_destroy(&store->claims_mutex);
        free(store->deleted.items);
        free(store);
        return NULL;
}
