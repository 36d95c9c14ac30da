/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "master/lead/judge.h"

int lead_report_of(const VolumeReport *report, LeadMember member, LeadReport *ret) {
        const uint64_t limit = UINT64_C(1) << 62; /* far from where they would overflow */

        if (report->lead.term >= limit || report->version_max >= limit ||
            report->deletion >= limit || report->revision >= limit || report->objects_ever >= limit)
                return -EINVAL;

        *ret = (LeadReport){
                .volume = report->number,
                .member = member,
                .is_bound = !cluster_id_is_null(report->lead.cluster),
                .reach = { .term = report->lead.term,
                           .version = MAX(report->version_max, report->deletion),
                           .revision = report->revision },
                .objects = report->objects,
        };
        memcpy(ret->cluster, report->lead.cluster, sizeof(ret->cluster));
        return 0;
}

bool lead_reach_is_behind(const LeadReach *index, const LeadReach *other) {
        return other->term > index->term || other->revision > index->revision ||
               (other->version > 0 && other->version >= index->version);
}

uint64_t lead_was_alive_after(uint64_t noticed_usec, uint64_t sent_usec, uint64_t age_usec) {
        uint64_t passed_usec = sent_usec - MIN(sent_usec, noticed_usec);

        return passed_usec - MIN(passed_usec, age_usec);
}

void lead_reach_raise(LeadReach *reach, const LeadReach *other) {
        reach->term = MAX(reach->term, other->term);
        reach->version = MAX(reach->version, other->version);
        reach->revision = MAX(reach->revision, other->revision);
}

LeadVerdict lead_judge(const LeadStanding *index, const LeadReport *report) {
        bool is_member = report->member == LEAD_MEMBER || report->member == LEAD_REMOVED;
        bool is_ahead = lead_reach_is_behind(&index->reach, &report->reach);

        /* A store that was never bound is from before there were ids, and the map decides. */
        if (report->is_bound)
                is_member = memcmp(report->cluster, index->cluster, CLUSTER_ID_SIZE) == 0;
        if (is_member)
                return is_ahead ? LEAD_IS_AHEAD : LEAD_FITS;

        /* A new one has nothing, and has never had. */
        return report->is_bound || report->objects > 0 || is_ahead ? LEAD_IS_STRANGER : LEAD_FITS;
}
