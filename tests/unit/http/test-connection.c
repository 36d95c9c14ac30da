/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <stdatomic.h>

#include "http/http.h"

/* What goes over a connection, byte by byte: several requests, parts of them, and their ends. */

typedef struct Seen {
        sem_t parked, ended, go_on;
        _Atomic(HttpRequest *) request; /* the one that waits */
        atomic_size_t bytes, n_finished, n_ended, n_hellos;
        atomic_bool refuse;
        char host[64];
} Seen;

/* New for each test */
static Fixture fixture;
static Seen *seen;

static int hello_finish(HttpRequest *request) {
        (void) snprintf(seen->host, sizeof(seen->host), "%s",
                        http_request_header(request, "Host") ?: "none");
        seen->n_hellos++;
        return http_request_reply_data(
                        request, 200, NULL, http_request_path(request),
                        strlen(http_request_path(request)));
}

/* Holds its thread up. */
static int hold_finish(HttpRequest *request) {
        assert_ok(sem_post(&seen->parked));
        wait_for(&seen->go_on);
        return http_request_reply(request, 204);
}

/* How many of the others were answered before it */
static int hellos_finish(HttpRequest *request) {
        char n[32];

        (void) snprintf(n, sizeof(n), "%zu", (size_t) seen->n_hellos);
        return http_request_reply_data(request, 200, NULL, n, strlen(n));
}

static ssize_t put_body(HttpRequest *request, const void *data, size_t size) {
        if (seen->refuse)
                return -ENOSPC;
        seen->bytes += size;
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

static int later_finish(HttpRequest *request) {
        seen->request = request;
        assert_ok(sem_post(&seen->parked));
        return HTTP_LATER;
}

static int gone_finish(HttpRequest *request) {
        return http_request_reply(request, http_request_sender_is_gone(request) ? 410 : 200);
}

/* As much as no socket takes at once */
#define LARGE (8 * MIB)

static ssize_t large_read(void *userdata, void *data, size_t size) {
        memset(data, 'x', size);
        return (ssize_t) size;
}

static int large_finish(HttpRequest *request) {
        return http_request_reply_stream(request, 200, LARGE, &(HttpStream){ .read = large_read });
}

/* More than lies in all buffers on the way */
#define HUGE (64 * MIB)

static int huge_finish(HttpRequest *request) {
        _cleanup_free_ char *data = calloc(1, HUGE);

        return data ? http_request_reply_data(request, 200, NULL, data, HUGE) : -ENOMEM;
}

/* clang-format off */
static const HttpRoute routes[] = {
        { "GET",  "/later", HTTP_PUBLIC, .finish = later_finish                                   },
        { "GET",  "/gone",  HTTP_PUBLIC, .finish = gone_finish                                    },
        { "GET",  "/large", HTTP_PUBLIC, .finish = large_finish                                   },
        { "GET",  "/huge",  HTTP_PUBLIC, .finish = huge_finish                                    },
        { "GET",  "/hold",  HTTP_PUBLIC, .finish = hold_finish                                    },
        { "GET",  "/hellos", HTTP_PUBLIC, .finish = hellos_finish                                 },
        { "GET",  "/",      HTTP_PUBLIC, .finish = hello_finish                                   },
        { "PUT",  "/put",   HTTP_PUBLIC, .body = put_body, .finish = put_finish, .end = put_end   },
        { "POST", "/put",   HTTP_PUBLIC, .body = put_body, .finish = put_finish, .end = put_end,
          .body_max = 10                                                                          },
        {}
};
/* clang-format on */

static int setup(void **state) {
        seen = calloc(1, sizeof(*seen));
        assert_non_null(seen);
        assert_ok(sem_init(&seen->parked, 0, 0));
        assert_ok(sem_init(&seen->ended, 0, 0));
        assert_ok(sem_init(&seen->go_on, 0, 0));
        fixture_start(&fixture, routes, NULL);
        return 0;
}

static int teardown(void **state) {
        fixture_stop(&fixture);
        free(seen);
        return 0;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define PUT       "PUT /put HTTP/1.1\r\nHost: a\r\n"

static size_t count(const char *text, const char *word) {
        size_t n = 0;

        for (; (text = strstr(text, word)); text += strlen(word))
                n++;
        return n;
}

/* Until so many answers are there */
static void receive_answers(int fd, size_t n, char *ret, size_t size) {
        size_t used = 0;

        *ret = '\0';
        while (count(ret, "HTTP/1.1 ") < n || !strstr(ret, "\r\n\r\n")) {
                ssize_t received = recv(fd, ret + used, size - 1 - used, 0);

                assert_true(received > 0);
                used += (size_t) received;
                ret[used] = '\0';
        }
}

TEST(requests_that_come_together_are_answered_in_order) {
        char answers[8192];
        int fd = fixture_connect(&fixture);

        send_text(fd,
                  GET("/1") PUT "Content-Length: 3\r\n\r\nabc" GET(
                                  "/2") "\r\n" PUT
                                        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
                                        "GET /3 HTTP/1.1\r\n" CLOSE "\r\n");
        (void) receive_all(fd, answers, sizeof(answers));
        assert_int_equal(count(answers, "HTTP/1.1 200 OK"), 3);
        assert_int_equal(count(answers, "HTTP/1.1 201 Created"), 2);
        assert_true(strstr(answers, "\r\n\r\n/1") < strstr(answers, "\r\n\r\n/2"));
        assert_true(strstr(answers, "\r\n\r\n/2") < strstr(answers, "\r\n\r\n/3"));
        assert_int_equal(seen->bytes, 6);
}

TEST(a_request_behind_one_that_waits_waits_too) {
        char answers[8192];
        int fd = fixture_connect(&fixture);

        send_text(fd, GET("/later") GET("/1"));
        wait_for(&seen->parked);
        send_text(fd, "GET /2 HTTP/1.1\r\n" CLOSE "\r\n");
        assert_int_equal(recv(fd, answers, 1, MSG_DONTWAIT), -1);

        assert_ok(http_request_reply_data(seen->request, 200, NULL, "/later", 6));
        (void) receive_all(fd, answers, sizeof(answers));
        assert_int_equal(count(answers, "HTTP/1.1 200 OK"), 3);
        assert_true(strstr(answers, "\r\n\r\n/later") < strstr(answers, "\r\n\r\n/1"));
}

/* Of the server's only thread, once it has done what it had to do before. */
static void settle(void) {
        assert_status(exchange_simple(&fixture, "GET", "/1"), 200);
}

static void answer_later(void) {
        assert_ok(http_request_reply_data(seen->request, 200, NULL, "/later", 6));
}

TEST(requests_behind_one_that_waits_are_kept_while_there_is_room) {
        static const char text[] = GET("/later") GET("/1") GET("/2");
        HttpRequest *request;
        char answers[8192];
        int first, second;

        fixture_stop(&fixture);
        fixture_start_with(
                        &fixture, (HttpServerOptions){
                                                  .n_threads = 1,
                                                  .connections_max = 100,
                                                  .header_max = 8 * KIB,
                                                  .backlog_max = strlen(GET("/1") GET("/2")),
                                                  .timeout_usec = NO_TIMEOUT,
                                                  .routes = routes,
                                  });
        first = fixture_connect(&fixture);
        send_text(first, text);
        wait_for(&seen->parked);
        request = seen->request;

        second = fixture_connect(&fixture);
        send_text(second, text);
        wait_for(&seen->parked);
        settle();
        answer_later();
        (void) receive_all(second, answers, sizeof(answers));
        assert_int_equal(count(answers, "HTTP/1.1 200 OK"), 1);
        assert_contains(answers, "\r\nConnection: close\r\n");
        assert_contains(answers, "/later");

        seen->request = request;
        for (int i = 0; i < 3; i++) { /* the room comes back */
                answer_later();
                receive_answers(first, 3, answers, sizeof(answers));
                assert_lacks(answers, "Connection: close");
                send_text(first, text);
                wait_for(&seen->parked);
                settle();
        }
        answer_later();
        close(first);
}

TEST(requests_may_come_byte_by_byte) {
        static const char text[] = GET("/1") PUT
                        "Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nA: b\r\n\r\n" GET(
                                        "/2");
        char answers[8192];
        int fd = fixture_connect(&fixture);

        for (size_t i = 0; i < strlen(text); i++)
                assert_int_equal(send(fd, text + i, 1, MSG_NOSIGNAL), 1);
        receive_answers(fd, 3, answers, sizeof(answers));
        assert_int_equal(count(answers, " 200 OK"), 2);
        assert_int_equal(count(answers, " 201 Created"), 1);
        assert_int_equal(seen->bytes, 3);
        close(fd);
}

TEST(who_stops_sending_is_answered_if_all_was_said) {
        char answer[4096];
        int fd = fixture_connect(&fixture);

        send_text(fd, GET("/later"));
        wait_for(&seen->parked);
        assert_ok(shutdown(fd, SHUT_WR));
        assert_ok(http_request_reply(seen->request, 204));
        (void) receive_all(fd, answer, sizeof(answer));
        assert_status(answer, 204);

        fd = fixture_connect(&fixture);
        send_text(fd, "GET / HTTP/1.1\r\nHost: a\r\n");
        assert_ok(shutdown(fd, SHUT_WR));
        assert_int_equal(receive_all(fd, answer, sizeof(answer)), 0);
}

TEST(a_sender_that_is_gone_is_told_from_one_that_sends_on) {
        char answer[4096];
        int fd = fixture_connect(&fixture);

        send_text(fd, GET("/gone") GET("/1"));
        receive_answers(fd, 2, answer, sizeof(answer));
        assert_status(answer, 200);
        close(fd);

        fd = fixture_connect(&fixture);
        send_text(fd, GET("/later")); /* so that what follows has arrived */
        wait_for(&seen->parked);
        send_text(fd, GET("/gone"));
        assert_ok(shutdown(fd, SHUT_WR));
        assert_false(http_request_sender_is_gone(seen->request));
        assert_ok(http_request_reply(seen->request, 204));
        (void) receive_all(fd, answer, sizeof(answer));
        assert_contains(answer, "HTTP/1.1 410 Gone");
}

TEST(an_answer_does_not_wait_for_the_rest_of_the_body) {
        _cleanup_free_ char *rest = calloc(1, LARGE);
        char answers[8192];
        int fd = fixture_connect(&fixture);

        assert_non_null(rest);
        seen->refuse = true;
        send_text(fd, PUT "Content-Length: 8388608\r\n\r\nx");
        receive_answers(fd, 1, answers, sizeof(answers));
        assert_status(answers, 507);
        assert_lacks(answers, "Connection: close");

        /* What is left of it is no request, and what follows is one. */
        assert_int_equal(send(fd, rest, LARGE - 1, MSG_NOSIGNAL), LARGE - 1);
        wait_for(&seen->ended);
        send_text(fd, GET("/1"));
        receive_answers(fd, 1, answers, sizeof(answers));
        assert_status(answers, 200);
        assert_int_equal(seen->n_finished, 0);
        assert_int_equal(seen->n_ended, 1);
        close(fd);
}

TEST(a_body_that_is_too_long_is_refused_as_soon_as_that_is_known) {
        static const char *const requests[] = {
                "POST /put HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n",
                "POST /put HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n7\r\nefghijk",
        };

        for (size_t i = 0; i < ELEMENTSOF(requests); i++) {
                char answer[4096];
                int fd = fixture_connect(&fixture);

                send_text(fd, requests[i]);
                receive_answers(fd, 1, answer, sizeof(answer));
                assert_status(answer, 413);
                close(fd);
        }
}

TEST(behind_a_malformed_message_nothing_counts) {
        static const struct {
                const char *request, *status;
        } cases[] = {
                { "GET /1 HTTP/1.1\r\nHost : a\r\n\r\n" GET("/2"), "HTTP/1.1 400 Bad Request" },
                { "GET /1 HTTP/1.1\nHost: a\n\n" GET("/2"), "HTTP/1.1 400 Bad Request" },
                { "GET /1 HTTP/3.0\r\nHost: a\r\n\r\n" GET("/2"),
                  "HTTP/1.1 505 HTTP Version Not Supported" },
                { "GET /1 HTTP/1.1\r\nHost: a\r\nExpect: luck\r\n\r\n" GET("/2"),
                  "HTTP/1.1 417 Expectation Failed" },
                { PUT "Content-Length: 99999999999999999999\r\n\r\n" GET("/2"),
                  "HTTP/1.1 413 Content Too Large" },
                { PUT "Transfer-Encoding: chunked\r\n\r\n3\r\nabcX\r\n0\r\n\r\n" GET("/2"),
                  "HTTP/1.1 400 Bad Request" },
                { PUT "Transfer-Encoding: chunked\r\n\r\n0\r\nDkv-Meta-A: b\r\n\r\n",
                  "HTTP/1.1 400 Bad Request" },
                { PUT "\r\n" GET("/2"), "HTTP/1.1 411 Length Required" },
                { "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n" GET("/2"),
                  "HTTP/1.1 501 Not Implemented" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char answer[4096];
                int fd = fixture_connect(&fixture);

                send_text(fd, cases[i].request);
                if (strstr(cases[i].request, "Dkv-Meta"))
                        assert_ok(shutdown(fd, SHUT_WR)); /* this one ends where it should */
                (void) receive_all(fd, answer, sizeof(answer));
                assert_memory_equal(answer, cases[i].status, strlen(cases[i].status));
                assert_contains(answer, "\r\nContent-Type: application/problem+json\r\n");
                assert_int_equal(count(answer, "HTTP/1.1 "), 1);
        }
        assert_int_equal(seen->n_finished, 0);
}

/* The body of a PUT without a length comes when the answer is under way: it must not reset the
 * connection, or the client may never see why. */
TEST(what_comes_behind_the_last_answer_is_read) {
        char answer[4096];
        int fd = fixture_connect(&fixture);

        send_text(fd, PUT "\r\n");
        while (recv(fd, answer, sizeof(answer), 0) > 0)
                ;
        for (int i = 0; i < 3; i++)
                send_text(fd, "abc");
        close(fd);
}

TEST(a_complaint_says_what_is_wrong) {
        assert_contains(body_of(exchange(&fixture, "GET / HTTP/1.1\r\n\r\n")), "There is no Host.");
        assert_contains(body_of(exchange(
                                        &fixture,
                                        "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n c\r\n\r\n")),
                        "A header goes on in the next line.");
}

TEST(the_host_of_an_absolute_target_counts) {
        const char *answer = exchange(&fixture, "GET http://b:80/c?d HTTP/1.1\r\n" CLOSE "\r\n");

        assert_status(answer, 200);
        assert_string_equal(body_of(answer), "/c");
        assert_string_equal(seen->host, "b:80");
}

TEST(http_1_0_is_closed_unless_it_asks_otherwise) {
        char answer[4096];
        int fd;

        answer[0] = '\0';
        assert_contains(exchange(&fixture, "GET /1 HTTP/1.0\r\n\r\n"), "\r\nConnection: close\r\n");

        fd = fixture_connect(&fixture);
        for (int i = 0; i < 2; i++) {
                send_text(fd, "GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
                receive_until(fd, "\r\n\r\n/1", answer, sizeof(answer));
                assert_contains(answer, "\r\nConnection: keep-alive\r\n");
        }
        close(fd);
}

TEST(a_client_that_waits_is_told_once_and_only_if_it_waits) {
        char answer[4096];
        int fd = fixture_connect(&fixture);

        send_text(fd, PUT "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
        receive_until(fd, "\r\n\r\n", answer, sizeof(answer));
        assert_string_equal(answer, "HTTP/1.1 100 Continue\r\n\r\n");
        send_text(fd, "abc");
        receive_until(fd, "\r\n\r\n", answer, sizeof(answer));
        assert_status(answer, 201);

        send_text(fd, PUT "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc");
        receive_until(fd, "\r\n\r\n", answer, sizeof(answer));
        assert_status(answer, 201);
        send_text(fd, "GET /1 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n");
        receive_until(fd, "\r\n\r\n", answer, sizeof(answer));
        assert_status(answer, 200);
        close(fd);
}

TEST(a_slow_reader_gets_all_of_it) {
        _cleanup_free_ char *answer = malloc(LARGE + 4096);
        int fd = fixture_connect(&fixture);
        size_t size = 0;
        ssize_t n;

        assert_non_null(answer);
        send_text(fd, "GET /large HTTP/1.1\r\n" CLOSE "\r\n");
        while ((n = recv(fd, answer + size, MIN(LARGE + 4095 - size, 7001), 0)) > 0)
                size += (size_t) n;
        answer[size] = '\0';
        assert_int_equal(strspn(body_of(answer), "x"), LARGE);
        close(fd);
}

static void restart(uint64_t timeout_usec) {
        fixture_stop(&fixture);
        fixture_start_with(
                        &fixture, (HttpServerOptions){
                                                  .n_threads = 1,
                                                  .connections_max = 100,
                                                  .header_max = 8 * KIB,
                                                  .timeout_usec = timeout_usec,
                                                  .routes = routes,
                                  });
}

/* All of it takes longer than anybody may be silent. */
TEST(a_reader_that_goes_on_is_not_silent) {
        _cleanup_free_ char *piece = malloc(2 * MIB);
        size_t size = 0;
        ssize_t n;
        int fd;

        assert_non_null(piece);
        restart(2 * USEC_PER_SEC);
        fd = fixture_connect(&fixture);
        send_text(fd, "GET /huge HTTP/1.1\r\n" CLOSE "\r\n");
        while ((n = recv(fd, piece, 2 * MIB, MSG_WAITALL)) > 0) {
                size += (size_t) n;
                (void) usleep(100 * 1000);
        }
        assert_int_equal(n, 0);
        assert_in_range(size, HUGE, HUGE + 4096);
        close(fd);
}

TEST(many_requests_of_one_connection_do_not_hold_up_the_others) {
        char requests[1001 * sizeof(GET("/1"))] = GET("/hold"), answer[4096];
        int fds[2];

        for (int i = 0; i < 1000; i++)
                strcat(requests, GET("/1"));
        restart(NO_TIMEOUT);
        fds[0] = fixture_connect(&fixture);
        send_text(fds[0], requests);
        wait_for(&seen->parked);

        fds[1] = fixture_connect(&fixture);
        send_text(fds[1], "GET /hellos HTTP/1.1\r\n" CLOSE "\r\n");
        assert_ok(sem_post(&seen->go_on));
        (void) receive_all(fds[1], answer, sizeof(answer));
        assert_in_range(strtoul(body_of(answer), NULL, 10), 0, 100);
        close(fds[0]);
}

TEST(silence_ends_a_connection) {
        char answer[64];
        int fd;

        restart(200 * USEC_PER_MSEC);
        fd = fixture_connect(&fixture);
        assert_int_equal(receive_all(fd, answer, sizeof(answer)), 0);
}

#define CONNECTION_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                CONNECTION_TEST(requests_that_come_together_are_answered_in_order),
                CONNECTION_TEST(a_request_behind_one_that_waits_waits_too),
                CONNECTION_TEST(requests_behind_one_that_waits_are_kept_while_there_is_room),
                CONNECTION_TEST(requests_may_come_byte_by_byte),
                CONNECTION_TEST(who_stops_sending_is_answered_if_all_was_said),
                CONNECTION_TEST(a_sender_that_is_gone_is_told_from_one_that_sends_on),
                CONNECTION_TEST(an_answer_does_not_wait_for_the_rest_of_the_body),
                CONNECTION_TEST(a_body_that_is_too_long_is_refused_as_soon_as_that_is_known),
                CONNECTION_TEST(behind_a_malformed_message_nothing_counts),
                CONNECTION_TEST(what_comes_behind_the_last_answer_is_read),
                CONNECTION_TEST(a_complaint_says_what_is_wrong),
                CONNECTION_TEST(the_host_of_an_absolute_target_counts),
                CONNECTION_TEST(http_1_0_is_closed_unless_it_asks_otherwise),
                CONNECTION_TEST(a_client_that_waits_is_told_once_and_only_if_it_waits),
                CONNECTION_TEST(a_slow_reader_gets_all_of_it),
                CONNECTION_TEST(a_reader_that_goes_on_is_not_silent),
                CONNECTION_TEST(many_requests_of_one_connection_do_not_hold_up_the_others),
                CONNECTION_TEST(silence_ends_a_connection),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
