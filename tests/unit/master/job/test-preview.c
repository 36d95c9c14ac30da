/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a change would move. */

#include "test.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "master/job/job-fixture.h"
#include "master/job/preview.h"

#define N_KEYS 50

static Previewer *previewer;

/* The plan that was made last. */
static Preview plan;
static PreviewMove moves[64];
static PreviewVolume volumes[N_VOLUMES + 1];
static int plan_result;
static sem_t planned;

static void on_plan(int result, const Preview *made, void *userdata) {
        assert_int_equal(made == NULL, result < 0);
        plan_result = result;
        if (made) {
                assert_true(made->n_moves <= ELEMENTSOF(moves));
                assert_true(made->n_volumes <= ELEMENTSOF(volumes));
                plan = *made;
                memcpy(moves, made->moves, made->n_moves * sizeof(*moves));
                memcpy(volumes, made->volumes, made->n_volumes * sizeof(*volumes));
        }
        assert_ok(sem_post(&planned));
}

static int setup(void **state) {
        const JobFixture *fixture;
        int r;

        r = job_setup(state);
        fixture = *state;
        assert_ok(sem_init(&planned, 0, 0));
        assert_ok(previewer_new(fixture->index, fixture->volumes, &previewer));
        return r;
}

static int teardown(void **state) {
        previewer_stop(previewer);
        previewer = previewer_free(previewer);
        return job_teardown(state);
}

static int ask(PreviewWhat what, uint32_t number, uint32_t copies, uint32_t *reterr_number) {
        PreviewRequest request = {
                .what = what,
                .numbers = &number,
                .n_numbers = number > 0,
                .copies = copies,
        };

        return previewer_begin(previewer, &request, on_plan, NULL, reterr_number);
}

/* Returns the volume that a refusal is about. */
static uint32_t assert_refused(PreviewWhat what, uint32_t number, uint32_t copies, int error) {
        uint32_t refused = 77;

        assert_int_equal(ask(what, number, copies, &refused), error);
        return refused;
}

static void make(PreviewWhat what, uint32_t number, uint32_t copies) {
        uint32_t refused;

        assert_ok(ask(what, number, copies, &refused)); /* also right after the last one */
        wait_for(&planned);
        assert_int_equal(plan_result, 0);
}

static uint64_t sum_of_moves(uint32_t source, uint32_t target) {
        uint64_t n = 0;

        for (size_t i = 0; i < plan.n_moves; i++)
                if ((source == 0 || moves[i].source == source) &&
                    (target == UINT32_MAX || moves[i].target == target))
                        n += moves[i].keys;
        return n;
}

TEST(a_plan_is_what_the_rebalance_does_then) {
        JobFixture *fixture = *state;
        unsigned n_before;
        int id;

        write_keys(fixture, N_KEYS, 1);
        make(PREVIEW_REBALANCE, 0, 0);
        n_before = count_copies(fixture, 1);
        assert_int_equal(n_before, N_KEYS); /* nothing was moved */
        assert_int_equal(fixture->n_pulled, 0);

        assert_int_equal(plan.all_keys, N_KEYS);
        assert_true(plan.keys > 0 && plan.keys < N_KEYS);
        assert_int_equal(plan.bytes, 100 * plan.keys);
        assert_int_equal(sum_of_moves(1, UINT32_MAX), plan.keys);
        assert_int_equal(plan.n_volumes, N_VOLUMES);
        assert_int_equal(volumes[0].bytes_before, 100 * N_KEYS);

        id = start_rebalance(fixture);
        assert_int_equal(work(fixture, id), JOB_STEP_DONE);
        for (uint32_t number = 1; number <= N_VOLUMES; number++) {
                assert_int_equal(volumes[number - 1].number, number);
                assert_int_equal(
                                100 * count_copies(fixture, number),
                                volumes[number - 1].bytes_after);
        }
        assert_int_equal(fixture->n_pulled, plan.keys);
}

TEST(moves_are_ordered_and_each_pair_is_named_once) {
        JobFixture *fixture = *state;

        for (uint32_t number = 1; number <= N_VOLUMES; number++)
                for (unsigned i = 0; i < 20; i++) {
                        char key[32];

                        (void) snprintf(key, sizeof(key), "key/%u/%u", number, i);
                        (void) write_key(fixture, key, number);
                }
        make(PREVIEW_REBALANCE, 0, 0);
        assert_true(plan.n_moves > 1);
        for (size_t i = 1; i < plan.n_moves; i++)
                assert_true(moves[i - 1].source < moves[i].source ||
                            (moves[i - 1].source == moves[i].source &&
                             moves[i - 1].target < moves[i].target));
}

TEST(a_volume_that_goes_leaves_other_keys_alone) {
        JobFixture *fixture = *state;

        write_keys(fixture, N_KEYS, 1);
        (void) write_key(fixture, "leaves", 3);
        make(PREVIEW_DELETE, 3, 0);
        assert_int_equal(plan.keys, 1);
        assert_int_equal(plan.n_moves, 1);
        assert_int_equal(moves[0].source, 3);
        assert_int_equal(volumes[2].bytes_before, 100);
        assert_int_equal(volumes[2].bytes_after, 0);
        assert_int_equal(state_of(fixture, 3), VOLUME_ACTIVE); /* nothing has changed */
}

TEST(more_copies_are_made_of_each_key) {
        JobFixture *fixture = *state;
        uint64_t bytes = 0;

        write_keys(fixture, N_KEYS, 1);
        make(PREVIEW_COPIES, 0, 2);
        assert_int_equal(plan.keys, N_KEYS);
        for (size_t i = 0; i < plan.n_volumes; i++)
                bytes += volumes[i].bytes_after;
        assert_int_equal(bytes, 2 * 100 * N_KEYS);
}

TEST(surplus_copies_have_no_target) {
        JobFixture *fixture = *state;

        for (unsigned i = 0; i < 10; i++) {
                char key[32];

                (void) snprintf(key, sizeof(key), "key/%u", i);
                (void) write_copies(fixture, key, 1, 2, 100);
        }
        make(PREVIEW_COPIES, 0, 1);
        assert_true(sum_of_moves(0, 0) > 0);
        for (size_t i = 0; i < plan.n_moves; i++)
                if (moves[i].target == 0)
                        assert_int_equal(moves[i].bytes, 0);
}

TEST(keys_that_would_be_lost_are_counted) {
        JobFixture *fixture = *state;

        (void) write_key(fixture, "only", 3);
        (void) write_copies(fixture, "both", 3, 4, 100);
        let_down(fixture, 3);
        make(PREVIEW_DELETE, 3, 0);
        assert_int_equal(plan.lost_keys, 1);
}

TEST(it_says_until_when_old_copies_are_in_the_way) {
        JobFixture *fixture = *state;
        uint64_t due = clock_realtime() + USEC_PER_HOUR, version;
        uint32_t place, other;

        version = write_copies(fixture, "k", 1, 2, 100);
        make(PREVIEW_REBALANCE, 0, 0); /* which of the two, or a third one, is its place */
        place = plan.bytes > 0 ? moves[plan.n_moves - 1].target : moves[0].source == 1 ? 2 : 1;
        assert_int_equal(plan.waits_until_usec, 0);

        /* With its copy dropped there, it would be made again there. */
        other = place % N_VOLUMES + 1;
        version = write_key(fixture, "k", place);
        move_copy(fixture, "k", version, other, place, due);
        make(PREVIEW_REBALANCE, 0, 0);
        assert_int_equal(moves[0].target, place);
        assert_int_equal(plan.waits_until_usec, due);
}

TEST(what_the_change_would_be_refused_for_is_refused) {
        assert_int_equal(assert_refused(PREVIEW_ADD, 9, 0, -ENOENT), 9);
        assert_int_equal(assert_refused(PREVIEW_DELETE, 9, 0, -ENOENT), 9);
        (void) assert_refused(PREVIEW_COPIES, 0, 0, -EINVAL);
        (void) assert_refused(PREVIEW_COPIES, 0, N_VOLUMES + 1, -EDQUOT);
}

TEST(more_volumes_than_a_job_may_have_are_refused) {
        uint32_t numbers[JOB_VOLUMES_MAX + 1] = {}, refused;
        PreviewRequest request = {
                .what = PREVIEW_ADD,
                .numbers = numbers,
                .n_numbers = ELEMENTSOF(numbers),
        };

        assert_int_equal(previewer_begin(previewer, &request, on_plan, NULL, &refused), -EINVAL);
}

TEST(one_plan_is_made_at_a_time) {
        JobFixture *fixture = *state;
        unsigned n_refused = 0;
        uint32_t refused;
        int r;

        write_keys(fixture, 2000, 1);
        while (n_refused == 0) { /* unless the first one was faster than the second request */
                assert_ok(ask(PREVIEW_REBALANCE, 0, 0, &refused));
                r = ask(PREVIEW_REBALANCE, 0, 0, &refused);
                wait_for(&planned);
                if (r >= 0)
                        wait_for(&planned);
                else
                        assert_int_equal(r, -EAGAIN);
                n_refused += r < 0;
        }
        make(PREVIEW_REBALANCE, 0, 0);
}

/* It is told, one way or the other. */
TEST(a_stop_breaks_a_plan_off) {
        JobFixture *fixture = *state;
        uint32_t refused;

        write_keys(fixture, 2000, 1);
        assert_ok(ask(PREVIEW_REBALANCE, 0, 0, &refused));
        previewer_stop(previewer);
        assert_ok(sem_trywait(&planned));
        assert_true(plan_result == 0 || plan_result == -ESHUTDOWN);

        assert_ok(ask(PREVIEW_REBALANCE, 0, 0, &refused));
        previewer_stop(previewer);
        assert_ok(sem_trywait(&planned));
        assert_int_equal(plan_result, -ESHUTDOWN);
}

TEST(names_are_what_the_bus_says) {
        static const char *const names[] = { "rebalance", "add", "delete", "copies" };

        for (int what = 0; what < _PREVIEW_WHAT_MAX; what++) {
                assert_string_equal(preview_what_to_string((PreviewWhat) what), names[what]);
                assert_int_equal(preview_what_from_string(names[what]), what);
        }
        assert_int_equal(preview_what_from_string(""), -EINVAL);
        assert_int_equal(preview_what_from_string("Add"), -EINVAL);
}

#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
int main(void) {
        const struct CMUnitTest tests[] = {
                RUN(a_plan_is_what_the_rebalance_does_then),
                RUN(moves_are_ordered_and_each_pair_is_named_once),
                RUN(a_volume_that_goes_leaves_other_keys_alone),
                RUN(more_copies_are_made_of_each_key),
                RUN(surplus_copies_have_no_target),
                RUN(keys_that_would_be_lost_are_counted),
                RUN(it_says_until_when_old_copies_are_in_the_way),
                RUN(what_the_change_would_be_refused_for_is_refused),
                RUN(more_volumes_than_a_job_may_have_are_refused),
                RUN(one_plan_is_made_at_a_time),
                RUN(a_stop_breaks_a_plan_off),
                RUN(names_are_what_the_bus_says),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
