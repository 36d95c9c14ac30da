/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What volumes.c (who is there and who is up) and volumes-change.c (how that changes) share. */

#include "map.h"
#include "net/periodic.h"
#include "volumes.h"

/* What is known of a volume besides the map. */
typedef struct Live {
        uint64_t seen_usec;     /* monotonic; 0 for never */
        uint64_t reported_usec; /* since the epoch; 0 for never */
        uint64_t disk_free, disk_size, objects, bytes, pending;
        bool changed;  /* the map says something else of it since the last look */
        unsigned look; /* of the main loop, which alone uses it: what it saw last, see LookMark */
} Live;

struct Volumes {
        Map map; /* its lock guards what follows, too */
        uint64_t timeout_usec;
        bool auto_add;
        Live *live; /* by number; as far as there are numbers in the map */
        size_t n_live;

        Periodic *watch;
        VolumesObserver on_change; /* of the main loop */
        void *userdata;
};

/* With the lock held. */
bool volumes_is_up(const Volumes *volumes, uint32_t number, uint64_t now_usec) _pure_;

/* Returns 0, or -EINVAL. */
int volumes_check_url(const char *url);
int volumes_check_zone(const char *zone);

/* With the lock held for writing: makes the map say what the report says. While another change is
 * on its way this waits for the next report. */
int volumes_change_by_report(Volumes *volumes, const VolumeReport *report);

/* Removes the mark of a maintenance that is over. Does nothing while another change is on its way,
 * or if it lacks memory: it is to be called until it has worked. */
void volumes_end_maintenance(Volumes *volumes, uint32_t number);
