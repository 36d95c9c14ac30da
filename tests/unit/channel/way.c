/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "channel/way.h"

struct Way {
        pthread_t thread;
        int fd;
        uint16_t port, to_port;
        atomic_bool is_ending;
        pthread_mutex_t lock;
        Mishap mishap;
        _Atomic uint64_t passed[2];
        atomic_bool has_struck;
};

int way_listen(uint16_t *port) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(*port) };
        socklen_t size = sizeof(address);
        int one = 1, fd;

        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_ok(fd);
        assert_ok(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
        assert_ok(bind(fd, (struct sockaddr *) &address, size));
        assert_ok(listen(fd, 64));
        assert_ok(getsockname(fd, (struct sockaddr *) &address, &size));
        *port = ntohs(address.sin_port);
        return fd;
}

/* Passes on what came, as the mishap has it. Returns whether the connection lives. */
static bool pass(Way *way, const Mishap *mishap, unsigned direction, int from, int to) {
        uint64_t begin = way->passed[direction], end;
        uint8_t data[4096];
        ssize_t n;

        n = recv(from, data, sizeof(data), 0);
        if (n <= 0)
                return false;
        end = begin + (uint64_t) n;
        if (mishap->flip_at[direction] >= begin && mishap->flip_at[direction] < end) {
                data[mishap->flip_at[direction] - begin] ^= 1U << mishap->flip_at[direction] % 8;
                way->has_struck = true;
        }
        if (mishap->stall_at[direction] < end)
                n = mishap->stall_at[direction] > begin
                                    ? (ssize_t) (mishap->stall_at[direction] - begin)
                                    : 0;
        if (mishap->cut_at[direction] < end) {
                n = (ssize_t) (mishap->cut_at[direction] - begin);
                way->has_struck = true;
        }
        if (n > 0 && send(to, data, (size_t) n, MSG_NOSIGNAL) != n)
                return false;
        way->passed[direction] = end;
        return mishap->cut_at[direction] >= end;
}

static void relay(Way *way, int caller) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(way->to_port) };
        int receiver = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct pollfd ends[] = { { caller, POLLIN, 0 }, { receiver, POLLIN, 0 } };
        bool is_alive = true;
        Mishap mishap;

        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        assert_ok(pthread_mutex_lock(&way->lock));
        mishap = way->mishap;
        assert_ok(pthread_mutex_unlock(&way->lock));
        way->passed[0] = way->passed[1] = 0;
        way->has_struck = false;
        if (connect(receiver, (struct sockaddr *) &address, sizeof(address)) < 0)
                is_alive = false;
        while (is_alive && !way->is_ending) {
                (void) poll(ends, 2, 20);
                if (ends[0].revents)
                        is_alive = pass(way, &mishap, TO_RECEIVER, caller, receiver);
                if (is_alive && ends[1].revents)
                        is_alive = pass(way, &mishap, TO_CALLER, receiver, caller);
        }
        (void) close(receiver);
        (void) close(caller);
}

static void *be_on_the_way(void *userdata) {
        Way *way = userdata;

        while (!way->is_ending) {
                struct pollfd door = { .fd = way->fd, .events = POLLIN };

                if (poll(&door, 1, 20) > 0)
                        relay(way, accept4(way->fd, NULL, NULL, SOCK_CLOEXEC));
        }
        return NULL;
}

void way_set_mishap(Way *way, Mishap mishap) {
        assert_ok(pthread_mutex_lock(&way->lock));
        way->mishap = mishap;
        assert_ok(pthread_mutex_unlock(&way->lock));
}

bool way_has_struck(const Way *way) {
        return way->has_struck;
}

uint64_t way_passed(const Way *way, unsigned direction) {
        return way->passed[direction];
}

Way *way_new(uint16_t port) {
        Way *way = malloc(sizeof(*way));

        assert_non_null(way);
        *way = (Way){ .to_port = port, .mishap = MISHAP_NONE };
        way->fd = way_listen(&way->port);
        assert_ok(pthread_mutex_init(&way->lock, NULL));
        assert_ok(pthread_create(&way->thread, NULL, be_on_the_way, way));
        return way;
}

Way *way_free(Way *way) {
        if (!way)
                return NULL;

        way->is_ending = true;
        assert_ok(pthread_join(way->thread, NULL));
        (void) close(way->fd);
        free(way);
        return NULL;
}

uint16_t way_port(const Way *way) {
        return way->port;
}
