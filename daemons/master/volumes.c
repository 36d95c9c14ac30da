/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/event-ids.h"
#include "base/log.h"
#include "core/cluster-codec.h"
#include "volumes.h"

#define STATE_NAME "cluster"
#define WATCH_USEC (USEC_PER_SEC / 4)

/* What is known of a volume besides the map. */
typedef struct Live {
        uint64_t seen_usec; /* monotonic; 0 for never */
        bool announced_up;  /* what the log said last */
        uint64_t disk_free, disk_size, objects, bytes, pending;
} Live;

typedef struct MapChange {
        Volumes *volumes;
        IndexSet set;
        Cluster *cluster; /* will be in force when it is durable */
        Buffer encoded;
        uint32_t number; /* of the volume that it is about */
        bool is_new, is_added;
} MapChange;

struct Volumes {
        Index *index; /* not owned */
        uint64_t timeout_usec;
        bool auto_add;
        sd_event_source *timer;
        pthread_rwlock_t lock;
        Cluster *cluster; /* under the lock */
        Live *live;       /* under the lock; by number */
        size_t n_live;
        bool changing; /* under the lock: a MapChange is on its way */
};

static bool is_up(const Volumes *volumes, uint32_t number) {
        const Live *live = number < volumes->n_live ? volumes->live + number : NULL;

        return live && live->seen_usec > 0 &&
               clock_monotonic() - live->seen_usec < volumes->timeout_usec;
}

static int extend_live(Volumes *volumes, uint32_t number) {
        Live *live;

        if (number < volumes->n_live)
                return 0;

        live = realloc(volumes->live, (number + 1) * sizeof(*live));
        if (!live)
                return -ENOMEM;
        memset(live + volumes->n_live, 0, (number + 1 - volumes->n_live) * sizeof(*live));
        volumes->live = live;
        volumes->n_live = number + 1;
        return 0;
}

static void log_volume(int level, const char *id, uint32_t number, const char *what) {
        char field[32];

        (void) snprintf(field, sizeof(field), "DKV_VOLUME=%" PRIu32, number);
        log_event(level, id, (const char *[]){ field, NULL }, "Volume %" PRIu32 " %s.", number,
                  what);
}

static int on_watch(sd_event_source *source, uint64_t usec, void *userdata) {
        Volumes *volumes = userdata;
        int r;

        (void) pthread_rwlock_wrlock(&volumes->lock);
        for (size_t i = 0; i < volumes->cluster->n_volumes; i++) {
                const Volume *volume = volumes->cluster->volumes + i;
                Live *live = volumes->live + volume->number;
                bool up = is_up(volumes, volume->number);

                if (up == live->announced_up || volume->state == VOLUME_REMOVED)
                        continue;
                live->announced_up = up;
                if (up)
                        log_volume(LOG_NOTICE, EVENT_VOLUME_UP, volume->number, "is up");
                else
                        log_volume(LOG_WARNING, EVENT_VOLUME_DOWN, volume->number,
                                   "is down: it does not report any more");
        }
        (void) pthread_rwlock_unlock(&volumes->lock);

        r = sd_event_source_set_time_relative(source, WATCH_USEC);
        if (r >= 0)
                r = sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        if (r < 0)
                return log_error_errno(r, "Failed to set the timer of the volumes: %m");
        return 0;
}

static int load(Volumes *volumes) {
        _cleanup_(buffer_done) Buffer encoded = {};
        int r;

        r = index_get_state(volumes->index, STATE_NAME, &encoded);
        if (r == -ENOENT)
                return cluster_new(&volumes->cluster);
        if (r < 0)
                return r;
        r = cluster_decode(encoded.data, encoded.size, &volumes->cluster);
        if (r < 0)
                return r;

        for (size_t i = 0; i < volumes->cluster->n_volumes; i++) {
                Volume *volume = volumes->cluster->volumes + i;

                r = extend_live(volumes, volume->number);
                if (r < 0)
                        return r;
                volumes->live[volume->number] = (Live){
                        .seen_usec = clock_monotonic(),
                        .announced_up = true,
                        .disk_free = UINT64_MAX,
                };
        }
        return 0;
}

int volumes_new(Index *index,
                sd_event *event,
                uint64_t timeout_usec,
                bool auto_add,
                Volumes **ret) {
        _cleanup_(volumes_freep) Volumes *volumes = NULL;
        int r;

        volumes = malloc(sizeof(*volumes));
        if (!volumes)
                return -ENOMEM;

        *volumes = (Volumes){ .index = index, .timeout_usec = timeout_usec, .auto_add = auto_add };
        (void) pthread_rwlock_init(&volumes->lock, NULL);
        r = load(volumes);
        if (r < 0)
                return r;
        r = sd_event_add_time_relative(
                        event, &volumes->timer, CLOCK_MONOTONIC, WATCH_USEC, 10 * USEC_PER_MSEC,
                        on_watch, volumes);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(volumes);
        return 0;
}

Volumes *volumes_free(Volumes *volumes) {
        if (!volumes)
                return NULL;

        (void) sd_event_source_disable_unref(volumes->timer);
        (void) cluster_free(volumes->cluster);
        (void) pthread_rwlock_destroy(&volumes->lock);
        free(volumes->live);
        free(volumes);
        return NULL;
}

static MapChange *map_change_free(MapChange *change) {
        if (!change)
                return NULL;

        (void) cluster_free(change->cluster);
        buffer_done(&change->encoded);
        free(change);
        return NULL;
}
DEFINE_CLEANUP(MapChange *, map_change_free);

static void on_map_stored(Operation *operation, int result) {
        _cleanup_(map_change_freep)
                        MapChange *change = CONTAINER_OF(operation, MapChange, set.operation);
        Volumes *volumes = change->volumes;

        (void) pthread_rwlock_wrlock(&volumes->lock);
        volumes->changing = false;
        if (result >= 0) {
                Cluster *old = volumes->cluster;

                volumes->cluster = TAKE_PTR(change->cluster);
                change->cluster = old;
        }
        (void) pthread_rwlock_unlock(&volumes->lock);

        if (result < 0) {
                (void) log_warning_errno(
                                result, "Failed to store the cluster map, trying again: %m");
                return;
        }
        if (change->is_new)
                log_volume(LOG_NOTICE, EVENT_VOLUME_NEW, change->number,
                           "reports for the first time");
        if (change->is_added)
                log_volume(LOG_NOTICE, EVENT_VOLUME_ADDED, change->number,
                           "takes part in the cluster from now on");
}

/* Makes the map say what the report says. Returns 0 or a negative errno.
 */
static int apply_report(Volumes *volumes, const VolumeReport *report, MapChange *change) {
        Cluster *cluster = change->cluster;
        Volume *volume = cluster_find(cluster, report->number);
        int r;

        if (!volume) {
                r = cluster_add_volume(
                                cluster, report->number, report->uuid, report->url, report->zone,
                                1);
                if (r < 0)
                        return r;
                volume = cluster_find(cluster, report->number);
                change->is_new = true;
        }
        if (volumes->auto_add && volume->state == VOLUME_NEW) {
                r = cluster_set_state(cluster, report->number, VOLUME_ACTIVE);
                if (r < 0)
                        return r;
                change->is_added = true;
        }
        r = cluster_set_url(cluster, report->number, report->url);
        if (r < 0)
                return r;
        return cluster_set_zone(cluster, report->number, report->zone);
}

/* With the lock held for writing. A change that comes while another one is on its way is made upon
 * the next report. */
static int start_change(Volumes *volumes, const VolumeReport *report) {
        _cleanup_(map_change_freep) MapChange *change = NULL;
        int r;

        if (volumes->changing)
                return 0;

        change = calloc(1, sizeof(*change));
        if (!change)
                return -ENOMEM;
        change->volumes = volumes;
        change->number = report->number;
        r = cluster_copy(volumes->cluster, &change->cluster);
        if (r < 0)
                return r;
        r = apply_report(volumes, report, change);
        if (r < 0)
                return r;

        change->cluster->epoch++;
        cluster_encode(change->cluster, &change->encoded);
        r = buffer_error(&change->encoded);
        if (r < 0)
                return r;

        change->set = (IndexSet){
                .operation.done = on_map_stored,
                .name = STATE_NAME,
                .data = change->encoded.data,
                .size = change->encoded.size,
        };
        volumes->changing = true;
        index_set(volumes->index, &TAKE_PTR(change)->set);
        return 0;
}

static bool differs(const Volumes *volumes, const Volume *volume, const VolumeReport *report) {
        return !volume || strcmp(volume->url, report->url) != 0 ||
               strcmp(volume->zone, report->zone) != 0 ||
               (volumes->auto_add && volume->state == VOLUME_NEW);
}

static int check_report(const Volume *volume, const VolumeReport *report) {
        if (report->number == 0 || report->number > VOLUME_MAX ||
            strlen(report->url) >= VOLUME_URL_SIZE ||
            strncmp(report->url, "http://", strlen("http://")) != 0 ||
            strlen(report->zone) >= sizeof(((VolumeStatus *) NULL)->zone))
                return -EINVAL;
        if (!volume)
                return 0;
        if (memcmp(volume->uuid, report->uuid, sizeof(volume->uuid)) != 0)
                return -EEXIST;
        return volume->state == VOLUME_REMOVED ? -EBUSY : 0;
}

int volumes_report(Volumes *volumes, const VolumeReport *report) {
        const Volume *volume;
        Live *live;
        int r;

        (void) pthread_rwlock_wrlock(&volumes->lock);
        volume = cluster_find(volumes->cluster, report->number);
        r = check_report(volume, report);
        if (r >= 0)
                r = extend_live(volumes, report->number);
        if (r >= 0) {
                live = volumes->live + report->number;
                live->seen_usec = clock_monotonic();
                live->disk_free = report->disk_free;
                live->disk_size = report->disk_size;
                live->objects = report->objects;
                live->bytes = report->bytes;
                live->pending = report->pending;
                if (differs(volumes, volume, report))
                        r = start_change(volumes, report);
        }
        (void) pthread_rwlock_unlock(&volumes->lock);

        return r;
}

typedef struct Choice {
        const Volumes *volumes;
        uint64_t size;
        bool any_up;
} Choice;

static bool is_usable(const Volume *volume, void *userdata) {
        Choice *choice = userdata;

        if (!is_up(choice->volumes, volume->number))
                return false;
        choice->any_up = true;
        return choice->volumes->live[volume->number].disk_free > choice->size;
}

int volumes_place(
                Volumes *volumes,
                uint64_t hash,
                size_t copies,
                uint64_t size,
                uint32_t ret[static COPIES_MAX]) {
        Choice choice = { .volumes = volumes, .size = size };
        size_t n;

        (void) pthread_rwlock_rdlock(&volumes->lock);
        n = cluster_place(volumes->cluster, hash, copies, is_usable, &choice, ret);
        (void) pthread_rwlock_unlock(&volumes->lock);

        if (n > 0)
                return (int) n;
        return choice.any_up ? -ENOSPC : -EHOSTDOWN;
}

/* With the lock held. */
static int find_url(Volumes *volumes, uint32_t number, char ret[static VOLUME_URL_SIZE]) {
        const Volume *volume = cluster_find(volumes->cluster, number);

        if (!volume)
                return -ENOENT;
        memcpy(ret, volume->url, strlen(volume->url) + 1); /* check_report() has limited it */
        return is_up(volumes, number) ? 0 : -EHOSTDOWN;
}

int volumes_url(Volumes *volumes, uint32_t number, char ret[static VOLUME_URL_SIZE]) {
        int r;

        (void) pthread_rwlock_rdlock(&volumes->lock);
        r = find_url(volumes, number, ret);
        (void) pthread_rwlock_unlock(&volumes->lock);
        return r;
}

int volumes_choose(Volumes *volumes, const Record *record, char ret_url[static VOLUME_URL_SIZE]) {
        static __thread unsigned turn; /* spreads readers over the copies */
        int r = -EHOSTDOWN;

        (void) pthread_rwlock_rdlock(&volumes->lock);
        turn++;
        for (size_t i = 0; i < record->n_copies && r < 0; i++) {
                uint32_t number = record->copies[(turn + i) % record->n_copies];

                if (find_url(volumes, number, ret_url) >= 0)
                        r = (int) number;
        }
        (void) pthread_rwlock_unlock(&volumes->lock);
        return r;
}

int volumes_list(Volumes *volumes, VolumeStatus **ret, size_t *ret_n, uint64_t *ret_epoch) {
        const Cluster *cluster;
        VolumeStatus *list;

        (void) pthread_rwlock_rdlock(&volumes->lock);
        cluster = volumes->cluster;
        list = calloc(MAX(cluster->n_volumes, (size_t) 1), sizeof(*list));
        for (size_t i = 0; list && i < cluster->n_volumes; i++) {
                const Volume *volume = cluster->volumes + i;
                const Live *live = volumes->live + volume->number;

                list[i] = (VolumeStatus){
                        .number = volume->number,
                        .weight = volume->weight,
                        .state = volume->state,
                        .up = is_up(volumes, volume->number),
                        .disk_free = live->disk_free,
                        .disk_size = live->disk_size,
                        .objects = live->objects,
                        .bytes = live->bytes,
                        .pending = live->pending,
                };
                (void) snprintf(list[i].url, sizeof(list[i].url), "%s", volume->url);
                (void) snprintf(list[i].zone, sizeof(list[i].zone), "%s", volume->zone);
        }
        if (list) {
                *ret = list;
                *ret_n = cluster->n_volumes;
                *ret_epoch = cluster->epoch;
        }
        (void) pthread_rwlock_unlock(&volumes->lock);

        return list ? 0 : -ENOMEM;
}
