/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "http/http.h"

#define REQUEST "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"

static Fixture fixture;
static _Atomic(HttpRequest *) waiting;

static int hello_finish(HttpRequest *request) {
        return http_request_reply_data(request, 200, "text/plain", "hello", 5);
}

static int later_finish(HttpRequest *request) {
        waiting = request;
        return HTTP_LATER;
}

/* clang-format off */
static const HttpRoute routes[] = {
        { "GET", "/hello", HTTP_PUBLIC, .finish = hello_finish },
        { "GET", "/later", HTTP_PUBLIC, .finish = later_finish },
        {}
};
/* clang-format on */

static int setup(void **state) {
        waiting = NULL;
        fixture_start(&fixture, routes, NULL);
        return 0;
}

static int teardown(void **state) {
        fixture_stop(&fixture);
        return 0;
}

/* The kernel accepts a connection before the server does. */
static void await_connections(unsigned n) {
        uint64_t deadline = clock_monotonic() + PATIENCE_SEC * USEC_PER_SEC;
        Traffic counters;

        do
                http_server_counters(fixture.server, &counters);
        while (counters.connections != n && clock_monotonic() < deadline);

        assert_int_equal(counters.connections, n);
}

static int connect_and_ask(void) {
        char answer[1024];
        int fd = fixture_connect(&fixture);

        send_text(fd, REQUEST);
        receive_until(fd, "hello", answer, sizeof(answer));
        assert_lacks(answer, "Connection: close");
        return fd;
}

static void assert_served_and_closed(int fd) {
        char answer[1024];

        send_text(fd, REQUEST);
        (void) receive_all(fd, answer, sizeof(answer));
        assert_status(answer, 200);
        assert_contains(answer, "Connection: close");
        assert_contains(answer, "hello");
}

TEST(open_connections_are_served_to_their_end) {
        char answer[1024];
        int fresh, used, slow;

        slow = fixture_connect(&fixture);
        send_text(slow, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
        used = connect_and_ask();
        fresh = fixture_connect(&fixture);
        await_connections(3);
        while (!waiting)
                (void) usleep(USEC_PER_MSEC);

        assert_int_equal(http_server_drain(fixture.server, 0), -ETIMEDOUT);
        assert_served_and_closed(used);
        assert_served_and_closed(fresh);
        assert_int_equal(http_server_drain(fixture.server, 0), -ETIMEDOUT);

        assert_ok(http_request_reply(waiting, 204));
        (void) receive_all(slow, answer, sizeof(answer));
        assert_status(answer, 204);
        assert_int_equal(http_server_drain(fixture.server, PATIENCE_SEC * USEC_PER_SEC), 0);
}

TEST(a_request_on_its_way_is_waited_for) {
        int idle = connect_and_ask();

        /* There is no request, but there may be one any time. */
        assert_int_equal(http_server_drain(fixture.server, 0), -ETIMEDOUT);
        assert_served_and_closed(idle);
        await_connections(0);
        assert_int_equal(http_server_drain(fixture.server, 0), 0);
}

TEST(an_idle_connection_is_cut_in_the_end_without_an_answer) {
        uint64_t start = clock_monotonic();
        char answer[1024];
        int idle = connect_and_ask();

        assert_int_equal(http_server_drain(fixture.server, PATIENCE_SEC * USEC_PER_SEC), 0);
        assert_true(clock_monotonic() - start < PATIENCE_SEC * USEC_PER_SEC / 2);

        send_text(idle, REQUEST);
        assert_int_equal(receive_all(idle, answer, sizeof(answer)), 0);
}

#define SERVER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                SERVER_TEST(open_connections_are_served_to_their_end),
                SERVER_TEST(a_request_on_its_way_is_waited_for),
                SERVER_TEST(an_idle_connection_is_cut_in_the_end_without_an_answer),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
