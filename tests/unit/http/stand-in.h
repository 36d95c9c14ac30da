/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Another daemon that a test stands in for: each call waits until the test has looked at it and
 * answers. Include after "test.h". */

#include "http/http.h"
#include "rpc/call.h"
#include "rpc/gate.h"
#include "rpc/rpc.h"

#define SECRET "0123456789abcdef"

typedef struct StandIn {
        int fd; /* until it listens */
        int port;
        char url[64];
        HttpServer *server;
        Secret *secret;
        HttpClient *client; /* for whoever calls */

        sem_t arrived;
        HttpRequest *request; /* the call that waits */
        const Buffer *body;
} StandIn;

/* Only those who know the secret get through. */
static inline int stand_in_finish(HttpRequest *request) {
        StandIn *stand_in = http_request_userdata(request);

        stand_in->body = rpc_request_body(request);
        stand_in->request = request;
        assert_ok(sem_post(&stand_in->arrived));
        return HTTP_LATER;
}

/* Connections are refused until stand_in_listen(). */
static inline void stand_in_init(StandIn *stand_in) {
        HttpClientOptions options = {
                .connect_timeout_usec = PATIENCE_SEC * USEC_PER_SEC,
                .stall_timeout_usec = NO_TIMEOUT,
                .connections_max = 4,
                .secret = SECRET,
                .secret_size = strlen(SECRET),
        };
        struct sockaddr_in address = {
                .sin_family = AF_INET,
                .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        };

        *stand_in = (StandIn){
                .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
        };
        assert_ok(bind(stand_in->fd, (struct sockaddr *) &address, sizeof(address)));
        stand_in->port = service_port(stand_in->fd);
        (void) snprintf(stand_in->url, sizeof(stand_in->url), "http://127.0.0.1:%i",
                        stand_in->port);
        assert_ok(sem_init(&stand_in->arrived, 0, 0));
        assert_ok(secret_new(SECRET, strlen(SECRET), &stand_in->secret));
        assert_ok(http_client_new(&options, &stand_in->client));
}

static inline void stand_in_listen(StandIn *stand_in) {
        static const HttpRoute routes[] = {
                { "POST", "/-/", HTTP_DAEMON, .body = rpc_body, .finish = stand_in_finish }, {}
        };
        HttpServerOptions options = {
                .listen_fd = TAKE_FD(stand_in->fd),
                .n_threads = 1,
                .connections_max = 10,
                .header_max = 8 * KIB,
                .timeout_usec = NO_TIMEOUT,
                .routes = routes,
                .gate = gate_of(stand_in->secret),
                .userdata = stand_in,
        };

        assert_ok(listen(options.listen_fd, 10));
        assert_ok(http_server_new(&options, &stand_in->server));
}

static inline void stand_in_done(StandIn *stand_in) {
        stand_in->client = http_client_free(stand_in->client);
        stand_in->server = http_server_free(stand_in->server);
        stand_in->secret = secret_free(stand_in->secret);
        closep(&stand_in->fd);
}

/* Waits until a call is under way; stand_in_receive() is still to come. */
static inline void stand_in_await(StandIn *stand_in) {
        wait_for(&stand_in->arrived);
        assert_ok(sem_post(&stand_in->arrived));
}

/* Waits for the next call. Its body is good until the answer. */
static inline Reader stand_in_receive(StandIn *stand_in, const char *path) {
        wait_for(&stand_in->arrived);
        assert_string_equal(http_request_path(stand_in->request), path);
        return READER(stand_in->body->data, stand_in->body->size);
}

static inline void stand_in_answer(StandIn *stand_in, const Buffer *answer) {
        assert_ok(http_request_reply_data(
                        TAKE_PTR(stand_in->request), 200, NULL, answer->data, answer->size));
}

static inline void stand_in_refuse(StandIn *stand_in, int error) {
        assert_ok(http_request_reply_error(TAKE_PTR(stand_in->request), error, NULL));
}

static inline ssize_t read_nothing(void *userdata, void *data, size_t size) {
        return -EIO;
}

/* Closes the connection before the answer is complete. */
static inline void stand_in_cut(StandIn *stand_in) {
        HttpStream stream = { .read = read_nothing };

        assert_ok(http_request_reply_stream(TAKE_PTR(stand_in->request), 200, 10, &stream));
}
