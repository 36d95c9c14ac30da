/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

#include "store/index/apply/apply.h"
#include "store/index/engine/follow.h"
#include "store/index/engine/submit.h"
#include "store/index/request-batch.h"

/* An entry that waits to be applied. */
typedef struct Decided {
        Operation operation;
        Follow *follow;     /* not owned */
        Proposal *proposal; /* NULL if it is not of this process */
        uint64_t index, term;
        EntryType type;
        bool is_void; /* it is for another term than that in which it was decided */
        uint32_t size;
        uint8_t data[];
} Decided;

static Follow *follow_of(void *userdata) {
        return ((const Tables *) userdata)->follow;
}

void follow_init(Follow *follow, const IndexGroup *group) {
        follow->group = *group;
        proposals_init(&follow->proposals, group);
}

void follow_done(Follow *follow) {
        proposals_done(&follow->proposals);
}

int follow_load(Follow *follow, const Tables *tables) {
        int r;

        r = applied_load(tables, &follow->applied.now);
        if (r < 0)
                return r == -ENOENT ? -EXDEV : r;

        follow->applied.committed = follow->applied.now;
        atomic_store(&follow->on_disk, follow->applied.now.index);
        return 0;
}

/* -- Applying -- */

/* Without room nothing grows, or the log would take what is kept free for it. But there was room
 * where the entry comes from, and where there is hardly less it goes on: half of what is kept free
 * may be used up, so that a leader at its limit does not wait for a deletion behind the entry. */
static bool is_full(const Transaction *transaction) {
        const Environment *environment = transaction->environment;
        struct statvfs st;

        if (transaction->has_room || fstatvfs(environment->dir_fd, &st) < 0)
                return false;
        return (uint64_t) st.f_bavail * st.f_frsize < environment->options.reserve_size / 2;
}

static int apply_decoded(IndexRequest *request, Transaction *transaction) {
        if (request->has_room && is_full(transaction))
                return transaction_fail(transaction, -ENOSPC);
        return apply_request(request, transaction);
}

/* Those that were proposed here get their answers by these. */
static int apply_batch(Decided *decided, RequestBatch *batch, Transaction *transaction) {
        IndexRequest *own = decided->proposal ? decided->proposal->first : NULL;
        DecodedRequest request;
        int r;

        decided->is_void = batch->term != decided->term;
        while ((r = request_batch_next(batch, &request)) > 0) {
                r = decided->is_void ? -EOWNERDEAD : apply_decoded(&request.request, transaction);
                if (own) {
                        request_take_outputs(own, &request);
                        proposal_note_result(own, r);
                        own = proposal_next(own);
                }
                request_done(&request);
                if (transaction->error < 0)
                        return transaction->error;
        }
        request_done(&request);
        return r;
}

static int apply_requests(Decided *decided, Transaction *transaction) {
        RequestBatch batch;
        int r;

        if (decided->type != ENTRY_REQUESTS)
                return 0;

        r = request_batch_open(decided->data, decided->size, &batch);
        return r < 0 ? r : apply_batch(decided, &batch, transaction);
}

static int apply_entry(Operation *operation, Transaction *transaction) {
        Decided *decided = CONTAINER_OF(operation, Decided, operation);
        const Entry entry = { decided->term, decided->type, decided->size, decided->data };
        Follow *follow = decided->follow;
        ConsensusApplied *applied = &follow->applied.now;
        int r;

        if (follow->ended < 0)
                return follow->ended;

        r = decided->index == applied->index + 1 ? apply_requests(decided, transaction) : -EBADMSG;
        if (r >= 0)
                r = applied_note(applied, decided->index, &entry);
        return r < 0 ? transaction_fail(transaction, r) : 0;
}

/* Takes an entry off the queue. The log may wait for there to be few of them. */
static void leave_queue(Follow *follow, const Decided *decided) {
        uint64_t left = atomic_fetch_sub(&follow->queued, decided->size) - decided->size;

        if (left <= FOLLOW_QUEUE_MAX / 2 && atomic_exchange(&follow->is_full, false))
                follow->group.on_ready(follow->group.userdata);
}

static void on_applied(Operation *operation, int result) {
        Decided *decided = CONTAINER_OF(operation, Decided, operation);

        leave_queue(decided->follow, decided);
        if (decided->proposal && decided->is_void)
                proposals_end_lead(&decided->follow->proposals);
        if (decided->proposal)
                proposal_answer(decided->proposal, result < 0 ? INDEX_ERROR_UNKNOWN : 0);
        free(decided);
}

/* -- The hooks -- */

static bool is_entry(const Operation *operation) {
        return operation->apply == apply_entry;
}

/* Entries and refusals make up batches without a flush, unless it is time for one. Anything else
 * is flushed, alone. */
void follow_on_prepare(Batch *batch, void *userdata) {
        Follow *follow = follow_of(userdata);
        const Operation *operation = batch->first;
        size_t n = 0;

        follow->size = 0;
        for (; operation && n < batch->max && follow->size < FOLLOW_BATCH_SIZE;
             n++, operation = operation->next) {
                if (is_entry(operation))
                        follow->size += CONTAINER_OF(operation, Decided, operation)->size;
                else if (operation->apply != submit_apply_answer)
                        break;
        }

        batch->max = MAX(n, (size_t) 1);
        batch->is_whole = n > 0;
        batch->is_durable = n > 0 && follow->not_synced + follow->size < FOLLOW_SYNC_SIZE;
        follow->is_syncing = !batch->is_durable;
}

static bool may_repeat(int error) {
        return error == -ENOSPC || error == -EDQUOT || error == -ENOMEM || error == -EMFILE ||
               error == -ENFILE;
}

bool follow_on_failed(int error, void *userdata) {
        Follow *follow = follow_of(userdata);

        if (may_repeat(error)) {
                if (!atomic_load(&follow->is_closing))
                        (void) usleep(FOLLOW_FULL_USEC);
                if (!atomic_load(&follow->is_closing))
                        return true;
                follow->ended = -ESHUTDOWN;
                return false;
        }

        follow->ended = error;
        follow->group.on_broken(error, follow->group.userdata);
        return false;
}

int follow_on_ending(Transaction *transaction, void *userdata) {
        Follow *follow = follow_of(userdata);

        if (follow->applied.now.index != follow->applied.committed.index)
                (void) applied_put(transaction, &follow->applied.now);
        return transaction->error < 0 ? transaction->error : tables_ending(transaction, userdata);
}

void follow_on_ended(bool committed, void *userdata) {
        Follow *follow = follow_of(userdata);

        if (committed)
                follow->applied.committed = follow->applied.now;
        else
                follow->applied.now = follow->applied.committed;
        tables_ended(committed, userdata);
}

void follow_on_flushed(void *userdata) {
        Follow *follow = follow_of(userdata);

        follow->not_synced = follow->is_syncing ? 0 : follow->not_synced + follow->size;
        if (follow->is_syncing)
                atomic_store(&follow->on_disk, follow->applied.now.index);
        tables_flushed(userdata);
}

/* -- What is asked from outside -- */

/* Whether there is no place for another entry. The committer takes some off and then looks whether
 * one was refused; here it is the other way round, so one of the two sees the other. */
static bool is_queue_full(Follow *follow) {
        if (atomic_load(&follow->queued) <= FOLLOW_QUEUE_MAX)
                return false;

        atomic_store(&follow->is_full, true);
        if (atomic_load(&follow->queued) > FOLLOW_QUEUE_MAX / 2)
                return true;
        atomic_store(&follow->is_full, false);
        return false;
}

int follow_decided(Follow *follow, uint64_t index, const Entry *entry, Proposal *proposal) {
        Decided *decided;

        if (!proposal && is_queue_full(follow))
                return -EAGAIN;
        decided = malloc(sizeof(*decided) + entry->size);
        if (!decided)
                return -ENOMEM;

        *decided = (Decided){
                .operation = { .apply = apply_entry, .done = on_applied },
                .follow = follow,
                .proposal = proposal,
                .index = index,
                .term = entry->term,
                .type = entry->type,
                .size = entry->size,
        };
        if (entry->size > 0)
                memcpy(decided->data, entry->data, entry->size);
        (void) atomic_fetch_add(&follow->queued, decided->size);
        environment_submit(follow->environment, &decided->operation);
        return 0;
}

void follow_applied(Follow *follow, ConsensusApplied *ret, uint64_t *ret_on_disk) {
        *ret_on_disk = atomic_load(&follow->on_disk); /* first, or it could be ahead */
        environment_read_lock(follow->environment);
        *ret = follow->applied.now;
        environment_read_unlock(follow->environment);
}

/* An answer may let another entry be refused that had to wait, and that is answered after the
 * next operation at the earliest. */
void follow_finish(Follow *follow) {
        atomic_store(&follow->is_closing, true);

        while (!proposals_are_answered(&follow->proposals)) {
                Operation nothing = { .apply = submit_apply_answer };

                (void) environment_run(follow->environment, &nothing);
        }
}
