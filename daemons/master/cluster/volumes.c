/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/event-ids.h"
#include "base/log.h"
#include "core/call/ticket.h"
#include "core/url.h"
#include "master/cluster/volumes-internal.h"

#define WATCH_USEC  (USEC_PER_SEC / 4)
#define UNFIT_USEC  (2 * USEC_PER_SEC) /* reports come every second */
#define NOTICES_MAX 64

bool volumes_is_up(const Volumes *volumes, uint32_t number, uint64_t now_usec) {
        const Live *live = number < volumes->n_live ? volumes->live + number : NULL;

        /* NOW_USEC may be from before the last report. */
        return live && live->seen_usec > 0 &&
               now_usec < live->seen_usec + volumes->options.timeout_usec;
}

static bool is_nearly_full(const Live *live) {
        return live->disk_free < live->disk_size / 20;
}

static int extend_live(Volumes *volumes, uint32_t number) {
        Live *live;

        if (number < volumes->n_live)
                return 0;

        live = reallocarray(volumes->live, (size_t) number + 1, sizeof(*live));
        if (!live)
                return -ENOMEM;
        memset(live + volumes->n_live, 0, (number + 1 - volumes->n_live) * sizeof(*live));
        volumes->live = live;
        volumes->n_live = number + 1;
        return 0;
}

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
        if (is_nearly_full(live))
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

static void on_watch(void *userdata) {
        Volumes *volumes = userdata;
        Notice notices[NOTICES_MAX];
        size_t n;

        (void) pthread_rwlock_rdlock(&volumes->map.lock);
        n = collect(volumes, notices);
        (void) pthread_rwlock_unlock(&volumes->map.lock);

        for (const Notice *notice = notices; notice < notices + n; notice++) {
                if ((notice->before ^ notice->now) & LOOK_UP && notice->state != VOLUME_REMOVED)
                        log_liveness(notice);
                if (notice->changed && volumes->on_change)
                        volumes->on_change(
                                        notice->number, !(notice->before & LOOK_KNOWN),
                                        volumes->userdata);
                if (notice->maintenance_is_over)
                        volumes_end_maintenance(volumes, notice->number);
        }
}

static int expect_volumes(Volumes *volumes) {
        const Cluster *cluster = volumes->map.cluster;
        uint64_t now = clock_monotonic(), realtime = clock_realtime();

        for (size_t i = 0; i < cluster->n_volumes; i++) {
                const Volume *volume = cluster->volumes + i;
                int r;

                r = extend_live(volumes, volume->number);
                if (r < 0)
                        return r;
                volumes->live[volume->number] = (Live){
                        .seen_usec = now,
                        .disk_free = UINT64_MAX,
                };
                volumes->live[volume->number].look = look(volumes, volume, now, realtime).now;
        }
        return 0;
}

int volumes_new(Index *index, sd_event *event, const VolumesOptions *options, Volumes **ret) {
        _cleanup_(volumes_freep) Volumes *volumes = NULL;
        int r;

        volumes = malloc(sizeof(*volumes));
        if (!volumes)
                return -ENOMEM;

        *volumes = (Volumes){
                .options = *options,
                .calls_lock = PTHREAD_MUTEX_INITIALIZER,
        };
        r = contacts_new(&volumes->contacts);
        if (r < 0)
                return r;
        r = map_init(&volumes->map, index, options->lead);
        if (r < 0)
                return r;
        r = expect_volumes(volumes);
        if (r < 0)
                return r;
        r = periodic_new(event, WATCH_USEC, WATCH_USEC, on_watch, volumes, &volumes->watch);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(volumes);
        return 0;
}

Volumes *volumes_free(Volumes *volumes) {
        if (!volumes)
                return NULL;

        (void) periodic_free(volumes->watch);
        map_done(&volumes->map);
        (void) contacts_free(volumes->contacts);
        for (size_t i = 0; i < volumes->n_live; i++)
                volumes_forget_run(volumes->live + i);
        (void) pthread_mutex_destroy(&volumes->calls_lock);
        free(volumes->live);
        free(volumes);
        return NULL;
}

void volumes_configure(Volumes *volumes, const VolumesOptions *options) {
        (void) pthread_rwlock_wrlock(&volumes->map.lock);
        volumes->options = *options;
        (void) pthread_rwlock_unlock(&volumes->map.lock);
}

uint64_t volumes_skew_max(const Volumes *volumes) {
        uint64_t lifetime = SIGNATURE_LIFETIME_SEC * USEC_PER_SEC;

        return MIN(volumes->options.ticket_usec ?: lifetime, lifetime) / 2;
}

uint32_t volumes_copies_of(const Volumes *volumes, const Cluster *cluster) {
        return cluster->copies > 0 ? cluster->copies : volumes->options.copies;
}

uint32_t volumes_copies(Volumes *volumes) {
        uint32_t copies;

        (void) pthread_rwlock_rdlock(&volumes->map.lock);
        copies = volumes_copies_of(volumes, volumes->map.cluster);
        (void) pthread_rwlock_unlock(&volumes->map.lock);
        return copies;
}

int volumes_snapshot(Volumes *volumes, Cluster **ret) {
        int r;

        (void) pthread_rwlock_rdlock(&volumes->map.lock);
        r = cluster_copy(volumes->map.cluster, ret);
        (void) pthread_rwlock_unlock(&volumes->map.lock);
        return r;
}

void volumes_set_observer(Volumes *volumes, VolumesObserver on_change, void *userdata) {
        volumes->on_change = on_change;
        volumes->userdata = userdata;
}

static bool has_uuid(const Cluster *cluster, const uint8_t uuid[static STORE_UUID_SIZE]) {
        for (size_t i = 0; i < cluster->n_volumes; i++)
                if (memcmp(cluster->volumes[i].uuid, uuid, STORE_UUID_SIZE) == 0)
                        return true;
        return false;
}

/* A first try with a wrong directory does not use a number up: a volume that nobody has added holds
 * nothing, and an empty store may take its place once the first one has left. */
static int check_successor(
                const Volumes *volumes, const Volume *volume, const VolumeReport *report) {
        const Live *live = volumes->live + volume->number;

        if (volume->state != VOLUME_NEW || report->objects_ever > 0 || report->objects > 0 ||
            has_uuid(volumes->map.cluster, report->uuid))
                return -EEXIST;
        if (live->run == report->run)
                return 0; /* the change is under way */
        if (volumes_is_up(volumes, volume->number, clock_monotonic()))
                return -EEXIST;
        return map_is_changing(&volumes->map) ? -EINPROGRESS : 0;
}

static int check_report(const Volumes *volumes, const VolumeReport *report) {
        const Cluster *cluster = volumes->map.cluster;
        const Volume *volume;

        if (report->number == 0 || report->number > VOLUME_MAX || report->run == 0 ||
            volumes_check_url(report->url) < 0 || volumes_check_zone(report->zone) < 0)
                return -EINVAL;
        volume = cluster_find(cluster, report->number);
        if (!volume)
                return has_uuid(cluster, report->uuid) ? -EEXIST : 0;
        if (memcmp(volume->uuid, report->uuid, sizeof(volume->uuid)) != 0)
                return check_successor(volumes, volume, report);
        return volume->state == VOLUME_REMOVED ? -EBUSY : 0;
}

/* A report that was held up on its way makes the clock seem to be behind: the greatest of the last
 * few counts. */
static void note_skew(Live *live, int64_t skew_usec) {
        live->skews_usec[live->n_skews++ % SKEWS] = skew_usec;
        for (unsigned i = live->n_skews; i < SKEWS; i++)
                live->skews_usec[i] = skew_usec;
        live->skew_usec = INT64_MIN;
        for (unsigned i = 0; i < SKEWS; i++)
                live->skew_usec = MAX(live->skew_usec, live->skews_usec[i]);
}

/* With the lock held for writing: which other volumes it says that it cannot reach. */
static void note_cut(const Volumes *volumes, Live *live, const VolumeReport *report) {
        const Cluster *cluster = volumes->map.cluster;

        live->n_cut = 0;
        for (size_t i = 0; i < cluster->n_volumes && live->n_cut < REPORT_PEERS_MAX; i++)
                for (size_t k = 0; k < report->n_peers; k++)
                        if (strcmp(url_authority(cluster->volumes[i].url), report->peers[k]) == 0)
                                live->cut[live->n_cut++] = cluster->volumes[i].number;
}

/* With the lock held for writing. */
static int take_note(Volumes *volumes, const VolumeReport *report) {
        Live *live;
        int r;

        r = check_report(volumes, report);
        if (r < 0)
                return r;
        r = extend_live(volumes, report->number);
        if (r < 0)
                return r;
        live = volumes->live + report->number;
        r = volumes_check_run(volumes, live, report);
        if (r >= 0)
                r = volumes_take_run(live, report);
        if (r < 0)
                return r;

        live->seen_usec = clock_monotonic();
        live->reported_usec = clock_realtime();
        live->disk_free = report->disk_free;
        live->disk_size = report->disk_size;
        live->disk_id = report->disk_id;
        live->objects = report->objects;
        live->bytes = report->bytes;
        live->pending = report->pending;
        live->fault = report->fault;
        note_skew(live, report->skew_usec);
        note_cut(volumes, live, report);
        return volumes_change_by_report(volumes, report);
}

int volumes_report(Volumes *volumes, const VolumeReport *report) {
        int r;

        (void) pthread_rwlock_wrlock(&volumes->map.lock);
        r = take_note(volumes, report);
        (void) pthread_rwlock_unlock(&volumes->map.lock);
        return r;
}

void volumes_note_call(Volumes *volumes, uint32_t number, const HttpResult *result) {
        int error = result->status == 403   ? -EACCES
                    : result->status == 421 ? -EREMOTE
                                            : result->error;

        contacts_note(volumes->contacts, number, error, result->os_error, clock_monotonic());
}

void volumes_note_unfit(Volumes *volumes, uint32_t number) {
        contacts_note_unfit(volumes->contacts, number, clock_monotonic() + UNFIT_USEC);
}

/* Where a volume is: the map may still have the address from before it moved. */
static const char *address_of(const Volumes *volumes, const Volume *volume) {
        const char *reported = volumes->live[volume->number].url;

        return volume->url_is_set || !reported ? volume->url : reported;
}

int volumes_find_url(
                const Volumes *volumes,
                uint32_t number,
                uint64_t now_usec,
                char ret[static VOLUME_URL_SIZE]) {
        const Volume *volume = cluster_find(volumes->map.cluster, number);
        const char *address;

        if (!volume)
                return -ENOENT;
        address = address_of(volumes, volume);
        memcpy(ret, address, strlen(address) + 1); /* volumes_check_url() has limited it */
        return volumes_is_up(volumes, number, now_usec) ? 0 : -EHOSTDOWN;
}

int volumes_url(Volumes *volumes, uint32_t number, char ret[static VOLUME_URL_SIZE]) {
        uint64_t now_usec = clock_monotonic();
        int r;

        (void) pthread_rwlock_rdlock(&volumes->map.lock);
        r = volumes_find_url(volumes, number, now_usec, ret);
        (void) pthread_rwlock_unlock(&volumes->map.lock);
        return r;
}

/* With the lock held. */
static VolumeStatus make_status(
                const Volumes *volumes, const Volume *volume, uint64_t now, uint64_t realtime) {
        const Live *live = volumes->live + volume->number;
        VolumeStatus status = {
                .number = volume->number,
                .weight = volume->weight,
                .state = volume->state,
                .up = volumes_is_up(volumes, volume->number, now),
                .nearly_full = is_nearly_full(live),
                .url_is_set = volume->url_is_set,
                .zone_is_set = volume->zone_is_set,
                .seen_usec = live->reported_usec,
                .disk_free = live->disk_free,
                .disk_size = live->disk_size,
                .objects = live->objects,
                .bytes = live->bytes,
                .pending = live->pending,
                .is_avoided = !contacts_is_fit(volumes->contacts, volume->number, now),
                .fault = live->fault,
                .skew_usec = live->skew_usec,
        };

        status.reports = status.up && live->reported_usec > 0;
        contacts_get(volumes->contacts, volume->number, &status.contact);
        if (volume_in_maintenance(volume, realtime))
                status.maintenance_until = volume->maintenance_until;
        memcpy(status.uuid, volume->uuid, sizeof(status.uuid));
        (void) snprintf(status.url, sizeof(status.url), "%s", volume->url);
        (void) snprintf(status.zone, sizeof(status.zone), "%s", volume->zone);
        return status;
}

int volumes_list(Volumes *volumes, VolumeStatus **ret, size_t *ret_n, uint64_t *ret_epoch) {
        uint64_t now = clock_monotonic(), realtime = clock_realtime();
        const Cluster *cluster;
        VolumeStatus *list;

        (void) pthread_rwlock_rdlock(&volumes->map.lock);
        cluster = volumes->map.cluster;
        list = calloc(MAX(cluster->n_volumes, (size_t) 1), sizeof(*list));
        for (size_t i = 0; list && i < cluster->n_volumes; i++)
                list[i] = make_status(volumes, cluster->volumes + i, now, realtime);
        if (list) {
                *ret = list;
                *ret_n = cluster->n_volumes;
                *ret_epoch = cluster->epoch;
        }
        (void) pthread_rwlock_unlock(&volumes->map.lock);

        return list ? 0 : -ENOMEM;
}
