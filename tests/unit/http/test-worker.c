/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "http/http.h"
#include "loop/loops.h"

/* Which loop serves a connection, as the loops are more or less busy. */

#define N_CONNECTIONS 4

/* In this time a worker looks more than once whether connections should move. */
#define LOOKS_USEC (300 * USEC_PER_MSEC)

/* New for each test */
static Fixture fixture;
static Loops *loops;

static int where_finish(HttpRequest *request) {
        char place[32];

        (void) snprintf(place, sizeof(place), "[%zu]", loops_here(loops));
        return http_request_reply_data(request, 200, NULL, place, strlen(place));
}

static ssize_t put_body(HttpRequest *request, const void *data, size_t size) {
        return (ssize_t) size;
}

/* clang-format off */
static const HttpRoute routes[] = {
        { "GET", "/where", HTTP_PUBLIC, .finish = where_finish },
        { "PUT", "/where", HTTP_PUBLIC, .body = put_body, .finish = where_finish },
        {}
};
/* clang-format on */

static const HttpServerOptions options = {
        .connections_max = 100,
        .header_max = 8 * KIB,
        .timeout_usec = NO_TIMEOUT,
        .routes = routes,
};

static void pretend(unsigned first, unsigned second) {
        loop_pretend_load(loops_get(loops, 0), first);
        loop_pretend_load(loops_get(loops, 1), second);
}

static int setup(void **state) {
        HttpServerOptions with_loops = options;

        assert_ok(loops_new(2, &loops));
        pretend(0, 0);
        with_loops.loops = loops;
        fixture_start_with(&fixture, with_loops);
        return 0;
}

static int teardown(void **state) {
        fixture_stop(&fixture);
        loops = loops_free(loops);
        return 0;
}

static size_t hear_where(int fd) {
        char answer[1024];

        receive_until(fd, "]", answer, sizeof(answer));
        return (size_t) (strchr(answer, '[')[1] - '0');
}

/* Which loop a connection is served by. */
static size_t ask(int fd) {
        send_text(fd, "GET /where HTTP/1.1\r\nHost: a\r\n\r\n");
        return hear_where(fd);
}

/* Asks on each, and returns how many are served by the second loop. */
static size_t count_on_second(const int *fds, size_t n) {
        size_t count = 0;

        for (size_t i = 0; i < n; i++)
                count += ask(fds[i]);
        return count;
}

static void connect_all(int *fds, size_t n) {
        for (size_t i = 0; i < n; i++) {
                fds[i] = fixture_connect(&fixture);
                (void) ask(fds[i]); /* it is served by now */
        }
}

static void close_all(const int *fds, size_t n) {
        for (size_t i = 0; i < n; i++)
                close(fds[i]);
}

/* It takes some requests, over some time. */
static void await_on_second(const int *fds, size_t n, size_t count) {
        uint64_t deadline = clock_monotonic() + PATIENCE_SEC * USEC_PER_SEC;

        while (count_on_second(fds, n) != count)
                assert_true(clock_monotonic() < deadline);
}

TEST(a_loop_that_is_not_full_gets_all_connections) {
        int fds[N_CONNECTIONS];

        pretend(79, 0);
        connect_all(fds, N_CONNECTIONS);
        assert_int_equal(count_on_second(fds, N_CONNECTIONS), 0);
        close_all(fds, N_CONNECTIONS);
}

TEST(a_full_loop_gets_no_connections) {
        int fds[N_CONNECTIONS];

        pretend(80, 79);
        connect_all(fds, N_CONNECTIONS);
        assert_int_equal(count_on_second(fds, N_CONNECTIONS), N_CONNECTIONS);
        close_all(fds, N_CONNECTIONS);
}

TEST(loops_that_are_all_full_share_them) {
        int fds[N_CONNECTIONS];

        pretend(80, 100);
        connect_all(fds, N_CONNECTIONS);
        assert_int_equal(count_on_second(fds, N_CONNECTIONS), N_CONNECTIONS / 2);
        close_all(fds, N_CONNECTIONS);
}

TEST(connections_leave_a_full_loop_but_for_one) {
        int fds[N_CONNECTIONS];

        connect_all(fds, N_CONNECTIONS);
        pretend(80, 49);
        await_on_second(fds, N_CONNECTIONS, N_CONNECTIONS - 1);
        for (uint64_t end = clock_monotonic() + LOOKS_USEC; clock_monotonic() < end;)
                assert_int_equal(count_on_second(fds, N_CONNECTIONS), N_CONNECTIONS - 1);
        close_all(fds, N_CONNECTIONS);
}

TEST(connections_come_together_where_there_is_room_for_all) {
        int fds[N_CONNECTIONS];

        pretend(100, 0);
        connect_all(fds, N_CONNECTIONS);
        pretend(29, 20);
        await_on_second(fds, N_CONNECTIONS, 0);
        close_all(fds, N_CONNECTIONS);
}

TEST(a_request_stays_where_it_began) {
        static const char *const beginnings[] = {
                "PUT /where HTTP/1.1\r\nHost: a\r\n",
                "PUT /where HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n",
                "PUT /where HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na",
        };
        static const char *const ends[] = { "Content-Length: 2\r\n\r\nab", "ab", "b" };

        for (size_t i = 0; i < ELEMENTSOF(beginnings); i++) {
                int fds[3];

                pretend(0, 0);
                connect_all(fds, ELEMENTSOF(fds));
                send_text(fds[0], beginnings[i]);
                assert_int_equal(ask(fds[1]), 0); /* what was sent before was received before */
                pretend(100, 0);
                await_on_second(fds + 1, 2, 2);
                send_text(fds[0], ends[i]);
                assert_int_equal(hear_where(fds[0]), 0);
                close_all(fds, ELEMENTSOF(fds));
        }
}

static atomic_bool is_over;

/* Asks as often as it can, whether it gets an answer or not, without a pause. */
static void *ask_and_ask(void *userdata) {
        static const char request[] = "GET /where HTTP/1.1\r\nHost: a\r\n\r\n";
        char answer[512];

        while (!is_over) {
                int fd = fixture_connect(&fixture);

                while (!is_over && send(fd, request, strlen(request), MSG_NOSIGNAL) > 0 &&
                       recv(fd, answer, sizeof(answer), 0) > 0)
                        ;
                close(fd);
        }
        return NULL;
}

/* A server looks at the first request whether a connection should move. */
TEST(connections_may_be_on_their_way_when_the_server_ends) {
        HttpServerOptions with_loops = options;
        pthread_t clients[4];
        int fd;

        fixture_stop(&fixture);
        fd = service_listen("127.0.0.1:0");
        fixture.port = service_port(fd);
        with_loops.loops = loops;
        is_over = false;
        for (size_t i = 0; i < ELEMENTSOF(clients); i++)
                assert_int_equal(pthread_create(clients + i, NULL, ask_and_ask, NULL), 0);

        for (unsigned i = 0; i < 50; i++) {
                int own;

                pretend(0, 0);
                with_loops.listen_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
                assert_ok(http_server_new(&with_loops, &fixture.server));
                own = fixture_connect(&fixture);
                (void) ask(own);
                pretend(i % 2 == 0 ? 100 : 20, i % 2 == 0 ? 0 : 20);
                (void) ask(own);
                fixture_stop(&fixture);
                close(own);
        }

        with_loops.listen_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        assert_ok(http_server_new(&with_loops, &fixture.server));
        is_over = true;
        for (size_t i = 0; i < ELEMENTSOF(clients); i++)
                assert_int_equal(pthread_join(clients[i], NULL), 0);
        close(fd);
}

#define WORKER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                WORKER_TEST(a_loop_that_is_not_full_gets_all_connections),
                WORKER_TEST(a_full_loop_gets_no_connections),
                WORKER_TEST(loops_that_are_all_full_share_them),
                WORKER_TEST(connections_leave_a_full_loop_but_for_one),
                WORKER_TEST(connections_come_together_where_there_is_room_for_all),
                WORKER_TEST(a_request_stays_where_it_began),
                WORKER_TEST(connections_may_be_on_their_way_when_the_server_ends),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
