/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a master has in its index when its bus begins: values, and jobs of an earlier run. */

#include "master/bus/bus-fixture.h"
#include "master/queue/store.h"

/* What has been submitted to the index is through. */
static inline void settle(Fixture *fixture) {
        IndexSet barrier = { .request.done = scratch_answered, .name = "barrier" };

        index_set(fixture->index, &barrier);
        assert_ok(scratch_wait());
}

/* Jobs of an earlier run, ordered by id; before start_jobs(). The first one has lost keys of these
 * NAMES, each with its NUL, if there are any. */
static inline void
keep_jobs(Fixture *fixture, const JobStatus jobs[], size_t n, const void *names, size_t size) {
        Buffer lost = {};
        JobTable table;
        JobStore *store;

        job_table_init(&table);
        assert_ok(job_store_new(fixture->index, &table, &store));
        (void) pthread_mutex_lock(&table.lock);
        for (size_t i = 0; i < n; i++) {
                Job *job = job_table_add(&table);

                assert_non_null(job);
                job->status = jobs[i];
                table.last_id = jobs[i].id;
        }
        job_table_save(&table);
        (void) pthread_mutex_unlock(&table.lock);
        if (size > 0) {
                buffer_put(&lost, names, size);
                job_set_lost(table.jobs[0], &lost, jobs[0].lost_keys);
        }
        settle(fixture);
        (void) job_store_free(store);
        job_table_done(&table);
}

/* Values of 100 bytes, "key/0" to "key/N-1", all on one volume. */
static inline void write_keys(Fixture *fixture, unsigned n, uint32_t volume) {
        for (unsigned i = 0; i < n; i++) {
                char key[32];
                IndexCommit commit = {
                        .request.done = scratch_answered,
                        .key = key,
                        .record = {
                                .version = index_next_version(fixture->index, VERSION_DIRECT),
                                .size = 100,
                                .content_type = "",
                                .metadata = "",
                                .n_copies = 1,
                                .copies = { volume },
                        },
                };

                (void) snprintf(key, sizeof(key), "key/%u", i);
                index_commit(fixture->index, &commit);
                assert_ok(scratch_wait());
        }
}
