/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "core/key.h"
#include "store/disk.h"
#include "store/index-internal.h"

/* So many entries are read under one lock. */
#define SLICE 256

Environment *index_environment(Index *index) {
        return index->environment;
}

void index_counters(Index *index, IndexCounters *ret) {
        atomic_uint_least64_t *counters = index->environment->counters;

        *ret = (IndexCounters){
                .keys = atomic_load(&counters[COUNTER_KEYS]),
                .bytes = atomic_load(&counters[COUNTER_BYTES]),
                .garbage = atomic_load(&counters[COUNTER_GARBAGE]),
        };
}

int index_get(Index *index, const char *key, Buffer *scratch, Record *ret) {
        int r;

        environment_read_lock(index->environment);
        r = database_get(index->environment, index->records, key, strlen(key), scratch);
        environment_read_unlock(index->environment);
        if (r < 0)
                return r;

        return record_decode(scratch->data, scratch->size, key, ret);
}

typedef struct Scan {
        Index *index;
        const char *prefix;
        char position[KEY_MAX + 1];
        bool is_exclusive; /* the entry at POSITION itself is not meant */
        size_t left;

        int (*on_entry)(const char *key, const Record *record, void *userdata);
        void *userdata;
} Scan;

/* Returns what on_entry() returned, or -ENOENT behind the last key with the prefix. */
static int scan_entry(Scan *scan, const Cursor *cursor) {
        char key[KEY_MAX + 1];
        Record record;
        int r;

        if (cursor->key.size > KEY_MAX)
                return -EBADMSG;

        memcpy(key, cursor->key.data, cursor->key.size);
        key[cursor->key.size] = '\0';

        if (strncmp(key, scan->prefix, strlen(scan->prefix)) != 0)
                return -ENOENT;
        if (scan->is_exclusive && strcmp(key, scan->position) == 0)
                return 0;

        r = record_decode(cursor->value.data, cursor->value.size, key, &record);
        if (r < 0)
                return r;

        memcpy(scan->position, key, cursor->key.size + 1);
        scan->is_exclusive = true;
        scan->left--;
        return scan->on_entry(key, &record, scan->userdata);
}

/* Reads one slice. Returns 0 if there may be more, else like scan_entry(). */
static int scan_slice(Scan *scan) {
        Environment *environment = scan->index->environment;
        size_t stop = scan->left - MIN(scan->left, (size_t) SLICE);
        Cursor cursor;
        int r;

        environment_read_lock(environment);

        r = cursor_open(environment, scan->index->records, &cursor);
        if (r < 0)
                goto unlock;

        r = cursor_seek(&cursor, scan->position, strlen(scan->position));
        while (r >= 0) {
                r = scan_entry(scan, &cursor);
                if (r != 0 || scan->left == stop)
                        break;
                r = cursor_next(&cursor);
        }
        cursor_close(&cursor);

unlock:
        environment_read_unlock(environment);
        return r;
}

int index_scan(Index *index,
               const char *prefix,
               const char *after,
               size_t limit,
               int (*on_entry)(const char *key, const Record *record, void *userdata),
               void *userdata) {
        Scan scan = {
                .index = index,
                .prefix = prefix,
                .is_exclusive = strcmp(after, prefix) >= 0,
                .left = limit,
                .on_entry = on_entry,
                .userdata = userdata,
        };
        const char *start = scan.is_exclusive ? after : prefix;
        int r = 0;

        if (strlen(start) > KEY_MAX)
                return 0; /* there are no such keys, and no key follows that has the prefix */

        memcpy(scan.position, start, strlen(start) + 1);
        while (r == 0 && scan.left > 0)
                r = scan_slice(&scan);

        return r == -ENOENT ? 0 : r;
}

GarbageKey garbage_key(uint32_t volume, uint64_t due_usec, uint64_t version) {
        return (GarbageKey){ htobe32(volume), htobe64(due_usec), htobe64(version) };
}

/* Returns how many, or a negative errno. */
static int read_garbage(
                Index *index,
                Cursor *cursor,
                uint32_t volume,
                uint64_t due_usec,
                Garbage *ret,
                size_t max) {
        GarbageKey start = garbage_key(volume, 0, 0);
        size_t n = 0;
        int r;

        for (r = cursor_seek(cursor, &start, sizeof(start)); r >= 0 && n < max;
             r = cursor_next(cursor)) {
                GarbageKey key;

                if (cursor->key.size != sizeof(key))
                        return -EBADMSG;
                memcpy(&key, cursor->key.data, sizeof(key));
                if (be32toh(key.volume) != volume || be64toh(key.due_usec) > due_usec)
                        break;

                ret[n++] = (Garbage){ be64toh(key.due_usec), be64toh(key.version) };
        }

        return r < 0 && r != -ENOENT ? r : (int) n;
}

int index_garbage(Index *index, uint32_t volume, uint64_t due_usec, Garbage *ret, size_t max) {
        Cursor cursor;
        int r;

        assert(max <= INT32_MAX);

        environment_read_lock(index->environment);
        r = cursor_open(index->environment, index->garbage, &cursor);
        if (r >= 0) {
                r = read_garbage(index, &cursor, volume, due_usec, ret, max);
                cursor_close(&cursor);
        }
        environment_read_unlock(index->environment);

        return r;
}

int index_get_state(Index *index, const char *name, Buffer *ret) {
        assert(name[0] != '.');

        return environment_get_state(index->environment, name, ret);
}

static int apply_extend(Operation *operation, Transaction *transaction) {
        Versions *versions = CONTAINER_OF(operation, Versions, extend);
        uint64_t end = htole64(versions->new_end);

        return transaction_set_state(transaction, ".versions", &end, sizeof(end));
}

static void on_extended(Operation *operation, int result) {
        Versions *versions = CONTAINER_OF(operation, Versions, extend);

        if (result >= 0)
                atomic_store(&versions->end, versions->new_end);
        atomic_store(&versions->is_extending, false);
}

uint64_t index_next_version(Index *index) {
        Versions *versions = &index->versions;
        uint64_t version = atomic_fetch_add(&versions->next, 1);

        for (;;) {
                uint64_t end = atomic_load(&versions->end);

                if (version + VERSIONS_LOW >= end &&
                    !atomic_exchange(&versions->is_extending, true)) {
                        versions->new_end = atomic_load(&versions->end) + VERSIONS_BLOCK;
                        environment_submit(index->environment, &versions->extend);
                }
                if (version < end)
                        return version;

                /* Half a million versions went by while the disk flushed once. */
                (void) usleep(USEC_PER_MSEC);
        }
}

/* Starts where the last run cannot have been. */
static int open_versions(Index *index) {
        Versions *versions = &index->versions;
        _cleanup_(buffer_done) Buffer buffer = {};
        uint64_t next = 1;
        int r;

        r = environment_get_state(index->environment, ".versions", &buffer);
        if (r < 0 && r != -ENOENT)
                return r;
        if (r >= 0) {
                Reader reader = READER(buffer.data, buffer.size);

                next = reader_get_u64(&reader);
                if (reader_end(&reader) < 0)
                        return -EBADMSG;
        }

        versions->extend = (Operation){ .apply = apply_extend, .done = on_extended };
        versions->new_end = next + VERSIONS_BLOCK;
        r = environment_run(index->environment, &versions->extend);
        if (r < 0)
                return r;

        atomic_store(&versions->next, next);
        atomic_store(&versions->end, versions->new_end);
        return 0;
}

int fences_add(Fences *fences, uint64_t version) {
        size_t i = fences->n;

        if (fences_contain(fences, version))
                return 0;

        if (fences->n == fences->allocated) {
                size_t allocated = MAX(fences->allocated * 2, (size_t) 64);
                uint64_t *versions = realloc(fences->versions, allocated * sizeof(*versions));

                if (!versions)
                        return -ENOMEM;
                fences->versions = versions;
                fences->allocated = allocated;
        }

        /* New ones are mostly the greatest. */
        for (; i > 0 && fences->versions[i - 1] > version; i--)
                fences->versions[i] = fences->versions[i - 1];
        fences->versions[i] = version;
        fences->n++;
        return 0;
}

bool fences_contain(const Fences *fences, uint64_t version) {
        size_t low = 0, high = fences->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (fences->versions[middle] == version)
                        return true;
                if (fences->versions[middle] < version)
                        low = middle + 1;
                else
                        high = middle;
        }

        return false;
}

/* Reads the fenced versions back. */
static int load_fences(Index *index) {
        GarbageKey key = garbage_key(FENCE_VOLUME, 0, 0);
        Cursor cursor;
        int r;

        r = cursor_open(index->environment, index->garbage, &cursor);
        if (r < 0)
                return r;

        for (r = cursor_seek(&cursor, &key, sizeof(key)); r >= 0; r = cursor_next(&cursor)) {
                if (cursor.key.size != sizeof(key)) {
                        r = -EBADMSG;
                        break;
                }
                memcpy(&key, cursor.key.data, sizeof(key));
                if (be32toh(key.volume) != FENCE_VOLUME)
                        break;

                r = fences_add(&index->fences, be64toh(key.version));
                if (r < 0)
                        break;
        }
        cursor_close(&cursor);

        return r == -ENOENT ? 0 : MIN(r, 0);
}

int index_open(const EnvironmentOptions *options, Index **ret) {
        _cleanup_(index_freep) Index *index = NULL;
        EnvironmentHooks hooks = { .format = "index 1" };
        int r;

        assert(options);
        assert(ret);

        index = calloc(1, sizeof(*index));
        if (!index)
                return -ENOMEM;

        hooks.userdata = index;
        r = environment_open(options, &hooks, &index->environment);
        if (r < 0)
                return r;

        r = environment_open_database(index->environment, "index" DATABASE_SUFFIX, &index->records);
        if (r < 0)
                return r;

        r = environment_open_database(
                        index->environment, "garbage" DATABASE_SUFFIX, &index->garbage);
        if (r < 0)
                return r;

        r = load_fences(index);
        if (r < 0)
                return r;

        r = open_versions(index);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(index);
        return 0;
}

Index *index_free(Index *index) {
        if (!index)
                return NULL;

        environment_free(index->environment);
        free(index->fences.versions);
        buffer_done(&index->current);
        free(index);
        return NULL;
}
