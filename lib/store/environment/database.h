/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Database: access to the B-trees of an environment, for readers and within the transaction of a
 * batch.
 *
 * Readers hold environment_read_lock(); the committer needs no lock, for it is the only writer. */

#include "store/environment/environment-internal.h"

/* Reads into SCRATCH, whose size becomes that of the value. The caller holds the read lock or is
 * the committer. Returns 0, -ENOENT, or -EBADMSG for a damaged page. */
int database_get(
                Environment *environment,
                DB *database,
                const void *key,
                size_t key_size,
                Buffer *scratch);

/* Steps through a database in the order of its keys, under the read lock or on the committer's
 * thread. */
typedef struct Cursor {
        Environment *environment;
        DBC *dbc;
        DBT key, value; /* current entry; valid until the next step */
} Cursor;

int cursor_open(Environment *environment, DB *database, Cursor *ret);
void cursor_close(Cursor *cursor);

/* From now on only keys are read. */
void cursor_skip_values(Cursor *cursor);

/* Goes to the first entry at or behind KEY. Returns 0 or -ENOENT. */
int cursor_seek(Cursor *cursor, const void *key, size_t key_size);
int cursor_next(Cursor *cursor);
int cursor_last(Cursor *cursor);

/* Size of the file, once all of its pages are on the disk. */
int database_size(Environment *environment, DB *database, uint64_t *ret);

/* Whether the database may grow: deletions have freed pages of it, or the disk has room above the
 * reserve for all of its pages that are only in the cache yet. */
bool database_has_room(Environment *environment, DB *database);

/* What apply() gets: the changes of one batch. */
struct Transaction {
        Environment *environment;
        DB_TXN *txn;
        int error;   /* of the database itself; the first one sticks and undoes the transaction */
        size_t size; /* of what was written */
        int64_t counters[COUNTERS_MAX]; /* by how much they change */
        Buffer scratch;                 /* for the apply() that runs */
};

/* For apply(). An error of the database sticks in the transaction. */
int transaction_get(
                Transaction *transaction,
                DB *database,
                const void *key,
                size_t key_size,
                Buffer *scratch);
int transaction_put(
                Transaction *transaction,
                DB *database,
                const void *key,
                size_t key_size,
                const void *value,
                size_t value_size);

/* Returns 0 or -ENOENT. */
int transaction_delete(Transaction *transaction, DB *database, const void *key, size_t key_size);

/* Whether there is room for what grows; if not, the answer is -ENOSPC. Deletions need not ask. */
bool transaction_has_room(Transaction *transaction);

/* Undoes the transaction for another reason. Returns ERROR. */
int transaction_fail(Transaction *transaction, int error);

/* Named blobs; those with a dot in front are the layer's own. DATA of NULL deletes. */
int transaction_set_state(
                Transaction *transaction, const char *name, const void *data, size_t size);
int environment_get_state(Environment *environment, const char *name, Buffer *ret);

int transaction_save_counters(Transaction *transaction);
int environment_load_counters(Environment *environment);
