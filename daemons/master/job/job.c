/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "base/periodic.h"
#include "master/job/drain.h"
#include "master/job/fences.h"
#include "master/job/job.h"
#include "master/job/rebalance.h"
#include "master/job/repair.h"
#include "master/queue/store.h"

#define WATCH_USEC (USEC_PER_SEC / 4)

struct Jobs {
        JobTable table;
        JobStore *store;
        JobQueue *queue;
        JobStarts *starts;
        Passes *passes;
        Drain *drain;
        Repair *repair;
        Previewer *previewer;
        Periodic *watch;
};

int job_pause(Jobs *jobs, uint32_t id) {
        return job_queue_pause(jobs->queue, id);
}

int job_resume(Jobs *jobs, uint32_t id) {
        return job_queue_resume(jobs->queue, id);
}

int job_cancel(Jobs *jobs, uint32_t id) {
        return job_starts_cancel(jobs->starts, id);
}

int job_set_limits(Jobs *jobs, uint32_t id, const JobLimits *limits) {
        return job_queue_set_limits(jobs->queue, id, limits);
}

int job_get(Jobs *jobs, uint32_t id, JobStatus *ret) {
        const Job *job;

        (void) pthread_mutex_lock(&jobs->table.lock);
        job = job_table_find(&jobs->table, id);
        if (job)
                *ret = job->status;
        (void) pthread_mutex_unlock(&jobs->table.lock);
        return job ? 0 : -ENOENT;
}

int jobs_list(Jobs *jobs, JobStatus **ret, size_t *ret_n) {
        const JobTable *table = &jobs->table;
        JobStatus *list;

        (void) pthread_mutex_lock(&jobs->table.lock);
        list = calloc(table->n_jobs + 1, sizeof(*list));
        for (size_t i = 0; list && i < table->n_jobs; i++)
                list[i] = table->jobs[i]->status;
        if (list) {
                *ret = list;
                *ret_n = table->n_jobs;
        }
        (void) pthread_mutex_unlock(&jobs->table.lock);
        return list ? 0 : -ENOMEM;
}

int job_lost_keys(
                Jobs *jobs,
                uint32_t id,
                int (*on_key)(const char *key, void *userdata),
                void *userdata) {
        const Job *job;
        int r = 0;

        (void) pthread_mutex_lock(&jobs->table.lock);
        job = job_table_find(&jobs->table, id);
        for (size_t i = 0; job && r == 0 && i < job->lost.size;
             i += strlen((const char *) job->lost.data + i) + 1)
                r = on_key((const char *) job->lost.data + i, userdata);
        (void) pthread_mutex_unlock(&jobs->table.lock);
        return job ? r : -ENOENT;
}

int job_start(Jobs *jobs,
              const JobRequest *request,
              JobDone done,
              void *userdata,
              uint32_t *reterr_number) {
        return job_starts_begin(jobs->starts, request, done, userdata, reterr_number);
}

int job_preview(Jobs *jobs,
                const PreviewRequest *request,
                PreviewDone done,
                void *userdata,
                uint32_t *reterr_number) {
        return previewer_begin(jobs->previewer, request, done, userdata, reterr_number);
}

void jobs_set_observer(Jobs *jobs, JobsObserver on_change, void *userdata) {
        job_table_set_observer(&jobs->table, on_change, userdata);
        job_table_tell_observer(&jobs->table);
}

static void on_watch(void *userdata) {
        Jobs *jobs = userdata;

        repair_watch(jobs->repair);
        job_table_tell_observer(&jobs->table);
}

static int load(Jobs *jobs, const JobsOptions *options) {
        int r;

        r = job_store_new(options->index, &jobs->table, &jobs->store);
        return r < 0 ? r : fences_make_up(options->index, options->volumes, &jobs->table);
}

static int make_passes(Jobs *jobs, const JobsOptions *options) {
        MoverOptions mover = {
                .index = options->index,
                .volumes = options->volumes,
                .outbox = options->outbox,
                .peers = options->peers,
                .grace_usec = options->grace_usec,
                .has_clients = options->has_clients,
                .userdata = options->userdata,
        };
        int r;

        r = job_queue_new(&jobs->table, options->lead, &jobs->queue);
        if (r >= 0)
                r = job_starts_new(jobs->queue, options->volumes, &jobs->starts);
        if (r >= 0)
                r = passes_new(jobs->queue, &mover, &jobs->passes);
        return r;
}

static int make_kinds(Jobs *jobs, const JobsOptions *options) {
        DrainOptions drain = {
                .passes = jobs->passes,
                .starts = jobs->starts,
                .ticket_usec = options->ticket_usec,
        };
        RepairOptions repair = {
                .queue = jobs->queue,
                .passes = jobs->passes,
                .peers = options->peers,
                .troubles = options->troubles,
        };
        JobKind kind;
        int r;

        r = drain_new(&drain, &jobs->drain);
        if (r >= 0)
                r = repair_new(&repair, &jobs->repair);
        if (r < 0)
                return r;

        kind = rebalance_kind(jobs->passes);
        job_queue_add_kind(jobs->queue, &kind);
        kind = drain_kind(jobs->drain);
        job_queue_add_kind(jobs->queue, &kind);
        kind = repair_kind(jobs->repair);
        job_queue_add_kind(jobs->queue, &kind);
        return 0;
}

static int start(Jobs *jobs, const JobsOptions *options) {
        int r;

        r = load(jobs, options);
        if (r >= 0)
                r = make_passes(jobs, options);
        if (r >= 0)
                r = make_kinds(jobs, options);
        if (r >= 0)
                r = previewer_new(options->index, options->volumes, &jobs->previewer);
        if (r >= 0)
                r = periodic_new(
                                options->event, WATCH_USEC, WATCH_USEC, on_watch, jobs,
                                &jobs->watch);
        return r < 0 ? r : job_queue_start(jobs->queue);
}

int jobs_new(const JobsOptions *options, Jobs **ret) {
        _cleanup_(jobs_freep) Jobs *jobs = calloc(1, sizeof(*jobs));
        int r;

        if (!jobs)
                return -ENOMEM;

        job_table_init(&jobs->table);
        r = start(jobs, options);
        if (r < 0) {
                jobs_stop(jobs);
                return r;
        }

        *ret = TAKE_PTR(jobs);
        return 0;
}

void jobs_stop(Jobs *jobs) {
        if (!jobs)
                return;

        if (jobs->queue)
                job_queue_stop(jobs->queue);
        if (jobs->previewer)
                previewer_stop(jobs->previewer);
}

/* Those who wait are told while all that they may call is still there. */
Jobs *jobs_free(Jobs *jobs) {
        if (!jobs)
                return NULL;

        (void) periodic_free(jobs->watch);
        (void) previewer_free(jobs->previewer);
        (void) job_starts_free(jobs->starts);
        (void) repair_free(jobs->repair);
        (void) drain_free(jobs->drain);
        (void) passes_free(jobs->passes);
        (void) job_store_free(jobs->store);
        (void) job_queue_free(jobs->queue);
        job_table_done(&jobs->table);
        free(jobs);
        return NULL;
}
