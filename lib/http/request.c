/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <utlist.h>

#include "base/file.h"
#include "core/key.h"
#include "http/request-internal.h"

void *http_request_userdata(HttpRequest *request) {
        return request->userdata;
}

void **http_request_state(HttpRequest *request) {
        return &request->state;
}

void http_request_set_pass(HttpRequest *request, void *pass, void (*free_pass)(void *pass)) {
        assert(request);
        assert(!request->pass);

        request->pass = pass;
        request->free_pass = free_pass;
}

void *http_request_pass(HttpRequest *request) {
        return request->pass;
}

const char *http_request_method(const HttpRequest *request) {
        return request->method;
}

const char *http_request_path(const HttpRequest *request) {
        return request->path;
}

const char *http_request_query(const HttpRequest *request) {
        return request->query;
}

uint64_t http_request_size(const HttpRequest *request) {
        return request->size;
}

int http_request_address(const HttpRequest *request, char ret[static HTTP_ADDRESS_SIZE]) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(
                        request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
        const struct sockaddr *address = info ? info->client_addr : NULL;
        const void *part;

        if (!address)
                return -ENOENT;

        if (address->sa_family == AF_INET)
                part = &((const struct sockaddr_in *) (const void *) address)->sin_addr;
        else if (address->sa_family == AF_INET6)
                part = &((const struct sockaddr_in6 *) (const void *) address)->sin6_addr;
        else
                return -EAFNOSUPPORT;
        return inet_ntop(address->sa_family, part, ret, HTTP_ADDRESS_SIZE) ? 0 : -errno;
}

bool http_request_expects_continue(const HttpRequest *request) {
        return request->expects_continue;
}

void http_request_trust(HttpRequest *request) {
        assert(request);

        http_guest_trust(request->guest);
}

void http_request_explain(HttpRequest *request, const char *detail) {
        assert(request);

        request->detail = detail;
}

const char *http_request_keep(HttpRequest *request, const char *string, size_t length) {
        assert(request);
        assert(!request->kept);

        request->kept = strndup(string, length);
        return request->kept;
}

bool http_request_is_draining(const HttpRequest *request) {
        return atomic_load(&request->drain->draining);
}

int http_request_parameter(const HttpRequest *request, const char *name, char *ret, size_t size) {
        size_t name_size = strlen(name);

        for (const char *p = request->query; *p != '\0';) {
                size_t n = strcspn(p, "&");

                if (n >= name_size && memcmp(p, name, name_size) == 0) {
                        if (n == name_size)
                                return percent_decode(p + n, 0, ret, size);
                        if (p[name_size] == '=')
                                return percent_decode(
                                                p + name_size + 1, n - name_size - 1, ret, size);
                }

                p += n;
                p += *p == '&';
        }

        return -ENOENT;
}

const char *http_request_header(const HttpRequest *request, const char *name) {
        return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

typedef struct HeaderVisitor {
        int (*on_header)(const char *name, const char *value, void *userdata);
        void *userdata;
        int result;
} HeaderVisitor;

static enum MHD_Result visit_header(
                void *userdata, enum MHD_ValueKind kind, const char *name, const char *value) {
        HeaderVisitor *visitor = userdata;

        visitor->result = visitor->on_header(name, value ?: "", visitor->userdata);
        return visitor->result == 0 ? MHD_YES : MHD_NO;
}

int http_request_each_header(
                HttpRequest *request,
                int (*on_header)(const char *name, const char *value, void *userdata),
                void *userdata) {
        HeaderVisitor visitor = { .on_header = on_header, .userdata = userdata };

        (void) MHD_get_connection_values(
                        request->connection, MHD_HEADER_KIND, visit_header, &visitor);

        return visitor.result;
}

typedef struct Framing {
        const char *size, *encoding, *expect;
        unsigned n_hosts, n_sizes, n_encodings;
} Framing;

static int on_framing_header(const char *name, const char *value, void *userdata) {
        Framing *framing = userdata;

        if (strcasecmp(name, "Host") == 0) {
                framing->n_hosts++;
        } else if (strcasecmp(name, "Content-Length") == 0) {
                framing->n_sizes++;
                framing->size = value;
        } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
                framing->n_encodings++;
                framing->encoding = value;
        } else if (strcasecmp(name, "Expect") == 0) {
                framing->expect = value;
        }

        return 0;
}

/* A target with spaces or control characters in it is one that somebody else may read differently.
 */
static bool target_is_clean(const char *string) {
        for (const uint8_t *p = (const uint8_t *) string; *p != '\0'; p++)
                if (*p <= ' ' || *p == 0x7f)
                        return false;

        return true;
}

int http_request_check_framing(HttpRequest *request, const char *version) {
        Framing framing = {};

        request->is_1_0 = strcmp(version, "HTTP/1.0") == 0;
        (void) http_request_each_header(request, on_framing_header, &framing);

        if (!target_is_clean(request->path) || !target_is_clean(request->query))
                return -EINVAL;
        if (framing.n_hosts > 1 || (!request->is_1_0 && framing.n_hosts == 0))
                return -EINVAL;
        if (framing.n_sizes + framing.n_encodings > 1)
                return -EINVAL;

        if (framing.encoding) {
                if (request->is_1_0 || strcasecmp(framing.encoding, "chunked") != 0)
                        return -EINVAL;
                request->size = HTTP_SIZE_UNKNOWN;
        } else if (framing.size) {
                if (parse_u64(framing.size, HTTP_SIZE_UNKNOWN - 1, &request->size) < 0)
                        return -EINVAL;
        }

        request->expects_continue = !request->is_1_0 && framing.expect &&
                                    strcasecmp(framing.expect, "100-continue") == 0;
        return 0;
}

/* MHD takes a read that does not fill its buffer for the last one before the next event, so an end
 * of the stream that came together with data would go unnoticed until the time-out. */
bool http_request_sender_is_gone(const HttpRequest *request) {
        const union MHD_ConnectionInfo *info;
        char byte;

        info = MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        return info && recv(info->connect_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

void http_request_fail(HttpRequest *request, int error) {
        assert(error < 0);

        if (http_request_is_answered(request))
                return;

        buffer_clear(&request->headers); /* they were meant for another reply */
        request->error = error;
        http_request_wake(request, HTTP_ANSWERED);
}

int http_request_park(HttpRequest *request) {
        HttpParking *parking = request->parking;
        unsigned none = 0;
        bool closed;

        if (atomic_fetch_and(&request->wait, ~HTTP_WOKEN) & (HTTP_WOKEN | HTTP_ANSWERED))
                return 1;

        (void) pthread_mutex_lock(&parking->lock);
        closed = parking->closed;
        if (!closed) {
                DL_APPEND(parking->requests, request);
                request->listed = true;
        }
        (void) pthread_mutex_unlock(&parking->lock);
        if (closed)
                return -ESHUTDOWN;

        http_guest_set_phase(request->guest, GUEST_OURS);
        MHD_suspend_connection(request->connection);

        /* Only now may anybody resume it; who came earlier left that to us. */
        if (!atomic_compare_exchange_strong(&request->wait, &none, HTTP_PARKED))
                MHD_resume_connection(request->connection);

        return 0;
}

void http_request_unpark(HttpRequest *request) {
        HttpParking *parking = request->parking;

        if (!request->listed)
                return;

        (void) pthread_mutex_lock(&parking->lock);
        DL_DELETE(parking->requests, request);
        (void) pthread_mutex_unlock(&parking->lock);

        request->listed = false;
        atomic_fetch_and(&request->wait, ~(HTTP_PARKED | HTTP_WOKEN));
}

static void set_flag(HttpRequest *request, HttpWait why) {
        struct MHD_Connection *connection = request->connection;

        if (atomic_fetch_or(&request->wait, why) == HTTP_PARKED)
                MHD_resume_connection(connection);
}

/* The requests that this thread has answered since http_replies_hold() */
static _Thread_local HttpRequest *held;
static _Thread_local bool is_holding;

void http_request_wake(HttpRequest *request, HttpWait why) {
        if (why != HTTP_ANSWERED || !is_holding) {
                set_flag(request, why);
                return;
        }

        /* Nobody else looks at this link, and until the flag is set the request stays. */
        request->held_next = held;
        held = request;
}

void http_parking_close(HttpParking *parking) {
        HttpRequest *request;

        (void) pthread_mutex_lock(&parking->lock);
        parking->closed = true;
        DL_FOREACH(parking->requests, request)
        http_request_wake(request, HTTP_WOKEN);
        (void) pthread_mutex_unlock(&parking->lock);
}

void http_replies_hold(void) {
        is_holding = true;
}

void http_replies_release(void) {
        is_holding = false;

        while (held) {
                HttpRequest *request = held;

                held = request->held_next;
                set_flag(request, HTTP_ANSWERED);
        }
}

void http_request_resume(HttpRequest *request) {
        assert(request);

        http_request_wake(request, HTTP_WOKEN);
}
