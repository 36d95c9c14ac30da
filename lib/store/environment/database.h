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

/* Some entries of a database that follow each other, copied. */
typedef struct Slice {
        DBT data;       /* owned */
        void *position; /* of the next entry; NULL behind the last */
} Slice;

/* Reads entries from the first at or behind KEY on, as many as have room; the same slice may be
 * read again. Takes the locks of the database once for all of them, where a cursor takes them with
 * each step. Returns 0, -ENOENT if there is none, or another negative errno if one of them cannot
 * be read or the first has no room. */
int slice_read(Environment *environment,
               DB *database,
               const void *key,
               size_t key_size,
               Slice *slice);
void slice_done(Slice *slice);

/* Goes to the next entry, which is valid until the slice is read again. Returns false if there is
 * none. */
bool slice_next(Slice *slice, DBT *ret_key, DBT *ret_value);

/* By how many bytes the databases, up to NULL, may grow: what the disk has above the reserve and
 * above what all of their pages need that are only in the cache yet; at least 1 if deletions have
 * freed pages of each of them. Asks the file system. */
uint64_t databases_room(Environment *environment, DB *const databases[]);

/* What apply() gets: the changes of one batch. */
struct Transaction {
        Environment *environment;
        DB_TXN *txn;
        int error;   /* of the database itself; the first one sticks and undoes the transaction */
        size_t size; /* of what was written */
        bool has_room;
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

/* An entry that was found and can be replaced without another search. */
typedef struct Place {
        DBC *dbc;
        size_t key_size;
} Place;

/* Like transaction_get(). If the entry is there, its place has to be closed before the transaction
 * ends, and before the entry is deleted; else there is nothing to close. */
int transaction_find(
                Transaction *transaction,
                DB *database,
                const void *key,
                size_t key_size,
                Buffer *scratch,
                Place *ret);
int place_replace(Transaction *transaction, Place *place, const void *value, size_t value_size);
void place_close(Place *place);

int transaction_put(
                Transaction *transaction,
                DB *database,
                const void *key,
                size_t key_size,
                const void *value,
                size_t value_size);

/* Likewise, unless there is such a key: then it returns -EEXIST, and the transaction goes on. */
int transaction_insert(
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
