/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <stdio.h>
#include <string.h>

#include "core/call/wire.h"
#include "master/cluster/report.h"
#include "master/job/job-fixture.h"
#include "rpc/gate.h"
#include "rpc/rpc-service.h"
#include "shift.h"
#include "store/index/move.h"

#define SECRET      "0123456789abcdef"
#define TIMEOUT_SEC 60

static void answer_pull(JobFixture *fixture, Reader *reader, Buffer *answer) {
        uint64_t n_confirmed = reader_get_varint(reader);
        WirePull pull;

        while (n_confirmed-- > 0)
                (void) reader_get_u64(reader);
        assert_ok(wire_get_pull(reader, &pull));
        for (size_t i = 0; i < pull.n_items; i++)
                wire_put_error(answer, fixture->pull_error);
        fixture->n_pulled += (unsigned) pull.n_items;
}

static void answer_look(JobFixture *fixture, Reader *reader, Buffer *answer) {
        (void) reader_get_u8(reader);
        for (; reader->size > 0; fixture->n_looked++) {
                (void) reader_get_u64(reader);
                wire_put_error(answer, fixture->look_error);
        }
}

static int pull_finish(RpcRequest *request) {
        const Buffer *body = rpc_request_body(request);
        Reader reader = READER(body->data, body->size);
        Buffer answer = {};

        answer_pull(rpc_request_userdata(request), &reader, &answer);
        return rpc_request_reply(request, NULL, &answer);
}

static int check_finish(RpcRequest *request) {
        const Buffer *body = rpc_request_body(request);
        Reader reader = READER(body->data, body->size);
        Buffer answer = {};

        answer_look(rpc_request_userdata(request), &reader, &answer);
        return rpc_request_reply(request, NULL, &answer);
}

static int store_finish(RpcRequest *request) {
        return rpc_request_reply(request, NULL, NULL);
}

static int admit(
                const Handshake *offer,
                Handshake *answer,
                char ret_sentence[static FRAME_SENTENCE_MAX + 1],
                void *userdata) {
        answer->from = offer->to;
        memcpy(answer->cluster, offer->cluster, sizeof(answer->cluster));
        return 0;
}

static int open_channel(HttpRequest *request) {
        const JobFixture *fixture = http_request_userdata(request);

        return rpc_service_open(fixture->calls, request);
}

static bool job_fixture_has_clients(void *userdata) {
        JobFixture *fixture = userdata;

        return fixture->has_clients;
}

static void settle(JobFixture *fixture) {
        IndexSet barrier = { .request.done = scratch_answered, .name = "barrier" };

        index_set(fixture->index, &barrier);
        assert_ok(scratch_wait());
}

void report_free(JobFixture *fixture, uint32_t number, uint64_t disk_free) {
        static uint64_t sequence;
        char url[64];
        VolumeReport report = {
                .number = number,
                .run = 1,
                .sequence = ++sequence,
                .uuid = { (uint8_t) number },
                .url = url,
                .zone = "",
                .disk_free = disk_free,
                .disk_size = 10 * GIB,
        };

        (void) snprintf(url, sizeof(url), "http://127.0.0.1:%i", fixture->http.port);
        assert_ok(volumes_report(fixture->volumes, &report));
        settle(fixture);
}

void report(JobFixture *fixture, uint32_t number) {
        report_free(fixture, number, 9 * GIB);
}

void report_all(JobFixture *fixture) {
        for (uint32_t number = 1; number <= N_VOLUMES; number++)
                report(fixture, number);
}

void pass_time(uint64_t seconds) {
        shift_clock(seconds);
}

void pass_time_of_day(uint64_t seconds) {
        shift_realtime(seconds);
}

void let_down(JobFixture *fixture, uint32_t down) {
        shift_clock(TIMEOUT_SEC + 1);
        for (uint32_t number = 1; number <= N_VOLUMES; number++)
                if (number != down)
                        report(fixture, number);
}

static void make_kinds(JobFixture *fixture) {
        MoverOptions mover = {
                .index = fixture->index,
                .volumes = fixture->volumes,
                .outbox = fixture->outbox,
                .peers = fixture->peers,
                .grace_usec = &fixture->grace_usec,
                .has_clients = job_fixture_has_clients,
                .userdata = fixture,
        };
        JobKind kind;

        assert_ok(passes_new(fixture->queue, &mover, &fixture->passes));
        assert_ok(drain_new(
                        &(DrainOptions){ fixture->passes, fixture->starts, &fixture->ticket_usec },
                        &fixture->drain));
        assert_ok(
                        repair_new(&(RepairOptions){ fixture->queue, fixture->passes,
                                                     fixture->peers, fixture->troubles },
                                   &fixture->repair));
        kind = rebalance_kind(fixture->passes);
        job_queue_add_kind(fixture->queue, &kind);
        kind = drain_kind(fixture->drain);
        job_queue_add_kind(fixture->queue, &kind);
        kind = repair_kind(fixture->repair);
        job_queue_add_kind(fixture->queue, &kind);
}

void open_all(JobFixture *fixture) {
        IndexOptions options = { .directory = fixture->directory };
        VolumesOptions volumes = {
                .timeout_usec = TIMEOUT_SEC * USEC_PER_SEC,
                .copies = 1,
                .auto_add = true,
        };

        assert_ok(
                        peers_new(&(PeersOptions){ .loops = fixture->loops,
                                                   .secret = fixture->secret,
                                                   .timeout_usec = NO_TIMEOUT },
                                  &fixture->peers));
        assert_ok(index_open(&options, &fixture->index));
        assert_ok(volumes_new(fixture->index, &volumes, &fixture->volumes));
        assert_ok(outbox_new(fixture->peers, fixture->volumes, &fixture->outbox));

        job_table_init(&fixture->table);
        assert_ok(job_store_new(fixture->index, &fixture->table, &fixture->store));
        assert_ok(fences_make_up(fixture->index, fixture->volumes, &fixture->table));
        assert_ok(job_queue_new(&fixture->table, NULL, &fixture->queue));
        assert_ok(job_starts_new(fixture->queue, fixture->volumes, &fixture->starts));
        make_kinds(fixture);
}

void close_all(JobFixture *fixture) {
        job_queue_stop(fixture->queue);
        peers_stop(fixture->peers);
        fixture->index = index_free(fixture->index);
        fixture->outbox = outbox_free(fixture->outbox);
        fixture->volumes = volumes_free(fixture->volumes);

        fixture->starts = job_starts_free(fixture->starts);
        fixture->repair = repair_free(fixture->repair);
        fixture->drain = drain_free(fixture->drain);
        fixture->passes = passes_free(fixture->passes);
        fixture->store = job_store_free(fixture->store);
        fixture->queue = job_queue_free(fixture->queue);
        job_table_done(&fixture->table);
        fixture->peers = peers_free(fixture->peers);
}

void reopen(JobFixture *fixture) {
        close_all(fixture);
        open_all(fixture);
}

int job_setup(void **state) {
        static const HttpRoute routes[] = { RPC_SERVICE_ROUTE(open_channel), {} };
        static const RpcHandler handlers[_CALL_MAX] = {
                [CALL_PULL].finish = pull_finish,
                [CALL_CHECK].finish = check_finish,
                [CALL_STORE].finish = store_finish,
        };
        JobFixture *fixture = calloc(1, sizeof(*fixture));

        fixture->directory = scratch_new();
        fixture->grace_usec = USEC_PER_HOUR;
        fixture->ticket_usec = TICKET_SEC * USEC_PER_SEC;
        assert_ok(secret_new(SECRET, strlen(SECRET), &fixture->secret));
        assert_ok(loops_new(2, &fixture->loops));
        assert_ok(
                        rpc_service_new(&(RpcServiceOptions){ .secret = fixture->secret,
                                                              .handlers = handlers,
                                                              .userdata = fixture,
                                                              .admit = admit },
                                        &fixture->calls));
        fixture_start_with(
                        &fixture->http, (HttpServerOptions){
                                                        .loops = fixture->loops,
                                                        .connections_max = 100,
                                                        .header_max = 8 * KIB,
                                                        .timeout_usec = NO_TIMEOUT,
                                                        .routes = routes,
                                                        .gate = gate_of(fixture->secret),
                                                        .userdata = fixture,
                                        });
        assert_ok(sd_event_new(&fixture->event));
        assert_ok(troubles_new(&fixture->troubles));
        open_all(fixture);
        report_all(fixture);
        *state = fixture;
        return 0;
}

int job_teardown(void **state) {
        JobFixture *fixture = *state;

        close_all(fixture);
        fixture_stop(&fixture->http);
        fixture->loops = loops_free(fixture->loops);
        (void) rpc_service_free(fixture->calls);
        (void) secret_free(fixture->secret);
        (void) troubles_free(fixture->troubles);
        (void) sd_event_unref(fixture->event);
        (void) scratch_free(fixture->directory);
        free(fixture);
        return 0;
}

/* Starting, and what the queue would do. */

void on_started(int result, uint32_t id, uint64_t epoch, void *userdata) {
        Start *start = userdata;

        start->result = result;
        start->id = id;
        start->epoch = epoch;
        assert_ok(sem_post(&start->done));
}

int begin(JobFixture *fixture, const JobRequest *request, Start *start) {
        uint32_t refused;

        *start = (Start){};
        assert_ok(sem_init(&start->done, 0, 0));
        return job_starts_begin(fixture->starts, request, on_started, start, &refused);
}

int end(Start *start) {
        wait_for(&start->done);
        return start->result < 0 ? start->result : (int) start->id;
}

int start_job(JobFixture *fixture, const JobRequest *request) {
        Start start;
        int r;

        r = begin(fixture, request, &start);
        return r < 0 ? r : end(&start);
}

int start_rebalance(JobFixture *fixture) {
        const JobRequest request = { .type = JOB_REBALANCE, .epoch = EPOCH_ANY };

        return start_job(fixture, &request);
}

JobRequest drain_of(const uint32_t numbers[], size_t n) {
        return (JobRequest){
                .type = JOB_DRAIN,
                .numbers = numbers,
                .n_numbers = n,
                .epoch = EPOCH_ANY,
        };
}

int start_drain(JobFixture *fixture, uint32_t a, uint32_t b) {
        const uint32_t numbers[] = { a, b };
        JobRequest request = drain_of(numbers, b > 0 ? 2 : 1);

        return start_job(fixture, &request);
}

Job *job_of(JobFixture *fixture, int id) {
        Job *job;

        (void) pthread_mutex_lock(&fixture->table.lock);
        job = job_table_find(&fixture->table, (uint32_t) id);
        (void) pthread_mutex_unlock(&fixture->table.lock);
        assert_non_null(job);
        return job;
}

void set_state(JobFixture *fixture, int id, JobState state) {
        (void) pthread_mutex_lock(&fixture->table.lock);
        job_set_state(job_table_find(&fixture->table, (uint32_t) id), state);
        (void) pthread_mutex_unlock(&fixture->table.lock);
}

static JobKind kind_of_type(JobFixture *fixture, JobType type) {
        return type == JOB_DRAIN    ? drain_kind(fixture->drain)
               : type == JOB_REPAIR ? repair_kind(fixture->repair)
                                    : rebalance_kind(fixture->passes);
}

int step(JobFixture *fixture, int id) {
        Job *job = job_of(fixture, id);
        JobKind kind = kind_of_type(fixture, job->status.type);

        set_state(fixture, id, JOB_RUNNING);
        return kind.run(job, kind.userdata);
}

static void stop_waiting(JobFixture *fixture, Job *job) {
        (void) pthread_mutex_lock(&fixture->table.lock);
        job->not_before_usec = 0;
        (void) pthread_mutex_unlock(&fixture->table.lock);
}

static bool waits(JobFixture *fixture, const Job *job) {
        bool result;

        (void) pthread_mutex_lock(&fixture->table.lock);
        result = job->not_before_usec > 0;
        (void) pthread_mutex_unlock(&fixture->table.lock);
        return result;
}

int work(JobFixture *fixture, int id) {
        Job *job = job_of(fixture, id);

        for (unsigned i = 0; i < 100; i++) {
                int r;

                stop_waiting(fixture, job);
                r = step(fixture, id);
                if (r != JOB_STEP_AGAIN || waits(fixture, job))
                        return r;
        }
        fail_msg("a job makes passes without end: '%s'", job->status.error);
        return -ELOOP;
}

int cancel(JobFixture *fixture, int id) {
        int r;

        r = job_queue_cancel(fixture->queue, job_of(fixture, id));
        set_state(fixture, id, r < 0 ? JOB_FAILED : JOB_CANCELLED);
        return r;
}

/* Keys and their copies. */

uint64_t write_copies(JobFixture *fixture, const char *key, uint32_t a, uint32_t b, uint64_t size) {
        IndexCommit commit = {
                .request.done = scratch_answered,
                .key = key,
                .record = {
                        .version = index_next_version(fixture->index, VERSION_DIRECT),
                        .size = size,
                        .content_type = "",
                        .metadata = "",
                        .n_copies = b > 0 ? 2 : 1,
                        .copies = { a, b },
                },
        };

        index_commit(fixture->index, &commit);
        return scratch_wait() < 0 ? 0 : commit.record.version;
}

uint64_t write_key(JobFixture *fixture, const char *key, uint32_t volume) {
        return write_copies(fixture, key, volume, 0, 100);
}

void write_keys(JobFixture *fixture, unsigned n, uint32_t volume) {
        for (unsigned i = 0; i < n; i++) {
                char key[32];

                (void) snprintf(key, sizeof(key), "key/%u", i);
                assert_true(write_key(fixture, key, volume) > 0);
        }
}

Record record_of(JobFixture *fixture, const char *key) {
        _cleanup_(buffer_done) Buffer scratch = {};
        Record record;

        assert_ok(index_get(fixture->index, key, &scratch, &record));
        return record; /* without its strings */
}

typedef struct CopyCount {
        uint32_t volume;
        unsigned n;
} CopyCount;

static int count_copy(const char *key, const Record *record, void *userdata) {
        CopyCount *count = userdata;

        for (size_t i = 0; i < record->n_copies; i++)
                count->n += record->copies[i] == count->volume;
        return 0;
}

unsigned count_copies(JobFixture *fixture, uint32_t volume) {
        CopyCount count = { .volume = volume };

        assert_ok(index_scan(fixture->index, "", "", SIZE_MAX, count_copy, &count));
        return count.n;
}

void mark_copy(JobFixture *fixture, const char *key, uint64_t version, uint32_t volume) {
        IndexDamageItem item = {
                .key = key,
                .version = version,
                .volume = volume,
                .kind = DAMAGE_CORRUPT,
        };
        IndexDamage damage = { .request.done = scratch_answered, .items = &item, .n_items = 1 };

        index_damage(fixture->index, &damage);
        assert_ok(scratch_wait());
        assert_true(item.is_new);
}

void move_copy(JobFixture *fixture,
               const char *key,
               uint64_t version,
               uint32_t add,
               uint32_t drop,
               uint64_t due_usec) {
        IndexMove move = {
                .request.done = scratch_answered,
                .key = key,
                .version = version,
                .add = add,
                .drop = &drop,
                .n_drop = 1,
                .garbage_due_usec = due_usec,
        };

        index_move(fixture->index, &move);
        assert_ok(scratch_wait());
}

VolumeState state_of(JobFixture *fixture, uint32_t number) {
        _cleanup_(cluster_freep) Cluster *cluster = NULL;

        assert_ok(volumes_snapshot(fixture->volumes, &cluster));
        return cluster_find(cluster, number)->state;
}

static void on_map_changed(VolumesChange *change, int result) {
        scratch_done(NULL, result);
}

void change_map(JobFixture *fixture,
                MapChangeFunction *function,
                const uint32_t numbers[],
                size_t n) {
        VolumesChange change = { .epoch = EPOCH_ANY, .done = on_map_changed };

        assert_ok(function(fixture->volumes, numbers, n, &change));
        assert_ok(scratch_wait());
}
