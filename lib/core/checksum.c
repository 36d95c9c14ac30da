/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "core/checksum.h"
#include "core/xxh3.h"

static Checksum checksum_from_hash(XXH128_hash_t hash) {
        Checksum checksum;
        XXH128_canonical_t canonical;

        XXH128_canonicalFromHash(&canonical, hash);
        memcpy(checksum.bytes, canonical.digest, sizeof(checksum.bytes));
        return checksum;
}

Checksum checksum_of(const void *data, size_t size) {
        return checksum_from_hash(XXH3_FOR(XXH3_128bits, size)(data, size));
}

bool checksum_equal(const Checksum *a, const Checksum *b) {
        return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

uint64_t checksum_seeded(const void *data, size_t size, uint64_t seed) {
        return XXH3_64bits_withSeed(data, size, seed);
}

int checksum_state_new(ChecksumState **ret) {
        ChecksumState *state = XXH3_createState();

        assert(ret);

        if (!state)
                return -ENOMEM;

        (void) XXH3_128bits_reset(state); /* fails only for NULL, like the update */
        *ret = state;
        return 0;
}

ChecksumState *checksum_state_free(ChecksumState *state) {
        if (state)
                (void) XXH3_freeState(state);
        return NULL;
}

void checksum_state_update(ChecksumState *state, const void *data, size_t size) {
        assert(state);

        (void) XXH3_FOR(XXH3_128bits_update, size)(state, data, size);
}

Checksum checksum_state_final(const ChecksumState *state) {
        assert(state);

        return checksum_from_hash(XXH3_128bits_digest(state));
}
