/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Mover: carries out plans, many at a time. For each step the target pulls the copy from a source;
 * then the index swaps it, if the version is still the same.
 *
 * A copy enters the index only after it is whole and durable on its volume, and the old one becomes
 * garbage in the same transaction. So the mover may be stopped at any point: an unfinished move
 * leaves at most a copy that no record names, which the target will ask about (settle). Small
 * values share a call, large ones go alone; each volume takes part in a limited number of calls.
 * While clients are at work the mover is in no hurry.
 *
 * One thread, that of the jobs, calls all of this; only mover_set_limits() and mover_wake() may be
 * called by any. */

#include "core/placement/move-plan.h"
#include "master/cluster/volumes.h"
#include "master/link/outbox.h"
#include "master/queue/status.h"

typedef struct Mover Mover;

/* How many moves to submit before calling mover_work(). */
#define MOVER_ENOUGH 8192

typedef enum MoveOutcome {
        MOVE_DONE,    /* all steps */
        MOVE_CHANGED, /* the key was written or deleted in the meantime; the plan is void */
        MOVE_LATER,   /* a volume or the index could not do it now; worth another plan */
        MOVE_FULL,    /* the target has no room */
        MOVE_FAILED,  /* the target cannot store it for another reason */
        MOVE_DAMAGED, /* none of the sources has a good copy; they are marked */
        MOVE_DROPPED, /* by mover_stop() */
} MoveOutcome;

typedef struct MoveResult {
        const char *key;
        MoveOutcome outcome;
        uint64_t bytes;  /* that were copied */
        uint32_t target; /* of the step that failed */
} MoveResult;

/* On the thread of the jobs, within mover_work() and mover_stop(). */
typedef void (*MoverDone)(const MoveResult *result, void *userdata);

/* None of it is owned. */
typedef struct MoverOptions {
        Index *index;
        Volumes *volumes;
        Outbox *outbox;
        Peers *peers;
        const _Atomic uint64_t *grace_usec;  /* how long copies that are dropped stay readable */
        bool (*has_clients)(void *userdata); /* clients are at work; from any thread; optional */
        void *userdata;                      /* for has_clients() */
} MoverOptions;

int mover_new(const MoverOptions *options, MoverDone done, void *userdata, Mover **ret);

/* The clients and the index must have ended: nothing is under way then. */
Mover *mover_free(Mover *mover);
DEFINE_CLEANUP(Mover *, mover_free);

/* The plan must have a step and a source. Returns 0 or -ENOMEM. */
int mover_submit(Mover *mover, const char *key, const Record *record, const Plan *plan);

/* How many moves were submitted and not reported yet. */
size_t mover_count(const Mover *mover);

/* Starts what may start, then reports what has ended. If nothing has, it waits until UNTIL_USEC
 * (monotonic) at the latest. */
void mover_work(Mover *mover, uint64_t until_usec);

/* Drops moves that have not begun, cancels the others, and waits until those have ended. */
void mover_stop(Mover *mover);

/* Both return soon. The second one ends a mover_work() that waits. */
void mover_set_limits(Mover *mover, const JobLimits *limits);
void mover_wake(Mover *mover);
