/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Connections that leave HTTP: they become an echo. */

#include <pthread.h>
#include <sys/epoll.h>

#include "http.h"

#include "base/buffer.h"
#include "base/clock.h"

#define PROTOCOL "echo/1"

typedef struct Echo {
        LoopSource source;
        Loop *loop;
        int fd;
        HttpPlace *place;
        bool stays; /* goes only when it is told by the test */
        sem_t evicted, closed;
} Echo;

static Fixture fixture;
static Loops *loops;
static Echo echo;
static atomic_uint n_upgraded, n_ended;
static sem_t ended;
static HttpRequest *waiting; /* of "/later" */
static sem_t is_waiting;

static void close_echo(Echo *gone) {
        if (gone->fd < 0)
                return;

        gone->place = http_place_free(gone->place);
        loop_remove(gone->loop, gone->fd, &gone->source);
        closep(&gone->fd);
        assert_ok(sem_post(&gone->closed));
}

static void on_event(LoopSource *source, uint32_t events) {
        Echo *own = CONTAINER_OF(source, Echo, source);
        char data[KIB];
        ssize_t n;

        while ((n = recv(own->fd, data, sizeof(data), 0)) > 0) {
                if (memchr(data, '!', (size_t) n))
                        http_place_trust(own->place);
                assert_int_equal(send(own->fd, data, (size_t) n, MSG_NOSIGNAL), n);
        }
        if (n == 0 || errno != EAGAIN)
                close_echo(own);
}

static void on_evicted(void *userdata) {
        Echo *own = userdata;

        assert_ptr_equal(loop_current(), own->loop);
        assert_ok(sem_post(&own->evicted));
        if (!own->stays)
                close_echo(own);
}

static void on_upgraded(const HttpUpgraded *upgraded, void *userdata) {
        Echo *own = userdata;

        n_upgraded++;
        assert_int_equal(n_ended, 0);
        own->fd = upgraded->fd;
        own->place = upgraded->place;
        own->loop = loop_current();
        assert_non_null(own->loop);
        own->source.on_event = on_event;
        http_place_watch(own->place, on_evicted, own);
        if (upgraded->input_size > 0)
                assert_int_equal(
                                send(own->fd, upgraded->input, upgraded->input_size, MSG_NOSIGNAL),
                                upgraded->input_size);
        assert_ok(loop_add(own->loop, own->fd, EPOLLIN | EPOLLRDHUP | EPOLLET, &own->source));
}

static int upgrade(HttpRequest *request) {
        assert_ok(http_request_add_header(request, "Dkv-Test", "yes"));
        return http_request_upgrade(request, PROTOCOL, on_upgraded, &echo);
}

static int finish_later(HttpRequest *request) {
        waiting = request;
        assert_ok(sem_post(&is_waiting));
        return HTTP_LATER;
}

static ssize_t take(HttpRequest *request, const void *data, size_t size) {
        return (ssize_t) size;
}

static int hello(HttpRequest *request) {
        return http_request_reply_data(request, 200, "text/plain", "hello", 5);
}

static void on_end(HttpRequest *request) {
        n_ended++;
        assert_ok(sem_post(&ended));
}

/* clang-format off */
static const HttpRoute routes[] = {
        { "GET",  "/begin", HTTP_PUBLIC, .begin = upgrade, .body = take, .finish = hello, .end = on_end },
        { "GET",  "/echo",  HTTP_PUBLIC, .body = take, .finish = upgrade, .end = on_end },
        { "POST", "/echo",  HTTP_PUBLIC, .body = take, .finish = upgrade, .end = on_end },
        { "GET",  "/later", HTTP_PUBLIC, .finish = finish_later, .end = on_end },
        { "GET",  "/hello", HTTP_PUBLIC, .finish = hello },
        {}
};
/* clang-format on */

static void start(uint64_t timeout_usec) {
        fixture_start_with(
                        &fixture, (HttpServerOptions){
                                                  .loops = loops,
                                                  .connections_max = 4,
                                                  .header_max = 8 * KIB,
                                                  .timeout_usec = timeout_usec,
                                                  .routes = routes,
                                  });
}

static int setup(void **state) {
        echo = (Echo){ .fd = -1 };
        n_upgraded = n_ended = 0;
        assert_ok(sem_init(&echo.evicted, 0, 0));
        assert_ok(sem_init(&echo.closed, 0, 0));
        assert_ok(sem_init(&ended, 0, 0));
        assert_ok(sem_init(&is_waiting, 0, 0));
        assert_ok(loops_new(2, &loops));
        start(NO_TIMEOUT);
        return 0;
}

static int teardown(void **state) {
        fixture_stop(&fixture);
        assert_int_equal(echo.fd, -1);
        assert_null(echo.place);
        loops = loops_free(loops);
        return 0;
}

#define UPGRADE "Connection: Upgrade\r\nUpgrade: " PROTOCOL "\r\n"
#define REQUEST "GET /echo HTTP/1.1\r\nHost: a\r\n" UPGRADE "\r\n"

static int open_echo(void) {
        char answer[KIB];
        int fd = fixture_connect(&fixture);

        send_text(fd, REQUEST);
        receive_until(fd, "\r\n\r\n", answer, sizeof(answer));
        assert_status(answer, 101);
        wait_for(&ended);
        return fd;
}

static void assert_echo(int fd, const char *text) {
        char answer[KIB] = "";

        send_text(fd, text);
        receive_until(fd, text, answer, sizeof(answer));
        assert_string_equal(answer, text);
}

TEST(a_connection_leaves_http_for_another_protocol) {
        char answer[KIB];
        int fd = fixture_connect(&fixture);

        send_text(fd, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
        receive_until(fd, "hello", answer, sizeof(answer));
        send_text(fd, REQUEST);
        receive_until(fd, "\r\n\r\n", answer, sizeof(answer));
        assert_status(answer, 101);
        assert_contains(answer, "\r\nConnection: Upgrade\r\n");
        assert_contains(answer, "\r\nUpgrade: " PROTOCOL "\r\n");
        assert_contains(answer, "\r\nDkv-Test: yes\r\n");
        assert_lacks(answer, "Content-Length");
        assert_echo(fd, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");

        wait_for(&ended);
        close(fd);
        wait_for(&echo.closed);
        assert_int_equal(n_ended, 1);
}

static void assert_answer_and_echo(int fd, const char *text) {
        char answer[KIB];

        receive_until(fd, text, answer, sizeof(answer));
        assert_status(answer, 101);
        assert_string_equal(body_of(answer), text);
        wait_for(&ended);
        close(fd);
        wait_for(&echo.closed);
}

TEST(what_came_behind_the_request_is_not_lost) {
        int fd = fixture_connect(&fixture);

        send_text(fd, REQUEST "first words");
        assert_answer_and_echo(fd, "first words");
}

TEST(it_does_not_matter_where_the_pieces_end) {
        static const char text[] = REQUEST "words";
        int fd = fixture_connect(&fixture);

        for (size_t i = 0; i < strlen(text); i++)
                assert_int_equal(send(fd, text + i, 1, MSG_NOSIGNAL), 1);
        assert_answer_and_echo(fd, "words");
}

TEST(a_handler_may_answer_before_the_end_or_later) {
        int fd = fixture_connect(&fixture);

        send_text(fd, "GET /begin HTTP/1.1\r\nHost: a\r\n" UPGRADE "\r\nat once");
        assert_answer_and_echo(fd, "at once");

        n_ended = 0;
        fd = fixture_connect(&fixture);
        send_text(fd, "GET /later HTTP/1.1\r\nHost: a\r\n" UPGRADE "\r\nlater");
        wait_for(&is_waiting);
        assert_ok(http_request_upgrade(waiting, PROTOCOL, on_upgraded, &echo));
        assert_answer_and_echo(fd, "later");
        assert_int_equal(n_upgraded, 2);
}

TEST(lists_have_members_in_any_case) {
        int fd = fixture_connect(&fixture);

        send_text(fd, "GET /echo HTTP/1.1\r\nHost: a\r\nUpgrade: h2c, ECHO/1\r\n"
                      "Connection: keep-alive\r\nConnection: x, uPgRaDe\r\n\r\nx");
        assert_answer_and_echo(fd, "x");
}

TEST(what_cannot_be_another_protocol_stays_http) {
        static const char *const requests[] = {
                "GET /echo HTTP/1.0\r\nHost: a\r\nConnection: Upgrade, keep-alive\r\n"
                "Upgrade: " PROTOCOL "\r\n\r\n",
                "GET /echo HTTP/1.1\r\nHost: a\r\nUpgrade: " PROTOCOL "\r\n\r\n",
                "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\r\n",
                "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo/2\r\n\r\n",
                "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\n"
                "Upgrade: " PROTOCOL "\r\n\r\n",
                "GET /echo HTTP/1.1\r\nHost: a\r\n" UPGRADE "Content-Length: 1\r\n\r\nx",
                "GET /echo HTTP/1.1\r\nHost: a\r\n" UPGRADE "Transfer-Encoding: chunked\r\n\r\n"
                "0\r\n\r\n",
                "POST /echo HTTP/1.1\r\nHost: a\r\n" UPGRADE "Content-Length: 0\r\n\r\n",
                "HEAD /echo HTTP/1.1\r\nHost: a\r\n" UPGRADE "\r\n",
        };

        for (size_t i = 0; i < ELEMENTSOF(requests); i++) {
                char answer[4 * KIB];
                int fd = fixture_connect(&fixture);

                send_text(fd, requests[i]);
                assert_ok(shutdown(fd, SHUT_WR));
                (void) receive_all(fd, answer, sizeof(answer));
                assert_contains(answer, " 501 ");
                assert_lacks(answer, "Upgrade: ");
        }
        assert_int_equal(n_upgraded, 0);
}

TEST(a_route_that_knows_no_upgrade_does_not_hear_of_it) {
        char answer[KIB];
        int fd = fixture_connect(&fixture);

        send_text(fd, "GET /hello HTTP/1.1\r\nHost: a\r\n" UPGRADE "\r\n");
        receive_until(fd, "hello", answer, sizeof(answer));
        assert_status(answer, 200);
        send_text(fd, "GET /hello HTTP/1.1\r\n" CLOSE "\r\n");
        (void) receive_all(fd, answer, sizeof(answer));
        assert_status(answer, 200);
}

TEST(a_client_that_has_closed_its_side_gets_its_answer) {
        char answer[KIB];
        int fd = fixture_connect(&fixture);

        send_text(fd, REQUEST "words");
        assert_ok(shutdown(fd, SHUT_WR));
        (void) receive_all(fd, answer, sizeof(answer));
        assert_status(answer, 101);
        assert_string_equal(body_of(answer), "words");
        wait_for(&ended);
        wait_for(&echo.closed);
}

/* With nobody there, it is never handed over, or ends at once. */
TEST(a_client_that_is_gone_leaves_nothing_behind) {
        static const struct linger now = { .l_onoff = 1 };
        int fd = fixture_connect(&fixture);

        send_text(fd, "GET /later HTTP/1.1\r\nHost: a\r\n" UPGRADE "\r\n");
        wait_for(&is_waiting);
        assert_ok(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
        close(fd);
        assert_ok(http_request_upgrade(waiting, PROTOCOL, on_upgraded, &echo));
        wait_for(&ended);
        if (n_upgraded > 0)
                wait_for(&echo.closed);
}

TEST(who_does_not_prove_himself_is_evicted) {
        char rest[KIB];
        int fd;

        fixture_stop(&fixture);
        start(USEC_PER_SEC);
        fd = open_echo();
        assert_echo(fd, "no proof");
        wait_for(&echo.evicted);
        wait_for(&echo.closed);
        assert_int_equal(receive_all(fd, rest, sizeof(rest)), 0);
}

static void wait_until_trusted(int fd) {
        assert_echo(fd, "!");
}

TEST(who_has_proved_himself_stays) {
        int fd, others[12];

        fixture_stop(&fixture);
        start(USEC_PER_SEC);
        fd = open_echo();
        wait_until_trusted(fd);
        for (size_t i = 0; i < ELEMENTSOF(others); i++) /* more than there is room for */
                others[i] = fixture_connect(&fixture);
        (void) usleep(2 * USEC_PER_SEC);
        assert_int_equal(sem_trywait(&echo.evicted), -1);
        assert_echo(fd, "still here");
        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                close(others[i]);
        close(fd);
        wait_for(&echo.closed);
}

TEST(strangers_give_way_to_others) {
        int fd = open_echo(), others[12];

        (void) usleep(200 * USEC_PER_MSEC);
        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                others[i] = fixture_connect(&fixture);
        wait_for(&echo.evicted);
        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                close(others[i]);
        wait_for(&echo.closed);
        close(fd);
}

TEST(the_end_of_the_server_is_told) {
        int fd = open_echo();

        wait_until_trusted(fd);
        fixture_stop(&fixture);
        wait_for(&echo.evicted);
        wait_for(&echo.closed);
        close(fd);
        start(NO_TIMEOUT);
}

static void close_now(void *userdata) {
        close_echo(userdata);
}

static void begin_after_the_end(void *userdata) {
        Echo *own = userdata;

        http_place_end(own->place); /* what had begun; it does not count any more */
        assert_int_equal(http_place_begin(own->place), -ESHUTDOWN);
        http_place_trust(own->place);
}

static void begin(void *userdata) {
        assert_ok(http_place_begin(userdata));
}

static void end(void *userdata) {
        http_place_end(userdata);
}

TEST(a_connection_may_outlive_the_server) {
        int fd = open_echo();

        echo.stays = true;
        loop_call(echo.loop, begin, echo.place);
        fixture_stop(&fixture);
        wait_for(&echo.evicted);
        assert_echo(fd, "alone");
        loop_call(echo.loop, begin_after_the_end, &echo);
        loop_call(echo.loop, close_now, &echo);
        close(fd);
        start(NO_TIMEOUT);
}

static void assert_is_shut(void *userdata) {
        assert_int_equal(http_place_begin(userdata), -ESHUTDOWN);
}

TEST(a_server_that_stops_waits_for_what_has_begun) {
        int fd = open_echo();

        loop_call(echo.loop, begin, echo.place);
        assert_int_equal(http_server_drain(fixture.server, 400 * USEC_PER_MSEC), -ETIMEDOUT);
        loop_call(echo.loop, begin, echo.place);
        loop_call(echo.loop, end, echo.place);
        loop_call(echo.loop, end, echo.place);
        assert_ok(http_server_drain(fixture.server, PATIENCE_SEC * USEC_PER_SEC));
        loop_call(echo.loop, assert_is_shut, echo.place);
        close(fd);
        wait_for(&echo.closed);
}

TEST(what_has_begun_ends_with_the_connection) {
        int fd = open_echo();

        loop_call(echo.loop, begin, echo.place);
        assert_int_equal(http_server_active(fixture.server), 1);
        close(fd);
        wait_for(&echo.closed);
        assert_int_equal(http_server_active(fixture.server), 0);
}

#define UPGRADE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                UPGRADE_TEST(a_connection_leaves_http_for_another_protocol),
                UPGRADE_TEST(what_came_behind_the_request_is_not_lost),
                UPGRADE_TEST(it_does_not_matter_where_the_pieces_end),
                UPGRADE_TEST(a_handler_may_answer_before_the_end_or_later),
                UPGRADE_TEST(lists_have_members_in_any_case),
                UPGRADE_TEST(what_cannot_be_another_protocol_stays_http),
                UPGRADE_TEST(a_route_that_knows_no_upgrade_does_not_hear_of_it),
                UPGRADE_TEST(a_client_that_has_closed_its_side_gets_its_answer),
                UPGRADE_TEST(a_client_that_is_gone_leaves_nothing_behind),
                UPGRADE_TEST(who_does_not_prove_himself_is_evicted),
                UPGRADE_TEST(who_has_proved_himself_stays),
                UPGRADE_TEST(strangers_give_way_to_others),
                UPGRADE_TEST(the_end_of_the_server_is_told),
                UPGRADE_TEST(a_connection_may_outlive_the_server),
                UPGRADE_TEST(a_server_that_stops_waits_for_what_has_begun),
                UPGRADE_TEST(what_has_begun_ends_with_the_connection),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
