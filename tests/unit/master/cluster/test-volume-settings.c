/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <semaphore.h>

#include "core/placement/cluster-codec.h"
#include "master/cluster/choice.h"
#include "master/cluster/report.h"
#include "master/volumes-fixture.h"

/* A change, and what done() was told of it. */
typedef struct Outcome {
        VolumesChange change;
        int result;
        const char *name;
} Outcome;

static Outcome outcomes[64]; /* in the order of the calls of done() */
static unsigned n_outcomes;  /* written by the committer; looked at when it has nothing to do */

static void on_done(VolumesChange *change, int result) {
        outcomes[n_outcomes] = *CONTAINER_OF(change, Outcome, change);
        outcomes[n_outcomes++].result = result;
}

/* One of as many as may be under way. */
static VolumesChange *ask_as(uint64_t epoch, const char *name) {
        static Outcome asked[16];
        static unsigned n;
        Outcome *one = asked + n++ % ELEMENTSOF(asked);

        *one = (Outcome){ { .epoch = epoch, .done = on_done, .refused = 99 }, 0, name };
        return &one->change;
}

#define ask(epoch) ask_as(epoch, NULL)

/* How often the map was stored, and how often this shall fail from now on. */
static unsigned n_stores, n_failures;

static Interception intercept_map(const IndexRequest *request, void *userdata) {
        if (request->type != REQUEST_SET ||
            strcmp(CONTAINER_OF(request, IndexSet, request)->name, "cluster") != 0)
                return INTERCEPT_NOT;
        n_stores++;
        if (n_failures == 0)
                return INTERCEPT_NOT;
        n_failures--;
        return INTERCEPT_REFUSE;
}

/* What came of one change, told at once or later; with the epoch after it. */
static int outcome(Fixture *fixture, int r, uint64_t *ret_epoch) {
        if (r < 0) {
                settle(fixture);
                assert_int_equal(n_outcomes, 0);
                return r;
        }
        settle(fixture);
        assert_int_equal(n_outcomes, 1);
        n_outcomes = 0;
        if (ret_epoch)
                *ret_epoch = outcomes[0].change.epoch;
        return outcomes[0].result;
}

#define ADD(fixture, epoch, ret_epoch, ...) \
        outcome(fixture, \
                volumes_add(fixture->volumes, (const uint32_t[]){ __VA_ARGS__ }, \
                            ELEMENTSOF(((const uint32_t[]){ __VA_ARGS__ })), ask(epoch)), \
                ret_epoch)

static int set(Fixture *fixture, uint32_t number, VolumeSettings settings) {
        return outcome(fixture, volumes_set(fixture->volumes, number, &settings, ask(EPOCH_ANY)),
                       NULL);
}

static int maintain(Fixture *fixture, uint32_t number, uint64_t until_usec) {
        return outcome(fixture,
                       volumes_set_maintenance(
                                       fixture->volumes, number, until_usec, ask(EPOCH_ANY)),
                       NULL);
}

static VolumeStatus find_status(Fixture *fixture, uint32_t number, uint64_t *ret_epoch) {
        _cleanup_free_ VolumeStatus *list = NULL;
        size_t n;

        assert_int_equal(volumes_list(fixture->volumes, &list, &n, ret_epoch), 0);
        for (size_t i = 0; i < n; i++)
                if (list[i].number == number)
                        return list[i];
        return (VolumeStatus){};
}

static VolumeStatus status_of(Fixture *fixture, uint32_t number) {
        uint64_t epoch;

        return find_status(fixture, number, &epoch);
}

static uint64_t current_epoch(Fixture *fixture) {
        uint64_t epoch;

        (void) find_status(fixture, 1, &epoch);
        return epoch;
}

static void report_all(Fixture *fixture, uint32_t n) {
        for (uint32_t number = 1; number <= n; number++)
                report(fixture, number);
}

/* How many of 100 values have a copy on a volume, if each is to have one copy. */
static unsigned count_on(Fixture *fixture, uint32_t number) {
        unsigned n = 0;

        for (uint64_t hash = 0; hash < 100; hash++) {
                uint32_t placed[COPIES_MAX];

                assert_int_equal(volumes_place(fixture->volumes, hash << 56, 1, 0, placed), 1);
                n += placed[0] == number;
        }
        return n;
}

TEST(added_volumes_are_active_for_good) {
        Fixture *fixture = *state;
        uint64_t epoch = 0;

        report_all(fixture, 3);
        assert_int_equal(ADD(fixture, EPOCH_ANY, &epoch, 1, 2), 0);
        assert_int_equal(epoch, 4);
        for (int round = 0; round < 2; round++) {
                assert_int_equal(status_of(fixture, 1).state, VOLUME_ACTIVE);
                assert_int_equal(status_of(fixture, 2).state, VOLUME_ACTIVE);
                assert_int_equal(status_of(fixture, 3).state, VOLUME_NEW);
                assert_int_equal(current_epoch(fixture), 4);
                assert_int_equal(count_on(fixture, 1) + count_on(fixture, 2), 100);
                reopen(fixture, false);
        }
}

TEST(what_is_so_already_is_not_changed) {
        Fixture *fixture = *state;
        uint64_t epoch = 0;

        report_all(fixture, 2);
        assert_int_equal(ADD(fixture, EPOCH_ANY, &epoch, 2, 2), 0);
        assert_int_equal(epoch, 3);
        assert_int_equal(ADD(fixture, EPOCH_ANY, &epoch, 2), 0);
        assert_int_equal(epoch, 3);
        assert_int_equal(set(fixture, 2, (VolumeSettings){ .weight = 1 }), 0);
        assert_int_equal(set(fixture, 2, (VolumeSettings){}), 0);
        assert_int_equal(set(fixture, 2, (VolumeSettings){ .url = "", .zone = "" }), 0);
        assert_int_equal(maintain(fixture, 2, 0), 0);
        assert_int_equal(current_epoch(fixture), 3);
        assert_int_equal(ADD(fixture, EPOCH_ANY, &epoch, 1, 2), 0);
        assert_int_equal(epoch, 4);
}

TEST(several_volumes_are_added_together_or_not_at_all) {
        Fixture *fixture = *state;
        uint32_t numbers[] = { 1, 9 };
        uint32_t refused = 0;

        assert_int_equal(volumes_add(fixture->volumes, numbers, 0, ask(EPOCH_ANY)), -EINVAL);
        report_all(fixture, 2);
        assert_int_equal(ADD(fixture, EPOCH_ANY, NULL, 1, 9), -ENOENT);
        assert_int_equal(volumes_check_add(fixture->volumes, numbers, 2, &refused), -ENOENT);
        assert_int_equal(refused, 9);
        assert_ok(volumes_check_add(fixture->volumes, numbers, 1, &refused));

        shift_clock(TIMEOUT_SEC);
        report(fixture, 1);
        assert_int_equal(ADD(fixture, EPOCH_ANY, NULL, 1, 2), -EHOSTDOWN);
        numbers[1] = 2;
        assert_int_equal(volumes_check_add(fixture->volumes, numbers, 2, &refused), -EHOSTDOWN);
        assert_int_equal(refused, 2);
        assert_int_equal(status_of(fixture, 1).state, VOLUME_NEW);
        assert_int_equal(current_epoch(fixture), 2);

        /* One that takes part already may be down. */
        assert_int_equal(ADD(fixture, EPOCH_ANY, NULL, 1), 0);
        shift_clock(TIMEOUT_SEC);
        report(fixture, 2);
        assert_int_equal(ADD(fixture, EPOCH_ANY, NULL, 1, 2), 0);
}

/* Starts with a map of volumes 1 in state draining and 2 in state removed. */
static void start_worn(Fixture *fixture) {
        _cleanup_(cluster_freep) Cluster *cluster = NULL;
        _cleanup_(buffer_done) Buffer encoded = {};
        IndexSet store = { .request.done = scratch_answered, .name = "cluster" };

        assert_ok(cluster_new(&cluster));
        for (uint32_t number = 1; number <= 2; number++) {
                VolumeReport request = make_report(number);

                assert_ok(cluster_add_volume(
                                cluster, number, request.uuid, request.url, request.zone, 1));
                assert_ok(cluster_set_state(cluster, number, VOLUME_ACTIVE));
        }
        assert_ok(cluster_set_state(cluster, 1, VOLUME_DRAINING));
        assert_ok(cluster_set_state(cluster, 2, VOLUME_REMOVED));
        cluster_encode(cluster, &encoded);
        store.data = encoded.data;
        store.size = encoded.size;
        index_set(fixture->index, &store);
        assert_int_equal(scratch_wait(), 0);
        reopen(fixture, false);
}

TEST(what_leaves_or_is_gone_is_not_added) {
        Fixture *fixture = *state;

        start_worn(fixture);
        assert_int_equal(ADD(fixture, EPOCH_ANY, NULL, 1), -EBUSY);
        assert_int_equal(ADD(fixture, EPOCH_ANY, NULL, 2), -EBUSY);
        assert_int_equal(set(fixture, 1, (VolumeSettings){ .weight = 2 }), 0);
        assert_int_equal(set(fixture, 2, (VolumeSettings){ .weight = 2 }), -EBUSY);
        assert_int_equal(maintain(fixture, 1, UINT64_MAX), 0);
        assert_int_equal(maintain(fixture, 2, UINT64_MAX), -EBUSY);
}

TEST(a_map_that_has_moved_on_is_not_changed) {
        Fixture *fixture = *state;
        VolumeSettings settings = { .weight = 2 };
        uint64_t epoch = 0;
        int r;

        report_all(fixture, 2);
        assert_int_equal(ADD(fixture, 1, NULL, 1), -EREMCHG);
        assert_int_equal(ADD(fixture, 3, NULL, 1), -EREMCHG);
        assert_int_equal(ADD(fixture, 2, &epoch, 1), 0);
        assert_int_equal(epoch, 3);

        r = volumes_set(fixture->volumes, 1, &settings, ask(2));
        assert_int_equal(outcome(fixture, r, NULL), -EREMCHG);
        r = volumes_set(fixture->volumes, 1, &settings, ask(3));
        assert_int_equal(outcome(fixture, r, NULL), 0);
        r = volumes_set_maintenance(fixture->volumes, 1, UINT64_MAX, ask(3));
        assert_int_equal(outcome(fixture, r, NULL), -EREMCHG);
        r = volumes_set_maintenance(fixture->volumes, 1, UINT64_MAX, ask(4));
        assert_int_equal(outcome(fixture, r, NULL), 0);
}

/* An operation that keeps the committer busy. */
static sem_t gate;

static int wait_at_gate(Operation *operation, Transaction *transaction) {
        (void) sem_wait(&gate);
        return 0;
}

static void ignore(Operation *operation, int result) {
}

TEST(changes_wait_for_each_other) {
        Fixture *fixture = *state;
        Operation busy = { .apply = wait_at_gate, .done = ignore };
        VolumeSettings heavy = { .weight = 7 };
        const uint32_t one = 1, nine = 9, two = 2;
        VolumeReport moved;

        report_all(fixture, 2);
        assert_int_equal(sem_init(&gate, 0, 0), 0);
        environment_submit(fixture->index->tables.environment, &busy);

        /* What can be judged only when its turn comes is refused then. */
        assert_int_equal(volumes_add(fixture->volumes, &one, 1, ask_as(2, "first")), 0);
        assert_int_equal(volumes_add(fixture->volumes, &two, 1, ask_as(2, "late")), 0);
        assert_int_equal(volumes_add(fixture->volumes, &nine, 1, ask_as(EPOCH_ANY, "unknown")), 0);
        assert_int_equal(volumes_set(fixture->volumes, 1, &heavy, ask_as(3, "second")), 0);
        moved = make_report(2);
        moved.url = "http://elsewhere:1";
        assert_int_equal(volumes_report(fixture->volumes, &moved), 0);
        assert_int_equal(current_epoch(fixture), 2);
        assert_int_equal(status_of(fixture, 1).state, VOLUME_NEW);
        assert_int_equal(sem_post(&gate), 0);
        settle(fixture);
        settle(fixture); /* the second change was stored after the first */
        assert_int_equal(n_outcomes, 4);
        n_outcomes = 0;
        assert_string_equal(outcomes[0].name, "first");
        assert_int_equal(outcomes[0].result, 0);
        assert_int_equal(outcomes[0].change.epoch, 3);
        assert_string_equal(outcomes[1].name, "late");
        assert_int_equal(outcomes[1].result, -EREMCHG);
        assert_string_equal(outcomes[2].name, "unknown");
        assert_int_equal(outcomes[2].result, -ENOENT);
        assert_int_equal(outcomes[2].change.refused, 9);
        assert_string_equal(outcomes[3].name, "second");
        assert_int_equal(outcomes[3].change.epoch, 4);
        assert_int_equal(status_of(fixture, 1).weight, 7);

        /* The report counts when it comes again. */
        assert_string_equal(status_of(fixture, 2).url, "http://volume-2:3001");
        moved.sequence++;
        assert_int_equal(send_report(fixture, &moved), 0);
        assert_string_equal(status_of(fixture, 2).url, "http://elsewhere:1");
}

TEST(everybody_is_told_in_the_end) {
        Fixture *fixture = *state;
        unsigned n_made = 0;

        report_all(fixture, 1);
        for (uint32_t weight = 2; weight < 52; weight++)
                assert_int_equal(
                                volumes_set(fixture->volumes, 1,
                                            &(VolumeSettings){ .weight = weight }, ask(EPOCH_ANY)),
                                0);
        close_all(fixture);

        assert_int_equal(n_outcomes, 50);
        n_outcomes = 0;
        while (n_made < 50 && outcomes[n_made].result == 0)
                n_made++;
        for (unsigned i = n_made; i < 50; i++)
                assert_int_equal(outcomes[i].result, -ESHUTDOWN);
        assert_in_range(n_made, 1, 49);

        /* What was said to be made is made. */
        open_all(fixture, false);
        assert_int_equal(status_of(fixture, 1).weight, 1 + n_made);
}

TEST(settings_of_the_administrator_win) {
        Fixture *fixture = *state;
        VolumeSettings settings = { .url = "http://[::1]:80", .zone = "rack 7", .weight = 3 };
        VolumeReport moved;
        VolumeStatus status;

        report_all(fixture, 2);
        assert_int_equal(ADD(fixture, EPOCH_ANY, NULL, 1, 2), 0);
        assert_int_equal(set(fixture, 1, settings), 0);
        for (int round = 0; round < 2; round++) {
                n_stores = 0;
                report_all(fixture, 2);
                assert_int_equal(n_stores, 0);
                status = status_of(fixture, 1);
                assert_string_equal(status.url, settings.url);
                assert_string_equal(status.zone, settings.zone);
                assert_int_equal(status.weight, 3);
                assert_true(status.url_is_set && status.zone_is_set);
                assert_int_equal(current_epoch(fixture), 4);
                assert_in_range(count_on(fixture, 1), 60, 90);
                reopen(fixture, false);
        }
        assert_false(status_of(fixture, 2).url_is_set);

        /* One that is set stays when the other one moves. */
        report_all(fixture, 2);
        moved = make_report(2);
        moved.url = "http://elsewhere:1";
        assert_int_equal(set(fixture, 2, (VolumeSettings){ .zone = "cellar" }), 0);
        assert_int_equal(send_report(fixture, &moved), 0);
        assert_string_equal(status_of(fixture, 2).url, moved.url);
        assert_string_equal(status_of(fixture, 2).zone, "cellar");

        /* What calls came to before is of another address, but only then. */
        volumes_note_call(fixture->volumes, 1, &(RpcResult){ .error = -EHOSTDOWN });
        assert_int_equal(set(fixture, 1, (VolumeSettings){ .weight = 4 }), 0);
        assert_int_equal(status_of(fixture, 1).contact.n_failed, 1);
        assert_int_equal(set(fixture, 1, (VolumeSettings){ .url = "http://other:1" }), 0);
        assert_int_equal(status_of(fixture, 1).contact.n_failed, 0);
        settings.weight = 3;
        assert_int_equal(set(fixture, 1, settings), 0);

        /* One goes back to what the volume says, the other one stays. */
        assert_int_equal(set(fixture, 1, (VolumeSettings){ .zone = "" }), 0);
        moved = make_report(1);
        moved.url = "http://elsewhere:1";
        assert_int_equal(send_report(fixture, &moved), 0);
        status = status_of(fixture, 1);
        assert_string_equal(status.zone, "here");
        assert_false(status.zone_is_set);
        assert_string_equal(status.url, settings.url);
        assert_int_equal(status.weight, 3);
        assert_int_equal(set(fixture, 1, (VolumeSettings){ .url = "" }), 0);
        moved.sequence++;
        assert_int_equal(send_report(fixture, &moved), 0);
        assert_string_equal(status_of(fixture, 1).url, moved.url);
        assert_false(status_of(fixture, 1).url_is_set);
}

TEST(settings_that_cannot_be_are_refused) {
        Fixture *fixture = *state;
        char long_url[VOLUME_URL_SIZE + 1] = "http://", long_zone[VOLUME_ZONE_SIZE + 1] = "";
        const VolumeSettings wrong[] = {
                { .weight = WEIGHT_MAX + 1 },
                { .url = "https://v" },
                { .url = "http://" },
                { .url = "http://v/" },
                { .url = "http://v\r\nX-Other: 1" },
                { .url = "http://a b" },
                { .url = long_url },
                { .zone = "a\nb" },
                { .zone = "a\x7f" },
                { .zone = long_zone },
        };

        memset(long_url + strlen(long_url), 'u', VOLUME_URL_SIZE - strlen(long_url));
        memset(long_zone, 'z', VOLUME_ZONE_SIZE);
        report_all(fixture, 1);
        for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
                assert_int_equal(set(fixture, 1, wrong[i]), -EINVAL);
        assert_int_equal(set(fixture, 2, (VolumeSettings){ .weight = 1 }), -ENOENT);
        assert_int_equal(current_epoch(fixture), 1);

        long_url[VOLUME_URL_SIZE - 1] = '\0';
        long_zone[VOLUME_ZONE_SIZE - 1] = '\0';
        assert_int_equal(
                        set(fixture, 1,
                            (VolumeSettings){
                                            .weight = WEIGHT_MAX,
                                            .url = long_url,
                                            .zone = long_zone,
                            }),
                        0);
        assert_int_equal(set(fixture, 1, (VolumeSettings){ .zone = "Küche" }), 0);
        assert_string_equal(status_of(fixture, 1).zone, "Küche");
}

TEST(maintenance_takes_no_new_values) {
        Fixture *fixture = *state;
        Record record = { .n_copies = 1, .copies = { 1 } };
        uint32_t placed[COPIES_MAX];
        char url[VOLUME_URL_SIZE];

        report_all(fixture, 2);
        assert_int_equal(ADD(fixture, EPOCH_ANY, NULL, 1, 2), 0);
        assert_int_equal(maintain(fixture, 3, UINT64_MAX), -ENOENT);
        assert_int_equal(maintain(fixture, 1, clock_realtime()), -EINVAL);
        assert_in_range(count_on(fixture, 1), 1, 99);

        assert_int_equal(maintain(fixture, 1, UINT64_MAX), 0);
        for (int round = 0; round < 2; round++) {
                assert_true(status_of(fixture, 1).maintenance_until == UINT64_MAX);
                assert_true(status_of(fixture, 2).maintenance_until == 0);
                assert_int_equal(count_on(fixture, 1), 0);
                assert_int_equal(volumes_choose(fixture->volumes, &record, 0, url), 1);
                reopen(fixture, false);
        }

        assert_int_equal(maintain(fixture, 2, UINT64_MAX), 0);
        assert_int_equal(volumes_place(fixture->volumes, 1, 1, 0, placed), -EHOSTDOWN);
        assert_int_equal(maintain(fixture, 1, 0), 0);
        assert_int_equal(count_on(fixture, 1), 100);
        assert_true(status_of(fixture, 1).maintenance_until == 0);
}

TEST(maintenance_ends_by_itself) {
        Fixture *fixture = *state;
        uint64_t until = clock_realtime() + USEC_PER_HOUR;

        report_all(fixture, 2);
        assert_int_equal(ADD(fixture, EPOCH_ANY, NULL, 1, 2), 0);
        assert_int_equal(maintain(fixture, 1, until), 0);
        assert_int_equal(count_messages(fixture, "maintenance"), 0);
        assert_int_equal(current_epoch(fixture), 4);
        assert_true(status_of(fixture, 1).maintenance_until == until);
        assert_int_equal(count_on(fixture, 1), 0);

        /* Whoever looks sees it at once, the map a little later. */
        shift_realtime(USEC_PER_HOUR / USEC_PER_SEC);
        assert_true(status_of(fixture, 1).maintenance_until == 0);
        assert_in_range(count_on(fixture, 1), 1, 99);
        assert_int_equal(current_epoch(fixture), 4);
        (void) count_messages(fixture, "");
        settle(fixture);
        assert_int_equal(current_epoch(fixture), 5);
        assert_int_equal(count_messages(fixture, "maintenance"), 0); /* once is enough */
        settle(fixture);
        assert_int_equal(current_epoch(fixture), 5);
}

/* What the observer was told. */
static char seen[4 * KIB];

static void on_change(uint32_t number, bool is_new, void *userdata) {
        size_t n = strlen(seen);

        assert_ptr_equal(userdata, &seen);
        (void) snprintf(seen + n, sizeof(seen) - n, "%s%u ", is_new ? "new " : "", number);
}

static const char *observe(Fixture *fixture) {
        *seen = '\0';
        assert_ok(sd_event_run(fixture->event, UINT64_MAX)); /* there is but the timer */
        return seen;
}

TEST(the_observer_sees_every_change) {
        Fixture *fixture = *state;

        watch_set_observer(fixture->watch, on_change, &seen);
        assert_string_equal(observe(fixture), "");
        report_all(fixture, 3);
        assert_string_equal(observe(fixture), "new 1 new 2 new 3 ");
        assert_string_equal(observe(fixture), "");

        assert_int_equal(ADD(fixture, EPOCH_ANY, NULL, 3, 1), 0);
        assert_string_equal(observe(fixture), "1 3 ");
        assert_int_equal(set(fixture, 2, (VolumeSettings){ .zone = "there" }), 0);
        assert_string_equal(observe(fixture), "2 ");
        assert_int_equal(maintain(fixture, 2, clock_realtime() + USEC_PER_HOUR), 0);
        assert_string_equal(observe(fixture), "2 ");
        assert_int_equal(maintain(fixture, 2, clock_realtime() + USEC_PER_HOUR), 0);
        assert_string_equal(observe(fixture), "2 ");
        shift_realtime(USEC_PER_HOUR / USEC_PER_SEC + 1);
        assert_non_null(strstr(observe(fixture), "2 "));
        settle(fixture);
        (void) observe(fixture);
        assert_string_equal(observe(fixture), "");

        report_free(fixture, 1, FREE / 2); /* a figure only */
        assert_string_equal(observe(fixture), "");
        report_free(fixture, 1, 2 * FREE / 20 - 1);
        assert_string_equal(observe(fixture), "1 ");
        assert_true(status_of(fixture, 1).nearly_full);
        report_free(fixture, 1, 2 * FREE / 20);
        assert_string_equal(observe(fixture), "1 ");
        assert_false(status_of(fixture, 1).nearly_full);

        shift_clock(TIMEOUT_SEC);
        report(fixture, 3);
        assert_string_equal(observe(fixture), "1 2 ");
        report(fixture, 2);
        assert_string_equal(observe(fixture), "2 ");

        watch_set_observer(fixture->watch, NULL, NULL);
        report(fixture, 1);
        assert_string_equal(observe(fixture), "");

        /* What was known before is no news after a restart. */
        reopen(fixture, false);
        watch_set_observer(fixture->watch, on_change, &seen);
        assert_string_equal(observe(fixture), "");
}

TEST(the_configuration_can_change) {
        Fixture *fixture = *state;
        VolumesOptions options = { 2 * TIMEOUT_SEC * USEC_PER_SEC, .auto_add = true };

        report(fixture, 4);
        assert_int_equal(status_of(fixture, 4).state, VOLUME_NEW);
        volumes_configure(fixture->volumes, &options);
        report(fixture, 4);
        assert_int_equal(status_of(fixture, 4).state, VOLUME_ACTIVE);
        shift_clock(TIMEOUT_SEC);
        assert_true(status_of(fixture, 4).up);
        shift_clock(TIMEOUT_SEC);
        assert_false(status_of(fixture, 4).up);
}

TEST(what_is_not_stored_is_not_in_force) {
        Fixture *fixture = *state;

        report_all(fixture, 1);
        n_failures = 3;
        for (int i = 0; i < 3; i++) {
                assert_int_equal(ADD(fixture, EPOCH_ANY, NULL, 1), -ENOSPC);
                assert_int_equal(status_of(fixture, 1).state, VOLUME_NEW);
                assert_int_equal(current_epoch(fixture), 1);
        }
        assert_int_equal(ADD(fixture, EPOCH_ANY, NULL, 1), 0);
        assert_int_equal(status_of(fixture, 1).state, VOLUME_ACTIVE);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup_by_hand, teardown)
        const struct CMUnitTest tests[] = {
                RUN(added_volumes_are_active_for_good),
                RUN(what_is_so_already_is_not_changed),
                RUN(several_volumes_are_added_together_or_not_at_all),
                RUN(what_leaves_or_is_gone_is_not_added),
                RUN(a_map_that_has_moved_on_is_not_changed),
                RUN(changes_wait_for_each_other),
                RUN(everybody_is_told_in_the_end),
                RUN(settings_of_the_administrator_win),
                RUN(settings_that_cannot_be_are_refused),
                RUN(maintenance_takes_no_new_values),
                RUN(maintenance_ends_by_itself),
                RUN(the_observer_sees_every_change),
                RUN(the_configuration_can_change),
                RUN(what_is_not_stored_is_not_in_force),
        };

        volumes_fixture_intercept = intercept_map;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
