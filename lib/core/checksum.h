/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Checksum: XXH3-128 of a value, in canonical (big-endian) form. */

#include "base/macro.h"

typedef struct Checksum {
        uint8_t bytes[16];
} Checksum;

Checksum checksum_of(const void *data, size_t size);
bool checksum_equal(const Checksum *a, const Checksum *b) _pure_;

/* XXH3-64, for data that are only good in one place: SEED says in which. */
uint64_t checksum_seeded(const void *data, size_t size, uint64_t seed) _pure_;

/* The same for data that comes in pieces. */
typedef struct XXH3_state_s ChecksumState;

int checksum_state_new(ChecksumState **ret);
ChecksumState *checksum_state_free(ChecksumState *state);
DEFINE_CLEANUP(ChecksumState *, checksum_state_free);
void checksum_state_update(ChecksumState *state, const void *data, size_t size);
Checksum checksum_state_final(const ChecksumState *state);
