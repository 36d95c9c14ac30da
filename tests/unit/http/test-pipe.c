/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>

#include "http/pipe.h"

typedef struct Ends {
        Pipe *pipe;
        sem_t readable, writable;
} Ends;

static void on_readable(void *userdata) {
        Ends *ends = userdata;

        assert_ok(sem_post(&ends->readable));
}

static void on_writable(void *userdata) {
        Ends *ends = userdata;

        assert_ok(sem_post(&ends->writable));
}

static void ends_init(Ends *ends, size_t size) {
        PipeEvents events = { on_readable, on_writable, ends };

        assert_ok(sem_init(&ends->readable, 0, 0));
        assert_ok(sem_init(&ends->writable, 0, 0));
        assert_ok(pipe_new(size, NULL, &events, &ends->pipe));
}

static void ends_done(Ends *ends) {
        ends->pipe = pipe_unref(ends->pipe);
        assert_ok(sem_destroy(&ends->readable));
        assert_ok(sem_destroy(&ends->writable));
}

static int count(sem_t *semaphore) {
        int value;

        assert_ok(sem_getvalue(semaphore, &value));
        return value;
}

TEST(bytes_come_out_as_they_went_in) {
        Ends ends;
        char data[8];

        ends_init(&ends, 5);
        for (int i = 0; i < 20; i++) { /* wraps around at each place */
                assert_int_equal(pipe_write(ends.pipe, "abc", 3), 3);
                assert_int_equal(pipe_read(ends.pipe, data, sizeof(data)), 3);
                assert_memory_equal(data, "abc", 3);
        }
        ends_done(&ends);
}

TEST(what_is_still_there_comes_once_more) {
        Ends ends;
        char data[8];

        ends_init(&ends, 5);
        assert_true(pipe_rewind(ends.pipe));
        assert_int_equal(pipe_write(ends.pipe, "abcd", 4), 4);
        assert_int_equal(pipe_read(ends.pipe, data, 3), 3);
        assert_int_equal(pipe_write(ends.pipe, "e", 1), 1);
        for (int i = 0; i < 2; i++) {
                assert_true(pipe_rewind(ends.pipe));
                assert_int_equal(pipe_read(ends.pipe, data, sizeof(data)), 5);
                assert_memory_equal(data, "abcde", 5);
        }
        assert_int_equal(pipe_write(ends.pipe, "f", 1), 1); /* over the first */
        assert_false(pipe_rewind(ends.pipe));
        assert_int_equal(pipe_read(ends.pipe, data, sizeof(data)), 1);
        assert_memory_equal(data, "f", 1);
        ends_done(&ends);
}

TEST(writer_is_told_once_half_is_free) {
        Ends ends;
        char data[8];

        ends_init(&ends, 8);
        assert_int_equal(pipe_write(ends.pipe, "0123456789", 10), 8);
        assert_int_equal(pipe_write(ends.pipe, "89", 2), 0);
        assert_int_equal(pipe_read(ends.pipe, data, 3), 3);
        assert_int_equal(count(&ends.writable), 0);
        assert_int_equal(pipe_read(ends.pipe, data, 1), 1);
        assert_int_equal(count(&ends.writable), 1);
        assert_int_equal(pipe_read(ends.pipe, data, 1), 1);
        assert_int_equal(count(&ends.writable), 1);
        assert_int_equal(count(&ends.readable), 0); /* it never waited */
        ends_done(&ends);
}

TEST(reader_is_told_of_data_and_of_the_end) {
        Ends ends;
        char data[8];

        ends_init(&ends, 8);
        assert_int_equal(pipe_read(ends.pipe, data, 8), -EAGAIN);
        assert_int_equal(pipe_write(ends.pipe, "x", 1), 1);
        assert_int_equal(pipe_write(ends.pipe, "y", 1), 1);
        assert_int_equal(count(&ends.readable), 1);
        assert_int_equal(pipe_read(ends.pipe, data, 8), 2);
        assert_int_equal(pipe_read(ends.pipe, data, 8), -EAGAIN);
        pipe_close_write(ends.pipe, 0);
        assert_int_equal(count(&ends.readable), 2);
        assert_int_equal(pipe_read(ends.pipe, data, 8), 0);
        ends_done(&ends);
}

TEST(errors_reach_the_other_side) {
        Ends ends;
        char data[8];

        ends_init(&ends, 8);
        assert_int_equal(pipe_write(ends.pipe, "x", 1), 1);
        pipe_close_write(ends.pipe, -ECONNRESET);
        pipe_close_write(ends.pipe, 0); /* the first one counts */
        assert_int_equal(pipe_read(ends.pipe, data, 8), 1);
        assert_int_equal(pipe_read(ends.pipe, data, 8), -ECONNRESET);
        ends_done(&ends);

        ends_init(&ends, 4);
        assert_int_equal(pipe_write(ends.pipe, "01234", 5), 4);
        pipe_close_read(ends.pipe, -ENOSPC);
        assert_int_equal(count(&ends.writable), 1);
        assert_int_equal(pipe_write(ends.pipe, "4", 1), -ENOSPC);
        ends_done(&ends);
}

#define TOTAL (8 * MIB)

static void *write_all_bytes(void *userdata) {
        Ends *ends = userdata;
        uint8_t data[3001];

        for (size_t sent = 0; sent < TOTAL;) {
                size_t size = MIN(sizeof(data), TOTAL - sent);
                ssize_t n;

                for (size_t i = 0; i < size; i++)
                        data[i] = (uint8_t) ((sent + i) * 31 >> 3);

                n = pipe_write(ends->pipe, data, size);
                assert_ok(n);
                sent += (size_t) n;
                if ((size_t) n < size)
                        assert_ok(sem_wait(&ends->writable));
        }

        pipe_close_write(ends->pipe, 0);
        (void) pipe_unref(ends->pipe);
        return NULL;
}

TEST(two_threads_lose_nothing) {
        size_t received = 0;
        uint8_t data[2000];
        pthread_t writer;
        Ends ends;
        ssize_t n;

        ends_init(&ends, 10007);
        (void) pipe_ref(ends.pipe);
        assert_int_equal(pthread_create(&writer, NULL, write_all_bytes, &ends), 0);

        while ((n = pipe_read(ends.pipe, data, sizeof(data))) != 0) {
                if (n == -EAGAIN) {
                        assert_ok(sem_wait(&ends.readable));
                        continue;
                }

                assert_true(n > 0);
                for (size_t i = 0; i < (size_t) n; i++)
                        if (data[i] != (uint8_t) ((received + i) * 31 >> 3))
                                fail_msg("byte %zu is wrong", received + i);
                received += (size_t) n;
        }

        assert_int_equal(received, TOTAL);
        assert_int_equal(pthread_join(writer, NULL), 0);
        ends_done(&ends);
}

TEST(pipes_take_no_more_together_than_their_budget) {
        PipeBudget budget = { .max = 10 };
        PipeEvents events = { on_readable, on_writable, NULL };
        Pipe *pipes[3];

        assert_ok(pipe_new(4, &budget, &events, pipes + 0));
        assert_ok(pipe_new(6, &budget, &events, pipes + 1));
        assert_int_equal(pipe_new(1, &budget, &events, pipes + 2), -EAGAIN);
        assert_int_equal(budget.used, 10); /* what was refused takes nothing */

        (void) pipe_ref(pipes[0]);
        (void) pipe_unref(pipes[0]);
        assert_int_equal(pipe_new(4, &budget, &events, pipes + 2), -EAGAIN);
        (void) pipe_unref(pipes[0]);
        assert_ok(pipe_new(4, &budget, &events, pipes + 2));
        (void) pipe_unref(pipes[1]);
        (void) pipe_unref(pipes[2]);
        assert_int_equal(budget.used, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(bytes_come_out_as_they_went_in),
                cmocka_unit_test(what_is_still_there_comes_once_more),
                cmocka_unit_test(writer_is_told_once_half_is_free),
                cmocka_unit_test(reader_is_told_of_data_and_of_the_end),
                cmocka_unit_test(errors_reach_the_other_side),
                cmocka_unit_test(two_threads_lose_nothing),
                cmocka_unit_test(pipes_take_no_more_together_than_their_budget),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
