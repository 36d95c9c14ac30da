/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "master/cluster/run.h"
#include "master/cluster/volumes-internal.h"

static void get_store(const Volume *volume, StoreIdentity *ret) {
        *ret = (StoreIdentity){ .number = volume->number };
        memcpy(ret->uuid, volume->uuid, sizeof(ret->uuid));
}

int volumes_store(Volumes *volumes, uint32_t number, StoreIdentity *ret) {
        const Volume *volume;

        (void) pthread_rwlock_rdlock(&volumes->map.lock);
        volume = cluster_find(volumes->map.cluster, number);
        if (volume)
                get_store(volume, ret);
        (void) pthread_rwlock_unlock(&volumes->map.lock);
        return volume ? 0 : -ENOENT;
}

int volumes_receiver(
                Volumes *volumes,
                uint32_t number,
                Parties *ret,
                char ret_url[static VOLUME_URL_SIZE]) {
        const Index *index = volumes->map.index;
        Live *live;
        int r;

        *ret = (Parties){ .lead = *index_identity(index), .revision = index_revision(index) };
        (void) pthread_rwlock_rdlock(&volumes->map.lock);
        r = volumes_find_url(volumes, number, clock_monotonic(), ret_url);
        if (r >= 0) {
                live = volumes->live + number;
                get_store(cluster_find(volumes->map.cluster, number), &ret->to);
                ret->to.run = live->run;
                ret->sequence = atomic_fetch_add_explicit(
                                                &live->sequence, 1, memory_order_relaxed) +
                                1;
                r = live->run == 0 ? -EINPROGRESS : 0;
        }
        (void) pthread_rwlock_unlock(&volumes->map.lock);
        return r;
}

bool volumes_is_reached(const Volumes *volumes, uint32_t number) {
        return contacts_is_good(volumes->contacts, number);
}

void volumes_note_answer(Volumes *volumes, const StoreIdentity *store) {
        (void) pthread_rwlock_wrlock(&volumes->map.lock);
        if (store->number < volumes->n_live) {
                volumes->live[store->number].answering_run = store->run;
                volumes->live[store->number].answered_usec = clock_monotonic();
        }
        (void) pthread_rwlock_unlock(&volumes->map.lock);
}

/* With the lock held. */
static int check_caller(Volumes *volumes, const StoreIdentity *from) {
        const Volume *volume = cluster_find(volumes->map.cluster, from->number);
        StoreIdentity store;
        const Live *live;

        if (!volume)
                return -EINPROGRESS;
        get_store(volume, &store);
        if (!store_identity_equal(from, &store))
                return -EREMOTE;
        live = volumes->live + from->number;
        return live->run != 0 && live->run == from->run ? 0 : -EINPROGRESS;
}

int volumes_check_caller(Volumes *volumes, const StoreIdentity *from) {
        int r;

        (void) pthread_rwlock_rdlock(&volumes->map.lock);
        r = check_caller(volumes, from);
        (void) pthread_rwlock_unlock(&volumes->map.lock);
        return r;
}

/* Where a report may come from without being another's: where the one before came from, or else
 * where the map says that the volume is. */
static bool is_at_home(const Volumes *volumes, const Live *live, const VolumeReport *report) {
        const Volume *volume = cluster_find(volumes->map.cluster, report->number);

        if (live->url)
                return strcmp(live->url, report->url) == 0;
        return !volume || volume->url_is_set || strcmp(volume->url, report->url) == 0;
}

int run_check(const Volumes *volumes, Live *live, const VolumeReport *report) {
        bool is_known = live->run != 0;

        if (live->run == report->run)
                return report->sequence > live->report_sequence ? 0 : -EALREADY;
        if (!volumes_is_up(volumes, report->number, clock_monotonic()))
                return 0;
        if (!is_at_home(volumes, live, report))
                return is_known ? -ENOTUNIQ : -EINPROGRESS; /* the first one may be yet to come */
        if (!is_known || live->answering_run == report->run)
                return 0;

        /* The caller asks who is at the address. */
        if (live->doubted_run != report->run) {
                live->doubted_run = report->run;
                live->doubted_usec = clock_monotonic();
        }
        return live->answered_usec > live->doubted_usec ? -ENOTUNIQ : -EINPROGRESS;
}

/* With the lock held. */
static bool has_other_run(const Volumes *volumes, const VolumeReport *report) {
        const Volume *volume = cluster_find(volumes->map.cluster, report->number);
        const Live *live;

        if (!volume || memcmp(volume->uuid, report->uuid, sizeof(volume->uuid)) != 0)
                return false;

        live = volumes->live + report->number;
        return live->run != 0 && live->run != report->run &&
               volumes_is_up(volumes, report->number, clock_monotonic()) &&
               !is_at_home(volumes, live, report);
}

bool volumes_has_other_run(Volumes *volumes, const VolumeReport *report) {
        bool has;

        (void) pthread_rwlock_rdlock(&volumes->map.lock);
        has = has_other_run(volumes, report);
        (void) pthread_rwlock_unlock(&volumes->map.lock);
        return has;
}

static int take_url(Live *live, const char *reported) {
        char *url;

        if (live->url && strcmp(live->url, reported) == 0)
                return 0;

        url = strdup(reported);
        if (!url)
                return -ENOMEM;

        free(live->url);
        live->url = url;
        return 0;
}

int run_take(Live *live, const VolumeReport *report) {
        int r;

        r = take_url(live, report->url);
        if (r < 0)
                return r;

        live->run = report->run;
        live->report_sequence = report->sequence;
        return 0;
}

LeadMember volumes_find_store(Volumes *volumes, uint32_t number, const Uuid uuid) {
        LeadMember member = LEAD_UNKNOWN;
        const Volume *volume;

        (void) pthread_rwlock_rdlock(&volumes->map.lock);
        volume = cluster_find(volumes->map.cluster, number);
        if (volume && memcmp(volume->uuid, uuid, sizeof(volume->uuid)) != 0)
                member = LEAD_OTHER;
        else if (volume)
                member = volume->state == VOLUME_REMOVED ? LEAD_REMOVED : LEAD_MEMBER;
        (void) pthread_rwlock_unlock(&volumes->map.lock);
        return member;
}

size_t volumes_count_used(Volumes *volumes) {
        const Cluster *cluster;
        size_t n = 0;

        (void) pthread_rwlock_rdlock(&volumes->map.lock);
        cluster = volumes->map.cluster;
        for (size_t i = 0; i < cluster->n_volumes; i++)
                n += cluster->volumes[i].state == VOLUME_ACTIVE ||
                     cluster->volumes[i].state == VOLUME_DRAINING;
        (void) pthread_rwlock_unlock(&volumes->map.lock);
        return n;
}
