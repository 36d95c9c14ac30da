/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "master/cluster/run.h"
#include "master/link/caller.h"
#include "rpc/rpc.h"
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

/* A volume whose clock is behind learns from this what time it is, and asks again. */
static int tell_time(const Callers *callers, HttpRequest *request) {
        Parties parties = { .lead = *index_identity(callers->index) };
        char text[64];

        (void) snprintf(text, sizeof(text), "{\"clock\":%" PRIu64 "}", clock_realtime());
        return rpc_reply(
                        request, callers->secret, &parties, "application/json", text, strlen(text));
}

/* Who signs with another secret may be a volume that was set up in haste. */
static void note_secret(const Callers *callers, HttpRequest *request) {
        char address[HTTP_ADDRESS_SIZE];

        if (http_request_header(request, SIGNATURE_HEADER) &&
            http_request_address(request, address) >= 0)
                troubles_note(callers->troubles, TROUBLE_SECRET, 0, "%s", address);
}

int caller_refuse(HttpRequest *request, int error) {
        return error == -EPROTO ? http_request_reply_error(request, error, other_release) : error;
}

int caller_refuse_reporter(const Callers *callers, HttpRequest *request, int error) {
        if (error == -ETIME)
                return tell_time(callers, request);
        if (error == -EACCES)
                note_secret(callers, request);
        return caller_refuse(request, error);
}

int caller_begin_report(HttpRequest *request) {
        const Parties *parties = rpc_parties(request);

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

int caller_begin(const Callers *callers, HttpRequest *request) {
        const Parties *parties = rpc_parties(request);
        int r;

        r = check_receiver(callers, parties);
        if (r >= 0)
                r = check_lead(callers, &parties->lead);
        if (r >= 0)
                r = volumes_check_caller(callers->volumes, &parties->from, parties->sequence);
        return r;
}

static int refuse_run(const Callers *callers, HttpRequest *request, const VolumeReport *report) {
        char detail[DETAIL_SIZE], url[VOLUME_URL_SIZE] = "";

        (void) volumes_url(callers->volumes, report->number, url);
        troubles_note(callers->troubles, TROUBLE_TWO_RUNS, report->number, "%s, and at %s", url,
                      report->url);
        (void) snprintf(detail, sizeof(detail),
                        "Volume %" PRIu32
                        " is up at %s with the same store, so this daemon, at %s, is not "
                        "used. A store must never be served twice: stop one of the two.",
                        report->number, url, report->url);
        return http_request_reply_error(request, -ENOTUNIQ, detail);
}

static int refuse_store(const Callers *callers, HttpRequest *request, const VolumeReport *report) {
        StoreIdentity store;
        bool is_copy = volumes_store(callers->volumes, report->number, &store) < 0;

        return http_request_reply_error(
                        request, -EEXIST,
                        is_copy ? "This is the store of another volume; give a new volume another, empty directory."
                                : "Another store has this volume's number; numbers are unique and never used again.");
}

static int refuse_cluster(
                const Callers *callers, HttpRequest *request, const VolumeReport *report) {
        troubles_note(callers->troubles, TROUBLE_OTHER_CLUSTER, report->number, "%s", report->url);
        return http_request_reply_error(
                        request, -EREMOTE,
                        "The store of this volume belongs to another cluster; give the volume its own "
                        "directory back, or its own master in Master=.");
}

int caller_refuse_report(
                const Callers *callers,
                HttpRequest *request,
                const VolumeReport *report,
                int error) {
        switch (error) {
        case -EPROTO:
                return http_request_reply_error(request, error, other_release);
        case -EEXIST:
                return refuse_store(callers, request, report);
        case -EBUSY:
                return http_request_reply_error(
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
