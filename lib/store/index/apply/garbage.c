/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "store/index/apply/damage.h"
#include "store/index/apply/garbage.h"
#include "store/index/apply/rules.h"

/* So many entries are read at a time, since none may be deleted under a cursor. */
#define SLICE 256

GarbageKey garbage_key(uint32_t volume, uint64_t due_usec, uint64_t version) {
        return (GarbageKey){ htobe32(volume), htobe64(due_usec), htobe64(version) };
}

SurplusKey surplus_key(uint64_t version, uint32_t volume) {
        return (SurplusKey){ htobe64(version), htobe32(volume) };
}

void surplus_note(Tables *tables, uint32_t volume) {
        if (!surplus_may_exist(tables, volume))
                (void) atomic_fetch_or(
                                &tables->surplus_volumes[volume / 64], UINT64_C(1) << volume % 64);
}

bool surplus_may_exist(const Tables *tables, uint32_t volume) {
        if (volume > VOLUME_MAX)
                return true;
        return atomic_load(&tables->surplus_volumes[volume / 64]) >> volume % 64 & 1;
}

/* Reads from START to the end, or to what cannot be read. Leaves in START where to go on. */
static int load_dead_from(Tables *tables, Cursor *cursor, GarbageKey *start) {
        int r;

        for (r = cursor_seek(cursor, start, sizeof(*start)); r >= 0; r = cursor_next(cursor)) {
                uint32_t volume;
                uint64_t version;

                if (cursor->key.size != sizeof(*start))
                        return -EBADMSG;
                memcpy(start, cursor->key.data, sizeof(*start));
                volume = be32toh(start->volume);
                version = be64toh(start->version);
                surplus_note(tables, volume); /* each surplus copy is garbage, too */
                if (!garbage_is_deadly(volume, version))
                        continue;

                r = dead_add(&tables->dead, version);
                if (r < 0)
                        return r;
                dead_keep(&tables->dead);
        }

        *start = garbage_key(be32toh(start->volume) + 1, 0, 0);
        return r;
}

/* What lies behind a damaged page is no danger to a version that becomes current: index_garbage()
 * does not find it either. */
int garbage_load(Tables *tables) {
        GarbageKey start = garbage_key(0, 0, 0);
        int r = 0;

        do {
                Cursor cursor;

                if (r == -EBADMSG) /* what was there is unknown */
                        for (uint32_t volume = 0; volume <= VOLUME_MAX; volume++)
                                surplus_note(tables, volume);
                r = cursor_open(tables->environment, tables->garbage, &cursor);
                if (r < 0)
                        return r;
                cursor_skip_values(&cursor);
                r = load_dead_from(tables, &cursor, &start);
                cursor_close(&cursor);
        } while (r == -EBADMSG && !tables->is_strict && be32toh(start.volume) <= VOLUME_MAX);

        return r == -ENOENT || (r == -EBADMSG && !tables->is_strict) ? 0 : r;
}

/* Returns 1, 0 if it is there already, or a negative errno. */
static int add_mark(Transaction *transaction, DB *database, const void *key, size_t key_size) {
        const uint8_t format = GARBAGE_FORMAT;
        int r;

        r = transaction_insert(transaction, database, key, key_size, &format, sizeof(format));
        return r == -EEXIST ? 0 : r < 0 ? r : 1;
}

int garbage_add(Transaction *transaction, uint32_t volume, uint64_t due_usec, uint64_t version) {
        Tables *tables = tables_of(transaction);
        GarbageKey key = garbage_key(volume, due_usec, version);
        int r;

        r = damage_clear(transaction, version, volume);
        if (r < 0)
                return r;

        r = add_mark(transaction, tables->garbage, &key, sizeof(key));
        if (r <= 0)
                return r;

        if (garbage_is_deadly(volume, version)) {
                r = dead_add(&tables->dead, version);
                if (r < 0)
                        return transaction_fail(transaction, r);
        }

        transaction->counters[COUNTER_GARBAGE] += volume != INDEX_TOMBSTONES;
        return 0;
}

int garbage_add_copies(Transaction *transaction, const Record *record, uint64_t due_usec) {
        int r = 0;

        for (size_t i = 0; i < record->n_copies && r >= 0; i++)
                r = garbage_add(transaction, record->copies[i], due_usec, record->version);
        return r;
}

int garbage_delete(Transaction *transaction, uint32_t volume, const Garbage *item) {
        Tables *tables = tables_of(transaction);
        GarbageKey key = garbage_key(volume, item->due_usec, item->version);
        int r;

        r = transaction_delete(transaction, tables->garbage, &key, sizeof(key));
        if (r < 0)
                return r == -ENOENT ? 0 : r;

        if (garbage_is_deadly(volume, item->version)) {
                r = dead_remove(&tables->dead, item->version);
                if (r < 0)
                        return transaction_fail(transaction, r);
        }

        transaction->counters[COUNTER_GARBAGE] -= volume != INDEX_TOMBSTONES;
        return 1;
}

int surplus_find(Transaction *transaction, uint64_t version, uint32_t volume) {
        SurplusKey key = surplus_key(version, volume);
        int r;

        if (!surplus_may_exist(tables_of(transaction), volume))
                return 0;

        r = transaction_get(
                        transaction, tables_of(transaction)->surplus, &key, sizeof(key),
                        &transaction->scratch);
        return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

int surplus_add(Transaction *transaction, uint32_t volume, uint64_t due_usec, uint64_t version) {
        SurplusKey key = surplus_key(version, volume);
        int r;

        surplus_note(tables_of(transaction), volume);
        r = add_mark(transaction, tables_of(transaction)->surplus, &key, sizeof(key));
        return r <= 0 ? r : garbage_add(transaction, volume, due_usec, version);
}

int surplus_delete(Transaction *transaction, uint64_t version, uint32_t volume) {
        SurplusKey key = surplus_key(version, volume);
        int r;

        r = transaction_delete(transaction, tables_of(transaction)->surplus, &key, sizeof(key));
        return r == -ENOENT ? 0 : r;
}

/* Reads the first keys of a database, all of KEY_SIZE bytes. Returns how many. */
static int read_keys(Environment *environment, DB *database, void *keys, size_t key_size) {
        uint8_t *end = keys;
        Cursor cursor;
        int n = 0, r;

        r = cursor_open(environment, database, &cursor);
        if (r < 0)
                return r;

        cursor_skip_values(&cursor);
        for (r = cursor_seek(&cursor, "", 0); r >= 0 && n < SLICE; r = cursor_next(&cursor)) {
                if (cursor.key.size != key_size) {
                        r = -EBADMSG;
                        break;
                }
                memcpy(end, cursor.key.data, key_size);
                end += key_size;
                n++;
        }
        cursor_close(&cursor);
        return r < 0 && r != -ENOENT ? r : n;
}

static int forget_garbage(Transaction *transaction) {
        Tables *tables = tables_of(transaction);
        GarbageKey keys[SLICE];
        int n, r;

        while ((n = read_keys(tables->environment, tables->garbage, keys, sizeof(*keys))) > 0)
                for (int i = 0; i < n; i++) {
                        uint32_t volume = be32toh(keys[i].volume);
                        uint64_t version = be64toh(keys[i].version);

                        r = transaction_delete(
                                        transaction, tables->garbage, keys + i, sizeof(*keys));
                        if (r >= 0 && garbage_is_deadly(volume, version))
                                r = dead_remove(&tables->dead, version);
                        if (r < 0)
                                return r;
                        transaction->counters[COUNTER_GARBAGE] -= volume != INDEX_TOMBSTONES;
                }
        return n;
}

static int forget_surplus(Transaction *transaction) {
        Tables *tables = tables_of(transaction);
        SurplusKey keys[SLICE];
        int n, r;

        while ((n = read_keys(tables->environment, tables->surplus, keys, sizeof(*keys))) > 0)
                for (int i = 0; i < n; i++) {
                        r = transaction_delete(
                                        transaction, tables->surplus, keys + i, sizeof(*keys));
                        if (r < 0)
                                return r;
                }
        return n;
}

int garbage_forget_all(Transaction *transaction) {
        int r;

        r = forget_garbage(transaction);
        return r < 0 ? r : forget_surplus(transaction);
}
