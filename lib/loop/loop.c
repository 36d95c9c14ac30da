/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <utlist.h>

#include "base/clock.h"
#include "loop/load.h"
#include "loop/loop.h"

#define EVENTS_MAX 128

/* A loop with timers looks up so often, to see whether it was run. */
#define WAIT_MAX_MSEC UINT64_C(1000)

/* So many turns at most what waits for a quiet one is put off. */
#define BUSY_TURNS_MAX 4

/* One that comes back so much later than it has to was not run. */
#define LATE_USEC (500 * USEC_PER_MSEC)

/* Wakers in the order in which they are to be called */
typedef struct Queue {
        LoopWaker *first, **end;
} Queue;

struct Loop {
        int epoll_fd, event_fd;
        LoopSource event_source;
        pthread_t thread;
        bool has_thread;
        uint64_t now;
        Queue later;           /* to be called soon */
        Queue idle;            /* to be called once there is nothing else to do */
        LoopWaker *due;        /* of either, those that are called now */
        unsigned n_busy_turns; /* since the first of IDLE came */
        LoopTimeout *timeouts;
        LoopTimeout other;         /* of timers that have a time of their own */
        LoopTimeout posts;         /* of functions that wait */
        struct epoll_event *found; /* in this turn, and not told of yet */
        size_t n_found;
        Load load;

        _Atomic(LoopWaker *) woken __attribute__((aligned(64))); /* the last one first */
        atomic_uint n_waking; /* threads that are in loop_wake() */
        atomic_bool stopping;
};

static _Thread_local Loop *current;

Loop *loop_current(void) {
        return current;
}

/* What has happened, the list says. Edge-triggered, the descriptor tells of each write, so nobody
 * has to read it. */
static void on_event_fd(LoopSource *source, uint32_t events) {
}

int loop_new(Loop **ret) {
        _cleanup_(loop_freep) Loop *loop = NULL;
        int r;

        loop = aligned_alloc(_Alignof(Loop), sizeof(*loop));
        if (!loop)
                return -ENOMEM;

        *loop = (Loop){
                .epoll_fd = -1,
                .event_fd = -1,
                .event_source.on_event = on_event_fd,
                .now = clock_monotonic(),
        };
        load_init(&loop->load);
        loop->later.end = &loop->later.first;
        loop->idle.end = &loop->idle.first;
        loop_timeout_add(loop, &loop->other);
        loop_timeout_add(loop, &loop->posts);

        loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (loop->epoll_fd < 0)
                return -errno;
        loop->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (loop->event_fd < 0)
                return -errno;
        r = loop_add(loop, loop->event_fd, EPOLLIN | EPOLLET, &loop->event_source);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(loop);
        return 0;
}

typedef struct Post {
        LoopWaker waker;
        LoopTimer timer;
        uint64_t delay_usec;
        void (*function)(void *userdata);
        void *userdata;
} Post;

static void on_posted(LoopWaker *waker);

static void free_posts(Loop *loop) {
        LoopWaker *waker = atomic_load(&loop->woken), *next;
        LoopTimer *timer, *following;

        LL_FOREACH_SAFE(waker, waker, next)
        if (waker->on_wake == on_posted)
                free(CONTAINER_OF(waker, Post, waker));

        DL_FOREACH_SAFE(loop->posts.timers, timer, following)
        free(CONTAINER_OF(timer, Post, timer));
}

Loop *loop_free(Loop *loop) {
        if (!loop)
                return NULL;

        assert(!loop->has_thread);

        /* What a thread has handed over may be done with, and the server be freed, before that
         * thread has returned. */
        while (atomic_load(&loop->n_waking) > 0)
                (void) sched_yield();

        free_posts(loop);
        closep(&loop->event_fd);
        closep(&loop->epoll_fd);
        free(loop);
        return NULL;
}

int loop_add(Loop *loop, int fd, uint32_t events, LoopSource *source) {
        struct epoll_event event = { .events = events, .data.ptr = source };

        return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

void loop_remove(Loop *loop, int fd, LoopSource *source) {
        (void) epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL); /* it may not be there */

        if (current != loop)
                return;
        for (size_t i = 0; i < loop->n_found; i++)
                if (loop->found[i].data.ptr == source)
                        loop->found[i].data.ptr = &loop->event_source; /* which does nothing */
}

static void rouse(Loop *loop) {
        uint64_t one = 1;

        (void) !write(loop->event_fd, &one, sizeof(one)); /* cannot fail before 2^64 of them */
}

static void hand_over(LoopWaker *waker) {
        Loop *loop = waker->loop;
        LoopWaker *last = waker, *first;

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

/* What this thread has handed over since loop_hold(), the last one first, as loops want it */
static _Thread_local LoopWaker *held;
static _Thread_local bool is_holding;

void loop_wake(LoopWaker *waker) {
        LoopWaker *last = waker;

        if (!is_holding) {
                hand_over(waker);
                return;
        }

        while (last->next)
                last = last->next;
        last->next = held;
        held = waker;
}

void loop_hold(void) {
        is_holding = true;
}

/* Hands over those of the first one's loop. Returns the others, in their order. */
static LoopWaker *wake_one_loop(LoopWaker *wakers) {
        LoopWaker *same = NULL, **same_end = &same, *others = NULL, **others_end = &others;
        const Loop *loop = wakers->loop;

        while (wakers) {
                LoopWaker ***end = wakers->loop == loop ? &same_end : &others_end;

                **end = wakers;
                *end = &wakers->next;
                wakers = wakers->next;
        }
        *same_end = *others_end = NULL;
        hand_over(same);
        return others;
}

void loop_release(void) {
        LoopWaker *wakers = TAKE_PTR(held);

        is_holding = false;
        while (wakers)
                wakers = wake_one_loop(wakers);
}

static void append(Queue *queue, LoopWaker *waker) {
        waker->next = NULL;
        *queue->end = waker;
        queue->end = &waker->next;
}

void loop_call_later(LoopWaker *waker) {
        append(&waker->loop->later, waker);
}

void loop_call_idle(LoopWaker *waker) {
        Loop *loop = waker->loop;

        if (!loop->idle.first)
                loop->n_busy_turns = 0;
        append(&loop->idle, waker);
}

/* Returns the end of the list. */
static LoopWaker **take_out(LoopWaker **list, LoopWaker *waker) {
        while (*list)
                if (*list == waker)
                        *list = TAKE_PTR(waker->next);
                else
                        list = &(*list)->next;
        return list;
}

void loop_cancel(LoopWaker *waker) {
        Loop *loop = waker->loop;

        (void) take_out(&loop->due, waker);
        loop->later.end = take_out(&loop->later.first, waker);
        loop->idle.end = take_out(&loop->idle.first, waker);
}

uint64_t loop_now(const Loop *loop) {
        return loop->now;
}

unsigned loop_load(const Loop *loop) {
        return load_get(&loop->load);
}

void loop_pretend_load(Loop *loop, unsigned load) {
        atomic_store(&loop->load.pretended, (int) load);
}

void loop_timeout_add(Loop *loop, LoopTimeout *timeout) {
        timeout->timers = NULL;
        DL_APPEND(loop->timeouts, timeout);
}

void loop_timeout_remove(Loop *loop, LoopTimeout *timeout) {
        assert(!timeout->timers);

        DL_DELETE(loop->timeouts, timeout);
}

/* In equally long lists, nothing ends later than what is set last. */
static void set_timer(Loop *loop, LoopTimer *timer, LoopTimeout *timeout, uint64_t usec) {
        LoopTimer *before;

        loop_timer_clear(timer);

        timer->timeout = timeout;
        timer->until = loop->now + MAX(usec, UINT64_C(1)); /* not within the same turn */

        before = timeout->timers ? timeout->timers->prev : NULL; /* the last one */
        while (before && before->until > timer->until)
                before = before == timeout->timers ? NULL : before->prev;
        DL_APPEND_ELEM(timeout->timers, before, timer);
}

void loop_timer_set(Loop *loop, LoopTimer *timer, LoopTimeout *timeout) {
        set_timer(loop, timer, timeout, timeout->usec);
}

void loop_timer_set_after(Loop *loop, LoopTimer *timer, uint64_t usec) {
        set_timer(loop, timer, &loop->other, usec);
}

void loop_timer_clear(LoopTimer *timer) {
        if (!timer->timeout)
                return;

        DL_DELETE(timer->timeout->timers, timer);
        timer->timeout = NULL;
}

/* The last that came is the first of the list: turned around, they come in the order in which they
 * were handed over. Returns whether there were any. */
static bool call_wakers(Loop *loop) {
        LoopWaker *waker = atomic_exchange(&loop->woken, NULL), *first = NULL;
        bool any = waker;

        while (waker) {
                LoopWaker *next = waker->next;

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
        return any;
}

static void run_post(Post *post) {
        post->function(post->userdata);
        free(post);
}

static void on_due(LoopTimer *timer) {
        run_post(CONTAINER_OF(timer, Post, timer));
}

static void on_posted(LoopWaker *waker) {
        Post *post = CONTAINER_OF(waker, Post, waker);

        if (post->delay_usec == 0)
                run_post(post);
        else
                set_timer(waker->loop, &post->timer, &waker->loop->posts, post->delay_usec);
}

int loop_post(Loop *loop, uint64_t delay_usec, void (*function)(void *userdata), void *userdata) {
        Post *post;

        assert(loop);
        assert(function);

        post = malloc(sizeof(*post));
        if (!post)
                return -ENOMEM;

        *post = (Post){
                .waker = { .on_wake = on_posted, .loop = loop },
                .timer.on_timeout = on_due,
                .delay_usec = delay_usec,
                .function = function,
                .userdata = userdata,
        };
        loop_wake(&post->waker);
        return 0;
}

typedef struct Call {
        LoopWaker waker;
        void (*function)(void *userdata);
        void *userdata;
        sem_t done;
} Call;

static void on_called(LoopWaker *waker) {
        Call *call = CONTAINER_OF(waker, Call, waker);

        call->function(call->userdata);
        (void) sem_post(&call->done);
}

void loop_call(Loop *loop, void (*function)(void *userdata), void *userdata) {
        Call call = {
                .waker = { .on_wake = on_called, .loop = loop },
                .function = function,
                .userdata = userdata,
        };

        assert(!current);

        (void) sem_init(&call.done, 0, 0);
        loop_wake(&call.waker);
        if (!loop->has_thread)
                (void) call_wakers(loop);
        while (sem_wait(&call.done) < 0)
                ; /* a signal */
        (void) sem_destroy(&call.done);
}

static void call_queue(Loop *loop, Queue *queue) {
        loop->due = TAKE_PTR(queue->first);
        queue->end = &queue->first;
        while (loop->due) {
                LoopWaker *waker = loop->due;

                loop->due = waker->next;
                waker->next = NULL;
                waker->on_wake(waker);
        }
}

/* IS_BUSY says whether this turn has brought anything, after which there may be more at once. */
static void call_idle(Loop *loop, bool is_busy) {
        if (!loop->idle.first ||
            ((is_busy || loop->later.first) && ++loop->n_busy_turns < BUSY_TURNS_MAX))
                return;

        call_queue(loop, &loop->idle);
        call_queue(loop, &loop->later); /* what they have put off is part of this turn */
}

/* The timer that ends next, or NULL. */
static LoopTimer *first_timer(const Loop *loop) {
        LoopTimer *first = NULL;
        LoopTimeout *timeout;

        DL_FOREACH(loop->timeouts, timeout)
        if (timeout->timers && (!first || timeout->timers->until < first->until))
                first = timeout->timers;
        return first;
}

static void call_timers(Loop *loop) {
        LoopTimer *timer;

        while ((timer = first_timer(loop)) && timer->until <= loop->now) {
                loop_timer_clear(timer);
                timer->on_timeout(timer);
        }
}

/* In ms, for epoll_wait(). */
static int until_timer(const Loop *loop) {
        const LoopTimer *timer = first_timer(loop);
        uint64_t rest;

        if (loop->later.first || loop->idle.first)
                return 0;
        if (!timer)
                return -1;

        rest = timer->until > loop->now ? timer->until - loop->now : 0;
        return (int) MIN(rest / USEC_PER_MSEC + 1, WAIT_MAX_MSEC);
}

/* The process was not run for a while: all timers end so much later. */
static void forgive(Loop *loop, uint64_t usec) {
        LoopTimeout *timeout;
        LoopTimer *timer;

        DL_FOREACH(loop->timeouts, timeout)
        DL_FOREACH(timeout->timers, timer)
        timer->until += usec;
}

static void turn(Loop *loop) {
        struct epoll_event events[EVENTS_MAX];
        uint64_t begun = loop->now;
        int n, wait = until_timer(loop);
        uint64_t asleep = wait == 0 ? 0 : clock_monotonic();
        bool is_busy;

        if (wait != 0)
                load_note_sleep(&loop->load);
        n = epoll_wait(loop->epoll_fd, events, EVENTS_MAX, wait);
        loop->now = clock_monotonic();
        load_note_turn(&loop->load, loop->now, wait == 0 ? 0 : loop->now - asleep);
        if (wait >= 0 && loop->now > begun + (uint64_t) wait * USEC_PER_MSEC + LATE_USEC)
                forgive(loop, loop->now - begun);
        loop->found = events;
        loop->n_found = (size_t) MAX(n, 0);
        is_busy = n > 0;
        while (loop->n_found > 0) {
                LoopSource *source = loop->found->data.ptr;

                loop->n_found--;
                source->on_event(source, loop->found++->events);
        }
        is_busy |= call_wakers(loop);
        call_queue(loop, &loop->later);
        call_idle(loop, is_busy);
        call_timers(loop);
}

static void *run(void *userdata) {
        Loop *loop = userdata;

        (void) pthread_setname_np(pthread_self(), "loop");
        current = loop;
        load_begin(&loop->load, clock_monotonic());
        while (!atomic_load(&loop->stopping))
                turn(loop);
        (void) call_wakers(loop);
        load_end(&loop->load);
        return NULL;
}

int loop_start(Loop *loop) {
        int r;

        atomic_store(&loop->stopping, false);
        r = -pthread_create(&loop->thread, NULL, run, loop);
        loop->has_thread = r == 0;
        return r;
}

void loop_stop(Loop *loop) {
        if (!loop->has_thread)
                return;

        atomic_store(&loop->stopping, true);
        rouse(loop);
        (void) pthread_join(loop->thread, NULL);
        loop->has_thread = false;
}
