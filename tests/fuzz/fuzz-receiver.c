/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <sys/socket.h>

#include "channel/receiver.h"
#include "frames.h"
#include "fuzz.h"

#define HELD_MAX 8

static const ChannelCallType types[] = { { 1000, 1000 }, { 64, 64 }, { 1000, 0 } };
static const SessionKeys keys = { .caller = "a caller's key", .receiver = "a receiver's k" };

static Loop *loop;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Incoming *held[HELD_MAX];
static size_t n_held;
static unsigned n_taken;
static sem_t closed;

static void echo(Incoming *incoming) {
        Buffer body = {};

        assert(!incoming->body_size || incoming->body);
        buffer_put(&body, incoming->body, incoming->body_size);
        incoming_answer(incoming, &incoming->stamp, &body);
}

static void on_call(Incoming *incoming, void *userdata) {
        n_taken++;
        assert(incoming->kind < ELEMENTSOF(types));
        assert(incoming->body_size <= types[incoming->kind].body_max);
        (void) pthread_mutex_lock(&lock);
        if (incoming->kind == 1 && n_held < HELD_MAX)
                held[n_held++] = TAKE_PTR(incoming);
        (void) pthread_mutex_unlock(&lock);
        if (incoming)
                echo(incoming);
}

static void on_closed(Receiver *receiver, int error, const char *reason, void *userdata) {
        assert(error < 0 && *reason);
        (void) sem_post(&closed);
}

typedef struct Start {
        int fd;
        bool is_closing;
        const void *data; /* what was read before */
        size_t size;
} Start;

static void start(void *userdata) {
        static ChannelCounters counters;
        const Handshake offer = {}, answer = { .calls_max = HELD_MAX, .bytes_max = 4000 };
        const ReceiverOptions options = {
                .loop = loop,
                .keys = &keys,
                .offer = &offer,
                .answer = &answer,
                .types = types,
                .n_types = ELEMENTSOF(types),
                .on_call = on_call,
                .on_closed = on_closed,
                .counters = &counters,
        };
        Start *what = userdata;
        Receiver *receiver;

        assert(receiver_new(&options, what->fd, what->data, what->size, &receiver) >= 0);
        if (what->is_closing)
                receiver_close(receiver, "enough");
}

/* Those that were held are answered, even if nobody is there any more. */
static void release(void *userdata) {
        (void) pthread_mutex_lock(&lock);
        while (n_held > 0)
                echo(held[--n_held]);
        (void) pthread_mutex_unlock(&lock);
}

/* Reads all that was answered: right tags, and no more answers than calls. */
static void check_answers(int fd) {
        static uint8_t data[256 * KIB];
        Session *session;
        size_t size = 0, n_answers = 0;
        FrameParser parser;
        ssize_t n;

        while ((n = recv(fd, data + size, sizeof(data) - size, MSG_DONTWAIT)) > 0)
                size += (size_t) n;
        assert(session_new_caller(&keys, &session) >= 0);
        frame_parser_init(&parser, frames_any, NULL);
        for (size_t i = 0; i < size; i += (size_t) n) {
                bool is_complete;
                Frame frame;

                n = frame_parser_feed(&parser, data + i, size - i, &frame, &is_complete);
                assert(n > 0);
                if (!is_complete)
                        break;
                assert(session_check(session, &frame) == 0);
                n_answers += frame.header.type == FRAME_ANSWER && frame.header.code != EOPNOTSUPP;
        }
        assert(n_answers <= n_taken);
        frame_parser_done(&parser);
        (void) session_free(session);
}

/* The first byte says whether the receiver takes calls at all, and how much of the rest it gets
 * first; then there are frames, see frames.h. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(buffer_done) Buffer bytes = {};
        Session *session;
        int ends[2];
        size_t first;
        Start what;

        if (size < 1)
                return 0;
        if (!loop) {
                assert(loop_new(&loop) >= 0 && loop_start(loop) >= 0);
                assert(sem_init(&closed, 0, 0) >= 0);
        }

        n_taken = 0;
        assert(session_new_caller(&keys, &session) >= 0);
        frames_make(session, data + 1, size - 1, &bytes);
        (void) session_free(session);

        assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) >= 0);
        first = MIN(bytes.size, (size_t) data[0]);
        if (first < bytes.size)
                assert(send(ends[0], bytes.data + first, bytes.size - first, 0) > 0);
        what = (Start){ ends[1], data[0] % 4 == 1, bytes.data, first };
        loop_call(loop, start, &what);
        release(NULL);
        (void) shutdown(ends[0], SHUT_WR);
        loop_call(loop, release, NULL);
        while (sem_trywait(&closed) < 0)
                loop_call(loop, release, NULL);
        check_answers(ends[0]);
        (void) close(ends[0]);
        return 0;
}
