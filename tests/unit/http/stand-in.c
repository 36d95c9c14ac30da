/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <sys/socket.h>

#include "http/stand-in.h"

/* Only those who know the secret get through. */
static int stand_in_finish(HttpRequest *request) {
        StandIn *stand_in = http_request_userdata(request);

        stand_in->body = signed_request_body(request);
        stand_in->kind = (CallKind) (call_find(http_request_path(request)) - call_types);
        stand_in->request = request;
        assert_ok(sem_post(&stand_in->arrived));
        return HTTP_LATER;
}

static int stand_in_take(RpcRequest *call, CallKind kind) {
        StandIn *stand_in = rpc_request_userdata(call);

        if (stand_in->is_leaving)
                return -ESHUTDOWN;

        if (stand_in->call) {
                assert_true(stand_in->n_overtaken < ELEMENTSOF(stand_in->overtaken));
                stand_in->overtaken[stand_in->n_overtaken++] = stand_in->call;
        }
        stand_in->body = rpc_request_body(call);
        stand_in->kind = kind;
        stand_in->call = call;
        assert_ok(sem_post(&stand_in->arrived));
        return RPC_LATER;
}

#define CALL_ENTRY(name, ...) \
        static int stand_in_take_##name(RpcRequest *call) { \
                return stand_in_take(call, CALL_##name); \
        }
CALLS(CALL_ENTRY)
#undef CALL_ENTRY

/* It is whoever is called. */
static int stand_in_admit(
                const Handshake *offer,
                Handshake *answer,
                char ret_sentence[static FRAME_SENTENCE_MAX + 1],
                void *userdata) {
        answer->from = offer->to;
        memcpy(answer->cluster, offer->cluster, sizeof(answer->cluster));
        return 0;
}

static void stand_in_on_opened(const Handshake *offer, void *userdata) {
        StandIn *stand_in = userdata;

        stand_in->n_opened++;
}

static void stand_in_on_closed(const Handshake *offer, void *userdata) {
        StandIn *stand_in = userdata;

        stand_in->n_closed++;
        assert_ok(sem_post(&stand_in->closed));
}

static int stand_in_open(HttpRequest *request) {
        const StandIn *stand_in = http_request_userdata(request);

        return rpc_service_open(stand_in->service, request);
}

/* Connections are refused until stand_in_listen(). */
void stand_in_init(StandIn *stand_in) {
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
        assert_ok(sem_init(&stand_in->closed, 0, 0));
        assert_ok(secret_new(SECRET, strlen(SECRET), &stand_in->secret));
        assert_ok(http_client_new(&options, &stand_in->client));
        assert_ok(loops_new(1, &stand_in->loops));
        assert_ok(loops_new(1, &stand_in->caller_loops));
        assert_ok(
                        peers_new(&(PeersOptions){ .loops = stand_in->caller_loops,
                                                   .secret = stand_in->secret,
                                                   .timeout_usec = NO_TIMEOUT },
                                  &stand_in->peers));
}

void stand_in_listen(StandIn *stand_in) {
#define CALL_ENTRY(name, ...) [CALL_##name] = { .finish = stand_in_take_##name },
        static const RpcHandler handlers[_CALL_MAX] = { CALLS(CALL_ENTRY) };
#undef CALL_ENTRY
        static const HttpRoute routes[] = { RPC_SERVICE_ROUTE(stand_in_open),
                                            { "POST", "/-/", HTTP_DAEMON, .body = signed_body,
                                              .finish = stand_in_finish },
                                            {} };
        RpcServiceOptions service = {
                .secret = stand_in->secret,
                .handlers = handlers,
                .userdata = stand_in,
                .admit = stand_in_admit,
                .on_opened = stand_in_on_opened,
                .on_closed = stand_in_on_closed,
        };
        HttpServerOptions options = {
                .listen_fd = TAKE_FD(stand_in->fd),
                .loops = stand_in->loops,
                .connections_max = 10,
                .header_max = 8 * KIB,
                .timeout_usec = NO_TIMEOUT,
                .routes = routes,
                .gate = gate_of(stand_in->secret),
                .userdata = stand_in,
        };

        assert_ok(rpc_service_new(&service, &stand_in->service));
        assert_ok(listen(options.listen_fd, 10));
        assert_ok(http_server_new(&options, &stand_in->server));
}

/* Ends the calls that somebody makes with what is here for that. */
void stand_in_hang_up(StandIn *stand_in) {
        peers_stop(stand_in->peers);
        stand_in->client = http_client_free(stand_in->client);
}

/* On the loop, so that no call slips in between. */
static void stand_in_leave(void *userdata) {
        StandIn *stand_in = userdata;

        stand_in->is_leaving = true;
        if (stand_in->call)
                (void) rpc_request_refuse(TAKE_PTR(stand_in->call), -ESHUTDOWN, NULL);
        while (stand_in->n_overtaken > 0)
                (void) rpc_request_refuse(
                                stand_in->overtaken[--stand_in->n_overtaken], -ESHUTDOWN, NULL);
}

void stand_in_done(StandIn *stand_in) {
        stand_in_hang_up(stand_in);
        loop_call(loops_get(stand_in->loops, 0), stand_in_leave, stand_in);
        stand_in->server = http_server_free(stand_in->server);
        stand_in->peers = peers_free(stand_in->peers);
        stand_in->loops = loops_free(stand_in->loops);
        stand_in->caller_loops = loops_free(stand_in->caller_loops);
        stand_in->service = rpc_service_free(stand_in->service);
        stand_in->secret = secret_free(stand_in->secret);
        closep(&stand_in->fd);
}

/* Waits until a call is under way; stand_in_receive() is still to come. */
void stand_in_await(StandIn *stand_in) {
        wait_for(&stand_in->arrived);
        assert_ok(sem_post(&stand_in->arrived));
}

/* Waits for the next call. Its body is good until the answer. */
Reader stand_in_receive(StandIn *stand_in, CallKind kind) {
        wait_for(&stand_in->arrived);
        assert_int_equal(stand_in->kind, kind);
        return READER(stand_in->body->data, stand_in->body->size);
}

const Parties *stand_in_parties(const StandIn *stand_in) {
        return stand_in->call ? rpc_request_parties(stand_in->call)
                              : signed_parties(stand_in->request);
}

/* As the leader LEAD, unless that is NULL; the answer stays the test's. */
void stand_in_answer_as(StandIn *stand_in, const Leadership *lead, const Buffer *answer) {
        Buffer copy = {};

        if (stand_in->request) {
                assert_ok(http_request_reply_data(
                                TAKE_PTR(stand_in->request), 200, NULL, answer->data,
                                answer->size));
                return;
        }
        buffer_put(&copy, answer->data, answer->size);
        assert_ok(rpc_request_reply(TAKE_PTR(stand_in->call), lead, &copy));
}

void stand_in_answer(StandIn *stand_in, const Buffer *answer) {
        stand_in_answer_as(stand_in, NULL, answer);
}

void stand_in_refuse(StandIn *stand_in, int error) {
        if (stand_in->request)
                assert_ok(http_request_reply_error(TAKE_PTR(stand_in->request), error, NULL));
        else
                assert_ok(rpc_request_refuse(TAKE_PTR(stand_in->call), error, NULL));
}

static ssize_t read_nothing(void *userdata, void *data, size_t size) {
        return -EIO;
}

/* Whether FD is a connection that was made to PORT. */
static bool is_connection_to(int fd, int port) {
        struct sockaddr_in address;
        socklen_t size = sizeof(address);

        return getpeername(fd, (struct sockaddr *) &address, &size) >= 0 &&
               address.sin_family == AF_INET && ntohs(address.sin_port) == port;
}

/* Breaks the connection before the answer is complete. */
void stand_in_cut(StandIn *stand_in) {
        HttpStream stream = { .read = read_nothing };
        RpcRequest *call = TAKE_PTR(stand_in->call); /* another may come at once */

        if (stand_in->request) {
                assert_ok(http_request_reply_stream(TAKE_PTR(stand_in->request), 200, 10, &stream));
                return;
        }
        for (int fd = 3; fd < 1024; fd++)
                if (is_connection_to(fd, stand_in->port))
                        (void) shutdown(fd, SHUT_RDWR);
        while (rpc_request_check(call) == 0) /* the answer must not get through */
                (void) usleep(1000);
        assert_ok(rpc_request_refuse(call, -EIO, NULL));
}
