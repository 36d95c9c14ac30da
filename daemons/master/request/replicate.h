/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Replication: sends a small value to each of its volumes, and commits it once a majority of the
 * wanted copies is stored. */

#include "core/condition.h"
#include "core/record.h"
#include "http/request.h"
#include "master/cluster/volumes.h"
#include "master/lead/lead.h"
#include "master/link/outbox.h"
#include "rpc/peers.h"
#include "store/index/index.h"

/* What replications work with; nothing of it is owned. */
typedef struct Replicator {
        Index *index;
        Lead *lead;
        Volumes *volumes;
        Outbox *outbox;
        Peers *peers;
} Replicator;

typedef struct Replication Replication;

typedef struct ReplicationInput {
        const char *key;      /* these four stay the caller's until the request ends */
        const Record *record; /* content type and metadata */
        const Condition *condition;
        const void *value;
        size_t size;
        const uint32_t *volumes; /* where to store it */
        size_t n_volumes;
        uint64_t wanted;     /* copies */
        uint64_t grace_usec; /* how long what is replaced stays */
} ReplicationInput;

/* Starts. The request is answered when it is done. Returns HTTP_LATER or a negative errno. */
int replication_start(
                const Replicator *replicator,
                HttpRequest *request,
                const ReplicationInput *input,
                Replication **ret);

/* Not before the request is over; on its loop. If it was committed, the volumes are told. */
Replication *replication_free(Replication *replication);
DEFINE_CLEANUP(Replication *, replication_free);
