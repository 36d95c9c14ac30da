/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Jobs, the inside: what job.c (the table), job-start.c (how they begin, or are joined),
 * job-store.c (their form in the index), job-thread.c (the thread), job-run.c (passes over the
 * index), job-bars.c (drains and the map) and the kinds of jobs share. */

#include <pthread.h>

#include "base/periodic.h"
#include "core/key.h"
#include "master/job/job.h"
#include "master/job/mover.h"
#include "master/job/repair.h"
#include "master/job/stray.h"
#include "store/index/move.h"

#define JOB_REFUSING_MAX 16

typedef struct JobStart JobStart;

/* Who has asked for a job and is told once it is durable. */
typedef struct JobWaiter {
        JobDone done;
        void *userdata;
        uint64_t epoch;
        struct JobWaiter *next;
} JobWaiter;

typedef struct Job {
        Jobs *jobs; /* not owned */
        JobStatus status;
        bool is_counted; /* the totals are known */
        bool is_resumed; /* by a start of the daemon: what was done last was not saved */
        bool wants_cancel;
        bool is_new;                         /* not durable yet */
        bool is_joined;                      /* somebody has asked for it since its pass began */
        bool is_barred;                      /* no commit may name its volumes any more */
        uint32_t urgency;                    /* of the current pass, see there */
        uint32_t n_passes;                   /* that had something to move */
        char cursor[KEY_MAX + 1];            /* the pass has come to here */
        uint64_t not_before_usec;            /* monotonic; waits until then */
        uint64_t patience_usec;              /* of a repair that can do nothing now */
        uint32_t refusing[JOB_REFUSING_MAX]; /* volumes that could not take a copy anew */
        size_t n_refusing;
        Buffer lost; /* names, each with its 0 */

        JobWaiter *waiters;        /* for the next time that it is saved; owned */
        JobWaiter *waiters_saving; /* for that which is under way; owned */
        bool is_saving;            /* it is in what is being saved */

        /* For the observer. */
        bool is_known;
        unsigned changes, changes_told;
} Job;

struct Jobs {
        Master *master; /* not owned */
        Mover *mover;   /* of the jobs' thread, as is the next */
        Pass *pass;
        pthread_t thread;
        bool has_thread;
        uint64_t began_usec; /* since the epoch */

        pthread_mutex_t lock; /* for the rest, and for all jobs */
        pthread_cond_t changed;
        bool stopping; /* atomic, too, for passes */
        Job **jobs;    /* ordered by id; owned */
        size_t n_jobs;
        uint32_t last_id;
        JobStart *starting; /* drains for which the map is being changed */

        IndexSet set;
        Buffer encoded;
        bool is_saving, is_changed;
        bool has_failed; /* to save, the last time */

        uint32_t forgotten[JOBS_ENDED_MAX]; /* that the observer has not been told of */
        size_t n_forgotten;
        Periodic *watch;
        JobsObserver on_change; /* of the main loop */
        void *userdata;

        RepairState repair;

        bool is_planning; /* atomic; see job-plan.h */
        bool has_planner;
        pthread_t planner;
};

/* With the lock held: */
Job *jobs_find(const Jobs *jobs, uint32_t id);
Job *jobs_add(Jobs *jobs); /* NULL without memory */
void jobs_remove(Jobs *jobs, size_t i);
void job_changed(Job *job);
void job_set_state(Job *job, JobState state); /* saves, too */
void jobs_save(Jobs *jobs);
void jobs_wake(Jobs *jobs);

int jobs_load(Jobs *jobs); /* before there are threads */

/* Lost keys are kept apart, since they are many and do not change. NAMES is NULL to forget. */
void job_save_lost(Jobs *jobs, uint32_t id, const Buffer *names);

JobWaiter *job_waiters_free(JobWaiter *waiters);

/* Without the lock. Calls them all, and frees them. */
void job_waiters_tell(JobWaiter *waiters, int result, uint32_t id);

/* With the lock held: whether a drain that goes on, or begins, besides this JOB wants the volume.
 */
bool job_is_wanted_elsewhere(const Job *job, uint32_t number);

/* After the thread has ended: those that begin will not. */
void job_starts_end(Jobs *jobs);

int jobs_start_thread(Jobs *jobs);

/* Does a part of the job: counts, or makes one pass. Of the thread, without the lock. Returns
 * JOB_STEP_DONE, 0, 1 after an interruption, or a negative errno. */
#define JOB_STEP_DONE 2
int job_step(Job *job);
void job_on_moved(const MoveResult *result, void *userdata);
int job_cancel_now(Job *job); /* undoes what its start did */

/* Commits that name a volume are refused if it was removed from the map, or if it is draining and a
 * job that goes on has it barred; that is all there is to it, so what has ended leaves nothing
 * behind. Makes it so; waits for the committer, and must not be called with the lock held. */
int jobs_set_bars(Jobs *jobs);

/* Before there are threads: sets the bars, and has each volume that is draining be drained by a
 * job. */
int jobs_make_up(Jobs *jobs);

void job_plan_end(Jobs *jobs); /* waits for the plan that is being made, if there is one */

/* A sentence for the job's status. */
void job_explain(Job *job, const char *format, ...) _printf_(2, 3);

/* Takes the content of NAMES over. */
void job_set_lost(Job *job, Buffer *names, uint64_t n);

/* Lets others go first for so long. */
void job_wait(Job *job, uint64_t usec);
