/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <string.h>

#include "master/cluster-fixture.h"

TEST(volumes_are_kept_in_order) {
        static const uint32_t numbers[] = { 5, 1, VOLUME_MAX, 3, 4 };
        static const uint32_t sorted[] = { 1, 3, 4, 5, VOLUME_MAX };
        _cleanup_(cluster_freep) Cluster *cluster = NULL;

        assert_ok(cluster_new(&cluster));
        for (size_t i = 0; i < ELEMENTSOF(numbers); i++)
                assert_ok(cluster_add_volume(cluster, numbers[i], uuid, "http://x", "", 1));

        assert_int_equal(cluster->n_volumes, ELEMENTSOF(sorted));
        for (size_t i = 0; i < ELEMENTSOF(sorted); i++) {
                assert_int_equal(cluster->volumes[i].number, sorted[i]);
                assert_ptr_equal(cluster_find(cluster, sorted[i]), &cluster->volumes[i]);
                assert_memory_equal(cluster->volumes[i].uuid, uuid, sizeof(uuid));
                assert_int_equal(cluster->volumes[i].state, VOLUME_NEW);
        }
        assert_null(cluster_find(cluster, 0));
        assert_null(cluster_find(cluster, 2));
}

TEST(bad_volumes_are_refused) {
        _cleanup_(cluster_freep) Cluster *cluster = make_cluster(1, NULL, 1);

        assert_int_equal(cluster_add_volume(cluster, 1, uuid, "", "", 1), -EEXIST);
        assert_int_equal(cluster_add_volume(cluster, 0, uuid, "", "", 1), -EINVAL);
        assert_int_equal(cluster_add_volume(cluster, VOLUME_MAX + 1, uuid, "", "", 1), -EINVAL);
        assert_int_equal(cluster_add_volume(cluster, 2, uuid, "", "", 0), -EINVAL);
        assert_int_equal(cluster_add_volume(cluster, 2, uuid, "", "", WEIGHT_MAX + 1), -EINVAL);
        assert_int_equal(cluster->n_volumes, 1);

        assert_int_equal(cluster_set_state(cluster, 2, VOLUME_ACTIVE), -ENOENT);
        assert_int_equal(cluster_set_weight(cluster, 2, 1), -ENOENT);
        assert_int_equal(cluster_set_weight(cluster, 1, 0), -EINVAL);
        assert_int_equal(cluster_set_weight(cluster, 1, WEIGHT_MAX + 1), -EINVAL);
        assert_int_equal(cluster_set_url(cluster, 2, ""), -ENOENT);
        assert_int_equal(cluster_set_zone(cluster, 2, ""), -ENOENT);
}

TEST(url_and_zone_change) {
        _cleanup_(cluster_freep) Cluster *cluster = make_cluster(1, NULL, 1);

        assert_ok(cluster_set_url(cluster, 1, "http://b:1"));
        assert_ok(cluster_set_zone(cluster, 1, "rack 2"));
        assert_string_equal(cluster->volumes[0].url, "http://b:1");
        assert_string_equal(cluster->volumes[0].zone, "rack 2");
}

TEST(states_change_in_one_direction) {
        /* clang-format off */
        static const int expected[_VOLUME_STATE_MAX][_VOLUME_STATE_MAX] = {
                [VOLUME_NEW]      = { 0,      0,      -EBUSY, 0 },
                [VOLUME_ACTIVE]   = { -EBUSY, 0,      0,      0 },
                [VOLUME_DRAINING] = { -EBUSY, 0,      0,      0 },
                [VOLUME_REMOVED]  = { -EBUSY, -EBUSY, -EBUSY, 0 },
        };
        /* clang-format on */

        for (VolumeState from = 0; from < _VOLUME_STATE_MAX; from++)
                for (VolumeState to = 0; to < _VOLUME_STATE_MAX; to++) {
                        _cleanup_(cluster_freep) Cluster *cluster = NULL;
                        int r = expected[from][to];

                        assert_ok(cluster_new(&cluster));
                        assert_ok(cluster_add_volume(cluster, 1, uuid, "", "", 3));
                        if (from == VOLUME_DRAINING)
                                assert_ok(cluster_set_state(cluster, 1, VOLUME_ACTIVE));
                        assert_ok(cluster_set_state(cluster, 1, from));

                        assert_int_equal(cluster_set_state(cluster, 1, to), r);
                        assert_int_equal(cluster->volumes[0].state, r == 0 ? to : from);
                        assert_int_equal(
                                        buckets_count(cluster->buckets),
                                        cluster->volumes[0].state == VOLUME_ACTIVE ? 3 : 0);
                }
}

TEST(default_weights_are_plain_jump_hash) {
        _cleanup_(cluster_freep) Cluster *cluster = make_cluster(10, NULL, 1);

        for (unsigned i = 0; i < N_KEYS; i++)
                assert_int_equal(first_copy(cluster, hashes[i]), placement_jump(hashes[i], 10) + 1);
}

/* What has to move between two clusters for the first copies: to each volume at least what it has
 * more than before. */
static unsigned assert_moves_are_few(const Cluster *before, const Cluster *after) {
        static int gain[VOLUME_MAX + 1];
        unsigned moved = 0, unavoidable = 0;

        memset(gain, 0, sizeof(gain));
        for (unsigned i = 0; i < N_KEYS; i++) {
                uint32_t from = first_copy(before, hashes[i]), to = first_copy(after, hashes[i]);

                gain[from]--;
                gain[to]++;
                moved += from != to;
        }
        for (size_t i = 0; i < ELEMENTSOF(gain); i++)
                unavoidable += (unsigned) MAX(gain[i], 0);

        assert_in_range(moved, 0, unavoidable * 1.02);
        return moved;
}

static void assert_balanced(const Cluster *cluster) {
        static unsigned load[VOLUME_MAX + 1];
        double mean = (double) N_KEYS / buckets_count(cluster->buckets);

        memset(load, 0, sizeof(load));
        for (unsigned i = 0; i < N_KEYS; i++)
                load[first_copy(cluster, hashes[i])]++;
        for (size_t i = 0; i < cluster->n_volumes; i++)
                assert_true(load[cluster->volumes[i].number] <=
                            1.05 * mean * cluster->volumes[i].weight);
}

TEST(ten_volumes_are_balanced) {
        static const uint32_t many[] = { 10, 20, 10, 16, 32, 10, 20, 12, 14, 10 };
        _cleanup_(cluster_freep) Cluster *plain = make_cluster(10, NULL, 1);
        _cleanup_(cluster_freep) Cluster *weighted = make_cluster(10, many, 1);

        assert_balanced(plain);
        assert_balanced(weighted);
}

TEST(adding_a_volume_moves_little) {
        static const uint32_t *const weights[] = { NULL, uneven };

        for (size_t w = 0; w < ELEMENTSOF(weights); w++)
                for (uint32_t weight = 1; weight <= 4; weight++) {
                        _cleanup_(cluster_freep) Cluster *before = make_cluster(10, weights[w], 1);
                        _cleanup_(cluster_freep) Cluster *after = make_cluster(10, weights[w], 1);

                        add_volume(after, 11, "a", weight);
                        assert_true(assert_moves_are_few(before, after) > 0);
                }
}

TEST(deleting_any_volume_moves_little) {
        static const uint32_t *const weights[] = { NULL, uneven };

        for (size_t w = 0; w < ELEMENTSOF(weights); w++)
                for (uint32_t number = 1; number <= 10; number++) {
                        _cleanup_(cluster_freep) Cluster *before = make_cluster(10, weights[w], 1);
                        _cleanup_(cluster_freep) Cluster *after = make_cluster(10, weights[w], 1);

                        assert_ok(cluster_set_state(after, number, VOLUME_DRAINING));
                        assert_true(assert_moves_are_few(before, after) > 0);
                }
}

/* One change after the other, each compared with what was before. */
TEST(a_long_life_of_changes_moves_little) {
        _cleanup_(cluster_freep) Cluster *cluster = make_cluster(10, uneven, 1);

        for (uint32_t i = 0; i < 6; i++) {
                _cleanup_(cluster_freep) Cluster *before = NULL, *between = NULL;

                assert_ok(cluster_copy(cluster, &before));
                assert_ok(cluster_set_state(cluster, 1 + i * 3 % 10, VOLUME_REMOVED));
                (void) assert_moves_are_few(before, cluster);

                assert_ok(cluster_copy(cluster, &between));
                if (i % 2 == 0)
                        add_volume(cluster, 20 + i, "a", 1 + i % 3);
                else
                        assert_ok(cluster_set_weight(cluster, 20 + i - 1, 2 + i));
                (void) assert_moves_are_few(between, cluster);
        }
}

TEST(weight_moves_only_the_difference) {
        _cleanup_(cluster_freep) Cluster *before = make_cluster(10, uneven, 1);
        _cleanup_(cluster_freep) Cluster *cluster = make_cluster(10, uneven, 1);

        assert_ok(cluster_set_weight(cluster, 5, 4));
        assert_int_equal(buckets_count(cluster->buckets), buckets_count(before->buckets) + 1);
        (void) assert_moves_are_few(before, cluster);

        assert_ok(cluster_set_weight(cluster, 5, 3));
        for (unsigned i = 0; i < N_KEYS; i++)
                assert_int_equal(first_copy(cluster, hashes[i]), first_copy(before, hashes[i]));

        assert_ok(cluster_set_weight(cluster, 5, 1));
        (void) assert_moves_are_few(before, cluster);

        /* One that takes no part may get any weight, and counts with that later. */
        assert_ok(cluster_add_volume(cluster, 11, uuid, "", "", 1));
        assert_ok(cluster_set_weight(cluster, 11, 7));
        assert_ok(cluster_set_state(cluster, 11, VOLUME_ACTIVE));
        assert_int_equal(buckets_count(cluster->buckets), 14 - 2 + 7);
}

TEST(draining_can_be_taken_back) {
        _cleanup_(cluster_freep) Cluster *before = make_cluster(10, uneven, 1);
        _cleanup_(cluster_freep) Cluster *cluster = make_cluster(10, uneven, 1);

        assert_ok(cluster_set_state(cluster, 5, VOLUME_DRAINING));
        assert_ok(cluster_set_state(cluster, 5, VOLUME_ACTIVE));
        for (unsigned i = 0; i < N_KEYS; i++)
                assert_int_equal(first_copy(cluster, hashes[i]), first_copy(before, hashes[i]));
}

/* Usable unless it is the one. */
static bool is_not(const Volume *volume, void *userdata) {
        return volume->number != *(uint32_t *) userdata;
}

TEST(copies_are_on_distinct_usable_volumes) {
        _cleanup_(cluster_freep) Cluster *cluster = make_cluster(6, uneven, 1);
        uint32_t down = 2;

        assert_ok(cluster_set_state(cluster, 4, VOLUME_DRAINING));
        assert_ok(cluster_add_volume(cluster, 7, uuid, "", "", 1));

        for (unsigned i = 0; i < 1000; i++) {
                uint32_t volumes[COPIES_MAX];

                for (size_t copies = 0; copies <= COPIES_MAX; copies++) {
                        bool seen[8] = {};

                        assert_int_equal(
                                        cluster_place(cluster, hashes[i], copies, is_not, &down,
                                                      volumes),
                                        MIN(copies, (size_t) 4));
                        for (size_t c = 0; c < MIN(copies, (size_t) 4); c++) {
                                assert_true(volumes[c] != 2 && volumes[c] != 4 && volumes[c] != 7);
                                assert_false(seen[volumes[c]]);
                                seen[volumes[c]] = true;
                        }
                }
        }
}

/* A volume that is away for a while takes nothing but its own place out of the order. */
TEST(order_stays_without_a_volume) {
        _cleanup_(cluster_freep) Cluster *cluster = make_cluster(7, uneven, 1);

        for (unsigned i = 0; i < 10000; i++) {
                uint32_t all[COPIES_MAX], some[COPIES_MAX], down = 1 + i % 7;
                size_t n = 0;

                assert_int_equal(cluster_place(cluster, hashes[i], 7, NULL, NULL, all), 7);
                assert_int_equal(cluster_place(cluster, hashes[i], 6, is_not, &down, some), 6);
                for (size_t c = 0; c < 7; c++)
                        if (all[c] != down)
                                assert_int_equal(some[n++], all[c]);
        }
}

TEST(second_copies_follow_the_weights) {
        static const uint32_t weights[] = { 1, 1, 2, 2 };
        _cleanup_(cluster_freep) Cluster *cluster = make_cluster(4, weights, 1);
        unsigned load[5] = {};

        for (unsigned i = 0; i < N_KEYS; i++) {
                uint32_t volumes[COPIES_MAX];

                assert_int_equal(cluster_place(cluster, hashes[i], 2, NULL, NULL, volumes), 2);
                load[volumes[1]]++;
        }

        /* Volume 1 is second if it is not first: behind 2, it competes with 3 and 4 for 1/5, and so
         * on. */
        for (uint32_t v = 1; v <= 4; v++) {
                double w = weights[v - 1], share = 0;

                for (uint32_t other = 1; other <= 4; other++)
                        if (other != v)
                                share += weights[other - 1] / 6.0 * w / (6 - weights[other - 1]);
                assert_true(load[v] > share * N_KEYS * 0.97 && load[v] < share * N_KEYS * 1.03);
        }
}

TEST(zones_are_spread_first) {
        _cleanup_(cluster_freep) Cluster *cluster = make_cluster(9, NULL, 3);

        for (unsigned i = 0; i < 10000; i++) {
                uint32_t volumes[COPIES_MAX];
                unsigned in_zone[3] = {};

                assert_int_equal(cluster_place(cluster, hashes[i], 5, NULL, NULL, volumes), 5);
                for (size_t c = 0; c < 3; c++)
                        in_zone[(volumes[c] - 1) % 3]++;
                for (size_t zone = 0; zone < 3; zone++)
                        assert_int_equal(in_zone[zone], 1);
        }
}

TEST(no_volume_no_place) {
        _cleanup_(cluster_freep) Cluster *cluster = make_cluster(1, NULL, 1);
        uint32_t volumes[COPIES_MAX], one = 1;

        assert_int_equal(cluster_place(cluster, 1, 3, is_not, &one, volumes), 0);
        assert_int_equal(cluster_place(cluster, 1, 3, NULL, NULL, volumes), 1);
        assert_ok(cluster_set_state(cluster, 1, VOLUME_REMOVED));
        assert_int_equal(cluster_place(cluster, 1, 3, NULL, NULL, volumes), 0);
}

TEST(copies_are_equal_and_independent) {
        _cleanup_(cluster_freep) Cluster *cluster = make_worn_cluster(), *copy = NULL;
        _cleanup_(cluster_freep) Cluster *empty = NULL, *second = NULL;

        assert_ok(cluster_copy(cluster, &copy));
        assert_same(cluster, copy);
        assert_ok(cluster_set_url(copy, 1, "http://b:1"));
        assert_ok(cluster_set_state(copy, 5, VOLUME_ACTIVE));
        assert_string_equal(cluster->volumes[0].url, "http://127.0.0.1:3001");
        assert_int_equal(buckets_count(cluster->buckets), 4);
        assert_int_equal(buckets_count(copy->buckets), 7);

        assert_ok(cluster_new(&empty));
        assert_ok(cluster_copy(empty, &second));
        assert_same(empty, second);
}

TEST(maintenance_has_an_end) {
        Volume volume = {};

        assert_false(volume_in_maintenance(&volume, 0));
        volume.maintenance_until = 5;
        assert_true(volume_in_maintenance(&volume, 4));
        assert_false(volume_in_maintenance(&volume, 5));
        volume.maintenance_until = UINT64_MAX;
        assert_true(volume_in_maintenance(&volume, UINT64_MAX - 1));
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(volumes_are_kept_in_order),
                cmocka_unit_test(bad_volumes_are_refused),
                cmocka_unit_test(url_and_zone_change),
                cmocka_unit_test(states_change_in_one_direction),
                cmocka_unit_test(default_weights_are_plain_jump_hash),
                cmocka_unit_test(ten_volumes_are_balanced),
                cmocka_unit_test(adding_a_volume_moves_little),
                cmocka_unit_test(deleting_any_volume_moves_little),
                cmocka_unit_test(a_long_life_of_changes_moves_little),
                cmocka_unit_test(weight_moves_only_the_difference),
                cmocka_unit_test(draining_can_be_taken_back),
                cmocka_unit_test(copies_are_on_distinct_usable_volumes),
                cmocka_unit_test(order_stays_without_a_volume),
                cmocka_unit_test(second_copies_follow_the_weights),
                cmocka_unit_test(zones_are_spread_first),
                cmocka_unit_test(no_volume_no_place),
                cmocka_unit_test(copies_are_equal_and_independent),
                cmocka_unit_test(maintenance_has_an_end),
        };

        return cmocka_run_group_tests(tests, setup, NULL);
}
