/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "test.h"

#include "base/clock.h"
#include "loop/loop.h"

#define N_WAKERS 64
#define ROUNDS   500

static Loop *loop;
static LoopTimeout brief = { .usec = USEC_PER_MSEC };
static LoopTimeout lengthy = { .usec = 40 * USEC_PER_MSEC };

static int setup(void **state) {
        assert_ok(loop_new(&loop));
        loop_timeout_add(loop, &brief);
        loop_timeout_add(loop, &lengthy);
        return 0;
}

static int teardown(void **state) {
        if (loop)
                loop_stop(loop);
        loop = loop_free(loop);
        return 0;
}

/* A waker that may be handed over again as soon as it was called. */
typedef struct Called {
        LoopWaker waker;
        sem_t free;
        atomic_uint n;
} Called;

static void on_wake(LoopWaker *waker) {
        Called *called = CONTAINER_OF(waker, Called, waker);

        called->n++;
        assert_ok(sem_post(&called->free));
}

static void called_init(Called *called) {
        called->waker = (LoopWaker){ .on_wake = on_wake, .loop = loop };
        called->n = 0;
        assert_ok(sem_init(&called->free, 0, 1));
}

static void *wake_often(void *userdata) {
        Called *called = userdata;

        for (size_t round = 0; round < ROUNDS; round++)
                for (size_t i = 0; i < N_WAKERS; i++) {
                        assert_ok(sem_wait(&called[i].free));
                        loop_wake(&called[i].waker);
                }
        return NULL;
}

TEST(no_waker_is_lost_or_called_twice) {
        static Called called[4][N_WAKERS];
        pthread_t threads[ELEMENTSOF(called)];

        for (size_t i = 0; i < ELEMENTSOF(called); i++)
                for (size_t j = 0; j < N_WAKERS; j++)
                        called_init(called[i] + j);
        assert_ok(loop_start(loop));
        for (size_t i = 0; i < ELEMENTSOF(called); i++)
                assert_int_equal(pthread_create(threads + i, NULL, wake_often, called[i]), 0);
        for (size_t i = 0; i < ELEMENTSOF(called); i++)
                assert_int_equal(pthread_join(threads[i], NULL), 0);
        loop_stop(loop);

        for (size_t i = 0; i < ELEMENTSOF(called); i++)
                for (size_t j = 0; j < N_WAKERS; j++)
                        assert_int_equal(called[i][j].n, ROUNDS);
}

static size_t order[8], n_order;

typedef struct Numbered {
        LoopWaker waker;
        size_t number;
} Numbered;

static void on_numbered(LoopWaker *waker) {
        order[n_order++] = CONTAINER_OF(waker, Numbered, waker)->number;
}

TEST(wakers_are_called_in_the_order_in_which_they_come) {
        Numbered wakers[4];

        n_order = 0;
        for (size_t i = 0; i < ELEMENTSOF(wakers); i++)
                wakers[i] = (Numbered){ { .on_wake = on_numbered, .loop = loop }, i };

        /* A chain has its last one first, as one that was put together by pushing has. */
        wakers[1].waker.next = &wakers[0].waker;
        loop_wake(&wakers[1].waker);
        loop_wake(&wakers[2].waker);
        loop_wake(&wakers[3].waker);
        assert_ok(loop_start(loop));
        loop_stop(loop);

        assert_int_equal(n_order, 4);
        for (size_t i = 0; i < ELEMENTSOF(wakers); i++)
                assert_int_equal(order[i], i);
}

TEST(what_is_held_is_called_at_the_end_in_its_order) {
        Numbered wakers[4], others[2];
        Loop *other;

        n_order = 0;
        assert_ok(loop_new(&other));
        for (size_t i = 0; i < ELEMENTSOF(wakers); i++)
                wakers[i] = (Numbered){ { .on_wake = on_numbered, .loop = loop }, i };
        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                others[i] = (Numbered){ { .on_wake = on_numbered, .loop = other }, 4 + i };

        assert_ok(loop_start(loop));
        loop_hold();
        wakers[1].waker.next = &wakers[0].waker;
        loop_wake(&wakers[1].waker);
        loop_wake(&others[0].waker);
        loop_wake(&wakers[2].waker);
        loop_wake(&others[1].waker);
        loop_wake(&wakers[3].waker);
        loop_stop(loop);
        assert_int_equal(n_order, 0);

        loop_release();
        assert_ok(loop_start(loop));
        loop_stop(loop);
        assert_int_equal(n_order, 4);
        assert_ok(loop_start(other));
        loop_stop(other);
        (void) loop_free(other);
        assert_int_equal(n_order, 6);
        for (size_t i = 0; i < 6; i++)
                assert_int_equal(order[i], i);

        loop_wake(&wakers[0].waker); /* nothing is held any more */
        assert_ok(loop_start(loop));
        loop_stop(loop);
        assert_int_equal(n_order, 7);
}

static void count(void *userdata) {
        (*(atomic_uint *) userdata)++;
}

TEST(what_was_handed_over_before_the_end_is_called) {
        atomic_uint n = 0;
        Called called;

        called_init(&called);
        loop_wake(&called.waker);
        assert_ok(loop_start(loop));
        loop_stop(loop);
        assert_int_equal(called.n, 1);

        loop_wake(&called.waker); /* behind it */
        assert_int_equal(called.n, 1);
        loop_call(loop, count, &n);
        assert_int_equal(called.n, 2);
        assert_int_equal(n, 1);
}

/* Comes again and again, and ends with the third time. */
typedef struct Later {
        LoopWaker waker, done;
        sem_t ended;
        unsigned n;
} Later;

static void on_later(LoopWaker *waker) {
        Later *later = CONTAINER_OF(waker, Later, waker);

        if (++later->n < 3)
                loop_call_later(waker);
        else
                assert_ok(sem_post(&later->ended));
}

static void on_begin(LoopWaker *waker) {
        loop_call_later(&CONTAINER_OF(waker, Later, done)->waker);
}

TEST(what_is_called_later_does_not_wait_for_an_event) {
        Later later = {
                .waker = { .on_wake = on_later, .loop = loop },
                .done = { .on_wake = on_begin, .loop = loop },
        };

        assert_ok(sem_init(&later.ended, 0, 0));
        assert_ok(loop_start(loop));
        loop_wake(&later.done);
        assert_ok(sem_wait(&later.ended));
        loop_stop(loop);
        assert_int_equal(later.n, 3);
}

typedef struct Cancelled {
        LoopWaker first, second, third;
        unsigned n;
} Cancelled;

/* Of what is called in this turn, and of what is called in the next one */
static void on_first(LoopWaker *waker) {
        Cancelled *cancelled = CONTAINER_OF(waker, Cancelled, first);

        cancelled->n++;
        loop_cancel(&cancelled->second);
        loop_call_later(&cancelled->second);
        loop_cancel(&cancelled->second);
        loop_call_later(waker);
        loop_cancel(waker);
}

static void on_never(LoopWaker *waker) {
        CONTAINER_OF(waker, Cancelled, second)->n += 100;
}

static void on_third(LoopWaker *waker) {
        CONTAINER_OF(waker, Cancelled, third)->n += 10;
}

static void put_off(void *userdata) {
        Cancelled *cancelled = userdata;

        loop_call_later(&cancelled->first);
        loop_call_later(&cancelled->second);
        loop_call_later(&cancelled->third);
}

static void nothing(void *userdata) {
}

TEST(what_is_cancelled_is_not_called) {
        Cancelled cancelled = {
                .first = { .on_wake = on_first, .loop = loop },
                .second = { .on_wake = on_never, .loop = loop },
                .third = { .on_wake = on_third, .loop = loop },
        };

        assert_ok(loop_start(loop));
        loop_call(loop, put_off, &cancelled);
        loop_call(loop, nothing, NULL); /* two turns later */
        loop_call(loop, nothing, NULL);
        loop_stop(loop);
        assert_int_equal(cancelled.n, 11);
}

/* Hands over the next one; the last one wakes itself until somebody has called on_quiet(). */
typedef struct Chain {
        LoopWaker links[3], quiet;
        size_t n; /* so many were called before on_quiet() */
        size_t n_called;
        bool is_endless, is_quiet;
        sem_t ended;
} Chain;

static Chain chain;

static void on_link(LoopWaker *waker) {
        chain.n_called++;
        if (waker < chain.links + ELEMENTSOF(chain.links) - 1)
                loop_wake(waker + 1);
        else if (chain.is_endless && !chain.is_quiet)
                loop_wake(waker);
}

static void on_quiet(LoopWaker *waker) {
        chain.is_quiet = true;
        chain.n = chain.n_called;
        assert_ok(sem_post(&chain.ended));
}

static void begin_chain(void *userdata) {
        loop_call_idle(&chain.quiet);
        loop_wake(chain.links);
}

static void run_chain(bool is_endless) {
        chain = (Chain){ .quiet = { .on_wake = on_quiet, .loop = loop }, .is_endless = is_endless };
        for (size_t i = 0; i < ELEMENTSOF(chain.links); i++)
                chain.links[i] = (LoopWaker){ .on_wake = on_link, .loop = loop };
        assert_ok(sem_init(&chain.ended, 0, 0));
        assert_ok(loop_start(loop));
        loop_call(loop, begin_chain, NULL);
        assert_ok(sem_wait(&chain.ended));
        loop_stop(loop);
}

TEST(what_waits_for_a_quiet_turn_comes_behind_what_comes_until_then) {
        run_chain(false);
        assert_int_equal(chain.n, 3);
        assert_int_equal(chain.n_called, 3);
}

TEST(what_waits_for_a_quiet_turn_does_not_wait_for_ever) {
        run_chain(true);
}

static void put_off_and_cancel(void *userdata) {
        loop_call_idle(&chain.quiet);
        loop_cancel(&chain.quiet);
}

TEST(what_waits_for_a_quiet_turn_may_be_cancelled) {
        chain = (Chain){ .quiet = { .on_wake = on_quiet, .loop = loop } };
        assert_ok(loop_start(loop));
        loop_call(loop, put_off_and_cancel, NULL);
        loop_call(loop, nothing, NULL);
        loop_call(loop, nothing, NULL);
        loop_stop(loop);
        assert_false(chain.is_quiet);
}

static atomic_bool is_spinning;

static void spin(LoopWaker *waker) {
        if (is_spinning)
                loop_wake(waker);
}

/* However late it comes, on a machine that has other things to do. */
static void await_load(bool is_loaded) {
        while ((loop_load(loop) > 0) != is_loaded)
                assert_ok(sched_yield());
}

TEST(a_loop_is_loaded_while_it_has_something_to_do) {
        LoopWaker waker = { .on_wake = spin, .loop = loop };

        assert_int_equal(loop_load(loop), 0);
        assert_ok(loop_start(loop));
        is_spinning = true;
        loop_wake(&waker);
        await_load(true);
        assert_true(loop_load(loop) <= 100);
        is_spinning = false;
        await_load(false);
        loop_stop(loop);
}

static void on_hang(LoopWaker *waker) {
        assert_ok(sem_wait(&CONTAINER_OF(waker, Called, waker)->free));
}

TEST(a_loop_that_something_holds_up_is_loaded) {
        Called hanging;

        called_init(&hanging);
        hanging.waker.on_wake = on_hang;
        assert_ok(sem_wait(&hanging.free));
        assert_ok(loop_start(loop));
        loop_wake(&hanging.waker);
        await_load(true);
        assert_ok(sem_post(&hanging.free));
        await_load(false);
}

typedef struct Posted {
        sem_t ended;
        Loop *loop; /* on which it ran */
        uint64_t at;
} Posted;

static void on_posted(void *userdata) {
        Posted *posted = userdata;

        posted->loop = loop_current();
        posted->at = clock_monotonic();
        assert_ok(sem_post(&posted->ended));
}

TEST(functions_run_on_the_loop_when_they_are_due) {
        uint64_t begun = clock_monotonic();
        Posted posted[3] = {};

        for (size_t i = 0; i < ELEMENTSOF(posted); i++)
                assert_ok(sem_init(&posted[i].ended, 0, 0));
        assert_ok(loop_start(loop));
        assert_ok(loop_post(loop, 30 * USEC_PER_MSEC, on_posted, posted));
        assert_ok(loop_post(loop, 10 * USEC_PER_MSEC, on_posted, posted + 1));
        assert_ok(loop_post(loop, 0, on_posted, posted + 2));
        for (size_t i = 0; i < ELEMENTSOF(posted); i++) {
                assert_ok(sem_wait(&posted[i].ended));
                assert_ptr_equal(posted[i].loop, loop);
        }
        loop_stop(loop);

        assert_true(posted[2].at <= posted[1].at && posted[1].at <= posted[0].at);
        assert_true(posted[1].at - begun >= 10 * USEC_PER_MSEC);
        assert_true(posted[0].at - begun >= 30 * USEC_PER_MSEC);
        assert_null(loop_current());
}

/* Neither waits for its time nor leaks. */
TEST(functions_that_still_wait_at_the_end_are_not_run) {
        atomic_uint n = 0;

        assert_ok(loop_post(loop, USEC_PER_HOUR, count, &n));
        assert_ok(loop_start(loop));
        loop_stop(loop);
        assert_ok(loop_post(loop, 0, count, &n));
        loop = loop_free(loop);
        assert_int_equal(n, 0);
}

TEST(a_call_returns_when_its_function_has) {
        atomic_uint n = 0;

        loop_call(loop, count, &n); /* while there is no thread */
        assert_ok(loop_start(loop));
        for (unsigned i = 0; i < 100; i++) {
                assert_int_equal(n, 1 + i);
                loop_call(loop, count, &n);
        }
        loop_stop(loop);
}

typedef struct Timed {
        LoopTimer timer;
        sem_t ended;
        uint64_t at;
} Timed;

static void on_timeout(LoopTimer *timer) {
        Timed *timed = CONTAINER_OF(timer, Timed, timer);

        assert_false(loop_timer_is_set(timer));
        timed->at = clock_monotonic();
        assert_ok(sem_post(&timed->ended));
}

TEST(timers_end_in_the_order_of_their_times) {
        Timed timed[5] = {};
        uint64_t begun = clock_monotonic();

        for (size_t i = 0; i < ELEMENTSOF(timed); i++) {
                timed[i].timer.on_timeout = on_timeout;
                assert_ok(sem_init(&timed[i].ended, 0, 0));
        }
        loop_timer_set(loop, &timed[0].timer, &lengthy);
        loop_timer_set_after(loop, &timed[1].timer, 30 * USEC_PER_MSEC);
        loop_timer_set_after(loop, &timed[2].timer, 20 * USEC_PER_MSEC);
        loop_timer_set(loop, &timed[3].timer, &lengthy);
        loop_timer_set(loop, &timed[3].timer, &brief); /* instead */
        loop_timer_set(loop, &timed[4].timer, &brief);
        loop_timer_clear(&timed[4].timer);
        loop_timer_clear(&timed[4].timer);
        assert_ok(loop_start(loop));
        for (size_t i = 0; i < 4; i++)
                assert_ok(sem_wait(&timed[i].ended));
        loop_stop(loop);

        for (size_t i = 0; i < 3; i++)
                assert_true(timed[i + 1].at <= timed[i].at);
        assert_true(timed[2].at - begun >= 20 * USEC_PER_MSEC);
        assert_true(timed[1].at - begun >= 30 * USEC_PER_MSEC);
        assert_true(timed[0].at - begun >= 40 * USEC_PER_MSEC);
        assert_int_equal(timed[4].at, 0);
}

/* Keeps the loop from running, as a stopped process does. */
static void on_pause(LoopWaker *waker) {
        const struct timespec pause = { .tv_sec = 2 };

        assert_int_equal(nanosleep(&pause, NULL), 0);
}

TEST(a_pause_of_the_process_does_not_count) {
        LoopTimeout seconds = { .usec = 1900 * USEC_PER_MSEC };
        LoopWaker pause = { .on_wake = on_pause, .loop = loop };
        Timed timed = { .timer.on_timeout = on_timeout };
        uint64_t begun = clock_monotonic();

        assert_ok(sem_init(&timed.ended, 0, 0));
        loop_timeout_add(loop, &seconds);
        loop_timer_set(loop, &timed.timer, &seconds);
        loop_wake(&pause);
        assert_ok(loop_start(loop));
        assert_ok(sem_wait(&timed.ended));
        loop_stop(loop);

        assert_true(timed.at - begun >= 3900 * USEC_PER_MSEC);
}

typedef struct Heard {
        LoopSource source;
        sem_t heard;
        atomic_uint n;
} Heard;

static void on_event(LoopSource *source, uint32_t events) {
        Heard *heard = CONTAINER_OF(source, Heard, source);

        heard->n++;
        assert_true(events & EPOLLIN);
        assert_ok(sem_post(&heard->heard));
}

TEST(a_source_hears_of_each_change_once) {
        Heard heard = { .source.on_event = on_event };
        int fds[2];

        assert_ok(sem_init(&heard.heard, 0, 0));
        assert_ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
        assert_ok(loop_add(loop, fds[0], EPOLLIN | EPOLLET, &heard.source));
        assert_true(loop_add(loop, fds[0], EPOLLIN | EPOLLET, &heard.source) < 0);
        assert_ok(loop_start(loop));
        for (size_t i = 0; i < 3; i++) {
                assert_int_equal(write(fds[1], "x", 1), 1);
                assert_ok(sem_wait(&heard.heard));
        }

        loop_remove(loop, fds[0], &heard.source);
        assert_int_equal(write(fds[1], "x", 1), 1);
        loop_stop(loop);
        assert_int_equal(heard.n, 3);
        close(fds[0]);
        close(fds[1]);
}

/* Two that become ready in the same turn: the one that is told first removes the other. */
typedef struct Rival {
        LoopSource source;
        struct Rival *other;
        int fds[2];
        atomic_uint *n;
} Rival;

static void on_rival(LoopSource *source, uint32_t events) {
        Rival *rival = CONTAINER_OF(source, Rival, source);

        (*rival->n)++;
        loop_remove(loop, rival->other->fds[0], &rival->other->source);
}

TEST(what_is_removed_hears_nothing_any_more) {
        Rival rivals[2];
        atomic_uint n = 0;

        for (size_t i = 0; i < 2; i++) {
                rivals[i] = (Rival){ { on_rival }, rivals + 1 - i, { -1, -1 }, &n };
                assert_ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, rivals[i].fds));
                assert_int_equal(write(rivals[i].fds[1], "x", 1), 1);
                assert_ok(loop_add(loop, rivals[i].fds[0], EPOLLIN | EPOLLET, &rivals[i].source));
        }
        assert_ok(loop_start(loop));
        loop_call(loop, nothing, NULL);
        loop_call(loop, nothing, NULL);
        loop_stop(loop);
        assert_int_equal(n, 1);
        for (size_t i = 0; i < 4; i++)
                close(rivals[i / 2].fds[i % 2]);
}

#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                LOOP_TEST(no_waker_is_lost_or_called_twice),
                LOOP_TEST(wakers_are_called_in_the_order_in_which_they_come),
                LOOP_TEST(what_is_held_is_called_at_the_end_in_its_order),
                LOOP_TEST(what_was_handed_over_before_the_end_is_called),
                LOOP_TEST(what_is_called_later_does_not_wait_for_an_event),
                LOOP_TEST(what_is_cancelled_is_not_called),
                LOOP_TEST(what_waits_for_a_quiet_turn_comes_behind_what_comes_until_then),
                LOOP_TEST(what_waits_for_a_quiet_turn_does_not_wait_for_ever),
                LOOP_TEST(what_waits_for_a_quiet_turn_may_be_cancelled),
                LOOP_TEST(a_loop_is_loaded_while_it_has_something_to_do),
                LOOP_TEST(a_loop_that_something_holds_up_is_loaded),
                LOOP_TEST(functions_run_on_the_loop_when_they_are_due),
                LOOP_TEST(functions_that_still_wait_at_the_end_are_not_run),
                LOOP_TEST(a_call_returns_when_its_function_has),
                LOOP_TEST(timers_end_in_the_order_of_their_times),
                LOOP_TEST(a_pause_of_the_process_does_not_count),
                LOOP_TEST(a_source_hears_of_each_change_once),
                LOOP_TEST(what_is_removed_hears_nothing_any_more),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
