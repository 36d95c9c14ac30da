/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "core/record.h"
#include "http/drain.h"
#include "http/origin.h"
#include "http/request-internal.h"
#include "http/server.h"

/* What a connection needs besides the header section of a request: that of the reply, with all
 * metadata that a value may have, and lists of both. libmicrohttpd clears all of a connection's
 * memory after each request: 6 KiB more cost a tenth of the requests per second. */
#define REPLY_MEMORY (METADATA_MAX + 2 * KIB)

/* For what is left of a body whose sender has closed the connection */
#define REST_SEC 1U

/* For the replies to what was waiting when the server is freed. */
#define STOP_GRACE_USEC (200 * USEC_PER_MSEC)

/* Requests that need no place among the clients': a signature makes them a daemon's. */
#define OURS_PREFIX "/-/"

/* How long the headers may take, if TimeoutSec= is not shorter */
#define HEAD_USEC (10 * USEC_PER_SEC)

typedef struct HttpThread {
        HttpServer *server; /* not owned */
        struct MHD_Daemon *daemon;
        HttpCounters *counters; /* not owned */
} HttpThread;

struct HttpServer {
        HttpThread *threads;
        HttpCounters *counters; /* of each thread */
        size_t n_threads;
        HttpGuard *guard;
        int listen_fd; /* that of most of them in common */
        int *more_fds; /* owned; each that of one of the others */
        size_t n_more;
        const HttpRoute *routes;
        HttpGate gate;
        void *userdata;
        HttpOrigins origins;
        size_t header_max;
        unsigned timeout_sec;
        HttpDrain drain;
        HttpParking parking;
};

static void on_connection(
                void *userdata,
                struct MHD_Connection *connection,
                void **context,
                enum MHD_ConnectionNotificationCode what) {
        HttpThread *thread = userdata;
        int fd;

        if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
                if (*context)
                        http_guest_leave(*context);
                *context = NULL;
                return;
        }

        fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        *context = http_guard_enter(
                        thread->server->guard, fd,
                        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)
                                        ->client_addr);
}

/* The target has to be copied: libmicrohttpd cuts it into pieces next. */
static void *on_target(void *userdata, const char *target, struct MHD_Connection *connection) {
        HttpGuest *guest = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
                                           ->socket_context;
        size_t size = target ? strlen(target) : 0;
        HttpThread *thread = userdata;
        HttpRequest *request;
        char *query;

        if (!guest)
                return NULL; /* it was turned away */

        request = malloc(sizeof(*request) + size + 1);
        if (!request)
                return NULL;
        http_guest_set_phase(guest, GUEST_HEAD);

        *request = (HttpRequest){
                .userdata = thread->server->userdata,
                .thread = thread,
                .parking = &thread->server->parking,
                .drain = &thread->server->drain,
                .connection = connection,
                .guest = guest,
        };
        memcpy(request->path, target ?: "", size + 1);

        query = memchr(request->path, '?', size);
        if (query)
                *query++ = '\0';
        request->query = query ?: request->path + size;

        return request;
}

static bool header_section_too_large(HttpRequest *request) {
        const union MHD_ConnectionInfo *info;

        info = MHD_get_connection_info(
                        request->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

        return info && info->header_size > request->thread->server->header_max;
}

static bool exceeds_route(const HttpRequest *request, uint64_t size) {
        uint64_t max = request->route->body_max;

        return max > 0 && size > max;
}

/* Returns 0 if the request may use its route, or was answered, or a negative errno. */
static int enter_route(HttpRequest *request) {
        const HttpGate *gate = &request->thread->server->gate;
        const HttpRoute *route = request->route;
        int r;

        if (!gate->enter)
                return 0;
        r = gate->enter(request, route, gate->userdata);
        return r < 0 && route->refuse ? route->refuse(request, r) : r;
}

/* The body is complete. */
static int finish_route(HttpRequest *request) {
        const HttpGate *gate = &request->thread->server->gate;
        int r;

        r = gate->confirm ? gate->confirm(request, request->route, gate->userdata) : 0;
        return r < 0 ? r : request->route->finish(request);
}

static int begin_route(HttpRequest *request) {
        HttpServer *server = request->thread->server;
        int r;

        if (header_section_too_large(request))
                return -E2BIG;
        if (strncmp(request->path, OURS_PREFIX, strlen(OURS_PREFIX)) != 0 &&
            !http_guest_is_welcome(request->guest)) {
                request->is_last = true;
                return -EAGAIN;
        }

        request->route = http_find_route(server->routes, request->method, request->path);
        if (!request->route)
                return http_reply_no_route(request, server->routes);
        if (request->size > 0 && !request->route->body)
                return http_request_reply_error(
                                request, EFBIG, "This kind of request has no body.");
        if (request->size != HTTP_SIZE_UNKNOWN && exceeds_route(request, request->size))
                return -EFBIG;

        r = http_drain_enter(&server->drain);
        if (r < 0)
                return r;
        request->begun = true;

        r = enter_route(request);
        if (r < 0 || http_request_is_answered(request) || !request->route->begin)
                return MIN(r, 0);
        return request->route->begin(request);
}

static enum MHD_Result send_reply(HttpRequest *request) {
        struct MHD_Response *response;
        enum MHD_Result result;

        if (!request->response && request->error < 0)
                (void) http_request_reply_error(request, request->error, request->detail);
        if (!request->response)
                return MHD_NO; /* no memory for any */

        /* From here on it is the body of the reply that may wait. */
        atomic_fetch_and(&request->wait, ~HTTP_ANSWERED);
        http_guest_set_phase(request->guest, GUEST_REPLY);

        response = TAKE_PTR(request->response);

        /* A courtesy to clients. What other daemons say, running requests may wait for. */
        if ((http_request_is_draining(request) && request->kind != HTTP_OTHER) || request->is_last)
                (void) MHD_add_response_header(response, "Connection", "close");

        http_add_origin(request, &request->thread->server->origins, response);

        result = MHD_queue_response(request->connection, request->status, response);
        MHD_destroy_response(response); /* drops our reference, MHD has its own */
        return result;
}

/* Nobody but MHD knows whether the rest of the body is in its buffer. If it is, MHD comes to it at
 * once. */
static void await_rest(HttpRequest *request) {
        request->is_hurried = true;
        (void) MHD_set_connection_option(
                        request->connection, MHD_CONNECTION_OPTION_TIMEOUT, REST_SEC);
}

static void restore_timeout(HttpRequest *request) {
        request->is_hurried = false;
        (void) MHD_set_connection_option(
                        request->connection, MHD_CONNECTION_OPTION_TIMEOUT,
                        request->thread->server->timeout_sec);
}

/* The headers are in. An answer given to MHD here makes it close the connection, so it is kept for
 * later, except where the connection cannot go on anyway, or where it saves the client from sending
 * the body. */
static enum MHD_Result on_head(HttpRequest *request, const char *method, const char *version) {
        const HttpServer *server = request->thread->server;
        int r;

        request->started = true;
        request->method = method;
        request->kind = http_count_kind(method, request->path);
        request->begun_usec = clock_monotonic();

        r = http_request_check_framing(request, version);
        http_guest_set_phase(request->guest, request->size > 0 ? GUEST_BODY : GUEST_OURS);
        if (r < 0) {
                http_request_fail(request, r);
                return send_reply(request);
        }

        r = http_check_origin(request, &server->origins);
        if (r >= 0)
                r = strcmp(method, "OPTIONS") == 0 ? http_reply_options(request, server->routes)
                                                   : begin_route(request);
        if (r == -ESHUTDOWN && !request->begun)
                return MHD_NO; /* nothing was done: the client may ask the next process */
        if (r < 0)
                http_request_fail(request, r);

        if (http_request_is_answered(request) && request->expects_continue && request->size > 0)
                return send_reply(request);
        if (http_request_is_answered(request) && request->size > 0)
                http_guest_set_phase(request->guest, GUEST_REFUSED);
        if (request->size > 0 && http_request_sender_is_gone(request))
                await_rest(request);

        return MHD_YES;
}

/* MHD takes no answer in the middle of a body: what follows an error is read and thrown away. */
static enum MHD_Result on_body(HttpRequest *request, const char *data, size_t *size) {
        uint64_t before = request->received;

        http_guest_set_phase(
                        request->guest,
                        http_request_is_answered(request) ? GUEST_REFUSED : GUEST_BODY);
        if (request->route && exceeds_route(request, request->received + *size))
                http_request_fail(request, -EFBIG);

        while (*size > 0 && !http_request_is_answered(request)) {
                ssize_t n;
                int r;

                n = request->route->body(request, data, *size);
                if (n < 0) {
                        http_request_fail(request, (int) n);
                        break;
                }

                assert((size_t) n <= *size);
                data += n;
                *size -= (size_t) n;
                request->received += (size_t) n;
                if (*size == 0)
                        break;

                r = http_request_park(request);
                if (r == 0)
                        return MHD_YES;
                if (r < 0)
                        http_request_fail(request, r);
        }

        request->received += *size;
        *size = 0;
        http_guest_add_bytes(request->guest, (size_t) (request->received - before));
        if (request->received == request->size || !http_request_sender_is_gone(request))
                return MHD_YES;
        if (request->size != HTTP_SIZE_UNKNOWN)
                return MHD_NO;
        await_rest(request);
        return MHD_YES;
}

static enum MHD_Result on_end(HttpRequest *request) {
        int r;

        if (request->is_hurried)
                restore_timeout(request);
        http_guest_set_phase(request->guest, GUEST_OURS);

        if (!request->later && !http_request_is_answered(request)) {
                r = finish_route(request);
                if (r < 0)
                        http_request_fail(request, r);
                else if (r == HTTP_LATER)
                        request->later = true;
                else
                        assert(http_request_is_answered(request));
        }

        while (!http_request_is_answered(request)) {
                r = http_request_park(request);
                if (r == 0)
                        return MHD_YES;
                if (r < 0)
                        http_request_fail(request, r);
        }

        return send_reply(request);
}

static enum MHD_Result on_request(
                void *userdata,
                struct MHD_Connection *connection,
                const char *url,
                const char *method,
                const char *version,
                const char *data,
                size_t *size,
                void **context) {
        HttpRequest *request = *context;

        if (!request)
                return MHD_NO; /* on_target() was out of memory */

        if (!request->started)
                return on_head(request, method, version);

        http_request_unpark(request);

        return *size > 0 ? on_body(request, data, size) : on_end(request);
}

static void count(const HttpRequest *request, bool complete) {
        bool has_body = (complete || request->stream.read) && strcmp(request->method, "HEAD") != 0;
        HttpOutcome outcome = {
                .kind = request->kind,
                .status = request->status,
                .begun_usec = request->begun_usec,
                .received = request->received,
                .sent = has_body ? request->reply_size : 0,
        };

        http_count(request->thread->counters, &outcome);
}

static void on_completed(
                void *userdata,
                struct MHD_Connection *connection,
                void **context,
                enum MHD_RequestTerminationCode reason) {
        HttpRequest *request = *context;

        if (!request)
                return;

        http_request_unpark(request);
        http_guest_set_phase(request->guest, GUEST_IDLE);

        if (request->started)
                count(request, reason == MHD_REQUEST_TERMINATED_COMPLETED_OK);
        if (request->stream.closed)
                request->stream.closed(request->stream.userdata);
        if (request->begun && request->route->end)
                request->route->end(request);
        if (request->free_pass)
                request->free_pass(request->pass);
        if (request->response)
                MHD_destroy_response(request->response);
        if (request->begun)
                http_drain_leave(&request->thread->server->drain);

        buffer_done(&request->headers);
        free(request->kept);
        free(request);
        *context = NULL;
}

/* Targets are passed on as they came. */
static size_t on_unescape(void *userdata, struct MHD_Connection *connection, char *string) {
        return strlen(string);
}

/* The guard counts the connections of all threads: none of them may stop accepting before it has
 * had others give way. */
static struct MHD_Daemon *start_daemon(
                HttpThread *thread, int listen_fd, const HttpServerOptions *options) {
        /* clang-format off */
        return MHD_start_daemon(
                        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TURBO | MHD_ALLOW_SUSPEND_RESUME,
                        0, NULL, NULL, on_request, thread,
                        MHD_OPTION_LISTEN_SOCKET, listen_fd,
                        MHD_OPTION_CONNECTION_LIMIT,
                                http_guard_connections_max(options->connections_max) + 1,
                        MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                                (size_t) (options->header_max + REPLY_MEMORY),
                        MHD_OPTION_CONNECTION_TIMEOUT, thread->server->timeout_sec,
                        MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, NULL,
                        MHD_OPTION_URI_LOG_CALLBACK, on_target, thread,
                        MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
                        MHD_OPTION_NOTIFY_CONNECTION, on_connection, thread,
                        MHD_OPTION_END);
        /* clang-format on */
}

/* A daemon for each thread, for MHD's own pool of threads aborts now and then when it is quiesced
 * while it works, and when stopped it shuts the listening socket down, which others may have as
 * well. */
static int start(HttpServer *server, const HttpServerOptions *options) {
        size_t n_threads = options->n_threads, n_all;

        if (n_threads == 0)
                n_threads = (size_t) MAX(sysconf(_SC_NPROCESSORS_ONLN), 1L);

        n_all = n_threads + options->n_more;

        server->threads = calloc(n_all, sizeof(*server->threads));
        server->counters = aligned_alloc(_Alignof(HttpCounters), n_all * sizeof(HttpCounters));
        if (!server->threads || !server->counters)
                return -ENOMEM;
        memset(server->counters, 0, n_all * sizeof(HttpCounters));

        while (server->n_threads < n_all) {
                HttpThread *thread = server->threads + server->n_threads;
                int listen_fd = server->n_threads < n_threads
                                                ? options->listen_fd
                                                : options->more_fds[server->n_threads - n_threads];

                *thread = (HttpThread){
                        .server = server,
                        .counters = server->counters + server->n_threads,
                };
                errno = 0;
                thread->daemon = start_daemon(thread, listen_fd, options);
                if (!thread->daemon)
                        return errno > 0 ? -errno : -ENOMEM;
                server->n_threads++;
        }

        return 0;
}

static int start_guard(HttpServer *server, const HttpServerOptions *options) {
        unsigned max = options->connections_max, per_address = options->connections_per_address_max;
        HttpGuardOptions guard_options = {
                .guests_max = max,
                .guests_per_address_max = per_address > 0 ? per_address : MAX(max / 2, 1U),
                .head_usec = MIN(options->timeout_usec, HEAD_USEC),
                .idle_usec = options->timeout_usec,
                .rate_min = options->rate_min,
                .rate_usec = options->timeout_usec,
        };

        return http_guard_new(&guard_options, &server->guard);
}

unsigned http_server_descriptors(unsigned connections_max) {
        return http_guard_connections_max(connections_max);
}

/* Whether each route says who may use it, and somebody checks it. */
static bool is_guarded(const HttpServerOptions *options) {
        for (const HttpRoute *route = options->routes; route->method; route++)
                if (route->access < HTTP_PUBLIC ||
                    (route->access > HTTP_CLIENT && !options->gate.enter))
                        return false;
        return true;
}

int http_server_new(const HttpServerOptions *options, HttpServer **ret) {
        _cleanup_(http_server_freep) HttpServer *server = NULL;
        int r;

        assert(options);
        assert(options->listen_fd >= 0);
        assert(options->routes);
        assert(ret);
        assert(is_guarded(options));

        server = malloc(sizeof(*server));
        if (!server)
                return -ENOMEM;

        *server = (HttpServer){
                .listen_fd = -1,
                .routes = options->routes,
                .gate = options->gate,
                .userdata = options->userdata,
                .origins = { options->cors_origins ?: "", options->cors_redirected },
                .header_max = options->header_max,
                .timeout_sec =
                                (unsigned) ((options->timeout_usec + USEC_PER_SEC - 1) /
                                            USEC_PER_SEC),
                .parking = { .lock = PTHREAD_MUTEX_INITIALIZER },
        };
        http_drain_init(&server->drain);

        if (options->n_more > 0) {
                server->more_fds = calloc(options->n_more, sizeof(int));
                if (!server->more_fds)
                        return -ENOMEM;
        }

        r = start_guard(server, options);
        if (r >= 0)
                r = start(server, options);
        if (r < 0)
                return r;
        server->listen_fd = options->listen_fd;
        for (; server->n_more < options->n_more; server->n_more++)
                server->more_fds[server->n_more] = options->more_fds[server->n_more];

        *ret = TAKE_PTR(server);
        return 0;
}

int http_server_drain(HttpServer *server, uint64_t timeout_usec) {
        assert(server);

        if (http_drain_begin(&server->drain))
                for (size_t i = 0; i < server->n_threads; i++)
                        (void) MHD_quiesce_daemon(server->threads[i].daemon);

        return http_drain_wait(&server->drain, server->guard, timeout_usec);
}

unsigned http_server_active(const HttpServer *server) {
        assert(server);

        return atomic_load(&server->drain.n_active);
}

void http_server_counters(const HttpServer *server, Traffic *ret) {
        assert(server);

        http_counters_sum(server->counters, server->n_threads, ret);
        ret->active_requests = http_server_active(server);
        ret->connections = http_guard_connections(server->guard);
}

void http_server_latency(const HttpServer *server, HttpKind kind, Histogram *ret) {
        http_counters_add_latency(server->counters, server->n_threads, kind, ret);
}

bool http_server_has_clients(const HttpServer *server) {
        return http_counters_have_clients(server->counters, server->n_threads);
}

HttpServer *http_server_free(HttpServer *server) {
        if (!server)
                return NULL;

        http_parking_close(&server->parking);
        http_drain_hurry(&server->drain);
        (void) http_server_drain(server, STOP_GRACE_USEC); /* the rest is cut off */
        for (size_t i = 0; i < server->n_threads; i++)
                MHD_stop_daemon(server->threads[i].daemon);
        free(server->threads);
        free(server->counters);
        (void) http_guard_free(server->guard);

        closep(&server->listen_fd);
        for (size_t i = 0; i < server->n_more; i++)
                closep(server->more_fds + i);
        free(server->more_fds);
        (void) pthread_mutex_destroy(&server->parking.lock);
        http_drain_done(&server->drain);
        free(server);
        return NULL;
}
