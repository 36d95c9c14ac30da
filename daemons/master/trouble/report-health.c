/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "master/trouble/report-health.h"

int peer_read_health(const Json *json, VolumeReport *ret) {
        const char *fault = json_get_string(json, "fault");
        const Json *peers = json_get(json, "peers");
        uint64_t clock, delay;

        if (json_get_uint(json, "clock", &clock) < 0 || json_get_uint(json, "delay", &delay) < 0 ||
            clock > INT64_MAX - USEC_PER_MIN || delay > USEC_PER_MIN)
                return -EINVAL;

        ret->skew_usec = (int64_t) (clock + delay) - (int64_t) clock_realtime();
        ret->fault = fault ? store_fault_from_string(fault) : STORE_FAULT_NONE;
        (void) json_get_uint(json, "damaged_pages", &ret->damaged_pages);
        ret->n_peers = 0;
        for (size_t i = 0; i < json_array_size(peers) && ret->n_peers < REPORT_PEERS_MAX; i++) {
                const char *peer = json_to_string(json_array_get(peers, i));

                if (peer)
                        ret->peers[ret->n_peers++] = peer;
        }
        return 0;
}

static void note_fault(Troubles *troubles, const VolumeReport *report, const char *detail) {
        static const struct {
                StoreFault fault;
                TroubleKind kind;
        } kinds[] = {
                { STORE_FAULT_FAILED, TROUBLE_DISK_FAILED },
                { STORE_FAULT_READ_ONLY, TROUBLE_DISK_READ_ONLY },
                { STORE_FAULT_DENIED, TROUBLE_DISK_DENIED },
                { STORE_FAULT_MISSING, TROUBLE_DISK_MISSING },
                { STORE_FAULT_OVERLOADED, TROUBLE_OVERLOADED },
        };

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                if (report->fault == kinds[i].fault)
                        troubles_note(troubles, kinds[i].kind, report->number, "%s", detail ?: "");
                else
                        troubles_clear(troubles, kinds[i].kind, report->number);
}

static void note_pages(Troubles *troubles, const VolumeReport *report) {
        if (report->damaged_pages == 0)
                troubles_clear(troubles, TROUBLE_PAGES_DAMAGED, report->number);
        else
                troubles_note(troubles, TROUBLE_PAGES_DAMAGED, report->number, "%" PRIu64,
                              report->damaged_pages);
}

/* Of those that are gone altogether something else is told. */
static void note_peers(Troubles *troubles, const VolumeReport *report) {
        char list[TROUBLE_DETAIL_SIZE] = "";
        size_t size = 0;

        for (size_t i = 0; i < report->n_peers && size < sizeof(list); i++)
                size += (size_t) snprintf(
                                list + size, sizeof(list) - size, "%s%s", i > 0 ? ", " : "",
                                report->peers[i]);
        if (report->n_peers == 0)
                troubles_clear(troubles, TROUBLE_PEER_UNREACHABLE, report->number);
        else
                troubles_note(troubles, TROUBLE_PEER_UNREACHABLE, report->number, "%s", list);
}

void peer_note_health(Troubles *troubles, const VolumeReport *report, const char *fault_detail) {
        note_fault(troubles, report, fault_detail);
        note_pages(troubles, report);
        note_peers(troubles, report);
        troubles_clear(troubles, TROUBLE_OTHER_RELEASE, report->number);
}

void peer_note_refusal(Troubles *troubles, const VolumeReport *report, int error) {
        const char *url = report->url ?: "an unknown address";

        switch (error) {
        case -EPROTO:
                troubles_note(troubles, TROUBLE_OTHER_RELEASE, report->number, "%s", url);
                break;
        case -EEXIST:
                troubles_note(troubles, TROUBLE_OTHER_STORE, report->number, "%s", url);
                break;
        case -EBUSY:
                troubles_note(troubles, TROUBLE_REMOVED_REPORTS, report->number, "%s", url);
                break;
        default:
                break;
        }
}
