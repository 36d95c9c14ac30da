/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "master/cluster/run.h"
#include "master/link/caller.h"
#include "store/index/identity.h"

#define DETAIL_SIZE (2 * VOLUME_URL_SIZE + 256)

static const char other_release[] =
                "The volume runs another version of dkv; install the same on all machines.";

/* Whether the call is for the master of this cluster. */
static int check_receiver(const Callers *callers, const Parties *parties) {
        const Leadership *lead = index_identity(callers->index);

        if (parties->to.number != 0 || parties->from.number == 0)
                return -EREMOTE;
        return cluster_id_equal(parties->lead.cluster, lead->cluster) ? 0 : -EREMOTE;
}

int caller_admit(const Callers *callers, const Handshake *offer, Handshake *answer) {
        const Leadership *lead = index_identity(callers->index);

        if (offer->to.number != 0 || offer->from.number == 0)
                return -EREMOTE;

        /* A store of another cluster is told so when it reports, which is of interest. */
        if (cluster_id_is_null(offer->cluster) || cluster_id_equal(offer->cluster, lead->cluster))
                memcpy(answer->cluster, lead->cluster, sizeof(answer->cluster));
        return 0;
}

int caller_begin_report(RpcRequest *request) {
        const Parties *parties = rpc_request_parties(request);

        return parties->to.number == 0 && parties->from.number != 0 ? 0 : -EREMOTE;
}

int caller_check_cluster(const Callers *callers, const VolumeReport *report) {
        const Leadership *lead = index_identity(callers->index);

        if (cluster_id_is_null(report->lead.cluster) ||
            cluster_id_equal(report->lead.cluster, lead->cluster))
                return 0;
        return -EREMOTE;
}

/* Whom the caller follows. It knows an older start of this master until its next report. */
static int check_lead(const Callers *callers, const Leadership *lead) {
        const Leadership *ours = index_identity(callers->index);

        if (leadership_equal(lead, ours))
                return 0;
        return lead->term > ours->term ? -EKEYREVOKED : -EINPROGRESS;
}

int caller_begin(const Callers *callers, RpcRequest *request) {
        const Parties *parties = rpc_request_parties(request);
        int r;

        r = check_receiver(callers, parties);
        if (r >= 0)
                r = check_lead(callers, &parties->lead);
        if (r >= 0)
                r = volumes_check_caller(callers->volumes, &parties->from);
        return r;
}

static int refuse_run(const Callers *callers, RpcRequest *request, const VolumeReport *report) {
        char detail[DETAIL_SIZE], url[VOLUME_URL_SIZE] = "";

        (void) volumes_url(callers->volumes, report->number, url);
        troubles_note(callers->troubles, TROUBLE_TWO_RUNS, report->number, "%s, and at %s", url,
                      report->url);
        (void) snprintf(detail, sizeof(detail),
                        "Volume %" PRIu32
                        " is up at %s with the same store, so this daemon, at %s, is not "
                        "used. A store must never be served twice: stop one of the two.",
                        report->number, url, report->url);
        return rpc_request_refuse(request, -ENOTUNIQ, detail);
}

static int refuse_store(const Callers *callers, RpcRequest *request, const VolumeReport *report) {
        StoreIdentity store;
        bool is_copy = volumes_store(callers->volumes, report->number, &store) < 0;

        return rpc_request_refuse(
                        request, -EEXIST,
                        is_copy ? "This is the store of another volume; give a new volume another, empty directory."
                                : "Another store has this volume's number; numbers are unique and never used again.");
}

static int refuse_cluster(const Callers *callers, RpcRequest *request, const VolumeReport *report) {
        troubles_note(callers->troubles, TROUBLE_OTHER_CLUSTER, report->number, "%s", report->url);
        return rpc_request_refuse(
                        request, -EREMOTE,
                        "The store of this volume belongs to another cluster; give the volume its own "
                        "directory back, or its own master in Master=.");
}

int caller_refuse_report(
                const Callers *callers,
                RpcRequest *request,
                const VolumeReport *report,
                int error) {
        switch (error) {
        case -EPROTO:
                return rpc_request_refuse(request, error, other_release);
        case -EEXIST:
                return refuse_store(callers, request, report);
        case -EBUSY:
                return rpc_request_refuse(
                                request, error,
                                "The volume was removed from the cluster; its number is never used again.");
        case -ENOTUNIQ:
                return refuse_run(callers, request, report);
        case -EREMOTE:
                return refuse_cluster(callers, request, report);
        case -EINPROGRESS: /* somebody at the volume's address will know */
                prober_hurry(callers->prober, report->number);
                return error;
        default:
                return error;
        }
}
