/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "master/cluster/change-internal.h"
#include "master/cluster/volume-settings.h"

static int apply_settings(Change *change, Cluster *copy) {
        uint32_t number = change->numbers[0];
        Volume *volume;
        int r;

        change->refused = number;
        r = change_find_volume(copy, number, &volume);
        if (r >= 0 && change->weight > 0)
                r = cluster_set_weight(copy, number, change->weight);
        if (r >= 0 && change->url) {
                volume->url_is_set = *change->url;
                if (volume->url_is_set)
                        r = cluster_set_url(copy, number, change->url);
        }
        if (r >= 0 && change->zone) {
                volume->zone_is_set = *change->zone;
                if (volume->zone_is_set)
                        r = cluster_set_zone(copy, number, change->zone);
        }
        return r;
}

static int check_settings(const VolumeSettings *settings) {
        if (settings->url && *settings->url && volumes_check_url(settings->url) < 0)
                return -EINVAL;
        if (settings->zone && volumes_check_zone(settings->zone) < 0)
                return -EINVAL;
        return settings->weight <= WEIGHT_MAX ? 0 : -EINVAL;
}

int volumes_set(Volumes *volumes,
                uint32_t number,
                const VolumeSettings *settings,
                VolumesChange *asked) {
        _cleanup_(change_freep) Change *change = NULL;
        int r;

        asked->refused = number;
        r = check_settings(settings);
        if (r < 0)
                return r;

        change = change_new(volumes, apply_settings, &number, 1);
        if (!change)
                return -ENOMEM;
        change->weight = settings->weight;
        change->url = settings->url ? strdup(settings->url) : NULL;
        change->zone = settings->zone ? strdup(settings->zone) : NULL;
        if (!change->url != !settings->url || !change->zone != !settings->zone)
                return -ENOMEM;
        return change_submit(TAKE_PTR(change), asked);
}

static int apply_maintenance(Change *change, Cluster *copy) {
        Volume *volume;
        int r;

        change->refused = change->numbers[0];
        r = change_find_volume(copy, change->numbers[0], &volume);
        if (r < 0)
                return r;
        volume->maintenance_until = change->maintenance_until;
        return 0;
}

int volumes_set_maintenance(
                Volumes *volumes, uint32_t number, uint64_t until_usec, VolumesChange *asked) {
        Change *change;

        asked->refused = number;
        if (until_usec > 0 && until_usec <= clock_realtime())
                return -EINVAL;
        change = change_new(volumes, apply_maintenance, &number, 1);
        if (!change)
                return -ENOMEM;
        change->maintenance_until = until_usec;
        return change_submit(change, asked);
}
