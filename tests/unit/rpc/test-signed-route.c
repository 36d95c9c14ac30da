/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "core/call/ticket.h"
#include "http/http.h"
#include "rpc/call.h"
#include "rpc/gate.h"
#include "rpc/signed-route.h"

#define SECRET   "0123456789abcdef"
#define BODY_MAX (16 * MIB)

static const Parties parties = {
        .lead = { .cluster = "a cluster", .term = 7, .leader = UINT64_MAX },
        .from = { .number = 2, .uuid = "a store", .run = 3 },
        .to = { .number = VOLUME_MAX, .uuid = "another one", .run = UINT64_MAX },
        .sequence = 4,
        .revision = UINT64_MAX,
};

static Fixture fixture;
static Secret *secret;
static HttpClient *client;
static atomic_uint n_states, n_freed;
static sem_t freed;

static void free_state(void *state) {
        buffer_done(state);
        free(state);
        n_freed++;
        assert_ok(sem_post(&freed));
}

static int begin(HttpRequest *request) {
        assert_true(parties_equal(signed_parties(request), &parties));
        return 0;
}

/* Answers the body out of a state, if the call is signed. */
static int echo_finish(HttpRequest *request) {
        const Buffer *body = signed_request_body(request);
        Buffer *state;

        state = calloc(1, sizeof(*state));
        buffer_put(state, body->data, body->size);
        n_states++;
        signed_set_state(request, state, free_state);
        return http_request_reply_data(request, 200, NULL, state->data, state->size);
}

static int stateless_finish(HttpRequest *request) {
        return http_request_reply(request, 204);
}

/* clang-format off */
static const HttpRoute routes[] = {
        { "POST", "/echo",      HTTP_DAEMON, begin, signed_body, echo_finish,      NULL, BODY_MAX },
        { "POST", "/stateless", HTTP_DAEMON, begin, signed_body, stateless_finish, NULL, BODY_MAX },
        {}
};
/* clang-format on */

static HttpClient *client_new(const char *key) {
        HttpClientOptions options = {
                .connect_timeout_usec = PATIENCE_SEC * USEC_PER_SEC,
                .stall_timeout_usec = PATIENCE_SEC * USEC_PER_SEC,
                .connections_max = 4,
                .secret = key,
                .secret_size = strlen(key),
        };
        HttpClient *made;

        assert_ok(http_client_new(&options, &made));
        return made;
}

static int setup(void **state) {
        n_states = n_freed = 0;
        assert_ok(sem_init(&freed, 0, 0));
        assert_ok(secret_new(SECRET, strlen(SECRET), &secret));
        fixture_start_with(
                        &fixture, (HttpServerOptions){
                                                  .n_threads = 2,
                                                  .connections_max = 100,
                                                  .header_max = 8 * KIB,
                                                  .timeout_usec = NO_TIMEOUT,
                                                  .routes = routes,
                                                  .gate = gate_of(secret),
                                  });
        client = client_new(SECRET);
        return 0;
}

static int teardown(void **state) {
        client = http_client_free(client);
        fixture_stop(&fixture);
        secret = secret_free(secret);
        return 0;
}

/* A call and its answer */
typedef struct Trial {
        HttpCall *call;
        unsigned status;
        Buffer answer;
        sem_t done;
        size_t size; /* what is left of a body of zeroes */
} Trial;

static void trial_init(Trial *trial, HttpClient *with, const char *target) {
        char url[256];

        *trial = (Trial){};
        assert_ok(sem_init(&trial->done, 0, 0));
        (void) snprintf(url, sizeof(url), "http://127.0.0.1:%i%s", fixture.port, target);
        assert_ok(http_call_new(with, "POST", url, &trial->call));
}

static void trial_set_body(Trial *trial, const void *data, size_t size) {
        Buffer body = {};

        buffer_put(&body, data, size);
        http_call_set_body(trial->call, &body);
}

static void on_done(HttpCall *call, const HttpResult *result, void *userdata) {
        Trial *trial = userdata;

        trial->status = result->status;
        buffer_put(&trial->answer, result->body, result->body_size);
        assert_ok(sem_post(&trial->done));
}

static unsigned trial_run(Trial *trial) {
        http_call_start(TAKE_PTR(trial->call), on_done, trial);
        wait_for(&trial->done);
        return trial->status;
}

static void run_echo(const void *data, size_t size) {
        Trial trial;

        trial_init(&trial, client, "/echo?a=b%20c");
        trial_set_body(&trial, data, size);
        assert_ok(http_call_sign(trial.call, &parties));
        assert_int_equal(trial_run(&trial), 200);
        assert_int_equal(trial.answer.size, size);
        assert_memory_equal(trial.answer.data ?: (const uint8_t *) "", data, size);
        buffer_done(&trial.answer);
}

TEST(a_signed_call_passes_and_its_state_is_freed_once) {
        _cleanup_free_ uint8_t *large = malloc(BODY_MAX);

        memset(large, 'x', BODY_MAX);
        run_echo("body", 4);
        run_echo("", 0);
        run_echo(large, BODY_MAX);

        for (unsigned i = 0; i < 3; i++)
                wait_for(&freed);
        fixture_stop(&fixture);
        assert_int_equal(n_states, 3);
        assert_int_equal(n_freed, 3);
}

TEST(a_call_without_state_passes) {
        Trial trial;

        trial_init(&trial, client, "/stateless");
        assert_ok(http_call_sign(trial.call, &parties));
        assert_int_equal(trial_run(&trial), 204);
        buffer_done(&trial.answer);
}

static void assert_forbidden(Trial *trial) {
        assert_int_equal(trial_run(trial), 403);
        assert_int_equal(n_states, 0);
        buffer_done(&trial->answer);
}

TEST(an_unsigned_call_is_forbidden) {
        Trial trial;

        trial_init(&trial, client, "/echo");
        trial_set_body(&trial, "body", 4);
        assert_forbidden(&trial);

        trial_init(&trial, client, "/echo");
        assert_ok(http_call_add_header(trial.call, SIGNATURE_HEADER, "nonsense"));
        assert_forbidden(&trial);
}

TEST(a_call_with_another_secret_is_forbidden) {
        Trial trial;

        client = http_client_free(client);
        client = client_new("0123456789abcdeF");
        trial_init(&trial, client, "/echo");
        trial_set_body(&trial, "body", 4);
        assert_ok(http_call_sign(trial.call, &parties));
        assert_forbidden(&trial);
}

/* Sends "body" to TARGET with a signature for what the others say. */
static const char *send_as(
                const char *target,
                const char *signed_method,
                const char *signed_target,
                const char *signed_body,
                int lifetime_sec) {
        static char request[2 * TICKET_QUERY_SIZE];
        _cleanup_(signer_freep) Signer *signer = NULL;
        char signature[SIGNATURE_SIZE];
        uint64_t now_sec = clock_realtime() / USEC_PER_SEC;

        assert_ok(signer_new(SECRET, strlen(SECRET), &signer));
        assert_ok(signature_format(
                        signed_method, signed_target, &parties, signed_body, strlen(signed_body),
                        now_sec + (uint64_t) lifetime_sec, signer, signature));
        (void) snprintf(request, sizeof(request),
                        "POST %s HTTP/1.1\r\n" CLOSE SIGNATURE_HEADER
                        ": %s\r\nContent-Length: 4\r\n\r\nbody",
                        target, signature);
        return exchange(&fixture, request);
}

TEST(an_altered_call_is_forbidden) {
        const char *target = "/echo?a=b";

        assert_status(send_as(target, "POST", target, "body", 30), 200);
        assert_status(send_as(target, "PUT", target, "body", 30), 403);
        assert_status(send_as(target, "POST", "/echo?a=c", "body", 30), 403);
        assert_status(send_as(target, "POST", "/echo", "body", 30), 403);
        assert_status(send_as(target, "POST", "/eche?a=b", "body", 30), 403);
        assert_status(send_as(target, "POST", target, "bodY", 30), 403);
        assert_status(send_as(target, "POST", target, "bod", 30), 403);
        assert_status(send_as(target, "POST", target, "", 30), 403);
        assert_status(send_as(target, "POST", target, "body", -1), 403);
        assert_int_equal(n_states, 1);
}

TEST(a_target_that_is_too_long_is_forbidden) {
        char target[TICKET_QUERY_SIZE + 1] = "/echo?";

        memset(target + strlen(target), 'q', TICKET_QUERY_SIZE - strlen(target));
        assert_status(send_as(target, "POST", target, "body", 30), 403);
        target[TICKET_QUERY_SIZE - 1] = '\0';
        assert_status(send_as(target, "POST", target, "body", 30), 200);
}

/* Of a call to /echo, by one who knows the secret or not, whose body will be another one. */
static const char *make_signature_with(const char *key, int lifetime_sec) {
        static char signature[SIGNATURE_SIZE];
        _cleanup_(signer_freep) Signer *signer = NULL;
        uint64_t now_sec = clock_realtime() / USEC_PER_SEC;

        assert_ok(signer_new(key, strlen(key), &signer));
        assert_ok(signature_format(
                        "POST", "/echo", &parties, "another", 7, now_sec + (uint64_t) lifetime_sec,
                        signer, signature));
        return signature;
}

static const char *make_signature(int lifetime_sec) {
        return make_signature_with(SECRET, lifetime_sec);
}

/* Announces a body of SIZE bytes. */
static void announce(int fd, const char *signature, uint64_t size) {
        char request[256 + SIGNATURE_SIZE];

        (void) snprintf(request, sizeof(request),
                        "POST /echo HTTP/1.1\r\n" CLOSE SIGNATURE_HEADER
                        ": %s\r\nContent-Length: %llu\r\nExpect: 100-continue\r\n\r\n",
                        signature, (unsigned long long) size);
        send_text(fd, request);
}

/* What the announcement alone is answered. */
static const char *announce_only(const char *signature, uint64_t size) {
        static char answer[4096];
        int fd = fixture_connect(&fixture);

        announce(fd, signature, size);
        receive_until(fd, "\r\n\r\n", answer, sizeof(answer));
        close(fd);
        return answer;
}

TEST(what_cannot_be_right_is_refused_before_its_body_comes) {
        assert_status(announce_only("", 1), 403);
        assert_status(announce_only("nonsense", 1), 403);
        assert_status(announce_only(make_signature(-10), 1), 403);
        assert_status(announce_only(make_signature_with("a secret of strangers", 30), 1), 403);
        assert_status(announce_only(make_signature(30), BODY_MAX + 1), 413);
        assert_status(announce_only(make_signature(30), BODY_MAX), 100);
}

/* Not even those who know the secret can. */
TEST(nobody_can_fill_the_memory) {
        _cleanup_free_ char *body = calloc(1, BODY_MAX);
        int fds[2 * SIGNED_MEMORY_MAX / BODY_MAX];
        size_t n_refused = 0, n_forbidden = 0;
        char answer[4096];

        for (size_t i = 0; i < ELEMENTSOF(fds); i++) {
                fds[i] = fixture_connect(&fixture);
                announce(fds[i], make_signature(30), BODY_MAX);
                receive_until(fds[i], "\r\n\r\n", answer, sizeof(answer));
                assert_int_equal(send(fds[i], body, BODY_MAX - 1, MSG_NOSIGNAL), BODY_MAX - 1);
        }
        for (size_t i = 0; i < ELEMENTSOF(fds); i++) {
                assert_int_equal(send(fds[i], body, 1, MSG_NOSIGNAL), 1);
                (void) receive_all(fds[i], answer, sizeof(answer));
                n_refused += strncmp(answer, "HTTP/1.1 503 ", 13) == 0;
                n_forbidden += strncmp(answer, "HTTP/1.1 403 ", 13) == 0;
        }

        assert_int_equal(n_refused + n_forbidden, ELEMENTSOF(fds));
        assert_true(n_refused > 0);
        assert_true(n_forbidden > 0); /* what fits is read to its end */
        run_echo("body", 4);          /* and all of it is given back */
        run_echo(body, BODY_MAX);
}

static ssize_t read_zeroes(void *userdata, void *data, size_t size) {
        Trial *trial = userdata;
        size_t n = MIN(size, trial->size);

        memset(data, 0, n);
        trial->size -= n;
        return (ssize_t) n;
}

/* A body that comes chunked is never the one that was signed. */
static void trial_init_chunked(Trial *trial, size_t size) {
        trial_init(trial, client, "/echo");
        trial->size = size;
        assert_ok(http_call_add_header(trial->call, SIGNATURE_HEADER, make_signature(30)));
        http_call_set_source(trial->call, UINT64_MAX, read_zeroes);
}

TEST(a_body_that_turns_out_too_large_is_refused) {
        Trial trial;

        trial_init_chunked(&trial, BODY_MAX + 1);
        assert_int_equal(trial_run(&trial), 413);
        buffer_done(&trial.answer);

        trial_init_chunked(&trial, BODY_MAX);
        assert_forbidden(&trial); /* its signature is all that is wrong */
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_signed_call_passes_and_its_state_is_freed_once),
                RUN(a_call_without_state_passes),
                RUN(an_unsigned_call_is_forbidden),
                RUN(a_call_with_another_secret_is_forbidden),
                RUN(an_altered_call_is_forbidden),
                RUN(a_target_that_is_too_long_is_forbidden),
                RUN(what_cannot_be_right_is_refused_before_its_body_comes),
                RUN(nobody_can_fill_the_memory),
                RUN(a_body_that_turns_out_too_large_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
