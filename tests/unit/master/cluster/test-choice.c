/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which volumes get a value, and which one is read. */

#include "test.h"

#include <errno.h>

#include "master/cluster/choice.h"
#include "master/volumes-fixture.h"

#define N 4

/* Volumes 1 to N are up, at addresses of their own. */
static int setup_choice(void **state) {
        (void) setup(state);
        for (uint32_t number = 1; number <= N; number++)
                report(*state, number);
        return 0;
}

static void report_as(Fixture *fixture, VolumeReport *of_volume) {
        assert_ok(send_report(fixture, of_volume));
}

static void fail_call(Fixture *fixture, uint32_t number) {
        volumes_note_call(fixture->volumes, number, &(RpcResult){ .error = -EHOSTDOWN });
}

static void pass_call(Fixture *fixture, uint32_t number) {
        volumes_note_call(fixture->volumes, number, &(RpcResult){});
}

/* Which volumes are placed on, over many keys: a bit for each. Each placement must have COPIES of
 * them, distinct ones. */
static unsigned placed(Fixture *fixture, size_t copies, uint64_t size) {
        unsigned used = 0;

        for (uint64_t hash = 0; hash < 300; hash++) {
                uint32_t numbers[COPIES_MAX];
                unsigned of_this = 0;

                assert_int_equal(
                                volumes_place(fixture->volumes, hash << 55, copies, size, numbers),
                                copies);
                for (size_t i = 0; i < copies; i++) {
                        assert_false(of_this & 1U << numbers[i]);
                        of_this |= 1U << numbers[i];
                }
                used |= of_this;
        }
        return used;
}

#define BITS(...) bits_of((const uint32_t[]){ __VA_ARGS__, 0 })

static unsigned bits_of(const uint32_t *numbers) {
        unsigned bits = 0;

        for (; *numbers > 0; numbers++)
                bits |= 1U << *numbers;
        return bits;
}

/* Which volumes are chosen for readers of a record of all of them, but for those of AVOID. */
static unsigned chosen(Fixture *fixture, unsigned avoid) {
        Record record = { .n_copies = N, .copies = { 1, 2, 3, 4 } };
        unsigned used = 0;

        for (int i = 0; i < 8 * N; i++) {
                char url[VOLUME_URL_SIZE], expected[64];
                int r = volumes_choose(fixture->volumes, &record, avoid, url);

                if (r < 0) {
                        assert_int_equal(r, -EHOSTDOWN);
                        assert_int_equal(used, 0);
                        return 0;
                }
                (void) snprintf(expected, sizeof(expected), "http://volume-%i:3001", r);
                assert_string_equal(url, expected); /* the address is that of the volume */
                used |= 1U << r;
        }
        return used;
}

static int place_one(Fixture *fixture) {
        uint32_t numbers[COPIES_MAX];

        return volumes_place(fixture->volumes, 42, 1, 0, numbers);
}

TEST(every_volume_that_is_up_gets_values_and_is_read) {
        Fixture *fixture = *state;

        assert_int_equal(placed(fixture, 1, 0), BITS(1, 2, 3, 4));
        assert_int_equal(placed(fixture, N, 0), BITS(1, 2, 3, 4));
        assert_int_equal(chosen(fixture, 0), BITS(1, 2, 3, 4));
}

/* By turns, each of them would always be sent to the same copy. */
TEST(whoever_reads_two_values_again_and_again_sees_all_copies) {
        Fixture *fixture = *state;
        Record record = { .n_copies = 2, .copies = { 1, 2 } };
        unsigned used[2] = {};
        char url[VOLUME_URL_SIZE];

        for (size_t i = 0; i < 64; i++)
                used[i % 2] |= 1U << volumes_choose(fixture->volumes, &record, 0, url);
        assert_int_equal(used[0], BITS(1, 2));
        assert_int_equal(used[1], BITS(1, 2));
}

TEST(without_volumes_there_is_no_choice) {
        Fixture *fixture = *state; /* of one that has none */
        Record record = { .n_copies = 1, .copies = { 1 } }, none = {};
        char url[VOLUME_URL_SIZE];

        assert_int_equal(place_one(fixture), -EHOSTDOWN);
        assert_int_equal(volumes_place_another(fixture->volumes, 1, 1, NULL, 0), -EHOSTDOWN);
        assert_int_equal(volumes_choose(fixture->volumes, &record, 0, url), -EHOSTDOWN);
        assert_int_equal(volumes_choose(fixture->volumes, &none, 0, url), -EHOSTDOWN);
        assert_false(volumes_answers_at(fixture->volumes, "volume-1:3001"));
        assert_false(volumes_is_cut(fixture->volumes, 1, 2));
}

TEST(more_copies_than_volumes_get_as_many_as_there_are) {
        Fixture *fixture = *state;
        uint32_t numbers[COPIES_MAX];

        assert_int_equal(volumes_place(fixture->volumes, 1, COPIES_MAX, 0, numbers), N);
}

TEST(a_volume_that_is_not_reached_is_the_last_choice) {
        Fixture *fixture = *state;

        fail_call(fixture, 2);
        assert_int_equal(placed(fixture, 2, 0), BITS(1, 3, 4));
        assert_int_equal(chosen(fixture, 0), BITS(1, 3, 4));
        pass_call(fixture, 2);
        assert_int_equal(placed(fixture, 2, 0), BITS(1, 2, 3, 4));
        assert_int_equal(chosen(fixture, 0), BITS(1, 2, 3, 4));
}

/* Else nothing could be stored because of one moment in which calls failed. */
TEST(if_too_few_are_reached_for_a_majority_all_that_are_up_are_tried) {
        Fixture *fixture = *state;
        uint32_t numbers[COPIES_MAX];

        fail_call(fixture, 1);
        fail_call(fixture, 2);
        /* Of three copies two suffice. */
        for (uint64_t hash = 0; hash < 100; hash++)
                assert_int_equal(volumes_place(fixture->volumes, hash << 50, 3, 0, numbers), 2);
        fail_call(fixture, 3);
        assert_int_equal(placed(fixture, 3, 0), BITS(1, 2, 3, 4));
        fail_call(fixture, 4);
        assert_int_equal(placed(fixture, 1, 0), BITS(1, 2, 3, 4));
        assert_int_not_equal(chosen(fixture, 0), 0);
}

TEST(a_volume_that_did_not_store_a_value_gets_none_for_a_while_and_is_read) {
        Fixture *fixture = *state;

        volumes_note_unfit(fixture->volumes, 3);
        assert_int_equal(placed(fixture, 1, 0), BITS(1, 2, 4));
        assert_int_equal(chosen(fixture, 0), BITS(1, 2, 3, 4));
        shift_clock(2);
        assert_int_equal(placed(fixture, 1, 0), BITS(1, 2, 3, 4));
}

TEST(a_volume_that_is_down_is_no_choice_at_all) {
        Fixture *fixture = *state;

        shift_clock(TIMEOUT_SEC - 1);
        report(fixture, 1);
        report(fixture, 4);
        shift_clock(2);
        assert_int_equal(placed(fixture, 2, 0), BITS(1, 4));
        assert_int_equal(chosen(fixture, 0), BITS(1, 4));
        shift_clock(TIMEOUT_SEC);
        assert_int_equal(place_one(fixture), -EHOSTDOWN);
        assert_int_equal(chosen(fixture, 0), 0);
}

TEST(a_value_goes_where_there_is_room_for_it) {
        Fixture *fixture = *state;

        report_free(fixture, 1, 100);
        report_free(fixture, 2, 0);
        assert_int_equal(placed(fixture, 1, 0), BITS(1, 3, 4));
        assert_int_equal(placed(fixture, 1, 99), BITS(1, 3, 4));
        assert_int_equal(placed(fixture, 1, 100), BITS(3, 4)); /* that would be the last byte */
        assert_int_equal(chosen(fixture, 0), BITS(1, 2, 3, 4));
}

TEST(that_all_are_full_is_another_reason_than_that_all_are_down) {
        Fixture *fixture = *state;

        for (uint32_t number = 1; number <= N; number++)
                report_free(fixture, number, 0);
        assert_int_equal(place_one(fixture), -ENOSPC);
        assert_int_equal(volumes_place_another(fixture->volumes, 42, 0, NULL, 0), -ENOSPC);
        shift_clock(TIMEOUT_SEC);
        assert_int_equal(place_one(fixture), -EHOSTDOWN);
}

TEST(a_volume_with_a_fault_gets_nothing_and_is_read) {
        static const StoreFault faults[] = {
                STORE_FAULT_FULL,    STORE_FAULT_READ_ONLY, STORE_FAULT_DENIED,
                STORE_FAULT_MISSING, STORE_FAULT_FAILED,    STORE_FAULT_OVERLOADED,
        };
        Fixture *fixture = *state;

        for (size_t i = 0; i < ELEMENTSOF(faults); i++) {
                VolumeReport faulty = make_report(2);

                faulty.fault = faults[i];
                report_as(fixture, &faulty);
                assert_int_equal(placed(fixture, 1, 0), BITS(1, 3, 4));
                assert_int_equal(chosen(fixture, 0), BITS(1, 2, 3, 4));
        }
        report(fixture, 2);
        assert_int_equal(placed(fixture, 1, 0), BITS(1, 2, 3, 4));
}

TEST(a_wrong_clock_makes_a_volume_the_last_choice) {
        static const int64_t skews[] = { -40, 40, INT64_MAX / (int64_t) USEC_PER_SEC,
                                         INT64_MIN / (int64_t) USEC_PER_SEC };
        Fixture *fixture = *state;

        for (size_t i = 0; i < ELEMENTSOF(skews); i++) {
                VolumeReport skewed = make_report(4);

                for (int k = 0; k < 3;
                     k++) { /* one that comes late is not taken for a wrong clock */
                        skewed = make_report(4);
                        skewed.skew_usec = skews[i] * (int64_t) USEC_PER_SEC;
                        report_as(fixture, &skewed);
                }
                assert_int_equal(placed(fixture, 1, 0), BITS(1, 2, 3));
                assert_int_equal(chosen(fixture, 0), BITS(1, 2, 3));
                for (int k = 0; k < 3; k++)
                        report(fixture, 4);
                assert_int_equal(placed(fixture, 1, 0), BITS(1, 2, 3, 4));
        }
}

TEST(a_report_that_was_held_up_does_not_make_a_clock_wrong) {
        Fixture *fixture = *state;
        VolumeReport late = make_report(4);

        late.skew_usec = -(int64_t) USEC_PER_HOUR;
        report_as(fixture, &late);
        assert_int_equal(placed(fixture, 1, 0), BITS(1, 2, 3, 4));
}

/* Half of the time that tickets last is as far as a clock may be off. */
TEST(short_tickets_want_better_clocks) {
        Fixture *fixture = *state;
        VolumesOptions options = { .timeout_usec = TIMEOUT_SEC * USEC_PER_SEC,
                                   .copies = 1,
                                   .ticket_usec = 4 * USEC_PER_SEC };

        for (int i = 0; i < 3; i++) {
                VolumeReport skewed = make_report(1);

                skewed.skew_usec = 3 * (int64_t) USEC_PER_SEC;
                report_as(fixture, &skewed);
        }
        assert_int_equal(placed(fixture, 1, 0), BITS(1, 2, 3, 4));
        volumes_configure(fixture->volumes, &options);
        assert_int_equal(placed(fixture, 1, 0), BITS(2, 3, 4));
}

TEST(another_volume_is_one_that_was_not_tried) {
        Fixture *fixture = *state;

        for (uint64_t hash = 0; hash < 50; hash++) {
                uint32_t tried[N];

                for (size_t n = 0; n < N; n++) {
                        int r = volumes_place_another(fixture->volumes, hash << 50, 0, tried, n);

                        assert_in_range(r, 1, N);
                        for (size_t i = 0; i < n; i++)
                                assert_int_not_equal(r, tried[i]);
                        tried[n] = (uint32_t) r;
                }
                assert_int_equal(
                                volumes_place_another(fixture->volumes, hash << 50, 0, tried, N),
                                -EHOSTDOWN);
        }
}

TEST(the_order_in_which_volumes_are_tried_is_that_of_placement) {
        Fixture *fixture = *state;

        for (uint64_t hash = 0; hash < 50; hash++) {
                uint32_t tried[COPIES_MAX] = {}, numbers[COPIES_MAX];

                assert_int_equal(volumes_place(fixture->volumes, hash << 50, 1, 0, numbers), 1);
                tried[0] = (uint32_t) volumes_place_another(
                                fixture->volumes, hash << 50, 0, NULL, 0);
                assert_int_equal(tried[0], numbers[0]);
        }
}

/* It was one that failed because of it, or will. */
TEST(another_volume_is_never_one_that_is_not_reached) {
        Fixture *fixture = *state;
        const uint32_t tried[] = { 1 };

        for (uint32_t number = 2; number <= N; number++)
                fail_call(fixture, number);
        assert_int_equal(volumes_place_another(fixture->volumes, 42, 0, tried, 1), -EHOSTDOWN);
}

TEST(what_is_avoided_is_read_only_if_nothing_else_is_there) {
        Fixture *fixture = *state;

        assert_int_equal(chosen(fixture, 1 << 0 | 1 << 2), BITS(2, 4));
        fail_call(fixture, 2);
        assert_int_equal(chosen(fixture, 1 << 0 | 1 << 2), BITS(4));
        fail_call(fixture, 4);
        assert_int_equal(chosen(fixture, 1 << 0 | 1 << 2) & BITS(1, 3), 0); /* it may get through */
        assert_int_equal(chosen(fixture, 0xf), BITS(1, 3));

        shift_clock(TIMEOUT_SEC - 1);
        report(fixture, 1);
        report(fixture, 3);
        shift_clock(2);
        assert_int_equal(chosen(fixture, 1 << 0 | 1 << 2), BITS(1, 3));
}

TEST(a_copy_on_a_volume_that_nobody_knows_is_never_chosen) {
        Fixture *fixture = *state;
        Record record = { .n_copies = 3, .copies = { VOLUME_MAX, 2, 77 } };
        char url[VOLUME_URL_SIZE];

        for (int i = 0; i < 6; i++)
                assert_int_equal(volumes_choose(fixture->volumes, &record, 0, url), 2);
        record.n_copies = 1;
        assert_int_equal(volumes_choose(fixture->volumes, &record, 0, url), -EHOSTDOWN);
}

TEST(who_says_that_it_cannot_reach_whom_is_remembered_until_the_next_report) {
        Fixture *fixture = *state;
        VolumeReport cut = make_report(1);

        cut.peers[0] = "volume-3:3001";
        cut.peers[1] = "nobody:1";
        cut.n_peers = 2;
        report_as(fixture, &cut);
        for (uint32_t from = 0; from <= N + 1; from++)
                for (uint32_t to = 0; to <= N + 1; to++)
                        assert_int_equal(
                                        volumes_is_cut(fixture->volumes, from, to),
                                        from == 1 && to == 3);
        report(fixture, 1);
        assert_false(volumes_is_cut(fixture->volumes, 1, 3));
}

TEST(somebody_answers_at_an_address_if_a_volume_that_is_well_is_there) {
        Fixture *fixture = *state;

        assert_true(volumes_answers_at(fixture->volumes, "volume-2:3001"));
        assert_false(volumes_answers_at(fixture->volumes, "volume-2:3002"));
        assert_false(volumes_answers_at(fixture->volumes, "volume-2"));
        assert_false(volumes_answers_at(fixture->volumes, ""));
        fail_call(fixture, 2);
        assert_false(volumes_answers_at(fixture->volumes, "volume-2:3001"));
        pass_call(fixture, 2);
        assert_true(volumes_answers_at(fixture->volumes, "volume-2:3001"));
        shift_clock(TIMEOUT_SEC);
        assert_false(volumes_answers_at(fixture->volumes, "volume-2:3001"));
}

/* What is known of the volumes, as a model of it would be. */
typedef struct Model {
        bool is_up, is_full, is_reached;
} Model;

static void report_model(Fixture *fixture, Model models[], uint32_t number) {
        report_free(fixture, number, models[number].is_full ? 0 : FREE);
        models[number].is_up = true;
}

/* One random event. */
static void happen(Fixture *fixture, Model models[], unsigned *seed) {
        uint32_t number = (uint32_t) rand_r(seed) % N + 1;

        switch (rand_r(seed) % 5) {
        case 0:
                models[number].is_full = rand_r(seed) % 2;
                report_model(fixture, models, number);
                break;
        case 1:
                fail_call(fixture, number);
                models[number].is_reached = false;
                break;
        case 2:
                pass_call(fixture, number);
                models[number].is_reached = true;
                break;
        case 3: /* all but one go down */
                shift_clock(TIMEOUT_SEC);
                for (uint32_t i = 1; i <= N; i++)
                        models[i].is_up = false;
                report_model(fixture, models, number);
                break;
        default:
                for (uint32_t i = 1; i <= N; i++)
                        report_model(fixture, models, i);
        }
}

/* Random events, after each of which choices are compared with what the model allows. */
TEST(no_order_of_events_makes_a_wrong_choice) {
        Fixture *fixture = *state;
        Model models[N + 1] = {};
        unsigned seed = 11;

        for (uint32_t i = 1; i <= N; i++)
                models[i] = (Model){ .is_up = true, .is_reached = true };
        for (int step = 0; step < 600; step++) {
                uint32_t numbers[COPIES_MAX];
                size_t copies = (size_t) rand_r(&seed) % 3 + 1;
                unsigned n_usable = 0, n_reached = 0;
                int r;

                happen(fixture, models, &seed);
                for (uint32_t i = 1; i <= N; i++) {
                        bool is_usable = models[i].is_up && !models[i].is_full;

                        n_usable += is_usable;
                        n_reached += is_usable && models[i].is_reached;
                }
                r = volumes_place(
                                fixture->volumes, (uint64_t) rand_r(&seed) << 33, copies, 0,
                                numbers);
                if (n_usable == 0) {
                        assert_true(r == -EHOSTDOWN || r == -ENOSPC);
                        continue;
                }
                assert_int_equal(
                                r, n_reached >= copies / 2 + 1 ? MIN(n_reached, copies)
                                                               : MIN(n_usable, copies));
                for (int i = 0; i < r; i++)
                        assert_true(models[numbers[i]].is_up && !models[numbers[i]].is_full &&
                                    (models[numbers[i]].is_reached || n_reached < copies / 2 + 1));
        }
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup_choice, teardown)
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(
                                without_volumes_there_is_no_choice, setup, teardown),
                RUN(every_volume_that_is_up_gets_values_and_is_read),
                RUN(whoever_reads_two_values_again_and_again_sees_all_copies),
                RUN(more_copies_than_volumes_get_as_many_as_there_are),
                RUN(a_volume_that_is_not_reached_is_the_last_choice),
                RUN(if_too_few_are_reached_for_a_majority_all_that_are_up_are_tried),
                RUN(a_volume_that_did_not_store_a_value_gets_none_for_a_while_and_is_read),
                RUN(a_volume_that_is_down_is_no_choice_at_all),
                RUN(a_value_goes_where_there_is_room_for_it),
                RUN(that_all_are_full_is_another_reason_than_that_all_are_down),
                RUN(a_volume_with_a_fault_gets_nothing_and_is_read),
                RUN(a_wrong_clock_makes_a_volume_the_last_choice),
                RUN(a_report_that_was_held_up_does_not_make_a_clock_wrong),
                RUN(short_tickets_want_better_clocks),
                RUN(another_volume_is_one_that_was_not_tried),
                RUN(the_order_in_which_volumes_are_tried_is_that_of_placement),
                RUN(another_volume_is_never_one_that_is_not_reached),
                RUN(what_is_avoided_is_read_only_if_nothing_else_is_there),
                RUN(a_copy_on_a_volume_that_nobody_knows_is_never_chosen),
                RUN(who_says_that_it_cannot_reach_whom_is_remembered_until_the_next_report),
                RUN(somebody_answers_at_an_address_if_a_volume_that_is_well_is_there),
                RUN(no_order_of_events_makes_a_wrong_choice),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
