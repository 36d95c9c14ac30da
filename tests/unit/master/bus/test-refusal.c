/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Why something cannot be done: a sentence for each reason, with the number of the volume or of the
 * job. */

#include "test.h"

#include <errno.h>
#include <stdio.h>

#include "master/bus/bus-content.h"
#include "master/bus/bus-fixture.h"
#include "master/bus/bus-reports.h"
#include "master/bus/refusal.h"

/* Sentences that no method can be made to say at will. */
TEST(each_refusal_has_a_sentence) {
        static const struct {
                Asked asked;
                int error;
                uint32_t number;
                const char *text;
        } table[] = {
                { ASKED_ADD, -EHOSTDOWN, 4, "Volume 4 does not report; start it first." },
                { ASKED_ADD, -EBUSY, 4, "Volume 4 was removed from the cluster." },
                { ASKED_ADD, -ENOSPC, 0, "The master's disk is full." },
                { ASKED_DELETE, -ENOENT, 0, "One of the volumes is not known to the master." },
                { ASKED_DELETE, -EBUSY, 4, "Volume 4 was removed already." },
                { ASKED_DELETE, -ENOSPC, 0,
                  "The other volumes have less free space than is to be moved." },
                { ASKED_COPIES, -EDQUOT, 0,
                  "There are fewer active volumes than that many copies." },
                { ASKED_SETTINGS, -EINVAL, 2, "Volume 2 cannot have these values." },
                { ASKED_SETTINGS, -EBUSY, 2, "Volume 2 was removed from the cluster." },
                { ASKED_REBALANCE, -EAGAIN, 0,
                  "Another plan is being made; try again in a while." },
                { ASKED_JOB, -ENOENT, 7, "Job 7 does not exist any more." },
                { ASKED_JOB, -EBUSY, 7, "Job 7 has ended already." },
                { ASKED_JOB, -EINVAL, 0, "A job makes from 1 to 64 calls at a time." },
        };
        RefusalSource source = { .jobs = ((Fixture *) *state)->jobs };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

                assert_int_equal(
                                refuse(&source, table[i].asked, table[i].error, table[i].number,
                                       &error),
                                table[i].error);
                assert_string_equal(error.message, table[i].text);
        }
}

/* What has no sentence of its own has that of the table of errors. */
TEST(other_errors_have_the_sentence_of_their_errno) {
        RefusalSource source = { .jobs = ((Fixture *) *state)->jobs };

        for (Asked asked = ASKED_ADD; asked <= ASKED_JOB; asked++) {
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

                assert_int_equal(refuse(&source, asked, -EREMCHG, 1, &error), -EREMCHG);
                assert_string_equal(error.name, "org.dkv.Error.Conflict");
                assert_non_null(error.message);
        }
}

/* Sets what REFUSE returns against these jobs. */
static void assert_refusal(
                Fixture *fixture, Asked asked, int error, uint32_t number, const char *expected) {
        const RefusalSource source = { .jobs = fixture->jobs };
        _cleanup_(sd_bus_error_free) sd_bus_error told = SD_BUS_ERROR_NULL;

        assert_int_equal(refuse(&source, asked, error, number, &told), error);
        assert_string_equal(told.message, expected);
}

/* The last drain of a volume decides; the one of volume 2 was cancelled, those of 3 and 4 go on. */
static int with_drains(void **state) {
        static const JobStatus jobs[] = {
                { .id = 1,
                  .type = JOB_DRAIN,
                  .state = JOB_PAUSED,
                  .numbers = { 2 },
                  .n_numbers = 1 },
                { .id = 2,
                  .type = JOB_DRAIN,
                  .state = JOB_CANCELLED,
                  .numbers = { 2 },
                  .n_numbers = 1 },
                { .id = 3,
                  .type = JOB_DRAIN,
                  .state = JOB_PAUSED,
                  .numbers = { 3, 4 },
                  .n_numbers = 2 },
                { .id = 4,
                  .type = JOB_DRAIN,
                  .state = JOB_FAILED,
                  .numbers = { 5 },
                  .n_numbers = 1 },
                { .id = 5, .type = JOB_DRAIN, .state = JOB_DONE, .numbers = { 6 }, .n_numbers = 1 },
                { .id = 6,
                  .type = JOB_REBALANCE,
                  .state = JOB_PAUSED,
                  .numbers = { 7 },
                  .n_numbers = 1 },
        };
        Fixture *fixture = fixture_new();

        keep_jobs(fixture, jobs, ELEMENTSOF(jobs), NULL, 0);
        start_jobs(fixture);
        start_bus(fixture);
        *state = fixture;
        return 0;
}

TEST(the_job_that_drains_a_volume_is_named) {
        static const struct {
                uint32_t number, job; /* 0 for none */
        } table[] = { { 2, 0 }, { 3, 3 }, { 4, 3 }, { 5, 4 }, { 6, 0 }, { 7, 0 }, { 8, 0 } };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                char expected[128];

                if (table[i].job > 0)
                        (void) snprintf(expected, sizeof(expected),
                                        "Volume %u is being drained by job %u; cancel that job "
                                        "first, or wait for its end.",
                                        table[i].number, table[i].job);
                else
                        (void) snprintf(expected, sizeof(expected),
                                        "Volume %u was removed from the cluster.", table[i].number);
                assert_refusal(*state, ASKED_ADD, -EBUSY, table[i].number, expected);
        }
}

TEST(too_few_volumes_for_so_many_copies_are_explained_by_the_last_drain) {
        assert_refusal(*state, ASKED_COPIES, -EDQUOT, 0,
                       "There are fewer active volumes than that many copies; volume 5 is being "
                       "drained by job 4.");
}

/* A drain has nothing to do with these. */
TEST(a_job_is_named_only_where_it_is_in_the_way) {
        assert_refusal(*state, ASKED_SETTINGS, -EBUSY, 3, "Volume 3 was removed from the cluster.");
        assert_refusal(*state, ASKED_JOB, -EBUSY, 3, "Job 3 has ended already.");
        assert_refusal(*state, ASKED_DELETE, -EBUSY, 0, "One of the volumes was removed already.");
        assert_refusal(*state, ASKED_DELETE, -EDQUOT, 3,
                       "Then fewer active volumes would be left than each value has copies.");
}

TEST(an_unknown_outcome_is_no_refusal) {
        const RefusalSource source = { .jobs = ((Fixture *) *state)->jobs };

        for (Asked asked = ASKED_ADD; asked <= ASKED_JOB; asked++) {
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

                assert_int_equal(
                                refuse(&source, asked, INDEX_ERROR_UNKNOWN, 1, &error),
                                INDEX_ERROR_UNKNOWN);
                assert_string_equal(error.name, "org.dkv.Error.OutcomeUnknown");
                assert_string_equal(error.message, "It is not known whether this was done.");
        }
}

#define WITH_DRAINS(test) cmocka_unit_test_setup_teardown(test, with_drains, stop)

int main(void) {
        static const struct CMUnitTest tests[] = {
                WITH_VOLUMES(each_refusal_has_a_sentence),
                WITH_VOLUMES(other_errors_have_the_sentence_of_their_errno),
                WITH_DRAINS(the_job_that_drains_a_volume_is_named),
                WITH_DRAINS(too_few_volumes_for_so_many_copies_are_explained_by_the_last_drain),
                WITH_DRAINS(a_job_is_named_only_where_it_is_in_the_way),
                WITH_VOLUMES(an_unknown_outcome_is_no_refusal),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
