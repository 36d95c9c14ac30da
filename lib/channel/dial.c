/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "base/buffer.h"
#include "base/json.h"
#include "channel/dial.h"
#include "channel/lookup.h"
#include "core/url.h"
#include "http/parser/parser.h"

#define HEAD_MAX   (4 * KIB)
#define BODY_MAX   (4 * KIB)
#define READ_SIZE  (4 * KIB)
#define REASON_MAX 512

typedef enum DialStep {
        DIAL_LOOKUP,
        DIAL_CONNECT,
        DIAL_ANSWER,
        DIAL_DONE,
} DialStep;

struct Dial {
        DialOptions options;
        Handshake offer;
        char offer_text[HANDSHAKE_TEXT_SIZE];
        DialStep step;
        Lookup *lookup;              /* owned */
        const struct addrinfo *next; /* to try; the lookup's */
        int error;                   /* of the address that was tried last */
        int fd;                      /* of the socket */
        LoopSource source;           /* of the descriptor that is waited for */
        LoopTimer timer;
        Buffer request;
        size_t sent;
        HttpParser parser;
        char store[HEAD_MAX + HTTP_STORE_EXTRA];
        Buffer body; /* of a refusal */
        char reason[REASON_MAX];
};

static void stop(Dial *dial) {
        dial->step = DIAL_DONE;
        loop_timer_clear(&dial->timer);
        if (dial->lookup)
                loop_remove(dial->options.loop, lookup_fd(dial->lookup), &dial->source);
        dial->lookup = lookup_free(dial->lookup);
        dial->next = NULL;
}

static void finish(Dial *dial, const DialResult *result) {
        stop(dial);
        dial->options.on_done(result, dial->options.userdata);
}

static void close_socket(Dial *dial) {
        if (dial->fd >= 0)
                loop_remove(dial->options.loop, dial->fd, &dial->source);
        closep(&dial->fd);
}

static void fail(Dial *dial, int error, const char *reason) {
        close_socket(dial);
        finish(dial, &(DialResult){ .error = error, .reason = reason, .fd = -1 });
}

/* Only the system knows why a connection could not be made. */
static const char *connect_reason(int error) {
        switch (error) {
        case -ECONNREFUSED:
                return "it refuses connections, so no daemon listens there";
        case -EHOSTUNREACH:
        case -ENETUNREACH:
                return "there is no way to that address from this machine";
        case -EACCES:
        case -EPERM:
                return "this machine's firewall forbids it";
        case 0:
                return "there is no machine of that name";
        default:
                return "it does not answer; is it up, and does a firewall let the port through?";
        }
}

/* -- The answer -- */

static void accept_answer(Dial *dial, const void *data, size_t size) {
        const char *text = http_parser_field(&dial->parser, HANDSHAKE_HEADER);
        DialResult result = { .reason = "", .data = data, .size = size };
        int r;

        r = handshake_read_acceptance(
                        text, dial->offer_text, dial->options.signer, &result.acceptance);
        if (r < 0) {
                fail(dial, r,
                     r == -EPROTO ? "it runs another release of dkv"
                                  : "it does not have the secret of this cluster");
                return;
        }
        r = handshake_match(&dial->offer, &result.acceptance);
        if (r < 0) {
                fail(dial, r, "another daemon answers at its address");
                return;
        }
        r = handshake_keys(dial->offer_text, text, dial->options.signer, &result.keys);
        if (r < 0) {
                fail(dial, r, "there is no memory for the keys");
                return;
        }

        loop_remove(dial->options.loop, dial->fd, &dial->source);
        result.fd = TAKE_FD(dial->fd);
        finish(dial, &result);
}

static int error_of_status(unsigned status) {
        switch (status) {
        case 401:
        case 403:
                return -EACCES;
        case 421:
                return -EREMOTE;
        case 425:
                return -EINPROGRESS;
        case 426:
                return -EPROTO;
        case 400:
        case 404:
        case 405:
        case 501:
                return -EOPNOTSUPP;
        default:
                return -EHOSTDOWN;
        }
}

/* The sentence of the other side, if there is one. */
static void refuse(Dial *dial) {
        _cleanup_(json_freep) Json *problem = NULL;
        const char *detail = NULL;

        if (json_parse((const char *) dial->body.data, dial->body.size, &problem) >= 0) {
                detail = json_get_string(problem, "detail");
                detail = detail ? detail : json_get_string(problem, "title");
        }
        if (detail)
                (void) snprintf(dial->reason, sizeof(dial->reason), "%s", detail);
        else
                (void) snprintf(dial->reason, sizeof(dial->reason),
                                "it answers with HTTP status %u", dial->parser.status);
        fail(dial, error_of_status(dial->parser.status), dial->reason);
}

static bool is_upgrade(const HttpParser *parser) {
        const char *upgrade = http_parser_field(parser, "Upgrade");

        return parser->status == 101 && upgrade && strcasecmp(upgrade, HANDSHAKE_PROTOCOL) == 0;
}

/* Returns whether more is wanted. */
static bool take_answer(Dial *dial, const uint8_t *data, size_t size) {
        HttpEvent event = HTTP_EVENT_MORE;

        do {
                ssize_t n;

                n = http_parser_feed(&dial->parser, data, size, &event);
                if (n < 0) {
                        fail(dial, -EOPNOTSUPP, "what it answers is no HTTP that dkv knows");
                        return false;
                }
                data += n;
                size -= (size_t) n;
                if (event == HTTP_EVENT_BODY && dial->body.size <= BODY_MAX)
                        buffer_put(&dial->body, dial->parser.piece, dial->parser.piece_size);
        } while (event != HTTP_EVENT_MORE && event != HTTP_EVENT_END);

        if (event == HTTP_EVENT_MORE && dial->body.size <= BODY_MAX)
                return true;
        if (event == HTTP_EVENT_END && is_upgrade(&dial->parser))
                accept_answer(dial, data, size);
        else
                refuse(dial);
        return false;
}

static void read_answer(Dial *dial) {
        uint8_t buffer[READ_SIZE];
        ssize_t n;

        do {
                n = recv(dial->fd, buffer, sizeof(buffer), MSG_DONTWAIT);
                if (n < 0 && errno == EAGAIN)
                        return;
                if (n <= 0 && !(n < 0 && errno == EINTR)) {
                        fail(dial, -ECONNRESET, "it broke the connection");
                        return;
                }
        } while (n < 0 || take_answer(dial, buffer, (size_t) n));
}

/* -- The request -- */

static int make_request(Dial *dial) {
        char *text;
        int size;

        size = asprintf(&text,
                        "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: %s\r\n%s: "
                        "%s\r\n\r\n",
                        HANDSHAKE_PATH, url_authority(dial->options.url), HANDSHAKE_PROTOCOL,
                        HANDSHAKE_HEADER, dial->offer_text);
        if (size < 0)
                return -ENOMEM;

        buffer_put(&dial->request, text, (size_t) size);
        free(text);
        return buffer_error(&dial->request);
}

/* Returns whether an answer may come. */
static bool send_request(Dial *dial) {
        while (dial->sent < dial->request.size) {
                ssize_t n;

                n = send(dial->fd, dial->request.data + dial->sent, dial->request.size - dial->sent,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
                if (n < 0 && errno == EAGAIN)
                        return true;
                if (n < 0 && errno != EINTR) {
                        fail(dial, -ECONNRESET, "it broke the connection");
                        return false;
                }
                dial->sent += n > 0 ? (size_t) n : 0;
        }

        return true;
}

/* -- The connection -- */

/* Begins a step with a time limit of its own. */
static void begin_step(Dial *dial, DialStep step) {
        dial->step = step;
        loop_timer_set_after(dial->options.loop, &dial->timer, DIAL_STEP_USEC);
}

static int connect_to(Dial *dial, const struct addrinfo *address) {
        dial->fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (dial->fd < 0)
                return -errno;
        if (connect(dial->fd, address->ai_addr, address->ai_addrlen) < 0 && errno != EINPROGRESS)
                return -errno;
        return loop_add(dial->options.loop, dial->fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                        &dial->source);
}

/* Tries the next address that the system does not refuse at once. */
static void connect_next(Dial *dial) {
        while (dial->next) {
                const struct addrinfo *address = dial->next;

                dial->next = address->ai_next;
                close_socket(dial);
                dial->error = connect_to(dial, address);
                if (dial->error == 0) {
                        begin_step(dial, DIAL_CONNECT);
                        return;
                }
        }

        fail(dial, -EHOSTDOWN, connect_reason(dial->error));
}

/* Returns whether the connection is there. */
static bool is_connected(Dial *dial, uint32_t events) {
        socklen_t size = sizeof(int);
        int error = 0;

        if (!(events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
                return false;
        if (getsockopt(dial->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
                error = errno;
        if (error != 0) {
                dial->error = -error;
                connect_next(dial);
                return false;
        }

        begin_step(dial, DIAL_ANSWER);
        return true;
}

static void on_event(LoopSource *source, uint32_t events) {
        Dial *dial = CONTAINER_OF(source, Dial, source);

        if (dial->step == DIAL_LOOKUP) {
                dial->next = lookup_addresses(dial->lookup);
                connect_next(dial);
                return;
        }

        if (dial->step == DIAL_CONNECT && !is_connected(dial, events))
                return;
        if (send_request(dial))
                read_answer(dial);
}

static void on_timeout(LoopTimer *timer) {
        Dial *dial = CONTAINER_OF(timer, Dial, timer);

        switch (dial->step) {
        case DIAL_LOOKUP:
                fail(dial, -EHOSTDOWN, "no name server knows its address in time");
                break;
        case DIAL_CONNECT:
                dial->error = -ETIMEDOUT;
                connect_next(dial);
                break;
        default:
                fail(dial, -ETIMEDOUT, "it takes connections and does not answer in time");
                break;
        }
}

Dial *dial_free(Dial *dial) {
        if (!dial)
                return NULL;

        stop(dial);
        close_socket(dial);
        buffer_done(&dial->request);
        buffer_done(&dial->body);
        free(dial);
        return NULL;
}

static int start(Dial *dial) {
        Address host;
        int r;

        if (getrandom(dial->offer.nonce, sizeof(dial->offer.nonce), 0) != sizeof(dial->offer.nonce))
                return -EIO;
        r = handshake_offer(&dial->offer, dial->options.signer, dial->offer_text);
        if (r < 0)
                return r;
        r = make_request(dial);
        if (r < 0)
                return r;
        r = url_host(dial->options.url, &host);
        if (r < 0)
                return r;
        r = lookup_start(&host, &dial->lookup);
        if (r < 0)
                return r;
        return loop_add(dial->options.loop, lookup_fd(dial->lookup), EPOLLIN | EPOLLET,
                        &dial->source);
}

int dial_new(const DialOptions *options, Dial **ret) {
        _cleanup_(dial_freep) Dial *dial = malloc(sizeof(*dial));
        int r;

        if (!dial)
                return -ENOMEM;

        *dial = (Dial){
                .options = *options,
                .offer = *options->offer,
                .fd = -1,
                .source.on_event = on_event,
                .timer.on_timeout = on_timeout,
        };
        http_parser_init(&dial->parser, false, dial->store, HEAD_MAX);

        r = start(dial);
        if (r < 0)
                return r;

        begin_step(dial, DIAL_LOOKUP);
        *ret = TAKE_PTR(dial);
        return 0;
}
