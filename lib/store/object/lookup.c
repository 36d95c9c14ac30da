/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The object store: finding and reading objects. */

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "core/blocks.h"
#include "store/object/objects-internal.h"

/* So many objects are looked up under one lock. */
#define SLICE 64

int object_find(ObjectStore *store, uint64_t version, Buffer *scratch) {
        uint64_t key = object_key(version);
        int r;

        environment_read_lock(store->environment);
        r = database_get(store->environment, store->objects, &key, sizeof(key), scratch);
        environment_read_unlock(store->environment);

        return r;
}

/* Reads what the item, which is in SCRATCH, leads to. */
static int
read_item(ObjectStore *store, uint64_t version, const Item *item, Buffer *scratch, Encoded *ret) {
        if (!item->is_pointer) {
                *ret = (Encoded){ scratch->data, scratch->size };
                return 0;
        }

        return values_read(&store->values, version, item, scratch, ret);
}

/* Between the look-up and the reading the entry may have moved to another segment, and then the
 * first one may be gone: that the entry is damaged or missing counts only if it is still the one
 * that the item leads to. */
int object_read_encoded(ObjectStore *store, uint64_t version, Buffer *scratch, Encoded *ret) {
        LogPosition before = {};
        Item item;
        int r;

        for (;;) {
                r = object_find(store, version, scratch);
                if (r < 0)
                        return r;
                r = item_decode(scratch->data, scratch->size, &item);
                if (r < 0)
                        return r;

                r = read_item(store, version, &item, scratch, ret);
                if ((r != -ENODATA && r != -EBADMSG) ||
                    log_position_compare(item.place, before) == 0)
                        return r;
                before = item.place;
        }
}

int object_read(ObjectStore *store, uint64_t version, Buffer *scratch, Object *ret) {
        Encoded encoded;
        int r;

        r = object_read_encoded(store, version, scratch, &encoded);
        if (r < 0)
                return r;

        r = object_decode(encoded.data, encoded.size, ret);
        if (r < 0)
                return r;

        return ret->record.version == version ? 0 : -EBADMSG;
}

int object_store_key(ObjectStore *store, uint64_t version, Buffer *ret) {
        _cleanup_(buffer_done) Buffer scratch = {};
        Object object;
        int r;

        r = object_read(store, version, &scratch, &object);
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

        r = object_read(store, version, scratch, &object);
        if (r < 0)
                return r;

        if (object.is_inline)
                r = object_verify(&object);
        else
                r = fd = open_value(store, &object);
        if (r == -ENOENT) {
                /* The file is gone: has the object been deleted meanwhile? */
                r = object_read(store, version, scratch, &object);
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

int object_store_scan(
                ObjectStore *store,
                uint64_t after,
                size_t limit,
                int (*on_object)(const Object *object, void *userdata),
                void *userdata) {
        _cleanup_(buffer_done) Buffer scratch = {};
        uint64_t versions[SLICE];
        int n = SLICE, r;

        while (n == SLICE && limit > 0) {
                n = object_store_versions(store, after, versions, MIN(limit, (size_t) SLICE));
                for (int i = 0; i < n; i++) {
                        Object object;

                        after = versions[i];
                        r = object_read(store, after, &scratch, &object);
                        if (r == -ENOENT)
                                continue; /* deleted since */
                        if (r >= 0)
                                r = on_object(&object, userdata);
                        if (r != 0)
                                return r;
                        limit--;
                }
        }

        return MIN(n, 0);
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
