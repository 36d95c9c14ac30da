/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The changes of the index; all but the submitting runs on the committer's thread. */

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "store/index/index-internal.h"

static Index *index_of(const Transaction *transaction) {
        return transaction->environment->hooks.userdata;
}

/* Returns 1 and the record of the key, 0 if there is none, or a negative errno. A page that cannot
 * be read fails the transaction, a damaged record on a good page does not. */
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

/* Whether a change without a condition may go over what get_current() returned. */
static bool may_overwrite(const Transaction *transaction, int error, const Condition *condition) {
        return transaction->error >= 0 && (error == -EBADMSG || error == -EPROTONOSUPPORT) &&
               condition_is_empty(condition);
}

static int add_garbage(
                Transaction *transaction, uint32_t volume, uint64_t due_usec, uint64_t version) {
        Index *index = index_of(transaction);
        GarbageKey key = garbage_key(volume, due_usec, version);
        uint8_t value = GARBAGE_FORMAT;
        int r;

        r = damage_clear(transaction, version, volume);
        if (r < 0)
                return r;

        /* The same copy may become garbage twice, for whoever asks again must get the same answer.
         */
        r = transaction_get(transaction, index->garbage, &key, sizeof(key), &transaction->scratch);
        if (r != -ENOENT)
                return r;

        if (garbage_is_deadly(volume, version)) {
                r = dead_add(&index->dead, version);
                if (r < 0)
                        return transaction_fail(transaction, r);
        }

        transaction->counters[COUNTER_GARBAGE] += volume != INDEX_FENCES;
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

        for (size_t i = 0; i < record->n_copies; i++)
                marks_raise(&index_of(transaction)->marks, record->copies[i], record->version);

        return transaction_put(
                        transaction, index_of(transaction)->records, key, strlen(key), buffer->data,
                        buffer->size);
}

static bool is_barred(const Index *index, const Record *record) {
        for (size_t i = 0; i < record->n_copies; i++)
                if (record->copies[i] <= VOLUME_MAX && index->barred[record->copies[i]])
                        return true;
        return false;
}

/* The revision of a change of a record; the counter is in memory and in the transaction. */
static uint64_t next_revision(Transaction *transaction) {
        transaction->counters[COUNTER_REVISION]++;
        return atomic_load(&transaction->environment->counters[COUNTER_REVISION]) +
               (uint64_t) transaction->counters[COUNTER_REVISION];
}

/* Whether COMMIT may become current; CURRENT is NULL if there is no such key, or none that can be
 * read. */
static int check_commit(
                Transaction *transaction, const IndexCommit *commit, const Record *current) {
        int r;

        /* It may have been current before, and then it was overwritten. Even so this may be a new
         * request with an old ticket, and nobody can tell. */
        if (dead_contains(&index_of(transaction)->dead, commit->record.version))
                return -ESTALE;

        r = condition_check(
                        &commit->condition, current ? &current->checksum : NULL,
                        current ? current->mtime_usec : 0);
        if (r < 0)
                return r;
        if (is_barred(index_of(transaction), &commit->record))
                return -ESTALE;

        return transaction_has_room(transaction) ? 0 : -ENOSPC;
}

/* OLD is NULL if there is no such key, or if its record cannot be read: then its size, too, is
 * unknown. */
static int replace(Transaction *transaction, IndexCommit *commit, const Record *old, bool exists) {
        Record record = commit->record;
        int r;

        r = old ? add_copies_to_garbage(transaction, old, commit->garbage_due_usec) : 0;
        if (r < 0)
                return r;

        transaction->counters[COUNTER_KEYS] += !exists;
        transaction->counters[COUNTER_BYTES] += (int64_t) (record.size - (old ? old->size : 0));
        commit->created = record.created = !exists;
        commit->revision = record.revision = next_revision(transaction);
        return put_record(transaction, commit->key, &record);
}

static bool has_copy_on(const Record *record, uint32_t volume) {
        for (size_t i = 0; i < record->n_copies; i++)
                if (record->copies[i] == volume)
                        return true;

        return false;
}

static int find_stray(Transaction *transaction, uint64_t version, uint32_t volume) {
        StrayKey key = stray_key(version, volume);
        int r;

        r = transaction_get(
                        transaction, index_of(transaction)->strays, &key, sizeof(key),
                        &transaction->scratch);
        return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

/* A second entry would outlive the first, and delete the copy that may be there by then. */
static int add_stray(
                Transaction *transaction, uint32_t volume, uint64_t due_usec, uint64_t version) {
        StrayKey key = stray_key(version, volume);
        uint8_t value = GARBAGE_FORMAT;
        int r;

        r = find_stray(transaction, version, volume);
        if (r != 0)
                return MIN(r, 0);
        r = add_garbage(transaction, volume, due_usec, version);
        if (r < 0)
                return r;
        return transaction_put(
                        transaction, index_of(transaction)->strays, &key, sizeof(key), &value,
                        sizeof(value));
}

/* This commit came before, and its answer was lost; or somebody has used the ticket twice: then the
 * copies are those of the first, and stay. Others, which the record does not name or does not name
 * any more, would stay as well if they were not garbage. */
static int repeat(Transaction *transaction, IndexCommit *commit, const Record *current) {
        const Record *record = &commit->record;
        int r = 0;

        for (size_t i = 0; i < record->n_copies && r >= 0; i++)
                if (!has_copy_on(current, record->copies[i]))
                        r = add_stray(transaction, record->copies[i], commit->garbage_due_usec,
                                      record->version);
        if (r < 0)
                return r;

        if (!checksum_equal(&current->checksum, &commit->record.checksum))
                return -ESTALE;

        commit->created = current->created;
        commit->revision = current->revision;
        return 0;
}

static int apply_commit(Operation *operation, Transaction *transaction) {
        IndexCommit *commit = CONTAINER_OF(operation, IndexCommit, operation);
        Record found, *current;
        int r, verdict;

        commit->created = false;
        commit->revision = 0;

        r = get_current(transaction, commit->key, &found);
        if (r < 0 && !may_overwrite(transaction, r, &commit->condition))
                return r;
        if (r > 0 && found.version == commit->record.version)
                return repeat(transaction, commit, &found);

        current = r > 0 ? &found : NULL;
        verdict = check_commit(transaction, commit, current);
        if (verdict >= 0)
                return replace(transaction, commit, current, r != 0);

        r = add_copies_to_garbage(transaction, &commit->record, commit->garbage_due_usec);
        return r < 0 ? r : verdict;
}

void index_commit(Index *index, IndexCommit *commit) {
        commit->operation.apply = apply_commit;
        environment_submit(index->environment, &commit->operation);
}

typedef struct Bars {
        Operation operation;
        const uint32_t *volumes;
        size_t n;
} Bars;

static int apply_bars(Operation *operation, Transaction *transaction) {
        const Bars *bars = CONTAINER_OF(operation, Bars, operation);
        Index *index = index_of(transaction);

        memset(index->barred, 0, sizeof(index->barred));
        for (size_t i = 0; i < bars->n; i++)
                index->barred[bars->volumes[i]] = true;
        return 0;
}

int index_set_bars(Index *index, const uint32_t volumes[], size_t n) {
        Bars bars = { .operation.apply = apply_bars, .volumes = volumes, .n = n };

        for (size_t i = 0; i < n; i++)
                assert(volumes[i] <= VOLUME_MAX);

        return environment_run(index->environment, &bars.operation);
}

static int apply_delete(Operation *operation, Transaction *transaction) {
        IndexDelete *deletion = CONTAINER_OF(operation, IndexDelete, operation);
        Record found, *current;
        int r, exists;

        exists = get_current(transaction, deletion->key, &found);
        if (exists < 0 && !may_overwrite(transaction, exists, &deletion->condition))
                return exists;
        current = exists > 0 ? &found : NULL;

        r = condition_check(
                        &deletion->condition, current ? &current->checksum : NULL,
                        current ? current->mtime_usec : 0);
        if (r < 0)
                return r;
        if (exists == 0)
                return -ENOENT;

        r = current ? add_copies_to_garbage(transaction, current, deletion->garbage_due_usec) : 0;
        if (r < 0)
                return r;

        (void) next_revision(transaction);
        transaction->counters[COUNTER_KEYS]--;
        transaction->counters[COUNTER_BYTES] -= (int64_t) (current ? current->size : 0);
        return transaction_delete(
                        transaction, index_of(transaction)->records, deletion->key,
                        strlen(deletion->key));
}

void index_delete(Index *index, IndexDelete *deletion) {
        deletion->operation.apply = apply_delete;
        environment_submit(index->environment, &deletion->operation);
}

/* As get_current(), but neither a damaged record nor a damaged page fails the other items. */
static int read_current(Transaction *transaction, const char *key, Record *ret) {
        Index *index = index_of(transaction);
        int r;

        r = database_get(index->environment, index->records, key, strlen(key), &index->current);
        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return r;

        r = record_decode(index->current.data, index->current.size, key, ret);
        return r < 0 ? r : 1;
}

/* After a rollback: the copy may be all that is left of the value, if what the record names was
 * moved away in the time that the index has lost. */
static int adopt_copy(
                Transaction *transaction,
                const IndexSettle *settle,
                IndexSettleItem *item,
                Record *current) {
        int r;

        r = find_stray(transaction, item->version, settle->volume);
        if (r != 0 || current->n_copies == COPIES_MAX)
                return MIN(r, 0);

        current->copies[current->n_copies++] = settle->volume;
        item->current = true;
        return put_record(transaction, item->key, current);
}

static int settle_item(Transaction *transaction, const IndexSettle *settle, IndexSettleItem *item) {
        bool is_current_version;
        Record current;
        int r;

        /* It may be about this copy, so the copy stays. */
        r = read_current(transaction, item->key, &current);
        if (r == -EBADMSG || r == -EPROTONOSUPPORT) {
                item->current = true;
                return 0;
        }
        if (r < 0)
                return transaction_fail(transaction, r);

        is_current_version = r > 0 && current.version == item->version;
        item->current = is_current_version && has_copy_on(&current, settle->volume);
        if (item->current)
                return 0;

        if (is_current_version && item->version < index_of(transaction)->rollback.now.version_end)
                return adopt_copy(transaction, settle, item, &current);
        r = is_current_version ? 0 : index_keep_unknown(transaction, item->version);
        if (r != 0)
                return MIN(r, 0);
        if (is_current_version)
                return add_stray(
                                transaction, settle->volume, settle->garbage_due_usec,
                                item->version);

        r = add_garbage(transaction, settle->volume, settle->garbage_due_usec, item->version);
        if (r < 0)
                return r;

        return add_garbage(transaction, INDEX_FENCES, settle->fence_due_usec, item->version);
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

/* Returns 1, or 0 if there is no such entry, or a negative errno. */
static int delete_garbage(Transaction *transaction, uint32_t volume, const Garbage *item) {
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

/* A copy is gone: with the last one of a version that may still be asked for, a fence is put up. */
static int forget(Transaction *transaction, const IndexCollected *collected, const Garbage *item) {
        Index *index = index_of(transaction);
        StrayKey key = stray_key(item->version, collected->volume);
        int r;

        r = delete_garbage(transaction, collected->volume, item);
        if (r <= 0 || collected->volume == INDEX_FENCES)
                return r;
        r = transaction_delete(transaction, index->strays, &key, sizeof(key));
        if (r < 0 && r != -ENOENT)
                return r;
        if (!garbage_is_deadly(collected->volume, item->version) ||
            dead_contains(&index->dead, item->version))
                return 0;

        return add_garbage(transaction, INDEX_FENCES, collected->fence_due_usec, item->version);
}

static int put_off(Transaction *transaction, const IndexCollected *collected, const Garbage *item) {
        int r;

        r = delete_garbage(transaction, collected->volume, item);
        if (r <= 0)
                return r;

        return add_garbage(
                        transaction, collected->volume, collected->again_due_usec, item->version);
}

static int apply_collected(Operation *operation, Transaction *transaction) {
        IndexCollected *collected = CONTAINER_OF(operation, IndexCollected, operation);
        int r = 0;

        for (size_t i = 0; i < collected->n_items && r >= 0; i++)
                r = i < collected->n_gone ? forget(transaction, collected, collected->items + i)
                                          : put_off(transaction, collected, collected->items + i);

        return MIN(r, 0);
}

void index_collected(Index *index, IndexCollected *collected) {
        collected->operation.apply = apply_collected;
        environment_submit(index->environment, &collected->operation);
}

/* Makes RECORD what it is after the move. */
static int move_copies(const IndexMove *move, Record *record) {
        for (size_t i = 0; i < move->n_drop; i++) {
                size_t j = 0;

                if (move->drop[i] == move->add)
                        return -EINVAL; /* it would be current and garbage */
                while (j < record->n_copies && record->copies[j] != move->drop[i])
                        j++;
                if (j == record->n_copies)
                        return -EINVAL;
                record->copies[j] = record->copies[--record->n_copies];
        }
        if (move->add != 0 && !has_copy_on(record, move->add)) {
                if (record->n_copies == COPIES_MAX)
                        return -EINVAL;
                record->copies[record->n_copies++] = move->add;
        }
        return record->n_copies > 0 ? 0 : -EINVAL;
}

static int apply_move(Operation *operation, Transaction *transaction) {
        IndexMove *move = CONTAINER_OF(operation, IndexMove, operation);
        Record record;
        int r;

        r = get_current(transaction, move->key, &record);
        if (r < 0)
                return r;
        if (r == 0 || record.version != move->version) {
                r = move->add == 0 ? 0
                                   : add_garbage(transaction, move->add, move->garbage_due_usec,
                                                 move->version);
                return r < 0 ? r : -ESTALE;
        }

        if (move->add != 0) {
                r = find_stray(transaction, move->version, move->add);
                if (r != 0)
                        return r < 0 ? r : -EBUSY;
        }
        r = move_copies(move, &record);
        if (r < 0)
                return r;
        if (!transaction_has_room(transaction))
                return -ENOSPC;
        for (size_t i = 0; i < move->n_drop; i++) {
                r = add_stray(transaction, move->drop[i], move->garbage_due_usec, move->version);
                if (r < 0)
                        return r;
        }
        (void) next_revision(transaction); /* the value keeps its own */
        if (move->add != 0) {
                r = damage_clear(transaction, move->version, move->add);
                if (r < 0)
                        return r;
        }
        r = damage_update(transaction, &record);
        if (r < 0)
                return r;
        return put_record(transaction, move->key, &record);
}

void index_move(Index *index, IndexMove *move) {
        move->operation.apply = apply_move;
        environment_submit(index->environment, &move->operation);
}

/* The garbage of an index that had no strays yet: it may be of versions that are current. */
static int adopt(Transaction *transaction, Cursor *cursor) {
        Index *index = index_of(transaction);
        GarbageKey start = garbage_key(INDEX_FENCES + 1, 0, 0);
        const uint8_t value = GARBAGE_FORMAT;
        int r;

        for (r = cursor_seek(cursor, &start, sizeof(start)); r >= 0; r = cursor_next(cursor)) {
                GarbageKey item;
                StrayKey key;

                if (cursor->key.size != sizeof(item))
                        return -EBADMSG;
                memcpy(&item, cursor->key.data, sizeof(item));
                key = (StrayKey){ item.version, item.volume };
                r = transaction_put(
                                transaction, index->strays, &key, sizeof(key), &value,
                                sizeof(value));
                if (r < 0)
                        return r;
        }

        return r == -ENOENT ? 0 : r;
}

static int apply_adopt(Operation *operation, Transaction *transaction) {
        Cursor cursor;
        int r;

        r = cursor_open(transaction->environment, index_of(transaction)->garbage, &cursor);
        if (r < 0)
                return transaction_fail(transaction, r);
        r = adopt(transaction, &cursor);
        cursor_close(&cursor);

        /* What lies behind a damaged page is not found by the collector either. */
        if (r < 0 && r != -EBADMSG)
                return transaction_fail(transaction, r);
        return transaction_set_state(transaction, ".strays", "1", 1);
}

int index_adopt_strays(Index *index) {
        _cleanup_(buffer_done) Buffer buffer = {};
        Operation operation = { .apply = apply_adopt };
        int r;

        r = environment_get_state(index->environment, ".strays", &buffer);
        return r == -ENOENT ? environment_run(index->environment, &operation) : MIN(r, 0);
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
