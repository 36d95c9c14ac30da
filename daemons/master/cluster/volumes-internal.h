/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What is behind Volumes, for the modules of this folder that read and change it: run, choice,
 * change, volume-settings, membership, report and watch. */

#include <stdatomic.h>

#include "master/cluster/map.h"
#include "master/cluster/volumes.h"

#define SKEWS 3

/* What is known of a volume besides the map. */
typedef struct Live {
        uint64_t seen_usec;     /* monotonic; 0 for never */
        uint64_t reported_usec; /* since the epoch; 0 for never */
        uint64_t disk_free, disk_size, disk_id, objects, bytes, pending;
        StoreFault fault;
        int64_t skew_usec, skews_usec[SKEWS]; /* how far its clock is ahead: of the last reports */
        unsigned n_skews;
        uint32_t cut[REPORT_PEERS_MAX]; /* volumes that it cannot reach */
        size_t n_cut;

        /* Which run is the volume, see run.h */
        uint64_t run; /* 0 as long as none has reported in this term */
        uint64_t report_sequence;
        uint64_t answering_run; /* which was at its address when the master asked last */
        uint64_t doubted_run;   /* which says that it is there, too */
        uint64_t answered_usec, doubted_usec; /* monotonic */
        char *url; /* owned; what the run calls its address; NULL without a run */
        atomic_uint_least64_t sequence; /* of the last order */

        bool changed;  /* the map says something else of it since the last look */
        unsigned look; /* of the watch, which alone uses it: what it saw last */
} Live;

struct Volumes {
        Map map; /* its lock guards what follows, too */
        VolumesOptions options;
        Live *live; /* by number; as far as there are numbers in the map */
        size_t n_live;
        Contacts *contacts; /* owned; needs no lock */
};

/* With the lock held. */
bool volumes_is_up(const Volumes *volumes, uint32_t number, uint64_t now_usec) _pure_;

/* Makes room for what is known of volume NUMBER. With the lock held for writing. */
int volumes_extend(Volumes *volumes, uint32_t number);

/* With the lock held; as volumes_url(). */
int volumes_find_url(
                const Volumes *volumes,
                uint32_t number,
                uint64_t now_usec,
                char ret[static VOLUME_URL_SIZE]);

/* How many copies there should be if the map were CLUSTER. */
uint32_t volumes_copies_of(const Volumes *volumes, const Cluster *cluster) _pure_;

/* Returns 0, or -EINVAL. */
int volumes_check_url(const char *url);
int volumes_check_zone(const char *zone);
