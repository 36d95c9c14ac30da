/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "core/call/wire.h"
#include "http/server.h"
#include "master/call/volume-calls.h"
#include "master/cluster/report.h"
#include "master/cluster/run.h"
#include "master/link/caller.h"
#include "master/request/requests.h"
#include "master/trouble/report-health.h"
#include "master/upkeep/deadlines.h"
#include "rpc/rpc.h"
#include "store/index/garbage.h"
#include "store/index/identity.h"

#define COMMITS_MAX 4096
#define SETTLE_MAX  4096

int peer_begin(HttpRequest *request) {
        return caller_begin(&requests_of(request)->callers, request);
}

int peer_refuse_report(HttpRequest *request, int error) {
        return caller_refuse_reporter(&requests_of(request)->callers, request, error);
}

static int parse_report(const Json *json, const Parties *parties, VolumeReport *ret) {
        uint64_t wire;

        *ret = (VolumeReport){
                .number = parties->from.number,
                .run = parties->from.run,
                .sequence = parties->sequence,
                .lead = parties->lead,
                .url = json_get_string(json, "url"),
                .zone = json_get_string(json, "zone"),
        };
        memcpy(ret->uuid, parties->from.uuid, sizeof(ret->uuid));
        if (json_get_uint(json, "wire", &wire) < 0 || wire != WIRE_VERSION)
                return -EPROTO;
        if (!ret->url || !ret->zone || json_get_uint(json, "free", &ret->disk_free) < 0 ||
            json_get_uint(json, "size", &ret->disk_size) < 0 ||
            json_get_uint(json, "objects", &ret->objects) < 0 ||
            json_get_uint(json, "bytes", &ret->bytes) < 0 ||
            json_get_uint(json, "pending", &ret->pending) < 0 ||
            json_get_uint(json, "version_max", &ret->version_max) < 0 ||
            json_get_uint(json, "revision", &ret->revision) < 0 ||
            json_get_uint(json, "deletion", &ret->deletion) < 0 ||
            json_get_uint(json, "objects_ever", &ret->objects_ever) < 0)
                return -EINVAL;

        (void) json_get_uint(json, "disk", &ret->disk_id); /* 0 if the volume does not know */
        return peer_read_health(json, ret);
}

/* The answer is signed: by it the volume knows whom it follows. */
static int reply_report(HttpRequest *request, uint32_t volume) {
        Requests *requests = requests_of(request);
        _cleanup_(json_freep) Json *answer = json_new_object();
        _cleanup_free_ char *text = NULL;
        Parties parties = { .lead = *index_identity(requests->index) };
        uint64_t token, version;

        json_add_uint(answer, "clock", clock_realtime());
        json_add_uint(answer, "grace_usec", requests->grace_usec);
        json_add_uint(answer, "revision", index_revision(requests->index));
        if (stale_sweep(requests->stale, volume, &token, &version)) {
                json_add_uint(answer, "sweep", token);
                json_add_uint(answer, "sweep_version", version);
        }
        text = json_format(answer, false);
        if (!text)
                return -ENOMEM;
        return rpc_reply(
                        request, requests->secret, &parties, "application/json", text,
                        strlen(text));
}

static int refuse_stranger(HttpRequest *request, const VolumeReport *report) {
        Requests *requests = requests_of(request);
        char why[LEAD_REASON_SIZE];

        troubles_note(requests->troubles, TROUBLE_STRANGER, report->number, "%s", report->url);
        lead_explain_stranger(requests->lead, report->number, why);
        return http_request_reply_error(request, -EEXIST, why);
}

int volume_call_report_finish(HttpRequest *request) {
        Requests *requests = requests_of(request);
        _cleanup_(json_freep) Json *json = NULL;
        VolumeReport report;
        const Buffer *body = rpc_request_body(request);
        int r;

        r = json_parse((const char *) body->data, body->size, &json);
        if (r < 0)
                return -EINVAL;
        r = parse_report(json, rpc_parties(request), &report);
        if (r >= 0 && volumes_has_other_run(requests->volumes, &report))
                r = -ENOTUNIQ;
        if (r >= 0)
                r = lead_hear(requests->lead, &report,
                              volumes_find_store(requests->volumes, report.number, report.uuid),
                              volumes_count_used(requests->volumes));
        if (r >= 0)
                r = caller_check_cluster(&requests->callers, &report);
        if (r == -EOWNERDEAD) { /* its state is told all the same */
                (void) volumes_report(requests->volumes, &report);
                if (lead_refuses(requests->lead, request))
                        return 0;
        }
        if (r == -EEXIST)
                return refuse_stranger(request, &report);
        if (r >= 0)
                r = volumes_report(requests->volumes, &report);
        if (r < 0) {
                peer_note_refusal(requests->troubles, &report, r);
                return caller_refuse_report(&requests->callers, request, &report, r);
        }
        if (!volumes_is_reached(requests->volumes, report.number))
                prober_hurry(requests->prober, report.number); /* it may have come back just now */
        peer_note_health(requests->troubles, &report, json_get_string(json, "fault_detail"));
        stale_hear(requests->stale, &report);
        return reply_report(request, report.number);
}

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

static bool version_was_given(Requests *requests, uint64_t version) {
        return version > 0 && version < index_version_end(requests->index);
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
        return version_was_given(requests, record->version);
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

int volume_call_commit_finish(HttpRequest *request) {
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

typedef struct SettleBatch {
        HttpRequest *request;
        IndexSettle settle;
        IndexSettleItem items[SETTLE_MAX];
} SettleBatch;

static void on_settled(IndexRequest *request, IndexResult result) {
        SettleBatch *batch = CONTAINER_OF(request, SettleBatch, settle.request);

        if (result.error < 0) /* also if it is unknown: to settle twice does no harm */
                (void) http_request_reply_error(batch->request, result.error, NULL);
        else
                (void) http_request_reply(batch->request, 204);
}

static int read_settle(Requests *requests, const Buffer *body, SettleBatch *batch) {
        Reader reader = READER(body->data, body->size);
        char url[VOLUME_URL_SIZE];

        batch->settle.volume = reader_get_u32(&reader);
        if (reader_error(&reader) < 0 ||
            volumes_url(requests->volumes, batch->settle.volume, url) == -ENOENT)
                return -EINVAL;
        while (reader.size > 0 && reader_error(&reader) == 0) {
                IndexSettleItem *item = batch->items + batch->settle.n_items;

                if (batch->settle.n_items == SETTLE_MAX)
                        return -EINVAL;
                item->version = reader_get_u64(&reader);
                item->key = wire_get_key(&reader);
                if (!item->key || !version_was_given(requests, item->version))
                        return -EINVAL;
                batch->settle.n_items++;
        }
        return reader_end(&reader) < 0 ? -EINVAL : 0;
}

int volume_call_settle_finish(HttpRequest *request) {
        Requests *requests = requests_of(request);
        const Buffer *body = rpc_request_body(request);
        SettleBatch *batch;
        int r;

        if (lead_refuses(requests->lead, request))
                return 0;
        batch = calloc(1, sizeof(*batch));
        if (!batch)
                return -ENOMEM;
        batch->request = request;
        rpc_set_state(request, batch, free);
        r = read_settle(requests, body, batch);
        if (r < 0)
                return r;

        /* They have waited for the grace time already; but a copy that was current until a moment
         * ago, and whose volume never heard that it was, may just have been redirected to. */
        batch->settle.request.done = on_settled;
        batch->settle.items = batch->items;
        batch->settle.garbage_due_usec = clock_realtime() + requests->ticket_usec;
        batch->settle.fence_due_usec = deadline_of_fence();
        index_settle(requests->index, &batch->settle);
        return HTTP_LATER;
}
