/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "master/queue/store.h"

#define STATE_NAME     "jobs"
#define LOST_NAME      "job-lost/%" PRIu32
#define LOST_NAME_SIZE sizeof("job-lost/4294967295")
#define FORMAT_JOBS    0x71

enum {
        MARK_ACCEPT_LOSS = 1 << 0,
        MARK_COUNTED = 1 << 1,
        MARK_CANCEL = 1 << 2,
};

struct JobStore {
        Index *index;    /* not owned */
        JobTable *table; /* not owned; its lock guards the rest */
        IndexSet set;
        Buffer encoded;
        bool is_saving;
        bool is_changed; /* since the save that is under way began */
        bool has_failed; /* to save, the last time */
};

static void put_job(Buffer *buffer, const Job *job) {
        const JobStatus *status = &job->status;

        buffer_put_u32(buffer, status->id);
        buffer_put_u8(buffer, (uint8_t) status->type);
        buffer_put_u8(buffer, (uint8_t) status->state);
        buffer_put_u8(buffer, (uint8_t) ((status->accept_loss ? MARK_ACCEPT_LOSS : 0) |
                                         (job->progress.is_counted ? MARK_COUNTED : 0) |
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
        buffer_put_u32(buffer, job->progress.urgency);
        buffer_put_u32(buffer, job->progress.n_passes);
        buffer_put_string(buffer, job->progress.cursor);
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
        job->progress.is_counted = job->progress.is_resumed = marks & MARK_COUNTED;
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
        job->progress.urgency = reader_get_u32(reader);
        job->progress.n_passes = reader_get_u32(reader);
        get_string(reader, job->progress.cursor, sizeof(job->progress.cursor));
        return reader_error(reader);
}

static int load_lost(JobStore *store, Job *job) {
        char name[LOST_NAME_SIZE];
        int r;

        if (job->status.lost_keys == 0)
                return 0;

        (void) snprintf(name, sizeof(name), LOST_NAME, job->status.id);
        r = index_get_state(store->index, name, &job->lost);
        return r == -ENOENT ? 0 : r;
}

static int load(JobStore *store) {
        _cleanup_(buffer_done) Buffer encoded = {};
        JobTable *table = store->table;
        Reader reader;
        uint64_t n;
        int r;

        r = index_get_state(store->index, STATE_NAME, &encoded);
        if (r < 0)
                return r == -ENOENT ? 0 : r;

        reader = READER(encoded.data, encoded.size);
        if (reader_get_u8(&reader) != FORMAT_JOBS)
                return -EPROTONOSUPPORT;
        table->last_id = reader_get_u32(&reader);
        n = reader_get_varint(&reader);
        for (uint64_t i = 0; i < n && reader_error(&reader) == 0; i++) {
                Job *job = job_table_add(table);

                if (!job)
                        return -ENOMEM;
                r = get_job(&reader, job);
                if (r >= 0)
                        r = load_lost(store, job);
                if (r < 0)
                        return r;
        }
        return reader_end(&reader);
}

/* Waiters for one job, who are about to be told. */
typedef struct Told {
        JobWaiter *waiters;
        uint32_t id;
} Told;

/* With the lock held. Finds the waiters whose job is durable now, or never will be. If that is
 * unknown, the job stays, since a restart may find it. Returns NULL without memory: then they wait
 * for the next save. */
static Told *take_told(JobTable *table, IndexResult result, size_t *ret_n) {
        Told *told = calloc(2 * table->n_jobs + 1, sizeof(*told));

        *ret_n = 0;
        for (size_t i = table->n_jobs; told && i-- > 0;) {
                Job *job = table->jobs[i];
                bool is_lost = job->is_new && result.error < 0 && result.outcome != INDEX_UNKNOWN;

                if (!job->is_saving)
                        continue;
                told[(*ret_n)++] = (Told){ TAKE_PTR(job->waiters_saving), job->status.id };
                job->is_saving = job->is_new = false;
                if (!is_lost)
                        continue;
                if (job->waiters) /* who have joined it just now */
                        told[(*ret_n)++] = (Told){ TAKE_PTR(job->waiters), job->status.id };
                job_table_remove(table, i);
        }
        return told;
}

static void on_saved(IndexRequest *request, IndexResult result) {
        JobStore *store = CONTAINER_OF(request, JobStore, set.request);
        JobTable *table = store->table;
        _cleanup_free_ Told *told = NULL;
        size_t n;

        if (result.error < 0 && !store->has_failed)
                (void) log_warning_errno(
                                result.error,
                                "Failed to save the jobs, trying again with the next change: %m");

        (void) pthread_mutex_lock(&table->lock);
        store->has_failed = result.error < 0;
        store->is_saving = false;
        told = take_told(table, result, &n);
        if (store->is_changed)
                job_table_save(table);
        (void) pthread_cond_broadcast(&table->changed);
        (void) pthread_mutex_unlock(&table->lock);

        for (size_t i = 0; i < n; i++)
                job_waiters_tell(told[i].waiters, result.error, result.error < 0 ? 0 : told[i].id);
}

/* The waiters for the next save wait for this one. Some may still wait for the one before. */
static void take_waiters(Job *job) {
        job_waiters_add(&job->waiters_saving, TAKE_PTR(job->waiters));
        job->is_saving = true;
}

static void encode(const JobTable *table, Buffer *ret) {
        buffer_clear(ret);
        buffer_put_u8(ret, FORMAT_JOBS);
        buffer_put_u32(ret, table->last_id);
        buffer_put_varint(ret, table->n_jobs);
        for (size_t i = 0; i < table->n_jobs; i++)
                put_job(ret, table->jobs[i]);
}

/* With the lock held. */
static void save(void *userdata) {
        JobStore *store = userdata;
        JobTable *table = store->table;
        Buffer *buffer = &store->encoded;

        store->is_changed = store->is_saving;
        if (store->is_saving)
                return;

        encode(table, buffer);
        if (buffer_error(buffer) < 0)
                return; /* the next time there may be memory */

        store->is_saving = true;
        for (size_t i = 0; i < table->n_jobs; i++)
                take_waiters(table->jobs[i]);
        store->set = (IndexSet){
                .request.done = on_saved,
                .name = STATE_NAME,
                .data = buffer->data,
                .size = buffer->size,
        };
        index_set(store->index, &store->set);
}

typedef struct LostSet {
        IndexSet set;
        char name[LOST_NAME_SIZE];
        uint8_t data[];
} LostSet;

static void on_lost_saved(IndexRequest *request, IndexResult result) {
        if (result.error < 0)
                (void) log_warning_errno(result.error, "Failed to save the names of lost keys: %m");
        free(CONTAINER_OF(request, LostSet, set.request));
}

static void save_lost(uint32_t id, const Buffer *names, void *userdata) {
        JobStore *store = userdata;
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
                .request.done = on_lost_saved,
                .name = lost->name,
                .data = names ? lost->data : NULL,
                .size = size,
        };
        index_set(store->index, &lost->set);
}

int job_store_new(Index *index, JobTable *table, JobStore **ret) {
        _cleanup_(job_store_freep) JobStore *store = malloc(sizeof(*store));
        int r;

        if (!store)
                return -ENOMEM;

        *store = (JobStore){ .index = index, .table = table };
        r = load(store);
        if (r < 0)
                return r;

        table->keeper = (JobTableKeeper){ save, save_lost, store };
        *ret = TAKE_PTR(store);
        return 0;
}

JobStore *job_store_free(JobStore *store) {
        if (!store)
                return NULL;

        store->table->keeper = (JobTableKeeper){};
        buffer_done(&store->encoded);
        free(store);
        return NULL;
}
