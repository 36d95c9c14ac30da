/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>

#include "master/cluster/choice.h"
#include "master/volumes-fixture.h"

static int result;
static uint64_t epoch; /* after the last change */

static uint32_t refused;

static void on_done(VolumesChange *change, int r) {
        result = r;
        epoch = change->epoch;
}

static VolumesChange asked;

static VolumesChange *ask(uint64_t of_epoch) {
        asked = (VolumesChange){ .epoch = of_epoch, .done = on_done, .refused = 99 };
        return &asked;
}

/* What came of a change, at once or later. */
static int outcome(Fixture *fixture, int r) {
        settle(fixture);
        refused = asked.refused;
        return r < 0 ? r : result;
}

typedef int (*ChangeAll)(
                Volumes *volumes, const uint32_t numbers[], size_t n, VolumesChange *change);

#define CHANGE(fixture, change, ...) \
        change_all(fixture, change, (const uint32_t[]){ __VA_ARGS__ }, \
                   ELEMENTSOF(((const uint32_t[]){ __VA_ARGS__ })))

static int change_all(Fixture *fixture, ChangeAll change, const uint32_t numbers[], size_t n) {
        return outcome(fixture, change(fixture->volumes, numbers, n, ask(EPOCH_ANY)));
}

static int set_copies(Fixture *fixture, uint32_t copies) {
        return outcome(fixture, volumes_set_copies(fixture->volumes, copies, ask(EPOCH_ANY)));
}

#define CHECK_DRAIN(fixture, ret_number, ...) \
        volumes_check_drain( \
                        fixture->volumes, (const uint32_t[]){ __VA_ARGS__ }, \
                        ELEMENTSOF(((const uint32_t[]){ __VA_ARGS__ })), ret_number)

static Volume state_of(Fixture *fixture, uint32_t number) {
        _cleanup_(cluster_freep) Cluster *cluster = NULL;
        Volume *volume;

        assert_ok(volumes_snapshot(fixture->volumes, &cluster));
        volume = cluster_find(cluster, number);
        assert_non_null(volume);
        return *volume;
}

#define assert_state(fixture, number, expected) \
        assert_int_equal(state_of(fixture, number).state, expected)

static void report_bytes(Fixture *fixture, uint32_t number, uint64_t bytes, uint64_t disk_free) {
        VolumeReport request = make_report(number);

        request.bytes = bytes;
        request.disk_free = disk_free;
        assert_ok(send_report(fixture, &request));
}

static void report_disk(Fixture *fixture, uint32_t number, uint64_t disk_free, uint64_t disk_id) {
        VolumeReport request = make_report(number);

        request.bytes = 0;
        request.disk_free = disk_free;
        request.disk_id = disk_id;
        assert_ok(send_report(fixture, &request));
}

/* Volumes 1 to N, active. */
static void start_active(Fixture *fixture, uint32_t n) {
        for (uint32_t number = 1; number <= n; number++) {
                report(fixture, number);
                assert_ok(CHANGE(fixture, volumes_add, number));
        }
}

/* Which volumes get values: a bit for each. */
static unsigned find_used(Fixture *fixture) {
        unsigned used = 0;

        for (uint64_t hash = 0; hash < 200; hash++) {
                uint32_t placed[COPIES_MAX];

                assert_int_equal(volumes_place(fixture->volumes, hash << 56, 1, 0, placed), 1);
                used |= 1U << placed[0];
        }
        return used;
}

TEST(what_is_drained_is_read_only) {
        Fixture *fixture = *state;
        Record record = { .n_copies = 1, .copies = { 2 } };
        char url[VOLUME_URL_SIZE];

        start_active(fixture, 4);
        assert_int_equal(find_used(fixture), 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4);
        assert_ok(CHANGE(fixture, volumes_drain, 2, 3));
        for (int round = 0; round < 2; round++) {
                assert_state(fixture, 2, VOLUME_DRAINING);
                assert_int_equal(find_used(fixture), 1 << 1 | 1 << 4);
                assert_int_equal(volumes_choose(fixture->volumes, &record, 0, url), 2);
                reopen(fixture, false);
        }

        /* Again, that changes nothing. */
        assert_ok(CHANGE(fixture, volumes_drain, 3));
        assert_int_equal(epoch, 9);
        assert_int_equal(CHANGE(fixture, volumes_add, 3), -EBUSY);
}

TEST(draining_is_for_all_or_none) {
        Fixture *fixture = *state;
        uint32_t one = 1, number = 77;

        start_active(fixture, 3);
        report(fixture, 4);
        assert_int_equal(change_all(fixture, volumes_drain, NULL, 0), -EINVAL);
        assert_int_equal(CHANGE(fixture, volumes_drain, 1, 9), -ENOENT);
        assert_int_equal(refused, 9);
        assert_int_equal(CHECK_DRAIN(fixture, &number, 1, 9), -ENOENT);
        assert_int_equal(number, 9);
        assert_state(fixture, 1, VOLUME_ACTIVE);
        assert_int_equal(volumes_drain(fixture->volumes, &one, 1, ask(epoch - 1)), -EREMCHG);

        /* One that was never active has nothing to be drained of. */
        assert_ok(CHANGE(fixture, volumes_drain, 1, 4));
        assert_state(fixture, 1, VOLUME_DRAINING);
        assert_state(fixture, 4, VOLUME_REMOVED);
        assert_int_equal(CHANGE(fixture, volumes_drain, 2, 4), -EBUSY);
        assert_int_equal(refused, 4);
        assert_int_equal(CHECK_DRAIN(fixture, &number, 2, 4), -EBUSY);
        assert_int_equal(number, 4);
        assert_state(fixture, 2, VOLUME_ACTIVE);

        /* Looking changes nothing. */
        assert_int_equal(CHECK_DRAIN(fixture, &number, 2), 0);
        assert_state(fixture, 2, VOLUME_ACTIVE);
}

TEST(as_many_as_copies_have_to_stay) {
        Fixture *fixture = *state;
        uint32_t number = 77;

        start_active(fixture, 3);
        assert_int_equal(CHANGE(fixture, volumes_drain, 1, 2, 3), -EDQUOT);
        assert_int_equal(refused, 0); /* all of them */
        assert_ok(set_copies(fixture, 2));
        assert_int_equal(CHANGE(fixture, volumes_drain, 1, 2), -EDQUOT);
        assert_int_equal(CHECK_DRAIN(fixture, &number, 1, 2), -EDQUOT);
        assert_int_equal(number, 0);
        assert_ok(CHANGE(fixture, volumes_drain, 1));
        assert_int_equal(CHANGE(fixture, volumes_drain, 2), -EDQUOT);

        /* What leaves already is no reason to refuse anything. */
        assert_ok(CHANGE(fixture, volumes_drain, 1));
        assert_ok(set_copies(fixture, 0));
        volumes_configure(fixture->volumes, &(VolumesOptions){ .copies = 5 });
        report(fixture, 4);
        assert_ok(CHANGE(fixture, volumes_drain, 1, 4));
        assert_state(fixture, 4, VOLUME_REMOVED);
        assert_int_equal(CHANGE(fixture, volumes_drain, 2), -EDQUOT);
}

TEST(the_rest_must_have_room) {
        Fixture *fixture = *state;
        uint32_t number = 77;

        start_active(fixture, 4);
        report_bytes(fixture, 1, 30, 1000);
        report_bytes(fixture, 2, 30, 1000);
        report_bytes(fixture, 3, 0, 25);
        report_bytes(fixture, 4, 0, 25);
        assert_int_equal(CHANGE(fixture, volumes_drain, 1, 2), -ENOSPC);
        assert_int_equal(CHECK_DRAIN(fixture, &number, 1, 2), -ENOSPC);
        assert_int_equal(number, 0);
        assert_ok(CHANGE(fixture, volumes_drain, 1));
        assert_int_equal(CHANGE(fixture, volumes_drain, 2), -ENOSPC); /* 1 is to leave, too */

        report_bytes(fixture, 4, 0, 35);
        assert_int_equal(CHECK_DRAIN(fixture, &number, 2), 0);

        /* Two volumes on one disk have its space once. */
        report_disk(fixture, 3, 30, 5);
        report_disk(fixture, 4, 30, 5);
        assert_int_equal(CHECK_DRAIN(fixture, &number, 2), -ENOSPC);
        report_disk(fixture, 4, 30, 6);
        assert_ok(CHECK_DRAIN(fixture, &number, 2));
        report_bytes(fixture, 4, 0, 35);

        /* What is down takes nothing. */
        shift_clock(TIMEOUT_SEC);
        report_bytes(fixture, 3, 0, 25);
        assert_int_equal(CHANGE(fixture, volumes_drain, 2), -ENOSPC);

        /* After a restart nobody has said how full it is. */
        reopen(fixture, false);
        report_bytes(fixture, 1, 30, 1000);
        report_bytes(fixture, 2, 30, 1000);
        report_bytes(fixture, 3, 0, 25);
        assert_ok(CHANGE(fixture, volumes_drain, 2));
}

TEST(draining_can_be_taken_back) {
        Fixture *fixture = *state;
        uint64_t before;

        start_active(fixture, 3);
        report(fixture, 4);
        assert_ok(CHANGE(fixture, volumes_drain, 1, 2));
        assert_int_equal(find_used(fixture), 1 << 3);
        assert_ok(CHANGE(fixture, volumes_undrain, 2, 1));
        before = epoch;
        assert_int_equal(find_used(fixture), 1 << 1 | 1 << 2 | 1 << 3);
        assert_state(fixture, 1, VOLUME_ACTIVE);

        assert_ok(CHANGE(fixture, volumes_undrain, 3)); /* never left */
        assert_int_equal(epoch, before);
        assert_int_equal(CHANGE(fixture, volumes_undrain, 4), -EBUSY);
        assert_int_equal(CHANGE(fixture, volumes_undrain, 5), -ENOENT);
        assert_int_equal(refused, 5);
        assert_ok(CHANGE(fixture, volumes_drain, 1));
        assert_ok(CHANGE(fixture, volumes_remove, 1));
        assert_int_equal(CHANGE(fixture, volumes_undrain, 1), -EBUSY);
}

TEST(only_what_was_drained_is_removed) {
        Fixture *fixture = *state;
        VolumeReport request = make_report(1);
        uint64_t before;

        start_active(fixture, 3);
        report(fixture, 4);
        assert_int_equal(CHANGE(fixture, volumes_remove, 1), -EBUSY);
        assert_int_equal(CHANGE(fixture, volumes_remove, 4), -EBUSY);
        assert_int_equal(CHANGE(fixture, volumes_remove, 5), -ENOENT);
        assert_ok(CHANGE(fixture, volumes_drain, 1));
        assert_int_equal(CHANGE(fixture, volumes_remove, 1, 2), -EBUSY);
        assert_int_equal(refused, 2);
        assert_state(fixture, 1, VOLUME_DRAINING);

        assert_ok(CHANGE(fixture, volumes_remove, 1));
        before = epoch;
        assert_ok(CHANGE(fixture, volumes_remove, 1)); /* whoever was interrupted may ask again */
        assert_int_equal(epoch, before);
        for (int round = 0; round < 2; round++) {
                assert_state(fixture, 1, VOLUME_REMOVED);
                assert_int_equal(send_report(fixture, &request), -EBUSY);
                reopen(fixture, true);
        }
}

/* A store that never had a value. */
static VolumeReport empty_store(uint32_t number, uint8_t last) {
        VolumeReport report = make_report(number);

        report.uuid[15] = last;
        report.run = 100 + last;
        report.objects = 0;
        return report;
}

TEST(a_number_that_was_never_added_is_free_once_its_store_has_left) {
        Fixture *fixture = *state;
        VolumeReport second = empty_store(4, 1), again;

        report(fixture, 4);
        assert_int_equal(send_report(fixture, &second), -EEXIST);

        shift_clock(TIMEOUT_SEC);
        for (int round = 0; round < 2; round++) {
                second = empty_store(4, 1);
                assert_int_equal(send_report(fixture, &second), 0);
                assert_memory_equal(state_of(fixture, 4).uuid, second.uuid, sizeof(second.uuid));
                assert_state(fixture, 4, VOLUME_NEW);
                reopen(fixture, false);
        }

        /* Now the first one is another store. */
        again = make_report(4);
        assert_int_equal(send_report(fixture, &again), -EEXIST);
}

TEST(a_number_that_was_added_stays_with_its_store) {
        Fixture *fixture = *state;
        VolumeReport second;

        reopen(fixture, true);
        report(fixture, 4);
        reopen(fixture, false);
        shift_clock(TIMEOUT_SEC);
        second = empty_store(4, 1);
        assert_int_equal(send_report(fixture, &second), -EEXIST);
        assert_int_equal(state_of(fixture, 4).uuid[15], 0);
}

TEST(only_an_empty_store_takes_the_place_of_another) {
        Fixture *fixture = *state;
        VolumeReport used, has_been_used, another_volume;

        report(fixture, 4);
        report(fixture, 5);
        shift_clock(TIMEOUT_SEC);
        report(fixture, 5);

        used = empty_store(4, 1);
        used.objects = 1;
        assert_int_equal(send_report(fixture, &used), -EEXIST);
        has_been_used = empty_store(4, 1);
        has_been_used.objects_ever = 1;
        assert_int_equal(send_report(fixture, &has_been_used), -EEXIST);
        another_volume = empty_store(4, 0);
        another_volume.uuid[0] = 5;
        assert_int_equal(send_report(fixture, &another_volume), -EEXIST);
}

TEST(the_map_says_how_many_copies) {
        Fixture *fixture = *state;
        uint64_t before;

        start_active(fixture, 2);
        assert_int_equal(volumes_copies(fixture->volumes), 1);
        assert_int_equal(set_copies(fixture, COPIES_MAX + 1), -EINVAL);
        assert_int_equal(set_copies(fixture, 3), -EDQUOT);
        assert_int_equal(volumes_set_copies(fixture->volumes, 2, ask(epoch - 1)), -EREMCHG);
        assert_int_equal(volumes_copies(fixture->volumes), 1);

        before = epoch;
        assert_ok(set_copies(fixture, 2));
        assert_int_equal(epoch, before + 1);
        assert_ok(set_copies(fixture, 2));
        assert_int_equal(epoch, before + 1);
        reopen(fixture, false);
        assert_int_equal(volumes_copies(fixture->volumes), 2);

        /* The settings count again when the map does not say. */
        volumes_configure(fixture->volumes, &(VolumesOptions){ .copies = 5 });
        assert_int_equal(volumes_copies(fixture->volumes), 2);
        assert_int_equal(set_copies(fixture, 0), -EDQUOT);
        volumes_configure(fixture->volumes, &(VolumesOptions){ .copies = 1 });
        assert_ok(set_copies(fixture, 0));
        assert_int_equal(volumes_copies(fixture->volumes), 1);

        /* Less is always possible. */
        volumes_configure(fixture->volumes, &(VolumesOptions){ .copies = 5 });
        assert_ok(set_copies(fixture, 4));
        assert_int_equal(volumes_copies(fixture->volumes), 4);
}

TEST(a_snapshot_stays_as_it_is) {
        Fixture *fixture = *state;
        _cleanup_(cluster_freep) Cluster *cluster = NULL;

        start_active(fixture, 2);
        assert_ok(volumes_snapshot(fixture->volumes, &cluster));
        assert_int_equal(cluster->epoch, 4);
        assert_ok(CHANGE(fixture, volumes_drain, 1));
        assert_int_equal(cluster->epoch, 4);
        assert_int_equal(cluster_find(cluster, 1)->state, VOLUME_ACTIVE);
}

/* Whether LINE is on stderr, which starts anew with the next call. */
static bool was_said(FILE *output, const char *line) {
        char text[8 * KIB];
        size_t n;

        rewind(output);
        n = fread(text, 1, sizeof(text) - 1, output);
        text[n] = '\0';
        return strstr(text, line);
}

TEST(operators_are_told) {
        Fixture *fixture = *state;
        FILE *output = tmpfile();
        int saved = dup(STDERR_FILENO);

        assert_non_null(output);
        start_active(fixture, 3);
        assert_ok(dup2(fileno(output), STDERR_FILENO));
        (void) CHANGE(fixture, volumes_drain, 2);
        (void) CHANGE(fixture, volumes_remove, 2);
        (void) set_copies(fixture, 2);
        (void) set_copies(fixture, 0);
        settle(fixture);
        assert_ok(dup2(saved, STDERR_FILENO));
        close(saved);

        assert_true(was_said(output, "Volume 2 is being drained and gets no new values."));
        assert_true(was_said(output, "Volume 2 is removed from the cluster."));
        assert_true(was_said(output, "There are to be 2 copies of each value from now on."));
        assert_true(was_said(output, "There are to be as many copies as Copies= says"));
        assert_false(was_said(output, "Volume 1"));
        fclose(output);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup_by_hand, teardown)
        const struct CMUnitTest tests[] = {
                RUN(what_is_drained_is_read_only),
                RUN(draining_is_for_all_or_none),
                RUN(as_many_as_copies_have_to_stay),
                RUN(the_rest_must_have_room),
                RUN(draining_can_be_taken_back),
                RUN(only_what_was_drained_is_removed),
                RUN(a_number_that_was_never_added_is_free_once_its_store_has_left),
                RUN(a_number_that_was_added_stays_with_its_store),
                RUN(only_an_empty_store_takes_the_place_of_another),
                RUN(the_map_says_how_many_copies),
                RUN(a_snapshot_stays_as_it_is),
                RUN(operators_are_told),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
