/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "core/limits.h"
#include "core/url.h"
#include "master/cluster/volumes-internal.h"

#define UNFIT_USEC (2 * USEC_PER_SEC) /* reports come every second */

bool volumes_is_up(const Volumes *volumes, uint32_t number, uint64_t now_usec) {
        const Live *live = number < volumes->n_live ? volumes->live + number : NULL;

        /* NOW_USEC may be from before the last report. */
        return live && live->seen_usec > 0 &&
               now_usec < live->seen_usec + volumes->options.timeout_usec;
}

int volumes_extend(Volumes *volumes, uint32_t number) {
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

static int expect_volumes(Volumes *volumes) {
        const Cluster *cluster = volumes->map.cluster;
        uint64_t now = clock_monotonic();

        for (size_t i = 0; i < cluster->n_volumes; i++) {
                const Volume *volume = cluster->volumes + i;
                int r;

                r = volumes_extend(volumes, volume->number);
                if (r < 0)
                        return r;
                volumes->live[volume->number] = (Live){
                        .seen_usec = now,
                        .disk_free = UINT64_MAX,
                };
        }
        return 0;
}

int volumes_new(Index *index, const VolumesOptions *options, Volumes **ret) {
        _cleanup_(volumes_freep) Volumes *volumes = NULL;
        int r;

        volumes = malloc(sizeof(*volumes));
        if (!volumes)
                return -ENOMEM;

        *volumes = (Volumes){ .options = *options };
        r = contacts_new(&volumes->contacts);
        if (r < 0)
                return r;
        r = map_init(&volumes->map, index, options->lead);
        if (r < 0)
                return r;
        r = expect_volumes(volumes);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(volumes);
        return 0;
}

Volumes *volumes_free(Volumes *volumes) {
        if (!volumes)
                return NULL;

        map_done(&volumes->map);
        (void) contacts_free(volumes->contacts);
        for (size_t i = 0; i < volumes->n_live; i++) {
                free(volumes->live[i].url);
        }
        free(volumes->live);
        free(volumes);
        return NULL;
}

void volumes_configure(Volumes *volumes, const VolumesOptions *options) {
        (void) pthread_rwlock_wrlock(&volumes->map.lock);
        volumes->options = *options;
        (void) pthread_rwlock_unlock(&volumes->map.lock);
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

static bool is_text(const char *string, char lowest) {
        for (; *string; string++)
                if ((*string >= 0 && *string < lowest) || *string == 0x7f)
                        return false;
        return true;
}

int volumes_check_url(const char *url) {
        _cleanup_free_ char *normal = NULL;
        const char *reason;
        int r;

        r = url_normalize(url, &normal, &reason);
        if (r < 0)
                return r;
        return strlen(url) < VOLUME_URL_SIZE && strcmp(url, normal) == 0 ? 0 : -EINVAL;
}

int volumes_check_zone(const char *zone) {
        return strlen(zone) < VOLUME_ZONE_SIZE && is_text(zone, ' ') ? 0 : -EINVAL;
}

void volumes_note_call(Volumes *volumes, uint32_t number, const RpcResult *result) {
        int refusal = result->refusal;
        bool is_of_way = refusal == -EACCES || refusal == -EREMOTE;

        contacts_note(volumes->contacts, number, is_of_way ? refusal : result->error, 0,
                      clock_monotonic());
}

void volumes_note_request(Volumes *volumes, uint32_t number, const HttpResult *result) {
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
                .nearly_full = disk_is_nearly_full(live->disk_free, live->disk_size),
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
