/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdatomic.h>

#include "test.h"

#include "loop/loops.h"

static void note(void *userdata) {
        *(Loop **) userdata = loop_current();
}

TEST(each_loop_has_a_thread_of_its_own) {
        Loops *loops;

        assert_ok(loops_new(3, &loops));
        assert_int_equal(loops_count(loops), 3);
        for (size_t i = 0; i < 3; i++) {
                Loop *seen = NULL;

                loop_call(loops_get(loops, i), note, &seen);
                assert_ptr_equal(seen, loops_get(loops, i));
                assert_ptr_not_equal(seen, loops_get(loops, (i + 1) % 3));
        }
        assert_null(loops_free(loops));
}

static void note_place(void *userdata) {
        const Loops **loops = userdata;

        assert_ptr_equal(loop_current(), loops_get(*loops, loops_here(*loops)));
}

TEST(each_loop_knows_its_place) {
        Loops *loops;

        assert_ok(loops_new(3, &loops));
        for (size_t i = 0; i < 3; i++)
                loop_call(loops_get(loops, i), note_place, &loops);
        assert_int_equal(loops_here(loops), 0); /* this thread is none of them */
        (void) loops_free(loops);
}

TEST(there_is_one_for_each_core) {
        Loops *loops;

        assert_ok(loops_new(0, &loops));
        assert_int_equal(loops_count(loops), sysconf(_SC_NPROCESSORS_ONLN));
        (void) loops_free(loops);
}

/* Goes around until it has been everywhere often enough. */
typedef struct Traveller {
        LoopWaker waker;
        Loops *loops;
        atomic_uint n;
} Traveller;

static void on_wake(LoopWaker *waker) {
        Traveller *traveller = CONTAINER_OF(waker, Traveller, waker);

        waker->loop = loops_get(traveller->loops, ++traveller->n % 2);
        loop_wake(waker);
}

TEST(loops_may_wake_each_other_while_they_end) {
        for (size_t i = 0; i < 100; i++) {
                Traveller traveller = { .waker.on_wake = on_wake };

                assert_ok(loops_new(2, &traveller.loops));
                traveller.waker.loop = loops_get(traveller.loops, 0);
                loop_wake(&traveller.waker);
                while (traveller.n < 10)
                        ;
                (void) loops_free(traveller.loops);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_loop_has_a_thread_of_its_own),
                cmocka_unit_test(each_loop_knows_its_place),
                cmocka_unit_test(there_is_one_for_each_core),
                cmocka_unit_test(loops_may_wake_each_other_while_they_end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
