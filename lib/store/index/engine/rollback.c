/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store/index/rollback.h"
#include "store/index/engine/index-internal.h"

void index_rollback(Index *index, IndexRollback *ret) {
        environment_read_lock(index->tables.environment);
        *ret = index->tables.rollback.now;
        environment_read_unlock(index->tables.environment);
}

uint64_t index_last_change(const Index *index) {
        return atomic_load(&index->tables.marks.changed_usec);
}

static void on_accepted(IndexRequest *request, IndexResult result) {
        IndexAccept *accept = CONTAINER_OF(request, IndexAccept, request);

        if (result.outcome == INDEX_DONE) {
                identity_jump(&accept->index->identity, accept->next_term);
                versions_jump(&accept->index->versions, accept->versions_next);
        }
        accept->done(accept, result);
}

/* More versions may be given out until it is applied, but fewer than it leaves out. */
void index_accept_rollback(Index *index, IndexAccept *accept) {
        accept->index = index;
        accept->request.done = on_accepted;
        if (index->follow) { /* the term is that of the log */
                submit_answer(&index->submitter, &accept->request, -EOPNOTSUPP);
                return;
        }
        accept->versions_given = atomic_load(&index->versions.next);
        submit_request(&index->submitter, REQUEST_ACCEPT, &accept->request);
}
