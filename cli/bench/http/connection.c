/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "bench/http/connection.h"

#define REDIRECTS_MAX 5
#define CONTINUE_USEC USEC_PER_SEC /* like curl: then the body is sent unasked */

static const char *const outcome_names[_OUTCOME_MAX] = {
        [OUTCOME_OK] = "ok",           [OUTCOME_MISSING] = "missing",
        [OUTCOME_STATUS] = "status",   [OUTCOME_CONNECT] = "connect",
        [OUTCOME_RESET] = "reset",     [OUTCOME_SHORT] = "short",
        [OUTCOME_TIMEOUT] = "timeout", [OUTCOME_MALFORMED] = "malformed",
        [OUTCOME_WRONG] = "wrong",
};

const char *outcome_to_string(Outcome outcome) {
        return outcome_names[outcome];
}

void connection_init(Connection *connection, ConnectionShared *shared) {
        *connection = (Connection){ .shared = shared };
        http_parser_init(&connection->response, false, connection->store, CONNECTION_HEAD_MAX);
}

void connection_done(Connection *connection) {
        Link *link;

        while ((link = connection->links)) {
                connection->links = link->next;
                link_close(link);
                free(link);
        }
        buffer_done(&connection->head);
}

static bool finish(Connection *connection, Outcome outcome) {
        Link *link = TAKE_PTR(connection->link);

        /* Whatever is left unread or unsent would be taken for part of the next request. */
        if (outcome > OUTCOME_STATUS && outcome != OUTCOME_WRONG && link)
                link_close(link);

        connection->outcome = outcome;
        return true;
}

static Link *get_link(Connection *connection, const Authority *authority) {
        Link *link;

        for (link = connection->links; link; link = link->next)
                if (link->authority == authority)
                        return link;

        link = malloc(sizeof(*link));
        if (!link)
                return NULL;

        link_init(link, connection, authority, connection->shared->epoll_fd);
        link->next = connection->links;
        connection->links = link;
        return link;
}

static uint64_t unsent(const Connection *connection) {
        uint64_t size = connection->head.size;

        if (connection->operation.type == OPERATION_PUT)
                size += body_size(&connection->body);

        return size - connection->sent;
}

/* Sends as much as the socket takes. Returns 0 or what went wrong. */
static int send_more(Connection *connection) {
        Link *link = connection->link;

        for (;;) {
                uint64_t head_size = connection->head.size, sent = connection->sent;
                struct iovec pieces[2];
                size_t n_pieces = 0;
                ssize_t n;

                if (sent < head_size)
                        pieces[n_pieces++] = (struct iovec){
                                .iov_base = connection->head.data + sent,
                                .iov_len = head_size - sent,
                        };
                if (connection->operation.type == OPERATION_PUT && !connection->held) {
                        uint8_t *output = connection->shared->output;
                        size_t n_body = body_read(
                                        &connection->body, sent > head_size ? sent - head_size : 0,
                                        output, CONNECTION_BUFFER_SIZE);

                        if (n_body > 0)
                                pieces[n_pieces++] = (struct iovec){ output, n_body };
                }
                if (n_pieces == 0)
                        return link_want_write(link, false);

                n = link_send(link, pieces, n_pieces);
                if (n == -EAGAIN)
                        return link_want_write(link, true);
                if (n < 0)
                        return (int) n;

                connection->sent += (uint64_t) n;
                connection->moved_at_usec = connection->shared->now_usec;
        }
}

/* Sends the request, from its start, over the link. */
static int send_request(Connection *connection) {
        const Operation *operation = &connection->operation;
        ConnectionShared *shared = connection->shared;
        int r;

        connection->sent = 0;
        connection->received = 0;
        connection->held = operation->type == OPERATION_PUT && shared->options->expect;
        connection->moved_at_usec = shared->now_usec;
        http_parser_begin(&connection->response);
        value_check_begin(&connection->check, connection->key);

        if (connection->link->fd < 0) {
                r = link_open(connection->link);
                if (r < 0)
                        return r;
        }

        return connection->link->connecting ? 0 : send_more(connection);
}

/* The connection broke. A kept-alive one may have been closed by the other side just when the
 * request was on its way, which is nobody's fault: then this is tried again, on a new one. */
static bool lost(Connection *connection) {
        Link *link = connection->link;
        bool answering = http_parser_has_begun(&connection->response),
             again = link->reused && !answering;

        link_close(link);
        if (again && send_request(connection) >= 0)
                return false;

        return finish(connection, answering ? OUTCOME_SHORT : OUTCOME_RESET);
}

static void put_text(Buffer *buffer, const char *text) {
        buffer_put(buffer, text, strlen(text));
}

static int make_head(Connection *connection, const char *authority, const char *path) {
        static const char *const methods[_OPERATION_TYPE_MAX] = {
                [OPERATION_GET] = "GET ",
                [OPERATION_PUT] = "PUT ",
                [OPERATION_DELETE] = "DELETE ",
        };
        const Operation *operation = &connection->operation;
        const Options *options = connection->shared->options;
        Buffer *head = &connection->head;

        buffer_clear(head);
        put_text(head, methods[operation->type]);
        put_text(head, *path ? path : "/");
        put_text(head, " HTTP/1.1\r\nHost: ");
        put_text(head, authority);

        if (operation->type == OPERATION_PUT) {
                if (options->expect)
                        put_text(head, "\r\nExpect: 100-continue");
                if (options->chunked)
                        put_text(head, "\r\nTransfer-Encoding: chunked");
                else {
                        char length[64];

                        (void) snprintf(length, sizeof(length), "\r\nContent-Length: %" PRIu64,
                                        operation->size);
                        put_text(head, length);
                }
        }

        put_text(head, "\r\n\r\n");
        return buffer_error(head);
}

/* Sends the request to TARGET: a URL, or a path at BASE. */
static bool ask(Connection *connection, const Authority *base, const char *target) {
        const Authority *authority = base;
        const char *path = target;
        int r;

        if (!base || *target != '/') {
                r = authorities_get(connection->shared->authorities, target, &authority, &path);
                if (r < 0)
                        return finish(connection, OUTCOME_MALFORMED);
        }

        connection->link = get_link(connection, authority);
        if (!connection->link || make_head(connection, authority->name, path) < 0)
                return finish(connection, OUTCOME_CONNECT);

        r = send_request(connection);
        if (r >= 0)
                return false;
        if (connection->link->fd < 0)
                return finish(connection, OUTCOME_CONNECT);
        return lost(connection);
}

bool connection_start(Connection *connection, const Operation *operation, const char *target) {
        const ConnectionShared *shared = connection->shared;
        const Authority *base = NULL;
        const char *path;

        assert(!connection->link);

        connection->operation = *operation;
        connection->redirects = 0;
        connection->key = key_hash(connection->path + 1);
        if (operation->type == OPERATION_PUT)
                connection->body = (Body){
                        .value = value_make(
                                        connection->key, operation->generation, operation->size),
                        .chunked = shared->options->chunked,
                };

        if (*target == '/' && authorities_get(shared->authorities, shared->url, &base, &path) < 0)
                return finish(connection, OUTCOME_CONNECT);

        return ask(connection, base, target);
}

static Outcome judge(const Connection *connection) {
        unsigned status = connection->response.status;

        if (status == 404)
                return OUTCOME_MISSING;
        if (status >= 300)
                return !connection->shared->follow && status < 400 ? OUTCOME_OK : OUTCOME_STATUS;

        return OUTCOME_OK;
}

/* The body of the answer is what was asked for, not an explanation. */
static bool is_value(const Connection *connection) {
        return connection->operation.type == OPERATION_GET && connection->response.status == 200;
}

static void use_body(Connection *connection, const void *data, size_t size) {
        if (!is_value(connection))
                return;

        connection->received += size;
        if (connection->shared->verify)
                value_check_update(&connection->check, data, size);
}

/* The answer is complete; ONLY says that nothing came behind it. */
static bool answered(Connection *connection, bool only) {
        HttpParser *response = &connection->response;
        const char *location = http_parser_field(response, "Location");
        Link *link = connection->link;
        bool redirected = response->status >= 300 && response->status < 400;
        Outcome outcome = judge(connection);

        link->reused = true;
        if (!response->keep_alive || unsent(connection) > 0 || !only)
                link_close(link);
        if (!only)
                return finish(connection, OUTCOME_MALFORMED);

        if (redirected && connection->shared->follow && location) {
                _cleanup_free_ char *target = strdup(location); /* the next request clears it */

                if (!target || ++connection->redirects > REDIRECTS_MAX)
                        return finish(connection, OUTCOME_MALFORMED);
                return ask(connection, link->authority, target);
        }

        if (outcome == OUTCOME_OK && is_value(connection) && connection->shared->verify &&
            value_check_end(&connection->check) < 0)
                outcome = OUTCOME_WRONG;
        return finish(connection, outcome);
}

/* An answer that is not the last: go on if it says so, and wait for the next one. */
static int interim(Connection *connection) {
        bool go_on = connection->response.status == 100 && connection->held;

        http_parser_begin(&connection->response);
        if (!go_on)
                return 0;

        connection->held = false;
        return send_more(connection);
}

/* Returns whether the operation is over. */
static bool use_input(Connection *connection, const uint8_t *data, size_t size) {
        HttpParser *response = &connection->response;

        for (;;) {
                HttpEvent event;
                ssize_t n;

                n = http_parser_feed(response, data, size, &event);
                if (n < 0)
                        return finish(connection, OUTCOME_MALFORMED);
                data += n;
                size -= (size_t) n;

                if (event == HTTP_EVENT_MORE)
                        return false;
                if (event == HTTP_EVENT_BODY)
                        use_body(connection, response->piece, response->piece_size);
                if (event != HTTP_EVENT_END)
                        continue;
                if (response->status >= 200)
                        return answered(connection, size == 0);
                if (interim(connection) < 0)
                        return lost(connection);
        }
}

static bool receive(Connection *connection) {
        uint8_t *data = connection->shared->input;
        ssize_t n;

        n = link_receive(connection->link, data, CONNECTION_BUFFER_SIZE);
        if (n == -EAGAIN)
                return false;
        if (n == 0 && http_parser_close(&connection->response) >= 0)
                return answered(connection, true);
        if (n <= 0)
                return lost(connection);

        connection->moved_at_usec = connection->shared->now_usec;
        return use_input(connection, data, (size_t) n);
}

bool connection_on_event(Connection *connection, Link *link, uint32_t events) {
        int r = 0;

        /* Nothing is expected from the others: they were closed. */
        if (link != connection->link) {
                link_close(link);
                return false;
        }

        if (link->connecting) {
                r = link_connected(link);
                if (r < 0)
                        return finish(connection, OUTCOME_CONNECT);
                r = send_more(connection);
        } else if (events & EPOLLOUT)
                r = send_more(connection);

        /* An error while sending may have an answer in front that says why. */
        if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                return receive(connection);

        return r < 0 ? lost(connection) : false;
}

bool connection_tick(Connection *connection) {
        uint64_t idle = connection->shared->now_usec - connection->moved_at_usec;

        if (idle >= connection->shared->options->timeout_usec)
                return finish(connection, OUTCOME_TIMEOUT);

        if (connection->held && !connection->link->connecting && idle >= CONTINUE_USEC) {
                connection->held = false;
                if (send_more(connection) < 0)
                        return lost(connection);
        }

        return false;
}
