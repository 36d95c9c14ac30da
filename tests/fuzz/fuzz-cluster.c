/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>
#include <xxhash.h>

#include "core/placement/cluster-codec.h"
#include "fuzz.h"

/* What can be decoded can be used, and encoded, and then is the same again. */
static void check_cluster(const void *data, size_t size) {
        _cleanup_(cluster_freep) Cluster *cluster = NULL, *again = NULL;
        _cleanup_(buffer_done) Buffer first = {}, second = {};
        uint32_t volumes[COPIES_MAX];

        if (cluster_decode(data, size, &cluster) < 0)
                return;

        assert(cluster->copies <= COPIES_MAX);
        for (uint64_t hash = 0; hash < 16; hash++) {
                size_t n = cluster_place(
                                cluster, hash * UINT64_C(0x9e3779b97f4a7c15), COPIES_MAX, NULL,
                                NULL, volumes);

                for (size_t i = 0; i < n; i++)
                        assert(cluster_find(cluster, volumes[i])->state == VOLUME_ACTIVE);
        }

        cluster_encode(cluster, &first);
        assert(buffer_error(&first) == 0);
        assert(cluster_decode(first.data, first.size, &again) == 0);
        cluster_encode(again, &second);
        assert(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);

        for (size_t i = 0; i < again->n_volumes; i++)
                (void) cluster_set_state(again, again->volumes[i].number, VOLUME_REMOVED);
        assert(cluster_place(again, 0, COPIES_MAX, NULL, NULL, volumes) == 0);
}

/* The input is an encoded map, or one that lacks the check sum, since no fuzzer finds the right
 * one. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(buffer_done) Buffer buffer = {};

        check_cluster(data, size);
        buffer_put(&buffer, data, size);
        buffer_put_u64(&buffer, XXH3_64bits(data, size));
        check_cluster(buffer.data, buffer.size);
        return 0;
}
