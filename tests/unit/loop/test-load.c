/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <sys/resource.h>

#include "test.h"

#include "base/clock.h"
#include "loop/load.h"

/* What a tenth of a second comes to of which so many ms went here and there, in which so many
 * blocks were read. */
static unsigned load_of_reads(uint64_t idle, uint64_t run, uint64_t delayed, uint64_t blocks) {
        const LoadTimes from = { .now = 7, .idle = 1000, .run = 50, .delayed = 3, .blocks = 8 };
        LoadTimes to = {
                .now = from.now + 100 * USEC_PER_MSEC,
                .idle = from.idle + idle * USEC_PER_MSEC,
                .run = from.run + run * USEC_PER_MSEC,
                .delayed = from.delayed + delayed * USEC_PER_MSEC,
                .blocks = from.blocks + blocks,
        };

        return load_between(&from, &to);
}

static unsigned load_of(uint64_t idle, uint64_t run, uint64_t delayed) {
        return load_of_reads(idle, run, delayed, 0);
}

TEST(what_runs_is_busy) {
        assert_int_equal(load_of(100, 0, 0), 0);
        assert_int_equal(load_of(70, 30, 0), 30);
        assert_int_equal(load_of(0, 100, 0), 100);
}

TEST(what_is_held_up_is_busy) {
        assert_int_equal(load_of(20, 5, 0), 80);
}

TEST(what_a_disk_holds_up_counts_eight_times) {
        assert_int_equal(load_of_reads(85, 5, 0, 1), 80);
        assert_int_equal(load_of_reads(40, 5, 45, 1), 80);
        assert_int_equal(load_of_reads(90, 5, 0, 1), 40);
        assert_int_equal(load_of_reads(20, 5, 0, 1), 100);
        assert_int_equal(load_of_reads(20, 75, 0, 1), 80); /* it runs for longer */
        assert_int_equal(load_of_reads(70, 30, 0, 1), 30);
        assert_int_equal(load_of_reads(60, 40, 50, 1), 40);
        assert_int_equal(load_of_reads(90, 0, 0, 1), 10); /* how long it ran is not known */
}

TEST(what_waits_for_a_processor_is_not) {
        assert_int_equal(load_of(0, 45, 55), 45);
        assert_int_equal(load_of(30, 20, 40), 30);
}

TEST(what_waits_for_a_processor_when_it_is_woken_counts_once) {
        assert_int_equal(load_of(60, 40, 50), 40);
}

TEST(without_a_word_of_the_kernel_all_is_busy_that_is_not_idle) {
        assert_int_equal(load_of(10, 0, 0), 90);
}

TEST(clocks_that_differ_a_little_do_no_harm) {
        assert_int_equal(load_of(101, 0, 0), 0);
        assert_int_equal(load_of(0, 101, 0), 100);
        assert_int_equal(load_between(&(LoadTimes){ .now = 5 }, &(LoadTimes){ .now = 5 }), 0);
}

static long n_blocks;

/* What the kernel says */
int getrusage(__rusage_who_t who, struct rusage *usage) {
        assert_int_equal(who, RUSAGE_THREAD);
        *usage = (struct rusage){ .ru_inblock = n_blocks };
        return 0;
}

TEST(it_is_noted_what_a_disk_has_read) {
        uint64_t now = clock_monotonic();
        Load load;

        load_init(&load);
        n_blocks = 5;
        load_begin(&load, now);
        assert_int_equal(load.last.blocks, 5);
        n_blocks = 7;
        load_note_turn(&load, now + LOAD_USEC, 0);
        assert_int_equal(load.last.blocks, 7);
        load_end(&load);
}

TEST(it_is_measured_once_in_a_while_and_forgotten) {
        uint64_t now = clock_monotonic();
        Load load;

        load_init(&load);
        load_begin(&load, now);
        load_note_turn(&load, now + LOAD_USEC - 1, 0);
        assert_int_equal(load.measured, now);
        load_note_turn(&load, now + LOAD_USEC, LOAD_USEC / 2);
        assert_int_equal(load.measured, now + LOAD_USEC);
        assert_int_equal(load.last.idle, LOAD_USEC / 2);

        load.percent = 50;
        load.measured = UINT64_MAX / 2;
        assert_int_equal(load_get(&load), 50);
        load_note_sleep(&load);
        assert_int_equal(load_get(&load), 50);
        load.measured = 0;
        assert_int_equal(load_get(&load), 0);
        load_end(&load);
}

TEST(a_loop_that_does_not_come_around_is_busy_unless_it_is_asleep) {
        uint64_t now = clock_monotonic();
        Load load;

        load_init(&load);
        assert_int_equal(load_get(&load), 0);
        load_begin(&load, now);
        load_note_turn(&load, now, 0);
        load.measured = 0;
        assert_int_equal(load_get(&load), 100);
        load_note_sleep(&load);
        assert_int_equal(load_get(&load), 0);
        load_note_turn(&load, now + LOAD_USEC - 1, 0);
        assert_int_equal(load_get(&load), 100);
        load_end(&load);
        assert_int_equal(load_get(&load), 0);
}

TEST(what_the_kernel_does_not_tell_once_stays_as_it_was) {
        uint64_t now = clock_monotonic();
        LoadTimes begun;
        Load load;
        int fd;

        load_init(&load);
        load_begin(&load, now);
        begun = load.last;
        fd = load.fd;
        load.fd = -1;
        load_note_turn(&load, now + LOAD_USEC, LOAD_USEC * 3 / 4);
        assert_int_equal(load_get(&load), 25);
        assert_int_equal(load.last.run, begun.run);
        assert_int_equal(load.last.delayed, begun.delayed);

        load.fd = fd;
        load_note_turn(&load, now + 2 * LOAD_USEC, LOAD_USEC);
        assert_true(load.last.run >= begun.run);
        load_end(&load);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_runs_is_busy),
                cmocka_unit_test(what_is_held_up_is_busy),
                cmocka_unit_test(what_a_disk_holds_up_counts_eight_times),
                cmocka_unit_test(what_waits_for_a_processor_is_not),
                cmocka_unit_test(what_waits_for_a_processor_when_it_is_woken_counts_once),
                cmocka_unit_test(without_a_word_of_the_kernel_all_is_busy_that_is_not_idle),
                cmocka_unit_test(clocks_that_differ_a_little_do_no_harm),
                cmocka_unit_test(it_is_noted_what_a_disk_has_read),
                cmocka_unit_test(it_is_measured_once_in_a_while_and_forgotten),
                cmocka_unit_test(a_loop_that_does_not_come_around_is_busy_unless_it_is_asleep),
                cmocka_unit_test(what_the_kernel_does_not_tell_once_stays_as_it_was),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
