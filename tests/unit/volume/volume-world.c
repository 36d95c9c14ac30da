/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "volume/volume-world.h"

#include <glob.h>
#include <sched.h>

#include "base/clock.h"
#include "core/call/wire.h"
#include "core/key.h"
#include "http/status.h"
#include "rpc/signed-call.h"
#include "store/object/writer.h"
#include "volume/request/forward.h"

#define CLUSTER "a cluster"

void world_follow(World *world, uint64_t term) {
        world->lead = (Leadership){ .cluster = CLUSTER, .term = term, .leader = term + 100 };
        assert_ok(allegiance_accept(world->allegiance, &world->lead));
        while (!allegiance_follows(world->allegiance, &world->lead))
                (void) sched_yield();
}

static void open_store(World *world) {
        ObjectStoreOptions options = {
                .environment.directory = world->directory,
                .inline_max = WORLD_INLINE_MAX,
        };
        uint32_t other;

        assert_ok(object_store_open(&options, &world->copies.store));
        assert_ok(pending_new(world->copies.store, &world->copies.pending));
        assert_ok(sweep_new(world->copies.store, &world->sweep));
        assert_ok(deletions_new(world->copies.store, world->copies.pending, &world->deletions));
        assert_ok(allegiance_new(world->copies.store, WORLD_NUMBER, &world->allegiance, &other));
}

static void start_work(World *world) {
        assert_ok(master_link_new(
                        world->master.peers, world->allegiance, world->master.url, &world->link));
        assert_ok(commit_queue_new(world->link, &world->commits));
        assert_ok(damage_new(world->link, WORLD_NUMBER, &world->copies.damage));
        assert_ok(faults_new(
                        &(FaultsOptions){
                                        .store = world->copies.store,
                                        .client = world->master.client,
                                        .directory = world->directory,
                                        .number = WORLD_NUMBER,
                        },
                        &world->copies.faults));
        world->copies.inline_max = WORLD_INLINE_MAX;
        assert_ok(report_new(
                        &(ReportOptions){
                                        .event = world->event,
                                        .master = world->link,
                                        .allegiance = world->allegiance,
                                        .copies = &world->copies,
                                        .sweep = world->sweep,
                                        .deletions = world->deletions,
                                        .directory = world->directory,
                                        .url = "http://127.0.0.1:1",
                                        .zone = "here",
                                        .interval_usec = USEC_PER_SEC,
                        },
                        &world->report));
        workers_init(&world->verifier);
        assert_ok(workers_start(&world->verifier, 1));
}

static void serve(World *world) {
        const Callers *callers = &world->callers;
        const Copies *copies = &world->copies;
        HttpClient *client = world->master.client;
        Workers *verifier = &world->verifier;
        RpcServiceOptions calls;

        world->callers = (Callers){ world->master.secret, world->allegiance, copies->store,
                                    world->link };
        world->passed_on.max = UPLOAD_PIPES_MAX;
        world->routes = (VolumeRoutes){
                .callers = callers,
                .health = { copies, world->allegiance, world->report },
                .hello = { callers, world->report },
                .store = { callers, copies, &world->activity },
                .delete = { callers, world->deletions, copies->faults },
                .pull = { callers, copies, client, verifier, &world->activity },
                .check = { callers, copies, verifier },
                .fetch = copies,
                .get = { callers, copies, verifier },
                .upload = { callers, copies, client, &world->passed_on, world->commits,
                            world->report },
        };
        calls = volume_calls(&world->routes);
        assert_ok(rpc_service_new(&calls, &world->calls));
        world->routes.calls = world->calls;
        fixture_start_with(
                        &world->server, (HttpServerOptions){
                                                        .loops = world->master.loops,
                                                        .connections_max = 100,
                                                        .header_max = 8 * KIB,
                                                        .timeout_usec = NO_TIMEOUT,
                                                        .routes = volume_routes,
                                                        .gate = gate_of(world->master.secret),
                                                        .userdata = &world->routes,
                                        });
        activity_set_server(&world->activity, world->server.server);
}

int world_setup(void **state) {
        World *world = calloc(1, sizeof(*world));

        world->directory = scratch_new();
        stand_in_init(&world->master);
        assert_ok(sd_event_new(&world->event));
        open_store(world);
        start_work(world);
        serve(world);
        world_follow(world, 1);
        *state = world;
        return 0;
}

int world_teardown(void **state) {
        World *world = *state;

        faults_stop(world->copies.faults);
        stand_in_hang_up(&world->master);
        damage_stop(world->copies.damage);
        fixture_stop(&world->server);
        workers_done(&world->verifier);
        stand_in_done(&world->master);
        (void) report_free(world->report);
        (void) commit_queue_free(world->commits);
        (void) damage_free(world->copies.damage);
        (void) master_link_free(world->link);
        (void) faults_free(world->copies.faults);
        (void) object_store_free(world->copies.store);
        (void) allegiance_free(world->allegiance);
        (void) deletions_free(world->deletions);
        (void) pending_free(world->copies.pending);
        (void) sweep_free(world->sweep);
        (void) rpc_service_free(world->calls);
        (void) sd_event_unref(world->event);
        scratch_free(world->directory);
        free(world);
        return 0;
}

void world_hear_grace(World *world, uint64_t grace_usec) {
        char text[128];

        while (sem_trywait(&world->master.arrived) < 0)
                assert_ok(sd_event_run(world->event, 10 * USEC_PER_MSEC));
        assert_int_equal(world->master.kind, CALL_REPORT);
        (void) snprintf(text, sizeof(text), "{\"clock\":%llu,\"grace_usec\":%llu}",
                        (unsigned long long) clock_realtime(), (unsigned long long) grace_usec);
        stand_in_answer_as(
                        &world->master, &world->lead,
                        &(Buffer){ .data = (uint8_t *) text, .size = strlen(text) });
        while (report_grace_usec(world->report) != grace_usec)
                (void) sched_yield();
        report_set(world->report, "here", USEC_PER_HOUR);
}

Parties world_order(World *world) {
        return (Parties){
                .lead = world->lead,
                .to = *allegiance_store(world->allegiance),
                .sequence = ++world->sequence,
        };
}

typedef struct Call {
        sem_t done;
        unsigned status;
        Buffer answer;
} Call;

static void on_done(HttpCall *http_call, const HttpResult *result, void *userdata) {
        Call *call = userdata;

        call->status = result->status;
        buffer_put(&call->answer, result->body, result->body_size);
        assert_ok(sem_post(&call->done));
}

static void on_result(const RpcResult *result, void *userdata) {
        int error = rpc_result_error(result);
        Call *call = userdata;

        call->status = error < 0 ? http_status(error)->code : 200;
        if (error < 0) {
                const char *why = result->detail ?: result->reason;

                buffer_put(&call->answer, why, strlen(why));
        }
        buffer_put(&call->answer, result->body, result->body_size);
        assert_ok(sem_post(&call->done));
}

static void start_signed(
                World *world,
                CallKind kind,
                const char *url,
                const Parties *parties,
                Buffer *body,
                Call *call) {
        assert_ok(signed_call(
                        &(SignedCall){
                                        .client = world->master.client,
                                        .kind = kind,
                                        .url = url,
                                        .parties = parties,
                                        .body = body,
                                        .on_done = on_done,
                                        .userdata = call,
                        },
                        NULL));
}

static void start_call(
                World *world,
                CallKind kind,
                const char *url,
                const Parties *parties,
                Buffer *body,
                Call *call) {
        assert_ok(rpc_call(
                        &(RpcCall){
                                        .peers = world->master.peers,
                                        .kind = kind,
                                        .url = url,
                                        .parties = parties,
                                        .body = body,
                                        .on_done = on_result,
                                        .userdata = call,
                        },
                        NULL));
}

unsigned
world_call(World *world, CallKind kind, const Parties *parties, Buffer *body, Buffer *ret_answer) {
        Parties made = world_order(world);
        Call call = {};
        char url[64];

        if (call_types[kind].caller == CALL_ROLE_VOLUME)
                made.from = (StoreIdentity){ .number = 9, .uuid = "a neighbor", .run = 1 };
        (void) snprintf(url, sizeof(url), "http://127.0.0.1:%i", world->server.port);
        assert_ok(sem_init(&call.done, 0, 0));
        if (*call_types[kind].path)
                start_signed(world, kind, url, parties ?: &made, body, &call);
        else
                start_call(world, kind, url, parties ?: &made, body, &call);
        wait_for(&call.done);
        if (ret_answer)
                *ret_answer = call.answer;
        else
                buffer_done(&call.answer);
        return call.status;
}

unsigned world_call_at(World *world, const char *target, const Parties *parties) {
        Call call = {};
        HttpCall *http_call;
        Buffer body = {};
        char url[512];

        (void) snprintf(url, sizeof(url), "http://127.0.0.1:%i%s", world->server.port, target);
        assert_ok(sem_init(&call.done, 0, 0));
        assert_ok(http_call_new(world->master.client, "POST", url, &http_call));
        http_call_set_body(http_call, &body);
        if (parties)
                assert_ok(http_call_sign(http_call, parties));
        http_call_start(http_call, on_done, &call);
        wait_for(&call.done);
        buffer_done(&call.answer);
        return call.status;
}

static Record make_record(uint64_t version, const void *value, size_t size) {
        Record record = {
                .version = version,
                .mtime_usec = 1,
                .content_type = "text/plain",
                .metadata = "",
                .size = size,
        };

        record.checksum = checksum_of(value, size);
        return record;
}

void world_encode(Buffer *ret, uint64_t version, const char *key, const void *value, size_t size) {
        object_encode(
                        &(Object){
                                        .record = make_record(version, value, size),
                                        .key = key,
                                        .value = value,
                                        .is_inline = true,
                        },
                        ret);
}

static void on_written(ObjectWriter *writer, int result, void *userdata) {
        scratch_done(NULL, result);
}

void store_put(ObjectStore *store,
               uint64_t version,
               const char *key,
               const void *value,
               size_t size) {
        _cleanup_(object_writer_freep) ObjectWriter *writer = NULL;
        Record record = make_record(version, value, size);

        assert_ok(object_writer_new(store, key, &record, size, &writer));
        assert_ok(object_writer_append(writer, value, size));
        object_writer_finish(writer, on_written, NULL);
        assert_int_equal(scratch_wait(), 0);
}

void world_put(World *world, uint64_t version, const char *key, const void *value, size_t size) {
        store_put(world->copies.store, version, key, value, size);
}

int world_verify(World *world, uint64_t version) {
        return object_store_verify(world->copies.store, version);
}

static bool has_mark(const char *path, const char *mark) {
        _cleanup_free_ char *data = malloc(MIB);
        FILE *file = fopen(path, "re");
        size_t n = file ? fread(data, 1, MIB, file) : 0;

        if (file)
                (void) fclose(file);
        return memmem(data, n, mark, strlen(mark));
}

void store_damage(const char *directory, const char *mark) {
        char pattern[4096];
        bool found = false;
        glob_t files = {};

        (void) snprintf(pattern, sizeof(pattern), "%s/objects/*/*", directory);
        assert_int_equal(glob(pattern, 0, NULL, &files), 0);
        for (size_t i = 0; i < files.gl_pathc && !found; i++) {
                found = has_mark(files.gl_pathv[i], mark);
                if (found)
                        scratch_flip_bit(files.gl_pathv[i], 0);
        }
        globfree(&files);
        assert_true(found);
}

void world_damage(World *world, const char *mark) {
        store_damage(world->directory, mark);
}

Ticket world_ticket(World *world, TicketMethod method, uint64_t version) {
        return (Ticket){
                .method = method,
                .version = version,
                .store = allegiance_ticket_store(world->allegiance),
                .expiry_sec = clock_realtime() / USEC_PER_SEC + 60,
                .size_max = MIB,
                .mtime_usec = 1,
                .wanted = 1,
        };
}

const char *world_target(World *world, const Ticket *ticket, const char *key) {
        static char target[KEY_PATH_SIZE + TICKET_QUERY_SIZE + 16];
        char path[KEY_PATH_SIZE], query[TICKET_QUERY_SIZE];

        assert_ok(ticket_format(
                        ticket, key, secret_signer(world->master.secret), query, sizeof(query)));
        (void) key_to_path(key, path);
        (void) snprintf(target, sizeof(target), "%s%s?%s",
                        ticket->method == TICKET_COPY ? FORWARD_PREFIX : "", path, query);
        return target;
}

int world_error(const Buffer *answer, size_t i) {
        Reader reader = READER(answer->data, answer->size);
        int error = wire_get_error(&reader);

        while (i-- > 0)
                error = wire_get_error(&reader);
        assert_ok(reader_error(&reader));
        return error;
}
