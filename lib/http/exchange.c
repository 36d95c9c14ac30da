/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "http/exchange.h"
#include "http/record.h"

/* Requests that need no place among the clients': a signature makes them a daemon's. */
#define OURS_PREFIX "/-/"

/* A reply that was larger than this gives its memory back. */
#define REPLY_KEPT_MAX (8 * KIB)

void http_exchange_prepare(HttpRequest *request) {
        const HttpParser *head = request->head;
        const HttpFraming *framing = &head->framing;

        *request = (HttpRequest){
                .userdata = request->userdata,
                .fd = request->fd,
                .address = request->address,
                .head = head,
                .drain = request->drain,
                .guest = request->guest,
                .waker = request->waker,
                .method = head->method ?: "",
                .path = head->target.path ?: "",
                .query = head->target.query ?: "",
                .size = framing->is_chunked ? HTTP_SIZE_UNKNOWN : framing->size,
                .expects_continue = framing->expects_continue,
                .begun_usec = clock_monotonic(),
                .reply = { .headers = request->reply.headers, .body = request->reply.body },
        };
        request->kind = http_count_kind(request->method, request->path);
}

static bool exceeds_route(const HttpRequest *request, uint64_t size) {
        uint64_t max = request->route->body_max;

        return max > 0 && size > max;
}

/* Returns 0 if the request may use its route, or was answered, or a negative errno. */
static int enter_route(HttpRequest *request, const HttpGate *gate) {
        const HttpRoute *route = request->route;
        int r;

        if (!gate->enter)
                return 0;
        r = gate->enter(request, route, gate->userdata);
        return r < 0 && route->refuse ? route->refuse(request, r) : r;
}

/* A request with a body says how long it is. If it does not, the body may have been lost on the way
 * (RFC 9110, 8.6). */
static bool lacks_length(const HttpRequest *request) {
        const HttpFraming *framing = &request->head->framing;

        return !framing->has_size && !framing->is_chunked &&
               (strcmp(request->method, "PUT") == 0 || strcmp(request->method, "POST") == 0);
}

static int begin_route(HttpRequest *request, HttpSite *site) {
        int r;

        if (strncmp(request->path, OURS_PREFIX, strlen(OURS_PREFIX)) != 0 &&
            !http_guest_is_welcome(request->guest)) {
                request->is_last = true;
                return -EAGAIN;
        }

        request->route = http_find_route(site->routes, request->method, request->path);
        if (!request->route)
                return http_reply_no_route(request, site->routes);
        if (lacks_length(request))
                return -ENOMSG;
        if (request->size > 0 && !request->route->body)
                return http_request_reply_error(
                                request, EFBIG, "This kind of request has no body.");
        if (request->size != HTTP_SIZE_UNKNOWN && exceeds_route(request, request->size))
                return -EFBIG;

        r = http_drain_enter(&site->drain);
        if (r < 0)
                return r;
        request->begun = true;

        r = enter_route(request, &site->gate);
        if (r < 0 || http_request_is_answered(request) || !request->route->begin)
                return MIN(r, 0);
        return request->route->begin(request);
}

int http_exchange_begin(HttpRequest *request, HttpSite *site) {
        int r;

        /* What follows may not be a request. */
        request->is_last = lacks_length(request) || strcmp(request->method, "CONNECT") == 0;
        r = http_check_origin(request, &site->origins);
        if (r >= 0)
                r = strcmp(request->method, "OPTIONS") == 0
                                    ? http_reply_options(request, site->routes)
                                    : begin_route(request, site);
        if (r == -ESHUTDOWN && !request->begun)
                return r; /* nothing was done: the client may ask the next process */
        if (r < 0)
                http_request_fail(request, r);
        return 0;
}

size_t http_exchange_body(HttpRequest *request, const char *data, size_t size) {
        size_t taken = 0;

        if (exceeds_route(request, request->received + size))
                http_request_fail(request, -EFBIG);

        while (taken < size && !http_request_is_answered(request)) {
                ssize_t n;
                int r;

                n = request->route->body(request, data + taken, size - taken);
                if (n < 0) {
                        http_request_fail(request, (int) n);
                        break;
                }

                assert((size_t) n <= size - taken);
                taken += (size_t) n;
                if (taken == size)
                        break;

                r = http_request_park(request);
                if (r == 0)
                        break;
                if (r < 0)
                        http_request_fail(request, r);
        }

        request->received += taken;
        http_guest_add_bytes(request->guest, taken);
        return taken;
}

void http_exchange_trailer(HttpRequest *request, const char *name) {
        if (!http_header_is_stored(name) && strncasecmp(name, "Dkv-", strlen("Dkv-")) != 0)
                return;

        http_request_explain(request, "A header that counts stands behind the body.");
        http_request_fail(request, -EINVAL);
}

/* The body is complete. */
static int finish_route(HttpRequest *request, const HttpGate *gate) {
        int r;

        r = gate->confirm ? gate->confirm(request, request->route, gate->userdata) : 0;
        return r < 0 ? r : request->route->finish(request);
}

int http_exchange_finish(HttpRequest *request, const HttpSite *site) {
        int r;

        while (!http_request_is_answered(request)) {
                r = request->later ? HTTP_LATER : finish_route(request, &site->gate);
                request->later = r == HTTP_LATER;
                if (r == HTTP_LATER || r == HTTP_AGAIN) {
                        r = http_request_park(request);
                        if (r == 0)
                                return 0;
                } else {
                        assert(r < 0 || http_request_is_answered(request));
                }
                if (r < 0)
                        http_request_fail(request, r);
        }

        return 1;
}

static void release(Buffer *buffer) {
        if (buffer->allocated > REPLY_KEPT_MAX)
                buffer_done(buffer);
        else
                buffer_clear(buffer);
}

void http_exchange_end(HttpRequest *request, HttpSite *site) {
        if (request->reply.stream.closed)
                request->reply.stream.closed(request->reply.stream.userdata);
        if (request->begun && request->route->end)
                request->route->end(request);
        if (request->free_pass)
                request->free_pass(request->pass);
        if (request->begun)
                http_drain_leave(&site->drain);

        release(&request->reply.headers);
        release(&request->reply.body);
}
