/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Calls that go on after a pause: a sink that fails then, of which libcurl tells nobody; and a call
 * that has ended meanwhile. */

#include "test.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>

#include "http/http.h"
#include "rpc/call.h"

static Fixture fixture;
static HttpClient *client;
static sem_t paused, done;
static atomic_int sink_error; /* that the sink returns; 0 to pause */
static int call_error;

/* A few bytes, and then nothing more: nothing else that happens would end the call. */
static ssize_t drip_read(void *userdata, void *data, size_t size) {
        static bool is_dry;

        is_dry = !is_dry;
        if (!is_dry)
                return -EAGAIN;
        memset(data, 0, MIN(size, 1000U));
        return (ssize_t) MIN(size, 1000U);
}

static int drip_finish(HttpRequest *request) {
        HttpStream drip = { .read = drip_read };

        return http_request_reply_stream(request, 200, HTTP_SIZE_UNKNOWN, &drip);
}

static int on_head(HttpCall *call, unsigned status, void *userdata) {
        return 0;
}

static int on_body(void *userdata, const void *data, size_t size) {
        if (sink_error < 0)
                return sink_error;
        assert_ok(sem_post(&paused));
        return -EAGAIN;
}

/* It goes on by itself, soon. */
static int on_late_body(void *userdata, const void *data, size_t size) {
        HttpCall **call = userdata;

        if (sink_error < 0)
                return sink_error;
        assert_ok(http_call_resume_after(*call, USEC_PER_MSEC));
        assert_ok(sem_post(&paused));
        return -EAGAIN;
}

static void on_done(HttpCall *call, const HttpResult *result, void *userdata) {
        call_error = result->error;
        assert_ok(sem_post(&done));
}

static int setup(void **state) {
        static const HttpRoute routes[] = { { "GET", "/drip", HTTP_PUBLIC, .finish = drip_finish },
                                            {} };
        HttpClientOptions options = {
                .connect_timeout_usec = PATIENCE_SEC * USEC_PER_SEC,
                .stall_timeout_usec = NO_TIMEOUT,
                .connections_max = 4,
                .secret = "0123456789abcdef",
                .secret_size = 16,
        };

        sink_error = call_error = 0;
        assert_ok(sem_init(&paused, 0, 0));
        assert_ok(sem_init(&done, 0, 0));
        fixture_start(&fixture, routes, NULL);
        assert_ok(http_client_new(&options, &client));
        return 0;
}

static int teardown(void **state) {
        client = http_client_free(client);
        fixture_stop(&fixture);
        return 0;
}

static HttpCall *start(
                int (*sink)(void *userdata, const void *data, size_t size), HttpCall **kept) {
        char url[64];
        HttpCall *call;

        (void) snprintf(url, sizeof(url), "http://127.0.0.1:%i/drip", fixture.port);
        assert_ok(http_call_new(client, "GET", url, &call));
        *kept = call;
        http_call_set_sink(call, on_head, sink);
        (void) http_call_ref(call);
        http_call_start(call, on_done, kept);
        wait_for(&paused);
        return call;
}

TEST(a_sink_that_fails_when_its_call_is_resumed_ends_it_at_once) {
        HttpCall *kept, *call = start(on_body, &kept);

        sink_error = -ESHUTDOWN;
        http_call_resume(call);
        wait_for(&done);
        assert_int_equal(call_error, -ESHUTDOWN);
        (void) http_call_unref(call);
}

TEST(so_does_one_that_goes_on_after_a_while) {
        HttpCall *kept, *call = start(on_late_body, &kept);

        wait_for(&paused);
        sink_error = -ENOSPC;
        wait_for(&done);
        assert_int_equal(call_error, -ENOSPC);
        (void) http_call_unref(call);
}

static ssize_t on_dry_read(void *userdata, void *data, size_t size) {
        assert_ok(sem_post(&paused));
        return -EAGAIN;
}

/* The answer breaks off behind the headers, before anybody could go on. */
static int on_head_resume(HttpCall *call, unsigned status, void *userdata) {
        http_call_resume(call);
        return 0;
}

static int on_any_body(void *userdata, const void *data, size_t size) {
        return 0;
}

/* Answers one request, whose source has paused, with what is no chunk. */
static void *serve_nonsense(void *userdata) {
        static const char answer[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";
        int *listener = userdata, fd = accept4(*listener, NULL, NULL, SOCK_CLOEXEC);

        assert_true(fd >= 0);
        wait_for(&paused);
        assert_int_equal(write(fd, answer, strlen(answer)), strlen(answer));
        wait_for(&paused); /* posted by the test, when the call is over */
        (void) close(fd);
        return NULL;
}

TEST(a_call_that_has_ended_keeps_its_error_when_it_is_resumed) {
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(address);
        int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        pthread_t thread;
        HttpCall *call;
        char url[64];

        assert_true(listener >= 0);
        assert_ok(bind(listener, (struct sockaddr *) &address, size));
        assert_ok(listen(listener, 1));
        assert_ok(getsockname(listener, (struct sockaddr *) &address, &size));
        assert_ok(pthread_create(&thread, NULL, serve_nonsense, &listener));

        (void) snprintf(url, sizeof(url), "http://127.0.0.1:%u/", ntohs(address.sin_port));
        assert_ok(http_call_new(client, "PUT", url, &call));
        http_call_set_source(call, 1000, on_dry_read);
        http_call_set_sink(call, on_head_resume, on_any_body);
        http_call_start(call, on_done, NULL);
        wait_for(&done);
        assert_int_equal(call_error, -ECONNRESET);

        assert_ok(sem_post(&paused));
        assert_ok(pthread_join(thread, NULL));
        (void) close(listener);
}

#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
int main(void) {
        const struct CMUnitTest tests[] = {
                RUN(a_sink_that_fails_when_its_call_is_resumed_ends_it_at_once),
                RUN(so_does_one_that_goes_on_after_a_while),
                RUN(a_call_that_has_ended_keeps_its_error_when_it_is_resumed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
