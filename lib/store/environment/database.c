/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "store/environment/database.h"
#include "store/format/page.h"

#define STATE_FORMAT 1

/* Room for most values; a second search of the tree costs more than unused memory. */
#define FIRST_TRY (4 * KIB)

/* Of a slice; so much is copied under the read lock. */
#define SLICE_SIZE ((uint32_t) (64 * KIB))

static DBT input(const void *data, size_t size) {
        return (DBT){ .data = (void *) data, .size = (uint32_t) size };
}

static int reserve(Buffer *buffer, size_t size) {
        uint8_t *data;

        if (size <= buffer->allocated)
                return 0;

        data = realloc(buffer->data, size);
        if (!data)
                return -ENOMEM;

        buffer->data = data;
        buffer->allocated = size;
        return 0;
}

/* Reads by a cursor, or if there is none by a search of its own. */
static int read_value(Environment *environment, DB *database, DBC *dbc, DBT *key, Buffer *scratch) {
        DBT value = { .flags = DB_DBT_USERMEM };
        int r;

        do {
                r = reserve(scratch, MAX((size_t) value.size, (size_t) FIRST_TRY));
                if (r < 0)
                        return r;
                value.data = scratch->data;
                value.ulen = (uint32_t) MIN(scratch->allocated, (size_t) UINT32_MAX);
                r = dbc ? dbc->get(dbc, key, &value, DB_SET)
                        : database->get(database, NULL, key, &value, 0);
        } while (r == DB_BUFFER_SMALL);

        r = environment_error(environment, r);
        if (r < 0)
                return r;

        scratch->size = value.size;
        scratch->error = 0;
        return 0;
}

int database_get(
                Environment *environment,
                DB *database,
                const void *key,
                size_t key_size,
                Buffer *scratch) {
        DBT key_dbt = input(key, key_size);

        return read_value(environment, database, NULL, &key_dbt, scratch);
}

int cursor_open(Environment *environment, DB *database, Cursor *ret) {
        DBC *dbc;
        int r;

        r = environment_error(environment, database->cursor(database, NULL, &dbc, 0));
        if (r < 0)
                return r;

        *ret = (Cursor){
                .environment = environment,
                .dbc = dbc,
                .key.flags = DB_DBT_REALLOC,
                .value.flags = DB_DBT_REALLOC,
        };
        return 0;
}

void cursor_close(Cursor *cursor) {
        if (cursor->dbc)
                (void) cursor->dbc->close(cursor->dbc);
        free(cursor->key.data);
        free(cursor->value.data);
        *cursor = (Cursor){};
}

void cursor_skip_values(Cursor *cursor) {
        cursor->value.flags |= DB_DBT_PARTIAL;
        cursor->value.doff = cursor->value.dlen = 0;
}

static int cursor_step(Cursor *cursor, uint32_t flags) {
        int r;

        r = cursor->dbc->get(cursor->dbc, &cursor->key, &cursor->value, flags);
        return environment_error(cursor->environment, r);
}

int cursor_seek(Cursor *cursor, const void *key, size_t key_size) {
        void *data;

        /* The DBT is input and output, and what comes out may need another allocation. */
        data = realloc(cursor->key.data, MAX(key_size, (size_t) 1));
        if (!data)
                return -ENOMEM;

        memcpy(data, key, key_size);
        cursor->key.data = data;
        cursor->key.size = (uint32_t) key_size;
        return cursor_step(cursor, DB_SET_RANGE);
}

int cursor_next(Cursor *cursor) {
        return cursor_step(cursor, DB_NEXT);
}

int cursor_last(Cursor *cursor) {
        return cursor_step(cursor, DB_LAST);
}

int slice_read(Environment *environment,
               DB *database,
               const void *key,
               size_t key_size,
               Slice *slice) {
        DBT key_dbt = input(key, key_size);
        DBC *dbc;
        int r;

        if (!slice->data.data) {
                slice->data = (DBT){ .ulen = SLICE_SIZE, .flags = DB_DBT_USERMEM };
                slice->data.data = malloc(SLICE_SIZE);
                if (!slice->data.data)
                        return -ENOMEM;
        }
        slice->position = NULL;

        r = environment_error(environment, database->cursor(database, NULL, &dbc, 0));
        if (r < 0)
                return r;

        r = dbc->get(dbc, &key_dbt, &slice->data, DB_SET_RANGE | DB_MULTIPLE_KEY);
        (void) dbc->close(dbc);
        if (r == 0)
                DB_MULTIPLE_INIT(slice->position, &slice->data);
        return environment_error(environment, r);
}

void slice_done(Slice *slice) {
        free(slice->data.data);
        *slice = (Slice){};
}

bool slice_next(Slice *slice, DBT *ret_key, DBT *ret_value) {
        DBT key = {}, value = {};

        if (!slice->position)
                return false;

        DB_MULTIPLE_KEY_NEXT(
                        slice->position, &slice->data, key.data, key.size, value.data, value.size);
        if (!slice->position)
                return false;

        *ret_key = key;
        *ret_value = value;
        return true;
}

/* Reads the meta page, which knows about all pages, on the disk or not. */
static int read_extent(Environment *environment, DB *database, PageExtent *ret) {
        DB_MPOOLFILE *pages = database->get_mpf(database);
        db_pgno_t meta_number = 0;
        void *meta;
        int r;

        r = environment_error(environment, pages->get(pages, &meta_number, NULL, 0, &meta));
        if (r < 0)
                return r;

        *ret = page_extent(meta);
        (void) pages->put(pages, meta, DB_PRIORITY_UNCHANGED, 0);
        return 0;
}

uint64_t databases_room(Environment *environment, DB *const databases[]) {
        uint64_t available, size = 0, room;
        bool has_free = true;

        /* A disk that cannot be asked will say so when it is written to. */
        if (environment_free_space(environment, &available, NULL) < 0)
                return UINT64_MAX;

        for (; *databases; databases++) {
                PageExtent extent;
                const char *name;
                struct stat st;

                if (read_extent(environment, *databases, &extent) < 0 ||
                    (*databases)->get_dbname(*databases, &name, NULL) != 0 ||
                    fstatat(environment->dir_fd, name, &st, 0) < 0)
                        return UINT64_MAX;
                available += (uint64_t) st.st_blocks * 512;
                size += extent.size;
                has_free = has_free && extent.has_free;
        }

        room = available > size ? available - size : 0;
        return has_free ? MAX(room, UINT64_C(1)) : room;
}

int transaction_fail(Transaction *transaction, int error) {
        if (transaction->error >= 0)
                transaction->error = error;
        return error;
}

static int note_error(Transaction *transaction, int r) {
        return r < 0 && r != -ENOENT ? transaction_fail(transaction, r) : r;
}

int transaction_get(
                Transaction *transaction,
                DB *database,
                const void *key,
                size_t key_size,
                Buffer *scratch) {
        return note_error(
                        transaction,
                        database_get(transaction->environment, database, key, key_size, scratch));
}

int transaction_find(
                Transaction *transaction,
                DB *database,
                const void *key,
                size_t key_size,
                Buffer *scratch,
                Place *ret) {
        Environment *environment = transaction->environment;
        Place place = { .key_size = key_size };
        DBT key_dbt = input(key, key_size);
        int r;

        r = environment_error(
                        environment, database->cursor(database, transaction->txn, &place.dbc, 0));
        if (r < 0)
                return note_error(transaction, r);

        r = read_value(environment, database, place.dbc, &key_dbt, scratch);
        if (r < 0) {
                place_close(&place);
                return note_error(transaction, r);
        }
        *ret = place;
        return 0;
}

int place_replace(Transaction *transaction, Place *place, const void *value, size_t value_size) {
        DBT key_dbt = {}, value_dbt = input(value, value_size);
        int r;

        transaction->size += place->key_size + value_size;
        r = place->dbc->put(place->dbc, &key_dbt, &value_dbt, DB_CURRENT);
        return note_error(transaction, environment_error(transaction->environment, r));
}

void place_close(Place *place) {
        if (place->dbc)
                (void) place->dbc->close(place->dbc);
        *place = (Place){};
}

int transaction_put(
                Transaction *transaction,
                DB *database,
                const void *key,
                size_t key_size,
                const void *value,
                size_t value_size) {
        DBT key_dbt = input(key, key_size), value_dbt = input(value, value_size);
        int r;

        transaction->size += key_size + value_size;
        r = database->put(database, transaction->txn, &key_dbt, &value_dbt, 0);
        return note_error(transaction, environment_error(transaction->environment, r));
}

int transaction_insert(
                Transaction *transaction,
                DB *database,
                const void *key,
                size_t key_size,
                const void *value,
                size_t value_size) {
        DBT key_dbt = input(key, key_size), value_dbt = input(value, value_size);
        int r;

        r = database->put(database, transaction->txn, &key_dbt, &value_dbt, DB_NOOVERWRITE);
        r = environment_error(transaction->environment, r);
        if (r == -EEXIST)
                return r;

        transaction->size += key_size + value_size;
        return note_error(transaction, r);
}

/* A page that becomes empty is taken out of its tree, and its neighbours are linked with each
 * other. While there is a page that cannot be read and may be one of them, empty pages stay where
 * they are and are filled again. Not by set_flags(), which takes that before the open only. */
static void keep_empty_pages(const Environment *environment, DB *database) {
        if (environment_damaged_pages(environment) > 0)
                database->flags |= DB_AM_REVSPLITOFF;
        else
                database->flags &= ~(uint32_t) DB_AM_REVSPLITOFF;
}

int transaction_delete(Transaction *transaction, DB *database, const void *key, size_t key_size) {
        DBT key_dbt = input(key, key_size);
        int r;

        transaction->size += key_size;
        keep_empty_pages(transaction->environment, database);
        r = database->del(database, transaction->txn, &key_dbt, 0);
        return note_error(transaction, environment_error(transaction->environment, r));
}

int transaction_set_state(
                Transaction *transaction, const char *name, const void *data, size_t size) {
        DB *state = transaction->environment->state;
        int r;

        if (data)
                return transaction_put(transaction, state, name, strlen(name), data, size);

        r = transaction_delete(transaction, state, name, strlen(name));
        return r == -ENOENT ? 0 : r;
}

int environment_get_state(Environment *environment, const char *name, Buffer *ret) {
        int r;

        environment_read_lock(environment);
        r = database_get(environment, environment->state, name, strlen(name), ret);
        environment_read_unlock(environment);

        return r;
}

/* The counters as they are once this transaction is committed. */
int transaction_save_counters(Transaction *transaction) {
        Environment *environment = transaction->environment;
        Buffer *scratch = &transaction->scratch;
        bool changed = false;

        buffer_clear(scratch);
        buffer_put_u8(scratch, STATE_FORMAT);
        for (size_t i = 0; i < COUNTERS_MAX; i++) {
                changed = changed || transaction->counters[i] != 0;
                buffer_put_u64(scratch, atomic_load(&environment->counters[i]) +
                                                        (uint64_t) transaction->counters[i]);
        }
        if (!changed)
                return 0;
        if (buffer_error(scratch) < 0)
                return note_error(transaction, buffer_error(scratch));

        return transaction_set_state(transaction, ".counters", scratch->data, scratch->size);
}

int environment_load_counters(Environment *environment) {
        _cleanup_(buffer_done) Buffer buffer = {};
        Reader reader;
        int r;

        r = environment_get_state(environment, ".counters", &buffer);
        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return r;

        reader = READER(buffer.data, buffer.size);
        if (reader_get_u8(&reader) != STATE_FORMAT)
                return -EPROTONOSUPPORT;
        for (size_t i = 0; i < COUNTERS_MAX; i++)
                atomic_store(&environment->counters[i], reader_get_u64(&reader));

        return reader_end(&reader);
}
