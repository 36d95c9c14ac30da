/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/event-ids.h"
#include "base/log.h"
#include "base/periodic.h"
#include "master/cluster/change-internal.h"
#include "master/cluster/watch.h"

#define TICK_USEC   (USEC_PER_SEC / 4)
#define NOTICES_MAX 64

struct Watch {
        Volumes *volumes; /* not owned */
        Periodic *timer;
        WatchObserver on_change;
        void *userdata;
};

/* What the main loop sees of a volume; what differs from its last look is news. */
typedef enum LookMark {
        LOOK_KNOWN = 1 << 0,
        LOOK_UP = 1 << 1,
        LOOK_NEARLY_FULL = 1 << 2,
        LOOK_MAINTENANCE = 1 << 3,
} LookMark;

typedef struct Notice {
        uint32_t number;
        VolumeState state;
        unsigned before, now; /* looks */
        bool changed;
        bool maintenance_is_over; /* while the map still has it */
} Notice;

static Notice look(const Volumes *volumes, const Volume *volume, uint64_t now, uint64_t realtime) {
        const Live *live = volumes->live + volume->number;
        bool maintenance = volume_in_maintenance(volume, realtime);
        Notice notice = {
                .number = volume->number,
                .state = volume->state,
                .before = live->look,
                .now = LOOK_KNOWN,
                .maintenance_is_over = volume->maintenance_until > 0 && !maintenance,
        };

        if (volumes_is_up(volumes, volume->number, now))
                notice.now |= LOOK_UP;
        if (disk_is_nearly_full(live->disk_free, live->disk_size))
                notice.now |= LOOK_NEARLY_FULL;
        if (maintenance)
                notice.now |= LOOK_MAINTENANCE;
        notice.changed = live->changed || notice.now != notice.before;
        return notice;
}

/* With the lock held for reading: what it writes is the main loop's, or written under the lock for
 * writing by others. Returns the number of notices; what finds no room is news the next time. */
static size_t collect(Volumes *volumes, Notice ret[static NOTICES_MAX]) {
        const Cluster *cluster = volumes->map.cluster;
        uint64_t now = clock_monotonic(), realtime = clock_realtime();
        size_t n = 0;

        for (size_t i = 0; i < cluster->n_volumes && n < NOTICES_MAX; i++) {
                Notice notice = look(volumes, cluster->volumes + i, now, realtime);
                Live *live = volumes->live + notice.number;

                if (!notice.changed && !notice.maintenance_is_over)
                        continue;
                live->look = notice.now;
                live->changed = false;
                ret[n++] = notice;
        }
        return n;
}

/* Unless it was prolonged meanwhile. */
static int apply_end(Change *change, Cluster *copy) {
        Volume *volume = cluster_find(copy, change->numbers[0]);

        if (!volume_in_maintenance(volume, clock_realtime()))
                volume->maintenance_until = 0;
        return 0;
}

/* Removes the mark of a maintenance that is over. Does nothing while another change is under way,
 * or if it lacks memory: it is called until it has worked. */
static void end_maintenance(Volumes *volumes, uint32_t number) {
        Map *map = &volumes->map;
        Change *change;

        (void) pthread_rwlock_wrlock(&map->lock);
        change = map_is_changing(map) ? NULL : change_new(volumes, apply_end, &number, 1);
        if (change && map_submit(map, &change->map_change) < 0)
                (void) change_free(change); /* lacks memory */
        (void) pthread_rwlock_unlock(&map->lock);
}

static void log_liveness(const Notice *notice) {
        char field[sizeof("DKV_VOLUME=") + 10];
        const char *const fields[] = { field, NULL };

        (void) snprintf(field, sizeof(field), "DKV_VOLUME=%" PRIu32, notice->number);
        if (notice->now & LOOK_UP)
                log_event(LOG_NOTICE, EVENT_VOLUME_UP, fields, "Volume %" PRIu32 " is up.",
                          notice->number);
        else
                log_event(notice->now & LOOK_MAINTENANCE ? LOG_NOTICE : LOG_WARNING,
                          EVENT_VOLUME_DOWN, fields,
                          "Volume %" PRIu32 " is down: it does not report any more.",
                          notice->number);
}

static void on_tick(void *userdata) {
        Watch *watch = userdata;
        Volumes *volumes = watch->volumes;
        Notice notices[NOTICES_MAX];
        size_t n;

        (void) pthread_rwlock_rdlock(&volumes->map.lock);
        n = collect(volumes, notices);
        (void) pthread_rwlock_unlock(&volumes->map.lock);

        for (const Notice *notice = notices; notice < notices + n; notice++) {
                if ((notice->before ^ notice->now) & LOOK_UP && notice->state != VOLUME_REMOVED)
                        log_liveness(notice);
                if (notice->changed && watch->on_change)
                        watch->on_change(
                                        notice->number, !(notice->before & LOOK_KNOWN),
                                        watch->userdata);
                if (notice->maintenance_is_over)
                        end_maintenance(volumes, notice->number);
        }
}

/* What is there already is no news. */
static void look_first(Volumes *volumes) {
        const Cluster *cluster = volumes->map.cluster;
        uint64_t now = clock_monotonic(), realtime = clock_realtime();

        (void) pthread_rwlock_wrlock(&volumes->map.lock);
        for (size_t i = 0; i < cluster->n_volumes; i++) {
                const Volume *volume = cluster->volumes + i;

                volumes->live[volume->number].look = look(volumes, volume, now, realtime).now;
                volumes->live[volume->number].changed = false;
        }
        (void) pthread_rwlock_unlock(&volumes->map.lock);
}

int watch_new(Volumes *volumes, sd_event *event, Watch **ret) {
        _cleanup_(watch_freep) Watch *watch = malloc(sizeof(*watch));
        int r;

        if (!watch)
                return -ENOMEM;

        *watch = (Watch){ .volumes = volumes };
        look_first(volumes);
        r = periodic_new(event, TICK_USEC, TICK_USEC, on_tick, watch, &watch->timer);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(watch);
        return 0;
}

Watch *watch_free(Watch *watch) {
        if (!watch)
                return NULL;

        (void) periodic_free(watch->timer);
        free(watch);
        return NULL;
}

void watch_set_observer(Watch *watch, WatchObserver on_change, void *userdata) {
        watch->on_change = on_change;
        watch->userdata = userdata;
}
