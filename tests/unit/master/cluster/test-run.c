/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which of several daemons on copies of one store is the volume. */

#include "test.h"

#include <errno.h>

#include "master/cluster/run.h"
#include "master/volumes-fixture.h"
#include "store/index/identity.h"

#define NUMBER 1
#define HOME   "http://home:3001"
#define AWAY   "http://away:3001"

static VolumeReport report_of(uint64_t run, const char *url) {
        VolumeReport report = make_report(NUMBER);

        report.run = run;
        report.url = url;
        return report;
}

static int hear(Fixture *fixture, uint64_t run, const char *url) {
        VolumeReport report = report_of(run, url);

        return send_report(fixture, &report);
}

/* Somebody at the volume's address says that it is this run. */
static void answer(Fixture *fixture, uint64_t run) {
        volumes_note_answer(
                        fixture->volumes,
                        &(StoreIdentity){ .number = NUMBER, .uuid = { NUMBER }, .run = run });
}

static int call_as(Fixture *fixture, uint64_t run) {
        const StoreIdentity from = { .number = NUMBER, .uuid = { NUMBER }, .run = run };

        return volumes_check_caller(fixture->volumes, &from);
}

/* To whom orders go, and where; 0 if to nobody. */
static uint64_t receiver(Fixture *fixture, const char *expected_url) {
        char url[VOLUME_URL_SIZE];
        Parties parties;

        if (volumes_receiver(fixture->volumes, NUMBER, &parties, url) < 0)
                return 0;
        assert_string_equal(url, expected_url);
        assert_true(leadership_equal(&parties.lead, index_identity(fixture->index)));
        return parties.to.run;
}

TEST(the_first_run_that_reports_is_the_volume) {
        Fixture *fixture = *state;

        assert_int_equal(receiver(fixture, ""), 0);
        assert_int_equal(call_as(fixture, 1), -EINPROGRESS);
        assert_int_equal(hear(fixture, 1, HOME), 0);
        assert_int_equal(receiver(fixture, HOME), 1);
        assert_int_equal(call_as(fixture, 1), 0);
        assert_int_equal(call_as(fixture, 2), -EINPROGRESS);
}

TEST(a_second_run_elsewhere_is_refused_while_the_first_is_up) {
        Fixture *fixture = *state;

        assert_int_equal(hear(fixture, 1, HOME), 0);
        for (int i = 0; i < 5; i++) {
                assert_int_equal(hear(fixture, 2, AWAY), -ENOTUNIQ);
                shift_clock(TIMEOUT_SEC / 2);
                assert_int_equal(hear(fixture, 1, HOME), 0);
        }
        assert_int_equal(receiver(fixture, HOME), 1);
        assert_int_equal(call_as(fixture, 2), -EINPROGRESS);

        shift_clock(TIMEOUT_SEC);
        assert_int_equal(hear(fixture, 2, AWAY), 0);
        assert_int_equal(receiver(fixture, AWAY), 2);
        assert_int_equal(hear(fixture, 1, HOME), -ENOTUNIQ);
}

/* Two daemons cannot listen at one address: whoever answers there is the volume. */
TEST(at_one_address_the_run_that_answers_is_the_volume) {
        Fixture *fixture = *state;

        assert_int_equal(hear(fixture, 1, HOME), 0);
        assert_int_equal(hear(fixture, 2, HOME), -EINPROGRESS); /* somebody has to ask */
        answer(fixture, 2);
        assert_int_equal(hear(fixture, 2, HOME), 0);
        assert_int_equal(receiver(fixture, HOME), 2);
        assert_int_equal(call_as(fixture, 1), -EINPROGRESS);
        assert_int_equal(call_as(fixture, 2), 0);
}

TEST(a_run_that_claims_the_address_of_another_is_found_out) {
        Fixture *fixture = *state;

        assert_int_equal(hear(fixture, 1, HOME), 0);
        assert_int_equal(hear(fixture, 2, HOME), -EINPROGRESS);
        shift_clock(1);
        answer(fixture, 1);
        assert_int_equal(hear(fixture, 2, HOME), -ENOTUNIQ);
        assert_int_equal(hear(fixture, 1, HOME), 0);
        assert_int_equal(receiver(fixture, HOME), 1);
}

/* That was before it was doubted. */
TEST(an_answer_of_long_ago_proves_nothing) {
        Fixture *fixture = *state;

        assert_int_equal(hear(fixture, 1, HOME), 0);
        answer(fixture, 1);
        shift_clock(1);
        assert_int_equal(hear(fixture, 2, HOME), -EINPROGRESS);
        assert_int_equal(hear(fixture, 2, HOME), -EINPROGRESS);
}

TEST(after_a_restart_of_the_master_the_map_says_where_the_volume_is) {
        Fixture *fixture = *state;

        assert_int_equal(hear(fixture, 1, HOME), 0);
        reopen(fixture, true);
        assert_int_equal(hear(fixture, 2, AWAY), -EINPROGRESS); /* the other may be yet to come */
        assert_int_equal(hear(fixture, 1, HOME), 0);
        assert_int_equal(hear(fixture, 2, AWAY), -ENOTUNIQ);

        reopen(fixture, true);
        shift_clock(TIMEOUT_SEC); /* it does not come */
        assert_int_equal(hear(fixture, 2, AWAY), 0);
}

TEST(a_report_that_is_overtaken_is_not_taken_back) {
        Fixture *fixture = *state;
        VolumeReport first = report_of(1, HOME), second = report_of(1, AWAY);

        assert_int_equal(send_report(fixture, &second), 0);
        assert_int_equal(send_report(fixture, &first), -EALREADY);
        assert_int_equal(send_report(fixture, &second), -EALREADY);
        assert_int_equal(receiver(fixture, AWAY), 1);
}

TEST(a_report_of_a_copy_is_told_apart_before_it_is_judged) {
        Fixture *fixture = *state;
        VolumeReport home = report_of(1, HOME), copy = report_of(2, AWAY),
                     restarted = report_of(2, HOME), other = report_of(2, AWAY);

        other.uuid[0] = 99;
        assert_false(volumes_has_other_run(fixture->volumes, &copy)); /* nobody else is known */
        assert_int_equal(send_report(fixture, &home), 0);
        assert_true(volumes_has_other_run(fixture->volumes, &copy));
        assert_false(volumes_has_other_run(fixture->volumes, &home));
        assert_false(volumes_has_other_run(fixture->volumes, &restarted));
        assert_false(volumes_has_other_run(fixture->volumes, &other)); /* that is another matter */
        shift_clock(TIMEOUT_SEC);
        assert_false(volumes_has_other_run(fixture->volumes, &copy));
}

TEST(what_the_map_says_of_a_store) {
        Fixture *fixture = *state;
        const uint8_t uuid[16] = { NUMBER }, other[16] = { 99 };

        assert_int_equal(volumes_find_store(fixture->volumes, NUMBER, uuid), LEAD_UNKNOWN);
        assert_int_equal(volumes_count_used(fixture->volumes), 0);
        assert_int_equal(hear(fixture, 1, HOME), 0);
        assert_int_equal(volumes_find_store(fixture->volumes, NUMBER, uuid), LEAD_MEMBER);
        assert_int_equal(volumes_find_store(fixture->volumes, NUMBER, other), LEAD_OTHER);
        assert_int_equal(volumes_find_store(fixture->volumes, 2, uuid), LEAD_UNKNOWN);
        assert_int_equal(volumes_count_used(fixture->volumes), 1);
}

TEST(an_answer_for_a_volume_that_nobody_knows_is_forgotten) {
        Fixture *fixture = *state;

        volumes_note_answer(fixture->volumes, &(StoreIdentity){ .number = VOLUME_MAX, .run = 1 });
        answer(fixture, 2);
        assert_int_equal(hear(fixture, 1, HOME), 0);
        assert_int_equal(receiver(fixture, HOME), 1);
}

TEST(a_call_of_another_store_is_not_the_volume_s) {
        Fixture *fixture = *state;
        const StoreIdentity other = { .number = NUMBER, .uuid = { 99 }, .run = 1 };

        assert_int_equal(hear(fixture, 1, HOME), 0);
        assert_int_equal(volumes_check_caller(fixture->volumes, &other), -EREMOTE);
}

/* Three runs of one store report, answer and fall silent in any order. Whatever happens, another
 * run becomes the volume only if the one before is down or was replaced at its own address. */
TEST(no_order_of_events_makes_two_runs_the_volume) {
        static const char *const urls[] = { HOME, AWAY };
        Fixture *fixture = *state;
        uint64_t current = 0, answering = 0, silent_sec = 0, n_changes = 0;
        const char *at = NULL;
        unsigned seed = 23;

        for (int i = 0; i < 4000; i++) {
                uint64_t run = (uint64_t) rand_r(&seed) % 3 + 1;
                const char *url = urls[rand_r(&seed) % 2];
                VolumeReport report = report_of(run, url);
                uint64_t sec;
                int r;

                switch (rand_r(&seed) % 4) {
                case 0:
                        answer(fixture, run);
                        answering = run;
                        break;
                case 1:
                        sec = (uint64_t) rand_r(&seed) % TIMEOUT_SEC;
                        shift_clock(sec);
                        silent_sec += sec;
                        break;
                default:
                        r = volumes_report(fixture->volumes, &report);
                        if (r == 0 && run != current) {
                                bool is_down = silent_sec >= TIMEOUT_SEC;

                                assert_true(current == 0 || is_down ||
                                            (strcmp(url, at) == 0 && answering == run));
                                n_changes++;
                                settle(fixture); /* the map knows it */
                        }
                        if (run == current && current != 0)
                                assert_int_equal(r, 0); /* the volume is never refused */
                        if (r == 0) {
                                current = run;
                                at = url;
                                silent_sec = 0;
                        }
                }
                if (current != 0 && silent_sec < TIMEOUT_SEC)
                        assert_int_equal(receiver(fixture, at), current);
                for (uint64_t other = 1; other <= 3; other++)
                        assert_int_equal(call_as(fixture, other) == 0, other == current);
                if (i % 100 == 0)
                        settle(fixture);
        }
        assert_true(n_changes > 20);
        settle(fixture);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(the_first_run_that_reports_is_the_volume),
                RUN(a_second_run_elsewhere_is_refused_while_the_first_is_up),
                RUN(at_one_address_the_run_that_answers_is_the_volume),
                RUN(a_run_that_claims_the_address_of_another_is_found_out),
                RUN(an_answer_of_long_ago_proves_nothing),
                RUN(after_a_restart_of_the_master_the_map_says_where_the_volume_is),
                RUN(a_report_that_is_overtaken_is_not_taken_back),
                RUN(a_report_of_a_copy_is_told_apart_before_it_is_judged),
                RUN(what_the_map_says_of_a_store),
                RUN(an_answer_for_a_volume_that_nobody_knows_is_forgotten),
                RUN(a_call_of_another_store_is_not_the_volume_s),
                RUN(no_order_of_events_makes_two_runs_the_volume),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
