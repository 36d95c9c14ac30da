/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "store/environment/database.h"
#include "store/format/page.h"

#define STATE_FORMAT 1

/* Room for most values; a second search of the tree costs more than unused memory. */
#define FIRST_TRY (4 * KIB)

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

int database_get(
                Environment *environment,
                DB *database,
                const void *key,
                size_t key_size,
                Buffer *scratch) {
        DBT key_dbt = input(key, key_size), value = { .flags = DB_DBT_USERMEM };
        int r;

        do {
                r = reserve(scratch, MAX((size_t) value.size, (size_t) FIRST_TRY));
                if (r < 0)
                        return r;
                value.data = scratch->data;
                value.ulen = (uint32_t) MIN(scratch->allocated, (size_t) UINT32_MAX);
                r = database->get(database, NULL, &key_dbt, &value, 0);
        } while (r == DB_BUFFER_SMALL);

        r = environment_error(environment, r);
        if (r < 0)
                return r;

        scratch->size = value.size;
        scratch->error = 0;
        return 0;
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

int database_size(Environment *environment, DB *database, uint64_t *ret) {
        PageExtent extent;
        int r;

        r = read_extent(environment, database, &extent);
        if (r < 0)
                return r;

        *ret = extent.size;
        return 0;
}

bool database_has_room(Environment *environment, DB *database) {
        PageExtent extent;
        const char *name;
        uint64_t available, on_disk;
        struct stat st;

        /* A disk that cannot be asked will say so when it is written to. */
        if (environment_free_space(environment, &available, NULL) < 0 ||
            read_extent(environment, database, &extent) < 0 ||
            database->get_dbname(database, &name, NULL) != 0 ||
            fstatat(environment->dir_fd, name, &st, 0) < 0)
                return true;

        on_disk = (uint64_t) st.st_blocks * 512;
        return extent.has_free || available + on_disk > extent.size;
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

int transaction_delete(Transaction *transaction, DB *database, const void *key, size_t key_size) {
        DBT key_dbt = input(key, key_size);
        int r;

        transaction->size += key_size;
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
