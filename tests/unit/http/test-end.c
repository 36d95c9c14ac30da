/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <stdatomic.h>

#include "http/http.h"

/* Clients that send no more: whether they are gone, or only have said all. */

typedef struct Seen {
        sem_t begun, ended, blocked, unblocked;
        atomic_int n_finished, n_ended;
} Seen;

/* New for each test */
static Fixture fixture;
static Seen *seen;

static int put_begin(HttpRequest *request) {
        assert_ok(sem_post(&seen->begun));
        return 0;
}

static ssize_t put_body(HttpRequest *request, const void *data, size_t size) {
        return (ssize_t) size;
}

static int put_finish(HttpRequest *request) {
        seen->n_finished++;
        return http_request_reply(request, 201);
}

static void put_end(HttpRequest *request) {
        seen->n_ended++;
        assert_ok(sem_post(&seen->ended));
}

static int hello_finish(HttpRequest *request) {
        return http_request_reply_data(request, 200, NULL, "hello", 5);
}

/* Keeps the server's only thread. */
static int block_finish(HttpRequest *request) {
        assert_ok(sem_post(&seen->blocked));
        wait_for(&seen->unblocked);
        return http_request_reply(request, 204);
}

/* clang-format off */
static const HttpRoute routes[] = {
        { "GET", "/hello", HTTP_PUBLIC, .finish = hello_finish                   },
        { "GET", "/block", HTTP_PUBLIC, .finish = block_finish                   },
        { "PUT", "/put",   HTTP_PUBLIC, put_begin, put_body, put_finish, put_end },
        {}
};
/* clang-format on */

static int setup(void **state) {
        seen = calloc(1, sizeof(*seen));
        assert_non_null(seen);
        assert_ok(sem_init(&seen->begun, 0, 0));
        assert_ok(sem_init(&seen->ended, 0, 0));
        assert_ok(sem_init(&seen->blocked, 0, 0));
        assert_ok(sem_init(&seen->unblocked, 0, 0));

        fixture_start_with(
                        &fixture, (HttpServerOptions){
                                                  .n_threads = 1,
                                                  .connections_max = 100,
                                                  .header_max = 8 * KIB,
                                                  .timeout_usec = NO_TIMEOUT,
                                                  .routes = routes,
                                                  .userdata = seen,
                                  });
        return 0;
}

static int teardown(void **state) {
        fixture_stop(&fixture);
        free(seen);
        return 0;
}

/* A connection that the server knows and waits for. */
static int connect_and_greet(void) {
        int fd = fixture_connect(&fixture);
        char answer[4096];

        send_text(fd, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
        receive_until(fd, "\r\n\r\nhello", answer, sizeof(answer));
        return fd;
}

static int block_server(void) {
        int fd = fixture_connect(&fixture);

        send_text(fd, "GET /block HTTP/1.1\r\n" CLOSE "\r\n");
        wait_for(&seen->blocked);
        return fd;
}

static void unblock_server(int fd) {
        char answer[4096];

        assert_ok(sem_post(&seen->unblocked));
        (void) receive_all(fd, answer, sizeof(answer));
        assert_status(answer, 204);
}

TEST(end_but_not_finish_if_the_client_goes_away) {
        static const char *const requests[] = {
                "PUT /put HTTP/1.1\r\n" CLOSE "Content-Length: 10\r\n\r\nabc",
                "PUT /put HTTP/1.1\r\n" CLOSE "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
                "PUT /put HTTP/1.1\r\n" CLOSE "Transfer-Encoding: chunked\r\n\r\n10\r\nabc",
        };

        for (size_t i = 0; i < ELEMENTSOF(requests); i++)
                for (int reset = 0; reset < 2; reset++) {
                        struct linger linger = { .l_onoff = 1 };
                        int fd = fixture_connect(&fixture);

                        send_text(fd, requests[i]);
                        wait_for(&seen->begun);
                        if (reset)
                                assert_ok(
                                                setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger,
                                                           sizeof(linger)));
                        close(fd);
                        wait_for(&seen->ended);
                }

        assert_int_equal(seen->n_finished, 0);
        assert_int_equal(seen->n_ended, 2 * ELEMENTSOF(requests));
        assert_ok(http_server_drain(fixture.server, PATIENCE_SEC * USEC_PER_SEC));
}

/* The data and the end of the stream reach the server as one event. */
TEST(an_end_right_behind_data_is_noticed) {
        for (int i = 0; i < 100; i++) {
                int fd = fixture_connect(&fixture);

                send_text(fd, "PUT /put HTTP/1.1\r\n" CLOSE "Content-Length: 10\r\n\r\n");
                wait_for(&seen->begun);
                send_text(fd, "abc");
                close(fd);
                wait_for(&seen->ended);
        }

        assert_int_equal(seen->n_finished, 0);
}

#define SIZED   "PUT /put HTTP/1.1\r\n" CLOSE "Content-Length: 3\r\n\r\n"
#define CHUNKED "PUT /put HTTP/1.1\r\n" CLOSE "Transfer-Encoding: chunked\r\n\r\n"

/* All of it reaches the server as one event. */
TEST(an_end_that_came_with_the_rest_is_noticed) {
        static const char *const requests[] = {
                SIZED,
                SIZED "ab",
                CHUNKED,
                CHUNKED "3",
                CHUNKED "3\r\n",
                CHUNKED "3\r\nab",
                CHUNKED "3\r\nabc\r\n",
                CHUNKED "3\r\nabc\r\n0",
        };
        int fds[ELEMENTSOF(requests)], blocker;

        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                fds[i] = connect_and_greet();

        blocker = block_server();
        for (size_t i = 0; i < ELEMENTSOF(fds); i++) {
                send_text(fds[i], requests[i]);
                close(fds[i]);
        }
        unblock_server(blocker);

        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                wait_for(&seen->ended);
        assert_int_equal(seen->n_finished, 0);
}

TEST(who_has_said_all_gets_an_answer) {
        static const char *const requests[] = {
                SIZED "abc",
                CHUNKED "0\r\n\r\n",
                CHUNKED "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
        };
        int fds[ELEMENTSOF(requests)], blocker;
        char answer[4096];

        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                fds[i] = connect_and_greet();

        blocker = block_server();
        for (size_t i = 0; i < ELEMENTSOF(fds); i++) {
                send_text(fds[i], requests[i]);
                assert_ok(shutdown(fds[i], SHUT_WR));
        }
        unblock_server(blocker);

        for (size_t i = 0; i < ELEMENTSOF(fds); i++) {
                (void) receive_all(fds[i], answer, sizeof(answer));
                assert_status(answer, 201);
        }
}

#define END_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                END_TEST(end_but_not_finish_if_the_client_goes_away),
                END_TEST(an_end_right_behind_data_is_noticed),
                END_TEST(an_end_that_came_with_the_rest_is_noticed),
                END_TEST(who_has_said_all_gets_an_answer),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
