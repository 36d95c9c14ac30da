/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/event-ids.h"
#include "base/log.h"
#include "master/queue/table.h"

JobWaiter *job_waiters_free(JobWaiter *waiters) {
        while (waiters) {
                JobWaiter *waiter = waiters;

                waiters = waiter->next;
                free(waiter);
        }
        return NULL;
}

void job_waiters_tell(JobWaiter *waiters, int result, uint32_t number) {
        for (JobWaiter *waiter = waiters; waiter; waiter = waiter->next)
                waiter->done(result, number, waiter->epoch, waiter->userdata);
        (void) job_waiters_free(waiters);
}

void job_waiters_add(JobWaiter **list, JobWaiter *waiter) {
        while (*list)
                list = &(*list)->next;
        *list = waiter;
}

static Job *job_free(Job *job) {
        if (!job)
                return NULL;

        (void) job_waiters_free(job->waiters);
        (void) job_waiters_free(job->waiters_saving);
        buffer_done(&job->lost);
        free(job);
        return NULL;
}

void job_table_init(JobTable *table) {
        pthread_condattr_t attributes;

        *table = (JobTable){};
        (void) pthread_mutex_init(&table->lock, NULL);
        (void) pthread_condattr_init(&attributes);
        (void) pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        (void) pthread_cond_init(&table->changed, &attributes);
        (void) pthread_condattr_destroy(&attributes);
}

void job_table_done(JobTable *table) {
        for (size_t i = 0; i < table->n_jobs; i++) {
                Job *job = table->jobs[i];

                job_waiters_tell(TAKE_PTR(job->waiters_saving), -ESHUTDOWN, 0);
                job_waiters_tell(TAKE_PTR(job->waiters), -ESHUTDOWN, 0);
                (void) job_free(job);
        }
        free(table->jobs);
        (void) pthread_cond_destroy(&table->changed);
        (void) pthread_mutex_destroy(&table->lock);
}

Job *job_table_add(JobTable *table) {
        Job **list = reallocarray(table->jobs, table->n_jobs + 1, sizeof(*list));
        Job *job;

        if (!list)
                return NULL;
        table->jobs = list;
        job = calloc(1, sizeof(*job));
        if (!job)
                return NULL;

        job->table = table;
        table->jobs[table->n_jobs++] = job;
        return job;
}

Job *job_table_begin(JobTable *table, const JobStatus *status, JobWaiter *waiters) {
        Job *job = job_table_add(table);

        if (!job)
                return NULL;

        job->status = *status;
        job->status.id = ++table->last_id;
        job->is_new = true;
        job->waiters = waiters;
        job_table_save(table);
        return job;
}

Job *job_table_find(const JobTable *table, uint32_t id) {
        for (size_t i = 0; i < table->n_jobs; i++)
                if (table->jobs[i]->status.id == id)
                        return table->jobs[i];
        return NULL;
}

int job_table_find_alive(const JobTable *table, uint32_t id, Job **ret) {
        Job *job = job_table_find(table, id);

        if (!job)
                return -ENOENT;
        if (job_state_is_final(job->status.state) || job->wants_cancel)
                return -EBUSY;
        *ret = job;
        return 0;
}

static void save_lost(JobTable *table, uint32_t id, const Buffer *names) {
        if (table->keeper.save_lost)
                table->keeper.save_lost(id, names, table->keeper.userdata);
}

void job_table_save(JobTable *table) {
        if (table->keeper.save)
                table->keeper.save(table->keeper.userdata);
}

void job_table_remove(JobTable *table, size_t i) {
        Job *job = table->jobs[i];

        if (job->is_known && table->n_forgotten < ELEMENTSOF(table->forgotten))
                table->forgotten[table->n_forgotten++] = job->status.id;
        if (job->status.lost_keys > 0)
                save_lost(table, job->status.id, NULL);
        memmove(table->jobs + i, table->jobs + i + 1, (--table->n_jobs - i) * sizeof(*table->jobs));
        (void) job_free(job);
}

static bool may_be_forgotten(const Job *job) {
        return job_state_is_final(job->status.state) && !job->wants_cancel && !job->is_in_hand;
}

/* Forgets the oldest jobs that have ended, once there are too many; but not KEEP, which the caller
 * still looks at and which may have begun long ago. */
static void forget_oldest(JobTable *table, const Job *keep) {
        size_t n_ended = 0;

        for (size_t i = 0; i < table->n_jobs; i++)
                n_ended += job_state_is_final(table->jobs[i]->status.state);

        for (size_t i = 0; n_ended > JOBS_ENDED_MAX && i < table->n_jobs;)
                if (table->jobs[i] != keep && may_be_forgotten(table->jobs[i])) {
                        job_table_remove(table, i);
                        n_ended--;
                } else
                        i++;
}

static void log_end(const JobStatus *status) {
        char field[sizeof("DKV_JOB=") + 10];

        (void) snprintf(field, sizeof(field), "DKV_JOB=%" PRIu32, status->id);
        log_event(status->state == JOB_FAILED ? LOG_ERR : LOG_NOTICE, EVENT_JOB_ENDED,
                  (const char *[]){ field, NULL },
                  "Job %" PRIu32 " (%s) is %s: %" PRIu64 " keys, %" PRIu64 " bytes moved.%s%s",
                  status->id, job_type_to_string(status->type), job_state_to_string(status->state),
                  status->keys_done, status->bytes_done, *status->error ? " " : "", status->error);
}

void job_changed(Job *job) {
        job->n_changes++;
}

void job_set_state(Job *job, JobState state) {
        JobStatus *status = &job->status;

        if (state == status->state)
                return;

        status->state = state;
        status->bytes_per_second = 0;
        if (state == JOB_RUNNING && status->started_usec == 0)
                status->started_usec = clock_realtime();
        if (job_state_is_final(state)) {
                status->ended_usec = clock_realtime();
                log_end(status);
        }
        job_changed(job);
        forget_oldest(job->table, job);
        job_table_save(job->table);
}

void job_explain(Job *job, const char *format, ...) {
        va_list arguments;

        (void) pthread_mutex_lock(&job->table->lock);
        va_start(arguments, format);
        (void) vsnprintf(job->status.error, sizeof(job->status.error), format, arguments);
        va_end(arguments);
        job_changed(job);
        (void) pthread_mutex_unlock(&job->table->lock);
}

void job_wait(Job *job, uint64_t usec) {
        (void) pthread_mutex_lock(&job->table->lock);
        if (!job->wants_cancel)
                job->not_before_usec = clock_monotonic() + usec;
        (void) pthread_mutex_unlock(&job->table->lock);
}

void job_set_lost(Job *job, Buffer *names, uint64_t n) {
        (void) pthread_mutex_lock(&job->table->lock);
        buffer_done(&job->lost);
        job->lost = *names;
        *names = (Buffer){};
        job->status.lost_keys = n;
        job_changed(job);
        save_lost(job->table, job->status.id, &job->lost);
        (void) pthread_mutex_unlock(&job->table->lock);
}

void job_table_set_observer(JobTable *table, JobsObserver on_change, void *userdata) {
        (void) pthread_mutex_lock(&table->lock);
        table->on_change = on_change;
        table->userdata = userdata;
        table->n_forgotten = 0;
        for (size_t i = 0; i < table->n_jobs; i++)
                table->jobs[i]->is_known = false;
        (void) pthread_mutex_unlock(&table->lock);
}

typedef struct Notice {
        uint32_t id;
        JobChange change;
} Notice;

/* With the lock held: the next thing that the observer does not know. */
static bool find_notice(JobTable *table, Notice *ret) {
        if (table->n_forgotten > 0) {
                *ret = (Notice){ table->forgotten[--table->n_forgotten], JOB_FORGOTTEN };
                return true;
        }
        for (size_t i = 0; i < table->n_jobs; i++) {
                Job *job = table->jobs[i];

                if (job->is_new || (job->is_known && job->n_changes == job->n_changes_told))
                        continue;
                *ret = (Notice){ job->status.id, job->is_known ? JOB_CHANGED : JOB_NEW };
                job->is_known = true;
                job->n_changes_told = job->n_changes;
                return true;
        }
        return false;
}

void job_table_tell_observer(JobTable *table) {
        Notice notice;
        bool found;

        while (table->on_change) {
                (void) pthread_mutex_lock(&table->lock);
                found = find_notice(table, &notice);
                (void) pthread_mutex_unlock(&table->lock);
                if (!found)
                        return;
                table->on_change(notice.id, notice.change, table->userdata);
        }
}
