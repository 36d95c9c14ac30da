/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Changes of the volumes of which the index does not say what became of them. */

#include "test.h"

#include <errno.h>
#include <semaphore.h>

#include "master/volumes-fixture.h"
#include "sweep.h"

static sem_t done;
static int result;
static uint64_t epoch;

static void on_done(VolumesChange *change, int error) {
        result = error;
        epoch = change->epoch;
        assert_ok(sem_post(&done));
}

static VolumesChange *ask(void) {
        static VolumesChange change;

        change = (VolumesChange){ .epoch = EPOCH_ANY, .done = on_done };
        return &change;
}

static Cluster *snapshot(Fixture *fixture) {
        Cluster *cluster;

        assert_ok(volumes_snapshot(fixture->volumes, &cluster));
        return cluster;
}

static VolumeState state_of(const Cluster *cluster, uint32_t number) {
        return cluster_find(cluster, number)->state;
}

/* What an administrator does to volume 2 of 3, or to all of them; how it is to be prepared, and
 * what shows that it is done. */
typedef struct Action {
        int (*prepare)(Volumes *volumes); /* NULL if nothing is to be prepared */
        int (*act)(Volumes *volumes);
        bool (*is_done)(const Cluster *cluster);
} Action;

static const uint32_t two = 2;

static int add(Volumes *volumes) {
        return volumes_add(volumes, &two, 1, ask());
}

static int drain(Volumes *volumes) {
        return volumes_drain(volumes, &two, 1, ask());
}

static int undrain(Volumes *volumes) {
        return volumes_undrain(volumes, &two, 1, ask());
}

static int remove_drained(Volumes *volumes) {
        return volumes_remove(volumes, &two, 1, ask());
}

static int set_weight(Volumes *volumes) {
        return volumes_set(volumes, 2, &(VolumeSettings){ .weight = 7 }, ask());
}

static int set_address(Volumes *volumes) {
        return volumes_set(
                        volumes, 2, &(VolumeSettings){ .url = "http://there:1", .zone = "z" },
                        ask());
}

static int set_copies(Volumes *volumes) {
        return volumes_set_copies(volumes, 2, ask());
}

static int begin_maintenance(Volumes *volumes) {
        return volumes_set_maintenance(volumes, 2, UINT64_MAX, ask());
}

static int end_maintenance(Volumes *volumes) {
        return volumes_set_maintenance(volumes, 2, 0, ask());
}

static bool is_active(const Cluster *cluster) {
        return state_of(cluster, 2) == VOLUME_ACTIVE;
}

static bool is_draining(const Cluster *cluster) {
        return state_of(cluster, 2) == VOLUME_DRAINING;
}

static bool is_removed(const Cluster *cluster) {
        return state_of(cluster, 2) == VOLUME_REMOVED;
}

static bool has_weight(const Cluster *cluster) {
        return cluster_find(cluster, 2)->weight == 7;
}

static bool has_address(const Cluster *cluster) {
        const Volume *volume = cluster_find(cluster, 2);

        return volume->url_is_set && volume->zone_is_set &&
               strcmp(volume->url, "http://there:1") == 0 && strcmp(volume->zone, "z") == 0;
}

static bool has_copies(const Cluster *cluster) {
        return cluster->copies == 2;
}

static bool is_maintained(const Cluster *cluster) {
        return cluster_find(cluster, 2)->maintenance_until == UINT64_MAX;
}

static bool is_not_maintained(const Cluster *cluster) {
        return cluster_find(cluster, 2)->maintenance_until == 0;
}

static void await_result(void) {
        assert_ok(sem_wait(&done));
        assert_int_equal(sem_trywait(&done), -1); /* and it is told once */
}

static Fixture *start(bool auto_add) {
        Fixture *fixture;

        assert_int_equal(setup_with((void **) &fixture, auto_add), 0);
        assert_ok(sem_init(&done, 0, 0));
        for (uint32_t number = 1; number <= 3; number++)
                report(fixture, number);
        return fixture;
}

/* Either it is done, or it is not and may be done again: the one who asks is never told a lie. */
static void act_with_an_accident(Sweep *sweep, void *userdata) {
        const Action *action = userdata;
        Fixture *fixture = start(action->act != add);
        _cleanup_(cluster_freep) Cluster *before = NULL, *after = NULL, *again = NULL;

        if (action->prepare) {
                assert_ok(action->prepare(fixture->volumes));
                await_result();
                assert_int_equal(result, 0);
        }
        before = snapshot(fixture);
        assert_false(action->is_done(before));

        sweep_begin(sweep, fixture->index);
        assert_ok(action->act(fixture->volumes));
        await_result();
        sweep_end(sweep, fixture->index);
        after = snapshot(fixture);
        assert_int_equal(action->is_done(after), result == 0);
        assert_int_equal(after->epoch, before->epoch + (result == 0));
        assert_int_equal(epoch, after->epoch);
        if (sweep_met(sweep) == 0)
                assert_int_equal(result, 0);
        else
                assert_int_equal(
                                result, sweep_way(sweep) == INTERCEPT_NOT_LEADER
                                                        ? -EOWNERDEAD
                                                        : INDEX_ERROR_UNKNOWN);

        assert_ok(action->act(fixture->volumes));
        await_result();
        assert_int_equal(result, 0);
        reopen(fixture, false);
        again = snapshot(fixture);
        assert_true(action->is_done(again));
        assert_int_equal(again->epoch, before->epoch + 1);
        (void) teardown((void **) &fixture);
}

static void sweep_action(Action action) {
        assert_int_equal(sweep_index(act_with_an_accident, &action), 1);
}

TEST(adding_is_done_or_may_be_done_again) {
        sweep_action((Action){ NULL, add, is_active });
}

TEST(draining_is_done_or_may_be_done_again) {
        sweep_action((Action){ NULL, drain, is_draining });
}

TEST(taking_a_drain_back_is_done_or_may_be_done_again) {
        sweep_action((Action){ drain, undrain, is_active });
}

TEST(removing_is_done_or_may_be_done_again) {
        sweep_action((Action){ drain, remove_drained, is_removed });
}

TEST(a_weight_is_set_or_may_be_set_again) {
        sweep_action((Action){ NULL, set_weight, has_weight });
}

TEST(an_address_is_set_or_may_be_set_again) {
        sweep_action((Action){ NULL, set_address, has_address });
}

TEST(a_number_of_copies_is_set_or_may_be_set_again) {
        sweep_action((Action){ NULL, set_copies, has_copies });
}

TEST(maintenance_begins_or_may_begin_again) {
        sweep_action((Action){ NULL, begin_maintenance, is_maintained });
}

TEST(maintenance_ends_or_may_be_ended_again) {
        sweep_action((Action){ begin_maintenance, end_maintenance, is_not_maintained });
}

/* What a report tells is said by the map after the next one at the latest, a second later. */
static void report_with_an_accident(Sweep *sweep, void *userdata) {
        Fixture *fixture;
        _cleanup_(cluster_freep) Cluster *cluster = NULL;
        VolumeReport moved;

        assert_int_equal(setup_with((void **) &fixture, true), 0);
        moved = make_report(2); /* it is new */
        sweep_begin(sweep, fixture->index);
        assert_ok(volumes_report(fixture->volumes, &moved));
        sweep_end(sweep, fixture->index);
        settle(fixture);
        report(fixture, 2);
        cluster = snapshot(fixture);
        assert_int_equal(state_of(cluster, 2), VOLUME_ACTIVE);
        assert_int_equal(cluster->epoch, 1);

        moved = make_report(2);
        moved.zone = "elsewhere";
        assert_ok(send_report(fixture, &moved));
        reopen(fixture, true);
        cluster = cluster_free(cluster);
        cluster = snapshot(fixture);
        assert_string_equal(cluster_find(cluster, 2)->zone, "elsewhere");
        (void) teardown((void **) &fixture);
}

TEST(what_a_report_tells_is_in_the_map_after_the_next_one) {
        assert_true(sweep_index(report_with_an_accident, NULL) >= 1);
}

/* Nobody asks for it, so it is tried until it has worked. */
static void end_by_itself(Sweep *sweep, void *userdata) {
        Fixture *fixture = start(true);
        bool is_over = false;

        assert_ok(volumes_set_maintenance(
                        fixture->volumes, 2, clock_realtime() + 10 * USEC_PER_SEC, ask()));
        await_result();
        assert_int_equal(result, 0);
        shift_realtime(11);
        sweep_begin(sweep, fixture->index);
        for (int i = 0; i < 20 && !is_over; i++) {
                _cleanup_(cluster_freep) Cluster *cluster = NULL;

                assert_ok(sd_event_run(fixture->event, UINT64_MAX)); /* there is but the timer */
                cluster = snapshot(fixture);
                is_over = is_not_maintained(cluster);
        }
        sweep_end(sweep, fixture->index);
        assert_true(is_over);
        atomic_store(&shift_realtime_usec, 0);
        (void) teardown((void **) &fixture);
}

TEST(maintenance_that_is_over_ends_though_the_index_fails_once) {
        assert_true(sweep_index(end_by_itself, NULL) >= 1);
}

/* Random changes by two administrators, of whom each names the epoch that it has seen last. */
TEST(of_two_who_have_seen_the_same_map_one_is_refused) {
        Fixture *fixture = start(true);
        uint64_t seen[2] = {};
        unsigned seed = 3, n_refused = 0;

        for (int i = 0; i < 100; i++) {
                unsigned who = (unsigned) rand_r(&seed) % 2;
                VolumesChange *change = ask();
                _cleanup_(cluster_freep) Cluster *before = snapshot(fixture), *after = NULL;
                int r;

                if (rand_r(&seed) % 3 == 0)
                        seen[who] = before->epoch; /* it has looked */
                change->epoch = seen[who] > 0 ? seen[who] : before->epoch;
                r = volumes_set(fixture->volumes, (uint32_t) rand_r(&seed) % 3 + 1,
                                &(VolumeSettings){ .weight = (uint32_t) rand_r(&seed) % 5 + 1 },
                                change);
                if (r >= 0) {
                        await_result();
                        assert_int_equal(result, 0);
                        seen[who] = epoch;
                }
                after = snapshot(fixture);
                assert_int_equal(r < 0, change->epoch != before->epoch && r == -EREMCHG);
                assert_in_range(after->epoch, before->epoch, before->epoch + (r >= 0));
                n_refused += r < 0;
        }
        assert_in_range(n_refused, 5, 95);
        (void) teardown((void **) &fixture);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(adding_is_done_or_may_be_done_again),
                cmocka_unit_test(draining_is_done_or_may_be_done_again),
                cmocka_unit_test(taking_a_drain_back_is_done_or_may_be_done_again),
                cmocka_unit_test(removing_is_done_or_may_be_done_again),
                cmocka_unit_test(a_weight_is_set_or_may_be_set_again),
                cmocka_unit_test(an_address_is_set_or_may_be_set_again),
                cmocka_unit_test(a_number_of_copies_is_set_or_may_be_set_again),
                cmocka_unit_test(maintenance_begins_or_may_begin_again),
                cmocka_unit_test(maintenance_ends_or_may_be_ended_again),
                cmocka_unit_test(what_a_report_tells_is_in_the_map_after_the_next_one),
                cmocka_unit_test(maintenance_that_is_over_ends_though_the_index_fails_once),
                cmocka_unit_test(of_two_who_have_seen_the_same_map_one_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
