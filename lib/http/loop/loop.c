/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <utlist.h>

#include "base/clock.h"
#include "http/loop/loop.h"

#define EVENTS_MAX 128

struct HttpLoop {
        int epoll_fd, event_fd;
        HttpSource event_source;
        pthread_t thread;
        bool has_thread;
        uint64_t now;
        HttpWaker *later, **later_end;        /* to be called soon, in this order */
        HttpTimer *timers[_HTTP_TIMEOUT_MAX]; /* of each list, the first is the oldest */
        uint64_t timeout_usecs[_HTTP_TIMEOUT_MAX];

        _Atomic(HttpWaker *) woken __attribute__((aligned(64))); /* the last one first */
        atomic_uint n_waking; /* threads that are in http_loop_wake() */
        atomic_bool stopping;
};

/* What has happened, the list says. Edge-triggered, the descriptor tells of each write, so nobody
 * has to read it. */
static void on_event_fd(HttpSource *source, uint32_t events) {
}

int http_loop_new(const uint64_t timeout_usecs[static _HTTP_TIMEOUT_MAX], HttpLoop **ret) {
        _cleanup_(http_loop_freep) HttpLoop *loop = NULL;
        int r;

        loop = aligned_alloc(_Alignof(HttpLoop), sizeof(*loop));
        if (!loop)
                return -ENOMEM;

        *loop = (HttpLoop){
                .epoll_fd = -1,
                .event_fd = -1,
                .event_source.on_event = on_event_fd,
                .now = clock_monotonic(),
        };
        loop->later_end = &loop->later;
        for (size_t i = 0; i < _HTTP_TIMEOUT_MAX; i++)
                loop->timeout_usecs[i] = timeout_usecs[i];

        loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (loop->epoll_fd < 0)
                return -errno;
        loop->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (loop->event_fd < 0)
                return -errno;
        r = http_loop_add(loop, loop->event_fd, EPOLLIN | EPOLLET, &loop->event_source);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(loop);
        return 0;
}

HttpLoop *http_loop_free(HttpLoop *loop) {
        if (!loop)
                return NULL;

        assert(!loop->has_thread);

        /* What a thread has handed over may be done with, and the server be freed, before that
         * thread has returned. */
        while (atomic_load(&loop->n_waking) > 0)
                (void) sched_yield();

        closep(&loop->event_fd);
        closep(&loop->epoll_fd);
        free(loop);
        return NULL;
}

int http_loop_add(HttpLoop *loop, int fd, uint32_t events, HttpSource *source) {
        struct epoll_event event = { .events = events, .data.ptr = source };

        return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

void http_loop_remove(HttpLoop *loop, int fd) {
        (void) epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL); /* it may not be there */
}

static void rouse(HttpLoop *loop) {
        uint64_t one = 1;

        (void) !write(loop->event_fd, &one, sizeof(one)); /* cannot fail before 2^64 of them */
}

void http_loop_wake(HttpWaker *waker) {
        HttpLoop *loop = waker->loop;
        HttpWaker *last = waker, *first;

        while (last->next)
                last = last->next;

        atomic_fetch_add(&loop->n_waking, 1);
        first = atomic_load(&loop->woken);
        do
                last->next = first;
        while (!atomic_compare_exchange_weak(&loop->woken, &first, waker));

        /* The thread that put the first one there has roused the loop, or is about to. */
        if (!first)
                rouse(loop);
        atomic_fetch_sub(&loop->n_waking, 1); /* the last that is touched here */
}

void http_loop_call_later(HttpWaker *waker) {
        HttpLoop *loop = waker->loop;

        waker->next = NULL;
        *loop->later_end = waker;
        loop->later_end = &waker->next;
}

uint64_t http_loop_now(const HttpLoop *loop) {
        return loop->now;
}

void http_timer_set(HttpLoop *loop, HttpTimer *timer, HttpTimeout timeout) {
        http_timer_clear(loop, timer);

        timer->since = loop->now;
        timer->timeout = timeout;
        timer->is_set = true;
        DL_APPEND(loop->timers[timeout], timer);
}

void http_timer_clear(HttpLoop *loop, HttpTimer *timer) {
        if (!timer->is_set)
                return;

        DL_DELETE(loop->timers[timer->timeout], timer);
        timer->is_set = false;
}

/* The last that came is the first of the list: turned around, they come in the order in which they
 * were handed over. */
void http_loop_call_wakers(HttpLoop *loop) {
        HttpWaker *waker = atomic_exchange(&loop->woken, NULL), *first = NULL;

        while (waker) {
                HttpWaker *next = waker->next;

                waker->next = first;
                first = waker;
                waker = next;
        }

        while (first) {
                waker = first;
                first = waker->next;
                waker->next = NULL;
                waker->on_wake(waker);
        }
}

static void call_later(HttpLoop *loop) {
        HttpWaker *waker = loop->later;

        loop->later = NULL;
        loop->later_end = &loop->later;
        while (waker) {
                HttpWaker *next = waker->next;

                waker->next = NULL;
                waker->on_wake(waker);
                waker = next;
        }
}

static void call_timeouts(HttpLoop *loop) {
        for (size_t i = 0; i < _HTTP_TIMEOUT_MAX; i++) {
                HttpTimer *timer;

                while ((timer = loop->timers[i]) &&
                       timer->since + loop->timeout_usecs[i] <= loop->now) {
                        http_timer_clear(loop, timer);
                        timer->on_timeout(timer);
                }
        }
}

/* In ms, for epoll_wait(). */
static int until_timeout(const HttpLoop *loop) {
        uint64_t until = UINT64_MAX;

        if (loop->later)
                return 0;
        for (size_t i = 0; i < _HTTP_TIMEOUT_MAX; i++)
                if (loop->timers[i])
                        until = MIN(until, loop->timers[i]->since + loop->timeout_usecs[i]);
        if (until == UINT64_MAX)
                return -1;

        until = until > loop->now ? until - loop->now : 0;
        return (int) MIN(until / USEC_PER_MSEC + 1, UINT64_C(60000));
}

static void turn(HttpLoop *loop) {
        struct epoll_event events[EVENTS_MAX];
        int n;

        n = epoll_wait(loop->epoll_fd, events, EVENTS_MAX, until_timeout(loop));
        loop->now = clock_monotonic();
        for (int i = 0; i < n; i++) {
                HttpSource *source = events[i].data.ptr;

                source->on_event(source, events[i].events);
        }
        http_loop_call_wakers(loop);
        call_later(loop);
        call_timeouts(loop);
}

static void *run(void *userdata) {
        HttpLoop *loop = userdata;

        (void) pthread_setname_np(pthread_self(), "http");
        while (!atomic_load(&loop->stopping))
                turn(loop);
        http_loop_call_wakers(loop);
        return NULL;
}

int http_loop_start(HttpLoop *loop) {
        int r;

        r = -pthread_create(&loop->thread, NULL, run, loop);
        loop->has_thread = r == 0;
        return r;
}

void http_loop_stop(HttpLoop *loop) {
        if (!loop->has_thread)
                return;

        atomic_store(&loop->stopping, true);
        rouse(loop);
        (void) pthread_join(loop->thread, NULL);
        loop->has_thread = false;
}
