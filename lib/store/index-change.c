/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The changes of the index; all but the submitting runs on the committer's thread. */

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "store/index-internal.h"

static Index *index_of(const Transaction *transaction) {
        return transaction->environment->hooks.userdata;
}

/* Returns 1 and the record of the key, 0 if there is none, or a negative errno. */
static int get_current(Transaction *transaction, const char *key, Record *ret) {
        Index *index = index_of(transaction);
        int r;

        r = transaction_get(transaction, index->records, key, strlen(key), &index->current);
        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return r;

        r = record_decode(index->current.data, index->current.size, key, ret);
        return r < 0 ? r : 1;
}

static int add_garbage(
                Transaction *transaction, uint32_t volume, uint64_t due_usec, uint64_t version) {
        Index *index = index_of(transaction);
        GarbageKey key = garbage_key(volume, due_usec, version);
        uint8_t value = GARBAGE_FORMAT;
        int r;

        /* The same copy may become garbage twice, for whoever asks again must get the same answer.
         */
        r = transaction_get(transaction, index->garbage, &key, sizeof(key), &transaction->scratch);
        if (r != -ENOENT)
                return r;

        transaction->counters[COUNTER_GARBAGE] += volume != FENCE_VOLUME;
        return transaction_put(
                        transaction, index->garbage, &key, sizeof(key), &value, sizeof(value));
}

static int add_copies_to_garbage(
                Transaction *transaction, const Record *record, uint64_t due_usec) {
        int r = 0;

        for (size_t i = 0; i < record->n_copies && r >= 0; i++)
                r = add_garbage(transaction, record->copies[i], due_usec, record->version);

        return r;
}

static int put_record(Transaction *transaction, const char *key, const Record *record) {
        Buffer *buffer = &transaction->scratch;

        buffer_clear(buffer);
        record_encode(record, key, buffer);
        if (buffer_error(buffer) < 0)
                return transaction_fail(transaction, buffer_error(buffer));

        return transaction_put(
                        transaction, index_of(transaction)->records, key, strlen(key), buffer->data,
                        buffer->size);
}

/* The same, but a record that is damaged does not fail the transaction. */
static int read_current(Transaction *transaction, const char *key, Record *ret) {
        Index *index = index_of(transaction);
        int r;

        r = database_get(
                        transaction->environment, index->records, key, strlen(key),
                        &index->current);
        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return r;

        r = record_decode(index->current.data, index->current.size, key, ret);
        return r < 0 ? r : 1;
}

/* Whether this commit succeeded before and its key was deleted since: its copies are garbage then,
 * made so a short time ago. Without this, a commit whose answer was lost would bring a deleted key
 * back, with copies that are about to be removed. */
static int check_deleted(Transaction *transaction, const IndexCommit *commit) {
        uint32_t volume = commit->record.copies[0];
        uint64_t since = commit->garbage_due_usec - MIN(commit->garbage_due_usec, INDEX_AGAIN_USEC);
        GarbageKey key = garbage_key(volume, since, 0);
        Cursor cursor;
        int r;

        r = cursor_open(transaction->environment, index_of(transaction)->garbage, &cursor);
        if (r < 0)
                return transaction_fail(transaction, r);

        for (r = cursor_seek(&cursor, &key, sizeof(key)); r >= 0; r = cursor_next(&cursor)) {
                memcpy(&key, cursor.key.data, MIN(sizeof(key), (size_t) cursor.key.size));
                if (be32toh(key.volume) != volume)
                        break;
                if (be64toh(key.version) == commit->record.version) {
                        r = -ESTALE;
                        break;
                }
        }
        cursor_close(&cursor);

        return r == -ENOENT ? 0 : MIN(r, 0);
}

/* Whether COMMIT may become current; CURRENT is NULL if there is no such key. */
static int check_commit(
                Transaction *transaction, const IndexCommit *commit, const Record *current) {
        int r;

        if (fences_contain(&index_of(transaction)->fences, commit->record.version))
                return -ESTALE;
        if (commit->again && (!current || current->version < commit->record.version)) {
                r = check_deleted(transaction, commit);
                if (r < 0)
                        return r;
        }

        r = condition_check(&commit->condition, current ? &current->checksum : NULL);
        if (r < 0)
                return r;

        return transaction_has_room(transaction) ? 0 : -ENOSPC;
}

static int replace(Transaction *transaction, IndexCommit *commit, const Record *old) {
        const Record *record = &commit->record;
        int r;

        r = old ? add_copies_to_garbage(transaction, old, commit->garbage_due_usec) : 0;
        if (r < 0)
                return r;

        transaction->counters[COUNTER_KEYS] += old ? 0 : 1;
        transaction->counters[COUNTER_BYTES] += (int64_t) (record->size - (old ? old->size : 0));
        commit->created = !old;
        return put_record(transaction, commit->key, record);
}

static int apply_commit(Operation *operation, Transaction *transaction) {
        IndexCommit *commit = CONTAINER_OF(operation, IndexCommit, operation);
        Record found, *current = NULL;
        int r, verdict;

        commit->created = commit->superseded = false;

        r = get_current(transaction, commit->key, &found);
        if (r > 0) {
                /* This commit came before, and its answer was lost. */
                if (found.version == commit->record.version)
                        return 0;
                current = &found;
        }

        verdict = r < 0 ? r : check_commit(transaction, commit, current);
        if (transaction->error < 0)
                return transaction->error;

        if (verdict >= 0 && (!current || current->version < commit->record.version))
                return replace(transaction, commit, current);

        commit->superseded = verdict >= 0;
        r = add_copies_to_garbage(transaction, &commit->record, commit->garbage_due_usec);
        return r < 0 ? r : verdict;
}

void index_commit(Index *index, IndexCommit *commit) {
        commit->operation.apply = apply_commit;
        environment_submit(index->environment, &commit->operation);
}

static int apply_delete(Operation *operation, Transaction *transaction) {
        IndexDelete *deletion = CONTAINER_OF(operation, IndexDelete, operation);
        Record current;
        bool exists;
        int r;

        r = get_current(transaction, deletion->key, &current);
        if (r < 0)
                return r;
        exists = r > 0;

        r = condition_check(&deletion->condition, exists ? &current.checksum : NULL);
        if (r < 0)
                return r;
        if (!exists)
                return -ENOENT;

        r = add_copies_to_garbage(transaction, &current, deletion->garbage_due_usec);
        if (r < 0)
                return r;

        transaction->counters[COUNTER_KEYS]--;
        transaction->counters[COUNTER_BYTES] -= (int64_t) current.size;
        return transaction_delete(
                        transaction, index_of(transaction)->records, deletion->key,
                        strlen(deletion->key));
}

void index_delete(Index *index, IndexDelete *deletion) {
        deletion->operation.apply = apply_delete;
        environment_submit(index->environment, &deletion->operation);
}

static bool has_copy_on(const Record *record, uint32_t volume) {
        for (size_t i = 0; i < record->n_copies; i++)
                if (record->copies[i] == volume)
                        return true;

        return false;
}

static int settle_item(Transaction *transaction, const IndexSettle *settle, IndexSettleItem *item) {
        bool is_current_version;
        Record current;
        int r;

        r = read_current(transaction, item->key, &current);
        if (r == -EBADMSG || r == -EPROTONOSUPPORT) {
                /* The record cannot be read. It may be about this copy, so the copy stays. */
                item->current = true;
                return 0;
        }
        if (r < 0)
                return transaction_fail(transaction, r);

        is_current_version = r > 0 && current.version == item->version;
        item->current = is_current_version && has_copy_on(&current, settle->volume);
        if (item->current)
                return 0;

        r = add_garbage(transaction, settle->volume, settle->garbage_due_usec, item->version);
        if (r < 0 || is_current_version)
                return r;

        r = fences_add(&index_of(transaction)->fences, item->version);
        if (r < 0)
                return transaction_fail(transaction, r);
        return add_garbage(transaction, FENCE_VOLUME, settle->garbage_due_usec, item->version);
}

static int apply_settle(Operation *operation, Transaction *transaction) {
        IndexSettle *settle = CONTAINER_OF(operation, IndexSettle, operation);
        int r = 0;

        for (size_t i = 0; i < settle->n_items && r >= 0; i++)
                r = settle_item(transaction, settle, &settle->items[i]);

        return r;
}

void index_settle(Index *index, IndexSettle *settle) {
        settle->operation.apply = apply_settle;
        environment_submit(index->environment, &settle->operation);
}

static int delete_garbage(Transaction *transaction, uint32_t volume, const Garbage *item) {
        GarbageKey key = garbage_key(volume, item->due_usec, item->version);

        return transaction_delete(transaction, index_of(transaction)->garbage, &key, sizeof(key));
}

static int apply_collected(Operation *operation, Transaction *transaction) {
        IndexCollected *collected = CONTAINER_OF(operation, IndexCollected, operation);
        int r;

        for (size_t i = 0; i < collected->n_items; i++) {
                r = delete_garbage(transaction, collected->volume, &collected->items[i]);
                if (r < 0 && r != -ENOENT)
                        return r;
                if (r >= 0)
                        transaction->counters[COUNTER_GARBAGE]--;

                r = delete_garbage(transaction, FENCE_VOLUME, &collected->items[i]);
                if (r < 0 && r != -ENOENT)
                        return r;
        }

        return 0;
}

void index_collected(Index *index, IndexCollected *collected) {
        collected->operation.apply = apply_collected;
        environment_submit(index->environment, &collected->operation);
}

static int apply_set(Operation *operation, Transaction *transaction) {
        IndexSet *set = CONTAINER_OF(operation, IndexSet, operation);

        return transaction_set_state(transaction, set->name, set->data, set->size);
}

void index_set(Index *index, IndexSet *set) {
        assert(set->name[0] != '.');

        set->operation.apply = apply_set;
        environment_submit(index->environment, &set->operation);
}
