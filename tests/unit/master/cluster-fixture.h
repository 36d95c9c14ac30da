/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Cluster maps for tests, and keys to place on them. Include after "test.h". */

#include <stdio.h>

#include "core/key.h"
#include "core/placement/cluster.h"
#include "test.h"

#define N_KEYS 100000

static const uint8_t uuid[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };

static uint64_t hashes[N_KEYS];

static inline int setup(void **state) {
        for (unsigned i = 0; i < N_KEYS; i++) {
                char key[32];

                (void) snprintf(key, sizeof(key), "key/%u", i);
                hashes[i] = key_hash(key);
        }
        return 0;
}

static inline void add_volume(
                Cluster *cluster, uint32_t number, const char *zone, uint32_t weight) {
        char url[32];

        (void) snprintf(url, sizeof(url), "http://127.0.0.1:%u", 3000 + number);
        assert_ok(cluster_add_volume(cluster, number, uuid, url, zone, weight));
        assert_ok(cluster_set_state(cluster, number, VOLUME_ACTIVE));
}

/* Volumes 1 to N, of WEIGHTS or of weight 1, in as many zones in turn. */
static inline Cluster *make_cluster(uint32_t n, const uint32_t weights[], uint32_t n_zones) {
        Cluster *cluster;

        assert_ok(cluster_new(&cluster));
        for (uint32_t i = 0; i < n; i++) {
                const char zone[] = { (char) ('a' + i % n_zones), 0 };

                add_volume(cluster, i + 1, zone, weights ? weights[i] : 1);
        }
        return cluster;
}

/* Weights of ten volumes. */
static const uint32_t uneven[] = { 1, 2, 1, 1, 3, 1, 2, 1, 1, 1 };

static inline uint32_t first_copy(const Cluster *cluster, uint64_t hash) {
        uint32_t volumes[COPIES_MAX];

        assert_int_equal(cluster_place(cluster, hash, 1, NULL, NULL, volumes), 1);
        return volumes[0];
}

static inline void assert_same(const Cluster *x, const Cluster *y) {
        assert_true(x->epoch == y->epoch);
        assert_int_equal(x->copies, y->copies);
        assert_int_equal(x->n_volumes, y->n_volumes);
        for (size_t i = 0; i < x->n_volumes; i++) {
                const Volume *v = &x->volumes[i], *w = &y->volumes[i];

                assert_int_equal(v->number, w->number);
                assert_int_equal(v->weight, w->weight);
                assert_int_equal(v->state, w->state);
                assert_memory_equal(v->uuid, w->uuid, sizeof(v->uuid));
                assert_string_equal(v->url, w->url);
                assert_string_equal(v->zone, w->zone);
                assert_int_equal(v->url_is_set, w->url_is_set);
                assert_int_equal(v->zone_is_set, w->zone_is_set);
                assert_true(v->maintenance_until == w->maintenance_until);
        }
        assert_int_equal(buckets_limit(x->buckets), buckets_limit(y->buckets));
        assert_int_equal(buckets_count(x->buckets), buckets_count(y->buckets));
        if (buckets_count(x->buckets) > 0)
                for (unsigned i = 0; i < 1000; i++)
                        assert_int_equal(first_copy(x, hashes[i]), first_copy(y, hashes[i]));
}

/* One with volumes of each state, marks, and holes in its buckets. */
static inline Cluster *make_worn_cluster(void) {
        Cluster *cluster = make_cluster(6, uneven, 2);

        cluster->epoch = UINT64_C(0x0102030405060708);
        cluster->copies = 2;
        assert_ok(cluster_add_volume(cluster, 7, uuid, "http://[::1]:3007", "", WEIGHT_MAX));
        assert_ok(cluster_set_state(cluster, 5, VOLUME_DRAINING));
        assert_ok(cluster_set_state(cluster, 2, VOLUME_REMOVED));
        cluster_find(cluster, 1)->url_is_set = true;
        cluster_find(cluster, 3)->zone_is_set = true;
        cluster_find(cluster, 4)->maintenance_until = UINT64_MAX;
        cluster_find(cluster, 5)->maintenance_until = 1;
        return cluster;
}
