/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "test.h"

#include "base/clock.h"
#include "http/loop/loop.h"

#define N_WAKERS 64
#define ROUNDS   500

static HttpLoop *loop;

static int setup(void **state) {
        static const uint64_t usecs[_HTTP_TIMEOUT_MAX] = {
                [HTTP_TIMEOUT_SILENCE] = 40 * USEC_PER_MSEC,
                [HTTP_TIMEOUT_LINGER] = USEC_PER_MSEC,
                [HTTP_TIMEOUT_PAUSE] = 20 * USEC_PER_MSEC,
        };

        assert_ok(http_loop_new(usecs, &loop));
        return 0;
}

static int teardown(void **state) {
        http_loop_stop(loop);
        loop = http_loop_free(loop);
        return 0;
}

/* A waker that may be handed over again as soon as it was called. */
typedef struct Called {
        HttpWaker waker;
        sem_t free;
        atomic_uint n;
} Called;

static void on_wake(HttpWaker *waker) {
        Called *called = CONTAINER_OF(waker, Called, waker);

        called->n++;
        assert_ok(sem_post(&called->free));
}

static void called_init(Called *called) {
        called->waker = (HttpWaker){ .on_wake = on_wake, .loop = loop };
        called->n = 0;
        assert_ok(sem_init(&called->free, 0, 1));
}

static void *wake_often(void *userdata) {
        Called *called = userdata;

        for (size_t round = 0; round < ROUNDS; round++)
                for (size_t i = 0; i < N_WAKERS; i++) {
                        assert_ok(sem_wait(&called[i].free));
                        http_loop_wake(&called[i].waker);
                }
        return NULL;
}

TEST(no_waker_is_lost_or_called_twice) {
        static Called called[4][N_WAKERS];
        pthread_t threads[ELEMENTSOF(called)];

        for (size_t i = 0; i < ELEMENTSOF(called); i++)
                for (size_t j = 0; j < N_WAKERS; j++)
                        called_init(called[i] + j);
        assert_ok(http_loop_start(loop));
        for (size_t i = 0; i < ELEMENTSOF(called); i++)
                assert_int_equal(pthread_create(threads + i, NULL, wake_often, called[i]), 0);
        for (size_t i = 0; i < ELEMENTSOF(called); i++)
                assert_int_equal(pthread_join(threads[i], NULL), 0);
        http_loop_stop(loop);

        for (size_t i = 0; i < ELEMENTSOF(called); i++)
                for (size_t j = 0; j < N_WAKERS; j++)
                        assert_int_equal(called[i][j].n, ROUNDS);
}

static size_t order[8], n_order;

typedef struct Numbered {
        HttpWaker waker;
        size_t number;
} Numbered;

static void on_numbered(HttpWaker *waker) {
        order[n_order++] = CONTAINER_OF(waker, Numbered, waker)->number;
}

TEST(wakers_are_called_in_the_order_in_which_they_come) {
        Numbered wakers[4];

        n_order = 0;
        for (size_t i = 0; i < ELEMENTSOF(wakers); i++)
                wakers[i] = (Numbered){ { .on_wake = on_numbered, .loop = loop }, i };

        /* A chain has its last one first, as one that was put together by pushing has. */
        wakers[1].waker.next = &wakers[0].waker;
        http_loop_wake(&wakers[1].waker);
        http_loop_wake(&wakers[2].waker);
        http_loop_wake(&wakers[3].waker);
        http_loop_call_wakers(loop);

        assert_int_equal(n_order, 4);
        for (size_t i = 0; i < ELEMENTSOF(wakers); i++)
                assert_int_equal(order[i], i);
}

TEST(what_was_handed_over_before_the_end_is_called) {
        Called called;

        called_init(&called);
        http_loop_wake(&called.waker);
        assert_ok(http_loop_start(loop));
        http_loop_stop(loop);
        assert_int_equal(called.n, 1);

        http_loop_wake(&called.waker); /* behind it */
        assert_int_equal(called.n, 1);
        http_loop_call_wakers(loop);
        assert_int_equal(called.n, 2);
}

/* Comes again and again, and ends with the third time. */
typedef struct Later {
        HttpWaker waker, done;
        sem_t ended;
        unsigned n;
} Later;

static void on_later(HttpWaker *waker) {
        Later *later = CONTAINER_OF(waker, Later, waker);

        if (++later->n < 3)
                http_loop_call_later(waker);
        else
                assert_ok(sem_post(&later->ended));
}

static void on_begin(HttpWaker *waker) {
        http_loop_call_later(&CONTAINER_OF(waker, Later, done)->waker);
}

TEST(what_is_called_later_does_not_wait_for_an_event) {
        Later later = {
                .waker = { .on_wake = on_later, .loop = loop },
                .done = { .on_wake = on_begin, .loop = loop },
        };

        assert_ok(sem_init(&later.ended, 0, 0));
        assert_ok(http_loop_start(loop));
        http_loop_wake(&later.done);
        assert_ok(sem_wait(&later.ended));
        http_loop_stop(loop);
        assert_int_equal(later.n, 3);
}

typedef struct Timed {
        HttpTimer timer;
        sem_t ended;
        uint64_t at;
} Timed;

static void on_timeout(HttpTimer *timer) {
        Timed *timed = CONTAINER_OF(timer, Timed, timer);

        assert_false(timer->is_set);
        timed->at = clock_monotonic();
        assert_ok(sem_post(&timed->ended));
}

TEST(timers_end_in_the_order_of_their_times) {
        Timed timed[4] = {};
        uint64_t begun = clock_monotonic();

        for (size_t i = 0; i < ELEMENTSOF(timed); i++) {
                timed[i].timer.on_timeout = on_timeout;
                assert_ok(sem_init(&timed[i].ended, 0, 0));
        }
        http_timer_set(loop, &timed[0].timer, HTTP_TIMEOUT_SILENCE);
        http_timer_set(loop, &timed[1].timer, HTTP_TIMEOUT_PAUSE);
        http_timer_set(loop, &timed[2].timer, HTTP_TIMEOUT_SILENCE);
        http_timer_set(loop, &timed[2].timer, HTTP_TIMEOUT_LINGER); /* instead */
        http_timer_set(loop, &timed[3].timer, HTTP_TIMEOUT_LINGER);
        http_timer_clear(loop, &timed[3].timer);
        http_timer_clear(loop, &timed[3].timer);
        assert_ok(http_loop_start(loop));
        for (size_t i = 0; i < 3; i++)
                assert_ok(sem_wait(&timed[i].ended));
        http_loop_stop(loop);

        assert_true(timed[2].at <= timed[1].at && timed[1].at <= timed[0].at);
        assert_true(timed[1].at - begun >= 20 * USEC_PER_MSEC);
        assert_true(timed[0].at - begun >= 40 * USEC_PER_MSEC);
        assert_int_equal(timed[3].at, 0);
}

typedef struct Heard {
        HttpSource source;
        sem_t heard;
        atomic_uint n;
} Heard;

static void on_event(HttpSource *source, uint32_t events) {
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
        assert_ok(http_loop_add(loop, fds[0], EPOLLIN | EPOLLET, &heard.source));
        assert_true(http_loop_add(loop, fds[0], EPOLLIN | EPOLLET, &heard.source) < 0);
        assert_ok(http_loop_start(loop));
        for (size_t i = 0; i < 3; i++) {
                assert_int_equal(write(fds[1], "x", 1), 1);
                assert_ok(sem_wait(&heard.heard));
        }

        http_loop_remove(loop, fds[0]);
        assert_int_equal(write(fds[1], "x", 1), 1);
        http_loop_stop(loop);
        assert_int_equal(heard.n, 3);
        close(fds[0]);
        close(fds[1]);
}

#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                LOOP_TEST(no_waker_is_lost_or_called_twice),
                LOOP_TEST(wakers_are_called_in_the_order_in_which_they_come),
                LOOP_TEST(what_was_handed_over_before_the_end_is_called),
                LOOP_TEST(what_is_called_later_does_not_wait_for_an_event),
                LOOP_TEST(timers_end_in_the_order_of_their_times),
                LOOP_TEST(a_source_hears_of_each_change_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
