/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reads of the index. */

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "core/key.h"
#include "store/index/apply/garbage.h"
#include "store/index/engine/index-internal.h"
#include "store/index/index.h"
#include "store/index/move.h"
#include "store/index/wait.h"

/* So many entries are better read one by one than as a slice. */
#define FEW 16

void index_counters(Index *index, IndexCounters *ret) {
        atomic_uint_least64_t *counters = index->tables.environment->counters;

        *ret = (IndexCounters){
                .keys = atomic_load(&counters[COUNTER_KEYS]),
                .bytes = atomic_load(&counters[COUNTER_BYTES]),
                .garbage = atomic_load(&counters[COUNTER_GARBAGE]),
        };
}

/* RET_ROUND is set in any case: that there is nothing has to be durable, too. */
static int look_up(
                Index *index, const char *key, Buffer *scratch, Record *ret, uint64_t *ret_round) {
        int r;

        environment_read_lock(index->tables.environment);
        r = database_get(
                        index->tables.environment, index->tables.records, key, strlen(key),
                        scratch);
        *ret_round = durable_round_of_key(&index->tables.durable, key);
        environment_read_unlock(index->tables.environment);

        return r < 0 ? r : record_decode(scratch->data, scratch->size, key, ret);
}

int index_get(Index *index, const char *key, Buffer *scratch, Record *ret) {
        uint64_t round;
        int r;

        r = look_up(index, key, scratch, ret, &round);
        durable_wait(&index->tables.durable, round);
        return r;
}

static_assert(sizeof(DurableWait) <= sizeof(((IndexWait *) 0)->carrier));

static void on_flushed(DurableWait *durable_wait) {
        IndexWait *wait = CONTAINER_OF((void *) durable_wait, IndexWait, carrier);

        wait->done(wait, wait->result);
}

int index_get_or_wait(
                Index *index, const char *key, Buffer *scratch, Record *ret, IndexWait *wait) {
        DurableWait *durable_wait = (DurableWait *) (void *) &wait->carrier;
        uint64_t round;
        int r;

        r = look_up(index, key, scratch, ret, &round);

        durable_wait->flushed = on_flushed;
        wait->result = r;
        return durable_call(&index->tables.durable, round, durable_wait) ? -EAGAIN : r;
}

int index_get_now(Index *index, const char *key, Buffer *scratch, Record *ret) {
        uint64_t round;
        int r;

        r = look_up(index, key, scratch, ret, &round);
        return durable_is_flushed(&index->tables.durable, round) ? r : -EAGAIN;
}

typedef struct Scan {
        Index *index;
        const char *prefix;
        char position[KEY_MAX + 1];
        bool is_exclusive; /* the entry at POSITION itself is not meant */
        size_t left;
        uint64_t round; /* that has to be flushed before what was read is told */
        Slice slice;

        int (*on_entry)(const char *key, const Record *record, void *userdata);
        void *userdata;
} Scan;

/* Returns what on_entry() returned, or -ENOENT behind the last key with the prefix. */
static int scan_entry(Scan *scan, const DBT *key_dbt, const DBT *value) {
        char key[KEY_MAX + 1];
        Record record;
        int r;

        if (key_dbt->size > KEY_MAX)
                return -EBADMSG;

        memcpy(key, key_dbt->data, key_dbt->size);
        key[key_dbt->size] = '\0';

        if (strncmp(key, scan->prefix, strlen(scan->prefix)) != 0)
                return -ENOENT;
        if (scan->is_exclusive && strcmp(key, scan->position) == 0)
                return 0;

        r = record_decode(value->data, value->size, key, &record);
        if (r < 0)
                return r;

        memcpy(scan->position, key, key_dbt->size + 1);
        scan->is_exclusive = true;
        scan->left--;
        return scan->on_entry(key, &record, scan->userdata);
}

/* Reads some entries, one by one. Returns 0 if there may be more, else like scan_entry(). */
static int scan_few(Scan *scan) {
        Environment *environment = scan->index->tables.environment;
        size_t stop = scan->left - MIN(scan->left, (size_t) FEW);
        Cursor cursor;
        int r;

        environment_read_lock(environment);

        r = cursor_open(environment, scan->index->tables.records, &cursor);
        if (r < 0)
                goto unlock;

        r = cursor_seek(&cursor, scan->position, strlen(scan->position));
        while (r >= 0) {
                r = scan_entry(scan, &cursor.key, &cursor.value);
                if (r != 0 || scan->left == stop)
                        break;
                r = cursor_next(&cursor);
        }
        cursor_close(&cursor);

unlock:
        scan->round = durable_round(&scan->index->tables.durable);
        environment_read_unlock(environment);
        return r;
}

/* Reads a slice, and goes through it without the lock. Where a page of it is damaged, or an entry
 * is too long, each entry counts alone. Returns likewise. */
static int scan_slice(Scan *scan) {
        Tables *tables = &scan->index->tables;
        size_t before = scan->left;
        DBT key, value;
        int r;

        environment_read_lock(tables->environment);
        r = slice_read(tables->environment, tables->records, scan->position, strlen(scan->position),
                       &scan->slice);
        scan->round = durable_round(&tables->durable);
        environment_read_unlock(tables->environment);
        if (r < 0)
                return r == -ENOENT ? r : scan_few(scan);

        while (scan->left > 0 && slice_next(&scan->slice, &key, &value)) {
                r = scan_entry(scan, &key, &value);
                if (r != 0)
                        return r;
        }
        return scan->left < before ? 0 : scan_few(scan);
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
                r = scan.left > FEW ? scan_slice(&scan) : scan_few(&scan);
        slice_done(&scan.slice);

        durable_wait(&index->tables.durable, scan.round);
        return r == -ENOENT ? 0 : r;
}

bool index_is_surplus(Index *index, uint64_t version, uint32_t volume) {
        _cleanup_(buffer_done) Buffer scratch = {};
        SurplusKey key = surplus_key(version, volume);
        int r = -ENOENT;

        environment_read_lock(index->tables.environment);
        if (surplus_may_exist(&index->tables, volume))
                r = database_get(
                                index->tables.environment, index->tables.surplus, &key, sizeof(key),
                                &scratch);
        environment_read_unlock(index->tables.environment);
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

        environment_read_lock(index->tables.environment);
        r = cursor_open(index->tables.environment, index->tables.garbage, &cursor);
        if (r >= 0) {
                r = read_garbage(index, &cursor, volume, due_usec, ret, max);
                cursor_close(&cursor);
        }
        round = durable_round(&index->tables.durable);
        environment_read_unlock(index->tables.environment);

        if (r > 0)
                durable_wait(&index->tables.durable, round);
        return r;
}

int index_get_state(Index *index, const char *name, Buffer *ret) {
        Environment *environment = index->tables.environment;
        uint64_t round;
        int r;

        assert(name[0] != '.');

        environment_read_lock(environment);
        r = database_get(environment, environment->state, name, strlen(name), ret);
        round = durable_round(&index->tables.durable);
        environment_read_unlock(environment);

        durable_wait(&index->tables.durable, round);
        return r;
}

const IndexIdentity *index_identity(const Index *index) {
        return atomic_load(&index->identity.current);
}

uint64_t index_version_end(const Index *index) {
        return 2 * atomic_load(&index->versions.next);
}

uint64_t index_revision(const Index *index) {
        return atomic_load(&index->tables.durable_revision);
}

uint64_t index_mark(const Index *index, uint32_t volume) {
        return marks_get(&index->tables.marks, volume);
}
