/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What jobs work on: an index in a scratch directory, a map with five volumes, and a server that
 * stands in for all of them and does at once what it is told. No thread runs the jobs: a test takes
 * the steps itself. Include after "test.h". */

#include <stdatomic.h>

#include "http/http.h"
#include "master/cluster/volume-settings.h"
#include "master/job/drain.h"
#include "master/job/fences.h"
#include "master/job/rebalance.h"
#include "master/job/repair.h"
#include "master/queue/store.h"
#include "rpc/rpc-service.h"
#include "rpc/secret.h"
#include "scratch.h"
#include "store/index/damage.h"

#define N_VOLUMES  5
#define TICKET_SEC 30

typedef struct JobFixture {
        char *directory;
        sd_event *event;
        Troubles *troubles;
        Index *index;
        Volumes *volumes;
        Outbox *outbox;
        _Atomic uint64_t grace_usec, ticket_usec;

        JobTable table;
        JobStore *store;
        JobQueue *queue;
        JobStarts *starts;
        Passes *passes;
        Drain *drain;
        Repair *repair;

        /* The volumes' side. */
        Fixture http;
        Secret *secret;
        Loops *loops;
        Peers *peers;
        RpcService *calls;
        atomic_int pull_error, look_error; /* that they answer for each copy */
        atomic_uint n_pulled, n_looked;    /* copies */
        atomic_bool has_clients;
} JobFixture;

int job_setup(void **state);
int job_teardown(void **state);
#define JOB_TEST(test) cmocka_unit_test_setup_teardown(test, job_setup, job_teardown)

/* The end of the master, and its start. */
void open_all(JobFixture *fixture);
void close_all(JobFixture *fixture);
void reopen(JobFixture *fixture);

/* Volumes report with so much free space, or with plenty. The first report makes one active. */
void report_free(JobFixture *fixture, uint32_t number, uint64_t disk_free);
void report(JobFixture *fixture, uint32_t number);
void report_all(JobFixture *fixture);

/* From now on the volume is down, and the others are up. */
void let_down(JobFixture *fixture, uint32_t down);

/* Moves the clocks on. */
void pass_time(uint64_t seconds);
void pass_time_of_day(uint64_t seconds);

/* A request for a job, until it is told. */
typedef struct Start {
        sem_t done;
        int result;
        uint32_t id;
        uint64_t epoch;
} Start;

void on_started(int result, uint32_t id, uint64_t epoch, void *userdata);
int begin(JobFixture *fixture, const JobRequest *request, Start *start);

/* These wait. They return the id of the job, or a negative errno. */
int end(Start *start);
int start_job(JobFixture *fixture, const JobRequest *request);
int start_rebalance(JobFixture *fixture);
int start_drain(JobFixture *fixture, uint32_t a, uint32_t b); /* of A, and of B unless it is 0 */

JobRequest drain_of(const uint32_t numbers[], size_t n);

/* There must be one. */
Job *job_of(JobFixture *fixture, int id);

/* What the queue would do: set a state; run a job for one step, or until it is done, has failed or
 * has to wait; undo what its start did. */
void set_state(JobFixture *fixture, int id, JobState state);
int step(JobFixture *fixture, int id);
int work(JobFixture *fixture, int id);
int cancel(JobFixture *fixture, int id);

/* Writes a key with copies on A, and on B unless it is 0. Returns the version, or 0 if the commit
 * was refused. */
uint64_t write_copies(JobFixture *fixture, const char *key, uint32_t a, uint32_t b, uint64_t size);
uint64_t write_key(JobFixture *fixture, const char *key, uint32_t volume);

/* Writes "key/0" to "key/N-1", all on one volume. */
void write_keys(JobFixture *fixture, unsigned n, uint32_t volume);

/* Without its strings. */
Record record_of(JobFixture *fixture, const char *key);

/* How many copies of current values are on the volume. */
unsigned count_copies(JobFixture *fixture, uint32_t volume);

/* Marks a copy as damaged. */
void mark_copy(JobFixture *fixture, const char *key, uint64_t version, uint32_t volume);

/* Moves a copy in the index; what is dropped may be deleted at DUE_USEC. */
void move_copy(JobFixture *fixture,
               const char *key,
               uint64_t version,
               uint32_t add,
               uint32_t drop,
               uint64_t due_usec);

VolumeState state_of(JobFixture *fixture, uint32_t number);

/* A change of the map that no job knows of. */
typedef int MapChangeFunction(
                Volumes *volumes, const uint32_t numbers[], size_t n, VolumesChange *change);
void change_map(JobFixture *fixture,
                MapChangeFunction *function,
                const uint32_t numbers[],
                size_t n);
