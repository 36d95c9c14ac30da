/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Loop: a thread that waits for descriptors, for other threads, and for time to pass.
 *
 * Descriptors are registered once, edge-triggered: a source hears of each change, and remembers it
 * until it acts on it. Other threads hand wakers over by a list without a lock; one system call
 * wakes the loop for all that are on it. Time-outs are lists, since all of a kind take equally
 * long: to set one costs no system call.
 *
 * Thread: all functions are for the loop's own one, and all callbacks come on it, unless they say
 * otherwise. */

#include "base/macro.h"

typedef struct HttpLoop HttpLoop;

typedef struct HttpSource {
        void (*on_event)(struct HttpSource *source, uint32_t events); /* EPOLLIN and its like */
} HttpSource;

/* Something that another thread, or the loop itself, wants the loop to look at. */
typedef struct HttpWaker {
        void (*on_wake)(struct HttpWaker *waker);
        HttpLoop *loop; /* not owned */
        struct HttpWaker *next;
} HttpWaker;

typedef enum HttpTimeout {
        HTTP_TIMEOUT_SILENCE, /* nothing came or went */
        HTTP_TIMEOUT_LINGER,  /* a client does not read its last answer and close */
        HTTP_TIMEOUT_PAUSE,   /* before something is tried again */
        _HTTP_TIMEOUT_MAX,
} HttpTimeout;

typedef struct HttpTimer {
        void (*on_timeout)(struct HttpTimer *timer); /* it is not set any more */
        struct HttpTimer *prev, *next;
        uint64_t since; /* monotonic */
        HttpTimeout timeout;
        bool is_set;
} HttpTimer;

int http_loop_new(const uint64_t timeout_usecs[static _HTTP_TIMEOUT_MAX], HttpLoop **ret);

/* The thread must have been stopped. */
HttpLoop *http_loop_free(HttpLoop *loop);
DEFINE_CLEANUP(HttpLoop *, http_loop_free);

/* Starts the thread. Before that, the other functions may be called from the one that made it. */
int http_loop_start(HttpLoop *loop);

/* Ends the thread and waits for it; wakers that were handed over have been called before. Thread:
 * any but the loop's. */
void http_loop_stop(HttpLoop *loop);

/* Calls wakers that were handed over after the thread had ended. */
void http_loop_call_wakers(HttpLoop *loop);

/* Registers a descriptor with the events of epoll. Closing it ends that. Returns 0 or a negative
 * errno. Thread: any. */
int http_loop_add(HttpLoop *loop, int fd, uint32_t events, HttpSource *source);
void http_loop_remove(HttpLoop *loop, int fd);

/* Has WAKER called, and those that it is linked to by NEXT, which are of the same loop. None of
 * them may be handed over again before it was called. Thread: any. */
void http_loop_wake(HttpWaker *waker);

/* Has WAKER called once other sources had their turn. Not to be used for one that another thread
 * may hand over. */
void http_loop_call_later(HttpWaker *waker);

/* When the loop last woke up; monotonic. */
uint64_t http_loop_now(const HttpLoop *loop);

/* Begins to wait; again, if it is set. */
void http_timer_set(HttpLoop *loop, HttpTimer *timer, HttpTimeout timeout);
void http_timer_clear(HttpLoop *loop, HttpTimer *timer);
