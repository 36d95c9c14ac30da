/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

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
        const struct sockaddr *address = request->address;
        const void *part;

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
        return http_parser_field(request->head, name);
}

int http_request_each_header(
                HttpRequest *request,
                int (*on_header)(const char *name, const char *value, void *userdata),
                void *userdata) {
        const char *name, *value;
        size_t position = 0;
        int r = 0;

        while (r == 0 && http_parser_next_field(request->head, &position, &name, &value))
                r = on_header(name, value, userdata);
        return r;
}

/* What has come in and was not asked for, such as a request that follows, comes before the end. */
bool http_request_sender_is_gone(const HttpRequest *request) {
        char byte;

        return recv(request->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

void http_request_fail(HttpRequest *request, int error) {
        assert(error < 0);

        if (http_request_is_answered(request))
                return;

        buffer_clear(&request->reply.headers); /* they were meant for another reply */
        request->error = error;
        http_request_wake(request, HTTP_ANSWERED);
}

int http_request_park(HttpRequest *request) {
        unsigned none = 0;

        if (atomic_load(&request->drain->hurried)) {
                /* Unless there is an answer already */
                return atomic_fetch_and(&request->wait, ~HTTP_WOKEN) & HTTP_ANSWERED ? 1
                                                                                     : -ESHUTDOWN;
        }

        http_guest_set_phase(request->guest, GUEST_OURS);
        if (atomic_compare_exchange_strong(&request->wait, &none, HTTP_PARKED))
                return 0;

        atomic_fetch_and(&request->wait, ~HTTP_WOKEN); /* somebody was first */
        return 1;
}

void http_request_unpark(HttpRequest *request) {
        atomic_fetch_and(&request->wait, ~(HTTP_PARKED | HTTP_WOKEN));
}

void http_request_wake(HttpRequest *request, HttpWait why) {
        if (atomic_fetch_or(&request->wait, why) == HTTP_PARKED)
                loop_wake(&request->waker);
}

void http_request_resume(HttpRequest *request) {
        assert(request);

        http_request_wake(request, HTTP_WOKEN);
}
