/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A master that does not lead: what it says on the bus, what it refuses, and the way out. */

#include "test.h"

#include <errno.h>
#include <stdio.h>

#include "master/bus/bus-content.h"
#include "master/bus/bus-fixture.h"
#include "master/bus/bus-reports.h"
#include "store/index/engine/index-internal.h"
#include "store/index/identity.h"

static int setup(void **state) {
        Fixture *fixture = fixture_new();

        assert_ok(lead_new(
                        &(LeadOptions){
                                        .index = fixture->index,
                                        .troubles = fixture->troubles,
                                        .directory = fixture->directory,
                        },
                        ends.event, &fixture->lead));
        start_jobs(fixture);
        start_bus(fixture);
        report(fixture, 1);
        *state = fixture;
        return 0;
}

/* A volume of the cluster has a version that this index never gave out. */
static void find_out_to_be_older(Fixture *fixture) {
        VolumeReport ahead = {
                .number = 1,
                .run = 1,
                .sequence = 1,
                .version_max = index_next_version(fixture->index, VERSION_DIRECT) + (1U << 30),
                .objects = 1,
        };

        memcpy(ahead.lead.cluster, index_identity(fixture->index)->cluster, CLUSTER_ID_SIZE);
        assert_int_equal(lead_hear(fixture->lead, &ahead, LEAD_MEMBER, 1), -EOWNERDEAD);
        assert_int_equal(lead_state(fixture->lead), LEAD_BEHIND);
        settle(fixture); /* it remembers that */
        master_bus_refresh(fixture->bus);
}

static sd_bus_message *accept_rollback(void) {
        return bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "AcceptRollback", "a{sv}", 0);
}

static uint64_t term_of(sd_bus_message *reply) {
        uint64_t term;

        assert_ok(sd_bus_message_read(assert_no_bus_error(reply), "t", &term));
        (void) sd_bus_message_unref(reply);
        return term;
}

TEST(a_master_that_leads_has_nothing_to_accept) {
        assert_true(get_flag(MANAGER_PATH, MANAGER_INTERFACE, "Leading"));
        assert_bus_error(accept_rollback(), "org.dkv.Error.Busy", "There is nothing to accept");
}

TEST(a_master_that_does_not_lead_shows_why) {
        find_out_to_be_older(*state);
        assert_false(get_flag(MANAGER_PATH, MANAGER_INTERFACE, "Leading"));
        assert_string_equal(get_text(MANAGER_PATH, MANAGER_INTERFACE, "Health"), "down");
        assert_true(*get_text(MANAGER_PATH, MANAGER_INTERFACE, "HealthReason"));
        assert_string_equal(get_text(VOLUME_1, VOLUME_INTERFACE, "State"), "new");
}

TEST(a_master_that_does_not_lead_changes_nothing_and_says_why) {
        static const char error[] = "org.dkv.Error.NotLeading";
        Fixture *fixture = *state;
        char reason[LEAD_REASON_SIZE];
        uint64_t epoch;

        find_out_to_be_older(fixture);
        epoch = get_number(MANAGER_PATH, MANAGER_INTERFACE, "Epoch");
        lead_reason(fixture->lead, reason);
        assert_true(*reason);
        assert_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "AddVolumes",
                                      "aua{sv}", 1, 1, 0),
                        error, reason);
        assert_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "DeleteVolumes",
                                      "aua{sv}", 1, 1, 0),
                        error, reason);
        assert_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "Rebalance", "a{sv}",
                                      0),
                        error, reason);
        assert_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "SetCopies", "ua{sv}",
                                      1, 0),
                        error, reason);
        assert_bus_error(
                        bus_ends_call(&ends, VOLUME_1, VOLUME_INTERFACE, "Set", "a{sv}", 1,
                                      "weight", "u", 2),
                        error, reason);
        assert_bus_error(
                        bus_ends_call(&ends, VOLUME_1, VOLUME_INTERFACE, "SetMaintenance", "ta{sv}",
                                      UINT64_MAX, 0),
                        error, reason);
        assert_int_equal(get_number(MANAGER_PATH, MANAGER_INTERFACE, "Epoch"), epoch);
        assert_bus_error(
                        bus_ends_call(&ends, JOB_1, JOB_INTERFACE, "Pause", ""),
                        SD_BUS_ERROR_UNKNOWN_OBJECT, "");
}

/* The way out is not barred by what it leads out of. */
TEST(a_rollback_is_accepted_with_a_new_term) {
        Fixture *fixture = *state;
        uint64_t before = get_number(MANAGER_PATH, MANAGER_INTERFACE, "Term"), term;

        find_out_to_be_older(fixture);
        term = term_of(accept_rollback());
        assert_true(term > before);
        assert_int_equal(get_number(MANAGER_PATH, MANAGER_INTERFACE, "Term"), term);
        assert_true(get_flag(MANAGER_PATH, MANAGER_INTERFACE, "Leading"));
        (void) epoch_of(bus_ends_call(
                        &ends, MANAGER_PATH, MANAGER_INTERFACE, "AddVolumes", "aua{sv}", 1, 1, 0));
        assert_string_equal(get_text(VOLUME_1, VOLUME_INTERFACE, "State"), "active");
        assert_bus_error(accept_rollback(), "org.dkv.Error.Busy", "There is nothing to accept");
}

TEST(to_accept_takes_authority_and_no_options) {
        find_out_to_be_older(*state);
        assert_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "AcceptRollback",
                                      "a{sv}", 1, "force", "b", true),
                        "org.dkv.Error.Invalid", "'force'");
        caller = 54321;
        assert_bus_error(accept_rollback(), "org.dkv.Error.NotAuthorized", "Not allowed");
        assert_false(get_flag(MANAGER_PATH, MANAGER_INTERFACE, "Leading"));
}

static Interception lose(const IndexRequest *request, void *userdata) {
        return request->type == REQUEST_ACCEPT ? INTERCEPT_LOSE : INTERCEPT_NOT;
}

TEST(an_acceptance_without_an_outcome_is_told_as_that) {
        Fixture *fixture = *state;

        find_out_to_be_older(fixture);
        submit_intercept(&fixture->index->submitter, lose, NULL);
        assert_bus_error(accept_rollback(), "org.dkv.Error.OutcomeUnknown", "not known");
        assert_false(get_flag(MANAGER_PATH, MANAGER_INTERFACE, "Leading"));
        submit_intercept(&fixture->index->submitter, NULL, NULL);
        (void) term_of(accept_rollback());
        assert_true(get_flag(MANAGER_PATH, MANAGER_INTERFACE, "Leading"));
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, setup, stop)

int main(void) {
        static const struct CMUnitTest tests[] = {
                ROW(a_master_that_leads_has_nothing_to_accept),
                ROW(a_master_that_does_not_lead_shows_why),
                ROW(a_master_that_does_not_lead_changes_nothing_and_says_why),
                ROW(a_rollback_is_accepted_with_a_new_term),
                ROW(to_accept_takes_authority_and_no_options),
                ROW(an_acceptance_without_an_outcome_is_told_as_that),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
