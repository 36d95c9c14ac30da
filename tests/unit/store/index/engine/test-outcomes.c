/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What an index answers when it is not known what became of a request, or when it does not lead;
 * and that readers wait for the flush of what they have seen. */

#include "test.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "store/index/index-fixture.h"
#include "store/index/wait.h"

static Interception chosen;

static Interception choose(const IndexRequest *request, void *userdata) {
        return chosen;
}

static IndexResult last_result;

static void on_done(IndexRequest *request, IndexResult result) {
        last_result = result;
        scratch_answered(request, result);
}

static void put(Index *index, uint64_t version) {
        IndexCommit request = { .request.done = on_done,
                                .key = "k",
                                .record = make_record(version, 3) };

        index_commit(index, &request);
        (void) scratch_wait();
}

TEST(outcomes_say_what_became_of_a_request) {
        Fixture *fixture = *state;
        static const struct {
                Interception interception;
                IndexOutcome outcome;
                int error;
                bool is_made;
        } cases[] = {
                { INTERCEPT_NOT, INDEX_DONE, 0, true },
                { INTERCEPT_REFUSE, INDEX_REFUSED, -ENOSPC, false },
                { INTERCEPT_NOT_LEADER, INDEX_NOT_LEADER, -EOWNERDEAD, false },
                { INTERCEPT_LOSE, INDEX_UNKNOWN, INDEX_ERROR_UNKNOWN, false },
                { INTERCEPT_LOSE_ANSWER, INDEX_UNKNOWN, INDEX_ERROR_UNKNOWN, true },
        };
        uint64_t current = 0;

        submit_intercept(&fixture->index->submitter, choose, NULL);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                chosen = cases[i].interception;
                put(fixture->index, 2 * i + 2);
                assert_int_equal(last_result.outcome, cases[i].outcome);
                assert_int_equal(last_result.error, cases[i].error);
                current = cases[i].is_made ? 2 * i + 2 : current;
                assert_current(fixture, "k", current);

                /* Likewise for who waits. */
                assert_int_equal(index_set_fences(fixture->index, NULL, 0), cases[i].error);
        }
        chosen = INTERCEPT_NOT;
        submit_intercept(&fixture->index->submitter, NULL, NULL);
}

TEST(an_error_has_one_outcome) {
        assert_int_equal(index_result(0).outcome, INDEX_DONE);
        assert_int_equal(index_result(7).outcome, INDEX_DONE);
        assert_int_equal(index_result(7).error, 0);
        assert_int_equal(index_result(-ENOENT).outcome, INDEX_REFUSED);
        assert_int_equal(index_result(-ENOENT).error, -ENOENT);
        assert_int_equal(index_result(-EOWNERDEAD).outcome, INDEX_NOT_LEADER);
        assert_int_equal(index_result(INDEX_ERROR_UNKNOWN).outcome, INDEX_UNKNOWN);
}

/* A volume stays fenced when the index is opened again, until somebody says otherwise. */
TEST(what_is_fenced_stays_so_over_a_restart) {
        Fixture *fixture = *state;
        const uint32_t volume = 3;

        assert_int_equal(index_set_fences(fixture->index, &volume, 1), 0);
        reopen(fixture);
        assert_int_equal(commit(fixture->index, "k", 1, 3), -ESTALE);
        assert_int_equal(commit(fixture->index, "k", 2, 4), 0);
        assert_int_equal(index_set_fences(fixture->index, NULL, 0), 0);
        assert_int_equal(commit(fixture->index, "k", 4, 3), 0);
}

typedef struct Reading {
        Durable *durable;
        uint64_t round;
        atomic_bool has_returned;
} Reading;

static void *wait_for_round(void *userdata) {
        Reading *reading = userdata;

        durable_wait(reading->durable, reading->round);
        atomic_store(&reading->has_returned, true);
        return NULL;
}

TEST(only_readers_of_what_is_not_flushed_wait) {
        Durable *durable = calloc(1, sizeof(*durable));
        Reading reading = { .durable = durable };
        pthread_t thread;

        durable_init(durable);
        assert_int_equal(durable_round_of_key(durable, "a"), 0);
        durable_wait(durable, durable_round(durable));

        durable_note_key(durable, "a");
        assert_int_equal(durable_round_of_key(durable, "a"), 1);
        assert_int_equal(durable_round_of_key(durable, "b"), 0);
        assert_int_equal(durable_round(durable), 1);

        reading.round = 1;
        assert_int_equal(pthread_create(&thread, NULL, wait_for_round, &reading), 0);
        while (atomic_load(&durable->n_waiting) == 0)
                (void) sched_yield();
        assert_false(atomic_load(&reading.has_returned));
        durable_note_flush(durable);
        assert_int_equal(pthread_join(thread, NULL), 0);

        durable_note(durable);
        assert_int_equal(durable_round(durable), 2);
        assert_int_equal(durable_round_of_key(durable, "a"), 1);
        durable_wait(durable, 1);
        durable_done(durable);
        free(durable);
}

static void assert_is_noted(const Index *index) {
        uint64_t round = atomic_load(&index->tables.durable.flushed);

        /* The batch of the last request was the last one. */
        assert_int_equal(durable_round(&index->tables.durable), round);
}

/* A dump waits for all that it has seen. */
TEST(each_request_is_waited_for) {
        Fixture *fixture = *state;
        Index *index = fixture->index;
        IndexDamageItem item = { .version = 1, .volume = 3, .key = "k", .kind = DAMAGE_CORRUPT };
        IndexDamage damage = { .request.done = scratch_answered, .items = &item, .n_items = 1 };
        const Garbage gone = { DUE, 1 };
        IndexCollected collected = {
                .request.done = scratch_answered,
                .volume = 3,
                .items = &gone,
                .n_gone = 1,
                .n_items = 1,
        };

        assert_is_noted(index);
        assert_int_equal(commit(index, "k", 1, 3), 0);
        assert_is_noted(index);
        index_damage(index, &damage);
        assert_int_equal(scratch_wait(), 0);
        assert_is_noted(index);
        assert_int_equal(erase(index, "k", &(Condition){}), 0);
        index_collected(index, &collected);
        assert_int_equal(scratch_wait(), 0);
        assert_is_noted(index);
        assert_int_equal(index_set_fences(index, NULL, 0), 0);
        assert_is_noted(index);
}

/* Holds the committer up when a batch is applied and nobody has been told yet. */
static sem_t is_held, may_go_on;

static void hold_up(void) {
        (void) sem_post(&is_held);
        (void) sem_wait(&may_go_on);
}

typedef struct Waiting {
        IndexWait wait;
        atomic_int result;
} Waiting;

#define NOT_CALLED 1

static void on_found(IndexWait *wait, int result) {
        Waiting *waiting = CONTAINER_OF(wait, Waiting, wait);

        assert_int_equal(atomic_load(&waiting->result), NOT_CALLED);
        atomic_store(&waiting->result, result);
}

static void begin_batch(Index *index) {
        assert_int_equal(sem_init(&is_held, 0, 0), 0);
        assert_int_equal(sem_init(&may_go_on, 0, 0), 0);
        index->tables.environment->options.before_done = hold_up;
}

/* Waits for what is found and for what is not, without a thread. */
TEST(who_looks_up_what_is_not_flushed_is_called_after_the_flush) {
        Fixture *fixture = *state;
        Index *index = fixture->index;
        IndexDelete deletion = { .request.done = scratch_answered, .key = "gone" };
        IndexCommit request = { .request.done = scratch_answered,
                                .key = "k",
                                .record = make_record(2, 3) };
        Waiting made = { .wait.done = on_found, .result = NOT_CALLED };
        Waiting gone = { .wait.done = on_found, .result = NOT_CALLED };
        _cleanup_(buffer_done) Buffer scratch = {};
        Record record, other;

        assert_int_equal(commit(index, "gone", 1, 3), 0);
        assert_int_equal(index_get_or_wait(index, "gone", &scratch, &record, &gone.wait), 0);
        assert_int_equal(record.version, 1);

        begin_batch(index);
        index_commit(index, &request);
        (void) sem_wait(&is_held);
        assert_int_equal(
                        index_get_or_wait(index, "k", &fixture->scratch, &record, &made.wait),
                        -EAGAIN);
        assert_int_equal(record.version, 2);
        assert_int_equal(index_get_or_wait(index, "other", &scratch, &other, &gone.wait), -ENOENT);
        assert_int_equal(atomic_load(&made.result), NOT_CALLED);
        (void) sem_post(&may_go_on);
        assert_int_equal(scratch_wait(), 0);
        assert_int_equal(atomic_load(&made.result), 0);

        index_delete(index, &deletion);
        (void) sem_wait(&is_held);
        assert_int_equal(index_get_or_wait(index, "gone", &scratch, &other, &gone.wait), -EAGAIN);
        index->tables.environment->options.before_done = NULL;
        (void) sem_post(&may_go_on);
        assert_int_equal(scratch_wait(), 0);
        assert_int_equal(atomic_load(&gone.result), -ENOENT);
        assert_int_equal(atomic_load(&made.result), 0);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(outcomes_say_what_became_of_a_request),
                RUN(what_is_fenced_stays_so_over_a_restart),
                RUN(each_request_is_waited_for),
                RUN(who_looks_up_what_is_not_flushed_is_called_after_the_flush),
                cmocka_unit_test(an_error_has_one_outcome),
                cmocka_unit_test(only_readers_of_what_is_not_flushed_wait),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
