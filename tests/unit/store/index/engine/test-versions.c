/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <pthread.h>
#include <stdatomic.h>

#include "store/index/engine/versions.h"
#include "store/index/index-fixture.h"

#define N_THREADS 4

static uint64_t stored_end(Fixture *fixture) {
        uint64_t end;

        assert_int_equal(
                        environment_get_state(
                                        fixture->index->tables.environment, VERSIONS_STATE,
                                        &fixture->scratch),
                        0);
        assert_int_equal(versions_decode(&fixture->scratch, &end), 0);
        return end;
}

/* Takes the next N numbers. Each of them is reserved on the disk by then. */
static uint64_t take(Fixture *fixture, uint64_t n) {
        Versions *versions = &fixture->index->versions;
        uint64_t version = 0;

        for (uint64_t i = 0; i < n; i++) {
                uint64_t next = versions_next(versions, VERSION_DIRECT);

                assert_true(next > version);
                version = next;
                assert_true(version / 2 < atomic_load(&versions->end));
        }
        assert_true(version / 2 < stored_end(fixture));
        return version;
}

TEST(the_lowest_bit_says_what_a_version_is_for) {
        Fixture *fixture = *state;
        uint64_t first = versions_next(&fixture->index->versions, VERSION_DIRECT);
        uint64_t second = versions_next(&fixture->index->versions, VERSION_TICKET);

        assert_int_equal(first % 2, VERSION_DIRECT);
        assert_int_equal(second % 2, VERSION_TICKET);
        assert_int_equal(second / 2, first / 2 + 1);
}

TEST(a_clean_end_leaves_no_gap) {
        Fixture *fixture = *state;
        uint64_t last = take(fixture, 10);

        reopen(fixture);
        assert_int_equal(take(fixture, 1), last + 2);
}

TEST(after_a_crash_none_comes_twice) {
        Fixture *fixture = *state;
        uint64_t last = take(fixture, VERSIONS_BLOCK), end = stored_end(fixture), next;

        fixture->index->versions.is_open = false; /* how far they have come is not stored */
        reopen(fixture);
        next = take(fixture, 1) / 2;
        assert_true(next > last / 2);
        assert_true(next >= end);
        assert_int_equal(
                        (next - end) % VERSIONS_BLOCK,
                        0); /* the next one may have been on its way */
}

typedef struct Plan {
        RequestType type;
        Interception interception;
        atomic_int left; /* how many requests of this type it is for */
} Plan;

static Interception choose(const IndexRequest *request, void *userdata) {
        Plan *plan = userdata;

        return request->type == plan->type && atomic_fetch_sub(&plan->left, 1) > 0
                               ? plan->interception
                               : INTERCEPT_NOT;
}

TEST(an_end_that_cannot_be_stored_leaves_a_gap) {
        static const Interception ways[] = { INTERCEPT_REFUSE, INTERCEPT_NOT_LEADER,
                                             INTERCEPT_LOSE };
        Fixture *fixture = *state;

        for (size_t i = 0; i < ELEMENTSOF(ways); i++) {
                Plan plan = { .type = REQUEST_END_VERSIONS, .interception = ways[i], .left = 1 };
                uint64_t last = take(fixture, 10), end = stored_end(fixture);

                submit_intercept(&fixture->index->submitter, choose, &plan);
                reopen(fixture);
                assert_int_equal(plan.left, 0);
                assert_int_equal(take(fixture, 1) / 2, end);
                assert_true(end > last / 2);
        }
}

/* Whoever needs one that is not reserved waits, and it is asked for again. */
TEST(none_is_given_that_could_not_be_reserved) {
        static const Interception ways[] = { INTERCEPT_REFUSE, INTERCEPT_NOT_LEADER, INTERCEPT_LOSE,
                                             INTERCEPT_LOSE_ANSWER };
        Fixture *fixture = *state;
        Versions *versions = &fixture->index->versions;

        for (size_t i = 0; i < ELEMENTSOF(ways); i++) {
                Plan plan = { .type = REQUEST_RESERVE, .interception = ways[i], .left = 5 };

                submit_intercept(&fixture->index->submitter, choose, &plan);
                atomic_store(&versions->next, atomic_load(&versions->end) - 3);
                (void) take(fixture, 10);
                assert_true(plan.left <= 0);
                submit_intercept(&fixture->index->submitter, NULL, NULL);
                (void) take(fixture, VERSIONS_BLOCK);
        }
}

static int apply_nonsense(Operation *operation, Transaction *transaction) {
        return transaction_set_state(transaction, VERSIONS_STATE, "abc", 3);
}

TEST(an_index_whose_state_is_no_number_is_not_opened) {
        Fixture *fixture = *state;
        IndexOptions options = { .directory = fixture->directory };
        Environment *environment = fixture->index->tables.environment;
        Index *index = NULL;

        assert_int_equal(environment_run(environment, &(Operation){ .apply = apply_nonsense }), 0);
        fixture->index->versions.is_open = false;
        fixture->index = index_free(fixture->index);
        assert_int_equal(index_open(&options, &index), -EBADMSG);
        assert_null(index);
}

TEST(a_rollback_goes_on_where_it_says) {
        Fixture *fixture = *state;
        Versions *versions = &fixture->index->versions;
        uint64_t next = atomic_load(&versions->end) + 7 * VERSIONS_BLOCK;

        versions_jump(versions, next);
        assert_int_equal(versions_next(versions, VERSION_DIRECT), 2 * next + VERSION_DIRECT);
}

typedef struct Taker {
        Versions *versions;
        pthread_t thread;
        uint64_t taken[VERSIONS_BLOCK / N_THREADS];
} Taker;

static void *take_many(void *userdata) {
        Taker *taker = userdata;

        for (size_t i = 0; i < ELEMENTSOF(taker->taken); i++)
                taker->taken[i] = versions_next(taker->versions, VERSION_DIRECT);
        return NULL;
}

TEST(threads_never_get_the_same_one) {
        Fixture *fixture = *state;
        Taker *takers = calloc(N_THREADS, sizeof(*takers));
        uint64_t first = atomic_load(&fixture->index->versions.next);
        bool *is_taken = calloc(VERSIONS_BLOCK, sizeof(*is_taken));

        for (size_t i = 0; i < N_THREADS; i++) {
                takers[i].versions = &fixture->index->versions;
                assert_int_equal(pthread_create(&takers[i].thread, NULL, take_many, takers + i), 0);
        }
        for (size_t i = 0; i < N_THREADS; i++)
                assert_int_equal(pthread_join(takers[i].thread, NULL), 0);
        for (size_t i = 0; i < N_THREADS; i++)
                for (size_t j = 0; j < ELEMENTSOF(takers[i].taken); j++) {
                        uint64_t n = takers[i].taken[j] / 2 - first;

                        assert_true(n < VERSIONS_BLOCK && !is_taken[n]);
                        is_taken[n] = true;
                }
        free(is_taken);
        free(takers);
}

#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                RUN(the_lowest_bit_says_what_a_version_is_for),
                RUN(a_clean_end_leaves_no_gap),
                RUN(after_a_crash_none_comes_twice),
                RUN(an_end_that_cannot_be_stored_leaves_a_gap),
                RUN(none_is_given_that_could_not_be_reserved),
                RUN(an_index_whose_state_is_no_number_is_not_opened),
                RUN(a_rollback_goes_on_where_it_says),
                RUN(threads_never_get_the_same_one),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
