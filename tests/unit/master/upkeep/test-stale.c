/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Stores that are to be looked through, without the volumes that have them. */

#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "master/cluster/membership.h"
#include "master/cluster/report.h"
#include "master/cluster/run.h"
#include "master/upkeep/stale.h"
#include "scratch.h"
#include "shift.h"
#include "store/index/rollback.h"

typedef struct Master {
        sd_event *event;
        Troubles *troubles;
        Index *index;
        Volumes *volumes;
        Stale *stale;
} Master;

typedef struct Fixture {
        char *directory;
        Master master;
} Fixture;

static int setup(void **state) {
        Fixture *fixture = calloc(1, sizeof(*fixture));
        IndexOptions options = { .directory = fixture->directory = scratch_new() };
        Master *master = &fixture->master;

        assert_ok(sd_event_new(&master->event));
        assert_ok(troubles_new(&master->troubles));
        assert_ok(index_open(&options, &master->index));
        assert_ok(
                        volumes_new(master->index,
                                    &(VolumesOptions){ .timeout_usec = USEC_PER_SEC / 2,
                                                       .copies = 1,
                                                       .auto_add = true },
                                    &master->volumes));
        assert_ok(
                        stale_new(&(StaleOptions){ .index = master->index,
                                                   .volumes = master->volumes,
                                                   .troubles = master->troubles },
                                  &master->stale));
        *state = fixture;
        return 0;
}

static int teardown(void **state) {
        Fixture *fixture = *state;
        Master *master = &fixture->master;

        stale_stop(master->stale);
        (void) index_free(master->index);
        (void) volumes_free(master->volumes);
        (void) stale_free(master->stale);
        (void) troubles_free(master->troubles);
        (void) sd_event_unref(master->event);
        scratch_free(fixture->directory);
        free(fixture);
        return 0;
}

static void commit_on(Fixture *fixture, uint32_t volume) {
        IndexCommit commit = {
                .request.done = scratch_answered,
                .key = "k",
                .record = { .version = index_next_version(fixture->master.index, VERSION_DIRECT),
                            .content_type = "",
                            .metadata = "",
                            .n_copies = 1,
                            .copies = { volume } },
        };

        index_commit(fixture->master.index, &commit);
        assert_ok(scratch_wait());
}

static VolumeReport report_of(uint32_t number) {
        return (VolumeReport){
                .number = number,
                .run = 1,
                .uuid = { (uint8_t) number },
                .url = "http://127.0.0.1:1",
                .zone = "",
                .version_max = 1000000,
        };
}

/* Its database has damaged pages, so that it is to be looked through. */
static void hear_damage(Fixture *fixture, uint32_t number) {
        VolumeReport report = report_of(number);

        report.damaged_pages = 1;
        stale_hear(fixture->master.stale, &report);
}

/* Whether that is done. */
static bool is_checked(Fixture *fixture, uint32_t number) {
        _cleanup_(buffer_done) Buffer state = {};
        char name[32];

        (void) snprintf(name, sizeof(name), "stale-%u", number);
        return index_get_state(fixture->master.index, name, &state) >= 0 &&
               state.data[state.size - 1] == 1;
}

static void wait_until(bool condition(Fixture *fixture, uint32_t number), Fixture *fixture) {
        for (int i = 0; i < 3000 && !condition(fixture, 2); i++)
                (void) usleep(10 * USEC_PER_MSEC);
        assert_true(condition(fixture, 2));
}

TEST(a_volume_that_is_down_does_not_hold_up_the_others) {
        Fixture *fixture = *state;

        commit_on(fixture, 1);
        hear_damage(fixture, 1);
        hear_damage(fixture, 2); /* about which there is nothing to ask */
        wait_until(is_checked, fixture);
        assert_false(is_checked(fixture, 1));
}

static bool is_known(Fixture *fixture, uint32_t number) {
        StoreIdentity store;

        return volumes_store(fixture->master.volumes, number, &store) >= 0;
}

static bool is_down(Fixture *fixture, uint32_t number) {
        char url[VOLUME_URL_SIZE];

        return volumes_url(fixture->master.volumes, number, url) == -EHOSTDOWN;
}

static void on_changed(VolumesChange *change, int result) {
        scratch_done(NULL, result);
}

static VolumesChange *ask(void) {
        static VolumesChange change;

        change = (VolumesChange){ .epoch = EPOCH_ANY, .done = on_changed };
        return &change;
}

static bool is_forgotten(Fixture *fixture, uint32_t number) {
        uint64_t token, version;

        return !stale_sweep(fixture->master.stale, number, &token, &version);
}

TEST(a_volume_that_was_removed_is_forgotten) {
        Fixture *fixture = *state;
        Volumes *volumes = fixture->master.volumes;
        VolumeReport report = report_of(2);
        const uint32_t number = 2;

        report.sequence = 1;
        assert_ok(volumes_report(volumes, &report));
        wait_until(is_known, fixture);
        commit_on(fixture, 2);
        wait_until(is_down, fixture);
        report = report_of(3);
        report.disk_free = report.disk_size = GIB;
        report.sequence = 1;
        assert_ok(volumes_report(volumes, &report));
        assert_ok(volumes_set_copies(volumes, 1, ask()));
        assert_ok(scratch_wait());
        assert_ok(volumes_drain(volumes, &number, 1, ask()));
        assert_ok(scratch_wait());
        assert_ok(volumes_remove(volumes, &number, 1, ask()));
        assert_ok(scratch_wait());

        hear_damage(fixture, 2);
        wait_until(is_forgotten, fixture);
}

static void on_accepted(IndexAccept *accept, IndexResult result) {
        scratch_done(NULL, result.error);
}

/* Else it would go through all that it has once more, each second. */
TEST(a_clock_that_was_put_back_begins_nothing_anew) {
        Fixture *fixture = *state;
        IndexAccept accept = { .term = 1, .version = 1000, .done = on_accepted };
        VolumeReport report = report_of(2);
        uint64_t token, version, again;

        shift_realtime(1000);
        index_accept_rollback(fixture->master.index, &accept);
        assert_ok(scratch_wait());
        atomic_store(&shift_realtime_usec, 0);

        stale_hear(fixture->master.stale, &report);
        assert_true(stale_sweep(fixture->master.stale, 2, &token, &version));
        stale_hear(fixture->master.stale, &report);
        assert_true(stale_sweep(fixture->master.stale, 2, &again, &version));
        assert_int_equal(again, token);

        /* What is begun anew is told from what was before. */
        report.damaged_pages = 1;
        wait_until(is_checked, fixture);
        stale_hear(fixture->master.stale, &report);
        assert_true(stale_sweep(fixture->master.stale, 2, &again, &version));
        assert_true(again > token);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_volume_that_is_down_does_not_hold_up_the_others),
                RUN(a_volume_that_was_removed_is_forgotten),
                RUN(a_clock_that_was_put_back_begins_nothing_anew),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
