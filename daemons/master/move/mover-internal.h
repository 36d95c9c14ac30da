/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Mover, the inside: what mover.c (which move is next) and mover-batch.c (a call with many of them)
 * share. */

#include <pthread.h>
#include <stdatomic.h>

#include "core/call/wire.h"
#include "master/move/mover.h"
#include "rpc/rpc-call.h"
#include "store/index/move.h"

typedef struct Batch Batch;
typedef struct Move Move;

/* One key on its way through the steps of its plan. */
struct Move {
        Move *next;
        Batch *batch; /* the move is in this one */
        Plan plan;
        size_t step;
        size_t n_tried; /* sources of the plan that this step has tried */
        uint64_t version, size;
        uint64_t bytes; /* copied so far */
        IndexMove change;
        int error; /* of the pull, then of the swap */
        bool was_pulled;
        char key[];
};

/* What waits for the same kind of call. */
typedef struct RouteId {
        uint32_t source, target;
        uint32_t is_large;
} RouteId;

/* A call that is under way, and the swaps behind it. */
struct Batch {
        Mover *mover;
        Batch *next, *previous; /* of those that are not reported */
        Batch *next_ended;
        RouteId id;
        RpcCallHandle *call;
        uint64_t deadline_usec; /* since the epoch */
        uint64_t started_usec;  /* monotonic */
        atomic_size_t n_left;   /* moves that are not through */
        size_t n;
        Move *moves[WIRE_PULL_MAX];
};

struct Mover {
        MoverOptions options;
        MoverDone done;
        void *userdata;
        struct Route *routes;
        Batch *batches;
        size_t n_moves;
        JobLimits in_force;
        uint64_t not_before_usec, looked_usec;  /* monotonic */
        atomic_uint n_calls[2][VOLUME_MAX + 1]; /* small, large */

        bool is_throttled;                   /* clients are at work */
        uint64_t rest_until[VOLUME_MAX + 1]; /* monotonic; UINT64_MAX while one is under way */
        uint64_t next_start_usec;            /* when the first that rests may go on */

        pthread_mutex_t lock; /* for the rest */
        pthread_cond_t changed;
        Batch *ended;
        bool woken;
        JobLimits limits;
};

/* Has the target pull from the source. Returns 0 if batch_swap() will follow, or a negative errno.
 */
int batch_pull(Batch *batch, uint64_t bytes);

/* What was pulled is swapped, unless ERROR says that nothing was; ANSWER is NULL if there was
 * nothing to pull. The call is over then; the batch will be among those that have ended. */
void batch_swap(Batch *batch, int error, Reader *answer);

/* A call begins or ends at its volumes. From any thread. */
void batch_count_call(Batch *batch, int difference);
