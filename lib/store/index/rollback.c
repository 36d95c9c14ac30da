/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "store/index/index-internal.h"
#include "store/index/rollback.h"

#define ROLLBACK_STATE  ".rollback"
#define ROLLBACK_FORMAT 1

/* So many entries are read at a time, since none may be deleted under a cursor. */
#define SLICE 256

static Index *index_of(const Transaction *transaction) {
        return transaction->environment->hooks.userdata;
}

void index_rollback(Index *index, IndexRollback *ret) {
        environment_read_lock(index->environment);
        *ret = index->rollback.now;
        environment_read_unlock(index->environment);
}

uint64_t index_last_change(const Index *index) {
        return __atomic_load_n(&index->marks.changed_usec, __ATOMIC_RELAXED);
}

static int put_rollback(Transaction *transaction, const IndexRollback *rollback) {
        Buffer *scratch = &transaction->scratch;

        buffer_clear(scratch);
        buffer_put_u8(scratch, ROLLBACK_FORMAT);
        buffer_put_u64(scratch, rollback->version_end);
        buffer_put_u64(scratch, rollback->accepted_usec);
        buffer_put_u64(scratch, rollback->last_usec);
        buffer_put_u64(scratch, rollback->n_kept);
        if (buffer_error(scratch) < 0)
                return transaction_fail(transaction, buffer_error(scratch));
        return transaction_set_state(transaction, ROLLBACK_STATE, scratch->data, scratch->size);
}

int index_open_rollback(Index *index) {
        IndexRollback *rollback = &index->rollback.now;
        _cleanup_(buffer_done) Buffer buffer = {};
        Reader reader;
        int r;

        r = environment_get_state(index->environment, ROLLBACK_STATE, &buffer);
        if (r < 0)
                return r == -ENOENT ? 0 : r;

        reader = READER(buffer.data, buffer.size);
        if (reader_get_u8(&reader) != ROLLBACK_FORMAT)
                return -EPROTONOSUPPORT;
        rollback->version_end = reader_get_u64(&reader);
        rollback->accepted_usec = reader_get_u64(&reader);
        rollback->last_usec = reader_get_u64(&reader);
        rollback->n_kept = reader_get_u64(&reader);
        index_rollback_ended(index, true);
        return reader_end(&reader);
}

void index_rollback_ended(Index *index, bool committed) {
        if (committed)
                index->rollback.committed = index->rollback.now;
        else
                index->rollback.now = index->rollback.committed;
}

int index_keep_unknown(Transaction *transaction, uint64_t version) {
        IndexRollback *rollback = &index_of(transaction)->rollback.now;
        int r;

        if (version >= rollback->version_end)
                return 0;

        rollback->n_kept++;
        r = put_rollback(transaction, rollback);
        return r < 0 ? r : 1;
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
        Index *index = index_of(transaction);
        GarbageKey keys[SLICE];
        int n, r;

        while ((n = read_keys(index->environment, index->garbage, keys, sizeof(*keys))) > 0)
                for (int i = 0; i < n; i++) {
                        uint32_t volume = be32toh(keys[i].volume);
                        uint64_t version = be64toh(keys[i].version);

                        r = transaction_delete(
                                        transaction, index->garbage, keys + i, sizeof(*keys));
                        if (r >= 0 && garbage_is_deadly(volume, version))
                                r = dead_remove(&index->dead, version);
                        if (r < 0)
                                return r;
                        transaction->counters[COUNTER_GARBAGE] -= volume != INDEX_FENCES;
                }
        return n;
}

static int forget_strays(Transaction *transaction) {
        Index *index = index_of(transaction);
        StrayKey keys[SLICE];
        int n, r;

        while ((n = read_keys(index->environment, index->strays, keys, sizeof(*keys))) > 0)
                for (int i = 0; i < n; i++) {
                        r = transaction_delete(transaction, index->strays, keys + i, sizeof(*keys));
                        if (r < 0)
                                return r;
                }
        return n;
}

/* A failure of any kind undoes all of it. */
static int apply_accept(Operation *operation, Transaction *transaction) {
        IndexAccept *accept = CONTAINER_OF(operation, IndexAccept, operation);
        Index *index = index_of(transaction);
        IndexRollback rollback = index->rollback.now;
        uint64_t next = atomic_load(&index->versions.next);
        uint64_t revision = atomic_load(index->environment->counters + COUNTER_REVISION) +
                            (uint64_t) transaction->counters[COUNTER_REVISION];
        int r;

        accept->next_term = MAX(accept->term, index_identity(index)->term) + 1;
        accept->versions_next = MAX(next, accept->version / 2 + 1) + ROLLBACK_VERSIONS / 2;
        rollback.version_end = 2 * accept->versions_next;
        rollback.accepted_usec = clock_realtime();
        rollback.last_usec = index_last_change(index);

        r = forget_garbage(transaction);
        r = r < 0 ? r : forget_strays(transaction);
        r = r < 0 ? r : index_put_jump(transaction, accept->next_term, accept->versions_next);
        r = r < 0 ? r : put_rollback(transaction, &rollback);
        r = r < 0 ? r : transaction_set_state(transaction, ROLLBACK_BEHIND_STATE, NULL, 0);
        if (r < 0)
                return transaction_fail(transaction, r);

        transaction->counters[COUNTER_REVISION] +=
                        (int64_t) (MAX(accept->revision, revision) - revision + ROLLBACK_REVISIONS);
        index->rollback.now = rollback;
        return 0;
}

static void on_accepted(Operation *operation, int result) {
        IndexAccept *accept = CONTAINER_OF(operation, IndexAccept, operation);

        if (result >= 0)
                index_jump(accept->index, accept->next_term, accept->versions_next);
        accept->done(accept, result);
}

void index_accept_rollback(Index *index, IndexAccept *accept) {
        accept->index = index;
        accept->operation = (Operation){ .apply = apply_accept, .done = on_accepted };
        environment_submit(index->environment, &accept->operation);
}
