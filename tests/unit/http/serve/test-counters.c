/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <pthread.h>

#include "base/clock.h"
#include "http/http.h"

static Fixture fixture;

static int hello_finish(HttpRequest *request) {
        return http_request_reply_data(request, 200, "text/plain", "hello", 5);
}

static int fail_finish(HttpRequest *request) {
        return -EHOSTDOWN;
}

static ssize_t put_body(HttpRequest *request, const void *data, size_t size) {
        return (ssize_t) size;
}

static int put_finish(HttpRequest *request) {
        return http_request_reply(request, 201);
}

/* Four bytes in two pieces */
static ssize_t read_twice(void *userdata, void *data, size_t size) {
        int *n_left = userdata;

        if ((*n_left)-- == 0)
                return 0;
        memcpy(data, "ab", 2);
        return 2;
}

static int stream_finish(HttpRequest *request) {
        static int n_left;

        n_left = 2;
        return http_request_reply_stream(
                        request, 200, 4, &(HttpStream){ .read = read_twice, .userdata = &n_left });
}

/* clang-format off */
static const HttpRoute routes[] = {
        { "GET",    "/-/hello", HTTP_PUBLIC, .finish = hello_finish                  },
        { "GET",    "/hello",   HTTP_PUBLIC, .finish = hello_finish                  },
        { "GET",    "/fail",    HTTP_PUBLIC, .finish = fail_finish                   },
        { "GET",    "/-/fail",  HTTP_PUBLIC, .finish = fail_finish                   },
        { "GET",    "/stream",  HTTP_PUBLIC, .finish = stream_finish                 },
        { "PUT",    "/put",     HTTP_PUBLIC, .body = put_body, .finish = put_finish  },
        { "POST",   "/put",     HTTP_PUBLIC, .body = put_body, .finish = put_finish  },
        { "DELETE", "/hello",   HTTP_PUBLIC, .finish = put_finish                    },
        {}
};
/* clang-format on */

static int setup(void **state) {
        fixture_start(&fixture, routes, NULL);
        return 0;
}

static int teardown(void **state) {
        fixture_stop(&fixture);
        return 0;
}

/* The client has its answer before the server has counted it, and before that has closed the
 * connection. All is counted once nothing is under way; what is read only then is complete. */
static Traffic count_after(uint64_t n_requests, unsigned n_connections) {
        uint64_t deadline = clock_monotonic() + PATIENCE_SEC * USEC_PER_SEC;
        Traffic counters;

        do
                http_server_counters(fixture.server, &counters);
        while ((counters.requests != n_requests || counters.active_requests > 0 ||
                counters.connections != n_connections) &&
               clock_monotonic() < deadline);

        http_server_counters(fixture.server, &counters);
        assert_int_equal(counters.requests, n_requests);
        assert_int_equal(counters.active_requests, 0);
        assert_int_equal(counters.connections, n_connections);
        return counters;
}

static void ask(const char *method, const char *target, size_t n) {
        for (size_t i = 0; i < n; i++)
                (void) exchange_simple(&fixture, method, target);
}

TEST(requests_are_counted_by_kind) {
        Traffic counters;

        ask("GET", "/hello", 2);
        ask("HEAD", "/hello", 1);
        ask("PUT", "/put", 3);
        ask("POST", "/put", 2);
        ask("DELETE", "/hello", 4);
        ask("GET", "/-/hello", 7);
        ask("OPTIONS", "/hello", 1);

        counters = count_after(20, 0);
        assert_int_equal(counters.reads, 3);
        assert_int_equal(counters.writes, 5);
        assert_int_equal(counters.deletes, 4);
        assert_int_equal(counters.errors, 0); /* 405 is the client's */
}

static uint64_t count_latencies(HttpKind kind, uint64_t *ret_max) {
        static Histogram latency;

        memset(&latency, 0, sizeof(latency));
        http_server_latency(fixture.server, kind, &latency);
        *ret_max = latency.max;
        return latency.count;
}

/* Each of clients' requests, with how long it took; those of daemons are not among them. */
TEST(latencies_are_counted_by_kind) {
        static const uint64_t expected[] = { [HTTP_READ] = 3, [HTTP_WRITE] = 2, [HTTP_DELETE] = 1 };
        uint64_t begin = clock_monotonic(), max;

        ask("GET", "/hello", 2);
        ask("HEAD", "/hello", 1);
        ask("PUT", "/put", 2);
        ask("DELETE", "/hello", 1);
        ask("GET", "/-/hello", 5);
        (void) count_after(11, 0);
        for (HttpKind kind = HTTP_READ; kind < _HTTP_KIND_MAX; kind++) {
                assert_int_equal(count_latencies(kind, &max), expected[kind]);
                assert_true(max <= clock_monotonic() - begin);
        }
}

TEST(errors_of_ours_are_counted) {
        Traffic counters;

        ask("GET", "/fail", 3);
        ask("GET", "/nothing", 2);
        ask("GET", "/-/fail", 1); /* such as that nothing is well */
        counters = count_after(6, 0);
        assert_int_equal(counters.errors, 3);
        assert_int_equal(counters.reads, 5);
}

TEST(clients_are_told_from_daemons) {
        ask("GET", "/-/hello", 2);
        (void) count_after(2, 0);
        assert_false(http_server_has_clients(fixture.server));

        ask("GET", "/hello", 1);
        (void) count_after(3, 0);
        assert_true(http_server_has_clients(fixture.server));
}

TEST(bytes_of_bodies_are_counted) {
        Traffic counters;

        ask("GET", "/hello", 2);
        ask("HEAD", "/hello", 1); /* has none */
        ask("GET", "/stream", 1);
        (void) exchange(&fixture, "PUT /put HTTP/1.1\r\n" CLOSE "Content-Length: 7\r\n\r\n1234567");
        counters = count_after(5, 0);
        assert_int_equal(counters.bytes_sent, 2 * 5 + 4);
        assert_int_equal(counters.bytes_received, 7);
}

TEST(connections_are_those_that_are_open) {
        char answer[1024];
        int fds[3];

        for (size_t i = 0; i < ELEMENTSOF(fds); i++) {
                fds[i] = fixture_connect(&fixture);
                send_text(fds[i], "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
                receive_until(fds[i], "hello", answer, sizeof(answer));
        }
        (void) count_after(ELEMENTSOF(fds), ELEMENTSOF(fds));
        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                close(fds[i]);
        (void) count_after(ELEMENTSOF(fds), 0);
}

#define REQUESTS 200

static void *client(void *userdata) {
        char answer[1024];
        int fd = fixture_connect(&fixture);

        for (size_t i = 0; i < REQUESTS; i++) {
                send_text(fd, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
                receive_until(fd, "hello", answer, sizeof(answer));
        }
        close(fd);
        return NULL;
}

TEST(no_count_is_lost_between_threads) {
        Traffic counters;
        pthread_t clients[8];

        for (size_t i = 0; i < ELEMENTSOF(clients); i++)
                assert_int_equal(pthread_create(clients + i, NULL, client, NULL), 0);
        for (size_t i = 0; i < ELEMENTSOF(clients); i++)
                assert_int_equal(pthread_join(clients[i], NULL), 0);

        counters = count_after(ELEMENTSOF(clients) * REQUESTS, 0);
        assert_int_equal(counters.reads, ELEMENTSOF(clients) * REQUESTS);
        assert_int_equal(counters.bytes_sent, 5 * ELEMENTSOF(clients) * REQUESTS);
}

#define SERVER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                SERVER_TEST(requests_are_counted_by_kind),
                SERVER_TEST(latencies_are_counted_by_kind),
                SERVER_TEST(errors_of_ours_are_counted),
                SERVER_TEST(clients_are_told_from_daemons),
                SERVER_TEST(bytes_of_bodies_are_counted),
                SERVER_TEST(connections_are_those_that_are_open),
                SERVER_TEST(no_count_is_lost_between_threads),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
