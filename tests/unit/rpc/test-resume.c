/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A sink that has paused its call, and fails when it goes on. libcurl tells nobody of that. */

#include "test.h"

#include <stdatomic.h>

#include "http/http.h"
#include "rpc/client.h"

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

#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
int main(void) {
        const struct CMUnitTest tests[] = {
                RUN(a_sink_that_fails_when_its_call_is_resumed_ends_it_at_once),
                RUN(so_does_one_that_goes_on_after_a_while),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
