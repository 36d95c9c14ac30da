/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <string.h>
#include <xxhash.h>

#include "core/placement/cluster-codec.h"
#include "master/cluster-fixture.h"

TEST(map_comes_back) {
        _cleanup_(cluster_freep) Cluster *worn = make_worn_cluster(), *empty = NULL;
        Cluster *const clusters[] = { worn, (assert_ok(cluster_new(&empty)), empty) };

        for (size_t i = 0; i < ELEMENTSOF(clusters); i++) {
                _cleanup_(cluster_freep) Cluster *decoded = NULL;
                _cleanup_(buffer_done) Buffer buffer = {};

                cluster_encode(clusters[i], &buffer);
                assert_ok(buffer_error(&buffer));
                assert_ok(cluster_decode(buffer.data, buffer.size, &decoded));
                assert_same(decoded, clusters[i]);
        }
}

/* A map as it was written before there were marks: volume 5 is active, has weight 2 and both
 * buckets. */
TEST(map_without_marks_is_read) {
        /* clang-format off */
        static const uint8_t map[] = {
                0x31,
                9, 0, 0, 0, 0, 0, 0, 0, /* epoch */
                1,                      /* volume */
                5, 2, VOLUME_ACTIVE,
                1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
                8, 'h', 't', 't', 'p', ':', '/', '/', 'a',
                1, 'z',
                2, 5, 5,                /* owners of buckets */
                0,                      /* removed buckets */
        };
        /* clang-format on */
        _cleanup_(cluster_freep) Cluster *cluster = NULL, *again = NULL;
        _cleanup_(buffer_done) Buffer buffer = {};

        buffer_put(&buffer, map, sizeof(map));
        buffer_put_u64(&buffer, XXH3_64bits(map, sizeof(map)));
        assert_ok(cluster_decode(buffer.data, buffer.size, &cluster));
        assert_int_equal(cluster->epoch, 9);
        assert_int_equal(cluster->n_volumes, 1);
        assert_int_equal(cluster->volumes[0].number, 5);
        assert_int_equal(cluster->volumes[0].weight, 2);
        assert_memory_equal(cluster->volumes[0].uuid, uuid, sizeof(uuid));
        assert_string_equal(cluster->volumes[0].url, "http://a");
        assert_string_equal(cluster->volumes[0].zone, "z");
        assert_false(cluster->volumes[0].url_is_set || cluster->volumes[0].zone_is_set);
        assert_true(cluster->volumes[0].maintenance_until == 0);
        assert_int_equal(cluster->copies, 0);

        /* The next change writes it as it is written now. */
        buffer_clear(&buffer);
        cluster_encode(cluster, &buffer);
        assert_int_equal(buffer.data[0], 0x33);
        assert_ok(cluster_decode(buffer.data, buffer.size, &again));
        assert_same(cluster, again);
}

/* A map as it was written before it said how many copies there should be: volume 5 as above, but
 * drained and in maintenance, with a zone that was set. */
TEST(map_without_copies_is_read) {
        /* clang-format off */
        static const uint8_t map[] = {
                0x32,
                9, 0, 0, 0, 0, 0, 0, 0, /* epoch */
                1,                      /* volume */
                5, 2, VOLUME_DRAINING,
                1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
                8, 'h', 't', 't', 'p', ':', '/', '/', 'a',
                1, 'z',
                2, 77,                  /* marks, the end of its maintenance */
                0,                      /* owners of buckets */
                0,                      /* removed buckets */
        };
        /* clang-format on */
        _cleanup_(cluster_freep) Cluster *cluster = NULL, *again = NULL;
        _cleanup_(buffer_done) Buffer buffer = {};

        buffer_put(&buffer, map, sizeof(map));
        buffer_put_u64(&buffer, XXH3_64bits(map, sizeof(map)));
        assert_ok(cluster_decode(buffer.data, buffer.size, &cluster));
        assert_int_equal(cluster->epoch, 9);
        assert_int_equal(cluster->copies, 0);
        assert_int_equal(cluster->n_volumes, 1);
        assert_int_equal(cluster->volumes[0].state, VOLUME_DRAINING);
        assert_true(cluster->volumes[0].zone_is_set && !cluster->volumes[0].url_is_set);
        assert_int_equal(cluster->volumes[0].maintenance_until, 77);

        buffer_clear(&buffer);
        cluster_encode(cluster, &buffer);
        assert_int_equal(buffer.data[0], 0x33);
        assert_ok(cluster_decode(buffer.data, buffer.size, &again));
        assert_same(cluster, again);
}

TEST(more_copies_than_can_be_are_refused) {
        _cleanup_(cluster_freep) Cluster *cluster = make_worn_cluster();

        for (uint32_t copies = 0; copies < 2 * COPIES_MAX; copies++) {
                _cleanup_(cluster_freep) Cluster *decoded = NULL;
                _cleanup_(buffer_done) Buffer buffer = {};
                int r;

                cluster->copies = copies;
                cluster_encode(cluster, &buffer);
                r = cluster_decode(buffer.data, buffer.size, &decoded);
                assert_int_equal(r, copies <= COPIES_MAX ? 0 : -EBADMSG);
                if (r >= 0)
                        assert_int_equal(decoded->copies, copies);
        }
}

TEST(unknown_marks_are_refused) {
        _cleanup_(cluster_freep) Cluster *cluster = make_cluster(1, NULL, 1), *decoded = NULL;
        _cleanup_(buffer_done) Buffer buffer = {};
        uint8_t *marks;

        cluster_find(cluster, 1)->zone_is_set = true;
        cluster_encode(cluster, &buffer);
        marks = memmem(buffer.data, buffer.size, "\1a\2", 3); /* behind the zone */
        assert_non_null(marks);
        marks[2] = 4;
        buffer.size -= sizeof(uint64_t);
        buffer_put_u64(&buffer, XXH3_64bits(buffer.data, buffer.size));
        assert_int_equal(cluster_decode(buffer.data, buffer.size, &decoded), -EBADMSG);
}

TEST(damaged_map_is_refused) {
        _cleanup_(cluster_freep) Cluster *cluster = make_worn_cluster(), *decoded = NULL;
        _cleanup_(buffer_done) Buffer buffer = {};

        cluster_encode(cluster, &buffer);
        for (size_t bit = 0; bit < 8 * buffer.size; bit++) {
                bool is_known;

                buffer.data[bit / 8] ^= (uint8_t) (1 << bit % 8);
                is_known = buffer.data[0] >= 0x31 && buffer.data[0] <= 0x33;
                assert_int_equal(
                                cluster_decode(buffer.data, buffer.size, &decoded),
                                is_known ? -EBADMSG : -EPROTONOSUPPORT);
                buffer.data[bit / 8] ^= (uint8_t) (1 << bit % 8);
        }

        for (size_t size = 0; size < buffer.size; size++) {
                _cleanup_free_ uint8_t *copy = malloc(1 + size);

                memcpy(copy + 1, buffer.data, size); /* up to the end of the block */
                assert_int_equal(cluster_decode(copy + 1, size, &decoded), -EBADMSG);
        }

        buffer_put_u8(&buffer, 0);
        assert_int_equal(cluster_decode(buffer.data, buffer.size, &decoded), -EBADMSG);
}

/* The check sum is right in these, but what it covers makes no sense. */
TEST(contradictory_map_is_refused) {
        for (unsigned i = 0; i < 7; i++) {
                _cleanup_(cluster_freep) Cluster *cluster = make_worn_cluster(), *decoded = NULL;
                _cleanup_(buffer_done) Buffer buffer = {};
                uint32_t bucket;

                switch (i) {
                case 0: /* more weight than buckets */
                        cluster_find(cluster, 1)->weight++;
                        break;
                case 1: /* no buckets */
                        cluster_find(cluster, 5)->state = VOLUME_ACTIVE;
                        break;
                case 2: /* buckets that it should not have */
                        cluster_find(cluster, 1)->state = VOLUME_DRAINING;
                        break;
                case 3: /* a bucket of nobody */
                        cluster->owners[0] = 99;
                        break;
                case 4: /* a removed bucket of somebody */
                        cluster->owners[1] = 5;
                        break;
                case 5: /* the same, in exchange for one that is there */
                        cluster->owners[1] = 1;
                        cluster->owners[0] = 0;
                        break;
                case 6: /* a bucket that is there, of nobody */
                        assert_ok(buckets_add(cluster->buckets, &bucket));
                        break;
                }

                cluster_encode(cluster, &buffer);
                assert_int_equal(cluster_decode(buffer.data, buffer.size, &decoded), -EBADMSG);
        }
}

/* Without its last bucket a map has a lower limit; no other form of the same is taken. */
TEST(last_bucket_is_not_removed_first) {
        static const uint8_t before[] = { 2, 0, 2, 1, 0 }, after[] = { 2, 2, 0, 1, 1 };
        _cleanup_(cluster_freep) Cluster *cluster = make_cluster(2, NULL, 1), *decoded = NULL;
        _cleanup_(buffer_done) Buffer buffer = {};

        assert_ok(cluster_set_state(cluster, 1, VOLUME_REMOVED));
        cluster_encode(cluster, &buffer);
        assert_ok(buffer_error(&buffer));

        buffer.size -= sizeof(uint64_t) + sizeof(before);
        assert_memory_equal(buffer.data + buffer.size, before, sizeof(before));
        buffer_put(&buffer, after, sizeof(after));
        buffer_put_u64(&buffer, XXH3_64bits(buffer.data, buffer.size));
        assert_int_equal(cluster_decode(buffer.data, buffer.size, &decoded), -EBADMSG);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(map_comes_back),
                cmocka_unit_test(map_without_marks_is_read),
                cmocka_unit_test(map_without_copies_is_read),
                cmocka_unit_test(more_copies_than_can_be_are_refused),
                cmocka_unit_test(unknown_marks_are_refused),
                cmocka_unit_test(damaged_map_is_refused),
                cmocka_unit_test(contradictory_map_is_refused),
                cmocka_unit_test(last_bucket_is_not_removed_first),
        };

        return cmocka_run_group_tests(tests, setup, NULL);
}
