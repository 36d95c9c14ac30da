/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Long random lives of a cluster map, against a model of what must be true of it. */

#include "test.h"

#include <errno.h>
#include <string.h>

#include "core/placement/cluster-codec.h"
#include "master/cluster-fixture.h"

#define NUMBERS 12 /* volumes 1 to this */
#define STEPS   1500

typedef struct Model {
        bool is_known;
        VolumeState state;
        uint32_t weight;
} Model;

typedef struct Life {
        Cluster *cluster;
        Model models[NUMBERS + 1];
        unsigned seed;
} Life;

static uint32_t pick(Life *life, uint32_t n) {
        return (uint32_t) rand_r(&life->seed) % n;
}

static int add_one(Life *life, uint32_t number) {
        Model *model = life->models + number;
        uint32_t weight = pick(life, 5); /* 0 is none */
        static const char *const zones[] = { "", "a", "b" };
        int expected = weight == 0 ? -EINVAL : model->is_known ? -EEXIST : 0;

        if (expected == 0)
                *model = (Model){ true, VOLUME_NEW, weight };
        assert_int_equal(
                        cluster_add_volume(
                                        life->cluster, number, uuid, "http://x:1",
                                        zones[pick(life, 3)], weight),
                        expected);
        return expected;
}

static int set_state(Life *life, uint32_t number) {
        Model *model = life->models + number;
        VolumeState state = (VolumeState) pick(life, _VOLUME_STATE_MAX);
        int expected = !model->is_known                               ? -ENOENT
                       : volume_state_may_follow(model->state, state) ? 0
                                                                      : -EBUSY;

        if (expected == 0)
                model->state = state;
        assert_int_equal(cluster_set_state(life->cluster, number, state), expected);
        return expected;
}

static int set_weight(Life *life, uint32_t number) {
        Model *model = life->models + number;
        uint32_t weight = pick(life, 7);
        int expected = weight == 0 ? -EINVAL : !model->is_known ? -ENOENT : 0;

        if (expected == 0)
                model->weight = weight;
        assert_int_equal(cluster_set_weight(life->cluster, number, weight), expected);
        return expected;
}

static void step(Life *life) {
        static int (*const actions[])(Life * life, uint32_t number) = {
                add_one,
                set_state,
                set_state,
                set_weight,
        };

        (void) actions[pick(life, ELEMENTSOF(actions))](life, pick(life, NUMBERS) + 1);
}

/* A volume is removed for good, so that a life would come to its end. */
static void begin_anew(Life *life) {
        life->cluster = cluster_free(life->cluster);
        memset(life->models, 0, sizeof(life->models));
        assert_ok(cluster_new(&life->cluster));
}

static size_t count_active(const Life *life) {
        size_t n = 0;

        for (uint32_t i = 1; i <= NUMBERS; i++)
                n += life->models[i].is_known && life->models[i].state == VOLUME_ACTIVE;
        return n;
}

/* Buckets belong to active volumes, to each as many as it weighs. */
static void check_buckets(const Life *life) {
        const Cluster *cluster = life->cluster;
        uint32_t owned[NUMBERS + 1] = {}, n = 0;

        for (uint32_t bucket = 0; bucket < buckets_limit(cluster->buckets); bucket++) {
                assert_in_range(cluster->owners[bucket], 0, NUMBERS);
                owned[cluster->owners[bucket]]++;
                n += cluster->owners[bucket] > 0;
        }
        assert_int_equal(buckets_count(cluster->buckets), n);
        for (uint32_t i = 1; i <= NUMBERS; i++) {
                const Model *model = life->models + i;
                bool is_active = model->is_known && model->state == VOLUME_ACTIVE;

                assert_int_equal(owned[i], is_active ? model->weight : 0);
        }
}

static void check_volumes(const Life *life) {
        uint32_t last = 0;

        for (size_t i = 0; i < life->cluster->n_volumes; i++) {
                const Volume *volume = life->cluster->volumes + i;
                const Model *model = life->models + volume->number;

                assert_true(volume->number > last); /* in order, and each once */
                last = volume->number;
                assert_true(model->is_known);
                assert_int_equal(volume->state, model->state);
                assert_int_equal(volume->weight, model->weight);
        }
        for (uint32_t i = 1; i <= NUMBERS; i++)
                assert_int_equal(cluster_find(life->cluster, i) != NULL, life->models[i].is_known);
}

/* Copies are on distinct active volumes, as many as there are, in as many zones as there can be. */
static void check_placement(Life *life) {
        size_t copies = pick(life, COPIES_MAX) + 1, n;
        uint32_t numbers[COPIES_MAX], more[COPIES_MAX];
        uint64_t hash = hashes[pick(life, N_KEYS)];

        n = cluster_place(life->cluster, hash, copies, NULL, NULL, numbers);
        assert_int_equal(n, MIN(copies, count_active(life)));
        for (size_t i = 0; i < n; i++) {
                assert_int_equal(life->models[numbers[i]].state, VOLUME_ACTIVE);
                for (size_t k = 0; k < i; k++)
                        assert_int_not_equal(numbers[i], numbers[k]);
        }

        /* The order is one and the same, however many are asked for. */
        assert_int_equal(
                        cluster_place(life->cluster, hash, MIN(n, (size_t) 1), NULL, NULL, more),
                        MIN(n, (size_t) 1));
        assert_int_equal(
                        cluster_place_more(
                                        life->cluster, hash, copies, NULL, NULL, MIN(n, (size_t) 1),
                                        more),
                        n);
        assert_memory_equal(more, numbers, n * sizeof(*numbers));
}

TEST(whatever_is_done_to_a_map_it_is_what_was_done) {
        Life life = { .seed = 1 };

        begin_anew(&life);
        for (int i = 0; i < STEPS; i++) {
                step(&life);
                check_volumes(&life);
                check_buckets(&life);
                check_placement(&life);
                if (i % 150 == 149)
                        begin_anew(&life);
        }
        life.cluster = cluster_free(life.cluster);
}

/* A copy and what was stored are the map itself, also in what comes of the changes that follow: it
 * must not matter whether the master was restarted in between. */
TEST(a_map_that_was_copied_or_stored_lives_on_in_the_same_way) {
        Life life = { .seed = 2 }, copied = {}, stored = {};

        begin_anew(&life);
        for (int i = 0; i < 40; i++) {
                _cleanup_(buffer_done) Buffer buffer = {};

                for (int k = 0; k < 10; k++)
                        step(&life);
                copied = stored = life;
                assert_ok(cluster_copy(life.cluster, &copied.cluster));
                cluster_encode(life.cluster, &buffer);
                assert_ok(buffer_error(&buffer));
                assert_ok(cluster_decode(buffer.data, buffer.size, &stored.cluster));

                for (int k = 0; k < 10; k++) {
                        step(&life); /* the seeds are the same */
                        step(&copied);
                        step(&stored);
                }
                assert_same(copied.cluster, life.cluster);
                assert_same(stored.cluster, life.cluster);
                check_buckets(&stored);
                copied.cluster = cluster_free(copied.cluster);
                stored.cluster = cluster_free(stored.cluster);
                if (i % 8 == 7)
                        begin_anew(&life);
        }
        life.cluster = cluster_free(life.cluster);
}

static void encode_life(unsigned seed, Buffer *ret) {
        Life life = { .seed = seed };

        begin_anew(&life);
        for (int k = 0; k < 40; k++)
                step(&life);
        cluster_encode(life.cluster, ret);
        assert_ok(buffer_error(ret));
        life.cluster = cluster_free(life.cluster);
}

TEST(a_stored_map_that_lacks_its_end_is_refused) {
        _cleanup_(buffer_done) Buffer buffer = {};

        encode_life(3, &buffer);
        for (size_t size = 0; size < buffer.size; size++) {
                Cluster *cluster;

                assert_true(cluster_decode(buffer.data, size, &cluster) < 0);
        }
}

TEST(a_stored_map_with_any_bit_flipped_is_refused) {
        _cleanup_(buffer_done) Buffer buffer = {};

        encode_life(4, &buffer);
        for (size_t bit = 0; bit < 8 * buffer.size; bit++) {
                uint8_t *data = buffer.data;
                Cluster *cluster;

                data[bit / 8] ^= (uint8_t) (1U << bit % 8);
                assert_true(cluster_decode(buffer.data, buffer.size, &cluster) < 0);
                data[bit / 8] ^= (uint8_t) (1U << bit % 8);
        }
}

TEST(equal_maps_are_stored_in_equal_bytes) {
        for (unsigned seed = 10; seed < 20; seed++) {
                _cleanup_(buffer_done) Buffer first = {}, second = {};
                _cleanup_(cluster_freep) Cluster *decoded = NULL;

                encode_life(seed, &first);
                assert_ok(cluster_decode(first.data, first.size, &decoded));
                cluster_encode(decoded, &second);
                assert_int_equal(first.size, second.size);
                assert_memory_equal(first.data, second.data, first.size);
        }
}

typedef struct Usable {
        unsigned bits; /* by number */
        size_t n_asked;
} Usable;

static bool is_usable(const Volume *volume, void *userdata) {
        Usable *usable = userdata;

        assert_int_equal(volume->state, VOLUME_ACTIVE); /* nobody else is asked about */
        usable->n_asked++;
        return usable->bits & 1U << volume->number;
}

/* Those that are left out do not change the order of the rest, so a volume that was down for a
 * while leaves nothing in a wrong place but what was written meanwhile. */
TEST(who_cannot_be_used_is_left_out_and_the_rest_stay_in_their_order) {
        Life life = { .seed = 5 };

        begin_anew(&life);
        for (int i = 0; i < STEPS; i++) {
                uint32_t all[COPIES_MAX], some[COPIES_MAX];
                Usable usable = { .bits = (unsigned) rand_r(&life.seed) };
                uint64_t hash = hashes[pick(&life, N_KEYS)];
                size_t n_all, n_some, n_usable = 0, found = 0;

                step(&life);
                for (uint32_t k = 1; k <= NUMBERS; k++) /* no zones here: they have an order too */
                        if (life.models[k].is_known)
                                assert_ok(cluster_set_zone(life.cluster, k, ""));
                n_all = cluster_place(life.cluster, hash, COPIES_MAX, NULL, NULL, all);
                n_some = cluster_place(life.cluster, hash, COPIES_MAX, is_usable, &usable, some);
                for (uint32_t k = 1; k <= NUMBERS; k++)
                        n_usable += life.models[k].is_known &&
                                    life.models[k].state == VOLUME_ACTIVE && usable.bits & 1U << k;
                assert_int_equal(n_some, MIN(n_usable, (size_t) COPIES_MAX));
                for (size_t k = 0; k < n_all && found < n_some; k++)
                        if (usable.bits & 1U << all[k])
                                assert_int_equal(some[found++], all[k]);
                if (i % 150 == 149)
                        begin_anew(&life);
        }
        life.cluster = cluster_free(life.cluster);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(whatever_is_done_to_a_map_it_is_what_was_done),
                cmocka_unit_test(a_map_that_was_copied_or_stored_lives_on_in_the_same_way),
                cmocka_unit_test(a_stored_map_that_lacks_its_end_is_refused),
                cmocka_unit_test(a_stored_map_with_any_bit_flipped_is_refused),
                cmocka_unit_test(equal_maps_are_stored_in_equal_bytes),
                cmocka_unit_test(who_cannot_be_used_is_left_out_and_the_rest_stay_in_their_order),
        };

        return cmocka_run_group_tests(tests, setup, NULL);
}
