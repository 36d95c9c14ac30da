/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "store/index/rules.h"
#include "store/index/tables.h"

GarbageKey garbage_key(uint32_t volume, uint64_t due_usec, uint64_t version) {
        return (GarbageKey){ htobe32(volume), htobe64(due_usec), htobe64(version) };
}

StrayKey stray_key(uint64_t version, uint32_t volume) {
        return (StrayKey){ htobe64(version), htobe32(volume) };
}

static int decode_current(Index *index, const char *key, int r, Record *ret) {
        if (r < 0)
                return r == -ENOENT ? 0 : r;

        r = record_decode(index->current.data, index->current.size, key, ret);
        return r < 0 ? r : 1;
}

int tables_get(Transaction *transaction, const char *key, Record *ret) {
        Index *index = index_of(transaction);
        int r;

        r = transaction_get(transaction, index->records, key, strlen(key), &index->current);
        return decode_current(index, key, r, ret);
}

int tables_peek(Transaction *transaction, const char *key, Record *ret) {
        Index *index = index_of(transaction);
        int r;

        r = database_get(index->environment, index->records, key, strlen(key), &index->current);
        return decode_current(index, key, r, ret);
}

int tables_put(Transaction *transaction, const char *key, const Record *record) {
        Index *index = index_of(transaction);
        Buffer *buffer = &transaction->scratch;

        buffer_clear(buffer);
        record_encode(record, key, buffer);
        if (buffer_error(buffer) < 0)
                return transaction_fail(transaction, buffer_error(buffer));

        for (size_t i = 0; i < record->n_copies; i++)
                marks_raise(&index->marks, record->copies[i], record->version, index->now_usec);

        durable_note_key(&index->durable, key);
        return transaction_put(
                        transaction, index->records, key, strlen(key), buffer->data, buffer->size);
}

int tables_delete(Transaction *transaction, const char *key) {
        Index *index = index_of(transaction);

        durable_note_key(&index->durable, key);
        return transaction_delete(transaction, index->records, key, strlen(key));
}

/* The counter is in memory and in the transaction. */
uint64_t tables_next_revision(Transaction *transaction) {
        transaction->counters[COUNTER_REVISION]++;
        return atomic_load(&transaction->environment->counters[COUNTER_REVISION]) +
               (uint64_t) transaction->counters[COUNTER_REVISION];
}

static int put_mark(Transaction *transaction, DB *database, const void *key, size_t key_size) {
        const uint8_t format = GARBAGE_FORMAT;

        return transaction_put(transaction, database, key, key_size, &format, sizeof(format));
}

int tables_add_garbage(
                Transaction *transaction, uint32_t volume, uint64_t due_usec, uint64_t version) {
        Index *index = index_of(transaction);
        GarbageKey key = garbage_key(volume, due_usec, version);
        int r;

        r = damage_clear(transaction, version, volume);
        if (r < 0)
                return r;

        r = transaction_get(transaction, index->garbage, &key, sizeof(key), &transaction->scratch);
        if (r != -ENOENT)
                return r;

        if (garbage_is_deadly(volume, version)) {
                r = dead_add(&index->dead, version);
                if (r < 0)
                        return transaction_fail(transaction, r);
        }

        transaction->counters[COUNTER_GARBAGE] += volume != INDEX_FENCES;
        return put_mark(transaction, index->garbage, &key, sizeof(key));
}

int tables_add_copies_to_garbage(
                Transaction *transaction, const Record *record, uint64_t due_usec) {
        int r = 0;

        for (size_t i = 0; i < record->n_copies && r >= 0; i++)
                r = tables_add_garbage(transaction, record->copies[i], due_usec, record->version);
        return r;
}

int tables_delete_garbage(Transaction *transaction, uint32_t volume, const Garbage *item) {
        Index *index = index_of(transaction);
        GarbageKey key = garbage_key(volume, item->due_usec, item->version);
        int r;

        r = transaction_delete(transaction, index->garbage, &key, sizeof(key));
        if (r < 0)
                return r == -ENOENT ? 0 : r;

        if (garbage_is_deadly(volume, item->version)) {
                r = dead_remove(&index->dead, item->version);
                if (r < 0)
                        return transaction_fail(transaction, r);
        }

        transaction->counters[COUNTER_GARBAGE] -= volume != INDEX_FENCES;
        return 1;
}

int tables_find_stray(Transaction *transaction, uint64_t version, uint32_t volume) {
        StrayKey key = stray_key(version, volume);
        int r;

        r = transaction_get(
                        transaction, index_of(transaction)->strays, &key, sizeof(key),
                        &transaction->scratch);
        return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

int tables_add_stray(
                Transaction *transaction, uint32_t volume, uint64_t due_usec, uint64_t version) {
        StrayKey key = stray_key(version, volume);
        int r;

        r = tables_find_stray(transaction, version, volume);
        if (r != 0)
                return MIN(r, 0);
        r = tables_add_garbage(transaction, volume, due_usec, version);
        if (r < 0)
                return r;
        return put_mark(transaction, index_of(transaction)->strays, &key, sizeof(key));
}

int tables_delete_stray(Transaction *transaction, uint64_t version, uint32_t volume) {
        StrayKey key = stray_key(version, volume);
        int r;

        r = transaction_delete(transaction, index_of(transaction)->strays, &key, sizeof(key));
        return r == -ENOENT ? 0 : r;
}
