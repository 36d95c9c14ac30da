/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The form of the jobs in the index: all in one blob, and the names of lost keys in one for each.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "master/job/table.h"
#include "master/master.h"

#define STATE_NAME     "jobs"
#define LOST_NAME      "job-lost/%" PRIu32
#define LOST_NAME_SIZE sizeof("job-lost/4294967295")
#define FORMAT_JOBS    0x71

enum {
        MARK_ACCEPT_LOSS = 1 << 0,
        MARK_COUNTED = 1 << 1,
        MARK_CANCEL = 1 << 2,
};

static void put_job(Buffer *buffer, const Job *job) {
        const JobStatus *status = &job->status;

        buffer_put_u32(buffer, status->id);
        buffer_put_u8(buffer, (uint8_t) status->type);
        buffer_put_u8(buffer, (uint8_t) status->state);
        buffer_put_u8(buffer, (uint8_t) ((status->accept_loss ? MARK_ACCEPT_LOSS : 0) |
                                         (job->is_counted ? MARK_COUNTED : 0) |
                                         (job->wants_cancel ? MARK_CANCEL : 0)));
        buffer_put_varint(buffer, status->n_numbers);
        for (size_t i = 0; i < status->n_numbers; i++)
                buffer_put_u32(buffer, status->numbers[i]);
        buffer_put_u64(buffer, status->limits.rate);
        buffer_put_u32(buffer, status->limits.parallel);
        buffer_put_u32(buffer, status->started_by);
        buffer_put_u64(buffer, status->started_usec);
        buffer_put_u64(buffer, status->ended_usec);
        buffer_put_u64(buffer, status->keys_total);
        buffer_put_u64(buffer, status->keys_done);
        buffer_put_u64(buffer, status->bytes_total);
        buffer_put_u64(buffer, status->bytes_done);
        buffer_put_u64(buffer, status->skipped);
        buffer_put_u64(buffer, status->lost_keys);
        buffer_put_string(buffer, status->error);
        buffer_put_u32(buffer, job->urgency);
        buffer_put_u32(buffer, job->n_passes);
        buffer_put_string(buffer, job->cursor);
}

static void get_string(Reader *reader, char *ret, size_t size) {
        size_t n;
        const void *data = reader_get_bytes(reader, &n);

        if (!data)
                return;
        if (n >= size) {
                reader->error = -EBADMSG;
                return;
        }
        memcpy(ret, data, n);
        ret[n] = '\0';
}

static int get_job(Reader *reader, Job *job) {
        JobStatus *status = &job->status;
        uint8_t type, state, marks;
        uint64_t n;

        status->id = reader_get_u32(reader);
        type = reader_get_u8(reader);
        state = reader_get_u8(reader);
        marks = reader_get_u8(reader);
        n = reader_get_varint(reader);
        if (type >= _JOB_TYPE_MAX || state >= _JOB_STATE_MAX || n > JOB_VOLUMES_MAX)
                return -EBADMSG;

        status->type = type;
        status->state = state;
        status->accept_loss = marks & MARK_ACCEPT_LOSS;
        job->is_counted = job->is_resumed = marks & MARK_COUNTED;
        job->wants_cancel = marks & MARK_CANCEL;
        status->n_numbers = n;
        for (size_t i = 0; i < n; i++)
                status->numbers[i] = reader_get_u32(reader);
        status->limits.rate = reader_get_u64(reader);
        status->limits.parallel = reader_get_u32(reader);
        status->started_by = reader_get_u32(reader);
        status->started_usec = reader_get_u64(reader);
        status->ended_usec = reader_get_u64(reader);
        status->keys_total = reader_get_u64(reader);
        status->keys_done = reader_get_u64(reader);
        status->bytes_total = reader_get_u64(reader);
        status->bytes_done = reader_get_u64(reader);
        status->skipped = reader_get_u64(reader);
        status->lost_keys = reader_get_u64(reader);
        get_string(reader, status->error, sizeof(status->error));
        job->urgency = reader_get_u32(reader);
        job->n_passes = reader_get_u32(reader);
        get_string(reader, job->cursor, sizeof(job->cursor));
        return reader_error(reader);
}

static int load_lost(Jobs *jobs, Job *job) {
        char name[LOST_NAME_SIZE];
        int r;

        if (job->status.lost_keys == 0)
                return 0;

        (void) snprintf(name, sizeof(name), LOST_NAME, job->status.id);
        r = index_get_state(jobs->master->index, name, &job->lost);
        return r == -ENOENT ? 0 : r;
}

int jobs_load(Jobs *jobs) {
        _cleanup_(buffer_done) Buffer encoded = {};
        Reader reader;
        uint64_t n;
        int r;

        r = index_get_state(jobs->master->index, STATE_NAME, &encoded);
        if (r < 0)
                return r == -ENOENT ? 0 : r;

        reader = READER(encoded.data, encoded.size);
        if (reader_get_u8(&reader) != FORMAT_JOBS)
                return -EPROTONOSUPPORT;
        jobs->last_id = reader_get_u32(&reader);
        n = reader_get_varint(&reader);
        for (uint64_t i = 0; i < n && reader_error(&reader) == 0; i++) {
                Job *job = jobs_add(jobs);

                if (!job)
                        return -ENOMEM;
                r = get_job(&reader, job);
                if (r >= 0)
                        r = load_lost(jobs, job);
                if (r < 0)
                        return r;
        }
        return reader_end(&reader);
}

/* Those who wait to hear that a job is durable. */
typedef struct Told {
        JobWaiter *waiters;
        uint32_t id;
} Told;

/* With the lock held: finds those whose job is durable now, or will not be. NULL without memory:
 * they wait for the next save. */
static Told *take_told(Jobs *jobs, int result, size_t *ret_n) {
        Told *told = calloc(2 * jobs->n_jobs + 1, sizeof(*told));

        *ret_n = 0;
        for (size_t i = jobs->n_jobs; told && i-- > 0;) {
                Job *job = jobs->jobs[i];
                bool is_lost = job->is_new && result < 0;

                if (!job->is_saving)
                        continue;
                told[(*ret_n)++] = (Told){ TAKE_PTR(job->waiters_saving), job->status.id };
                job->is_saving = job->is_new = false;
                if (!is_lost)
                        continue;
                if (job->waiters) /* who has joined it just now */
                        told[(*ret_n)++] = (Told){ TAKE_PTR(job->waiters), job->status.id };
                jobs_remove(jobs, i);
        }
        return told;
}

static void on_saved(Operation *operation, int result) {
        Jobs *jobs = CONTAINER_OF(operation, Jobs, set.operation);
        _cleanup_free_ Told *told = NULL;
        size_t n;

        result = MIN(result, 0);
        if (result < 0 && !jobs->has_failed)
                (void) log_warning_errno(
                                result,
                                "Failed to save the jobs, trying again with the next change: %m");

        (void) pthread_mutex_lock(&jobs->lock);
        jobs->has_failed = result < 0;
        jobs->is_saving = false;
        told = take_told(jobs, result, &n);
        if (jobs->is_changed)
                jobs_save(jobs);
        (void) pthread_cond_broadcast(&jobs->changed);
        (void) pthread_mutex_unlock(&jobs->lock);

        for (size_t i = 0; i < n; i++)
                job_waiters_tell(told[i].waiters, result, told[i].id);
}

/* Those who wait for the next save wait for this one. Some may still wait for one before. */
static void take_waiters(Job *job) {
        JobWaiter **end = &job->waiters_saving;

        while (*end)
                end = &(*end)->next;
        *end = TAKE_PTR(job->waiters);
        job->is_saving = true;
}

void jobs_save(Jobs *jobs) {
        Buffer *buffer = &jobs->encoded;

        jobs->is_changed = jobs->is_saving;
        if (jobs->is_saving)
                return;

        buffer_clear(buffer);
        buffer_put_u8(buffer, FORMAT_JOBS);
        buffer_put_u32(buffer, jobs->last_id);
        buffer_put_varint(buffer, jobs->n_jobs);
        for (size_t i = 0; i < jobs->n_jobs; i++)
                put_job(buffer, jobs->jobs[i]);
        if (buffer_error(buffer) < 0)
                return; /* the next time there may be memory */

        jobs->is_saving = true;
        for (size_t i = 0; i < jobs->n_jobs; i++)
                take_waiters(jobs->jobs[i]);
        jobs->set = (IndexSet){
                .operation.done = on_saved,
                .name = STATE_NAME,
                .data = buffer->data,
                .size = buffer->size,
        };
        index_set(jobs->master->index, &jobs->set);
}

typedef struct LostSet {
        IndexSet set;
        char name[LOST_NAME_SIZE];
        uint8_t data[];
} LostSet;

static void on_lost_saved(Operation *operation, int result) {
        if (result < 0)
                (void) log_warning_errno(result, "Failed to save the names of lost keys: %m");
        free(CONTAINER_OF(operation, LostSet, set.operation));
}

void job_save_lost(Jobs *jobs, uint32_t id, const Buffer *names) {
        size_t size = names ? names->size : 0;
        LostSet *lost = malloc(sizeof(*lost) + size);

        if (!lost) {
                (void) log_warning_errno(-ENOMEM, "Failed to save the names of lost keys: %m");
                return;
        }

        (void) snprintf(lost->name, sizeof(lost->name), LOST_NAME, id);
        if (size > 0)
                memcpy(lost->data, names->data, size);
        lost->set = (IndexSet){
                .operation.done = on_lost_saved,
                .name = lost->name,
                .data = names ? lost->data : NULL,
                .size = size,
        };
        index_set(jobs->master->index, &lost->set);
}
