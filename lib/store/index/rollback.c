/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "store/index/index-internal.h"
#include "store/index/rollback.h"
#include "store/index/rules.h"
#include "store/index/submit.h"

#define ROLLBACK_STATE  ".rollback"
#define ROLLBACK_FORMAT 1

/* So many entries are read at a time, since none may be deleted under a cursor. */
#define SLICE 256

void index_rollback(Index *index, IndexRollback *ret) {
        environment_read_lock(index->environment);
        *ret = index->rollback.now;
        environment_read_unlock(index->environment);
}

uint64_t index_last_change(const Index *index) {
        return atomic_load(&index->marks.changed_usec);
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

int index_keep_unknown(Transaction *transaction) {
        IndexRollback *rollback = &index_of(transaction)->rollback.now;

        rollback->n_kept++;
        return put_rollback(transaction, rollback);
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

/* Where everything goes on. */
static int choose_jump(Transaction *transaction, IndexAccept *accept, IndexIdentity *ret_identity) {
        int r;

        r = index_get_term(transaction, ret_identity);
        if (r < 0)
                return r;

        ret_identity->term = MAX(accept->term, ret_identity->term) + 1;
        accept->next_term = ret_identity->term;
        accept->versions_next = MAX(accept->versions_given, accept->version / 2 + 1) +
                                ROLLBACK_VERSIONS / 2;
        return 0;
}

static void raise_revision(Transaction *transaction, uint64_t highest) {
        Index *index = index_of(transaction);
        uint64_t revision = atomic_load(index->environment->counters + COUNTER_REVISION) +
                            (uint64_t) transaction->counters[COUNTER_REVISION];

        transaction->counters[COUNTER_REVISION] +=
                        (int64_t) (MAX(highest, revision) - revision + ROLLBACK_REVISIONS);
}

/* A failure of any kind undoes all of it. */
int apply_accept(IndexRequest *request, Transaction *transaction) {
        IndexAccept *accept = CONTAINER_OF(request, IndexAccept, request);
        Index *index = index_of(transaction);
        IndexRollback rollback = index->rollback.now;
        IndexIdentity identity;
        int r;

        r = choose_jump(transaction, accept, &identity);
        rollback.version_end = 2 * accept->versions_next;
        rollback.accepted_usec = request->now_usec;
        rollback.last_usec = index->marks.now_changed_usec;

        r = r < 0 ? r : forget_garbage(transaction);
        r = r < 0 ? r : forget_strays(transaction);
        r = r < 0 ? r : index_put_jump(transaction, &identity, accept->versions_next);
        r = r < 0 ? r : put_rollback(transaction, &rollback);
        r = r < 0 ? r : transaction_set_state(transaction, ROLLBACK_BEHIND_STATE, NULL, 0);
        if (r < 0)
                return transaction_fail(transaction, r);

        raise_revision(transaction, accept->revision);
        index->rollback.now = rollback;
        return 0;
}

static void on_accepted(IndexRequest *request, IndexResult result) {
        IndexAccept *accept = CONTAINER_OF(request, IndexAccept, request);

        if (result.outcome == INDEX_DONE)
                index_jump(accept->index, accept->next_term, accept->versions_next);
        accept->done(accept, result);
}

/* More versions may be given out until it is applied, but not so many as it leaves out. */
void index_accept_rollback(Index *index, IndexAccept *accept) {
        accept->index = index;
        accept->request.done = on_accepted;
        accept->versions_given = atomic_load(&index->versions.next);
        index_submit(index, REQUEST_ACCEPT, &accept->request);
}
