/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "master/group/log-writer.h"

#define WRITES_MAX ((size_t) 64) /* that one flush is for */
#define FULL_USEC  (100 * USEC_PER_MSEC)

typedef enum JobType {
        JOB_VOTE,
        JOB_WRITE,
        JOB_COMPACTION,
} JobType;

typedef struct Job {
        JobType type;
        uint64_t term, vote;
        uint64_t index; /* of a compaction */
        ConsensusWrite write;
        size_t size; /* of all this */
        struct Job *next;
        Entry entries[]; /* of the write, with their data behind them */
} Job;

typedef struct Jobs {
        Job *first, **last;
} Jobs;

struct LogWriter {
        EntryLog *log; /* not owned */
        void (*on_progress)(void *userdata);
        void *userdata;
        pthread_t thread;
        bool has_thread;
        atomic_size_t backlog;
        Jobs added; /* owned; of the thread that adds */

        pthread_mutex_t lock;
        pthread_cond_t changed;
        Jobs begun; /* owned; with the lock, as what follows */
        bool is_closed;
        LogProgress progress;
};

static void jobs_init(Jobs *jobs) {
        jobs->first = NULL;
        jobs->last = &jobs->first;
}

static void jobs_move(Jobs *from, Jobs *to) {
        if (!from->first)
                return;
        *to->last = from->first;
        to->last = from->last;
        jobs_init(from);
}

/* Returns the one behind it. */
static Job *free_job(LogWriter *writer, Job *job) {
        Job *next = job->next;

        (void) atomic_fetch_sub(&writer->backlog, job->size);
        free(job);
        return next;
}

static void free_jobs(LogWriter *writer, Job *job) {
        while (job)
                job = free_job(writer, job);
}

/* -- The thread -- */

/* The disk is full, for example: nothing goes on until there is room. */
static bool wait_for_room(LogWriter *writer, int r) {
        bool is_closed;

        if (r != -ENOSPC && r != -ENOMEM && r != -EMFILE && r != -ENFILE)
                return false;
        (void) pthread_mutex_lock(&writer->lock);
        is_closed = writer->is_closed;
        (void) pthread_mutex_unlock(&writer->lock);
        if (is_closed)
                return false;
        (void) usleep(FULL_USEC);
        return true;
}

static void tell(LogWriter *writer, int error, uint64_t votes, const ConsensusWrite *written) {
        (void) pthread_mutex_lock(&writer->lock);
        writer->progress.error = error;
        writer->progress.votes += votes;
        if (written)
                writer->progress.written = *written;
        (void) pthread_mutex_unlock(&writer->lock);
        writer->on_progress(writer->userdata);
}

static int write_vote(LogWriter *writer, const Job *job) {
        int r;

        do
                r = entry_log_vote(writer->log, job->term, job->vote);
        while (r < 0 && wait_for_room(writer, r));
        if (r >= 0)
                tell(writer, 0, 1, NULL);
        return r;
}

/* The writes that come first, at most N. */
static int write_entries(LogWriter *writer, const Job *job, size_t *ret_n) {
        ConsensusWrite writes[WRITES_MAX];
        size_t n = 0;
        int r;

        for (; job && job->type == JOB_WRITE && n < WRITES_MAX; job = job->next)
                writes[n++] = job->write;
        do
                r = entry_log_write(writer->log, writes, n);
        while (r < 0 && wait_for_room(writer, r));
        if (r < 0)
                return r;

        writes[n - 1].entries = NULL;
        tell(writer, 0, 0, writes + n - 1);
        *ret_n = n;
        return 0;
}

/* Frees what it has carried out, and returns what it has not. */
static int carry_out(LogWriter *writer, Job **jobs) {
        while (*jobs) {
                size_t n = 1;
                int r = 0;

                switch ((*jobs)->type) {
                case JOB_VOTE:
                        r = write_vote(writer, *jobs);
                        break;
                case JOB_WRITE:
                        r = write_entries(writer, *jobs, &n);
                        break;
                case JOB_COMPACTION:
                        entry_log_compact(writer->log, (*jobs)->index);
                        break;
                }
                if (r < 0)
                        return r;
                while (n-- > 0)
                        *jobs = free_job(writer, *jobs);
        }
        return 0;
}

/* Returns NULL once it is closed and nothing is left. */
static Job *wait_for_jobs(LogWriter *writer) {
        Jobs jobs;

        jobs_init(&jobs);
        (void) pthread_mutex_lock(&writer->lock);
        while (!writer->begun.first && !writer->is_closed)
                (void) pthread_cond_wait(&writer->changed, &writer->lock);
        jobs_move(&writer->begun, &jobs);
        (void) pthread_mutex_unlock(&writer->lock);
        return jobs.first;
}

static void *run(void *userdata) {
        LogWriter *writer = userdata;
        Job *jobs;
        int r = 0;

        while (r >= 0 && (jobs = wait_for_jobs(writer))) {
                r = carry_out(writer, &jobs);
                free_jobs(writer, jobs);
        }
        if (r < 0)
                tell(writer, r, 0, NULL);
        return NULL;
}

/* -- The whole -- */

int log_writer_new(
                EntryLog *log,
                void (*on_progress)(void *userdata),
                void *userdata,
                LogWriter **ret) {
        _cleanup_(log_writer_freep) LogWriter *writer = malloc(sizeof(*writer));
        int r;

        if (!writer)
                return -ENOMEM;

        *writer = (LogWriter){ .log = log, .on_progress = on_progress, .userdata = userdata };
        jobs_init(&writer->added);
        jobs_init(&writer->begun);
        (void) pthread_mutex_init(&writer->lock, NULL);
        (void) pthread_cond_init(&writer->changed, NULL);
        r = -pthread_create(&writer->thread, NULL, run, writer);
        if (r < 0)
                return r;

        writer->has_thread = true;
        *ret = TAKE_PTR(writer);
        return 0;
}

LogWriter *log_writer_free(LogWriter *writer) {
        if (!writer)
                return NULL;

        (void) pthread_mutex_lock(&writer->lock);
        writer->is_closed = true;
        (void) pthread_cond_signal(&writer->changed);
        (void) pthread_mutex_unlock(&writer->lock);
        if (writer->has_thread)
                (void) pthread_join(writer->thread, NULL);
        free_jobs(writer, writer->added.first);
        free_jobs(writer, writer->begun.first);
        (void) pthread_cond_destroy(&writer->changed);
        (void) pthread_mutex_destroy(&writer->lock);
        free(writer);
        return NULL;
}

static int add(LogWriter *writer, const Job *template, size_t size, Job **ret) {
        Job *job = malloc(size);

        if (!job)
                return -ENOMEM;

        *job = *template;
        job->size = size;
        job->next = NULL;
        (void) atomic_fetch_add(&writer->backlog, size);
        *writer->added.last = job;
        writer->added.last = &job->next;
        *ret = job;
        return 0;
}

int log_writer_vote(LogWriter *writer, uint64_t term, uint64_t vote) {
        Job *job;

        return add(writer, &(Job){ .type = JOB_VOTE, .term = term, .vote = vote }, sizeof(*job),
                   &job);
}

int log_writer_compact(LogWriter *writer, uint64_t index) {
        Job *job;

        return add(writer, &(Job){ .type = JOB_COMPACTION, .index = index }, sizeof(*job), &job);
}

int log_writer_write(LogWriter *writer, const ConsensusWrite *write) {
        size_t n = write->last + 1 - write->first, size = sizeof(Job) + n * sizeof(Entry);
        uint8_t *data;
        Job *job;
        int r;

        for (size_t i = 0; i < n; i++)
                size += write->entries[i].size;
        r = add(writer, &(Job){ .type = JOB_WRITE, .write = *write }, size, &job);
        if (r < 0)
                return r;

        job->write.entries = job->entries;
        data = (uint8_t *) (job->entries + n);
        for (size_t i = 0; i < n; i++) {
                job->entries[i] = write->entries[i];
                job->entries[i].data = data;
                if (write->entries[i].size > 0)
                        memcpy(data, write->entries[i].data, write->entries[i].size);
                data += write->entries[i].size;
        }
        return 0;
}

void log_writer_begin(LogWriter *writer) {
        if (!writer->added.first)
                return;

        (void) pthread_mutex_lock(&writer->lock);
        jobs_move(&writer->added, &writer->begun);
        (void) pthread_cond_signal(&writer->changed);
        (void) pthread_mutex_unlock(&writer->lock);
}

void log_writer_progress(LogWriter *writer, LogProgress *ret) {
        (void) pthread_mutex_lock(&writer->lock);
        *ret = writer->progress;
        (void) pthread_mutex_unlock(&writer->lock);
}

size_t log_writer_backlog(const LogWriter *writer) {
        return atomic_load(&writer->backlog);
}
