/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Loop: a thread that waits for descriptors, for other threads, and for time to pass.
 *
 * Descriptors are registered once, edge-triggered: a source hears of each change, and remembers it
 * until it acts on it. Other threads hand wakers over by a list without a lock; one system call
 * wakes the loop for all that are on it. Timers that wait equally long share a list, so to set one
 * costs no system call and no search.
 *
 * While the process does not run (it is stopped, or the machine is too busy), no time passes for
 * timers: nobody out there can be blamed for that.
 *
 * In a turn of the loop come first the events, then what was handed over by other threads, then
 * what was put off, then what waits for the loop to have nothing else to do, then the timers. What
 * belongs to a callback may be freed in it; so may what belongs to others, once its descriptor was
 * removed, its timer cleared, and its waker called or cancelled.
 *
 * Thread: all functions are for the loop's own one, and all callbacks come on it, unless they say
 * otherwise. While the loop is not started, or was stopped, any thread takes the place of its own.
 */

#include "base/macro.h"

typedef struct Loop Loop;

typedef struct LoopSource {
        void (*on_event)(struct LoopSource *source, uint32_t events); /* EPOLLIN and its like */
} LoopSource;

/* Something that another thread, or the loop itself, wants the loop to look at. */
typedef struct LoopWaker {
        void (*on_wake)(struct LoopWaker *waker);
        Loop *loop; /* not owned */
        struct LoopWaker *next;
} LoopWaker;

typedef struct LoopTimeout LoopTimeout;

typedef struct LoopTimer {
        void (*on_timeout)(struct LoopTimer *timer); /* it is not set any more */
        LoopTimeout *timeout;                        /* NULL unless it is set; not owned */
        uint64_t until;                              /* monotonic */
        struct LoopTimer *prev, *next;
} LoopTimer;

/* A length of time, and the timers that are set to it: the next one to end comes first. */
struct LoopTimeout {
        uint64_t usec;
        LoopTimer *timers;
        LoopTimeout *prev, *next;
};

int loop_new(Loop **ret);

/* The thread must have been stopped. Wakers and functions that still wait are not called. */
Loop *loop_free(Loop *loop);
DEFINE_CLEANUP(Loop *, loop_free);

/* Starts the thread. */
int loop_start(Loop *loop);

/* Ends the thread and waits for it; wakers that were handed over have been called before. Thread:
 * any but the loop's. */
void loop_stop(Loop *loop);

/* The loop whose thread this is, or NULL. */
Loop *loop_current(void);

/* Registers a descriptor with the events of epoll. Closing it ends that, but for an event that was
 * found already: it comes, unless the descriptor was removed. Returns 0 or a negative errno.
 * Thread: any. */
int loop_add(Loop *loop, int fd, uint32_t events, LoopSource *source);

/* Ends that. On the loop's thread, SOURCE hears of nothing any more; on another, it may still. */
void loop_remove(Loop *loop, int fd, LoopSource *source);

/* Has WAKER called, and those that it is linked to by NEXT, which are of the same loop. None of
 * them may be handed over again before it was called. Thread: any. */
void loop_wake(LoopWaker *waker);

/* What this thread hands over between these two reaches the loops at the end, so that each of them
 * is woken once. Thread: any but a loop's. */
void loop_hold(void);
void loop_release(void);

/* Has WAKER called once other sources had their turn. Not to be used for one that another thread
 * may hand over. */
void loop_call_later(LoopWaker *waker);

/* Has WAKER called once a turn has brought nothing new, or after a few turns: for what is worth to
 * gather as long as there is more at once. Not to be used for one that another thread may hand
 * over. */
void loop_call_idle(LoopWaker *waker);

/* Takes back a waker that was put off in one of these ways and was not called yet. Costs a search.
 */
void loop_cancel(LoopWaker *waker);

/* Runs FUNCTION once on the loop's thread, DELAY_USEC from now; without a delay soon, behind what
 * was handed over before. Returns 0 or -ENOMEM. Thread: any. */
int loop_post(Loop *loop, uint64_t delay_usec, void (*function)(void *userdata), void *userdata);

/* Runs FUNCTION on the loop's thread, behind what was handed over before, and waits until it has
 * returned. Thread: any but a loop's. The loop is neither started nor stopped meanwhile. */
void loop_call(Loop *loop, void (*function)(void *userdata), void *userdata);

/* When the loop last woke up; monotonic. */
uint64_t loop_now(const Loop *loop);

/* How busy the loop has been of late, in percent of the time; see loop/load.h. Thread: any. */
unsigned loop_load(const Loop *loop);

/* For tests: it is so much from now on, whatever it does. Thread: any. */
void loop_pretend_load(Loop *loop, unsigned load);

/* Makes a length of time known, of which there are to be few. TIMEOUT and its length stay the same
 * until it is removed; no timer may be set to it then. */
void loop_timeout_add(Loop *loop, LoopTimeout *timeout);
void loop_timeout_remove(Loop *loop, LoopTimeout *timeout);

/* Begins to wait, from now on; anew, if the timer is set. */
void loop_timer_set(Loop *loop, LoopTimer *timer, LoopTimeout *timeout);

/* Likewise, for any time. For few timers at once: each that ends later has to be passed. */
void loop_timer_set_after(Loop *loop, LoopTimer *timer, uint64_t usec);

void loop_timer_clear(LoopTimer *timer);

static inline bool loop_timer_is_set(const LoopTimer *timer) {
        return timer->timeout;
}
