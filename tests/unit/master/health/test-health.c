/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "master/health/health.h"

#define NOW  (1700000000 * USEC_PER_SEC) /* 2023-11-14 22:13:20 UTC */
#define FREE (50 * GIB)

/* A volume that is well. */
static VolumeStatus healthy(uint32_t number) {
        return (VolumeStatus){
                .number = number,
                .state = VOLUME_ACTIVE,
                .up = true,
                .reports = true,
                .seen_usec = NOW,
                .disk_free = FREE,
                .disk_size = 2 * FREE,
        };
}

static VolumeStatus with_state(uint32_t number, VolumeState state) {
        VolumeStatus volume = healthy(number);

        volume.state = state;
        return volume;
}

static VolumeStatus down(uint32_t number, uint64_t seconds) {
        VolumeStatus volume = healthy(number);

        volume.up = volume.reports = false;
        volume.seen_usec -= seconds * USEC_PER_SEC;
        return volume;
}

static VolumeStatus in_maintenance(VolumeStatus volume) {
        volume.maintenance_until = UINT64_MAX;
        return volume;
}

static VolumeStatus with_space(uint32_t number, uint64_t disk_free, bool nearly_full) {
        VolumeStatus volume = healthy(number);

        volume.disk_free = disk_free;
        volume.nearly_full = nearly_full;
        return volume;
}

static void assert_health(
                const VolumeStatus volumes[],
                size_t n,
                uint64_t copies,
                HealthLevel level,
                const char *reason,
                const char *advice) {
        Health health;

        health_of(&(HealthInput){ .volumes = volumes,
                                  .n_volumes = n,
                                  .copies = copies,
                                  .now_usec = NOW },
                  &health);
        assert_string_equal(health.reason, reason);
        assert_string_equal(health.advice, advice);
        assert_string_equal(health_level_to_string(health.level), health_level_to_string(level));
}

#define ASSERT_HEALTH(copies, level, reason, advice, ...) \
        assert_health((const VolumeStatus[]){ __VA_ARGS__ }, \
                      ELEMENTSOF(((const VolumeStatus[]){ __VA_ARGS__ })), copies, level, reason, \
                      advice)

TEST(levels_have_names) {
        assert_string_equal(health_level_to_string(HEALTH_OK), "ok");
        assert_string_equal(health_level_to_string(HEALTH_DEGRADED), "degraded");
        assert_string_equal(health_level_to_string(HEALTH_DOWN), "down");
}

TEST(all_is_well) {
        ASSERT_HEALTH(1, HEALTH_OK, "Volume 1 is up.", "", healthy(1));
        ASSERT_HEALTH(1, HEALTH_OK, "Volumes 1 and 7 are up.", "", healthy(1), healthy(7));
        ASSERT_HEALTH(2, HEALTH_OK, "Volumes 1, 2 and 3 are up.", "", healthy(1), healthy(2),
                      healthy(3), with_state(4, VOLUME_REMOVED));
}

TEST(a_cluster_begins_with_a_volume) {
        static const char advice[] =
                        "Make one on this machine: dkvadm volume create 1 --add. On others: see SECOND MACHINE in dkv-operations(7).";

        assert_health(NULL, 0, 1, HEALTH_DOWN, "No volume is known.", advice);
        ASSERT_HEALTH(1, HEALTH_DOWN, "No volume is known.", advice, with_state(1, VOLUME_REMOVED));
}

TEST(new_volumes_wait_to_be_added) {
        VolumeStatus silent = with_state(3, VOLUME_NEW);

        ASSERT_HEALTH(1, HEALTH_DOWN, "No volume is active. Volumes 1 and 2 wait to be added.",
                      "dkvadm volume add 1 2", with_state(1, VOLUME_NEW),
                      with_state(2, VOLUME_NEW));
        ASSERT_HEALTH(1, HEALTH_OK, "Volume 2 waits to be added.", "dkvadm volume add 2",
                      healthy(1), with_state(2, VOLUME_NEW));

        silent.up = silent.reports = false; /* nobody misses it, and it cannot be added */
        ASSERT_HEALTH(1, HEALTH_OK, "Volume 1 is up.", "", healthy(1), silent);
        ASSERT_HEALTH(1, HEALTH_DOWN, "No volume is active.",
                      "Make more volumes: dkvadm volume create NUMBER --add", silent);
}

TEST(a_volume_that_is_down_is_missed) {
        VolumeStatus draining = down(1, 0);

        ASSERT_HEALTH(2, HEALTH_DEGRADED, "Volume 2 is down since 22:12:20.",
                      "On its machine: systemctl status dkv-volume@2; journalctl -u dkv-volume@2",
                      healthy(1), down(2, 60), healthy(3));
        ASSERT_HEALTH(2, HEALTH_DEGRADED, "Volume 2 is down since 2023-11-13 22:13:20.",
                      "On its machine: systemctl status dkv-volume@2; journalctl -u dkv-volume@2",
                      healthy(1), down(2, 24 * 3600), healthy(3));
        ASSERT_HEALTH(1, HEALTH_DEGRADED, "Volumes 2 and 3 are down.",
                      "On the first one's machine: systemctl status dkv-volume@2; journalctl -u dkv-volume@2",
                      healthy(1), down(2, 60), down(3, 60));

        /* It has values; when it was last heard of, nobody knows. */
        draining.state = VOLUME_DRAINING;
        draining.seen_usec = 0;
        ASSERT_HEALTH(1, HEALTH_DEGRADED, "Volume 1 is down. Volume 1 is being drained.",
                      "On its machine: systemctl status dkv-volume@1; journalctl -u dkv-volume@1",
                      draining, healthy(2));
}

TEST(calls_tell_why_a_volume_is_down) {
        VolumeStatus volume = down(2, 60);
        const struct {
                ContactState contact;
                const char *reason;
        } cases[] = {
                { { .n_failed = 3, .error = -EHOSTDOWN, .os_error = ECONNREFUSED },
                  "Volume 2 is down since 22:12:20: nothing listens at http://b:3002." },
                { { .n_failed = 1, .error = -EHOSTDOWN },
                  "Volume 2 is down since 22:12:20: nothing answers at http://b:3002." },
                { { .n_failed = 2, .error = -ETIMEDOUT },
                  "Volume 2 is down since 22:12:20: it takes connections at http://b:3002, but does not answer." },
                { { .good_usec = 1 },
                  "Volume 2 is down since 22:12:20: it answers at http://b:3002, but its reports do not come through." },
        };

        (void) strcpy(volume.url, "http://b:3002");
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                volume.contact = cases[i].contact;
                ASSERT_HEALTH(1, HEALTH_DEGRADED, cases[i].reason,
                              "On its machine: systemctl status dkv-volume@2; journalctl -u dkv-volume@2",
                              healthy(1), volume);
        }
}

TEST(what_was_not_heard_of_yet_is_not_up) {
        VolumeStatus expected = healthy(2);

        expected.reports = false;
        expected.seen_usec = 0;
        ASSERT_HEALTH(1, HEALTH_DEGRADED, "Volume 2 was not heard of yet since the master's start.",
                      "", healthy(1), expected);
}

TEST(draining_is_no_reason_to_worry) {
        VolumeStatus full = with_space(1, 0, true);

        full.state = VOLUME_DRAINING;
        ASSERT_HEALTH(1, HEALTH_OK, "Volume 1 is being drained.", "",
                      with_state(1, VOLUME_DRAINING), healthy(2));
        ASSERT_HEALTH(1, HEALTH_OK, "Volumes 1 and 3 are being drained.", "", full, healthy(2),
                      with_state(3, VOLUME_DRAINING));

        /* It does not count for what is stored. */
        ASSERT_HEALTH(2, HEALTH_DOWN,
                      "Nothing can be stored: 1 of 1 volumes can take new values, Copies=2 needs 2. Volume 1 is being drained.",
                      "Make more volumes: dkvadm volume create NUMBER --add",
                      with_state(1, VOLUME_DRAINING), healthy(2));
}

TEST(without_a_majority_nothing_is_stored) {
        ASSERT_HEALTH(3, HEALTH_DOWN,
                      "Nothing can be stored: 1 of 3 volumes can take new values, Copies=3 needs 2. Volumes 2 and 3 are down.",
                      "On the first one's machine: systemctl status dkv-volume@2; journalctl -u dkv-volume@2",
                      healthy(1), down(2, 60), down(3, 60));
        ASSERT_HEALTH(1, HEALTH_DOWN,
                      "Nothing can be stored: 0 of 1 volumes can take new values, Copies=1 needs 1. Volume 1 is full.",
                      "Add a volume, or delete values that nobody needs.", with_space(1, 0, true));
        ASSERT_HEALTH(1, HEALTH_DOWN,
                      "Nothing can be stored: 0 of 1 volumes can take new values, Copies=1 needs 1. Volume 1 is in maintenance.",
                      "When the work is done: dkvadm volume maintenance 1 off",
                      in_maintenance(healthy(1)));
}

TEST(copies_want_as_many_volumes) {
        ASSERT_HEALTH(3, HEALTH_DEGRADED, "Active volumes: 2, fewer than Copies=3.",
                      "Make more volumes: dkvadm volume create NUMBER --add", healthy(1),
                      healthy(2));
        ASSERT_HEALTH(2, HEALTH_DOWN,
                      "Nothing can be stored: 1 of 1 volumes can take new values, Copies=2 needs 2. Volume 4 waits to be added.",
                      "dkvadm volume add 4", healthy(1), with_state(4, VOLUME_NEW));
}

TEST(maintenance_is_no_reason_to_worry) {
        ASSERT_HEALTH(2, HEALTH_OK, "Volume 2 is in maintenance.",
                      "When the work is done: dkvadm volume maintenance 2 off", healthy(1),
                      in_maintenance(down(2, 60)), healthy(3));
        ASSERT_HEALTH(2, HEALTH_DEGRADED,
                      "Volume 3 is down since 22:12:20. Volume 2 is in maintenance.",
                      "On its machine: systemctl status dkv-volume@3; journalctl -u dkv-volume@3",
                      healthy(1), in_maintenance(down(2, 60)), down(3, 60), healthy(4));
}

TEST(space_runs_out_visibly) {
        ASSERT_HEALTH(1, HEALTH_DEGRADED, "Volume 2 is nearly full.",
                      "Add a volume, or delete values that nobody needs.", healthy(1),
                      with_space(2, 1, true));
        ASSERT_HEALTH(1, HEALTH_DEGRADED, "Volume 3 is full. Volume 2 is nearly full.",
                      "Add a volume, or delete values that nobody needs.", healthy(1),
                      with_space(2, 1, true), with_space(3, 0, true));
}

TEST(many_volumes_are_counted) {
        static VolumeStatus volumes[VOLUME_MAX];

        for (uint32_t i = 0; i < 100; i++)
                volumes[i] = healthy(i + 1);
        assert_health(volumes, 100, 3, HEALTH_OK,
                      "Volumes 1, 2, 3, 4, 5, 6, 7, 8 and 92 others are up.", "");
        assert_health(volumes, 8, 3, HEALTH_OK, "Volumes 1, 2, 3, 4, 5, 6, 7 and 8 are up.", "");

        /* As bad as it can be, in words as long as they can be. */
        for (uint32_t i = 0; i < ELEMENTSOF(volumes); i++)
                switch ((volumes[i] = healthy(VOLUME_MAX - i), i % 5)) {
                case 0:
                        volumes[i].up = volumes[i].reports = false;
                        break;
                case 1:
                        volumes[i].disk_free = 0;
                        break;
                case 2:
                        volumes[i].nearly_full = true;
                        break;
                case 3:
                        volumes[i].state = VOLUME_NEW;
                        break;
                default:
                        volumes[i].maintenance_until = UINT64_MAX;
                }
        for (uint64_t copies = 1; copies <= UINT64_MAX / 2; copies *= 2) {
                Health health;

                health_of(&(HealthInput){ .volumes = volumes,
                                          .n_volumes = ELEMENTSOF(volumes),
                                          .copies = copies,
                                          .now_usec = NOW },
                          &health);
                assert_int_not_equal(health.level, HEALTH_OK);
                assert_in_range(strlen(health.reason), 1, sizeof(health.reason) - 1);
                assert_int_equal(health.reason[strlen(health.reason) - 1], '.'); /* no half one */
                assert_in_range(strlen(health.advice), 1, sizeof(health.advice) - 1);
        }
}

/* The health of two volumes that are well by themselves, with what was noted. */
static void assert_told(
                const Trouble troubles[],
                size_t n,
                HealthLevel level,
                const char *reason,
                const char *advice) {
        const VolumeStatus volumes[] = { healthy(1), healthy(2) };
        Health health;

        health_of(&(HealthInput){ .volumes = volumes,
                                  .n_volumes = ELEMENTSOF(volumes),
                                  .troubles = troubles,
                                  .n_troubles = n,
                                  .copies = 1,
                                  .now_usec = NOW },
                  &health);
        assert_string_equal(health.reason, reason);
        assert_string_equal(health.advice, advice);
        assert_int_equal(health.level, level);
}

TEST(what_was_noted_is_told_worst_first) {
        const Trouble clock = { TROUBLE_CLOCK, 2, NOW, "600 s ahead of" };
        const Trouble full = { TROUBLE_INDEX_DISK_FULL, 0, NOW, "/var/lib/dkv" };

        assert_told(&clock, 1, HEALTH_DEGRADED,
                    "The clock of volume 2 is 600 s ahead of the master's since 22:13:20.",
                    "Set the clocks of both machines right: timedatectl; chronyc tracking");
        assert_told((const Trouble[]){ full, clock }, 2, HEALTH_DOWN,
                    "Nothing can be stored since 22:13:20: the disk of the index in '/var/lib/dkv' is full."
                    " The clock of volume 2 is 600 s ahead of the master's since 22:13:20.",
                    "Make room in the master's directory, or give it a larger disk; it goes on by itself.");
}

TEST(many_of_a_kind_are_listed) {
        Trouble troubles[20];

        for (uint32_t i = 0; i < ELEMENTSOF(troubles); i++)
                troubles[i] = (Trouble){ TROUBLE_CLOCK, i + 1, 0, "9 s behind" };
        assert_told(troubles, 5, HEALTH_DEGRADED,
                    "The clock of volume 1 is 9 s behind the master's."
                    " The clock of volume 2 is 9 s behind the master's."
                    " The clock of volume 3 is 9 s behind the master's."
                    " The same is true of volumes 4 and 5.",
                    "Set the clocks of both machines right: timedatectl; chronyc tracking");
        assert_told(troubles, 20, HEALTH_DEGRADED,
                    "The clock of volume 1 is 9 s behind the master's."
                    " The clock of volume 2 is 9 s behind the master's."
                    " The clock of volume 3 is 9 s behind the master's."
                    " The same is true of volumes 4, 5, 6, 7, 8 and 12 others.",
                    "Set the clocks of both machines right: timedatectl; chronyc tracking");
}

static void add_name(const Trouble *trouble, void *userdata) {
        char *names = userdata;

        (void) sprintf(names + strlen(names), "%s/%u ", trouble_info(trouble->kind)->name,
                       trouble->volume);
}

TEST(each_trouble_is_handed_out) {
        const VolumeStatus volumes[] = { healthy(1), down(2, 60), in_maintenance(healthy(3)) };
        const Trouble clock = { TROUBLE_CLOCK, 1, NOW, "600 s ahead of" };
        char names[200] = "";

        health_each(&(HealthInput){ .volumes = volumes,
                                    .n_volumes = ELEMENTSOF(volumes),
                                    .troubles = &clock,
                                    .n_troubles = 1,
                                    .copies = 3,
                                    .now_usec = NOW },
                    add_name, names);
        assert_string_equal(names, "too-few-volumes/0 down/2 clock/1 maintenance/3 ");
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(levels_have_names),
                cmocka_unit_test(all_is_well),
                cmocka_unit_test(a_cluster_begins_with_a_volume),
                cmocka_unit_test(new_volumes_wait_to_be_added),
                cmocka_unit_test(a_volume_that_is_down_is_missed),
                cmocka_unit_test(calls_tell_why_a_volume_is_down),
                cmocka_unit_test(what_was_not_heard_of_yet_is_not_up),
                cmocka_unit_test(draining_is_no_reason_to_worry),
                cmocka_unit_test(without_a_majority_nothing_is_stored),
                cmocka_unit_test(copies_want_as_many_volumes),
                cmocka_unit_test(maintenance_is_no_reason_to_worry),
                cmocka_unit_test(space_runs_out_visibly),
                cmocka_unit_test(many_volumes_are_counted),
                cmocka_unit_test(what_was_noted_is_told_worst_first),
                cmocka_unit_test(many_of_a_kind_are_listed),
                cmocka_unit_test(each_trouble_is_handed_out),
        };

        (void) setenv("TZ", "UTC", true);
        tzset();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
