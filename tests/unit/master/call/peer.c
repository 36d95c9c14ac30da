/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "http/status.h"
#include "master/call/peer.h"
#include "rpc/rpc-call.h"
#include "store/index/identity.h"

Answer answer;

int peer_setup(void **state) {
        answer = (Answer){};
        assert_ok(sem_init(&answer.done, 0, 0));
        return world_setup(state);
}

int peer_teardown(void **state) {
        buffer_done(&answer.body);
        return world_teardown(state);
}

Parties parties_of(uint32_t number) {
        static uint64_t sequence = 1000;

        return (Parties){
                .lead = *index_identity(world.index),
                .from = { .number = number, .uuid = { (uint8_t) number }, .run = 1 },
                .sequence = ++sequence,
        };
}

static void on_done(HttpCall *http_call, const HttpResult *result, void *userdata) {
        answer.status = result->status;
        buffer_clear(&answer.body);
        buffer_put(&answer.body, result->body, result->body_size);
        assert_ok(sem_post(&answer.done));
}

unsigned call_at(const char *target, const Parties *parties, Buffer *body) {
        HttpCall *http_call;
        char url[4 * KIB];

        (void) snprintf(url, sizeof(url), "http://127.0.0.1:%i%s", world.master.port, target);
        assert_ok(http_call_new(world.client, "POST", url, &http_call));
        http_call_set_body(http_call, body);
        if (parties)
                assert_ok(http_call_sign(http_call, parties));
        http_call_start(http_call, on_done, NULL);
        wait_for(&answer.done);
        return answer.status;
}

static void on_result(const RpcResult *result, void *userdata) {
        int error = rpc_result_error(result);

        answer.error = error;
        answer.status = error < 0 ? http_status(error)->code : 200;
        (void) snprintf(answer.detail, sizeof(answer.detail), "%s", result->detail ?: "");
        buffer_clear(&answer.body);
        buffer_put(&answer.body, result->body, result->body_size);
        assert_ok(sem_post(&answer.done));
}

unsigned call_as(const Parties *parties, CallKind kind, Buffer *body) {
        char url[64];

        (void) snprintf(url, sizeof(url), "http://127.0.0.1:%i", world.master.port);
        assert_ok(rpc_call(
                        &(RpcCall){
                                        .peers = world.peers,
                                        .kind = kind,
                                        .url = url,
                                        .parties = parties,
                                        .body = body,
                                        .on_done = on_result,
                        },
                        NULL));
        wait_for(&answer.done);
        return answer.status;
}

unsigned call(CallKind kind, Buffer *body) {
        Parties parties = parties_of(1);

        return call_as(&parties, kind, body);
}

uint64_t next_version(void) {
        return index_next_version(world.index, VERSION_TICKET);
}

int error_of(size_t i) {
        Reader reader = READER(answer.body.data, answer.body.size);
        int error = 0;

        for (size_t k = 0; k <= i; k++)
                error = wire_get_error(&reader);
        assert_int_equal(reader_error(&reader), 0);
        return error;
}

void put_commit(Buffer *body, const char *key, uint64_t version, uint32_t volume) {
        wire_put_commit(
                        body,
                        &(WireCommit){
                                        .key = key,
                                        .record = {
                                                        .version = version,
                                                        .content_type = "text/x",
                                                        .mtime_usec = clock_realtime(),
                                                        .size = 9,
                                                        .copies = { volume },
                                                        .n_copies = 1,
                                        },
                        });
}

WireCommitResult result_of(size_t i) {
        Reader reader = READER(answer.body.data, answer.body.size);
        WireCommitResult result = {};

        for (size_t k = 0; k <= i; k++)
                result = wire_get_commit_result(&reader);
        assert_int_equal(reader_error(&reader), 0);
        return result;
}
