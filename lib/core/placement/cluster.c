/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "core/placement/cluster.h"

bool volume_in_maintenance(const Volume *volume, uint64_t now_usec) {
        return now_usec < volume->maintenance_until;
}

int cluster_new(Cluster **ret) {
        _cleanup_(cluster_freep) Cluster *cluster = NULL;
        int r;

        assert(ret);

        cluster = malloc(sizeof(*cluster));
        if (!cluster)
                return -ENOMEM;

        *cluster = (Cluster){};

        r = buckets_new(&cluster->buckets);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(cluster);
        return 0;
}

static void volume_done(Volume *volume) {
        free(volume->url);
        free(volume->zone);
}

Cluster *cluster_free(Cluster *cluster) {
        if (!cluster)
                return NULL;

        for (size_t i = 0; i < cluster->n_volumes; i++)
                volume_done(&cluster->volumes[i]);
        free(cluster->volumes);
        buckets_free(cluster->buckets);
        free(cluster->owners);
        free(cluster);
        return NULL;
}

int cluster_copy(const Cluster *cluster, Cluster **ret) {
        _cleanup_(cluster_freep) Cluster *copy = NULL;
        uint32_t limit;
        int r;

        assert(cluster);
        assert(ret);

        r = cluster_new(&copy);
        if (r < 0)
                return r;

        copy->epoch = cluster->epoch;
        copy->copies = cluster->copies;
        for (size_t i = 0; i < cluster->n_volumes; i++) {
                const Volume *v = &cluster->volumes[i];
                Volume *w;

                r = cluster_add_volume(copy, v->number, v->uuid, v->url, v->zone, v->weight);
                if (r < 0)
                        return r;
                w = &copy->volumes[i];
                w->state = v->state;
                w->url_is_set = v->url_is_set;
                w->zone_is_set = v->zone_is_set;
                w->maintenance_until = v->maintenance_until;
        }

        buckets_free(TAKE_PTR(copy->buckets));
        r = buckets_copy(cluster->buckets, &copy->buckets);
        if (r < 0)
                return r;

        limit = buckets_limit(copy->buckets);
        if (limit > 0) {
                copy->owners = malloc(limit * sizeof(*copy->owners));
                if (!copy->owners)
                        return -ENOMEM;
                memcpy(copy->owners, cluster->owners, limit * sizeof(*copy->owners));
        }

        *ret = TAKE_PTR(copy);
        return 0;
}

/* The index of the first volume whose number is not below NUMBER. */
static size_t find_position(const Cluster *cluster, uint32_t number) {
        size_t low = 0, high = cluster->n_volumes;

        while (low < high) {
                size_t middle = (low + high) / 2;

                if (cluster->volumes[middle].number < number)
                        low = middle + 1;
                else
                        high = middle;
        }

        return low;
}

Volume *cluster_find(const Cluster *cluster, uint32_t number) {
        size_t i;

        assert(cluster);

        i = find_position(cluster, number);
        if (i == cluster->n_volumes || cluster->volumes[i].number != number)
                return NULL;
        return &cluster->volumes[i];
}

int cluster_add_volume(
                Cluster *cluster,
                uint32_t number,
                const Uuid uuid,
                const char *url,
                const char *zone,
                uint32_t weight) {
        _cleanup_free_ char *own_url = NULL, *own_zone = NULL;
        Volume *volumes, *volume;

        assert(cluster);
        assert(url);
        assert(zone);

        if (number < 1 || number > VOLUME_MAX || weight < 1 || weight > WEIGHT_MAX)
                return -EINVAL;
        if (cluster_find(cluster, number))
                return -EEXIST;

        own_url = strdup(url);
        own_zone = strdup(zone);
        if (!own_url || !own_zone)
                return -ENOMEM;

        volumes = reallocarray(cluster->volumes, cluster->n_volumes + 1, sizeof(*volumes));
        if (!volumes)
                return -ENOMEM;
        cluster->volumes = volumes;

        volume = &volumes[find_position(cluster, number)];
        memmove(volume + 1, volume,
                (size_t) (volumes + cluster->n_volumes - volume) * sizeof(*volume));
        *volume = (Volume){
                .number = number,
                .weight = weight,
                .state = VOLUME_NEW,
                .url = TAKE_PTR(own_url),
                .zone = TAKE_PTR(own_zone),
        };
        memcpy(volume->uuid, uuid, sizeof(volume->uuid));
        cluster->n_volumes++;
        return 0;
}

static int replace_string(char **string, const char *value) {
        char *copy = strdup(value);

        if (!copy)
                return -ENOMEM;

        free(*string);
        *string = copy;
        return 0;
}

int cluster_set_url(Cluster *cluster, uint32_t number, const char *url) {
        Volume *volume = cluster_find(cluster, number);

        assert(url);

        return volume ? replace_string(&volume->url, url) : -ENOENT;
}

int cluster_set_zone(Cluster *cluster, uint32_t number, const char *zone) {
        Volume *volume = cluster_find(cluster, number);

        assert(zone);

        return volume ? replace_string(&volume->zone, zone) : -ENOENT;
}

static void take_buckets(Cluster *cluster, uint32_t number, uint32_t n) {
        for (uint32_t bucket = buckets_limit(cluster->buckets); n > 0 && bucket-- > 0;) {
                if (cluster->owners[bucket] != number)
                        continue;

                (void) buckets_remove(cluster->buckets, bucket); /* owned, so it is there */
                cluster->owners[bucket] = 0;
                n--;
        }

        assert(n == 0);
}

/* All or nothing. */
static int give_buckets(Cluster *cluster, uint32_t number, uint32_t n) {
        for (uint32_t given = 0; given < n; given++) {
                uint32_t *owners, bucket;
                int r;

                owners = reallocarray(
                                cluster->owners, (size_t) buckets_limit(cluster->buckets) + 1,
                                sizeof(*owners));
                if (owners)
                        cluster->owners = owners;
                r = owners ? buckets_add(cluster->buckets, &bucket) : -ENOMEM;
                if (r < 0) {
                        take_buckets(cluster, number, given);
                        return r;
                }
                cluster->owners[bucket] = number;
        }

        return 0;
}

int cluster_set_state(Cluster *cluster, uint32_t number, VolumeState state) {
        Volume *volume;
        int r;

        assert(cluster);
        assert(state >= 0 && state < _VOLUME_STATE_MAX);

        volume = cluster_find(cluster, number);
        if (!volume)
                return -ENOENT;
        if (state == volume->state)
                return 0;
        if (!volume_state_may_follow(volume->state, state))
                return -EBUSY;

        if (state == VOLUME_ACTIVE) {
                r = give_buckets(cluster, number, volume->weight);
                if (r < 0)
                        return r;
        } else if (volume->state == VOLUME_ACTIVE)
                take_buckets(cluster, number, volume->weight);

        volume->state = state;
        return 0;
}

int cluster_set_weight(Cluster *cluster, uint32_t number, uint32_t weight) {
        Volume *volume;
        int r;

        assert(cluster);

        if (weight < 1 || weight > WEIGHT_MAX)
                return -EINVAL;
        volume = cluster_find(cluster, number);
        if (!volume)
                return -ENOENT;

        if (volume->state == VOLUME_ACTIVE) {
                if (weight > volume->weight) {
                        r = give_buckets(cluster, number, weight - volume->weight);
                        if (r < 0)
                                return r;
                } else
                        take_buckets(cluster, number, volume->weight - weight);
        }

        volume->weight = weight;
        return 0;
}

static bool zone_is_taken(const char *zone, const Volume *const chosen[], size_t n) {
        for (size_t i = 0; i < n; i++)
                if (strcmp(chosen[i]->zone, zone) == 0)
                        return true;
        return false;
}

static bool is_chosen(const Volume *volume, const Volume *const chosen[], size_t n) {
        for (size_t i = 0; i < n; i++)
                if (chosen[i] == volume)
                        return true;
        return false;
}

static bool may_take(const Volume *volume, ClusterUsable usable, void *userdata) {
        return volume->state == VOLUME_ACTIVE && (!usable || usable(volume, userdata));
}

/* The volume to follow the N that are CHOSEN, or NULL if there is none left. */
static const Volume *next_volume(
                const Cluster *cluster,
                uint64_t hash,
                const Volume *const chosen[],
                size_t n,
                ClusterUsable usable,
                void *userdata) {
        const Volume *best = NULL;
        double best_score = 0;
        bool best_zone_taken = true;

        for (size_t i = 0; i < cluster->n_volumes; i++) {
                const Volume *volume = &cluster->volumes[i];
                bool zone_taken;
                double score;

                if (is_chosen(volume, chosen, n) || !may_take(volume, usable, userdata))
                        continue;
                zone_taken = zone_is_taken(volume->zone, chosen, n);
                if (best && zone_taken && !best_zone_taken)
                        continue;
                score = placement_score(hash, volume->number, volume->weight);
                if (best && zone_taken == best_zone_taken && score <= best_score)
                        continue;

                best = volume;
                best_score = score;
                best_zone_taken = zone_taken;
        }

        return best;
}

/* Returns how many of COPIES are CHOSEN in the end. */
static size_t choose_more(
                const Cluster *cluster,
                uint64_t hash,
                size_t copies,
                ClusterUsable usable,
                void *userdata,
                size_t n,
                const Volume *chosen[static COPIES_MAX]) {
        for (; n < copies; n++) {
                chosen[n] = next_volume(cluster, hash, chosen, n, usable, userdata);
                if (!chosen[n])
                        break;
        }

        return n;
}

size_t cluster_place(
                const Cluster *cluster,
                uint64_t hash,
                size_t copies,
                ClusterUsable usable,
                void *userdata,
                uint32_t ret_volumes[static COPIES_MAX]) {
        const Volume *chosen[COPIES_MAX];
        size_t n = 0;

        assert(cluster);
        assert(copies <= COPIES_MAX);

        if (copies == 0 || buckets_count(cluster->buckets) == 0)
                return 0;

        chosen[0] = cluster_find(cluster, cluster->owners[buckets_lookup(cluster->buckets, hash)]);
        if (may_take(chosen[0], usable, userdata))
                n = 1;
        n = choose_more(cluster, hash, copies, usable, userdata, n, chosen);

        for (size_t i = 0; i < n; i++)
                ret_volumes[i] = chosen[i]->number;
        return n;
}

size_t cluster_place_more(
                const Cluster *cluster,
                uint64_t hash,
                size_t copies,
                ClusterUsable usable,
                void *userdata,
                size_t n_chosen,
                uint32_t volumes[static COPIES_MAX]) {
        const Volume *chosen[COPIES_MAX];
        size_t n;

        assert(cluster);
        assert(copies <= COPIES_MAX);
        assert(n_chosen <= COPIES_MAX);

        for (size_t i = 0; i < n_chosen; i++) {
                chosen[i] = cluster_find(cluster, volumes[i]);
                assert(chosen[i]);
        }
        n = choose_more(cluster, hash, copies, usable, userdata, n_chosen, chosen);

        for (size_t i = n_chosen; i < n; i++)
                volumes[i] = chosen[i]->number;
        return n;
}
