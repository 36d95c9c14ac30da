/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "http/stand-in.h"
#include "rpc/signed-call.h"

static StandIn other;

static const Parties order = {
        .lead = { .cluster = "a cluster", .term = 7, .leader = 8 },
        .to = { .number = 3, .uuid = "a store", .run = 9 },
        .sequence = 4,
        .revision = 5,
};

static int setup(void **state) {
        stand_in_init(&other);
        return 0;
}

static int teardown(void **state) {
        stand_in_done(&other);
        return 0;
}

typedef struct Trial {
        sem_t done;
        unsigned n_done;
        int error;
        unsigned status;
        Buffer answer;
} Trial;

static void on_done(HttpCall *call, const HttpResult *result, void *userdata) {
        Trial *trial = userdata;

        trial->n_done++;
        trial->error = result->error;
        trial->status = result->status;
        buffer_put(&trial->answer, result->body, result->body_size);
        assert_ok(sem_post(&trial->done));
}

static void start(
                Trial *trial, CallKind kind, const Parties *parties, Buffer *body, HttpCall **ret) {
        *trial = (Trial){};
        assert_ok(sem_init(&trial->done, 0, 0));
        assert_ok(signed_call(
                        &(SignedCall){
                                        .client = other.client,
                                        .kind = kind,
                                        .url = other.url,
                                        .parties = parties,
                                        .body = body,
                                        .on_done = on_done,
                                        .userdata = trial,
                        },
                        ret));
}

TEST(a_call_arrives_signed_with_its_body_and_is_answered) {
        Buffer body = {}, answer = {};
        Trial trial;
        Reader reader;

        stand_in_listen(&other);
        buffer_put(&body, "a body", 6);
        start(&trial, CALL_HELLO, &order, &body, NULL);
        assert_null(body.data); /* it was taken over */
        reader = stand_in_receive(&other, CALL_HELLO);
        assert_int_equal(reader.size, 6);
        assert_memory_equal(reader.data, "a body", 6);
        assert_true(parties_equal(stand_in_parties(&other), &order));

        buffer_put(&answer, "an answer", 9);
        stand_in_answer(&other, &answer);
        buffer_done(&answer);
        wait_for(&trial.done);
        assert_int_equal(trial.error, 0);
        assert_int_equal(trial.status, 200);
        assert_int_equal(trial.answer.size, 9);
        buffer_done(&trial.answer);
}

TEST(each_kind_goes_to_its_path) {
        const Parties neighbor = { .from = { .number = 3, .run = 1 }, .to = { .number = 4 } };

        stand_in_listen(&other);
        for (CallKind kind = 0; kind < _CALL_MAX; kind++) {
                const CallType *type = call_types + kind;
                Trial trial;

                if (!*type->path)
                        continue;
                start(&trial, kind, type->caller == CALL_ROLE_MASTER ? &order : &neighbor, NULL,
                      NULL);
                assert_int_equal(stand_in_receive(&other, kind).size, 0);
                stand_in_answer(&other, &(Buffer){});
                wait_for(&trial.done);
                assert_int_equal(trial.status, 200);
                buffer_done(&trial.answer);
        }
}

/* A daemon in the place of another one must not fill the memory. */
TEST(an_answer_larger_than_the_call_allows_ends_it) {
        _cleanup_(buffer_done) Buffer answer = {};
        Trial trial;

        stand_in_listen(&other);
        for (uint64_t i = 0; i <= call_types[CALL_HELLO].answer_max / sizeof(i); i++)
                buffer_put_u64(&answer, i);
        start(&trial, CALL_HELLO, &order, NULL, NULL);
        (void) stand_in_receive(&other, CALL_HELLO);
        stand_in_answer(&other, &answer);
        wait_for(&trial.done);
        assert_int_equal(trial.error, -EFBIG);
        buffer_done(&trial.answer);

        answer.size = call_types[CALL_HELLO].answer_max;
        start(&trial, CALL_HELLO, &order, NULL, NULL);
        (void) stand_in_receive(&other, CALL_HELLO);
        stand_in_answer(&other, &answer);
        wait_for(&trial.done);
        assert_int_equal(trial.error, 0);
        assert_int_equal(trial.answer.size, call_types[CALL_HELLO].answer_max);
        buffer_done(&trial.answer);
}

TEST(a_call_that_is_canceled_ends_once) {
        HttpCall *call;
        Trial trial;

        stand_in_listen(&other);
        start(&trial, CALL_HELLO, &order, NULL, &call);
        stand_in_await(&other);
        http_call_cancel(call);
        (void) http_call_unref(call);
        wait_for(&trial.done);
        assert_int_equal(trial.error, -ECANCELED);
        assert_int_equal(trial.n_done, 1);
        buffer_done(&trial.answer);
        (void) stand_in_receive(&other, CALL_HELLO);
        stand_in_answer(&other, &(Buffer){});
}

TEST(nobody_there_is_an_answer_as_well) {
        Trial trial;

        start(&trial, CALL_HELLO, &order, NULL, NULL); /* it does not listen */
        wait_for(&trial.done);
        assert_int_equal(trial.error, -EHOSTDOWN);
        assert_int_equal(trial.status, 0);
        buffer_done(&trial.answer);
}

TEST(without_a_secret_no_call_is_made) {
        HttpClientOptions options = { .connections_max = 1 };
        HttpClient *client;
        Buffer body = {};

        assert_ok(http_client_new(&options, &client));
        assert_int_equal(
                        signed_call(
                                        &(SignedCall){
                                                        .client = client,
                                                        .kind = CALL_HELLO,
                                                        .url = other.url,
                                                        .parties = &order,
                                                        .body = &body,
                                                        .on_done = on_done,
                                        },
                                        NULL),
                        -EACCES);
        (void) http_client_free(client);
}

/* A body that is set once the call was signed is not the one that was signed. */
TEST(signatures_fit) {
        for (unsigned other_body = 0; other_body < 2; other_body++) {
                HttpCall *call;
                char url[128];
                Trial trial = {};
                Buffer body = {};

                if (!other.server)
                        stand_in_listen(&other);
                assert_ok(sem_init(&trial.done, 0, 0));
                (void) snprintf(url, sizeof(url), "%s/-/hello?x=%%20", other.url);
                assert_ok(http_call_new(other.client, "POST", url, &call));
                buffer_put(&body, "the body", 8);
                http_call_set_body(call, &body);
                assert_ok(http_call_sign(call, &order));
                if (other_body) {
                        buffer_put(&body, "another body", 12);
                        http_call_set_body(call, &body);
                }
                http_call_start(call, on_done, &trial);
                if (!other_body) {
                        (void) stand_in_receive(&other, CALL_HELLO);
                        stand_in_answer(&other, &(Buffer){});
                }
                wait_for(&trial.done);
                assert_int_equal(trial.status, other_body ? 403 : 200);
                buffer_done(&trial.answer);
        }
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_call_arrives_signed_with_its_body_and_is_answered),
                RUN(each_kind_goes_to_its_path),
                RUN(an_answer_larger_than_the_call_allows_ends_it),
                RUN(a_call_that_is_canceled_ends_once),
                RUN(nobody_there_is_an_answer_as_well),
                RUN(without_a_secret_no_call_is_made),
                RUN(signatures_fit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
