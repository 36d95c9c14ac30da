/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <semaphore.h>
#include <stdio.h>
#include <string.h>

#include "core/key.h"
#include "store/index/memory/durable.h"

static Durable durable;

static int setup(void **state) {
        memset(&durable, 0, sizeof(durable));
        durable_init(&durable);
        return 0;
}

static int teardown(void **state) {
        durable_done(&durable);
        return 0;
}

TEST(what_was_never_changed_is_waited_for_by_nobody) {
        durable_wait(&durable, durable_round_of_key(&durable, "a"));
        durable_wait(&durable, durable_round(&durable));
}

TEST(a_key_that_was_changed_needs_the_next_flush) {
        assert_int_equal(durable_round_of_key(&durable, "a"), 0);
        durable_note_key(&durable, "a");
        assert_int_equal(durable_round_of_key(&durable, "a"), 1);
        assert_int_equal(durable_round(&durable), 1);

        durable_note_flush(&durable);
        durable_wait(&durable, durable_round_of_key(&durable, "a"));

        durable_note_key(&durable, "a");
        assert_int_equal(durable_round_of_key(&durable, "a"), 2);
}

TEST(other_keys_do_not_wait_for_it) {
        unsigned n_waiting = 0;

        durable_note_key(&durable, "a");
        for (unsigned i = 0; i < 1000; i++) {
                char key[16];

                (void) snprintf(key, sizeof(key), "other/%u", i);
                n_waiting += durable_round_of_key(&durable, key) > 0;
        }
        assert_in_range(n_waiting, 0, 2); /* of the same hash */
}

TEST(a_change_of_something_else_holds_up_who_reads_everything) {
        durable_note(&durable);
        assert_int_equal(durable_round(&durable), 1);
        assert_int_equal(durable_round_of_key(&durable, "a"), 0);
}

typedef struct Waiter {
        pthread_t thread;
        uint64_t round;
        sem_t *passed;
} Waiter;

static void *wait_main(void *userdata) {
        Waiter *waiter = userdata;

        durable_wait(&durable, waiter->round);
        (void) sem_post(waiter->passed);
        return NULL;
}

static void start(Waiter *waiter, uint64_t round, sem_t *passed) {
        *waiter = (Waiter){ .round = round, .passed = passed };
        assert_int_equal(pthread_create(&waiter->thread, NULL, wait_main, waiter), 0);
}

static void wait_until_waiting(unsigned n) {
        while (atomic_load(&durable.n_waiting) != n)
                (void) sched_yield();
}

TEST(who_waits_is_woken_by_the_flush_that_it_waits_for) {
        Waiter first, second;
        sem_t passed[2];

        assert_int_equal(sem_init(&passed[0], 0, 0), 0);
        assert_int_equal(sem_init(&passed[1], 0, 0), 0);
        start(&first, 1, &passed[0]);
        start(&second, 2, &passed[1]);
        wait_until_waiting(2);

        durable_note_flush(&durable);
        assert_int_equal(sem_wait(&passed[0]), 0);
        assert_int_equal(sem_trywait(&passed[1]), -1);
        wait_until_waiting(1);

        durable_note_flush(&durable);
        assert_int_equal(sem_wait(&passed[1]), 0);
        assert_int_equal(pthread_join(first.thread, NULL), 0);
        assert_int_equal(pthread_join(second.thread, NULL), 0);
        assert_int_equal(sem_destroy(&passed[0]), 0);
        assert_int_equal(sem_destroy(&passed[1]), 0);
}

typedef struct Called {
        DurableWait wait;
        unsigned n; /* how often */
        unsigned order;
} Called;

static unsigned n_called;

static void on_called(DurableWait *wait) {
        Called *called = CONTAINER_OF(wait, Called, wait);

        called->n++;
        called->order = ++n_called;
}

static bool call(Called *called, uint64_t round) {
        *called = (Called){ .wait.flushed = on_called };
        return durable_call(&durable, round, &called->wait);
}

TEST(who_asks_for_a_call_is_called_once_and_in_order) {
        Called past, first, also_first, second;

        n_called = 0;
        durable_note_flush(&durable);
        assert_false(call(&past, 1));
        assert_true(call(&first, 2));
        assert_true(call(&second, 3));
        assert_true(call(&also_first, 2));

        durable_note_flush(&durable);
        assert_int_equal(first.order, 1);
        assert_int_equal(also_first.order, 2);
        assert_int_equal(second.n, 0);
        durable_note_flush(&durable);
        durable_note_flush(&durable);
        assert_int_equal(second.order, 3);
        assert_int_equal(n_called, 3);
        assert_int_equal(atomic_load(&durable.n_waiting), 0);
}

#define ROUNDS 2000

static atomic_bool is_over;

/* Nobody passes before its round is flushed, and nobody is forgotten. */
typedef struct Flushed {
        DurableWait wait;
        sem_t passed;
        uint64_t round;
} Flushed;

static void on_flushed(DurableWait *wait) {
        Flushed *flushed = CONTAINER_OF(wait, Flushed, wait);

        assert_true(atomic_load(&durable.flushed) >= flushed->round);
        (void) sem_post(&flushed->passed);
}

static void *call_main(void *userdata) {
        Flushed flushed = { .wait.flushed = on_flushed };

        (void) sem_init(&flushed.passed, 0, 0);
        while (!atomic_load(&is_over)) {
                flushed.round = durable_round(&durable);
                if (durable_call(&durable, flushed.round, &flushed.wait))
                        (void) sem_wait(&flushed.passed);
        }
        (void) sem_destroy(&flushed.passed);
        return NULL;
}

static void *read_main(void *userdata) {
        while (!atomic_load(&is_over)) {
                uint64_t round = durable_round(&durable);

                durable_wait(&durable, round);
                assert_true(atomic_load(&durable.flushed) >= round);
        }
        return NULL;
}

TEST(many_readers_and_flushes_never_miss_each_other) {
        pthread_t readers[4];

        atomic_store(&is_over, false);
        for (size_t i = 0; i < ELEMENTSOF(readers); i++)
                assert_int_equal(
                                pthread_create(&readers[i], NULL, i % 2 ? call_main : read_main,
                                               NULL),
                                0);
        for (unsigned i = 0; i < ROUNDS; i++) {
                durable_note(&durable);
                if (i % 16 == 0)
                        (void) sched_yield();
                durable_note_flush(&durable);
        }
        atomic_store(&is_over, true);
        for (size_t i = 0; i < ELEMENTSOF(readers); i++)
                assert_int_equal(pthread_join(readers[i], NULL), 0);
        assert_int_equal(atomic_load(&durable.n_waiting), 0);
        assert_int_equal(durable_round(&durable), ROUNDS);
}

#define RUN(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                RUN(what_was_never_changed_is_waited_for_by_nobody),
                RUN(a_key_that_was_changed_needs_the_next_flush),
                RUN(other_keys_do_not_wait_for_it),
                RUN(a_change_of_something_else_holds_up_who_reads_everything),
                RUN(who_waits_is_woken_by_the_flush_that_it_waits_for),
                RUN(who_asks_for_a_call_is_called_once_and_in_order),
                RUN(many_readers_and_flushes_never_miss_each_other),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
