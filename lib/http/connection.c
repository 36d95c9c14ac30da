/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <sys/epoll.h>
#include <utlist.h>

#include "base/clock.h"
#include "http/connection.h"
#include "http/worker.h"

/* How often it receives, answers, or sends a piece of an answer before others have their turn */
#define TURNS_MAX 8

/* What is read behind the last answer, so that it arrives: closing before would have the kernel of
 * the other side throw it away (RFC 9112, 9.6). */
#define LINGER_MAX MIB

/* What a step came to. */
typedef enum Step {
        GO_ON, /* by the next one */
        WAIT,  /* for input, for room, for somebody's answer, or for another turn */
        GONE,  /* the connection is to be closed */
} Step;

static bool may_proceed(const HttpConnection *connection) {
        return !connection->is_queued && !http_request_is_parked(&connection->request);
}

static void set_timer(HttpConnection *connection, LoopTimeout *timeout) {
        loop_timer_set(connection->worker->loop, &connection->timer, timeout);
}

/* Something moved. */
static void touch(HttpConnection *connection) {
        if (connection->state != HTTP_CONNECTION_LINGER)
                set_timer(connection, &connection->worker->silence);
}

static int send_output(HttpConnection *connection) {
        HttpOutput *output = &connection->sender.output;
        uint64_t before = output->sent;
        int r;

        if (http_output_is_empty(output))
                return 0;
        if (!connection->can_send)
                return -EAGAIN;

        r = http_output_send(output, connection->fd);
        connection->can_send = r != -EAGAIN;
        if (output->sent > before)
                touch(connection);
        return r;
}

/* Returns whether it is the turn of others. */
static bool yield(HttpConnection *connection) {
        if (connection->turns++ < TURNS_MAX)
                return false;

        connection->is_queued = true;
        loop_call_later(&connection->later);
        return true;
}

/* Returns 1 if there is input, 0 if it is still to come, or a negative errno if it will not. */
static int fill(HttpConnection *connection) {
        int r;

        if (connection->input.size > 0)
                return 1;
        if (connection->input.has_ended)
                return -ESHUTDOWN;
        if (!connection->input.can_receive)
                return 0;
        if (yield(connection))
                return 0;

        r = http_input_receive(
                        &connection->input, connection->fd, connection->worker->input,
                        HTTP_INPUT_SIZE);
        if (r > 0)
                touch(connection);
        return r;
}

/* The connection ends with the answer at hand, as if nothing had come behind its request. */
static void drop_rest(HttpConnection *connection) {
        http_input_use(&connection->input, connection->input.size);
        connection->is_lost = true;
        connection->is_over = false; /* there is something that has not been read */
}

/* What has neither been used nor gone out lies in memory of the worker's, which is for another
 * connection next. */
static int save_both(HttpConnection *connection) {
        int r;

        if (connection->has_request && connection->state != HTTP_CONNECTION_BODY &&
            !http_input_fits(&connection->input))
                drop_rest(connection);

        r = http_sender_keep(&connection->sender);
        if (r < 0)
                connection->is_broken = true;
        return r < 0 ? r : http_input_keep(&connection->input);
}

static void set_phase(HttpConnection *connection, GuestPhase phase) {
        if (connection->guest)
                http_guest_set_phase(connection->guest, phase);
}

static void make_request(HttpConnection *connection) {
        http_exchange_prepare(&connection->request);
        connection->has_request = true;
        connection->is_over = connection->is_lost = connection->is_replying = false;
        connection->is_closing = !connection->parser.keep_alive;
}

/* Nothing more can come. If that is since the parser does not understand it, it is answered:
 * nothing behind it can be told from a request. */
static Step end_input(HttpConnection *connection, int error) {
        HttpRequest *request = &connection->request;

        if (connection->parser.state != HTTP_PARSER_FAILED)
                return GONE;

        if (!connection->has_request)
                make_request(connection);
        connection->is_lost = true;
        http_request_explain(request, connection->parser.complaint);
        http_request_fail(request, error);
        connection->state = HTTP_CONNECTION_REPLY;
        return GO_ON;
}

/* Returns 1 and what the parser has found next, or what fill() does, or the parser's error: then it
 * has failed. */
static int find_event(HttpConnection *connection, HttpEvent *ret_event) {
        HttpParser *parser = &connection->parser;
        ssize_t n;
        int r;

        if (parser->state != HTTP_PARSER_END) {
                r = fill(connection);
                if (r <= 0)
                        return r;
        }

        n = http_parser_feed(parser, connection->input.data, connection->input.size, ret_event);
        if (n < 0)
                return (int) n;
        if (*ret_event == HTTP_EVENT_BODY) {
                connection->piece = parser->piece_size;
                n -= (ssize_t) parser->piece_size;
        }
        http_input_use(&connection->input, (size_t) n);
        return 1;
}

static Step begin_request(HttpConnection *connection) {
        HttpRequest *request = &connection->request;

        make_request(connection);
        set_phase(connection, request->size > 0 ? GUEST_BODY : GUEST_OURS);
        if (http_exchange_begin(request, connection->worker->site) < 0)
                return GONE;

        if (http_request_is_answered(request)) {
                connection->is_lost = request->expects_continue && request->size > 0;
                connection->state = HTTP_CONNECTION_REPLY;
                return GO_ON;
        }

        /* What is here already was not waited for. */
        if (request->expects_continue && request->size > 0 && connection->input.size == 0)
                http_sender_continue(&connection->sender);
        connection->state = HTTP_CONNECTION_BODY;
        return GO_ON;
}

static Step step_head(HttpConnection *connection) {
        HttpEvent event;
        int r;

        r = find_event(connection, &event);
        if (r == 0) {
                if (http_parser_has_begun(&connection->parser))
                        set_phase(connection, GUEST_HEAD);
                return WAIT;
        }
        if (r < 0)
                return end_input(connection, r);

        return event == HTTP_EVENT_HEAD ? begin_request(connection) : GO_ON;
}

/* Returns GO_ON if the handler wants more. */
static Step deliver(HttpConnection *connection) {
        HttpRequest *request = &connection->request;
        size_t n;

        n = http_exchange_body(request, connection->input.data, connection->piece);
        http_input_use(&connection->input, n);
        connection->piece -= n;
        if (http_request_is_parked(request))
                return WAIT;
        if (http_request_is_answered(request))
                connection->state = HTTP_CONNECTION_REPLY;
        return GO_ON;
}

static Step step_body(HttpConnection *connection) {
        HttpRequest *request = &connection->request;
        HttpEvent event;
        int r;

        if (http_request_is_answered(request)) { /* by another thread, unasked */
                connection->state = HTTP_CONNECTION_REPLY;
                return GO_ON;
        }

        r = send_output(connection);
        if (r < 0)
                return r == -EAGAIN ? WAIT : GONE;
        if (connection->piece > 0)
                return deliver(connection);

        r = find_event(connection, &event);
        if (r == 0) {
                set_phase(connection, GUEST_BODY);
                return WAIT;
        }
        if (r < 0)
                return end_input(connection, r);

        if (event == HTTP_EVENT_TRAILER)
                http_exchange_trailer(request, connection->parser.trailer_name);
        if (event == HTTP_EVENT_END) {
                set_phase(connection, GUEST_OURS);
                connection->is_over = true;
                connection->state = HTTP_CONNECTION_ANSWER;
        }
        return GO_ON;
}

static Step step_answer(HttpConnection *connection) {
        if (http_exchange_finish(&connection->request, connection->worker->site) == 0)
                return WAIT;

        connection->state = HTTP_CONNECTION_REPLY;
        return GO_ON;
}

/* Returns 0, or a negative errno if the connection is to be cut. */
static int begin_reply(HttpConnection *connection) {
        HttpRequest *request = &connection->request;
        HttpReply *reply = &request->reply;
        int r;

        if (!reply->is_there && request->error < 0)
                (void) http_request_reply_error(request, request->error, request->detail);
        if (!reply->is_there)
                return -ENOMEM;

        /* From here on it is the body of the reply that may wait. */
        atomic_fetch_and(&request->wait, ~HTTP_ANSWERED);

        connection->is_closing |= request->is_last || connection->is_lost ||
                                  connection->input.has_ended ||
                                  (reply->size == HTTP_SIZE_UNKNOWN &&
                                   connection->parser.framing.is_1_0) ||
                                  /* A courtesy to clients. What other daemons say, running requests
                                     may wait for. */
                                  (http_request_is_draining(request) &&
                                   request->kind != HTTP_OTHER);
        connection->is_replying = true;

        r = http_sender_begin(
                        &connection->sender, request, &connection->worker->site->origins,
                        connection->is_closing);
        if (r < 0) /* so that nobody takes this for a lost connection, and asks again */
                (void) send_output(connection);
        return r;
}

static void end_request(HttpConnection *connection, bool is_complete) {
        HttpRequest *request = &connection->request;
        HttpOutcome outcome = {
                .kind = request->kind,
                .status = request->reply.status,
                .begun_usec = request->begun_usec,
                .received = request->received,
                .sent = http_sender_count(&connection->sender, request, is_complete),
        };

        http_count(connection->worker->counters, &outcome);
        http_exchange_end(request, connection->worker->site);
        connection->has_request = false;
        set_phase(connection, GUEST_IDLE);
        http_sender_end(&connection->sender);
}

/* Closes, but so that the last answer arrives. */
static Step linger(HttpConnection *connection) {
        if (connection->is_over && !connection->request.is_last && connection->input.size == 0 &&
            !connection->input.can_receive)
                return GONE; /* there is nothing that has not been read */
        if (connection->input.has_ended || shutdown(connection->fd, SHUT_WR) < 0)
                return GONE;

        set_timer(connection, &connection->worker->linger);
        connection->state = HTTP_CONNECTION_LINGER;
        return GO_ON;
}

/* Socket and place are somebody else's from here on. */
static Step hand_over(HttpConnection *connection) {
        HttpWorker *worker = connection->worker;
        const HttpReply *reply = &connection->request.reply;
        HttpUpgraded upgraded = {
                .fd = connection->fd,
                .input = connection->input.data,
                .input_size = connection->input.size,
                .place = http_place_new(
                                worker->loop, connection->guest, &worker->site->drain,
                                &worker->places),
        };

        if (!upgraded.place)
                return GONE;

        loop_remove(worker->loop, connection->fd, &connection->source);
        connection->fd = -1;
        connection->guest = NULL;
        reply->on_upgraded(&upgraded, reply->upgraded_userdata);
        end_request(connection, true);
        return GONE;
}

/* The answer was sent, and all of the request has come in, or will never. */
static Step go_on(HttpConnection *connection) {
        if (connection->request.reply.on_upgraded && !connection->is_lost)
                return hand_over(connection);

        end_request(connection, true);
        if (connection->is_closing || connection->is_lost)
                return linger(connection);

        http_parser_begin(&connection->parser);
        connection->state = HTTP_CONNECTION_HEAD;
        http_worker_balance(connection->worker);
        return connection->input.size > 0 && yield(connection) ? WAIT : GO_ON;
}

static Step cut(HttpConnection *connection) {
        http_sender_cut(&connection->sender, &connection->request);
        return GONE;
}

/* Somebody is going to resume the request: until then it must not end. */
static Step wait_for_stream(HttpConnection *connection) {
        int r;

        r = http_request_park(&connection->request);
        if (r == 0)
                return WAIT;
        connection->sender.is_dry = false;
        return r < 0 ? cut(connection) : GO_ON;
}

static Step step_reply(HttpConnection *connection) {
        HttpRequest *request = &connection->request;
        HttpSender *sender = &connection->sender;
        int r;

        set_phase(connection, GUEST_REPLY);
        if (!connection->is_replying && begin_reply(connection) < 0)
                return cut(connection);
        if (http_output_is_empty(&sender->output) && !sender->is_complete && !sender->is_dry &&
            http_sender_add(sender, request) < 0)
                return cut(connection);

        r = connection->is_broken ? -EPIPE : send_output(connection);
        if (r < 0 && r != -EAGAIN)
                connection->is_broken = true;

        if (sender->is_dry)
                return wait_for_stream(connection);
        if (connection->is_broken)
                return GONE;
        if (r == -EAGAIN)
                return WAIT;
        if (!sender->is_complete)
                return yield(connection) ? WAIT : GO_ON;

        if (connection->is_over || connection->is_lost || connection->input.has_ended)
                return go_on(connection);
        connection->state = HTTP_CONNECTION_DISCARD;
        return GO_ON;
}

static Step step_discard(HttpConnection *connection) {
        HttpRequest *request = &connection->request;
        HttpEvent event;
        int r;

        set_phase(connection, GUEST_REFUSED);
        if (connection->piece > 0) {
                http_input_use(&connection->input, connection->piece);
                request->received += connection->piece;
                http_guest_add_bytes(connection->guest, connection->piece);
                connection->piece = 0;
        }

        r = find_event(connection, &event);
        if (r == 0)
                return WAIT;
        if (r < 0)
                connection->is_closing = true;
        if (r < 0 || event == HTTP_EVENT_END) {
                connection->is_over = r > 0;
                return go_on(connection);
        }
        return GO_ON;
}

static Step step_linger(HttpConnection *connection) {
        int r;

        connection->lingered += connection->input.size;
        http_input_use(&connection->input, connection->input.size);
        if (connection->lingered > LINGER_MAX)
                return GONE;

        r = fill(connection);
        return r < 0 ? GONE : r == 0 ? WAIT : GO_ON;
}

void http_connection_leave(HttpConnection *connection) {
        loop_timer_clear(&connection->timer);
        DL_DELETE(connection->worker->connections, connection);
        (void) atomic_fetch_sub(&connection->worker->n_connections, 1);
}

HttpConnection *http_connection_free(HttpConnection *connection) {
        assert(!http_request_is_parked(&connection->request));

        if (connection->has_request)
                end_request(connection, false);
        if (connection->is_queued)
                loop_cancel(&connection->later);
        http_connection_leave(connection);
        if (connection->guest)
                (void) http_guest_leave(connection->guest);
        closep(&connection->fd);

        buffer_done(&connection->request.reply.headers);
        buffer_done(&connection->request.reply.body);
        http_input_done(&connection->input);
        free(connection);
        return NULL;
}

/* Goes as far as it can. The connection may be gone then. */
static void proceed(HttpConnection *connection) {
        static Step (*const steps[_HTTP_CONNECTION_MAX])(HttpConnection * connection) = {
                [HTTP_CONNECTION_HEAD] = step_head,       [HTTP_CONNECTION_BODY] = step_body,
                [HTTP_CONNECTION_ANSWER] = step_answer,   [HTTP_CONNECTION_REPLY] = step_reply,
                [HTTP_CONNECTION_DISCARD] = step_discard, [HTTP_CONNECTION_LINGER] = step_linger,
        };
        Step step;

        connection->turns = 0;
        do
                step = steps[connection->state](connection);
        while (step == GO_ON);

        if (step != GONE && save_both(connection) < 0) {
                /* As if the client had closed here. */
                connection->input.size = connection->piece = 0;
                connection->input.has_ended = connection->is_lost = true;
                step = may_proceed(connection) ? GONE : WAIT;
        }
        if (step == GONE)
                (void) http_connection_free(connection);
}

static void on_wake(LoopWaker *waker) {
        HttpRequest *request = CONTAINER_OF(waker, HttpRequest, waker);
        HttpConnection *connection = CONTAINER_OF(request, HttpConnection, request);

        http_request_unpark(request);
        connection->sender.is_dry = false;
        touch(connection);
        if (may_proceed(connection))
                proceed(connection);
}

static void on_event(LoopSource *source, uint32_t events) {
        HttpConnection *connection = CONTAINER_OF(source, HttpConnection, source);
        int r;

        http_input_note(&connection->input, events);
        connection->can_send |= (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0;

        if (may_proceed(connection)) {
                proceed(connection);
                return;
        }

        /* What was left of the output can go, though more of it is waited for. */
        if (connection->is_replying && !http_output_is_empty(&connection->sender.output)) {
                r = send_output(connection);
                connection->is_broken |= r < 0 && r != -EAGAIN;
        }
}

static void on_later(LoopWaker *waker) {
        HttpConnection *connection = CONTAINER_OF(waker, HttpConnection, later);

        connection->is_queued = false;
        if (may_proceed(connection))
                proceed(connection);
}

/* A client that waits for us is not silent. One that we wait for has taken too long. */
static void on_timeout(LoopTimer *timer) {
        HttpConnection *connection = CONTAINER_OF(timer, HttpConnection, timer);

        if (may_proceed(connection))
                (void) http_connection_free(connection);
        else
                touch(connection);
}

void http_connection_open(HttpConnection *connection) {
        DL_APPEND(connection->worker->connections, connection);
        connection->later.on_wake = on_later;
        touch(connection);
        if (loop_add(connection->worker->loop, connection->fd,
                     EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, &connection->source) < 0)
                (void) http_connection_free(connection);
}

static void on_handed_over(LoopWaker *waker) {
        http_connection_open(CONTAINER_OF(waker, HttpConnection, later));
}

void http_connection_assign(HttpConnection *connection, HttpWorker *worker) {
        connection->worker = worker;
        connection->sender.room = worker->output;
        connection->request.waker.loop = worker->loop;
        connection->later = (LoopWaker){ .on_wake = on_handed_over, .loop = worker->loop };
        (void) atomic_fetch_add(&worker->n_connections, 1);
}

/* If somebody else was first, it is on its way to be woken. */
void http_connection_hurry(HttpConnection *connection) {
        if (atomic_fetch_or(&connection->request.wait, HTTP_WOKEN) == HTTP_PARKED)
                on_wake(&connection->request.waker);
}

HttpConnection *http_connection_new(HttpSite *site, int fd, const HttpAddress *address) {
        HttpConnection *connection;

        connection = malloc(sizeof(*connection) + site->header_max + HTTP_STORE_EXTRA);
        if (!connection) {
                (void) close(fd);
                return NULL;
        }

        *connection = (HttpConnection){
                .source.on_event = on_event,
                .fd = fd,
                .guest = http_guard_enter(site->guard, fd, &address->any),
                .address = *address,
                .timer.on_timeout = on_timeout,
                .request = {
                        .userdata = site->userdata,
                        .fd = fd,
                        .address = &connection->address.any,
                        .head = &connection->parser,
                        .drain = &site->drain,
                        .waker.on_wake = on_wake,
                },
                .input.backlog = &site->backlog,
                .can_send = true,
        };
        if (!connection->guest) {
                (void) close(fd);
                free(connection);
                return NULL;
        }

        connection->request.guest = connection->guest;
        http_parser_init(&connection->parser, true, connection->store, site->header_max);
        return connection;
}
