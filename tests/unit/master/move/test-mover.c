/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <sched.h>

#include "base/clock.h"
#include "master/move/mover-steps.h"

TEST(what_was_pulled_is_swapped_and_confirmed) {
        static const Buffer empty = {};
        Reader reader;

        write_key("k", 2, 1);
        submit("k", 2, 1);
        assert_int_equal(mover_count(mover), 1);
        assert_copy("k", FIRST);
        assert_int_equal(answer_pull(2, 0), '2');
        work(1);
        assert_int_equal(outcomes[0], MOVE_DONE);
        assert_int_equal(mover_count(mover), 0);
        assert_copy("k", TARGET);
        assert_true(index_is_surplus(the_index, 2, FIRST));

        reader = stand_in_receive(&volume, CALL_STORE);
        assert_int_equal(reader_get_varint(&reader), 1);
        assert_int_equal(reader_get_u64(&reader), 2);
        stand_in_answer(&volume, &empty);
}

TEST(another_source_is_tried_if_one_is_damaged) {
        char first;

        write_key("k", 2, 2);
        submit("k", 2, 2);
        first = answer_pull(2, -EBADMSG);
        mover_work(mover, clock_monotonic() + PATIENCE_SEC * USEC_PER_SEC);
        while (n_outcomes == 0 && sem_trywait(&volume.arrived) < 0)
                mover_work(mover, clock_monotonic() + USEC_PER_SEC / 100);
        assert_int_equal(n_outcomes, 0);
        assert_ok(sem_post(&volume.arrived));
        assert_int_equal(answer_pull(2, -ENOENT), first == '2' ? '3' : '2');
        work(1);
        assert_int_equal(outcomes[0], MOVE_DAMAGED);
        assert_copy("k", FIRST);
}

TEST(what_is_written_meanwhile_is_not_swapped) {
        write_key("k", 2, 1);
        submit("k", 2, 1);
        stand_in_await(&volume);
        write_key("k", 4, 1);
        (void) answer_pull(2, 0);
        work(1);
        assert_int_equal(outcomes[0], MOVE_CHANGED);
        assert_copy("k", FIRST);
}

TEST(a_full_target_and_one_that_fails_are_told_apart) {
        write_key("k", 2, 1);
        submit("k", 2, 1);
        (void) answer_pull(2, -ENOSPC);
        work(1);
        assert_int_equal(outcomes[0], MOVE_FULL);

        submit("k", 2, 1);
        (void) answer_pull(2, -ETIMEDOUT);
        work(2);
        assert_int_equal(outcomes[1], MOVE_LATER);
        assert_copy("k", FIRST);
}

/* A client's request, as far as the server can see. */
static void be_a_client(void) {
        uint64_t deadline = clock_monotonic() + PATIENCE_SEC * USEC_PER_SEC;
        char url[sizeof(volume.url) + 1];
        HttpCall *call;

        (void) snprintf(url, sizeof(url), "%s/", volume.url);
        assert_ok(http_call_new(volume.client, "GET", url, &call));
        http_call_start(call, on_answered, NULL);
        wait_for(&answered);
        while (!http_server_has_clients(volume.server) && clock_monotonic() < deadline)
                (void) sched_yield();
        clients_server = volume.server;
}

/* Writes keys, with one submit behind the other before any is begun. */
static void submit_many(size_t n, uint64_t size) {
        for (size_t i = 1; i <= n; i++) {
                Record record = { .version = 2 * i, .size = size };
                Plan plan = { .add = { TARGET }, .n_add = 1, .sources = { FIRST }, .n_sources = 1 };
                char key[16];

                (void) snprintf(key, sizeof(key), "k%zu", i);
                assert_int_equal(mover_submit(mover, key, &record, &plan), 0);
        }
        mover_work(mover, 0);
}

/* Lets the next pull fail. Returns how many objects it is about. */
static size_t refuse_pull(void) {
        Reader reader = stand_in_receive(&volume, CALL_PULL);
        WirePull pull;

        assert_int_equal(reader_get_varint(&reader), 0); /* confirmed */
        assert_int_equal(wire_get_pull(&reader, &pull), 0);
        stand_in_refuse(&volume, -EIO);
        return pull.n_items;
}

TEST(without_clients_calls_are_large) {
        mover_set_limits(mover, &(JobLimits){ .parallel = 1 });
        submit_many(1000, 10);
        assert_int_equal(refuse_pull(), WIRE_PULL_MAX);
        work(WIRE_PULL_MAX);
        mover_work(mover, 0);
        assert_int_equal(refuse_pull(), 1000 - WIRE_PULL_MAX);
        work(1000);
}

TEST(clients_come_first) {
        be_a_client();
        submit_many(1000, 10);
        stand_in_await(&volume);
        mover_work(mover, 0);
        assert_int_equal(refuse_pull(), 128);
        assert_int_equal(sem_trywait(&volume.arrived), -1); /* nothing else until that has ended */
        work(128);
        mover_stop(mover);
}

TEST(the_rate_is_passed_on) {
        Reader reader;
        WirePull pull;

        mover_set_limits(mover, &(JobLimits){ .parallel = 1, .rate = 12345 });
        submit_many(1, 10);
        reader = stand_in_receive(&volume, CALL_PULL);
        assert_int_equal(reader_get_varint(&reader), 0); /* confirmed */
        assert_int_equal(wire_get_pull(&reader, &pull), 0);
        assert_int_equal(pull.rate, 12345);
        stand_in_refuse(&volume, -EIO);
        work(1);
}

TEST(stopping_gives_up_what_waits_and_what_is_under_way) {
        write_key("k", 2, 1);
        write_key("l", 4, 1);
        mover_set_limits(mover, &(JobLimits){ .parallel = 1 });
        submit("k", 2, 1);
        stand_in_await(&volume);
        submit("l", 4, 1);
        mover_stop(mover);
        assert_int_equal(mover_count(mover), 0);
        assert_int_equal(n_outcomes, 2);
        assert_copy("k", FIRST);
        assert_copy("l", FIRST);
        stand_in_refuse(&volume, -ESHUTDOWN);
}

#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
int main(void) {
        const struct CMUnitTest tests[] = {
                RUN(what_was_pulled_is_swapped_and_confirmed),
                RUN(another_source_is_tried_if_one_is_damaged),
                RUN(what_is_written_meanwhile_is_not_swapped),
                RUN(a_full_target_and_one_that_fails_are_told_apart),
                RUN(without_clients_calls_are_large),
                RUN(clients_come_first),
                RUN(the_rate_is_passed_on),
                RUN(stopping_gives_up_what_waits_and_what_is_under_way),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
