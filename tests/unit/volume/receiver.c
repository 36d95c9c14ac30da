/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <sched.h>

#include "http/record.h"
#include "rpc/gate.h"
#include "volume/receiver.h"
#include "volume/request/forward.h"

static void copy_header(HttpRequest *request, const char *name, char *ret, size_t size) {
        const char *value = http_request_header(request, name);

        (void) snprintf(ret, size, "%s", value ?: "");
}

static int begin(HttpRequest *request) {
        Receiver *receiver = http_request_userdata(request);

        (void) pthread_mutex_lock(&receiver->lock);
        receiver->n_begun++;
        buffer_clear(&receiver->value);
        receiver->ticket = *gate_ticket(request);
        (void) snprintf(receiver->key, sizeof(receiver->key), "%s", gate_key(request));
        copy_header(request, "Content-Type", receiver->type, sizeof(receiver->type));
        copy_header(request, "Dkv-Meta-Colour", receiver->metadata, sizeof(receiver->metadata));
        (void) pthread_mutex_unlock(&receiver->lock);
        return 0;
}

static ssize_t body(HttpRequest *request, const void *data, size_t size) {
        Receiver *receiver = http_request_userdata(request);
        ssize_t n = (ssize_t) size;

        (void) pthread_mutex_lock(&receiver->lock);
        if (receiver->mode == RECEIVER_STALLS && !receiver->goes_on) {
                receiver->stalled = request;
                n = 0;
        } else
                buffer_put(&receiver->value, data, size);
        (void) pthread_mutex_unlock(&receiver->lock);
        return n;
}

static ssize_t read_nothing(void *userdata, void *data, size_t size) {
        return -EIO;
}

static int reply(const Receiver *receiver, HttpRequest *request) {
        HttpStream nothing = { .read = read_nothing };
        Checksum checksum = checksum_of(receiver->value.data, receiver->value.size);
        int r = 0;

        switch (receiver->mode) {
        case RECEIVER_WRONG_SUM:
                checksum = checksum_of("something else", 14);
                break;
        case RECEIVER_NO_ETAG:
                return http_request_reply(request, 201);
        case RECEIVER_BAD_ETAG:
                r = http_request_add_header(request, "ETag", "\"x\"");
                return r < 0 ? r : http_request_reply(request, 201);
        case RECEIVER_REFUSES:
                return http_request_reply_error(request, receiver->error, NULL);
        case RECEIVER_CUTS:
                return http_request_reply_stream(request, 201, 10, &nothing);
        case RECEIVER_GOOD:
        case RECEIVER_STALLS:
                break;
        }
        return http_request_reply_written(request, true, 0, &checksum);
}

static int finish(HttpRequest *request) {
        Receiver *receiver = http_request_userdata(request);
        int r;

        (void) pthread_mutex_lock(&receiver->lock);
        receiver->n_complete++;
        r = reply(receiver, request);
        (void) pthread_mutex_unlock(&receiver->lock);
        return r;
}

static void end(HttpRequest *request) {
        Receiver *receiver = http_request_userdata(request);

        (void) pthread_mutex_lock(&receiver->lock);
        receiver->n_over++;
        if (receiver->stalled == request)
                receiver->stalled = NULL;
        (void) pthread_mutex_unlock(&receiver->lock);
}

void receiver_start(Receiver *receiver, Secret *secret) {
        static const HttpRoute routes[] = {
                { "PUT", FORWARD_PREFIX "/", HTTP_TICKET, begin, body, finish, end }, {}
        };

        *receiver = (Receiver){
                .mode = receiver->mode,
                .error = receiver->error,
                .lock = PTHREAD_MUTEX_INITIALIZER,
        };
        fixture_start_with(
                        &receiver->server, (HttpServerOptions){
                                                           .n_threads = 1,
                                                           .connections_max = 100,
                                                           .header_max = 8 * KIB,
                                                           .timeout_usec = NO_TIMEOUT,
                                                           .routes = routes,
                                                           .gate = gate_of(secret),
                                                           .userdata = receiver,
                                           });
        (void) snprintf(receiver->authority, sizeof(receiver->authority), "127.0.0.1:%i",
                        receiver->server.port);
}

void receiver_stop(Receiver *receiver) {
        receiver_go_on(receiver);
        fixture_stop(&receiver->server);
        buffer_done(&receiver->value);
}

void receiver_go_on(Receiver *receiver) {
        HttpRequest *stalled;

        (void) pthread_mutex_lock(&receiver->lock);
        receiver->goes_on = true;
        stalled = TAKE_PTR(receiver->stalled);
        if (stalled)
                http_request_resume(stalled);
        (void) pthread_mutex_unlock(&receiver->lock);
}

static void await(Receiver *receiver, const unsigned *counter, unsigned n) {
        unsigned now;

        do {
                (void) sched_yield();
                (void) pthread_mutex_lock(&receiver->lock);
                now = *counter;
                (void) pthread_mutex_unlock(&receiver->lock);
        } while (now < n);
}

void receiver_await_begun(Receiver *receiver, unsigned n) {
        await(receiver, &receiver->n_begun, n);
}

void receiver_await_over(Receiver *receiver, unsigned n) {
        await(receiver, &receiver->n_over, n);
}

void receiver_join(const Receiver *receiver, Ticket *ticket, size_t i, uint32_t number) {
        ticket->others[i].volume = number;
        ticket->others[i].store = number;
        memcpy(ticket->others[i].authority, receiver->authority, sizeof(receiver->authority));
        if (ticket->n_others <= i)
                ticket->n_others = (uint8_t) (i + 1);
}
