/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Who takes part: adding, draining and removing volumes; and how many copies that makes. */

#include <errno.h>

#include "base/clock.h"
#include "master/cluster/change-internal.h"
#include "master/cluster/membership.h"

static int submit_for_all(
                Volumes *volumes,
                int (*apply)(Change *change, Cluster *copy),
                const uint32_t numbers[],
                size_t n,
                VolumesChange *asked) {
        Change *change;

        asked->refused = 0;
        if (n == 0 || n > VOLUME_MAX)
                return -EINVAL;
        change = change_new(volumes, apply, numbers, n);
        return change ? change_submit(change, asked) : -ENOMEM;
}

static int check_add(const Volumes *volumes, const Cluster *cluster, uint32_t number) {
        Volume *volume;
        int r;

        r = change_find_volume(cluster, number, &volume);
        if (r < 0)
                return r;
        switch (volume->state) {
        case VOLUME_NEW:
                return volumes_is_up(volumes, number, clock_monotonic()) ? 0 : -EHOSTDOWN;
        case VOLUME_ACTIVE:
                return 0;
        default:
                return -EBUSY;
        }
}

static int apply_add(Change *change, Cluster *copy) {
        for (size_t i = 0; i < change->n_numbers; i++) {
                uint32_t number = change->numbers[i];
                int r;

                r = check_add(change->volumes, copy, number);
                if (r >= 0)
                        r = cluster_set_state(copy, number, VOLUME_ACTIVE);
                if (r < 0) {
                        change->refused = number;
                        return r;
                }
        }
        return 0;
}

int volumes_add(Volumes *volumes, const uint32_t numbers[], size_t n, VolumesChange *asked) {
        return submit_for_all(volumes, apply_add, numbers, n, asked);
}

int volumes_check_add(
                Volumes *volumes, const uint32_t numbers[], size_t n, uint32_t *reterr_number) {
        int r = 0;

        (void) pthread_rwlock_rdlock(&volumes->map.lock);
        for (size_t i = 0; i < n && r >= 0; i++) {
                r = check_add(volumes, volumes->map.cluster, numbers[i]);
                if (r < 0)
                        *reterr_number = numbers[i];
        }
        (void) pthread_rwlock_unlock(&volumes->map.lock);
        return r;
}

static size_t count_active(const Cluster *cluster) {
        size_t n = 0;

        for (size_t i = 0; i < cluster->n_volumes; i++)
                n += cluster->volumes[i].state == VOLUME_ACTIVE;
        return n;
}

/* Whether the space of the volume at I was counted with one before it, which is on the same file
 * system. */
static bool is_counted(const Volumes *volumes, const Cluster *cluster, size_t i, uint64_t now) {
        uint64_t disk_id = volumes->live[cluster->volumes[i].number].disk_id;

        for (size_t j = 0; j < i && disk_id > 0; j++) {
                const Volume *volume = cluster->volumes + j;

                if (volume->state == VOLUME_ACTIVE && volumes_is_up(volumes, volume->number, now) &&
                    volumes->live[volume->number].disk_id == disk_id)
                        return true;
        }
        return false;
}

/* Whether the active volumes of CLUSTER can take what is on those that are draining. */
static int check_rest(const Volumes *volumes, const Cluster *cluster) {
        uint64_t now = clock_monotonic(), leaving = 0, disk_free = 0;

        if (count_active(cluster) < volumes_copies_of(volumes, cluster))
                return -EDQUOT;

        for (size_t i = 0; i < cluster->n_volumes; i++) {
                const Volume *volume = cluster->volumes + i;
                const Live *live = volumes->live + volume->number;

                if (volume->state == VOLUME_DRAINING)
                        leaving += live->bytes;
                else if (volume->state == VOLUME_ACTIVE &&
                         volumes_is_up(volumes, volume->number, now) &&
                         !is_counted(volumes, cluster, i, now))
                        disk_free += MIN(live->disk_free, UINT64_MAX - disk_free);
        }
        return leaving > disk_free ? -ENOSPC : 0;
}

static int drain(
                const Volumes *volumes,
                const uint32_t numbers[],
                size_t n,
                Cluster *copy,
                uint32_t *reterr_number) {
        bool any_leaves = false;
        int r;

        for (size_t i = 0; i < n; i++) {
                Volume *volume;

                r = change_find_volume(copy, numbers[i], &volume);
                if (r < 0) {
                        *reterr_number = numbers[i];
                        return r;
                }
                any_leaves |= volume->state == VOLUME_ACTIVE;
                (void) cluster_set_state(
                                copy, numbers[i],
                                volume->state == VOLUME_NEW ? VOLUME_REMOVED : VOLUME_DRAINING);
        }

        r = any_leaves ? check_rest(volumes, copy) : 0;
        if (r < 0)
                *reterr_number = 0;
        return r;
}

static int apply_drain(Change *change, Cluster *copy) {
        return drain(change->volumes, change->numbers, change->n_numbers, copy, &change->refused);
}

int volumes_drain(Volumes *volumes, const uint32_t numbers[], size_t n, VolumesChange *asked) {
        return submit_for_all(volumes, apply_drain, numbers, n, asked);
}

int volumes_check_drain(
                Volumes *volumes, const uint32_t numbers[], size_t n, uint32_t *reterr_number) {
        _cleanup_(cluster_freep) Cluster *copy = NULL;
        int r;

        *reterr_number = 0;
        (void) pthread_rwlock_rdlock(&volumes->map.lock);
        r = cluster_copy(volumes->map.cluster, &copy);
        if (r >= 0)
                r = drain(volumes, numbers, n, copy, reterr_number);
        (void) pthread_rwlock_unlock(&volumes->map.lock);
        return r;
}

static int apply_undrain(Change *change, Cluster *copy) {
        for (size_t i = 0; i < change->n_numbers; i++) {
                Volume *volume;
                int r;

                r = change_find_volume(copy, change->numbers[i], &volume);
                if (r >= 0 && volume->state == VOLUME_NEW)
                        r = -EBUSY;
                if (r >= 0)
                        r = cluster_set_state(copy, change->numbers[i], VOLUME_ACTIVE);
                if (r < 0) {
                        change->refused = change->numbers[i];
                        return r;
                }
        }
        return 0;
}

int volumes_undrain(Volumes *volumes, const uint32_t numbers[], size_t n, VolumesChange *asked) {
        return submit_for_all(volumes, apply_undrain, numbers, n, asked);
}

static int apply_remove(Change *change, Cluster *copy) {
        for (size_t i = 0; i < change->n_numbers; i++) {
                const Volume *volume = cluster_find(copy, change->numbers[i]);

                change->refused = change->numbers[i];
                if (!volume)
                        return -ENOENT;
                if (volume->state != VOLUME_DRAINING && volume->state != VOLUME_REMOVED)
                        return -EBUSY;
                (void) cluster_set_state(copy, change->numbers[i], VOLUME_REMOVED);
        }
        return 0;
}

int volumes_remove(Volumes *volumes, const uint32_t numbers[], size_t n, VolumesChange *asked) {
        return submit_for_all(volumes, apply_remove, numbers, n, asked);
}

static int apply_copies(Change *change, Cluster *copy) {
        uint32_t before = volumes_copies_of(change->volumes, copy), after;

        copy->copies = change->copies;
        after = volumes_copies_of(change->volumes, copy);
        return after > before && after > count_active(copy) ? -EDQUOT : 0;
}

int volumes_check_copies(Volumes *volumes, uint32_t copies) {
        int r;

        if (copies > COPIES_MAX)
                return -EINVAL;

        (void) pthread_rwlock_rdlock(&volumes->map.lock);
        r = copies > volumes_copies_of(volumes, volumes->map.cluster) &&
                                            copies > count_active(volumes->map.cluster)
                            ? -EDQUOT
                            : 0;
        (void) pthread_rwlock_unlock(&volumes->map.lock);
        return r;
}

int volumes_set_copies(Volumes *volumes, uint32_t copies, VolumesChange *asked) {
        Change *change;

        asked->refused = 0;
        if (copies > COPIES_MAX)
                return -EINVAL;
        change = change_new(volumes, apply_copies, NULL, 0);
        if (!change)
                return -ENOMEM;
        change->copies = copies;
        return change_submit(change, asked);
}
