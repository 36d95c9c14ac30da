/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "core/call/wire.h"
#include "master/call/report-call.h"
#include "master/cluster/report.h"
#include "master/cluster/run.h"
#include "master/link/caller.h"
#include "master/request/requests.h"
#include "master/trouble/report-health.h"
#include "store/index/identity.h"

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

/* By the answer the volume knows whom it follows. */
static int reply_report(RpcRequest *request, uint32_t volume) {
        Requests *requests = requests_of_call(request);
        _cleanup_(json_freep) Json *answer = json_new_object();
        _cleanup_(buffer_done) Buffer body = {};
        _cleanup_free_ char *text = NULL;
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
        buffer_put(&body, text, strlen(text));
        return rpc_request_reply(request, index_identity(requests->index), &body);
}

static int refuse_stranger(RpcRequest *request, const VolumeReport *report) {
        Requests *requests = requests_of_call(request);
        char why[LEAD_REASON_SIZE];

        troubles_note(requests->troubles, TROUBLE_STRANGER, report->number, "%s", report->url);
        lead_explain_stranger(requests->lead, report->number, why);
        return rpc_request_refuse(request, -EEXIST, why);
}

int report_call_finish(RpcRequest *request) {
        Requests *requests = requests_of_call(request);
        _cleanup_(json_freep) Json *json = NULL;
        VolumeReport report;
        const Buffer *body = rpc_request_body(request);
        int r;

        r = json_parse((const char *) body->data, body->size, &json);
        if (r < 0)
                return -EINVAL;
        r = parse_report(json, rpc_request_parties(request), &report);
        if (r >= 0 && volumes_has_other_run(requests->volumes, &report))
                r = -ENOTUNIQ;
        if (r >= 0)
                r = lead_hear(requests->lead, &report,
                              volumes_find_store(requests->volumes, report.number, report.uuid),
                              volumes_count_used(requests->volumes));
        if (r >= 0)
                r = caller_check_cluster(&requests->callers, &report);
        if (r == -EOWNERDEAD) { /* its state is of interest all the same */
                (void) volumes_report(requests->volumes, &report);
                r = lead_check_call(requests->lead, request);
                if (r < 0)
                        return r;
                r = -EOWNERDEAD; /* it leads by now; the next report is soon enough */
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
