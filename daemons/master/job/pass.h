/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Passes of jobs over the index, the inside: what job-run.c (the thread, and passes over all keys)
 * and the kinds of jobs share. */

#include "master/job/table.h"

/* One pass over the keys, in order; of the thread, without the lock. */
struct Pass {
        Jobs *jobs;
        Job *job;
        const struct JobKind *kind;
        uint64_t began_usec; /* since the epoch */
        bool is_counting;    /* instead of moving */
        bool is_partial;     /* began in the middle */
        uint32_t urgency;    /* for keys with at most so many copies that can be read; 0: for all */
        char cursor[KEY_MAX + 1];

        /* The cluster as it was lately. */
        Cluster *cluster;      /* owned */
        VolumeStatus *volumes; /* of the map's, in the same order; owned */
        size_t n_volumes;
        uint32_t copies;
        bool is_constrained; /* a volume is down or nearly full */
        uint64_t looked_usec;
        uint64_t size, version; /* of the value that is being planned for */
        uint64_t after;         /* of a repair, instead of the cursor: a version */

        uint64_t n_found;                 /* keys for which there is something to do */
        uint64_t n_urgent[COPIES_MAX];    /* of them: by copies that can be read */
        uint64_t bytes;                   /* that are to be copied */
        uint64_t n_moved;                 /* keys that were moved */
        uint64_t n_later, n_full, n_down; /* could not be: for now; for lack of room; since a volume
                                           * is down */
        uint64_t n_strays;                /* of those for now: an old copy is to be deleted first */
        Stray stray;                      /* one of them */
        uint64_t n_lost;                  /* no good copy of them is left */
        uint32_t full;                    /* a volume that lacks room */
        Buffer lost;                      /* the first names, each with its 0 */
        size_t n_names;

        uint64_t ticked_usec, saved_usec, ticked_bytes;
};

/* NULL if there is none. */
const VolumeStatus *pass_volume(const Pass *pass, uint32_t number);

typedef struct JobKind {
        bool is_about_all; /* whatever it wants, it wants to be moved */

        /* Instead of a look at the next keys, without the index's lock: submits what is to be
         * moved. Returns how many things it looked at, 0 at the end, or a negative errno. Optional,
         * as the next. */
        int (*read_on)(Pass *pass);
        void (*moved)(Pass *pass, const MoveResult *result);

        /* Whether the job is about this key. Under the index's lock. */
        bool (*wants)(const Job *job, const Record *record, const Plan *plan);

        /* At the end of a pass over all keys. Returns 1 if the job is done, 0 for another pass,
         * soon or after job_wait(), or a negative errno if it has failed, with its error explained.
         */
        int (*pass_ended)(Pass *pass);

        /* Undoes what its start did. NULL if that is nothing. */
        int (*cancel)(Job *job);
} JobKind;

extern const JobKind job_rebalance, job_drain, job_repair;

/* For a kind with a read_on(): what a volume can do now; has the copies moved; names a key that
 * cannot be. */
PlanAbility pass_ability(const Volume *volume, void *userdata);
void pass_submit(Pass *pass, const char *key, const Record *record, const Plan *plan);
void pass_note_lost(Pass *pass, const char *key);
