/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A server on a free port of the loopback address, and a client that sends exactly the bytes it is
 * told. Include after "test.h". */

#include <arpa/inet.h>
#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/macro.h"
#include "daemon/service.h"
#include "http/server.h"
#include "test.h"

#define PATIENCE_SEC 20
#define NO_TIMEOUT   (3 * PATIENCE_SEC * USEC_PER_SEC) /* what waits for it has failed */

typedef struct Fixture {
        HttpServer *server;
        int port;
} Fixture;

static inline void fixture_start_with(Fixture *fixture, HttpServerOptions options) {
        options.listen_fd = service_listen("127.0.0.1:0");
        assert_ok(options.listen_fd);
        fixture->port = service_port(options.listen_fd);
        assert_ok(fixture->port);
        assert_ok(http_server_new(&options, &fixture->server));
}

static inline void fixture_start(Fixture *fixture, const HttpRoute *routes, void *userdata) {
        fixture_start_with(
                        fixture, (HttpServerOptions){
                                                 .n_threads = 2,
                                                 .connections_max = 100,
                                                 .header_max = 8 * KIB,
                                                 .timeout_usec = NO_TIMEOUT,
                                                 .routes = routes,
                                                 .userdata = userdata,
                                 });
}

static inline void fixture_stop(Fixture *fixture) {
        fixture->server = http_server_free(fixture->server);
}

static inline int fixture_connect(const Fixture *fixture) {
        struct sockaddr_in address = {
                .sin_family = AF_INET,
                .sin_port = htons((uint16_t) fixture->port),
                .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        };
        struct timeval patience = { .tv_sec = PATIENCE_SEC };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_ok(fd);
        assert_ok(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)));
        assert_ok(connect(fd, (struct sockaddr *) &address, sizeof(address)));
        return fd;
}

static inline void send_text(int fd, const char *text) {
        assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Reads until the other side closes, and closes as well; a 0 follows the data. */
static inline size_t receive_all(int fd, char *ret, size_t size) {
        size_t used = 0;
        ssize_t n;

        while ((n = recv(fd, ret + used, size - 1 - used, 0)) > 0)
                used += (size_t) n;

        assert_true(n == 0 || errno == ECONNRESET);
        close(fd);
        ret[used] = '\0';
        return used;
}

/* Reads until END is there. */
static inline void receive_until(int fd, const char *end, char *ret, size_t size) {
        size_t used = 0;

        do {
                ssize_t n = recv(fd, ret + used, size - 1 - used, 0);

                assert_true(n > 0);
                used += (size_t) n;
                ret[used] = '\0';
        } while (!strstr(ret, end));
}

/* One request on a connection of its own; the answer is good until the next. */
static inline const char *exchange(const Fixture *fixture, const char *request) {
        static char answer[256 * KIB];
        int fd = fixture_connect(fixture);

        send_text(fd, request);
        (void) receive_all(fd, answer, sizeof(answer));
        return answer;
}

#define CLOSE "Host: test\r\nConnection: close\r\n"

static inline const char *exchange_simple(
                const Fixture *fixture, const char *method, const char *target) {
        char request[16 * KIB];

        (void) snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\n" CLOSE "\r\n", method,
                        target);
        return exchange(fixture, request);
}

static inline const char *body_of(const char *answer) {
        const char *end = strstr(answer, "\r\n\r\n");

        assert_non_null(end);
        return end + 4;
}

#define assert_status(answer, status) \
        assert_memory_equal((answer), "HTTP/1.1 " #status " ", sizeof("HTTP/1.1 " #status " ") - 1)
#define assert_contains(answer, text) assert_non_null(strstr((answer), (text)))
#define assert_lacks(answer, text)    assert_null(strstr((answer), (text)))

static inline void wait_for(sem_t *semaphore) {
        struct timespec until;

        (void) clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += PATIENCE_SEC;
        assert_ok(sem_timedwait(semaphore, &until));
}
