/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Replication: sends a small value to each of its volumes, and commits it once a majority of the
 * wanted copies is stored. */

#include "core/condition.h"
#include "core/record.h"
#include "http/request.h"

typedef struct Replication Replication;

typedef struct ReplicationInput {
        const char *key;      /* these four stay the caller's until the request ends */
        const Record *record; /* content type and metadata */
        const Condition *condition;
        const void *value;
        size_t size;
        const uint32_t *volumes; /* where to store it */
        size_t n_volumes;
        uint64_t wanted; /* copies */
} ReplicationInput;

/* Starts. The request is answered when it is done. Returns HTTP_LATER or a negative errno. */
int replication_start(HttpRequest *request, const ReplicationInput *input, Replication **ret);

/* Not before the request is over. */
Replication *replication_free(Replication *replication);
DEFINE_CLEANUP(Replication *, replication_free);
