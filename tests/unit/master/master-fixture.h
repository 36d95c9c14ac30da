/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A master without requests of clients: its index, lead, volumes and troubles, and daemons that a
 * test stands in for. Include after "test.h". */

#include "http/stand-in.h"
#include "master/cluster/report.h"
#include "master/lead/lead.h"
#include "scratch.h"
#include "store/index/identity.h"

typedef struct Master {
        char *directory;
        sd_event *event;
        Index *index;
        Troubles *troubles;
        Lead *lead;
        Volumes *volumes;
} Master;

static Master master;

/* Opens what there is in the directory of the master. */
static inline void master_open(uint64_t timeout_usec) {
        IndexOptions options = { .directory = master.directory };

        assert_ok(sd_event_new(&master.event));
        assert_ok(index_open(&options, &master.index));
        assert_ok(troubles_new(&master.troubles));
        assert_ok(lead_new(
                        &(LeadOptions){
                                        .index = master.index,
                                        .troubles = master.troubles,
                                        .directory = master.directory,
                        },
                        master.event, &master.lead));
        assert_ok(
                        volumes_new(master.index,
                                    &(VolumesOptions){
                                                    .timeout_usec = timeout_usec,
                                                    .copies = 1,
                                                    .auto_add = true,
                                                    .lead = master.lead,
                                    },
                                    &master.volumes));
}

/* Everything that makes calls or changes must have been stopped. */
static inline void master_close(void) {
        master.index = index_free(master.index);
        master.volumes = volumes_free(master.volumes);
        master.lead = lead_free(master.lead);
        master.troubles = troubles_free(master.troubles);
        master.event = sd_event_unref(master.event);
}

static inline void master_start(void) {
        master.directory = scratch_new();
        master_open(USEC_PER_HOUR);
}

static inline void master_stop(void) {
        master_close();
        master.directory = scratch_free(master.directory);
}

/* Waits until what was submitted to the index is done. */
static inline void master_settle(void) {
        IndexSet barrier = { .request.done = scratch_answered, .name = "barrier" };

        index_set(master.index, &barrier);
        (void) scratch_wait();
}

/* What the first run of volume NUMBER says of itself, if it is at URL. */
static inline VolumeReport master_report_of(uint32_t number, const char *url) {
        static uint64_t sequence;

        return (VolumeReport){
                .number = number,
                .uuid = { (uint8_t) number },
                .run = number,
                .sequence = ++sequence,
                .url = url,
                .zone = "",
                .disk_free = 100 * GIB,
                .disk_size = 200 * GIB,
        };
}

/* Takes the report, and waits until the map says what follows from it. */
static inline int master_hear(const VolumeReport *report) {
        int r = volumes_report(master.volumes, report);

        master_settle();
        return r;
}

/* Volume NUMBER is up and active from now on. */
static inline void master_know(uint32_t number, const char *url) {
        VolumeReport report = master_report_of(number, url);

        assert_ok(master_hear(&report));
}

/* What is told of a trouble, or NULL if there is none; good until the next call. */
static inline const char *master_detail(TroubleKind kind, uint32_t volume) {
        static char detail[TROUBLE_DETAIL_SIZE];
        _cleanup_free_ Trouble *list = NULL;
        size_t n;

        assert_ok(troubles_list(master.troubles, &list, &n));
        for (size_t i = 0; i < n; i++)
                if (list[i].kind == kind && list[i].volume == volume) {
                        memcpy(detail, list[i].detail, sizeof(detail));
                        return detail;
                }
        return NULL;
}
