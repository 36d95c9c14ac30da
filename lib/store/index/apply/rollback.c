/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "store/index/apply/garbage.h"
#include "store/index/apply/rollback.h"
#include "store/index/apply/term.h"

#define ROLLBACK_STATE  ".rollback"
#define ROLLBACK_FORMAT 1

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

int rollback_load(Tables *tables) {
        IndexRollback *rollback = &tables->rollback.now;
        _cleanup_(buffer_done) Buffer buffer = {};
        Reader reader;
        int r;

        r = environment_get_state(tables->environment, ROLLBACK_STATE, &buffer);
        if (r < 0)
                return r == -ENOENT ? 0 : r;

        reader = READER(buffer.data, buffer.size);
        if (reader_get_u8(&reader) != ROLLBACK_FORMAT)
                return -EPROTONOSUPPORT;
        rollback->version_end = reader_get_u64(&reader);
        rollback->accepted_usec = reader_get_u64(&reader);
        rollback->last_usec = reader_get_u64(&reader);
        rollback->n_kept = reader_get_u64(&reader);
        tables->rollback.committed = *rollback;
        return reader_end(&reader);
}

int rollback_keep_unknown(Transaction *transaction) {
        IndexRollback *rollback = &tables_of(transaction)->rollback.now;

        rollback->n_kept++;
        return put_rollback(transaction, rollback);
}

/* Where everything goes on. */
static int choose_jump(Transaction *transaction, IndexAccept *accept, IndexIdentity *ret_identity) {
        int r;

        r = term_get(transaction, ret_identity);
        if (r < 0)
                return r;

        ret_identity->term = MAX(accept->term, ret_identity->term) + 1;
        accept->next_term = ret_identity->term;
        accept->versions_next = MAX(accept->versions_given, accept->version / 2 + 1) +
                                ROLLBACK_VERSIONS / 2;
        return 0;
}

static void raise_revision(Transaction *transaction, uint64_t highest) {
        Tables *tables = tables_of(transaction);
        uint64_t revision = atomic_load(tables->environment->counters + COUNTER_REVISION) +
                            (uint64_t) transaction->counters[COUNTER_REVISION];

        transaction->counters[COUNTER_REVISION] +=
                        (int64_t) (MAX(highest, revision) - revision + ROLLBACK_REVISIONS);
}

/* A failure of any kind undoes all of it. */
int apply_accept(IndexRequest *request, Transaction *transaction) {
        IndexAccept *accept = CONTAINER_OF(request, IndexAccept, request);
        Tables *tables = tables_of(transaction);
        IndexRollback rollback = tables->rollback.now;
        IndexIdentity identity;
        int r;

        r = choose_jump(transaction, accept, &identity);
        rollback.version_end = 2 * accept->versions_next;
        rollback.accepted_usec = request->now_usec;
        rollback.last_usec = tables->marks.now_changed_usec;

        r = r < 0 ? r : garbage_forget_all(transaction);
        r = r < 0 ? r : term_put_jump(transaction, &identity, accept->versions_next);
        r = r < 0 ? r : put_rollback(transaction, &rollback);
        r = r < 0 ? r : transaction_set_state(transaction, ROLLBACK_BEHIND_STATE, NULL, 0);
        if (r < 0)
                return transaction_fail(transaction, r);

        raise_revision(transaction, accept->revision);
        tables->rollback.now = rollback;
        return 0;
}
