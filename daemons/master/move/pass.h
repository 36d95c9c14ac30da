/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Passes: what the jobs that move copies have in common.
 *
 * A pass reads all keys in order, plans what each one lacks, and has the mover carry that out. A
 * job first counts what there is to do, then makes passes until its kind calls it done:
 * first over the keys with the fewest copies that can be read, in the end over all of them. How far
 * a pass has come is kept with the job.
 *
 * One pass runs at a time, on the thread of its lane. */

#include "core/placement/move-plan.h"
#include "master/move/mover.h"
#include "master/move/surplus.h"
#include "master/move/view.h"
#include "master/queue/queue.h"

typedef struct Pass Pass;
typedef struct Passes Passes;

/* What makes a job of this kind special. Thread: the lane's. */
typedef struct PassKind {
        bool is_about_all; /* it wants each of its keys to be moved, whatever the plan says */

        /* Whether the job is about this key. Under the index's read lock. Not needed with
         * read_on(). */
        bool (*wants)(const Job *job, const Record *record);

        /* Optional: takes the place of reading the next keys. Submits moves. Returns how
         * many things it looked at, 0 at the end, or a negative errno. */
        int (*read_on)(Pass *pass);

        /* Optional: told of each move that has ended. */
        void (*moved)(Pass *pass, const MoveResult *result);

        /* A pass over all keys has ended. Returns JOB_STEP_DONE, JOB_STEP_AGAIN for another pass,
         * or a negative errno if the job has failed, with its error explained. */
        int (*ended)(Pass *pass);
} PassKind;

/* What a pass has found and done. */
typedef struct PassCounts {
        uint64_t n_found;              /* keys for which there is something to do */
        uint64_t n_urgent[COPIES_MAX]; /* of them, by how many copies can be read */
        uint64_t bytes;                /* to be copied */
        uint64_t n_moved;              /* keys that were moved */
        uint64_t n_later;              /* keys that could not be moved now */
        uint64_t n_full;               /* keys for which a volume has no room */
        uint64_t n_down;               /* keys that wait for a volume that is down */
        uint64_t n_surplus;            /* of n_later: an old copy has to be deleted first */
        Surplus surplus;               /* one of these */
        uint32_t full;                 /* a volume without room */
        uint64_t n_lost;               /* keys without a good copy */
        Buffer lost;                   /* the names of the first ones, each with its NUL */
        size_t n_names;
} PassCounts;

struct Pass {
        Passes *passes; /* not owned */
        Job *job;       /* not owned */
        const PassKind *kind;
        void *userdata;   /* the kind's; not owned */
        bool is_counting; /* instead of moving */
        bool is_partial;  /* began in the middle */
        uint32_t urgency; /* only keys with at most this many readable copies; 0: all keys */
        char cursor[KEY_MAX + 1];
        uint64_t after; /* what a read_on() has in place of the cursor */

        ClusterView view;
        uint64_t size, version; /* of the value that is being planned for, see pass_ability() */
        PassCounts counts;

        uint64_t ticked_usec, saved_usec, ticked_bytes;
};

/* QUEUE is not owned, nor what MOVER refers to. */
int passes_new(JobQueue *queue, const MoverOptions *mover, Passes **ret);

/* After the clients and the index have ended. */
Passes *passes_free(Passes *passes);
DEFINE_CLEANUP(Passes *, passes_free);

Index *passes_index(const Passes *passes);
Volumes *passes_volumes(const Passes *passes);

/* For JobKind.run(): counts, or makes one pass. Returns a JobStep or a negative errno. */
int passes_run(Passes *passes, Job *job, const PassKind *kind, void *userdata);

/* For JobKind.wake(), with Passes as its userdata. */
void passes_wake(Passes *passes, const Job *job);

/* For a kind: what a volume can do now for the value of pass->size and pass->version. A PlanAsk
 * with the pass as its userdata. */
PlanAbility pass_ability(const Volume *volume, void *userdata);

/* For a kind: has the copies moved, or notes that this has to wait. */
void pass_submit(Pass *pass, const char *key, const Record *record, const Plan *plan);

/* For a kind: notes that no good copy of the key is left. */
void pass_note_lost(Pass *pass, const char *key);

/* For a kind: if moves have to wait for surplus copies, explains until when. Returns whether it
 * did. */
bool pass_explain_surplus(Pass *pass);

#define PASS_TIME_SIZE 16

/* "12:03:04", in local time, or "" if there is no such time. For explanations. */
const char *pass_format_time(uint64_t usec, char ret[static PASS_TIME_SIZE]);
