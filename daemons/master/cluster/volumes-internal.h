/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What volumes.c (who is there and who is up), volumes-change.c (how that changes) and
 * volumes-state.c (who takes part) share. */

#include "base/periodic.h"
#include "core/call/replay.h"
#include "master/cluster/map.h"
#include "master/cluster/settings.h"

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

        /* Which run is the volume, see volumes-run.h */
        uint64_t run; /* 0 as long as none has reported in this term */
        uint64_t report_sequence;
        uint64_t answering_run; /* which was at its address when the master asked last */
        uint64_t doubted_run;   /* which says that it is there, too */
        uint64_t answered_usec, doubted_usec; /* monotonic */
        char *url;         /* owned; what the run calls its address; NULL without a run */
        Replay *calls;     /* owned, likewise; under calls_lock */
        uint64_t sequence; /* atomic: of the last order */

        bool changed;  /* the map says something else of it since the last look */
        unsigned look; /* of the main loop, which alone uses it: what it saw last, see LookMark */
} Live;

struct Volumes {
        Map map; /* its lock guards what follows, too */
        VolumesOptions options;
        Live *live; /* by number; as far as there are numbers in the map */
        size_t n_live;
        Contacts *contacts; /* owned; needs no lock */
        pthread_mutex_t calls_lock;

        Periodic *watch;
        VolumesObserver on_change; /* of the main loop */
        void *userdata;
};

/* With the lock held. */
bool volumes_is_up(const Volumes *volumes, uint32_t number, uint64_t now_usec) _pure_;

/* With the lock held: whether the clock of a volume is so far off that its tickets and signatures,
 * or ours there, may fail; and from how far on they may. */
bool volumes_is_skewed(const Volumes *volumes, uint32_t number) _pure_;
uint64_t volumes_skew_max(const Volumes *volumes) _pure_;

/* With the lock held; as volumes_url(). */
int volumes_find_url(
                const Volumes *volumes,
                uint32_t number,
                uint64_t now_usec,
                char ret[static VOLUME_URL_SIZE]);

/* Whether the report is of the run that is the volume, or of one that becomes it now. Returns 0 or
 * what volumes_report() says. */
int volumes_check_run(const Volumes *volumes, Live *live, const VolumeReport *report);

/* From now on, with the lock held for writing. */
int volumes_take_run(Live *live, const VolumeReport *report);
void volumes_forget_run(Live *live);

/* How many copies there should be if the map were CLUSTER. */
uint32_t volumes_copies_of(const Volumes *volumes, const Cluster *cluster) _pure_;

/* Returns 0, or -EINVAL. */
int volumes_check_url(const char *url);
int volumes_check_zone(const char *zone);

/* With the lock held for writing: makes the map say what the report says. While another change is
 * on its way this waits for the next report. */
int volumes_change_by_report(Volumes *volumes, const VolumeReport *report);

/* Removes the mark of a maintenance that is over. Does nothing while another change is on its way,
 * or if it lacks memory: it is to be called until it has worked. */
void volumes_end_maintenance(Volumes *volumes, uint32_t number);

typedef struct Affected {
        uint32_t number;
        unsigned effects;
} Affected;

/* A change that is under way. */
typedef struct Change {
        MapChange map_change;
        Volumes *volumes;                                   /* not owned */
        int (*apply)(struct Change *change, Cluster *copy); /* returns 0 or a negative errno */
        VolumesChange *asked;                               /* not owned; NULL if nobody waits */
        uint32_t refused;                                   /* see there */

        const VolumeReport *report; /* borrowed: applied before the call returns */
        char *url, *zone;           /* owned */
        uint32_t weight;
        uint64_t maintenance_until;
        uint32_t copies;

        bool copies_changed;
        Affected *affected; /* owned; known, as the above, when it has been applied */
        size_t n_affected;

        size_t n_numbers;
        uint32_t numbers[]; /* of the volumes that it is about */
} Change;

/* NUMBERS are copied. Returns NULL for lack of memory. */
Change *change_new(
                Volumes *volumes,
                int (*apply)(Change *change, Cluster *copy),
                const uint32_t numbers[],
                size_t n);
Change *change_free(Change *change);
DEFINE_CLEANUP(Change *, change_free);

/* Takes CHANGE over in any case. */
int change_submit(Change *change, VolumesChange *asked);

/* Returns 0, -ENOENT, or -EBUSY for a removed one. */
int change_find_volume(const Cluster *cluster, uint32_t number, Volume **ret);
