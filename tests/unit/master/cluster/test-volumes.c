/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "master/cluster/choice.h"
#include "master/cluster/report.h"
#include "master/cluster/run.h"
#include "master/volumes-fixture.h"

/* What is known of the only volume there is. */
static VolumeStatus only_status(Fixture *fixture, uint64_t epoch) {
        _cleanup_free_ VolumeStatus *list = NULL;
        uint64_t the_epoch;
        size_t n;

        assert_int_equal(volumes_list(fixture->volumes, &list, &n, &the_epoch), 0);
        assert_int_equal(n, 1);
        assert_int_equal(the_epoch, epoch);
        return list[0];
}

TEST(there_is_no_volume_at_first) {
        Fixture *fixture = *state;
        _cleanup_free_ VolumeStatus *list = NULL;
        uint32_t placed[COPIES_MAX];
        char url[VOLUME_URL_SIZE];
        uint64_t epoch;
        size_t n;

        assert_int_equal(volumes_list(fixture->volumes, &list, &n, &epoch), 0);
        assert_int_equal(n, 0);
        assert_int_equal(volumes_place(fixture->volumes, 1, 1, 0, placed), -EHOSTDOWN);
        assert_int_equal(volumes_url(fixture->volumes, 1, url), -ENOENT);
}

TEST(the_first_report_makes_a_volume_active_for_good) {
        Fixture *fixture = *state;
        VolumeStatus status;
        uint32_t placed[COPIES_MAX];
        char url[VOLUME_URL_SIZE];

        report(fixture, 4);
        report(fixture, 4); /* changes nothing */
        for (int round = 0; round < 2; round++) {
                status = only_status(fixture, 1);
                assert_int_equal(status.number, 4);
                assert_int_equal(status.weight, 1);
                assert_int_equal(status.state, VOLUME_ACTIVE);
                assert_true(status.up);
                assert_string_equal(status.url, "http://volume-4:3001");
                assert_string_equal(status.zone, "here");
                assert_int_equal(volumes_url(fixture->volumes, 4, url), 0);
                assert_string_equal(url, "http://volume-4:3001");
                assert_int_equal(volumes_place(fixture->volumes, 1, 3, 0, placed), 1);
                assert_int_equal(placed[0], 4);

                /* After a restart it is believed to be up as long as it could be. */
                reopen(fixture, true);
        }
        shift_clock(TIMEOUT_SEC);
        assert_false(only_status(fixture, 1).up);

        report(fixture, 4);
        status = only_status(fixture, 1);
        assert_int_equal(status.disk_free, FREE);
        assert_int_equal(status.disk_size, 2 * FREE);
        assert_int_equal(status.objects, 7);
        assert_int_equal(status.bytes, 8);
        assert_int_equal(status.pending, 9);
}

TEST(status_says_who_reported_when) {
        Fixture *fixture = *state;
        uint64_t before = clock_realtime();
        uint8_t uuid[16] = { 4 };
        VolumeStatus status;

        report(fixture, 4);
        status = only_status(fixture, 1);
        assert_memory_equal(status.uuid, uuid, sizeof(uuid));
        assert_in_range(status.seen_usec, before, clock_realtime());

        reopen(fixture, true);
        assert_int_equal(only_status(fixture, 1).seen_usec, 0);
}

static void note(Fixture *fixture, uint32_t number, int error) {
        volumes_note_call(fixture->volumes, number, &(RpcResult){ .error = error });
}

TEST(a_volume_that_is_not_reached_is_avoided) {
        Fixture *fixture = *state;
        Record record = { .copies = { 1, 2 }, .n_copies = 2 };
        uint32_t placed[COPIES_MAX];
        char url[VOLUME_URL_SIZE];

        for (uint32_t number = 1; number <= 3; number++)
                report(fixture, number);
        note(fixture, 2, -EHOSTDOWN);
        for (uint64_t hash = 0; hash < 100; hash++) {
                assert_int_equal(volumes_place(fixture->volumes, hash << 50, 2, 0, placed), 2);
                assert_int_not_equal(placed[0], 2);
                assert_int_not_equal(placed[1], 2);
                assert_int_equal(volumes_choose(fixture->volumes, &record, 0, url), 1);
        }

        /* Rather than nothing at all it is tried. */
        note(fixture, 1, -ETIMEDOUT);
        note(fixture, 3, -EACCES);
        assert_int_equal(volumes_place(fixture->volumes, 1, 2, 0, placed), 2);
        assert_in_range(volumes_choose(fixture->volumes, &record, 0, url), 1, 2);

        note(fixture, 2, 0);
        assert_int_equal(volumes_place(fixture->volumes, 1, 1, 0, placed), 1);
        assert_int_equal(placed[0], 2);
        assert_int_equal(volumes_choose(fixture->volumes, &record, 0, url), 2);
}

TEST(another_volume_takes_what_one_did_not) {
        Fixture *fixture = *state;
        uint32_t tried[] = { 3, 1 };

        for (uint32_t number = 1; number <= 3; number++)
                report(fixture, number);
        assert_int_equal(volumes_place_another(fixture->volumes, 1, 0, tried, 2), 2);
        assert_int_equal(volumes_place_another(fixture->volumes, 1, FREE, tried, 2), -ENOSPC);
        volumes_note_unfit(fixture->volumes, 2);
        assert_int_equal(volumes_place_another(fixture->volumes, 1, 0, tried, 2), -EHOSTDOWN);
        shift_clock(2);
        for (uint32_t number = 1; number <= 3; number++)
                report(fixture, number);
        assert_int_equal(volumes_place_another(fixture->volumes, 1, 0, tried, 2), 2);
        note(fixture, 2, -ECONNRESET);
        assert_int_equal(volumes_place_another(fixture->volumes, 1, 0, tried, 2), -EHOSTDOWN);
}

TEST(by_hand_a_volume_stays_new) {
        Fixture *fixture = *state;
        uint32_t placed[COPIES_MAX];

        for (int round = 0; round < 2; round++) {
                report(fixture, 4);
                assert_int_equal(only_status(fixture, 1).state, VOLUME_NEW);
                assert_int_equal(volumes_place(fixture->volumes, 1, 1, 0, placed), -EHOSTDOWN);
                reopen(fixture, false);
        }

        /* Who changes his mind does not have to do it again for those that are there. */
        reopen(fixture, true);
        report(fixture, 4);
        assert_int_equal(only_status(fixture, 2).state, VOLUME_ACTIVE);
}

TEST(a_number_belongs_to_one_store) {
        Fixture *fixture = *state;
        VolumeReport other = make_report(4);

        other.uuid[15] = 1;
        other.url = "http://thief:3001";
        report(fixture, 4);

        for (int round = 0; round < 2; round++) {
                assert_int_equal(send_report(fixture, &other), -EEXIST);
                assert_string_equal(only_status(fixture, 1).url, "http://volume-4:3001");
                reopen(fixture, true);
        }

        /* Neither does it keep the volume up. */
        shift_clock(TIMEOUT_SEC);
        assert_int_equal(send_report(fixture, &other), -EEXIST);
        assert_false(only_status(fixture, 1).up);
}

TEST(a_volume_may_move) {
        Fixture *fixture = *state;
        VolumeReport moved;

        report(fixture, 4);
        moved = make_report(4);
        moved.run++;
        moved.url = "http://elsewhere:3001";
        moved.zone = "there";
        assert_int_equal(send_report(fixture, &moved), -ENOTUNIQ);
        shift_clock(TIMEOUT_SEC);
        assert_int_equal(send_report(fixture, &moved), 0);

        reopen(fixture, true);
        assert_string_equal(only_status(fixture, 2).url, "http://elsewhere:3001");
        assert_string_equal(only_status(fixture, 2).zone, "there");
}

TEST(what_calls_came_to_at_the_old_address_is_forgotten) {
        Fixture *fixture = *state;
        VolumeReport moved;

        report(fixture, 4);
        note(fixture, 4, -EHOSTDOWN);
        report(fixture, 4);
        assert_int_equal(only_status(fixture, 1).contact.n_failed, 1);

        moved = make_report(4);
        moved.url = "http://elsewhere:3001";
        assert_int_equal(send_report(fixture, &moved), 0);
        assert_int_equal(only_status(fixture, 2).contact.n_failed, 0);

        /* After a restart the master calls where the map has it, until it reports. */
        reopen(fixture, true);
        note(fixture, 4, -EHOSTDOWN);
        assert_int_equal(send_report(fixture, &moved), 0);
        assert_int_equal(only_status(fixture, 2).contact.n_failed, 1);
        reopen(fixture, true);
        shift_clock(TIMEOUT_SEC);
        note(fixture, 4, -EHOSTDOWN);
        moved.url = "http://elsewhere:3002";
        assert_int_equal(send_report(fixture, &moved), 0);
        assert_int_equal(only_status(fixture, 3).contact.n_failed, 0);
}

static VolumeReport make_report_of(uint64_t run, const char *url) {
        VolumeReport report = make_report(4);

        report.run = run;
        report.url = url;
        return report;
}

static int send_report_of(Fixture *fixture, uint64_t run, const char *url) {
        VolumeReport report = make_report_of(run, url);

        return send_report(fixture, &report);
}

TEST(of_two_runs_the_older_stays) {
        Fixture *fixture = *state;
        Parties parties;
        VolumeReport copy;
        char url[VOLUME_URL_SIZE];

        assert_int_equal(send_report_of(fixture, 1, "http://a:1"), 0);
        for (int i = 0; i < 3; i++) {
                assert_int_equal(send_report_of(fixture, 2, "http://b:1"), -ENOTUNIQ);
                assert_int_equal(send_report_of(fixture, 1, "http://a:1"), 0);
                assert_string_equal(only_status(fixture, 1).url, "http://a:1");
        }
        assert_int_equal(volumes_receiver(fixture->volumes, 4, &parties, url), 0);
        assert_int_equal(parties.to.run, 1);
        assert_string_equal(url, "http://a:1");

        /* Until it is down. */
        copy = make_report_of(2, "http://b:1");
        assert_true(volumes_has_other_run(fixture->volumes, &copy));
        copy.run = 1;
        assert_false(volumes_has_other_run(fixture->volumes, &copy));
        copy = make_report_of(2, "http://a:1"); /* it was restarted, perhaps */
        assert_false(volumes_has_other_run(fixture->volumes, &copy));
        copy = make_report_of(2, "http://b:1");
        copy.uuid[0] ^= 1; /* another store */
        assert_false(volumes_has_other_run(fixture->volumes, &copy));
        shift_clock(TIMEOUT_SEC);
        copy = make_report_of(2, "http://b:1");
        assert_false(volumes_has_other_run(fixture->volumes, &copy));
        assert_int_equal(send_report_of(fixture, 2, "http://b:1"), 0);
        assert_int_equal(send_report_of(fixture, 1, "http://a:1"), -ENOTUNIQ);
        assert_int_equal(volumes_receiver(fixture->volumes, 4, &parties, url), 0);
        assert_int_equal(parties.to.run, 2);
        assert_string_equal(url, "http://b:1");
}

TEST(a_volume_that_comes_back_to_its_address_was_restarted) {
        Fixture *fixture = *state;
        StoreIdentity first = { .number = 4, .run = 1 }, second = { .number = 4, .run = 2 };

        assert_int_equal(send_report_of(fixture, 1, "http://a:1"), 0);
        assert_int_equal(send_report_of(fixture, 2, "http://a:1"), -EINPROGRESS);
        volumes_note_answer(fixture->volumes, &second);
        assert_int_equal(send_report_of(fixture, 2, "http://a:1"), 0);

        /* One that only says to be there was not. */
        assert_int_equal(send_report_of(fixture, 3, "http://a:1"), -EINPROGRESS);
        volumes_note_answer(fixture->volumes, &second);
        assert_int_equal(send_report_of(fixture, 3, "http://a:1"), -ENOTUNIQ);
        assert_int_equal(send_report_of(fixture, 2, "http://a:1"), 0);
        volumes_note_answer(fixture->volumes, &first);
        assert_int_equal(send_report_of(fixture, 3, "http://a:1"), -ENOTUNIQ);
        shift_clock(TIMEOUT_SEC);
        assert_int_equal(send_report_of(fixture, 3, "http://a:1"), 0);
}

/* After the master's start, the one that the map knows has a while to be heard of. */
TEST(the_map_knows_which_run_is_the_older_one) {
        Fixture *fixture = *state;
        Parties parties;
        char url[VOLUME_URL_SIZE];

        assert_int_equal(send_report_of(fixture, 1, "http://a:1"), 0);
        reopen(fixture, true);
        assert_int_equal(volumes_receiver(fixture->volumes, 4, &parties, url), -EINPROGRESS);
        assert_int_equal(send_report_of(fixture, 2, "http://b:1"), -EINPROGRESS);
        assert_int_equal(send_report_of(fixture, 1, "http://a:1"), 0);
        assert_int_equal(send_report_of(fixture, 2, "http://b:1"), -ENOTUNIQ);

        reopen(fixture, true);
        assert_int_equal(send_report_of(fixture, 2, "http://b:1"), -EINPROGRESS);
        shift_clock(TIMEOUT_SEC);
        assert_int_equal(send_report_of(fixture, 2, "http://b:1"), 0);
}

TEST(a_report_is_good_once) {
        Fixture *fixture = *state;
        VolumeReport older = make_report_of(1, "http://a:1"),
                     newer = make_report_of(1, "http://a:1");

        assert_int_equal(send_report(fixture, &newer), 0);
        assert_int_equal(send_report(fixture, &newer), -EALREADY);
        assert_int_equal(send_report(fixture, &older), -EALREADY);
        assert_int_equal(send_report_of(fixture, 1, "http://a:1"), 0);
}

TEST(a_store_has_one_number) {
        Fixture *fixture = *state;
        VolumeReport copy = make_report(5);

        report(fixture, 4);
        copy.uuid[0] = 4;
        assert_int_equal(send_report(fixture, &copy), -EEXIST);
        assert_int_equal(only_status(fixture, 1).number, 4);
}

TEST(the_run_that_reports_may_call) {
        Fixture *fixture = *state;
        StoreIdentity caller = { .number = 4, .uuid = { 4 }, .run = 1 };

        assert_int_equal(volumes_check_caller(fixture->volumes, &caller), -EINPROGRESS);
        assert_int_equal(send_report_of(fixture, 1, "http://a:1"), 0);
        assert_int_equal(volumes_check_caller(fixture->volumes, &caller), 0);
        caller.run = 2;
        assert_int_equal(volumes_check_caller(fixture->volumes, &caller), -EINPROGRESS);
        caller.uuid[15] = 1;
        assert_int_equal(volumes_check_caller(fixture->volumes, &caller), -EREMOTE);
}

TEST(reports_that_cannot_be_are_refused) {
        Fixture *fixture = *state;
        char long_url[VOLUME_URL_SIZE + 1] = "http://", long_zone[65] = "";
        const struct {
                uint32_t number;
                const char *url, *zone;
        } wrong[] = {
                { 0, "http://v", "" }, { VOLUME_MAX + 1, "http://v", "" },
                { 1, "", "" },         { 1, "https://v", "" },
                { 1, long_url, "" },   { 1, "http://v", long_zone },
        };

        memset(long_url + strlen(long_url), 'u', VOLUME_URL_SIZE - strlen(long_url));
        memset(long_zone, 'z', sizeof(long_zone) - 1);
        for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
                VolumeReport request = {
                        .number = wrong[i].number,
                        .run = 1,
                        .url = wrong[i].url,
                        .zone = wrong[i].zone,
                };

                assert_int_equal(volumes_report(fixture->volumes, &request), -EINVAL);
        }

        long_url[VOLUME_URL_SIZE - 1] = '\0';
        long_zone[sizeof(long_zone) - 2] = '\0';
        assert_int_equal(
                        send_report(fixture,
                                    &(VolumeReport){
                                                    .number = VOLUME_MAX,
                                                    .run = 1,
                                                    .sequence = 1,
                                                    .url = long_url,
                                                    .zone = long_zone,
                                    }),
                        0);
        assert_string_equal(only_status(fixture, 1).url, long_url);
        assert_string_equal(only_status(fixture, 1).zone, long_zone);
}

/* A report that comes while the map is being stored counts when it comes again. */
TEST(volumes_may_report_at_the_same_time) {
        Fixture *fixture = *state;
        _cleanup_free_ VolumeStatus *list = NULL;
        uint64_t epoch;
        size_t n;

        for (int round = 0; round < 5; round++) {
                for (uint32_t number = 1; number <= 5; number++) {
                        VolumeReport request = make_report(number);

                        assert_int_equal(volumes_report(fixture->volumes, &request), 0);
                }
                report(fixture, 1);
        }

        reopen(fixture, true);
        assert_int_equal(volumes_list(fixture->volumes, &list, &n, &epoch), 0);
        assert_int_equal(n, 5);
        for (size_t i = 0; i < n; i++) {
                assert_int_equal(list[i].number, i + 1);
                assert_int_equal(list[i].state, VOLUME_ACTIVE);
        }
}

/* How many of many values would have a copy on VOLUME, among those of COPIES that are placed. */
static unsigned count_placed(Fixture *fixture, size_t copies, int placed, uint32_t number) {
        unsigned n = 0;

        for (uint64_t hash = 0; hash < 100; hash++) {
                uint32_t numbers[COPIES_MAX];

                assert_int_equal(
                                volumes_place(fixture->volumes, hash << 56, copies, 1 * GIB,
                                              numbers),
                                placed);
                for (int i = 0; i < placed; i++)
                        n += numbers[i] == number;
        }
        return n;
}

TEST(placement_skips_volumes_that_are_down) {
        Fixture *fixture = *state;
        uint32_t placed[COPIES_MAX];

        for (uint32_t number = 1; number <= 3; number++)
                report(fixture, number);
        assert_int_equal(count_placed(fixture, 3, 3, 1), 100);
        assert_in_range(count_placed(fixture, 1, 1, 1), 1, 99);

        shift_clock(TIMEOUT_SEC);
        report(fixture, 2);
        report(fixture, 3);
        assert_int_equal(count_placed(fixture, 3, 2, 1), 0);
        assert_int_equal(count_placed(fixture, 1, 1, 1), 0);

        report(fixture, 1);
        assert_int_equal(count_placed(fixture, 3, 3, 1), 100);

        shift_clock(TIMEOUT_SEC);
        assert_int_equal(volumes_place(fixture->volumes, 1, 3, 0, placed), -EHOSTDOWN);
}

TEST(placement_skips_volumes_that_are_full) {
        Fixture *fixture = *state;
        uint32_t placed[COPIES_MAX];

        report(fixture, 1);
        report_free(fixture, 2, 1 * GIB);
        assert_int_equal(count_placed(fixture, 2, 1, 2), 0);
        report_free(fixture, 2, 1 * GIB + 1);
        assert_int_equal(count_placed(fixture, 2, 2, 2), 100);

        report_free(fixture, 1, 0);
        report_free(fixture, 2, 0);
        assert_int_equal(volumes_place(fixture->volumes, 1, 1, 0, placed), -ENOSPC);

        /* One that is down could have room. */
        shift_clock(TIMEOUT_SEC);
        report(fixture, 2);
        assert_int_equal(count_placed(fixture, 2, 1, 2), 100);
        report_free(fixture, 2, 0);
        assert_int_equal(volumes_place(fixture->volumes, 1, 1, 0, placed), -ENOSPC);
}

TEST(only_copies_on_live_volumes_are_chosen) {
        Fixture *fixture = *state;
        Record record = { .n_copies = 4, .copies = { 1, 2, 3, 9 } };
        unsigned chosen[4] = {};
        char url[VOLUME_URL_SIZE];

        for (uint32_t number = 1; number <= 3; number++)
                report(fixture, number);
        for (int i = 0; i < 40; i++) {
                int number = volumes_choose(fixture->volumes, &record, 0, url);
                VolumeReport expected;

                assert_in_range(number, 1, 3);
                expected = make_report((uint32_t) number);
                assert_string_equal(url, expected.url);
                chosen[number]++;
        }
        for (int number = 1; number <= 3; number++)
                assert_in_range(chosen[number], 10, 20);

        shift_clock(TIMEOUT_SEC);
        assert_int_equal(volumes_url(fixture->volumes, 3, url), -EHOSTDOWN);
        assert_string_equal(url, "http://volume-3:3001");
        report(fixture, 2);
        for (int i = 0; i < 8; i++)
                assert_int_equal(volumes_choose(fixture->volumes, &record, 0, url), 2);
        assert_string_equal(url, "http://volume-2:3001");

        /* One to be avoided is better than none. */
        report(fixture, 3);
        for (int i = 0; i < 8; i++)
                assert_int_equal(volumes_choose(fixture->volumes, &record, 1U << 1, url), 3);
        for (int i = 0; i < 8; i++)
                assert_in_range(volumes_choose(fixture->volumes, &record, 6, url), 2, 3);

        record = (Record){ .n_copies = 2, .copies = { 1, 9 } };
        assert_int_equal(volumes_choose(fixture->volumes, &record, 0, url), -EHOSTDOWN);
        record = (Record){};
        assert_int_equal(volumes_choose(fixture->volumes, &record, 0, url), -EHOSTDOWN);
}

TEST(who_comes_and_goes_is_announced_once) {
        Fixture *fixture = *state;

        report(fixture, 4);
        assert_int_equal(count_messages(fixture, "Volume 4 is up"), 1);
        shift_clock(TIMEOUT_SEC);
        assert_int_equal(count_messages(fixture, "Volume 4 is down"), 1);
        assert_int_equal(count_messages(fixture, "Volume 4"), 0);
        report(fixture, 4);
        assert_int_equal(count_messages(fixture, "Volume 4 is up"), 1);

        reopen(fixture, true);
        assert_int_equal(count_messages(fixture, "Volume 4"), 0);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(there_is_no_volume_at_first),
                RUN(the_first_report_makes_a_volume_active_for_good),
                RUN(status_says_who_reported_when),
                cmocka_unit_test_setup_teardown(
                                by_hand_a_volume_stays_new, setup_by_hand, teardown),
                RUN(a_volume_that_is_not_reached_is_avoided),
                RUN(another_volume_takes_what_one_did_not),
                RUN(a_number_belongs_to_one_store),
                RUN(a_volume_may_move),
                RUN(what_calls_came_to_at_the_old_address_is_forgotten),
                RUN(of_two_runs_the_older_stays),
                RUN(a_volume_that_comes_back_to_its_address_was_restarted),
                RUN(the_map_knows_which_run_is_the_older_one),
                RUN(a_report_is_good_once),
                RUN(a_store_has_one_number),
                RUN(the_run_that_reports_may_call),
                RUN(reports_that_cannot_be_are_refused),
                RUN(volumes_may_report_at_the_same_time),
                RUN(placement_skips_volumes_that_are_down),
                RUN(placement_skips_volumes_that_are_full),
                RUN(only_copies_on_live_volumes_are_chosen),
                RUN(who_comes_and_goes_is_announced_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
