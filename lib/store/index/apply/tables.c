/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "store/disk/disk.h"
#include "store/environment/opening.h"
#include "store/index/apply/tables.h"

#define FENCES_STATE ".barred"
#define MARKS_STATE  ".marks"

void tables_init(Tables *tables) {
        damage_set_init(&tables->damage);
        durable_init(&tables->durable);
}

void tables_done(Tables *tables) {
        dead_done(&tables->dead);
        damage_set_done(&tables->damage);
        durable_done(&tables->durable);
        buffer_done(&tables->current);
}

int tables_open(Tables *tables) {
        const struct {
                const char *name;
                DB **ret;
        } databases[] = {
                { "index" DATABASE_SUFFIX, &tables->records },
                { "garbage" DATABASE_SUFFIX, &tables->garbage },
                { "strays" DATABASE_SUFFIX, &tables->surplus },
                { "damage" DATABASE_SUFFIX, &tables->damages },
        };
        Environment *environment = tables->environment;
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(databases) && r >= 0; i++)
                r = environment_open_database(environment, databases[i].name, databases[i].ret);
        if (r < 0)
                return r;

        /* An overwrite leaves garbage: a free page for records alone is no room. */
        environment->growing[0] = tables->records;
        environment->growing[1] = tables->garbage;
        return 0;
}

static int load_marks(Tables *tables) {
        _cleanup_(buffer_done) Buffer buffer = {};
        int r;

        r = environment_get_state(tables->environment, MARKS_STATE, &buffer);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        return marks_decode(&tables->marks, buffer.data, buffer.size);
}

static int load_fences(Tables *tables) {
        _cleanup_(buffer_done) Buffer buffer = {};
        int r;

        r = environment_get_state(tables->environment, FENCES_STATE, &buffer);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        return fenced_decode(&tables->fences, buffer.data, buffer.size);
}

int tables_load(Tables *tables) {
        int r;

        r = load_fences(tables);
        return r < 0 ? r : load_marks(tables);
}

int tables_ending(Transaction *transaction, void *userdata) {
        Marks *marks = &tables_of(transaction)->marks;
        Buffer *scratch = &transaction->scratch;

        if (!marks_have_changed(marks))
                return 0;

        buffer_clear(scratch);
        marks_encode(marks, scratch);
        if (buffer_error(scratch) < 0)
                return transaction_fail(transaction, buffer_error(scratch));
        return transaction_set_state(transaction, MARKS_STATE, scratch->data, scratch->size);
}

void tables_ended(bool committed, void *userdata) {
        Tables *tables = userdata;

        if (committed) {
                dead_keep(&tables->dead);
                marks_keep(&tables->marks);
                damage_set_keep(&tables->damage);
                fenced_keep(&tables->fences);
                tables->rollback.committed = tables->rollback.now;
        } else {
                dead_undo(&tables->dead);
                marks_undo(&tables->marks);
                damage_set_undo(&tables->damage);
                fenced_undo(&tables->fences);
                tables->rollback.now = tables->rollback.committed;
        }
}

void tables_note_durable(Tables *tables) {
        atomic_store(&tables->durable_revision,
                     atomic_load(&tables->environment->counters[COUNTER_REVISION]));
}

void tables_flushed(void *userdata) {
        Tables *tables = userdata;

        durable_note_flush(&tables->durable);
        if (tables->environment) /* or it is being opened */
                tables_note_durable(tables);
}

static int decode_current(Tables *tables, const char *key, int r, Record *ret) {
        if (r < 0)
                return r == -ENOENT ? 0 : r;

        r = record_decode(tables->current.data, tables->current.size, key, ret);
        return r < 0 ? r : 1;
}

void tables_release(Tables *tables) {
        place_close(&tables->place);
        tables->key = NULL;
}

int tables_get(Transaction *transaction, const char *key, Record *ret) {
        Tables *tables = tables_of(transaction);
        int r;

        tables_release(tables);
        r = transaction_find(
                        transaction, tables->records, key, strlen(key), &tables->current,
                        &tables->place);
        if (r >= 0)
                tables->key = key;
        return decode_current(tables, key, r, ret);
}

int tables_peek(Transaction *transaction, const char *key, Record *ret) {
        Tables *tables = tables_of(transaction);
        int r;

        r = database_get(tables->environment, tables->records, key, strlen(key), &tables->current);
        if (r < 0 && r != -ENOENT && tables->is_strict)
                return transaction_fail(transaction, r);
        return decode_current(tables, key, r, ret);
}

int tables_put(Transaction *transaction, const char *key, const Record *record) {
        Tables *tables = tables_of(transaction);
        Buffer *buffer = &transaction->scratch;

        buffer_clear(buffer);
        record_encode(record, key, buffer);
        if (buffer_error(buffer) < 0)
                return transaction_fail(transaction, buffer_error(buffer));

        for (size_t i = 0; i < record->n_copies; i++)
                marks_raise(&tables->marks, record->copies[i], record->version, tables->now_usec);

        durable_note_key(&tables->durable, key);
        if (tables->key && strcmp(tables->key, key) == 0)
                return place_replace(transaction, &tables->place, buffer->data, buffer->size);
        return transaction_put(
                        transaction, tables->records, key, strlen(key), buffer->data, buffer->size);
}

int tables_delete(Transaction *transaction, const char *key) {
        Tables *tables = tables_of(transaction);

        tables_release(tables);
        durable_note_key(&tables->durable, key);
        return transaction_delete(transaction, tables->records, key, strlen(key));
}

/* The counter is in memory and in the transaction. */
uint64_t tables_next_revision(Transaction *transaction) {
        transaction->counters[COUNTER_REVISION]++;
        return atomic_load(&transaction->environment->counters[COUNTER_REVISION]) +
               (uint64_t) transaction->counters[COUNTER_REVISION];
}

int tables_set_fences(Transaction *transaction, const uint32_t volumes[], size_t n) {
        Buffer *scratch = &transaction->scratch;

        buffer_clear(scratch);
        fenced_encode(volumes, n, scratch);
        if (buffer_error(scratch) < 0)
                return transaction_fail(transaction, buffer_error(scratch));

        fenced_set(&tables_of(transaction)->fences, volumes, n);
        return transaction_set_state(
                        transaction, FENCES_STATE, n > 0 ? scratch->data : NULL, scratch->size);
}
