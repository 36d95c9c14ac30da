/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Tables of the index, as the applying of requests changes them: records, garbage and strays, each
 * with what is kept in memory about it. All within a transaction, on the committer's thread; an
 * error of the database sticks in the transaction. */

#include "store/index/index-internal.h"

/* Returns 1 and the record of the key, 0 if there is none, or a negative errno. A page that cannot
 * be read fails the transaction, a damaged record on a good page does not. */
int tables_get(Transaction *transaction, const char *key, Record *ret);

/* Likewise, but neither fails the transaction. */
int tables_peek(Transaction *transaction, const char *key, Record *ret);

int tables_put(Transaction *transaction, const char *key, const Record *record);
int tables_delete(Transaction *transaction, const char *key);

/* The revision of a change of a record. */
uint64_t tables_next_revision(Transaction *transaction);

/* The same copy may become garbage twice: a request that is repeated gets the same answer. */
int tables_add_garbage(
                Transaction *transaction, uint32_t volume, uint64_t due_usec, uint64_t version);
int tables_add_copies_to_garbage(Transaction *transaction, const Record *record, uint64_t due_usec);

/* Returns 1, or 0 if there is no such entry, or a negative errno. */
int tables_delete_garbage(Transaction *transaction, uint32_t volume, const Garbage *item);

/* Returns 1, 0, or a negative errno. */
int tables_find_stray(Transaction *transaction, uint64_t version, uint32_t volume);

/* Does nothing for what is a stray already: a second entry would outlive the first, and delete the
 * copy that may be there by then. */
int tables_add_stray(
                Transaction *transaction, uint32_t volume, uint64_t due_usec, uint64_t version);
int tables_delete_stray(Transaction *transaction, uint64_t version, uint32_t volume);
