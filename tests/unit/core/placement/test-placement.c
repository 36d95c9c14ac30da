/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/key.h"
#include "core/placement/placement.h"

#define N_KEYS 100000

/* The hash of the i-th key of a series of keys. */
static uint64_t hash_of(unsigned i) {
        char key[32];

        (void) snprintf(key, sizeof(key), "key/%u", i);
        return key_hash(key);
}

static uint64_t fnv1(const char *string) {
        uint64_t hash = UINT64_C(14695981039346656037);

        for (; *string; string++)
                hash = hash * UINT64_C(1099511628211) ^ (uint8_t) *string;
        return hash;
}

/* Known answers. Data lies where they say: if this test fails, do not "fix" the numbers. */
TEST(jump_known_answers) {
        static const uint32_t of_deadbeef[] = { 0, 1, 2, 3, 3, 5, 5,  5,  5, 5,
                                                5, 5, 5, 5, 5, 5, 16, 16, 16 };
        static const uint32_t of_100[] = { 55, 62, 8, 45, 59 };

        assert_int_equal(placement_jump(1, 1), 0);
        assert_int_equal(placement_jump(42, 57), 43);
        assert_int_equal(placement_jump(0xdead10cc, 1), 0);
        assert_int_equal(placement_jump(0xdead10cc, 666), 361);
        assert_int_equal(placement_jump(256, 1024), 520);

        for (uint32_t i = 0; i < ELEMENTSOF(of_100); i++)
                assert_int_equal(placement_jump(i + 1, 100), of_100[i]);
        for (uint32_t i = 0; i < ELEMENTSOF(of_deadbeef); i++)
                assert_int_equal(placement_jump(0xdeadbeef, i + 1), of_deadbeef[i]);
}

TEST(jump_goes_to_new_buckets_only) {
        assert_true(fnv1("answer") == UINT64_C(17270204244788214835));

        for (unsigned i = 0; i < 1000; i++) {
                uint64_t hash = i == 0 ? fnv1("answer") : hash_of(i);
                uint32_t bucket = placement_jump(hash, 1);

                for (uint32_t n = 2; n < 200; n++) {
                        uint32_t next = placement_jump(hash, n);

                        assert_true(next == bucket || next == n - 1);
                        bucket = next;
                }
        }
}

static Buckets *make_buckets(uint32_t n) {
        Buckets *buckets;

        assert_ok(buckets_new(&buckets));
        for (uint32_t i = 0; i < n; i++) {
                uint32_t bucket;

                assert_ok(buckets_add(buckets, &bucket));
                assert_int_equal(bucket, i);
        }
        return buckets;
}

static void lookup_all(const Buckets *buckets, uint32_t answers[static N_KEYS]) {
        for (unsigned i = 0; i < N_KEYS; i++)
                answers[i] = buckets_lookup(buckets, hash_of(i));
}

static uint32_t before[N_KEYS], after[N_KEYS];

TEST(buckets_are_jump_hash_at_first) {
        _cleanup_(buckets_freep) Buckets *buckets = make_buckets(17);

        for (unsigned i = 0; i < N_KEYS; i++)
                assert_int_equal(
                                buckets_lookup(buckets, hash_of(i)),
                                placement_jump(hash_of(i), 17));

        assert_ok(buckets_remove(buckets, 16));
        assert_ok(buckets_remove(buckets, 15));
        assert_int_equal(buckets_limit(buckets), 15);
        for (unsigned i = 0; i < N_KEYS; i++)
                assert_int_equal(
                                buckets_lookup(buckets, hash_of(i)),
                                placement_jump(hash_of(i), 15));
}

/* Known answers, as above. */
TEST(lookup_known_answers) {
        static const uint32_t expected[] = { 6, 4, 7, 8, 7, 8, 8, 6, 1, 1,
                                             4, 7, 7, 8, 4, 8, 2, 6, 1, 4 };
        _cleanup_(buckets_freep) Buckets *buckets = make_buckets(10);

        assert_ok(buckets_remove(buckets, 3));
        assert_ok(buckets_remove(buckets, 9));
        assert_ok(buckets_remove(buckets, 0));
        assert_ok(buckets_remove(buckets, 5));
        for (uint32_t i = 0; i < ELEMENTSOF(expected); i++)
                assert_int_equal(buckets_lookup(buckets, hash_of(i)), expected[i]);
}

TEST(removal_moves_only_what_was_there) {
        static const uint32_t order[] = { 4, 11, 0, 7, 8, 1, 10, 2, 9, 3, 6 };
        _cleanup_(buckets_freep) Buckets *buckets = make_buckets(12);

        lookup_all(buckets, before);
        for (size_t i = 0; i < ELEMENTSOF(order); i++) {
                assert_ok(buckets_remove(buckets, order[i]));
                assert_int_equal(buckets_count(buckets), 12 - i - 1);

                lookup_all(buckets, after);
                for (unsigned k = 0; k < N_KEYS; k++) {
                        for (size_t j = 0; j <= i; j++)
                                assert_int_not_equal(after[k], order[j]);
                        if (before[k] != order[i])
                                assert_int_equal(after[k], before[k]);
                }
                memcpy(before, after, sizeof(before));
        }
}

TEST(adding_undoes_removing) {
        static const uint32_t order[] = { 4, 11, 0, 7, 8, 1, 10, 2, 9, 3, 6 };
        static uint32_t history[ELEMENTSOF(order)][N_KEYS];
        _cleanup_(buckets_freep) Buckets *buckets = make_buckets(12);

        for (size_t i = 0; i < ELEMENTSOF(order); i++) {
                lookup_all(buckets, history[i]);
                assert_ok(buckets_remove(buckets, order[i]));
        }

        for (size_t i = ELEMENTSOF(order); i-- > 0;) {
                uint32_t bucket;

                assert_ok(buckets_add(buckets, &bucket));
                assert_int_equal(bucket, order[i]);
                lookup_all(buckets, after);
                assert_memory_equal(after, history[i], sizeof(after));
        }
        assert_int_equal(buckets_count(buckets), 12);
}

TEST(buckets_can_go_down_to_none) {
        _cleanup_(buckets_freep) Buckets *buckets = make_buckets(3);
        uint32_t bucket;

        assert_ok(buckets_remove(buckets, 1));
        assert_ok(buckets_remove(buckets, 0));
        for (unsigned i = 0; i < 1000; i++)
                assert_int_equal(buckets_lookup(buckets, hash_of(i)), 2);
        assert_ok(buckets_remove(buckets, 2));
        assert_int_equal(buckets_count(buckets), 0);
        assert_int_equal(buckets_remove(buckets, 2), -ENOENT);

        assert_ok(buckets_add(buckets, &bucket));
        assert_int_equal(bucket, 2);
        assert_int_equal(buckets_lookup(buckets, 1), 2);
}

TEST(only_what_is_there_can_be_removed) {
        _cleanup_(buckets_freep) Buckets *buckets = make_buckets(3);

        assert_int_equal(buckets_remove(buckets, 3), -ENOENT);
        assert_ok(buckets_remove(buckets, 1));
        assert_int_equal(buckets_remove(buckets, 1), -ENOENT);
        assert_int_equal(buckets_count(buckets), 2);
        assert_int_equal(buckets_limit(buckets), 3);
}

static uint32_t random_state = 1;

static uint32_t random_below(uint32_t n) {
        random_state = random_state * 1664525 + 1013904223;
        return (random_state >> 8) % n;
}

static void assert_balanced(const Buckets *buckets, double tolerance) {
        _cleanup_free_ unsigned *load = calloc(buckets_limit(buckets), sizeof(*load));
        double mean = (double) N_KEYS / buckets_count(buckets);

        lookup_all(buckets, after);
        for (unsigned i = 0; i < N_KEYS; i++)
                load[after[i]]++;
        for (uint32_t b = 0; b < buckets_limit(buckets); b++)
                assert_true(load[b] <= mean * tolerance);
}

TEST(buckets_are_balanced) {
        static const uint32_t order[] = { 4, 11, 0, 7, 8, 1, 10, 2, 9, 3 };
        _cleanup_(buckets_freep) Buckets *ten = make_buckets(10);
        _cleanup_(buckets_freep) Buckets *twenty = make_buckets(20);

        assert_balanced(ten, 1.05);
        for (size_t i = 0; i < ELEMENTSOF(order); i++) {
                assert_ok(buckets_remove(twenty, order[i]));
                assert_balanced(twenty, 1.05);
        }
}

/* A long life: whatever happens, keys lie in buckets that are there, and what is persisted is
 * enough to find the same again. */
TEST(state_is_the_limit_and_the_order_of_removals) {
        _cleanup_(buckets_freep) Buckets *buckets = make_buckets(50);
        bool there[300] = {};

        for (uint32_t i = 0; i < 50; i++)
                there[i] = true;

        for (int step = 0; step < 400; step++) {
                _cleanup_(buckets_freep) Buckets *copy = NULL, *restored = NULL;
                const uint32_t *removed;
                uint32_t n_removed, bucket;

                if (random_below(5) < 2) {
                        assert_ok(buckets_add(buckets, &bucket));
                        assert_false(there[bucket]);
                        there[bucket] = true;
                } else if (buckets_count(buckets) > 1) {
                        do
                                bucket = random_below(buckets_limit(buckets));
                        while (!there[bucket]);
                        assert_ok(buckets_remove(buckets, bucket));
                        there[bucket] = false;
                }

                assert_ok(buckets_copy(buckets, &copy));
                restored = make_buckets(buckets_limit(buckets));
                removed = buckets_removed(buckets, &n_removed);
                for (uint32_t i = 0; i < n_removed; i++)
                        assert_ok(buckets_remove(restored, removed[i]));
                assert_int_equal(buckets_limit(restored), buckets_limit(buckets));
                assert_int_equal(buckets_count(restored), buckets_count(buckets));

                for (unsigned i = 0; i < 500; i++) {
                        bucket = buckets_lookup(buckets, hash_of(i));
                        assert_true(there[bucket]);
                        assert_int_equal(buckets_lookup(copy, hash_of(i)), bucket);
                        assert_int_equal(buckets_lookup(restored, hash_of(i)), bucket);
                }
        }
}

TEST(copy_is_a_copy) {
        _cleanup_(buckets_freep) Buckets *buckets = make_buckets(5), *copy = NULL, *empty = NULL;
        uint32_t bucket;

        assert_ok(buckets_remove(buckets, 2));
        assert_ok(buckets_copy(buckets, &copy));
        assert_ok(buckets_remove(buckets, 0));
        assert_int_equal(buckets_count(copy), 4);
        assert_ok(buckets_add(copy, &bucket));
        assert_int_equal(bucket, 2);
        assert_ok(buckets_add(copy, &bucket));
        assert_int_equal(bucket, 5);

        buckets = buckets_free(buckets);
        assert_ok(buckets_new(&buckets));
        assert_ok(buckets_copy(buckets, &empty));
        assert_int_equal(buckets_count(empty), 0);
}

TEST(score_known_answers) {
        assert_true(fabs(placement_score(1, 1, 1) - 1.772924569113) < 1e-9);
        assert_true(fabs(placement_score(UINT64_C(0xdeadbeef), 65535, 256) - 206.378784550141) <
                    1e-6);
}

TEST(score_follows_the_weight) {
        static const uint32_t weights[] = { 1, 1, 2, 4 };
        unsigned won[4] = {};

        for (unsigned i = 0; i < N_KEYS; i++) {
                uint32_t best = 0;

                for (uint32_t v = 1; v < 4; v++)
                        if (placement_score(hash_of(i), v, weights[v]) >
                            placement_score(hash_of(i), best, weights[best]))
                                best = v;
                won[best]++;
        }

        for (uint32_t v = 0; v < 4; v++) {
                double share = (double) won[v] / N_KEYS, wanted = weights[v] / 8.0;

                assert_true(share > wanted * 0.97 && share < wanted * 1.03);
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(jump_known_answers),
                cmocka_unit_test(jump_goes_to_new_buckets_only),
                cmocka_unit_test(buckets_are_jump_hash_at_first),
                cmocka_unit_test(lookup_known_answers),
                cmocka_unit_test(removal_moves_only_what_was_there),
                cmocka_unit_test(adding_undoes_removing),
                cmocka_unit_test(buckets_can_go_down_to_none),
                cmocka_unit_test(only_what_is_there_can_be_removed),
                cmocka_unit_test(buckets_are_balanced),
                cmocka_unit_test(state_is_the_limit_and_the_order_of_removals),
                cmocka_unit_test(copy_is_a_copy),
                cmocka_unit_test(score_known_answers),
                cmocka_unit_test(score_follows_the_weight),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
