/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "http/http.h"
#include "http/serve/guard.h"

/* What the handlers saw, and what they are to do. */
typedef struct Seen {
        sem_t begun, parked, ended;
        atomic_int n_finished, n_ended;
        _Atomic(HttpRequest *) request; /* the one that waits for somebody else */
        atomic_size_t bytes;
        size_t piece_max; /* that body() takes at once; then it wants to be resumed */
        int body_error, begin_error;
        atomic_bool reply_in_begin;
} Seen;

/* New for each test */
static Fixture fixture;
static Seen *seen;

static int hello_finish(HttpRequest *request) {
        assert_ok(http_request_add_header(request, "Dkv-Version", "7"));
        return http_request_reply_data(request, 200, "text/plain", "hello", 5);
}

static int echo_finish(HttpRequest *request) {
        char text[512], parameter[32];
        int r;

        r = http_request_parameter(request, "p", parameter, sizeof(parameter));
        (void) snprintf(text, sizeof(text), "%s|%s|%s|%i|%s|%s", http_request_method(request),
                        http_request_path(request), http_request_query(request), r,
                        r >= 0 ? parameter : "", http_request_header(request, "X-Test") ?: "none");
        return http_request_reply_data(request, 200, NULL, text, strlen(text));
}

static int fail_finish(HttpRequest *request) {
        assert_ok(http_request_add_header(request, "Dkv-Version", "7"));
        return -EHOSTDOWN;
}

static int put_begin(HttpRequest *request) {
        assert_ptr_equal(http_request_userdata(request), seen);
        *http_request_state(request) = strdup("state");
        assert_ok(sem_post(&seen->begun));
        if (seen->reply_in_begin)
                return http_request_reply(request, 307);
        return seen->begin_error;
}

static ssize_t put_body(HttpRequest *request, const void *data, size_t size) {
        size_t n = MIN(size, seen->piece_max);

        if (seen->body_error < 0)
                return seen->body_error;

        for (size_t i = 0; i < n; i++)
                if (((const char *) data)[i] != (char) ('a' + (seen->bytes + i) % 23))
                        return -EIO;

        seen->bytes += n;
        if (n < size) {
                seen->request = request;
                assert_ok(sem_post(&seen->parked));
        }
        return (ssize_t) n;
}

static int put_finish(HttpRequest *request) {
        assert_string_equal(*http_request_state(request), "state");
        seen->n_finished++;
        return http_request_reply(request, 201);
}

static void put_end(HttpRequest *request) {
        free(*http_request_state(request));
        seen->n_ended++;
        assert_ok(sem_post(&seen->ended));
}

static int later_finish(HttpRequest *request) {
        seen->request = request;
        assert_ok(sem_post(&seen->parked));
        return HTTP_LATER;
}

static void later_end(HttpRequest *request) {
        seen->n_ended++;
}

/* clang-format off */
static const HttpRoute routes[] = {
        { "GET",    "/hello", HTTP_PUBLIC, .finish = hello_finish                     },
        { "HEAD",   "/head",  HTTP_PUBLIC, .finish = echo_finish                      },
        { "GET",    "/head",  HTTP_PUBLIC, .finish = hello_finish                     },
        { "GET",    "/hello/", HTTP_PUBLIC, .finish = hello_finish                    },
        { "GET",    "/echo",  HTTP_PUBLIC, .finish = echo_finish                      },
        { "GET",    "/echo/", HTTP_PUBLIC, .finish = echo_finish                      },
        { "GET",    "/fail",  HTTP_PUBLIC, .finish = fail_finish                      },
        { "GET",    "/later", HTTP_PUBLIC, .finish = later_finish, .end = later_end   },
        { "PUT",    "/put",   HTTP_PUBLIC, put_begin, put_body, put_finish, put_end   },
        { "DELETE", "/hello", HTTP_PUBLIC, .finish = echo_finish                      },
        {}
};
/* clang-format on */

static int setup(void **state) {
        seen = calloc(1, sizeof(*seen));
        assert_non_null(seen);
        assert_ok(sem_init(&seen->begun, 0, 0));
        assert_ok(sem_init(&seen->parked, 0, 0));
        assert_ok(sem_init(&seen->ended, 0, 0));
        seen->piece_max = SIZE_MAX;

        fixture_start(&fixture, routes, seen);
        return 0;
}

static int teardown(void **state) {
        fixture_stop(&fixture);
        free(seen);
        return 0;
}

TEST(routes_by_method_and_prefix) {
        const char *answer;

        answer = exchange_simple(&fixture, "GET", "/hello/world");
        assert_status(answer, 200);
        assert_contains(answer, "\r\nDkv-Version: 7\r\n");
        assert_contains(answer, "\r\nContent-Type: text/plain\r\n");
        assert_string_equal(body_of(answer), "hello");

        answer = exchange_simple(&fixture, "GET", "/nowhere");
        assert_status(answer, 404);
        assert_contains(answer, "\r\nContent-Type: application/problem+json\r\n");
        assert_contains(body_of(answer), "\"status\":404");

        answer = exchange_simple(&fixture, "PUT", "/hello");
        assert_status(answer, 405);
        assert_contains(answer, "\r\nAllow: GET, HEAD, DELETE, OPTIONS\r\n");
}

TEST(get_answers_head_unless_there_is_a_route_for_it) {
        const char *answer;

        answer = exchange_simple(&fixture, "HEAD", "/hello");
        assert_status(answer, 200);
        assert_contains(answer, "\r\nContent-Length: 5\r\n");
        assert_string_equal(body_of(answer), "");

        answer = exchange_simple(&fixture, "HEAD", "/head");
        assert_lacks(answer, "Dkv-Version");
}

TEST(handlers_see_the_request_as_it_was_sent) {
        assert_string_equal(
                        body_of(exchange(
                                        &fixture, "GET /echo/%41+b?p=%41%20&q=? HTTP/1.1\r\n" CLOSE
                                                  "x-test:  value\r\n\r\n")),
                        "GET|/echo/%41+b|p=%41%20&q=?|2|A |value");
        assert_string_equal(
                        body_of(exchange_simple(&fixture, "GET", "/echo")), "GET|/echo||-2||none");
        assert_string_equal(
                        body_of(exchange_simple(&fixture, "GET", "/echo?pp=1&p&p=2")),
                        "GET|/echo|pp=1&p&p=2|0||none");
        assert_string_equal(
                        body_of(exchange_simple(&fixture, "GET", "/echo?p=%4")),
                        "GET|/echo|p=%4|-22||none");
}

TEST(errors_are_problem_documents) {
        const char *answer = exchange_simple(&fixture, "GET", "/fail");

        assert_status(answer, 503);
        assert_contains(answer, "\r\nRetry-After: 1\r\n");
        assert_lacks(answer, "Dkv-Version"); /* it was for another reply */
        assert_contains(body_of(answer), "\"title\":\"Not enough of the cluster can be reached.\"");
        assert_contains(body_of(answer), "\"type\":\"about:blank\"");
}

TEST(ambiguous_messages_are_refused) {
        static const char *const requests[] = {
                "GET /hello HTTP/1.1\r\n\r\n",
                "GET /hello HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
                "GET /hel lo HTTP/1.1\r\nHost: a\r\n\r\n",
                "PUT /put HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
                "PUT /put HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
                "PUT /put HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                "PUT /put HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
                "PUT /put HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                "PUT /put HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        };

        /* The other end closes: what follows on the connection could be taken for another request.
         */
        for (size_t i = 0; i < ELEMENTSOF(requests); i++) {
                const char *answer = exchange(&fixture, requests[i]);

                assert_status(answer, 400);
                assert_contains(answer, "application/problem+json");
        }

        assert_status(exchange(&fixture, "GET /hello HTTP/1.0\r\n\r\n"), 200); /* needs no Host */
}

TEST(header_sections_have_a_limit) {
        char request[KIB * 17], filler[KIB * 16];

        memset(filler, 'x', sizeof(filler));
        (void) snprintf(request, sizeof(request),
                        "GET /hello HTTP/1.1\r\n" CLOSE "X: %.7000s\r\n\r\n", filler);
        assert_status(exchange(&fixture, request), 200);
        (void) snprintf(request, sizeof(request),
                        "GET /hello HTTP/1.1\r\n" CLOSE "X: %.9000s\r\n\r\n", filler);
        assert_status(exchange(&fixture, request), 431);
        (void) snprintf(request, sizeof(request), "GET /hello/%.9000s HTTP/1.1\r\n" CLOSE "\r\n",
                        filler);
        assert_status(exchange(&fixture, request), 414);
}

TEST(connections_are_kept_alive) {
        int fd = fixture_connect(&fixture);
        char answer[4096];

        for (int i = 0; i < 3; i++) {
                send_text(fd, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
                receive_until(fd, "\r\n\r\nhello", answer, sizeof(answer));
        }
        send_text(fd, "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n");
        receive_until(fd, "}", answer, sizeof(answer));
        assert_status(answer, 404);
        send_text(fd, "PUT /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
        receive_until(fd, "}", answer, sizeof(answer));
        assert_status(answer, 405);
        send_text(fd, "GET /hello HTTP/1.1\r\n" CLOSE "\r\n");
        (void) receive_all(fd, answer, sizeof(answer));
        assert_status(answer, 200);
}

static char *make_put(size_t size, const char *headers) {
        char *request = malloc(size + 256);
        int n;

        assert_non_null(request);
        n = snprintf(request, 256, "PUT /put HTTP/1.1\r\n" CLOSE "Content-Length: %zu\r\n%s\r\n",
                     size, headers);
        for (size_t i = 0; i < size; i++)
                request[(size_t) n + i] = (char) ('a' + i % 23);
        request[(size_t) n + size] = '\0';
        return request;
}

static void *resume_parked(void *userdata) {
        for (;;) {
                HttpRequest *request;

                wait_for(&seen->parked);
                request = seen->request;
                if (!request)
                        return NULL;
                http_request_resume(request);
        }
}

TEST(bodies_arrive_whole_however_little_is_taken_at_once) {
        _cleanup_free_ char *request = make_put(3000000, "");
        pthread_t resumer;

        seen->piece_max = 5000;
        assert_int_equal(pthread_create(&resumer, NULL, resume_parked, NULL), 0);
        assert_status(exchange(&fixture, request), 201);
        wait_for(&seen->ended);
        assert_int_equal(seen->bytes, 3000000);
        assert_int_equal(seen->n_finished, 1);

        seen->request = NULL;
        assert_ok(sem_post(&seen->parked));
        assert_int_equal(pthread_join(resumer, NULL), 0);
}

TEST(chunked_bodies_arrive) {
        assert_status(exchange(&fixture,
                               "PUT /put HTTP/1.1\r\n" CLOSE "Transfer-Encoding: chunked\r\n\r\n"
                               "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"),
                      201);
        assert_int_equal(seen->bytes, 5);
}

TEST(an_error_in_the_middle_of_a_body_is_the_answer) {
        _cleanup_free_ char *request = make_put(1000000, "");

        seen->body_error = -ENOSPC;
        assert_status(exchange(&fixture, request), 507);
        wait_for(&seen->ended);
        assert_int_equal(seen->n_finished, 0);
        assert_int_equal(seen->n_ended, 1);
}

TEST(bodies_are_refused_where_none_belongs) {
        assert_status(exchange(&fixture,
                               "GET /hello HTTP/1.1\r\n" CLOSE "Content-Length: 3\r\n\r\nabc"),
                      413);
        assert_status(exchange(&fixture,
                               "GET /hello HTTP/1.1\r\n" CLOSE "Content-Length: 0\r\n\r\n"),
                      200);
}

TEST(an_answer_to_the_headers_waits_for_the_body) {
        _cleanup_free_ char *request = make_put(1000000, "");

        seen->reply_in_begin = true;
        assert_status(exchange(&fixture, request), 307);
        wait_for(&seen->ended);
        assert_int_equal(seen->bytes, 0);
        assert_int_equal(seen->n_finished, 0);
}

TEST(a_client_that_waits_is_told_to_go_on_or_not_to) {
        static const char request[] = "PUT /put HTTP/1.1\r\n" CLOSE
                                      "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n";
        char answer[4096];
        int fd;

        fd = fixture_connect(&fixture);
        send_text(fd, request);
        receive_until(fd, "\r\n\r\n", answer, sizeof(answer));
        assert_status(answer, 100);
        send_text(fd, "abc");
        (void) receive_all(fd, answer, sizeof(answer));
        assert_status(answer, 201);

        seen->begin_error = -EACCES;
        assert_status(exchange(&fixture, request), 403);
        seen->reply_in_begin = true;
        assert_status(exchange(&fixture, request), 307);
}

#define STOP ((HttpRequest *) &fixture)

static void *answer_parked(void *userdata) {
        for (;;) {
                HttpRequest *request;

                wait_for(&seen->parked);
                do
                        request = atomic_exchange(&seen->request, NULL);
                while (!request);
                if (request == STOP)
                        return NULL;
                (void) http_request_reply_data(request, 200, NULL, "late", 4);
        }
}

/* The reply often comes before finish() has returned, and often after. */
TEST(another_thread_may_answer_at_any_time) {
        char answer[4096];
        pthread_t answerer;
        int fd;

        assert_int_equal(pthread_create(&answerer, NULL, answer_parked, NULL), 0);
        fd = fixture_connect(&fixture);
        for (int i = 0; i < 5000; i++) {
                send_text(fd, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
                receive_until(fd, "\r\n\r\nlate", answer, sizeof(answer));
                assert_status(answer, 200);
        }
        close(fd);

        seen->request = STOP;
        assert_ok(sem_post(&seen->parked));
        assert_int_equal(pthread_join(answerer, NULL), 0);
}

static atomic_bool answer_before_pausing;

void __real_http_guest_set_phase(HttpGuest *guest, GuestPhase phase);
void __wrap_http_guest_set_phase(HttpGuest *guest, GuestPhase phase);

/* The last thing that a thread does before it lets others wake its request */
void __wrap_http_guest_set_phase(HttpGuest *guest, GuestPhase phase) {
        if (phase == GUEST_OURS && seen->request && atomic_exchange(&answer_before_pausing, false))
                assert_ok(http_request_reply_data(seen->request, 200, NULL, "late", 4));
        __real_http_guest_set_phase(guest, phase);
}

/* The moment in which nobody may resume the connection yet, but somebody has to */
TEST(an_answer_right_before_the_pause_counts) {
        answer_before_pausing = true;
        assert_string_equal(body_of(exchange_simple(&fixture, "GET", "/later")), "late");
}

TEST(draining_waits_for_what_runs) {
        char answer[4096];
        int fd;

        fd = fixture_connect(&fixture);
        send_text(fd, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
        wait_for(&seen->parked);
        assert_int_equal(http_server_active(fixture.server), 1);
        assert_int_equal(http_server_drain(fixture.server, 1), -ETIMEDOUT);

        assert_ok(http_request_reply_error(seen->request, ENOENT, "Not \"here\"."));
        assert_int_equal(http_server_drain(fixture.server, PATIENCE_SEC * USEC_PER_SEC), 0);
        assert_int_equal(http_server_active(fixture.server), 0);
        (void) receive_all(fd, answer, sizeof(answer)); /* no other request is waited for */
        assert_status(answer, 404);
        assert_contains(answer, "\r\nConnection: close\r\n");
        assert_contains(answer, "\"detail\":\"Not \\\"here\\\".\"");
}

TEST(whoever_waits_when_the_server_is_freed_gets_503) {
        char answer[4096];
        int fds[10], body_fd;

        for (size_t i = 0; i < ELEMENTSOF(fds); i++) {
                fds[i] = fixture_connect(&fixture);
                send_text(fds[i], "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
                wait_for(&seen->parked);
        }
        seen->piece_max = 0;
        body_fd = fixture_connect(&fixture);
        send_text(body_fd, "PUT /put HTTP/1.1\r\n" CLOSE "Content-Length: 3\r\n\r\nabc");
        wait_for(&seen->parked);

        fixture_stop(&fixture);
        for (size_t i = 0; i < ELEMENTSOF(fds); i++) {
                (void) receive_all(fds[i], answer, sizeof(answer));
                assert_status(answer, 503);
        }
        (void) receive_all(body_fd, answer, sizeof(answer));
        assert_status(answer, 503);
        assert_int_equal(seen->n_ended, ELEMENTSOF(fds) + 1);
}

static void nothing(void *userdata) {
}

TEST(replies_can_be_held_back_and_sent_together) {
        HttpRequest *requests[5];
        char answer[4096];
        int fds[ELEMENTSOF(requests)];
        Loops *loops;

        fixture_stop(&fixture);
        assert_ok(loops_new(2, &loops));
        fixture_start_with(
                        &fixture, (HttpServerOptions){
                                                  .loops = loops,
                                                  .connections_max = 100,
                                                  .header_max = 8 * KIB,
                                                  .timeout_usec = NO_TIMEOUT,
                                                  .routes = routes,
                                                  .userdata = seen,
                                  });
        for (size_t i = 0; i < ELEMENTSOF(requests); i++) {
                fds[i] = fixture_connect(&fixture);
                send_text(fds[i], "GET /later HTTP/1.1\r\n" CLOSE "\r\n");
                wait_for(&seen->parked);
                requests[i] = seen->request;
        }
        for (size_t i = 0; i < 2; i++)
                loop_call(loops_get(loops, i), nothing, NULL); /* they are parked by now */

        loop_hold();
        for (size_t i = 0; i < ELEMENTSOF(requests); i++)
                assert_ok(http_request_reply_data(requests[i], 200, NULL, "held", 4));
        assert_int_equal(http_server_active(fixture.server), ELEMENTSOF(requests));
        assert_int_equal(recv(fds[0], answer, 1, MSG_DONTWAIT), -1);

        loop_release();
        for (size_t i = 0; i < ELEMENTSOF(requests); i++) {
                (void) receive_all(fds[i], answer, sizeof(answer));
                assert_status(answer, 200);
                assert_string_equal(body_of(answer), "held");
        }
        fixture_stop(&fixture);
        (void) loops_free(loops);
        fixture_start(&fixture, routes, seen);
}

static atomic_bool is_over;

/* Asks as often as it can, whether it gets an answer or not. */
static void *ask_and_ask(void *userdata) {
        static const char request[] = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
        const size_t size = strlen(request);
        char answer[512];

        while (!is_over) {
                int fd = fixture_connect(&fixture);

                for (int i = 0; i < 10; i++)
                        if (send(fd, request, size, MSG_NOSIGNAL) < 0 ||
                            recv(fd, answer, sizeof(answer), 0) <= 0)
                                break;
                close(fd);
        }

        return NULL;
}

/* The listening socket outlives the server, as that of a socket unit does. */
TEST(servers_come_and_go_under_load) {
        HttpServerOptions options = {
                .n_threads = 2,
                .connections_max = 100,
                .header_max = 8 * KIB,
                .timeout_usec = NO_TIMEOUT,
                .routes = routes,
        };
        pthread_t clients[2];
        int fd;

        fixture_stop(&fixture);
        fd = service_listen("127.0.0.1:0");
        fixture.port = service_port(fd);
        is_over = false;
        for (size_t i = 0; i < ELEMENTSOF(clients); i++)
                assert_int_equal(pthread_create(clients + i, NULL, ask_and_ask, NULL), 0);

        for (int i = 0; i < 50; i++) {
                options.listen_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
                assert_ok(http_server_new(&options, &fixture.server));
                if (i % 2 == 0)
                        (void) http_server_drain(fixture.server, 10 * USEC_PER_MSEC);
                fixture_stop(&fixture);
        }

        options.listen_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        assert_ok(http_server_new(&options, &fixture.server));
        assert_status(exchange_simple(&fixture, "GET", "/hello"), 200);
        is_over = true;
        for (size_t i = 0; i < ELEMENTSOF(clients); i++)
                assert_int_equal(pthread_join(clients[i], NULL), 0);
        close(fd);
}

#define SERVER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                SERVER_TEST(routes_by_method_and_prefix),
                SERVER_TEST(get_answers_head_unless_there_is_a_route_for_it),
                SERVER_TEST(handlers_see_the_request_as_it_was_sent),
                SERVER_TEST(errors_are_problem_documents),
                SERVER_TEST(ambiguous_messages_are_refused),
                SERVER_TEST(header_sections_have_a_limit),
                SERVER_TEST(connections_are_kept_alive),
                SERVER_TEST(bodies_arrive_whole_however_little_is_taken_at_once),
                SERVER_TEST(chunked_bodies_arrive),
                SERVER_TEST(an_error_in_the_middle_of_a_body_is_the_answer),
                SERVER_TEST(bodies_are_refused_where_none_belongs),
                SERVER_TEST(an_answer_to_the_headers_waits_for_the_body),
                SERVER_TEST(a_client_that_waits_is_told_to_go_on_or_not_to),
                SERVER_TEST(another_thread_may_answer_at_any_time),
                SERVER_TEST(an_answer_right_before_the_pause_counts),
                SERVER_TEST(draining_waits_for_what_runs),
                SERVER_TEST(whoever_waits_when_the_server_is_freed_gets_503),
                SERVER_TEST(replies_can_be_held_back_and_sent_together),
                SERVER_TEST(servers_come_and_go_under_load),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
