/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdatomic.h>

#include "core/call/wire.h"
#include "http/server.h"
#include "master/call/commit-call.h"
#include "master/request/requests.h"
#include "master/upkeep/deadlines.h"
#include "rpc/rpc.h"

#define COMMITS_MAX 4096

typedef struct CommitBatch CommitBatch;

typedef struct CommitItem {
        CommitBatch *batch;
        IndexCommit commit;
        int error;
} CommitItem;

struct CommitBatch {
        HttpRequest *request;
        atomic_size_t n_left;
        size_t n_items;
        CommitItem items[];
};

static void commit_reply(CommitBatch *batch) {
        HttpRequest *request = batch->request;
        _cleanup_(buffer_done) Buffer answer = {};
        int r;

        for (size_t i = 0; i < batch->n_items; i++) {
                const CommitItem *item = batch->items + i;

                wire_put_commit_result(
                                &answer, &(WireCommitResult){
                                                         .error = item->error,
                                                         .created = item->commit.created,
                                                         .revision = item->commit.revision,
                                         });
        }

        r = buffer_error(&answer);
        if (r >= 0)
                r = http_request_reply_data(
                                request, 200, "application/octet-stream", answer.data, answer.size);
        if (r < 0)
                (void) http_request_reply_error(request, r, NULL);
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

/* Reads the items, whose strings stay in the body. Returns 0 or -EINVAL. */
static int read_commits(
                Requests *requests,
                const Buffer *body,
                uint64_t garbage_due_usec,
                CommitBatch *batch) {
        Reader reader = READER(body->data, body->size);

        while (reader.size > 0) {
                CommitItem *item = batch->items + batch->n_items;
                WireCommit wire;

                if (batch->n_items == COMMITS_MAX || wire_get_commit(&reader, &wire) < 0 ||
                    !is_ours(requests, &wire.record))
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

int commit_call_finish(HttpRequest *request) {
        Requests *requests = requests_of(request);
        const Buffer *body = rpc_request_body(request);
        CommitBatch *batch;
        int r;

        if (lead_refuses(requests->lead, request))
                return 0;
        batch = calloc(1, sizeof(*batch) + COMMITS_MAX * sizeof(batch->items[0]));
        if (!batch)
                return -ENOMEM;
        batch->request = request;
        rpc_set_state(request, batch, free);
        r = read_commits(requests, body, deadline_of_garbage(requests->grace_usec), batch);
        if (r < 0)
                return r;

        batch->n_left = batch->n_items + 1; /* one for this function */
        for (size_t i = 0, n = batch->n_items; i < n; i++)
                index_commit(requests->index, &batch->items[i].commit);
        commit_done(batch);
        return HTTP_LATER;
}
