/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <systemd/sd-event.h>

#include "base/clock.h"
#include "http/http.h"
#include "rpc/call.h"

#define SECRET "0123456789abcdef"

/* New for each test */
static Fixture fixture;
static HttpClient *client;
static _Atomic(HttpRequest *) parked;
static sem_t request_parked;

static ssize_t echo_body(HttpRequest *request, const void *data, size_t size) {
        Buffer **body = (Buffer **) http_request_state(request);

        if (!*body)
                *body = calloc(1, sizeof(**body));
        buffer_put(*body, data, size);
        return (ssize_t) size;
}

static int echo_finish(HttpRequest *request) {
        const Buffer *body = *http_request_state(request);

        (void) http_request_add_header(request, "X-Method", http_request_method(request));
        (void) http_request_add_header(
                        request, "X-Test", http_request_header(request, "X-Test") ?: "none");
        (void) http_request_add_header(
                        request, "X-Type", http_request_header(request, "Content-Type") ?: "none");
        (void) http_request_add_header(
                        request, "X-Chunked",
                        http_request_size(request) == HTTP_SIZE_UNKNOWN ? "yes" : "no");

        return http_request_reply_data(
                        request, 200, NULL, body ? body->data : NULL, body ? body->size : 0);
}

static void echo_end(HttpRequest *request) {
        Buffer *body = *http_request_state(request);

        if (body)
                buffer_done(body);
        free(body);
}

static int park_finish(HttpRequest *request) {
        parked = request;
        assert_ok(sem_post(&request_parked));
        return HTTP_LATER;
}

/* As many bytes as the query says */
static ssize_t zeroes_read(void *userdata, void *data, size_t size) {
        memset(data, 0, size);
        return (ssize_t) size;
}

static int zeroes_finish(HttpRequest *request) {
        HttpStream zeroes = { .read = zeroes_read };

        return http_request_reply_stream(
                        request, 200, strtoull(http_request_query(request), NULL, 10), &zeroes);
}

/* clang-format off */
static const HttpRoute routes[] = {
        { "GET",    "/park",   HTTP_PUBLIC, .finish = park_finish                                        },
        { "GET",    "/zeroes", HTTP_PUBLIC, .finish = zeroes_finish                                      },
        { "GET",    "/echo",   HTTP_PUBLIC, .finish = echo_finish, .end = echo_end                       },
        { "DELETE", "/echo",   HTTP_PUBLIC, .body = echo_body, .finish = echo_finish, .end = echo_end    },
        { "PUT",    "/echo",   HTTP_PUBLIC, .body = echo_body, .finish = echo_finish, .end = echo_end    },
        { "POST",   "/echo",   HTTP_PUBLIC, .body = echo_body, .finish = echo_finish, .end = echo_end    },
        {}
};
/* clang-format on */

static atomic_bool loops_fail;
static atomic_int broken_by;

int __real_sd_event_run(sd_event *event, uint64_t usec);
int __wrap_sd_event_run(sd_event *event, uint64_t usec);
int __wrap_sd_event_run(sd_event *event, uint64_t usec) {
        int r = __real_sd_event_run(event, usec);

        return loops_fail ? -EBADF : r;
}

static void on_broken(int error) {
        broken_by = error;
}

static HttpClient *client_new(uint64_t stall_timeout_usec) {
        HttpClientOptions options = {
                .on_broken = on_broken,
                .connect_timeout_usec = PATIENCE_SEC * USEC_PER_SEC,
                .stall_timeout_usec = stall_timeout_usec,
                .connections_max = 16,
                .secret = SECRET,
                .secret_size = strlen(SECRET),
        };
        HttpClient *made;

        assert_ok(http_client_new(&options, &made));
        return made;
}

static int setup(void **state) {
        assert_ok(sem_init(&request_parked, 0, 0));
        fixture_start(&fixture, routes, NULL);
        client = client_new(PATIENCE_SEC * USEC_PER_SEC);
        return 0;
}

static int teardown(void **state) {
        client = http_client_free(client);
        fixture_stop(&fixture);
        return 0;
}

/* A call and what came of it */
typedef struct Trial {
        HttpCall *call;
        sem_t done;
        atomic_int n_done;
        int error;
        unsigned status;
        size_t body_size;
        char body[256], method[32], test[32], type[32], chunked[32];

        /* As source or sink: how much there is to send, or was received; how much of it is allowed
         * so far. */
        size_t size, moved;
        atomic_size_t allowed;
        sem_t paused;
        uint64_t stall_usec; /* the stall timeout while it pauses; 0 for the client's */
        unsigned head_status;
        int callback_error;
} Trial;

static void trial_init_at(Trial *trial, const char *method, int port, const char *target) {
        char url[256];

        *trial = (Trial){ .allowed = SIZE_MAX };
        assert_ok(sem_init(&trial->done, 0, 0));
        assert_ok(sem_init(&trial->paused, 0, 0));
        (void) snprintf(url, sizeof(url), "http://127.0.0.1:%i%s", port, target);
        assert_ok(http_call_new(client, method, url, &trial->call));
}

static void trial_init(Trial *trial, const char *method, const char *target) {
        trial_init_at(trial, method, fixture.port, target);
}

static void keep_header(HttpCall *call, const char *name, char ret[static 32]) {
        (void) snprintf(ret, 32, "%s", http_call_header(call, name) ?: "absent");
}

static void on_done(HttpCall *call, const HttpResult *result, void *userdata) {
        Trial *trial = userdata;

        trial->error = result->error;
        trial->status = result->status;
        trial->body_size = result->body_size;
        (void) snprintf(trial->body, sizeof(trial->body), "%.*s",
                        (int) MIN(result->body_size, 255U), (const char *) result->body);
        keep_header(call, "x-method", trial->method);
        keep_header(call, "X-Test", trial->test);
        keep_header(call, "X-Type", trial->type);
        keep_header(call, "X-Chunked", trial->chunked);
        trial->n_done++;
        assert_ok(sem_post(&trial->done));
}

/* Keeps a reference until trial_finish(). */
static void trial_start(Trial *trial) {
        http_call_start(http_call_ref(trial->call), on_done, trial);
}

static void trial_finish(Trial *trial) {
        wait_for(&trial->done);
        assert_int_equal(trial->n_done, 1);
        trial->call = http_call_unref(trial->call);
}

static void trial_run(Trial *trial) {
        trial_start(trial);
        trial_finish(trial);
}

static void set_body(HttpCall *call, const char *text) {
        Buffer body = {};

        buffer_put(&body, text, strlen(text));
        http_call_set_body(call, &body);
        assert_null(body.data);
}

TEST(methods_headers_and_bodies_arrive) {
        static const char *const methods[] = { "GET", "DELETE", "PUT", "POST" };
        Trial trial;

        for (size_t i = 0; i < ELEMENTSOF(methods); i++) {
                trial_init(&trial, methods[i], "/echo");
                assert_ok(http_call_add_header(trial.call, "X-Test", "value"));
                assert_int_equal(http_call_add_header(trial.call, "X-Test", "a\nb"), -EINVAL);
                if (i > 0)
                        set_body(trial.call, "the body");
                trial_run(&trial);

                assert_int_equal(trial.error, 0);
                assert_int_equal(trial.status, 200);
                assert_string_equal(trial.body, i > 0 ? "the body" : "");
                assert_string_equal(trial.method, methods[i]);
                assert_string_equal(trial.test, "value");
                assert_string_equal(trial.type, "none");
        }

        trial_init(&trial, "PUT", "/echo");
        assert_ok(http_call_add_header(trial.call, "Content-Type", "text/plain"));
        trial_run(&trial);
        assert_int_equal(trial.status, 200);
        assert_string_equal(trial.type, "text/plain");

        trial_init(&trial, "HEAD", "/zeroes?1000");
        trial_run(&trial);
        assert_int_equal(trial.status, 200);
        assert_int_equal(trial.body_size, 0);

        trial_init(&trial, "GET", "/nowhere");
        trial_run(&trial);
        assert_int_equal(trial.error, 0);
        assert_int_equal(trial.status, 404);
}

static ssize_t on_read(void *userdata, void *data, size_t size) {
        Trial *trial = userdata;
        size_t n = MIN(size, MIN(trial->size, trial->allowed) - trial->moved);

        if (trial->callback_error < 0)
                return trial->callback_error;
        if (trial->stall_usec > 0)
                http_call_set_stall_timeout(trial->call, n == 0 ? trial->stall_usec : NO_TIMEOUT);
        if (n == 0 && trial->allowed < trial->size) {
                assert_ok(sem_post(&trial->paused));
                return -EAGAIN;
        }

        memset(data, 'x', n);
        trial->moved += n;
        return (ssize_t) n;
}

/* Lets more through whenever the call has paused, until it is done. */
static void trial_feed(Trial *trial) {
        while (trial->allowed < trial->size) {
                wait_for(&trial->paused);
                trial->allowed += 100000;
                http_call_resume(trial->call);
        }
}

TEST(sources_pause_and_go_on) {
        for (int chunked = 0; chunked < 2; chunked++) {
                Trial trial;

                trial_init(&trial, "PUT", "/echo");
                trial.size = 3000000;
                trial.allowed = 0;
                http_call_set_source(trial.call, chunked ? UINT64_MAX : trial.size, on_read);
                trial_start(&trial);
                trial_feed(&trial);
                trial_finish(&trial);

                assert_int_equal(trial.error, 0);
                assert_int_equal(trial.body_size, 3000000);
                assert_string_equal(trial.chunked, chunked ? "yes" : "no");
        }
}

TEST(a_source_that_fails_ends_the_call) {
        Trial trial;

        trial_init(&trial, "PUT", "/echo");
        trial.size = 1000;
        trial.callback_error = -EIO;
        http_call_set_source(trial.call, trial.size, on_read);
        trial_run(&trial);
        assert_int_equal(trial.error, -EIO);
        assert_int_equal(trial.status, 0);
}

static int on_head(HttpCall *call, unsigned status, void *userdata) {
        Trial *trial = userdata;

        assert_int_equal(trial->head_status, 0);
        assert_non_null(http_call_header(call, "Content-Length"));
        trial->head_status = status;
        return 0;
}

static int on_body(void *userdata, const void *data, size_t size) {
        Trial *trial = userdata;

        assert_int_equal(trial->head_status, 200);
        if (trial->callback_error < 0)
                return trial->callback_error;
        if (trial->moved + size > trial->allowed) {
                assert_ok(sem_post(&trial->paused));
                return -EAGAIN;
        }

        trial->moved += size;
        return 0;
}

TEST(sinks_pause_and_go_on) {
        Trial trial;

        trial_init(&trial, "GET", "/zeroes?5000000");
        trial.size = 5000000;
        trial.allowed = 0;
        http_call_set_sink(trial.call, on_head, on_body);
        trial_start(&trial);
        trial_feed(&trial);
        trial_finish(&trial);

        assert_int_equal(trial.error, 0);
        assert_int_equal(trial.moved, 5000000);
        assert_int_equal(trial.body_size, 0);
}

TEST(a_sink_that_fails_ends_the_call) {
        Trial trial;

        trial_init(&trial, "GET", "/zeroes?5000000");
        trial.callback_error = -ENOSPC;
        http_call_set_sink(trial.call, on_head, on_body);
        trial_run(&trial);
        assert_int_equal(trial.error, -ENOSPC);
}

TEST(answers_too_large_to_collect_are_refused) {
        Trial trial;

        trial_init(&trial, "GET", "/zeroes?16777216");
        trial_run(&trial);
        assert_int_equal(trial.error, 0);
        assert_int_equal(trial.body_size, 16777216);

        trial_init(&trial, "GET", "/zeroes?16777217");
        trial_run(&trial);
        assert_int_equal(trial.error, -EFBIG);
}

TEST(calls_can_be_canceled) {
        Trial trial;

        trial_init(&trial, "GET", "/park");
        trial_start(&trial);
        wait_for(&request_parked);
        http_call_cancel(trial.call);
        wait_for(&trial.done);
        assert_int_equal(trial.error, -ECANCELED);

        http_call_cancel(trial.call); /* no effect any more */
        http_call_resume(trial.call);
        assert_ok(http_request_reply(parked, 204));
        trial.call = http_call_unref(trial.call);

        trial_init(&trial, "GET", "/echo");
        http_call_cancel(trial.call);
        trial_run(&trial);
        assert_int_equal(trial.error, -ECANCELED);
}

TEST(nobody_listening_is_no_connection) {
        int fd = service_listen("127.0.0.1:0"), port = service_port(fd);
        Trial trial;

        close(fd);
        trial_init_at(&trial, "GET", port, "/");
        trial_run(&trial);
        assert_int_equal(trial.error, -EHOSTDOWN);
}

/* Somebody takes connections, and that is all. */
static void time_out(void) {
        _cleanup_close_ int fd = service_listen("127.0.0.1:0");
        Trial trial;

        trial_init_at(&trial, "GET", service_port(fd), "/");
        trial_run(&trial);
        assert_int_equal(trial.error, -ETIMEDOUT);
}

TEST(a_call_that_does_not_move_times_out) {
        client = http_client_free(client);
        client = client_new(50 * USEC_PER_MSEC);
        time_out();
}

TEST(a_call_that_this_side_holds_up_does_not_time_out) {
        Trial trial;

        client = http_client_free(client);
        client = client_new(50 * USEC_PER_MSEC);
        trial_init(&trial, "PUT", "/echo");
        http_call_set_stall_timeout(trial.call, NO_TIMEOUT); /* the server may take its time */
        trial.stall_usec = 50 * USEC_PER_MSEC;
        trial.size = 10;
        trial.allowed = 5;
        http_call_set_source(trial.call, 10, on_read);
        trial_start(&trial);
        wait_for(&trial.paused);

        /* When the second of these has timed out, the first call had time enough for it, too. */
        for (int i = 0; i < 2; i++)
                time_out();

        trial.allowed = 10;
        http_call_resume(trial.call);
        trial_finish(&trial);
        assert_int_equal(trial.error, 0);
        assert_int_equal(trial.body_size, 10);
}

static atomic_int n_left;
static sem_t all_done;

static void start_next(void);

static void on_next_done(HttpCall *call, const HttpResult *result, void *userdata) {
        assert_int_equal(result->status, 200);
        if (atomic_fetch_sub(&n_left, 1) > 1)
                start_next();
        else
                assert_ok(sem_post(&all_done));
}

static void start_next(void) {
        char url[64];
        HttpCall *call;

        (void) snprintf(url, sizeof(url), "http://127.0.0.1:%i/echo", fixture.port);
        assert_ok(http_call_new(client, "POST", url, &call));
        set_body(call, "again");
        http_call_start(call, on_next_done, NULL);
}

TEST(callbacks_may_start_calls) {
        assert_ok(sem_init(&all_done, 0, 0));
        n_left = 100;
        start_next();
        wait_for(&all_done);
}

static void *start_many(void *userdata) {
        Trial trial;

        for (int i = 0; i < 100; i++) {
                trial_init(&trial, "POST", "/echo");
                set_body(trial.call, "the body");
                trial_run(&trial);
                assert_int_equal(trial.error, 0);
                assert_string_equal(trial.body, "the body");
        }

        return NULL;
}

TEST(many_threads_may_call) {
        pthread_t threads[8];

        for (size_t i = 0; i < ELEMENTSOF(threads); i++)
                assert_int_equal(pthread_create(threads + i, NULL, start_many, NULL), 0);
        for (size_t i = 0; i < ELEMENTSOF(threads); i++)
                assert_int_equal(pthread_join(threads[i], NULL), 0);
}

TEST(freeing_the_client_ends_its_calls) {
        Trial trials[20];

        for (size_t i = 0; i < ELEMENTSOF(trials); i++) {
                trial_init(trials + i, "GET", "/park");
                trial_start(trials + i);
        }
        wait_for(&request_parked);
        client = http_client_free(client);

        for (size_t i = 0; i < ELEMENTSOF(trials); i++) {
                assert_int_equal(trials[i].n_done, 1);
                assert_int_equal(trials[i].error, -ESHUTDOWN);
                http_call_resume(trials[i].call); /* no effect any more */
                trial_finish(trials + i);
        }
}

TEST(a_loop_that_fails_ends_all_calls_and_says_so) {
        Trial waiting, late;

        trial_init(&waiting, "GET", "/park");
        trial_start(&waiting);
        wait_for(&request_parked);

        loops_fail = true;
        http_call_resume(waiting.call); /* wakes the loop */
        trial_finish(&waiting);
        loops_fail = false;
        assert_int_equal(waiting.error, -ESHUTDOWN);
        assert_int_equal(broken_by, -EBADF);

        trial_init(&late, "GET", "/echo");
        trial_run(&late);
        assert_int_equal(late.error, -ESHUTDOWN);
        assert_ok(http_request_reply(parked, 204));
}

/* Answers the first request of each connection, and closes it upon the second. */
static void *serve_once(void *userdata) {
        int *listener = userdata;
        char request[4096];

        for (int i = 0; i < 2; i++) {
                int fd = accept(*listener, NULL, NULL);

                assert_ok(fd);
                receive_until(fd, "\r\n\r\n", request, sizeof(request));
                send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
                if (i == 0)
                        receive_until(fd, "\r\n\r\n", request, sizeof(request));
                else
                        (void) recv(fd, request, sizeof(request), 0); /* the client closes first */
                close(fd);
        }

        return NULL;
}

TEST(a_lost_connection_is_replaced_once) {
        int listener = service_listen("127.0.0.1:0"), flags = fcntl(listener, F_GETFL);
        pthread_t server;
        Trial trial;

        assert_ok(fcntl(listener, F_SETFL, flags & ~O_NONBLOCK));
        assert_int_equal(pthread_create(&server, NULL, serve_once, &listener), 0);
        for (int i = 0; i < 2; i++) {
                trial_init_at(&trial, "GET", service_port(listener), "/");
                trial_run(&trial);
                assert_int_equal(trial.error, 0);
                assert_string_equal(trial.body, "ok");
        }

        client = http_client_free(client);
        assert_int_equal(pthread_join(server, NULL), 0);
        close(listener);
}

#define CLIENT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                CLIENT_TEST(methods_headers_and_bodies_arrive),
                CLIENT_TEST(sources_pause_and_go_on),
                CLIENT_TEST(a_source_that_fails_ends_the_call),
                CLIENT_TEST(sinks_pause_and_go_on),
                CLIENT_TEST(a_sink_that_fails_ends_the_call),
                CLIENT_TEST(answers_too_large_to_collect_are_refused),
                CLIENT_TEST(calls_can_be_canceled),
                CLIENT_TEST(nobody_listening_is_no_connection),
                CLIENT_TEST(a_call_that_does_not_move_times_out),
                CLIENT_TEST(a_call_that_this_side_holds_up_does_not_time_out),
                CLIENT_TEST(callbacks_may_start_calls),
                CLIENT_TEST(many_threads_may_call),
                CLIENT_TEST(freeing_the_client_ends_its_calls),
                CLIENT_TEST(a_loop_that_fails_ends_all_calls_and_says_so),
                CLIENT_TEST(a_lost_connection_is_replaced_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
