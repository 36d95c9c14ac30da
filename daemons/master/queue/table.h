/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Table of jobs: all that are known, ordered by id, and what may be done with one of them.
 *
 * One lock guards the table and all of its jobs; each function says whether its caller holds it.
 * The keeper of the table (store.h) and its observer are told by callbacks. */

#include <pthread.h>

#include "base/buffer.h"
#include "core/key.h"
#include "master/queue/status.h"

#define JOBS_ENDED_MAX 100  /* jobs that have ended and are remembered */
#define JOB_LOST_MAX   1000 /* lost keys that are remembered by name */

typedef struct Job Job;
typedef struct JobTable JobTable;

/* RESULT 0: the job NUMBER is durable. Else the job was refused; NUMBER is then the volume that is
 * the reason, 0 for all or none. EPOCH is that of the map. Thread: committer; it must not block. */
typedef void (*JobDone)(int result, uint32_t number, uint64_t epoch, void *userdata);

/* Somebody who has asked for a job, and is told once it is durable. */
typedef struct JobWaiter {
        JobDone done;
        void *userdata;
        uint64_t epoch;
        struct JobWaiter *next;
} JobWaiter;

/* Frees them without telling them. Returns NULL. */
JobWaiter *job_waiters_free(JobWaiter *waiters);

/* Calls all of them, and frees them. Without the lock. */
void job_waiters_tell(JobWaiter *waiters, int result, uint32_t number);

/* Appends WAITER, which is taken over. */
void job_waiters_add(JobWaiter **list, JobWaiter *waiter);

/* How far the passes of a job have come; kept with it. */
typedef struct JobProgress {
        bool is_counted;          /* the totals are known */
        bool is_resumed;          /* by a start of the daemon: what was done last was not saved */
        uint32_t urgency;         /* of the current pass, see pass.h */
        uint32_t n_passes;        /* that had something to move */
        char cursor[KEY_MAX + 1]; /* the current pass has come to this key */
} JobProgress;

struct Job {
        JobTable *table; /* not owned */
        JobStatus status;
        JobProgress progress;
        Buffer lost; /* names of lost keys, each with its NUL */
        bool wants_cancel;
        bool is_new;              /* not durable yet */
        bool is_in_hand;          /* a thread of the queue looks at it: it stays where it is */
        bool is_joined;           /* a request has joined it since its pass began */
        bool is_fenced;           /* no commit may name its volumes any more, see fences.h */
        uint64_t not_before_usec; /* monotonic; it waits until then */

        JobWaiter *waiters;        /* for the next save; owned */
        JobWaiter *waiters_saving; /* for the save that is under way; owned */
        bool is_saving;            /* it is part of that save */

        /* For the observer. */
        bool is_known;
        unsigned n_changes, n_changes_told;
};

/* How the table is kept. Both are called with the lock held and must not block. */
typedef struct JobTableKeeper {
        void (*save)(void *userdata); /* the table has changed in what is kept */
        void (*save_lost)(uint32_t id, const Buffer *names, void *userdata); /* NULL to forget */
        void *userdata;
} JobTableKeeper;

/* What the observer is told, on the main loop. */
typedef enum JobChange { JOB_NEW, JOB_CHANGED, JOB_FORGOTTEN } JobChange;
typedef void (*JobsObserver)(uint32_t id, JobChange change, void *userdata);

struct JobTable {
        pthread_mutex_t lock;   /* for the rest, and for all jobs */
        pthread_cond_t changed; /* a job may have become ready to go on */
        Job **jobs;             /* ordered by id; owned */
        size_t n_jobs;
        uint32_t last_id;
        JobTableKeeper keeper;

        uint32_t forgotten[JOBS_ENDED_MAX]; /* that the observer has not been told of */
        size_t n_forgotten;
        JobsObserver on_change;
        void *userdata;
};

void job_table_init(JobTable *table);

/* Tells all who wait -ESHUTDOWN, and frees the jobs. No thread uses the table any more. */
void job_table_done(JobTable *table);

/* With the lock held. Adds a job, zeroed; NULL without memory. */
Job *job_table_add(JobTable *table);

/* With the lock held. Adds a queued job as STATUS describes it, under the next id, and saves.
 * WAITERS, which may be NULL, are told when it is durable; taken over on success. Returns NULL
 * without memory. */
Job *job_table_begin(JobTable *table, const JobStatus *status, JobWaiter *waiters);

/* With the lock held. Forgets the I-th job and frees it. */
void job_table_remove(JobTable *table, size_t i);

/* With the lock held. NULL if there is none. */
Job *job_table_find(const JobTable *table, uint32_t id);

/* With the lock held. Finds a job that goes on. Returns 0, -ENOENT, or -EBUSY if it has ended or is
 * being cancelled. */
int job_table_find_alive(const JobTable *table, uint32_t id, Job **ret);

/* With the lock held. */
void job_table_save(JobTable *table);

/* With the lock held. The observer will hear of the job. */
void job_changed(Job *job);

/* With the lock held. Notes and logs what goes with the state, and saves; may forget jobs that
 * ended long ago, but not this one. */
void job_set_state(Job *job, JobState state);

/* Without the lock. A sentence for the job's status. */
void job_explain(Job *job, const char *format, ...) _printf_(2, 3);

/* Without the lock. Lets other jobs go first for this long. Has no effect on a job that somebody
 * has cancelled meanwhile, and whose cancel must not wait. */
void job_wait(Job *job, uint64_t usec);

/* Without the lock. Notes N lost keys and takes over the content of NAMES, which has the first
 * JOB_LOST_MAX of them, each with its NUL. */
void job_set_lost(Job *job, Buffer *names, uint64_t n);

/* Without the lock. There is one observer at most; NULL for none. A new one is told of all jobs as
 * new. */
void job_table_set_observer(JobTable *table, JobsObserver on_change, void *userdata);

/* Without the lock. Tells the observer what has changed since it was told last. */
void job_table_tell_observer(JobTable *table);
