/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Random requests of all kinds, few enough keys and volumes that they meet each other. */

#include "core/call/identity.h"
#include "store/index/request.h"

#define RANDOM_KEYS    300
#define RANDOM_VOLUMES 6
#define RANDOM_ITEMS   8

typedef struct RandomRequest {
        DecodedRequest decoded; /* its items are those below */
        char keys[RANDOM_ITEMS][24];
        char metadata[600];
        uint32_t volumes[RANDOM_ITEMS];
        IndexSettleItem settle[RANDOM_ITEMS];
        IndexDamageItem damage[RANDOM_ITEMS];
        Garbage garbage[RANDOM_ITEMS];
        uint8_t cluster[CLUSTER_ID_SIZE];
} RandomRequest;

typedef struct RandomSource {
        uint64_t state;
        uint64_t version; /* the last one that was given out */
        Index *index;     /* whose garbage is collected; may be NULL */
} RandomSource;

/* Below N. */
uint64_t random_below(RandomSource *source, uint64_t n);

/* What is rare in a master is rare here. */
RequestType random_type(RandomSource *source);

/* What RET points to lies in it. All but done() is set, also what a batch would set. */
void random_request(RandomSource *source, RequestType type, RandomRequest *ret);
