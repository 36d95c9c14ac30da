/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdatomic.h>

#include "core/call/wire.h"
#include "master/call/commit-call.h"
#include "master/request/requests.h"
#include "master/upkeep/deadlines.h"

#define COMMITS_MAX 4096

typedef struct CommitBatch CommitBatch;

typedef struct CommitItem {
        CommitBatch *batch;
        IndexCommit commit;
        int error;
} CommitItem;

struct CommitBatch {
        RpcRequest *request;
        atomic_size_t n_left;
        size_t n_items;
        CommitItem items[];
};

static void commit_reply(CommitBatch *batch) {
        _cleanup_(buffer_done) Buffer answer = {};

        for (size_t i = 0; i < batch->n_items; i++) {
                const CommitItem *item = batch->items + i;

                wire_put_commit_result(
                                &answer, &(WireCommitResult){
                                                         .error = item->error,
                                                         .created = item->commit.created,
                                                         .revision = item->commit.revision,
                                         });
        }
        (void) rpc_request_reply(batch->request, NULL, &answer);
}

static void commit_done(CommitBatch *batch) {
        if (atomic_fetch_sub(&batch->n_left, 1) == 1)
                commit_reply(batch);
}

static void on_committed(IndexRequest *request, IndexResult result) {
        CommitItem *item = CONTAINER_OF(request, CommitItem, commit.request);

        item->error = result.error; /* the volume asks again if it is unknown */
        commit_done(item->batch);
}

/* Whether this master can have asked for such a write. A version that was never given out would be
 * ahead of the index; a copy on an unknown volume is no copy. */
static bool is_ours(Requests *requests, const Record *record) {
        char url[VOLUME_URL_SIZE];

        if (record_check(record) < 0 || record->n_copies == 0)
                return false;
        for (size_t i = 0; i < record->n_copies; i++)
                if (volumes_url(requests->volumes, record->copies[i], url) == -ENOENT)
                        return false;
        return index_gave_version(requests->index, record->version);
}

/* Returns how many commits there are, or -EINVAL. */
static int count_commits(const Buffer *body) {
        Reader reader = READER(body->data, body->size);
        WireCommit wire;
        int n = 0;

        for (; reader.size > 0; n++)
                if (n == COMMITS_MAX || wire_get_commit(&reader, &wire) < 0)
                        return -EINVAL;
        return n;
}

/* Reads the items, for which there is room, and whose strings stay in the body. Returns 0 or
 * -EINVAL. */
static int read_commits(
                Requests *requests,
                const Buffer *body,
                uint64_t garbage_due_usec,
                CommitBatch *batch) {
        Reader reader = READER(body->data, body->size);

        while (reader.size > 0) {
                CommitItem *item = batch->items + batch->n_items;
                WireCommit wire;

                if (wire_get_commit(&reader, &wire) < 0 || !is_ours(requests, &wire.record))
                        return -EINVAL;
                *item = (CommitItem){
                        .batch = batch,
                        .commit = {
                                .request.done = on_committed,
                                .key = wire.key,
                                .record = wire.record,
                                .condition = wire.condition,
                                .garbage_due_usec = garbage_due_usec,
                        },
                };
                batch->n_items++;
        }
        return 0;
}

int commit_call_finish(RpcRequest *request) {
        Requests *requests = requests_of_call(request);
        const Buffer *body = rpc_request_body(request);
        CommitBatch *batch;
        int n, r;

        r = lead_check_call(requests->lead, request);
        if (r < 0)
                return r;
        n = count_commits(body);
        if (n < 0)
                return n;
        batch = calloc(1, sizeof(*batch) + (size_t) n * sizeof(batch->items[0]));
        if (!batch)
                return -ENOMEM;
        batch->request = request;
        rpc_request_set_state(request, batch, free);
        r = read_commits(requests, body, deadline_of_garbage(requests->grace_usec), batch);
        if (r < 0)
                return r;

        batch->n_left = batch->n_items + 1; /* one for this function */
        for (int i = 0; i < n; i++)
                index_commit(requests->index, &batch->items[i].commit);
        commit_done(batch);
        return RPC_LATER;
}
