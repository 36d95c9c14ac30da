/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <string.h>

#include "core/placement/move-plan.h"
#include "master/cluster-fixture.h"

#define N_MAPS     3000
#define N_PER_MAP  20
#define NUMBER_MAX 40

/* A stream of numbers that is the same in each run. */
static uint64_t seed = 1;

static uint32_t random_below(uint32_t n) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return (uint32_t) ((seed >> 33) % n);
}

/* By number. */
static PlanAbility abilities[NUMBER_MAX];

static PlanAbility ask(const Volume *volume, void *userdata) {
        assert_ptr_equal(userdata, abilities);
        assert_int_not_equal(volume->state, VOLUME_REMOVED);
        return abilities[volume->number];
}

static bool has(const uint32_t volumes[], size_t n, uint32_t number) {
        for (size_t i = 0; i < n; i++)
                if (volumes[i] == number)
                        return true;
        return false;
}

static bool holds(const Record *record, uint32_t number) {
        return has(record->copies, record->n_copies, number);
}

static void apply(const PlanStep *step, Record *record) {
        uint8_t n = 0;

        for (size_t i = 0; i < step->n_drop; i++)
                assert_true(holds(record, step->drop[i]));
        for (size_t i = 0; i < record->n_copies; i++)
                if (!has(step->drop, step->n_drop, record->copies[i]))
                        record->copies[n++] = record->copies[i];
        if (step->add > 0) {
                assert_false(holds(record, step->add));
                assert_true(n < COPIES_MAX);
                record->copies[n++] = step->add;
        }
        record->n_copies = n;
}

static void apply_all(const Plan *plan, Record *record) {
        for (size_t i = 0; i < plan_steps(plan); i++) {
                PlanStep step;

                plan_step(plan, i, &step);
                apply(&step, record);
        }
}

static Plan plan_for(const Cluster *cluster, uint64_t hash, const Record *record, size_t copies) {
        Plan plan;

        plan_key(cluster, hash, record, copies, ask, abilities, &plan);
        return plan;
}

/* Of a case that was made by hand: all volumes can do what their state allows. */
static Plan plan_simply(const Cluster *cluster, const Record *record, size_t copies) {
        Plan plan;

        plan_key(cluster, hashes[0], record, copies, NULL, NULL, &plan);
        return plan;
}

static bool is_readable(const Cluster *cluster, uint32_t number) {
        const Volume *volume = cluster_find(cluster, number);

        return volume && volume->state != VOLUME_REMOVED && abilities[number] != PLAN_DOWN;
}

static bool is_there(const Cluster *cluster, uint32_t number) {
        const Volume *volume = cluster_find(cluster, number);

        return volume && volume->state != VOLUME_REMOVED;
}

static size_t count(
                const Cluster *cluster,
                const Record *record,
                bool (*counts)(const Cluster *cluster, uint32_t number)) {
        size_t n = 0;

        for (size_t i = 0; i < record->n_copies; i++)
                n += counts(cluster, record->copies[i]);
        return n;
}

/* Up to 14 volumes with gaps between their numbers, of all states, weights, zones and abilities. */
static Cluster *make_random_cluster(void) {
        static const char *const zones[] = { "a", "b", "c" };
        uint32_t n = 1 + random_below(14), n_zones = 1 + random_below(3);
        Cluster *cluster;

        assert_ok(cluster_new(&cluster));
        for (uint32_t i = 0; i < n; i++) {
                uint32_t number = 1 + 2 * i + random_below(2);
                uint32_t what = random_below(10);

                add_volume(cluster, number, zones[random_below(n_zones)], 1 + random_below(4));
                if (what < 2)
                        assert_ok(cluster_set_state(cluster, number, VOLUME_DRAINING));
                else if (what == 2)
                        assert_ok(cluster_set_state(cluster, number, VOLUME_REMOVED));
        }
        for (size_t i = 0; i < NUMBER_MAX; i++)
                abilities[i] = random_below(4) == 0 ? random_below(PLAN_TARGET) : PLAN_TARGET;
        return cluster;
}

/* With copies anywhere, even where there is no volume. */
static Record make_random_record(void) {
        Record record = {};

        for (uint32_t n = 1 + random_below(COPIES_MAX); n > 0; n--) {
                uint32_t number = 1 + random_below(30);

                if (!holds(&record, number))
                        record.copies[record.n_copies++] = number;
        }
        return record;
}

/* Step by step there is never less than there was, nor in the end less than there should be. */
static Record check_steps(
                const Cluster *cluster, const Plan *plan, const Record *record, size_t copies) {
        size_t n = plan_steps(plan), there = count(cluster, record, is_there);
        size_t readable = count(cluster, record, is_readable);
        Record now = *record;

        for (size_t i = 0; i < n; i++) {
                PlanStep step;

                plan_step(plan, i, &step);
                apply(&step, &now);
                if (i + 1 == n)
                        break;
                assert_true(step.add > 0);
                assert_true(now.n_copies >= record->n_copies);
                assert_true(count(cluster, &now, is_readable) >= readable);
        }

        assert_true(n == 0 || now.n_copies > 0);
        assert_true(count(cluster, &now, is_there) >= MIN(copies, there));
        assert_true(count(cluster, &now, is_readable) >= MIN(copies, readable));
        return now;
}

/* Nothing is dropped that placement wants, nothing kept for nothing, and no volume left out that
 * could help. */
static void check_end(
                const Cluster *cluster,
                uint64_t hash,
                const Record *before,
                const Record *after,
                size_t copies) {
        size_t readable = count(cluster, before, is_readable), n_able = 0;
        uint32_t ideal[COPIES_MAX];
        size_t n_ideal = cluster_place(cluster, hash, copies, NULL, NULL, ideal);

        for (size_t i = 0; i < n_ideal; i++)
                if (holds(before, ideal[i]))
                        assert_true(holds(after, ideal[i]));

        for (size_t i = 0; i < cluster->n_volumes; i++) {
                const Volume *volume = cluster->volumes + i;

                n_able += volume->state == VOLUME_ACTIVE &&
                          (abilities[volume->number] == PLAN_TARGET ||
                           holds(before, volume->number));
        }
        assert_true(count(cluster, after, is_there) >= MIN(copies, n_able));
        if (count(cluster, after, is_there) > copies)
                assert_int_equal(count(cluster, after, is_readable), MIN(copies, readable));
}

/* How many volumes could have a copy without another move than to where placement wants one, each
 * of which is wanted or has one. A copy on the latter stays as long as there are too few. */
static size_t count_good(
                const Cluster *cluster, uint64_t hash, const Record *record, size_t copies) {
        uint32_t ideal[COPIES_MAX];
        size_t n_ideal = cluster_place(cluster, hash, copies, NULL, NULL, ideal), n = 0;

        for (size_t i = 0; i < n_ideal; i++)
                n += holds(record, ideal[i]) || abilities[ideal[i]] == PLAN_TARGET;
        for (size_t i = 0; i < record->n_copies; i++) {
                const Volume *volume = cluster_find(cluster, record->copies[i]);

                n += volume && volume->state == VOLUME_ACTIVE &&
                     !has(ideal, n_ideal, volume->number);
        }
        return n;
}

/* Each copy that is made is one that placement wants, or it wants another volume that cannot take
 * it, and there is no copy that could stand in. */
static void check_adds(
                const Cluster *cluster,
                uint64_t hash,
                const Plan *plan,
                const Record *record,
                size_t copies) {
        uint32_t ideal[COPIES_MAX];
        size_t n_ideal = cluster_place(cluster, hash, copies, NULL, NULL, ideal);

        for (size_t i = 0; i < plan->n_add; i++) {
                const Volume *volume = cluster_find(cluster, plan->add[i]);

                assert_non_null(volume);
                assert_int_equal(volume->state, VOLUME_ACTIVE);
                assert_int_equal(abilities[plan->add[i]], PLAN_TARGET);
                assert_false(holds(record, plan->add[i]));
                if (!has(ideal, n_ideal, plan->add[i]))
                        assert_true(count_good(cluster, hash, record, copies) < copies);
        }
}

TEST(no_plan_loses_or_wastes_anything) {
        for (unsigned m = 0; m < N_MAPS; m++) {
                _cleanup_(cluster_freep) Cluster *cluster = make_random_cluster();

                for (unsigned k = 0; k < N_PER_MAP; k++) {
                        uint64_t hash = hashes[random_below(N_KEYS)];
                        size_t copies = 1 + random_below(k % 4 == 0 ? COPIES_MAX : 3);
                        Record record = make_random_record(), after;
                        Plan plan = plan_for(cluster, hash, &record, copies), again;

                        assert_int_equal(plan.n_sources, count(cluster, &record, is_readable));
                        for (size_t i = 0; i < plan.n_sources; i++)
                                assert_true(is_readable(cluster, plan.sources[i]));
                        check_adds(cluster, hash, &plan, &record, copies);
                        after = check_steps(cluster, &plan, &record, copies);
                        check_end(cluster, hash, &record, &after, copies);

                        again = plan_for(cluster, hash, &after, copies);
                        assert_int_equal(plan_steps(&again), 0);
                }
        }
}

/* With all volumes up, copies are exactly where placement wants them. */
TEST(plans_end_where_placement_says) {
        for (unsigned m = 0; m < N_MAPS; m++) {
                _cleanup_(cluster_freep) Cluster *cluster = make_random_cluster();

                for (unsigned k = 0; k < N_PER_MAP; k++) {
                        uint64_t hash = hashes[random_below(N_KEYS)];
                        size_t copies = 1 + random_below(COPIES_MAX), n;
                        Record record = make_random_record();
                        uint32_t ideal[COPIES_MAX];
                        Plan plan;

                        n = cluster_place(cluster, hash, copies, NULL, NULL, ideal);
                        if (n < copies)
                                continue;
                        plan_key(cluster, hash, &record, copies, NULL, NULL, &plan);
                        apply_all(&plan, &record);
                        assert_int_equal(record.n_copies, copies);
                        for (size_t i = 0; i < n; i++)
                                assert_true(holds(&record, ideal[i]));
                }
        }
}

/* Records of all keys, and what became of them. */
static Record records[N_KEYS];
static int load[NUMBER_MAX], gain[NUMBER_MAX];

static void place_all(const Cluster *cluster, size_t copies) {
        memset(load, 0, sizeof(load));
        for (unsigned i = 0; i < N_KEYS; i++) {
                size_t n = cluster_place(cluster, hashes[i], copies, NULL, NULL, records[i].copies);

                assert_int_equal(n, copies);
                records[i].n_copies = (uint8_t) n;
                for (size_t k = 0; k < n; k++)
                        load[records[i].copies[k]]++;
        }
}

/* Returns how many copies were made. What each volume has more than before, it has to get from
 * others. */
static unsigned move_all(const Cluster *cluster, size_t copies, unsigned *ret_unavoidable) {
        unsigned moved = 0;

        memset(gain, 0, sizeof(gain));
        for (unsigned i = 0; i < N_KEYS; i++) {
                Plan plan;

                plan_key(cluster, hashes[i], &records[i], copies, NULL, NULL, &plan);
                apply_all(&plan, &records[i]);
                assert_int_equal(records[i].n_copies, copies);
                moved += (unsigned) plan.n_add;
                for (size_t k = 0; k < plan.n_add; k++)
                        gain[plan.add[k]]++;
                for (size_t k = 0; k < plan.n_drop; k++)
                        gain[plan.drop[k]]--;
        }

        *ret_unavoidable = 0;
        for (size_t i = 0; i < NUMBER_MAX; i++) {
                load[i] += gain[i];
                *ret_unavoidable += (unsigned) MAX(gain[i], 0);
        }
        return moved;
}

static void assert_balanced(const Cluster *cluster, size_t copies) {
        double mean = (double) (copies * N_KEYS) / buckets_count(cluster->buckets);

        for (size_t i = 0; i < cluster->n_volumes; i++) {
                const Volume *volume = cluster->volumes + i;

                if (volume->state == VOLUME_ACTIVE)
                        assert_true(load[volume->number] <= 1.05 * mean * volume->weight);
                else
                        assert_int_equal(load[volume->number], 0);
        }
}

typedef struct Turn {
        uint32_t add[2], drain[2]; /* numbers of volumes, at once */
} Turn;

static void change(Cluster *cluster, const Turn *turn, const uint32_t weights[]) {
        for (size_t i = 0; i < 2; i++) {
                if (turn->add[i] > 0)
                        add_volume(cluster, turn->add[i], "a", weights ? weights[turn->add[i]] : 1);
                if (turn->drain[i] > 0)
                        assert_ok(cluster_set_state(cluster, turn->drain[i], VOLUME_DRAINING));
        }
}

/* A life of ten volumes, or a few less or more. */
static void live(const uint32_t weights[], size_t copies, double limit, bool is_balanced) {
        static const Turn turns[] = {
                { .add = { 11 } },      { .drain = { 2 } },      { .add = { 12, 13 } },
                { .drain = { 5, 11 } }, { .add = { 14 } },       { .drain = { 13 } },
                { .add = { 15 } },      { .drain = { 1 } },      { .drain = { 9, 14 } },
                { .add = { 16, 17 } },  { .drain = { 3 } },      { .add = { 18 } },
                { .add = { 19 } },      { .drain = { 10, 12 } }, { .add = { 20 } },
        };
        _cleanup_(cluster_freep)
                        Cluster *cluster = make_cluster(10, weights ? weights + 1 : NULL, 1);
        unsigned all_moved = 0, all_unavoidable = 0;

        place_all(cluster, copies);
        for (size_t i = 0; i < ELEMENTSOF(turns); i++) {
                unsigned moved, unavoidable, left = 0;

                change(cluster, turns + i, weights);
                for (size_t k = 0; k < 2; k++)
                        left += (unsigned) load[turns[i].drain[k]];
                moved = move_all(cluster, copies, &unavoidable);
                assert_true(moved >= left);
                assert_in_range(moved, 1, unavoidable * limit);
                if (is_balanced)
                        assert_balanced(cluster, copies);
                all_moved += moved;
                all_unavoidable += unavoidable;
        }
        print_message("%zu copies, %s weights: moved %u, unavoidable %u, ratio %.4f\n", copies,
                      weights ? "different" : "equal", all_moved, all_unavoidable,
                      (double) all_moved / all_unavoidable);
}

TEST(a_life_of_adds_and_deletes_moves_little) {
        /* Of volumes 1 to 20, by number. */
        static const uint32_t weights[] = { 0, 8,  16, 8,  12, 24, 8,  16, 9,  11, 8,
                                            8, 16, 8,  10, 8,  12, 16, 8,  20, 8 };

        live(NULL, 1, 1.02, true);
        live(weights, 1, 1.02, true);
        live(NULL, 2, 1.10, true);

        /* Equal shares of second and third copies follow from equal weights only. */
        live(weights, 2, 1.10, false);
        live(NULL, 3, 1.10, true);
}

/* What a rebalance does that draining alone, or adding, would not. */
TEST(other_numbers_of_copies_add_or_trim) {
        _cleanup_(cluster_freep) Cluster *cluster = make_cluster(10, NULL, 1);
        unsigned unavoidable;

        place_all(cluster, 1);
        assert_int_equal(move_all(cluster, 3, &unavoidable), 2 * N_KEYS);
        assert_balanced(cluster, 3);
        assert_int_equal(move_all(cluster, 2, &unavoidable), 0);
        assert_balanced(cluster, 2);
        assert_int_equal(move_all(cluster, 2, &unavoidable), 0);
}

static void assert_numbers(const uint32_t volumes[], size_t n, const uint32_t *expected, size_t m) {
        assert_int_equal(n, m);
        for (size_t i = 0; i < n; i++)
                assert_int_equal(volumes[i], expected[i]);
}

#define ASSERT_NUMBERS(volumes, n, ...) \
        assert_numbers(volumes, n, (const uint32_t[]){ __VA_ARGS__ }, \
                       ELEMENTSOF(((const uint32_t[]){ __VA_ARGS__ })))

/* The order of volumes for the key that the following are about. */
static void find_order(const Cluster *cluster, size_t n, uint32_t ret[static COPIES_MAX]) {
        assert_int_equal(cluster_place(cluster, hashes[0], n, NULL, NULL, ret), n);
        for (size_t i = 0; i < NUMBER_MAX; i++)
                abilities[i] = PLAN_TARGET;
}

TEST(what_cannot_take_a_copy_is_stood_in_for) {
        _cleanup_(cluster_freep) Cluster *cluster = make_cluster(5, NULL, 1);
        uint32_t order[COPIES_MAX];
        Record record = { .n_copies = 1 };
        Plan plan;

        find_order(cluster, 5, order);
        record.copies[0] = order[3];
        plan = plan_for(cluster, hashes[0], &record, 1);
        ASSERT_NUMBERS(plan.add, plan.n_add, order[0]);
        ASSERT_NUMBERS(plan.drop, plan.n_drop, order[3]);
        ASSERT_NUMBERS(plan.sources, plan.n_sources, order[3]);

        /* Nothing moves away and back, but a copy that is missing is made. */
        for (PlanAbility ability = PLAN_DOWN; ability < PLAN_TARGET; ability++) {
                abilities[order[0]] = ability;
                plan = plan_for(cluster, hashes[0], &record, 1);
                assert_int_equal(plan_steps(&plan), 0);
                plan = plan_for(cluster, hashes[0], &record, 3);
                ASSERT_NUMBERS(plan.add, plan.n_add, order[1], order[2]);
                assert_int_equal(plan.n_drop, 0);
        }

        /* A volume that takes nothing keeps what it has. */
        record.copies[0] = order[0];
        plan = plan_for(cluster, hashes[0], &record, 1);
        assert_int_equal(plan_steps(&plan), 0);
}

TEST(the_only_copy_that_can_be_read_stays) {
        _cleanup_(cluster_freep) Cluster *cluster = make_cluster(5, NULL, 1);
        uint32_t order[COPIES_MAX];
        Record record = { .n_copies = 2 };
        Plan plan;

        find_order(cluster, 5, order);
        record.copies[0] = order[0];
        record.copies[1] = order[4];
        plan = plan_for(cluster, hashes[0], &record, 1);
        assert_int_equal(plan.n_add, 0);
        ASSERT_NUMBERS(plan.drop, plan.n_drop, order[4]);

        abilities[order[0]] = PLAN_DOWN;
        plan = plan_for(cluster, hashes[0], &record, 1);
        assert_int_equal(plan_steps(&plan), 0);
        ASSERT_NUMBERS(plan.sources, plan.n_sources, order[4]);

        /* But what can be moved may go, however dead the other one is. */
        assert_ok(cluster_set_state(cluster, order[4], VOLUME_DRAINING));
        plan = plan_for(cluster, hashes[0], &record, 2);
        ASSERT_NUMBERS(plan.add, plan.n_add, order[1]);
        ASSERT_NUMBERS(plan.drop, plan.n_drop, order[4]);
}

TEST(what_leaves_is_replaced_first) {
        _cleanup_(cluster_freep) Cluster *cluster = make_cluster(3, NULL, 1);
        uint32_t order[COPIES_MAX];
        Record record = { .n_copies = 2 };
        PlanStep step;
        Plan plan;

        find_order(cluster, 3, order);
        record.copies[0] = order[0];
        record.copies[1] = order[1];
        assert_ok(cluster_set_state(cluster, order[0], VOLUME_DRAINING));
        plan = plan_simply(cluster, &record, 2);
        assert_int_equal(plan_steps(&plan), 1);
        plan_step(&plan, 0, &step);
        assert_int_equal(step.add, order[2]);
        ASSERT_NUMBERS(step.drop, step.n_drop, order[0]);

        /* Where there is no other volume, the copy has to wait. */
        assert_ok(cluster_set_state(cluster, order[2], VOLUME_REMOVED));
        plan = plan_simply(cluster, &record, 2);
        assert_int_equal(plan_steps(&plan), 0);
        plan = plan_simply(cluster, &record, 1);
        assert_int_equal(plan.n_add, 0);
        ASSERT_NUMBERS(plan.drop, plan.n_drop, order[0]);
}

TEST(what_is_gone_is_no_source_and_no_copy) {
        _cleanup_(cluster_freep) Cluster *cluster = make_cluster(3, NULL, 1);
        uint32_t order[COPIES_MAX];
        Record record = { .n_copies = 1 };
        Plan plan;

        find_order(cluster, 3, order);
        record.copies[0] = order[0];
        assert_ok(cluster_set_state(cluster, order[0], VOLUME_REMOVED));
        plan = plan_simply(cluster, &record, 1);
        assert_int_equal(plan.n_sources, 0);
        assert_int_equal(plan.n_add, 1);

        record.copies[record.n_copies++] = order[1];
        plan = plan_simply(cluster, &record, 2);
        ASSERT_NUMBERS(plan.sources, plan.n_sources, order[1]);
        ASSERT_NUMBERS(plan.add, plan.n_add, order[2]);
        ASSERT_NUMBERS(plan.drop, plan.n_drop, order[0]);

        /* Without any volume to be on, nothing happens. */
        assert_ok(cluster_set_state(cluster, order[1], VOLUME_REMOVED));
        assert_ok(cluster_set_state(cluster, order[2], VOLUME_REMOVED));
        plan = plan_simply(cluster, &record, 2);
        assert_int_equal(plan_steps(&plan), 0);
}

/* A record has room for so many: what is added needs the room of what is dropped. */
TEST(as_many_copies_as_can_be_move_one_by_one) {
        _cleanup_(cluster_freep) Cluster *cluster = make_cluster(2 * COPIES_MAX, NULL, 1);
        Record record = {};
        Plan plan;

        for (uint32_t number = 1; number <= COPIES_MAX; number++) {
                record.copies[record.n_copies++] = number;
                assert_ok(cluster_set_state(cluster, number, VOLUME_DRAINING));
        }
        for (size_t copies = 1; copies <= COPIES_MAX; copies++) {
                Record after = record;
                PlanStep step;

                plan = plan_simply(cluster, &record, copies);
                assert_int_equal(plan_steps(&plan), copies);
                plan_step(&plan, 0, &step);
                assert_int_equal(step.n_drop, copies == 1 ? COPIES_MAX : 1);
                apply_all(&plan, &after);
                assert_int_equal(after.n_copies, copies);
                for (size_t i = 0; i < copies; i++)
                        assert_true(after.copies[i] > COPIES_MAX);
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(no_plan_loses_or_wastes_anything),
                cmocka_unit_test(plans_end_where_placement_says),
                cmocka_unit_test(a_life_of_adds_and_deletes_moves_little),
                cmocka_unit_test(other_numbers_of_copies_add_or_trim),
                cmocka_unit_test(what_cannot_take_a_copy_is_stood_in_for),
                cmocka_unit_test(the_only_copy_that_can_be_read_stays),
                cmocka_unit_test(what_leaves_is_replaced_first),
                cmocka_unit_test(what_is_gone_is_no_source_and_no_copy),
                cmocka_unit_test(as_many_copies_as_can_be_move_one_by_one),
        };

        return cmocka_run_group_tests(tests, setup, NULL);
}
