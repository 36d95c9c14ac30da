/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "core/key.h"
#include "store/disk/disk.h"
#include "store/environment/opening.h"
#include "store/index/dump.h"
#include "store/index/index-internal.h"
#include "store/index/rules.h"

/* So many entries are read under one lock. */
#define SLICE 256

void index_counters(Index *index, IndexCounters *ret) {
        atomic_uint_least64_t *counters = index->environment->counters;

        *ret = (IndexCounters){
                .keys = atomic_load(&counters[COUNTER_KEYS]),
                .bytes = atomic_load(&counters[COUNTER_BYTES]),
                .garbage = atomic_load(&counters[COUNTER_GARBAGE]),
        };
}

int index_get(Index *index, const char *key, Buffer *scratch, Record *ret) {
        uint64_t round;
        int r;

        environment_read_lock(index->environment);
        r = database_get(index->environment, index->records, key, strlen(key), scratch);
        round = durable_round_of_key(&index->durable, key);
        environment_read_unlock(index->environment);

        durable_wait(&index->durable, round);
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
        uint64_t round; /* that has to be flushed before what was read is told */

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
        scan->round = durable_round(&scan->index->durable);
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

        durable_wait(&index->durable, scan.round);
        return r == -ENOENT ? 0 : r;
}

bool index_is_stray(Index *index, uint64_t version, uint32_t volume) {
        _cleanup_(buffer_done) Buffer scratch = {};
        StrayKey key = stray_key(version, volume);
        int r;

        environment_read_lock(index->environment);
        r = database_get(index->environment, index->strays, &key, sizeof(key), &scratch);
        environment_read_unlock(index->environment);
        return r != -ENOENT;
}

/* Returns how many, or a negative errno if not even the first can be read. */
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

        return r < 0 && r != -ENOENT && n == 0 ? r : (int) n;
}

int index_garbage(Index *index, uint32_t volume, uint64_t due_usec, Garbage *ret, size_t max) {
        uint64_t round;
        Cursor cursor;
        int r;

        assert(max <= INT32_MAX);

        environment_read_lock(index->environment);
        r = cursor_open(index->environment, index->garbage, &cursor);
        if (r >= 0) {
                r = read_garbage(index, &cursor, volume, due_usec, ret, max);
                cursor_close(&cursor);
        }
        round = durable_round(&index->durable);
        environment_read_unlock(index->environment);

        if (r > 0)
                durable_wait(&index->durable, round);
        return r;
}

int index_get_state(Index *index, const char *name, Buffer *ret) {
        Environment *environment = index->environment;
        uint64_t round;
        int r;

        assert(name[0] != '.');

        environment_read_lock(environment);
        r = database_get(environment, environment->state, name, strlen(name), ret);
        round = durable_round(&index->durable);
        environment_read_unlock(environment);

        durable_wait(&index->durable, round);
        return r;
}

/* Reads from START to the end, or to what cannot be read. Leaves in START where to go on. */
static int load_dead_from(Index *index, Cursor *cursor, GarbageKey *start) {
        int r;

        for (r = cursor_seek(cursor, start, sizeof(*start)); r >= 0; r = cursor_next(cursor)) {
                uint32_t volume;
                uint64_t version;

                if (cursor->key.size != sizeof(*start))
                        return -EBADMSG;
                memcpy(start, cursor->key.data, sizeof(*start));
                volume = be32toh(start->volume);
                version = be64toh(start->version);
                if (!garbage_is_deadly(volume, version))
                        continue;

                r = dead_add(&index->dead, version);
                if (r < 0)
                        return r;
                dead_keep(&index->dead);
        }

        *start = garbage_key(be32toh(start->volume) + 1, 0, 0);
        return r;
}

/* What lies behind a damaged page is no danger to whoever becomes current: index_garbage() does not
 * find it either. */
static int load_dead(Index *index) {
        GarbageKey start = garbage_key(0, 0, 0);
        int r;

        do {
                Cursor cursor;

                r = cursor_open(index->environment, index->garbage, &cursor);
                if (r < 0)
                        return r;
                cursor_skip_values(&cursor);
                r = load_dead_from(index, &cursor, &start);
                cursor_close(&cursor);
        } while (r == -EBADMSG && be32toh(start.volume) <= VOLUME_MAX);

        return r == -ENOENT || r == -EBADMSG ? 0 : r;
}

static void on_ended(bool committed, void *userdata) {
        Index *index = userdata;

        if (committed) {
                dead_keep(&index->dead);
                marks_keep(&index->marks);
                damage_set_keep(&index->damage);
        } else {
                dead_undo(&index->dead);
                marks_undo(&index->marks);
                damage_set_undo(&index->damage);
        }
        index_bars_ended(index, committed);
        index_rollback_ended(index, committed);
}

static void on_flushed(void *userdata) {
        Index *index = userdata;

        durable_note_flush(&index->durable);
        if (!index->environment)
                return; /* it is being opened */

        atomic_store(&index->durable_revision,
                     atomic_load(&index->environment->counters[COUNTER_REVISION]));
}

static int open_databases(Index *index) {
        const struct {
                const char *name;
                DB **ret;
        } databases[] = {
                { "index" DATABASE_SUFFIX, &index->records },
                { "garbage" DATABASE_SUFFIX, &index->garbage },
                { "strays" DATABASE_SUFFIX, &index->strays },
                { "damage" DATABASE_SUFFIX, &index->damages },
        };
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(databases) && r >= 0; i++)
                r = environment_open_database(
                                index->environment, databases[i].name, databases[i].ret);
        return r;
}

static int open_environment(
                Index *index, const IndexOptions *options, const char *format, const char *older) {
        static const char *const required[] = { "state" DATABASE_SUFFIX, "index" DATABASE_SUFFIX,
                                                "garbage" DATABASE_SUFFIX, NULL };
        const EnvironmentHooks hooks = {
                .required = required,
                .format = format,
                .older = older,
                .upgrade = index_upgrade,
                .collected = index_on_collected,
                .ending = index_save_marks,
                .ended = on_ended,
                .flushed = on_flushed,
                .userdata = index,
        };
        const EnvironmentOptions environment_options = {
                .directory = options->directory,
                .cache_size = options->cache_size,
                .log_size = options->log_size,
                .checkpoint_size = options->checkpoint_size,
                .reserve_size = options->reserve_size,
                .before_done = options->before_done,
                .after_done = options->after_done,
                .on_progress = options->on_progress,
        };
        int r;

        r = environment_open(&environment_options, &hooks, &index->environment);
        return r < 0 ? r : open_databases(index);
}

int index_open_tables(
                const IndexOptions *options, const char *format, const char *older, Index **ret) {
        _cleanup_(index_freep) Index *index = NULL;
        int r;

        assert(options);
        assert(ret);

        index = calloc(1, sizeof(*index));
        if (!index)
                return -ENOMEM;
        damage_set_init(&index->damage);
        durable_init(&index->durable);

        r = open_environment(index, options, format, older);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(index);
        return 0;
}

int index_open_to_dump(const IndexOptions *options, Index **ret) {
        return index_open_tables(options, INDEX_FORMAT, INDEX_FORMAT_OLDER, ret);
}

/* What is kept in memory about the tables. */
static int load_all(Index *index) {
        int r;

        r = damage_load(index);
        if (r >= 0)
                r = index_adopt_strays(index);
        if (r >= 0)
                r = load_dead(index);
        if (r >= 0)
                r = index_load_bars(index);
        return r < 0 ? r : index_open_identity(index);
}

int index_open(const IndexOptions *options, Index **ret) {
        _cleanup_(index_freep) Index *index = NULL;
        int r;

        r = index_open_tables(options, INDEX_FORMAT, INDEX_FORMAT_OLDER, &index);
        if (r >= 0)
                r = load_all(index);
        if (r >= 0)
                r = environment_seal(index->environment);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(index);
        return 0;
}

Index *index_free(Index *index) {
        if (!index)
                return NULL;

        index_close_identity(index);
        environment_free(index->environment);
        dead_done(&index->dead);
        damage_set_done(&index->damage);
        durable_done(&index->durable);
        buffer_done(&index->current);
        free(index);
        return NULL;
}
