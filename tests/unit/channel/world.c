/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "channel/world.h"

#define HELD_MAX      4096
#define THREADS       2
#define RECEIVERS_MAX 64

static const ChannelCallType types[] = {
        [WORLD_ECHO] = { WORLD_BODY_MAX, WORLD_BODY_MAX },
        [WORLD_HOLD] = { WORLD_BODY_MAX, WORLD_BODY_MAX },
        [WORLD_THREAD] = { WORLD_BODY_MAX, WORLD_BODY_MAX },
        [WORLD_REFUSE] = { 1024, 1024 },
        [WORLD_LONG] = { 1024, 1024 },
        [WORLD_UNKNOWN] = { 1024, 1024 },
};

/* Calls that wait for somebody to answer them. */
typedef struct Held {
        pthread_mutex_t lock;
        pthread_cond_t changed;
        Incoming *calls[HELD_MAX];
        unsigned n;
        bool is_ending;
} Held;

struct World {
        WorldOptions options;
        Loop *caller_loop, *receiver_loop;
        Signer *caller_signer, *receiver_signer;
        Channel *channel;
        int listen_fd;
        uint16_t port;
        LoopSource accept_source;
        Receiver *receivers[RECEIVERS_MAX];
        atomic_uint n_receivers, n_received;
        ChannelCounters counters;
        Held held, for_threads;
        pthread_t threads[THREADS];

        Way *way; /* NULL if there is none */
};

const StoreIdentity world_volume = { .number = 7, .uuid = { 1, 2, 3 }, .run = 99 };

/* -- Answers -- */

static void held_init(Held *held) {
        *held = (Held){};
        assert_ok(pthread_mutex_init(&held->lock, NULL));
        assert_ok(pthread_cond_init(&held->changed, NULL));
}

static void held_add(Held *held, Incoming *incoming) {
        assert_ok(pthread_mutex_lock(&held->lock));
        assert_true(held->n < HELD_MAX);
        held->calls[held->n++] = incoming;
        assert_ok(pthread_cond_broadcast(&held->changed));
        assert_ok(pthread_mutex_unlock(&held->lock));
}

static void echo(Incoming *incoming) {
        Buffer body = {};

        buffer_put(&body, incoming->body, incoming->body_size);
        incoming_answer(incoming, &incoming->stamp, &body);
}

static void *answer_calls(void *userdata) {
        Held *held = userdata;

        for (;;) {
                Incoming *incoming = NULL;

                assert_ok(pthread_mutex_lock(&held->lock));
                while (held->n == 0 && !held->is_ending)
                        assert_ok(pthread_cond_wait(&held->changed, &held->lock));
                if (held->n > 0)
                        incoming = held->calls[--held->n];
                assert_ok(pthread_mutex_unlock(&held->lock));
                if (!incoming)
                        return NULL;
                echo(incoming);
        }
}

static void on_call(Incoming *incoming, void *userdata) {
        World *world = userdata;
        Buffer body = {};

        assert_ptr_equal(incoming->userdata, world);
        assert_int_equal(incoming->caller->purpose, 3);
        world->n_received++;
        if (world->options.on_call)
                world->options.on_call(incoming);
        switch (incoming->kind) {
        case WORLD_ECHO:
                echo(incoming);
                break;
        case WORLD_HOLD:
                held_add(&world->held, incoming);
                break;
        case WORLD_THREAD:
                held_add(&world->for_threads, incoming);
                break;
        case WORLD_REFUSE:
                incoming_refuse(incoming, -EDOM, "Not\ntoday.");
                break;
        default:
                for (size_t i = 0; i < 1025; i++)
                        buffer_put_u8(&body, 0);
                incoming_answer(incoming, &incoming->stamp, &body);
                break;
        }
}

static void on_closed(Receiver *receiver, int error, const char *reason, void *userdata) {
        World *world = userdata;

        assert_true(error < 0 && *reason);
        for (size_t i = 0; i < RECEIVERS_MAX; i++)
                if (world->receivers[i] == receiver)
                        world->receivers[i] = NULL;
        world->n_receivers--;
}

/* -- The receiver's door -- */

/* Returns the value of a header, cut off where it ends; NULL if there is none. */
static char *header(char *head, const char *name) {
        char *value = strstr(head, name), *end;

        if (!value)
                return NULL;
        value += strlen(name) + 2;
        end = strstr(value, "\r\n");
        if (end)
                *end = '\0';
        return value;
}

/* Returns how many bytes there are, up to the end of the head and no more; -1 if that is cut off.
 */
static int read_head(int fd, char *head, size_t size) {
        size_t n = 0;

        while (n < size - 1) {
                if (recv(fd, head + n, 1, 0) != 1)
                        return -1;
                head[++n] = '\0';
                if (n >= 4 && strcmp(head + n - 4, "\r\n\r\n") == 0)
                        return (int) n;
        }
        return -1;
}

static void accept_offer(World *world, int fd, char *head) {
        char *text = header(head, HANDSHAKE_HEADER), acceptance[HANDSHAKE_TEXT_SIZE], reply[1024];
        Handshake offer, answer = { .from = world_volume, .cluster = { 5 } };
        SessionKeys keys;
        ReceiverOptions options = {
                .loop = world->receiver_loop,
                .keys = &keys,
                .offer = &offer,
                .answer = &answer,
                .types = types,
                .n_types = _WORLD_KIND_MAX,
                .silence_usec = world->options.silence_usec,
                .on_call = on_call,
                .on_closed = on_closed,
                .userdata = world,
                .counters = &world->counters,
        };
        size_t slot = 0;

        answer.calls_max = world->options.calls_max ? world->options.calls_max : HELD_MAX;
        answer.bytes_max = world->options.bytes_max ? world->options.bytes_max : UINT32_MAX;
        if (handshake_read_offer(text, world->receiver_signer, &offer) < 0) {
                const char *refusal = "HTTP/1.1 403 Forbidden\r\nContent-Length: 27\r\n\r\n"
                                      "{\"detail\":\"No such secret\"}";

                (void) !write(fd, refusal, strlen(refusal));
                (void) close(fd);
                return;
        }
        if (world->options.change)
                world->options.change(&answer);
        assert_ok(receiver_accept(
                        text, &offer, &answer, world->receiver_signer, acceptance, &keys));
        (void) snprintf(reply, sizeof(reply),
                        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n"
                        "%s: %s\r\n\r\n",
                        HANDSHAKE_PROTOCOL, HANDSHAKE_HEADER, acceptance);
        (void) send(fd, reply, strlen(reply), MSG_NOSIGNAL);
        while (world->receivers[slot])
                assert_true(++slot < RECEIVERS_MAX);
        world->n_receivers++;
        assert_ok(receiver_new(&options, fd, NULL, 0, world->receivers + slot));
}

static void on_accept(LoopSource *source, uint32_t events) {
        World *world = CONTAINER_OF(source, World, accept_source);
        struct timeval limit = { .tv_usec = 500000 };
        char head[2048];
        int fd;

        fd = accept4(world->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
                return;
        assert_ok(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)));
        errno = 0;
        if (world->options.is_mute || read_head(fd, head, sizeof(head)) < 0) {
                while (world->options.is_mute &&
                       (recv(fd, head, sizeof(head), 0) > 0 || errno == EAGAIN))
                        errno = 0;
                (void) close(fd);
        } else if (world->options.answer) {
                (void) !write(fd, world->options.answer, strlen(world->options.answer));
                (void) close(fd);
        } else {
                accept_offer(world, fd, head);
        }
}

static void hear(void *userdata) {
        World *world = userdata;

        world->listen_fd = way_listen(&world->port);
        assert_ok(loop_add(world->receiver_loop, world->listen_fd, EPOLLIN, &world->accept_source));
}

static void deafen(void *userdata) {
        World *world = userdata;

        loop_remove(world->receiver_loop, world->listen_fd, &world->accept_source);
        closep(&world->listen_fd);
}

void world_deafen(World *world) {
        loop_call(world->receiver_loop, deafen, world);
}

void world_hear(World *world) {
        loop_call(world->receiver_loop, hear, world);
}

typedef struct Door {
        int fd;
        bool has_visitors;
} Door;

static void look_out(void *userdata) {
        Door *door = userdata;

        door->has_visitors = poll(&(struct pollfd){ .fd = door->fd, .events = POLLIN }, 1, 0) > 0;
}

bool world_has_visitors(World *world) {
        Door door = { .fd = world->listen_fd };

        loop_call(world->receiver_loop, look_out, &door);
        return door.has_visitors;
}

/* -- The world -- */

static void introduce(Handshake *offer, void *userdata) {
        assert_int_equal(offer->purpose, 3);
        offer->cluster[0] = 5;
        offer->to = world_volume;
        offer->to.run = 0;
}

static void make_channel(void *userdata) {
        World *world = userdata;
        char url[64];
        ChannelOptions options = {
                .loop = world->caller_loop,
                .url = url,
                .signer = world->caller_signer,
                .purpose = 3,
                .types = types,
                .n_types = ELEMENTSOF(types),
                .silence_usec = world->options.silence_usec,
                .waiting_max = world->options.waiting_max,
                .introduce = introduce,
        };

        (void) snprintf(url, sizeof(url), "http://127.0.0.1:%u",
                        world->way ? way_port(world->way) : world->port);
        assert_ok(channel_new(&options, &world->channel));
}

World *world_new(const WorldOptions *options) {
        World *world = malloc(sizeof(*world));
        const char *secret = options->caller_secret ? options->caller_secret : WORLD_SECRET;

        assert_non_null(world);
        *world = (World){ .options = *options };
        world->accept_source.on_event = on_accept;
        held_init(&world->held);
        held_init(&world->for_threads);
        for (size_t i = 0; i < THREADS; i++)
                assert_ok(pthread_create(
                                world->threads + i, NULL, answer_calls, &world->for_threads));
        assert_ok(signer_new(secret, strlen(secret), &world->caller_signer));
        assert_ok(signer_new(WORLD_SECRET, strlen(WORLD_SECRET), &world->receiver_signer));
        if (options->beside)
                world->caller_loop = options->beside->caller_loop;
        else
                assert_ok(loop_new(&world->caller_loop));
        assert_ok(loop_new(&world->receiver_loop));
        hear(world);
        if (options->has_way)
                world->way = way_new(world->port);
        assert_ok(loop_start(world->receiver_loop));
        if (!options->beside)
                assert_ok(loop_start(world->caller_loop));
        loop_call(world->caller_loop, make_channel, world);
        return world;
}

static void free_channel(void *userdata) {
        World *world = userdata;

        world->channel = channel_free(world->channel);
}

static void cut(void *userdata) {
        World *world = userdata;

        for (size_t i = 0; i < RECEIVERS_MAX; i++)
                if (world->receivers[i])
                        receiver_cut(world->receivers[i]);
}

void world_cut(World *world) {
        loop_call(world->receiver_loop, cut, world);
}

static void nap(void) {
        (void) nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

World *world_free(World *world) {
        if (!world)
                return NULL;

        loop_call(world->caller_loop, free_channel, world);
        if (world->listen_fd >= 0)
                world_deafen(world);
        world_cut(world);
        for (unsigned i = 0; world->n_receivers > 0 && i < 20000; i++) {
                world_release(world);
                nap();
        }
        assert_int_equal(world->n_receivers, 0); /* none is left behind */

        assert_ok(pthread_mutex_lock(&world->for_threads.lock));
        world->for_threads.is_ending = true;
        assert_ok(pthread_cond_broadcast(&world->for_threads.changed));
        assert_ok(pthread_mutex_unlock(&world->for_threads.lock));
        for (size_t i = 0; i < THREADS; i++)
                assert_ok(pthread_join(world->threads[i], NULL));
        world->way = way_free(world->way);
        loop_stop(world->receiver_loop);
        (void) loop_free(world->receiver_loop);
        if (!world->options.beside) {
                loop_stop(world->caller_loop);
                (void) loop_free(world->caller_loop);
        }
        (void) signer_free(world->caller_signer);
        (void) signer_free(world->receiver_signer);
        free(world);
        return NULL;
}

/* -- Calls -- */

typedef struct Making {
        World *world;
        ChannelCall call;
        Outcome *outcome;
        int r;
} Making;

static void make(void *userdata) {
        Making *making = userdata;

        making->r = channel_call(making->world->channel, &making->call, &making->outcome->id);
}

static int call(World *world,
                unsigned kind,
                size_t size,
                const FrameStamp *stamp,
                uint64_t usec,
                Outcome *ret) {
        _cleanup_(buffer_done) Buffer body = {};
        Making making = {
                .world = world,
                .call = {
                        .kind = (uint16_t) kind,
                        .stamp = *stamp,
                        .body = &body,
                        .timeout_usec = usec,
                        .on_answer = outcome_take,
                        .userdata = ret,
                },
                .outcome = ret,
        };

        for (size_t i = 0; i < size; i++)
                buffer_put_u8(&body, outcome_body_byte(i, (uint8_t) stamp->lead.term));
        outcome_init(ret);
        loop_call(world->caller_loop, make, &making);
        return making.r;
}

int world_call_timeout(
                World *world,
                unsigned kind,
                size_t size,
                uint8_t seed,
                uint64_t usec,
                Outcome *ret) {
        FrameStamp stamp = { .lead = { .term = seed }, .sequence = size };

        return call(world, kind, size, &stamp, usec, ret);
}

int world_call_number(World *world, unsigned kind, size_t size, uint64_t number, Outcome *ret) {
        FrameStamp stamp = {
                .lead = { .term = (uint8_t) number },
                .sequence = size,
                .revision = number,
        };

        return call(world, kind, size, &stamp, 0, ret);
}

int world_call(World *world, unsigned kind, size_t size, uint8_t seed, Outcome *ret) {
        return world_call_timeout(world, kind, size, seed, 0, ret);
}

typedef struct Cancelling {
        World *world;
        uint64_t id;
        int r;
} Cancelling;

static void cancel(void *userdata) {
        Cancelling *cancelling = userdata;

        cancelling->r = channel_cancel(cancelling->world->channel, cancelling->id);
}

int world_cancel(World *world, const Outcome *outcome) {
        Cancelling cancelling = { .world = world, .id = outcome->id };

        loop_call(world->caller_loop, cancel, &cancelling);
        return cancelling.r;
}

void world_wait_held(World *world, unsigned n) {
        for (unsigned i = 0; i < 20000; i++, nap()) {
                unsigned now;

                assert_ok(pthread_mutex_lock(&world->held.lock));
                now = world->held.n;
                assert_ok(pthread_mutex_unlock(&world->held.lock));
                if (now == n)
                        return;
        }
        fail_msg("there are not %u calls that are held", n);
}

void world_release(World *world) {
        assert_ok(pthread_mutex_lock(&world->held.lock));
        loop_hold();
        while (world->held.n > 0)
                echo(world->held.calls[--world->held.n]);
        loop_release();
        assert_ok(pthread_mutex_unlock(&world->held.lock));
}

unsigned world_abandoned(World *world) {
        unsigned n = 0;

        assert_ok(pthread_mutex_lock(&world->held.lock));
        for (unsigned i = 0; i < world->held.n; i++)
                n += incoming_is_abandoned(world->held.calls[i]);
        assert_ok(pthread_mutex_unlock(&world->held.lock));
        return n;
}

void world_wait_abandoned(World *world, unsigned n) {
        for (unsigned i = 0; i < 20000; i++, nap())
                if (world_abandoned(world) == n)
                        return;
        fail_msg("there are not %u calls that are abandoned", n);
}

typedef struct Closing {
        World *world;
        const char *reason;
} Closing;

static void close_all(void *userdata) {
        const Closing *closing = userdata;

        for (size_t i = 0; i < RECEIVERS_MAX; i++)
                if (closing->world->receivers[i])
                        receiver_close(closing->world->receivers[i], closing->reason);
}

void world_close(World *world, const char *reason) {
        Closing closing = { world, reason };

        loop_call(world->receiver_loop, close_all, &closing);
}

Way *world_way(World *world) {
        return world->way;
}

uint16_t world_port(const World *world) {
        return world->port;
}

Channel *world_channel(World *world) {
        return world->channel;
}

Loop *world_caller_loop(World *world) {
        return world->caller_loop;
}

void world_run(World *world, void (*function)(void *userdata), void *userdata) {
        loop_call(world->caller_loop, function, userdata);
}

static void do_nothing(void *userdata) {
}

void world_settle(World *world) {
        loop_call(world->caller_loop, do_nothing, NULL);
        loop_call(world->receiver_loop, do_nothing, NULL);
}

unsigned world_received(const World *world) {
        return world->n_received;
}

unsigned world_receivers(const World *world) {
        return world->n_receivers;
}

const ChannelCounters *world_receiver_counters(const World *world) {
        return &world->counters;
}
