/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "core/url.h"
#include "master/cluster/change-internal.h"
#include "master/cluster/report.h"
#include "master/cluster/run.h"
#include "master/cluster/volumes-internal.h"

static int apply_report(Change *change, Cluster *copy) {
        const VolumeReport *report = change->report;
        Volume *volume = cluster_find(copy, report->number);
        int r = 0;

        if (!volume) {
                r = cluster_add_volume(
                                copy, report->number, report->uuid, report->url, report->zone, 1);
                if (r < 0)
                        return r;
                volume = cluster_find(copy, report->number);
        }
        if (memcmp(volume->uuid, report->uuid, sizeof(volume->uuid)) != 0) {
                if (volume->state != VOLUME_NEW)
                        return -EEXIST;
                memcpy(volume->uuid, report->uuid, sizeof(volume->uuid));
        }
        if (change->volumes->options.auto_add && volume->state == VOLUME_NEW)
                r = cluster_set_state(copy, report->number, VOLUME_ACTIVE);
        if (r >= 0 && !volume->url_is_set)
                r = cluster_set_url(copy, report->number, report->url);
        if (r >= 0 && !volume->zone_is_set)
                r = cluster_set_zone(copy, report->number, report->zone);
        return r;
}

static bool differs(const Volumes *volumes, const VolumeReport *report) {
        const Volume *volume = cluster_find(volumes->map.cluster, report->number);

        return !volume || memcmp(volume->uuid, report->uuid, sizeof(volume->uuid)) != 0 ||
               (!volume->url_is_set && strcmp(volume->url, report->url) != 0) ||
               (!volume->zone_is_set && strcmp(volume->zone, report->zone) != 0) ||
               (volumes->options.auto_add && volume->state == VOLUME_NEW);
}

/* With the lock held for writing: makes the map say what the report says. While another change is
 * under way this waits for the next report. */
static int change_by_report(Volumes *volumes, const VolumeReport *report) {
        Change *change;
        int r;

        if (!differs(volumes, report) || map_is_changing(&volumes->map))
                return 0;

        change = change_new(volumes, apply_report, &report->number, 1);
        if (!change)
                return -ENOMEM;
        change->report = report;
        r = map_submit(&volumes->map, &change->map_change);
        if (r < 0)
                (void) change_free(change);
        return r;
}

static bool has_uuid(const Cluster *cluster, const Uuid uuid) {
        for (size_t i = 0; i < cluster->n_volumes; i++)
                if (memcmp(cluster->volumes[i].uuid, uuid, sizeof(Uuid)) == 0)
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

/* With the lock held for writing. What calls came to where the volume was before says nothing of
 * where it is now. */
static int take_run(Volumes *volumes, Live *live, const VolumeReport *report) {
        char before[VOLUME_URL_SIZE] = "", after[VOLUME_URL_SIZE] = "";
        int r;

        (void) volumes_find_url(volumes, report->number, 0, before); /* unless it is new */
        r = run_take(live, report);
        if (r < 0)
                return r;
        (void) volumes_find_url(volumes, report->number, 0, after);
        if (strcmp(before, after) != 0)
                contacts_forget(volumes->contacts, report->number);
        return 0;
}

/* With the lock held for writing. */
static int take_note(Volumes *volumes, const VolumeReport *report) {
        Live *live;
        int r;

        r = check_report(volumes, report);
        if (r < 0)
                return r;
        r = volumes_extend(volumes, report->number);
        if (r < 0)
                return r;
        live = volumes->live + report->number;
        r = run_check(volumes, live, report);
        if (r >= 0)
                r = take_run(volumes, live, report);
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
        return change_by_report(volumes, report);
}

int volumes_report(Volumes *volumes, const VolumeReport *report) {
        int r;

        (void) pthread_rwlock_wrlock(&volumes->map.lock);
        r = take_note(volumes, report);
        (void) pthread_rwlock_unlock(&volumes->map.lock);
        return r;
}
