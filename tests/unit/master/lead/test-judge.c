/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>

#include "master/lead/judge.h"

static const LeadStanding standing = {
        .cluster = { 1 },
        .reach = { .term = 5, .version = 1000, .revision = 300 },
};

static LeadReport member(void) {
        return (LeadReport){
                .volume = 2,
                .member = LEAD_MEMBER,
                .is_bound = true,
                .cluster = { 1 },
                .reach = { .term = 5, .version = 999, .revision = 300 },
                .objects = 10,
        };
}

TEST(a_volume_that_has_seen_no_more_than_the_index_fits) {
        LeadReport report = member();

        assert_int_equal(lead_judge(&standing, &report), LEAD_FITS);
        report.is_bound = false; /* from before there were ids */
        assert_int_equal(lead_judge(&standing, &report), LEAD_FITS);
        report.reach = (LeadReach){};
        assert_int_equal(lead_judge(&standing, &report), LEAD_FITS);
}

TEST(each_number_alone_shows_that_the_index_is_older) {
        const LeadReach ahead[] = {
                { .term = 6, .version = 999, .revision = 300 },
                { .term = 5, .version = 1000, .revision = 300 },
                { .term = 5, .version = 999, .revision = 301 },
        };

        for (size_t i = 0; i < ELEMENTSOF(ahead); i++) {
                LeadReport report = member();

                report.reach = ahead[i];
                assert_int_equal(lead_judge(&standing, &report), LEAD_IS_AHEAD);
                report.is_bound = false;
                assert_int_equal(lead_judge(&standing, &report), LEAD_IS_AHEAD);

                /* It joined, or was replaced, in the time that the index has lost. */
                report.is_bound = true;
                report.member = LEAD_UNKNOWN;
                assert_int_equal(lead_judge(&standing, &report), LEAD_IS_AHEAD);
                report.member = LEAD_OTHER;
                assert_int_equal(lead_judge(&standing, &report), LEAD_IS_AHEAD);
        }
}

TEST(a_store_of_another_cluster_is_a_stranger_whatever_it_holds) {
        LeadReport report = member();

        report.cluster[0] = 2;
        assert_int_equal(lead_judge(&standing, &report), LEAD_IS_STRANGER);
        report.member = LEAD_UNKNOWN;
        report.objects = 0;
        report.reach = (LeadReach){ .term = 1 };
        assert_int_equal(lead_judge(&standing, &report), LEAD_IS_STRANGER);
}

TEST(an_unknown_store_with_values_is_a_stranger) {
        LeadReport report = { .volume = 4, .member = LEAD_UNKNOWN };

        assert_int_equal(lead_judge(&standing, &report), LEAD_FITS); /* a new one */
        report.objects = 1;
        report.reach.version = 7;
        assert_int_equal(lead_judge(&standing, &report), LEAD_IS_STRANGER);

        /* It has none any more, but would refuse what we order. */
        report.objects = 0;
        report.reach.version = 5000;
        assert_int_equal(lead_judge(&standing, &report), LEAD_IS_STRANGER);
}

TEST(a_reach_is_raised_number_by_number) {
        LeadReach reach = { .term = 3, .version = 10, .revision = 5 };

        lead_reach_raise(&reach, &(LeadReach){ .term = 1, .version = 20, .revision = 4 });
        assert_int_equal(reach.term, 3);
        assert_int_equal(reach.version, 20);
        assert_int_equal(reach.revision, 5);
}

TEST(an_answer_that_is_read_late_is_no_sign_of_life) {
        /* Noticed at 1000, asked at 1500: a report of 1400, and one of 700. */
        assert_int_equal(lead_was_alive_after(1000, 1500, 100), 400);
        assert_int_equal(lead_was_alive_after(1000, 1500, 800), 0);
        assert_int_equal(lead_was_alive_after(1000, 1500, UINT64_MAX), 0);

        /* Asked before; when the answer was read does not matter. */
        assert_int_equal(lead_was_alive_after(1000, 900, 0), 0);
}

TEST(a_report_with_numbers_that_would_overflow_is_refused) {
        const uint64_t limit = UINT64_C(1) << 62;
        const VolumeReport impossible[] = {
                { .lead.term = limit },     { .version_max = limit },  { .deletion = limit },
                { .revision = UINT64_MAX }, { .objects_ever = limit },
        };
        LeadReport report;

        for (size_t i = 0; i < ELEMENTSOF(impossible); i++)
                assert_int_equal(lead_report_of(impossible + i, LEAD_MEMBER, &report), -EINVAL);
}

TEST(a_report_says_how_far_its_volume_has_come) {
        VolumeReport volume = { .number = 3, .version_max = 8, .deletion = 9, .revision = 7 };
        LeadReport report;

        volume.objects = 4;
        assert_int_equal(lead_report_of(&volume, LEAD_OTHER, &report), 0);
        assert_int_equal(report.volume, 3);
        assert_int_equal(report.member, LEAD_OTHER);
        assert_false(report.is_bound);
        assert_int_equal(report.reach.version, 9); /* the higher of the two */
        assert_int_equal(report.reach.revision, 7);
        assert_int_equal(report.objects, 4);

        volume.lead.cluster[0] = 1;
        volume.lead.term = 5;
        assert_int_equal(lead_report_of(&volume, LEAD_MEMBER, &report), 0);
        assert_true(report.is_bound);
        assert_int_equal(report.cluster[0], 1);
        assert_int_equal(report.reach.term, 5);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_volume_that_has_seen_no_more_than_the_index_fits),
                cmocka_unit_test(each_number_alone_shows_that_the_index_is_older),
                cmocka_unit_test(a_store_of_another_cluster_is_a_stranger_whatever_it_holds),
                cmocka_unit_test(an_unknown_store_with_values_is_a_stranger),
                cmocka_unit_test(a_reach_is_raised_number_by_number),
                cmocka_unit_test(an_answer_that_is_read_late_is_no_sign_of_life),
                cmocka_unit_test(a_report_with_numbers_that_would_overflow_is_refused),
                cmocka_unit_test(a_report_says_how_far_its_volume_has_come),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
