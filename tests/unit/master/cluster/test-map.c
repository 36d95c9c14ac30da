/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The map in force and how it changes, without the volumes that it is about. */

#include "test.h"

#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>

#include "master/cluster/map.h"
#include "scratch.h"
#include "store/index/engine/index-internal.h"
#include "sweep.h"

typedef struct Fixture {
        char *directory;
        Index *index;
        Map map;
} Fixture;

/* Says how many copies there should be, which is all that it changes. */
typedef struct Trial {
        MapChange change;
        uint32_t copies;
        int refusal; /* what apply() says, having changed its copy nevertheless */

        /* What done() was told. */
        unsigned n_done, turn; /* which of all that were done it was */
        int result;
        uint64_t epoch;
        uint32_t copies_in_force;
} Trial;

static unsigned n_done;
static sem_t done;

static void open_map(Fixture *fixture) {
        IndexOptions options = { .directory = fixture->directory };

        assert_ok(index_open(&options, &fixture->index));
        assert_ok(map_init(&fixture->map, fixture->index, NULL));
}

static void close_map(Fixture *fixture) {
        fixture->index = index_free(fixture->index);
        map_done(&fixture->map);
}

static void begin(Fixture *fixture) {
        *fixture = (Fixture){ .directory = scratch_new() };
        open_map(fixture);
        n_done = 0;
        assert_ok(sem_init(&done, 0, 0));
}

static void finish(Fixture *fixture) {
        close_map(fixture);
        fixture->directory = scratch_free(fixture->directory);
}

static int setup(void **state) {
        Fixture *fixture = malloc(sizeof(*fixture));

        begin(fixture);
        *state = fixture;
        return 0;
}

static int teardown(void **state) {
        finish(*state);
        free(*state);
        return 0;
}

static int on_apply(MapChange *change, Cluster *copy) {
        const Trial *trial = CONTAINER_OF(change, Trial, change);
        bool differs = copy->copies != trial->copies;

        copy->copies = trial->copies;
        return trial->refusal < 0 ? trial->refusal : differs;
}

static void on_done(MapChange *change, int result, const Cluster *cluster) {
        Trial *trial = CONTAINER_OF(change, Trial, change);

        trial->n_done++;
        trial->turn = ++n_done;
        trial->result = result;
        trial->epoch = cluster->epoch;
        trial->copies_in_force = cluster->copies;
        assert_ok(sem_post(&done));
}

static Trial make_trial(uint32_t copies) {
        return (Trial){
                .change = { .epoch = EPOCH_ANY, .apply = on_apply, .done = on_done },
                .copies = copies,
                .result = 1,
        };
}

/* Waits until all that was submitted is done. */
static void settle(Fixture *fixture) {
        bool is_changing = true;

        while (is_changing) {
                IndexSet barrier = { .request.done = scratch_answered, .name = "barrier" };

                index_set(fixture->index, &barrier);
                (void) scratch_wait();
                (void) pthread_rwlock_rdlock(&fixture->map.lock);
                is_changing = map_is_changing(&fixture->map);
                (void) pthread_rwlock_unlock(&fixture->map.lock);
        }
}

/* Submits them so that none is done before the last one is there. Returns what the last call did.
 */
static int submit_all(Fixture *fixture, Trial trials[], size_t n) {
        int r = 0;

        (void) pthread_rwlock_wrlock(&fixture->map.lock);
        for (size_t i = 0; i < n; i++)
                r = map_submit(&fixture->map, &trials[i].change);
        (void) pthread_rwlock_unlock(&fixture->map.lock);
        return r;
}

static int change_to(Fixture *fixture, uint32_t copies) {
        Trial trial = make_trial(copies);
        int r = submit_all(fixture, &trial, 1);

        if (r < 0)
                return r;
        settle(fixture);
        assert_int_equal(trial.n_done, 1);
        return trial.result;
}

static void assert_in_force(Fixture *fixture, uint64_t epoch, uint32_t copies) {
        assert_int_equal(fixture->map.cluster->epoch, epoch);
        assert_int_equal(fixture->map.cluster->copies, copies);
}

TEST(a_new_index_has_an_empty_map) {
        Fixture *fixture = *state;

        assert_in_force(fixture, 0, 0);
        assert_int_equal(fixture->map.cluster->n_volumes, 0);
        assert_false(map_is_changing(&fixture->map));
}

TEST(what_is_in_force_is_durable) {
        Fixture *fixture = *state;
        Trial trial = make_trial(3);

        assert_ok(submit_all(fixture, &trial, 1));
        settle(fixture);
        assert_int_equal(trial.result, 0);
        assert_int_equal(trial.epoch, 1);
        assert_int_equal(trial.copies_in_force, 3); /* it is so before anybody is told */
        assert_in_force(fixture, 1, 3);

        close_map(fixture);
        open_map(fixture);
        assert_in_force(fixture, 1, 3);
}

TEST(what_is_so_already_keeps_the_epoch) {
        Fixture *fixture = *state;

        assert_int_equal(change_to(fixture, 3), 0);
        assert_int_equal(change_to(fixture, 3), 0);
        assert_in_force(fixture, 1, 3);
}

TEST(changes_are_made_one_after_the_other_in_their_order) {
        Fixture *fixture = *state;
        Trial trials[4];

        for (uint32_t i = 0; i < ELEMENTSOF(trials); i++)
                trials[i] = make_trial(i + 1);
        assert_ok(submit_all(fixture, trials, ELEMENTSOF(trials)));
        settle(fixture);
        for (uint32_t i = 0; i < ELEMENTSOF(trials); i++) {
                assert_int_equal(trials[i].result, 0);
                assert_int_equal(trials[i].turn, i + 1);
                assert_int_equal(trials[i].epoch, i + 1);
                assert_int_equal(trials[i].copies_in_force, i + 1);
        }
}

TEST(a_change_that_is_refused_at_once_is_not_told_again) {
        Fixture *fixture = *state;
        Trial trial = make_trial(3);

        trial.refusal = -EDQUOT;
        assert_int_equal(submit_all(fixture, &trial, 1), -EDQUOT);
        settle(fixture);
        assert_int_equal(trial.n_done, 0);
        assert_in_force(fixture, 0, 0); /* what it did to its copy is gone */
}

TEST(a_change_that_is_refused_later_is_told_and_the_others_go_on) {
        Fixture *fixture = *state;
        Trial trials[] = { make_trial(1), make_trial(2), make_trial(3), make_trial(4) };

        trials[1].refusal = -EDQUOT;
        trials[2].refusal = -ENOENT;
        assert_ok(submit_all(fixture, trials, ELEMENTSOF(trials)));
        settle(fixture);
        assert_int_equal(trials[0].result, 0);
        assert_int_equal(trials[1].result, -EDQUOT);
        assert_int_equal(trials[1].epoch, 1);
        assert_int_equal(trials[2].result, -ENOENT);
        assert_int_equal(trials[3].result, 0);
        for (unsigned i = 0; i < ELEMENTSOF(trials); i++)
                assert_int_equal(trials[i].turn, i + 1);
        assert_in_force(fixture, 2, 4);
}

TEST(a_change_for_another_epoch_is_refused) {
        Fixture *fixture = *state;
        Trial early = make_trial(2), late = make_trial(3);

        early.change.epoch = 7;
        assert_int_equal(submit_all(fixture, &early, 1), -EREMCHG);

        assert_int_equal(change_to(fixture, 1), 0);
        late.change.epoch = 1;
        assert_ok(submit_all(fixture, &late, 1));
        settle(fixture);
        assert_int_equal(late.result, 0);
        assert_in_force(fixture, 2, 3);
}

TEST(the_epoch_that_counts_is_the_one_when_its_turn_comes) {
        Fixture *fixture = *state;
        Trial trials[] = { make_trial(1), make_trial(2), make_trial(3) };

        assert_int_equal(change_to(fixture, 8), 0);
        trials[1].change.epoch = 1; /* it will be 2 by then */
        trials[2].change.epoch = 2;
        assert_ok(submit_all(fixture, trials, ELEMENTSOF(trials)));
        settle(fixture);
        assert_int_equal(trials[0].result, 0);
        assert_int_equal(trials[1].result, -EREMCHG);
        assert_int_equal(trials[2].result, 0);
        assert_in_force(fixture, 3, 3);
}

TEST(what_waits_at_the_end_is_told_so) {
        Fixture fixture;
        Trial trials[] = { make_trial(1), make_trial(2), make_trial(3) };
        Cluster *reloaded;

        begin(&fixture);
        (void) pthread_rwlock_wrlock(&fixture.map.lock);
        for (size_t i = 0; i < ELEMENTSOF(trials); i++)
                assert_ok(map_submit(&fixture.map, &trials[i].change));
        (void) pthread_rwlock_unlock(&fixture.map.lock);
        close_map(&fixture); /* the index may have had time for some of them */

        for (size_t i = 0; i < ELEMENTSOF(trials); i++) {
                assert_int_equal(trials[i].n_done, 1);
                assert_true(trials[i].result == 0 || trials[i].result == -ESHUTDOWN);
                assert_true(i == 0 || trials[i].result <= trials[i - 1].result);
        }
        open_map(&fixture);
        reloaded = fixture.map.cluster;
        assert_true(reloaded->copies >= 1); /* what had begun is there */
        for (size_t i = 0; i < ELEMENTSOF(trials); i++)
                if (trials[i].result == 0)
                        assert_true(reloaded->copies >= i + 1);
        finish(&fixture);
}

TEST(what_is_no_map_is_not_taken_for_an_empty_one) {
        Fixture *fixture = *state;
        static const struct {
                const char *data;
                int error;
        } cases[] = {
                { "x", -EPROTONOSUPPORT },
                { "\x01\x02\x03", -EBADMSG },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                IndexSet set = {
                        .request.done = scratch_answered,
                        .name = "cluster",
                        .data = cases[i].data,
                        .size = strlen(cases[i].data),
                };
                Map other;

                index_set(fixture->index, &set);
                assert_ok(scratch_wait());
                assert_true(map_init(&other, fixture->index, NULL) < 0);
                map_done(&other);
        }
}

/* Three changes, one of which gets no proper answer. */
static void change_thrice(Sweep *sweep, void *userdata) {
        Fixture fixture;
        Trial trials[] = { make_trial(1), make_trial(2), make_trial(3) };
        uint32_t in_force = 0, stored = 0;
        uint64_t epoch = 0;
        unsigned n_failed = 0;

        begin(&fixture);
        sweep_begin(sweep, fixture.index);
        for (size_t i = 0; i < ELEMENTSOF(trials); i++) {
                RequestType met = sweep_met(sweep);

                assert_ok(submit_all(&fixture, trials + i, 1));
                assert_ok(sem_wait(&done)); /* the n-th request is the n-th change */
                if (trials[i].result == 0) {
                        in_force = stored = trials[i].copies;
                        epoch++;
                } else {
                        assert_true(met == 0 && sweep_met(sweep) == REQUEST_SET);
                        assert_int_equal(
                                        trials[i].result, sweep_way(sweep) == INTERCEPT_NOT_LEADER
                                                                          ? -EOWNERDEAD
                                                                          : INDEX_ERROR_UNKNOWN);
                        if (sweep_way(sweep) == INTERCEPT_LOSE_ANSWER)
                                stored = trials[i].copies;
                        n_failed++;
                }
                assert_int_equal(trials[i].epoch, epoch);
                assert_int_equal(trials[i].copies_in_force, in_force);
        }
        sweep_end(sweep, fixture.index);
        assert_int_equal(n_failed, sweep_met(sweep) != 0);

        /* Another start finds what was stored last, which is what is in force unless nobody was
         * told. */
        close_map(&fixture);
        open_map(&fixture);
        assert_int_equal(fixture.map.cluster->copies, stored);
        finish(&fixture);
}

TEST(a_change_without_an_answer_is_not_in_force) {
        assert_int_equal(sweep_index(change_thrice, NULL), 3);
}

/* Those that wait behind a change which gets no answer are made upon the map without it. */
static void change_in_a_row(Sweep *sweep, void *userdata) {
        Fixture fixture;
        Trial trials[] = { make_trial(1), make_trial(2), make_trial(3), make_trial(3) };
        uint32_t in_force = 0;
        uint64_t epoch = 0;

        begin(&fixture);
        sweep_begin(sweep, fixture.index);
        assert_ok(submit_all(&fixture, trials, ELEMENTSOF(trials)));
        sweep_end(sweep, fixture.index);
        settle(&fixture);

        for (size_t i = 0; i < ELEMENTSOF(trials); i++) {
                assert_int_equal(trials[i].n_done, 1);
                assert_int_equal(trials[i].turn, i + 1);
                if (trials[i].result < 0)
                        continue;
                epoch += trials[i].copies != in_force;
                in_force = trials[i].copies;
        }
        assert_in_force(&fixture, epoch, in_force);
        assert_int_equal(in_force, 3);
        finish(&fixture);
}

TEST(changes_behind_one_without_an_answer_go_on) {
        assert_true(sweep_index(change_in_a_row, NULL) >= 1);
}

static Interception chosen;

static Interception choose(const IndexRequest *request, void *userdata) {
        return chosen;
}

/* Random changes, refusals and accidents, and a model of what is in force. */
TEST(whatever_happens_the_map_is_what_was_told) {
        static const Interception ways[] = {
                INTERCEPT_NOT,    INTERCEPT_NOT,  INTERCEPT_NOT,
                INTERCEPT_REFUSE, INTERCEPT_LOSE, INTERCEPT_LOSE_ANSWER,
        };
        Fixture *fixture = *state;
        unsigned seed = 42;
        uint32_t copies = 0;
        uint64_t epoch = 0;

        for (unsigned i = 0; i < 300; i++) {
                Trial trial = make_trial((uint32_t) rand_r(&seed) % 4);
                bool expects_now = rand_r(&seed) % 2 == 0;

                chosen = ways[(size_t) rand_r(&seed) % ELEMENTSOF(ways)];
                trial.change.epoch = expects_now ? epoch : EPOCH_ANY;
                trial.refusal = rand_r(&seed) % 5 == 0 ? -EBUSY : 0;
                submit_intercept(&fixture->index->submitter, choose, NULL);
                if (submit_all(fixture, &trial, 1) < 0)
                        assert_int_equal(trial.refusal, -EBUSY);
                submit_intercept(&fixture->index->submitter, NULL, NULL);
                settle(fixture);

                if (trial.result == 0) {
                        assert_int_equal(chosen, INTERCEPT_NOT);
                        epoch += trial.copies != copies;
                        copies = trial.copies;
                }
                assert_in_force(fixture, epoch, copies);
                if (trial.result == 0 && i % 20 == 0) {
                        close_map(fixture);
                        open_map(fixture);
                        assert_in_force(fixture, epoch, copies);
                }
        }
        assert_true(epoch > 50);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_new_index_has_an_empty_map),
                RUN(what_is_in_force_is_durable),
                RUN(what_is_so_already_keeps_the_epoch),
                RUN(changes_are_made_one_after_the_other_in_their_order),
                RUN(a_change_that_is_refused_at_once_is_not_told_again),
                RUN(a_change_that_is_refused_later_is_told_and_the_others_go_on),
                RUN(a_change_for_another_epoch_is_refused),
                RUN(the_epoch_that_counts_is_the_one_when_its_turn_comes),
                cmocka_unit_test(what_waits_at_the_end_is_told_so),
                RUN(what_is_no_map_is_not_taken_for_an_empty_one),
                cmocka_unit_test(a_change_without_an_answer_is_not_in_force),
                cmocka_unit_test(changes_behind_one_without_an_answer_go_on),
                RUN(whatever_happens_the_map_is_what_was_told),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
