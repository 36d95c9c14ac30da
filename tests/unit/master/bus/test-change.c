/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Changes of a cluster with real jobs: what each method returns, and what it is refused for. */

#include "test.h"

#include <errno.h>
#include <stdio.h>

#include "master/bus/bus-fixture.h"
#include "master/bus/bus-reports.h"
#include "store/index/engine/index-internal.h"
#include "sweep.h"

#define VOLUME_3 "/org/dkv/Master1/volume/3"

static sd_bus_message *call(const char *method, const char *types, uint32_t number) {
        return *types == 'u' ? bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, method,
                                             "ua{sv}", number, 0)
                             : bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, method,
                                             "aua{sv}", 1, number, 0);
}

#define add(number)        call("AddVolumes", "au", number)
#define drain(number)      call("DeleteVolumes", "au", number)
#define set_copies(copies) call("SetCopies", "u", copies)

static sd_bus_message *rebalance(void) {
        return bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "Rebalance", "a{sv}", 0);
}

static const char *state_of(const char *volume) {
        const char *text;

        bus_ends_get(&ends, volume, VOLUME_INTERFACE, "State", "s", &text);
        return text;
}

static uint64_t epoch_now(void) {
        uint64_t epoch;

        bus_ends_get(&ends, MANAGER_PATH, MANAGER_INTERFACE, "Epoch", "t", &epoch);
        return epoch;
}

static void assert_drains(sd_bus_message *reply, const char *expected) {
        const char *job;
        uint64_t epoch = read_change(reply, &job);

        assert_string_equal(job, expected);
        assert_int_equal(epoch, epoch_now());
}

TEST(a_drain_has_a_job_and_an_epoch) {
        uint64_t before = epoch_now();

        assert_drains(drain(3), JOB_1);
        assert_int_equal(epoch_now(), before + 1);
        assert_string_equal(state_of(VOLUME_3), "draining");

        /* Once more joins the job and changes nothing. */
        assert_drains(drain(3), JOB_1);
        assert_int_equal(epoch_now(), before + 1);
}

TEST(who_is_drained_is_named_with_the_job) {
        assert_drains(drain(3), JOB_1);
        assert_bus_error(add(3), "org.dkv.Error.Busy", "Volume 3 is being drained by job 1");
        assert_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "DeleteVolumes",
                                      "aua{sv}", 2, 2, 3, 0),
                        "org.dkv.Error.Busy", "Volume 3 is being drained by job 1");
        assert_bus_error(
                        set_copies(3), "org.dkv.Error.TooFewVolumes",
                        "volume 3 is being drained by job 1");
}

TEST(who_is_refused_is_named) {
        static const struct {
                const char *method, *text;
        } table[] = {
                { "AddVolumes", "Volume 9 is not known to the master; start it first." },
                { "DeleteVolumes", "Volume 9 is not known to the master." },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                sd_bus_message *reply = bus_ends_call(
                                &ends, MANAGER_PATH, MANAGER_INTERFACE, table[i].method, "aua{sv}",
                                3, 1, 9, 2, 0);

                assert_string_equal(sd_bus_message_get_error(reply)->message, table[i].text);
                (void) sd_bus_message_unref(reply);
        }
        assert_string_equal(state_of(VOLUME_1), "active");
        assert_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "DeleteVolumes",
                                      "aua{sv}", 3, 1, 2, 3, 0),
                        "org.dkv.Error.TooFewVolumes", "fewer active volumes");
        assert_bus_error(set_copies(4), "org.dkv.Error.TooFewVolumes", "fewer active volumes");
        assert_bus_error(set_copies(99), "org.dkv.Error.Invalid", "from 1 to");
}

static void assert_epoch_without_job(sd_bus_message *reply) {
        uint64_t epoch = epoch_of(reply);

        assert_int_equal(epoch, epoch_now());
}

TEST(changes_without_a_job_return_no_path) {
        assert_epoch_without_job(add(1)); /* nothing to do, nothing stored */
        assert_epoch_without_job(bus_ends_call(
                        &ends, VOLUME_1, VOLUME_INTERFACE, "Set", "a{sv}", 1, "weight", "u", 2));
        assert_epoch_without_job(
                        bus_ends_call(&ends, VOLUME_1, VOLUME_INTERFACE, "SetMaintenance", "ta{sv}",
                                      UINT64_MAX, 0));
}

TEST(a_rebalance_and_another_number_of_copies_have_jobs) {
        static const uint64_t expected[] = { 4,
                                             5 }; /* three reports, and adding, were the others */
        const char *job;

        for (size_t i = 0; i < ELEMENTSOF(expected); i++) {
                assert_int_equal(
                                read_change(i == 0 ? rebalance() : set_copies(2), &job),
                                expected[i]);
                assert_non_null(strstr(job, "/org/dkv/Master1/job/"));
                assert_int_equal(epoch_now(), expected[i]);
        }
}

TEST(a_plan_is_refused_as_the_change_would_be) {
        static const char *const kinds[] = { "add", "delete" };

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                assert_bus_error(
                                bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "Plan",
                                              "saua{sv}", kinds[i], 2, 1, 9, 0),
                                "org.dkv.Error.NotFound", "Volume 9 is not known");
        assert_drains(drain(3), JOB_1);
        assert_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "Plan", "saua{sv}",
                                      "add", 1, 3, 0),
                        "org.dkv.Error.Busy", "Volume 3 is being drained by job 1");
}

static int on_reply(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        *(sd_bus_message **) userdata = sd_bus_message_ref(message);
        return 1;
}

/* A plan is still being counted, or its answer has not gone out, when the master ends. */
TEST(what_is_open_at_the_end_is_answered_once) {
        Fixture *fixture = *state;
        sd_bus_message *replies[3] = {};

        for (size_t i = 0; i < ELEMENTSOF(replies); i++)
                assert_ok(sd_bus_call_method_async(
                                ends.client, NULL, NULL, MANAGER_PATH, MANAGER_INTERFACE, "Plan",
                                on_reply, replies + i, "saua{sv}", "rebalance", 0, 0));
        assert_ok(sd_bus_flush(ends.client));
        while (sd_bus_process(ends.server, NULL) > 0)
                ;
        stop_all(fixture);

        for (size_t i = 0; i < ELEMENTSOF(replies); i++) {
                const sd_bus_error *error;

                bus_ends_await(&ends, replies[i]);
                error = sd_bus_message_get_error(replies[i]);
                if (error && strcmp(error->name, "org.dkv.Error.ShuttingDown") != 0)
                        assert_string_equal(error->name, "org.dkv.Error.Overloaded");
                (void) sd_bus_message_unref(replies[i]);
        }
}

/* One call of each method that changes the cluster. */
static sd_bus_message *change(size_t i) {
        switch (i) {
        case 0:
                return add(1);
        case 1:
                return drain(3);
        case 2:
                return rebalance();
        case 3:
                return set_copies(2);
        case 4:
                return bus_ends_call(
                                &ends, VOLUME_1, VOLUME_INTERFACE, "Set", "a{sv}", 1, "weight", "u",
                                7);
        default:
                return bus_ends_call(
                                &ends, VOLUME_1, VOLUME_INTERFACE, "SetMaintenance", "ta{sv}",
                                UINT64_MAX, 0);
        }
}

#define N_CHANGES 6

TEST(strangers_change_nothing) {
        uint64_t before = epoch_now();

        caller = 54321;
        for (size_t i = 0; i < N_CHANGES; i++)
                assert_bus_error(change(i), "org.dkv.Error.NotAuthorized", "Not allowed");
        assert_int_equal(epoch_now(), before);
        assert_bus_error(
                        bus_ends_call(&ends, JOB_1, JOB_INTERFACE, "Pause", ""),
                        SD_BUS_ERROR_UNKNOWN_OBJECT, "");
}

TEST(a_job_has_what_its_request_says) {
        Fixture *fixture = *state;
        JobStatus status;

        caller = geteuid();
        assert_drains(bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "DeleteVolumes",
                                    "aua{sv}", 2, 2, 3, 4, "accept-loss", "b", true, "epoch", "t",
                                    epoch_now(), "rate", "t", UINT64_C(5000), "parallel", "u", 9),
                      JOB_1);
        assert_ok(job_get(fixture->jobs, 1, &status));
        assert_int_equal(status.type, JOB_DRAIN);
        assert_int_equal(status.n_numbers, 2);
        assert_true(job_status_has_volume(&status, 2) && job_status_has_volume(&status, 3));
        assert_true(status.accept_loss);
        assert_int_equal(status.limits.rate, 5000);
        assert_int_equal(status.limits.parallel, 9);
        assert_int_equal(status.started_by, geteuid());
}

TEST(options_out_of_range_or_of_a_wrong_type_change_nothing) {
        static const char invalid[] = "org.dkv.Error.Invalid";
        uint64_t before = epoch_now();

        assert_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "Rebalance", "a{sv}",
                                      1, "parallel", "u", 0),
                        invalid, "from 1 to 64");
        assert_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "DeleteVolumes",
                                      "aua{sv}", 1, 3, 1, "parallel", "u", 65),
                        invalid, "from 1 to 64");
        assert_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "Rebalance", "a{sv}",
                                      1, "rate", "u", 7),
                        invalid, "rate");
        assert_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "Rebalance", "a{sv}",
                                      1, "accept-loss", "b", true),
                        invalid, "'accept-loss'");
        assert_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "DeleteVolumes",
                                      "aua{sv}", 1, 3, 1, "accept-loss", "s", "yes"),
                        invalid, "accept-loss");
        assert_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "AddVolumes",
                                      "aua{sv}", 1, 1, 1, "rebalance", "u", 1),
                        invalid, "rebalance");
        assert_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "DeleteVolumes",
                                      "aua{sv}", 0, 0),
                        invalid, "Between 1 and 64 volumes");
        assert_bus_error(
                        bus_ends_call(&ends, VOLUME_1, VOLUME_INTERFACE, "SetMaintenance", "ta{sv}",
                                      UINT64_MAX, 1, "until", "t", UINT64_C(1)),
                        invalid, "'until'");
        assert_bus_error(set_copies(9), invalid, "from 1 to 8");
        assert_int_equal(epoch_now(), before);
}

TEST(arguments_of_another_signature_are_no_call) {
        static const char *const methods[] = { "AddVolumes", "DeleteVolumes", "Rebalance",
                                               "SetCopies",  "Plan",          "AcceptRollback" };

        for (size_t i = 0; i < ELEMENTSOF(methods); i++)
                assert_bus_error(
                                bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, methods[i],
                                              "i", 3),
                                SD_BUS_ERROR_INVALID_ARGS, "");
}

TEST(what_was_thought_out_for_another_map_conflicts) {
        static const char conflict[] = "org.dkv.Error.Conflict";
        uint64_t old = epoch_now() - 1;

        assert_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "DeleteVolumes",
                                      "aua{sv}", 1, 3, 1, "epoch", "t", old),
                        conflict, "changed");
        assert_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "Rebalance", "a{sv}",
                                      1, "epoch", "t", old),
                        conflict, "changed");
        assert_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "SetCopies", "ua{sv}",
                                      2, 1, "epoch", "t", old),
                        conflict, "changed");
        assert_string_equal(state_of(VOLUME_3), "active");
}

TEST(more_than_the_others_have_room_for_does_not_leave) {
        Fixture *fixture = *state;
        VolumeReport full = {
                .number = 3,
                .uuid = { 0xab, [15] = 3 },
                .run = 1,
                .sequence = UINT32_MAX,
                .url = "http://127.0.0.1:3001",
                .zone = "here",
                .disk_free = GIB,
                .disk_size = 2 * TIB,
                .bytes = TIB,
        };

        assert_ok(volumes_report(fixture->volumes, &full));
        assert_bus_error(drain(3), "org.dkv.Error.NoSpace", "less free space");
        assert_string_equal(state_of(VOLUME_3), "active");
}

static Interception refuse_all(const IndexRequest *request, void *userdata) {
        return INTERCEPT_REFUSE;
}

/* The committer may be faster than the loop. */
TEST(what_cannot_be_kept_is_not_done) {
        Fixture *fixture = *state;
        uint64_t before = epoch_now();

        submit_intercept(&fixture->index->submitter, refuse_all, NULL);
        for (size_t i = 2; i < N_CHANGES; i++)
                assert_bus_error(change(i), "org.dkv.Error.NoSpace", "disk is full");
        submit_intercept(&fixture->index->submitter, NULL, NULL);
        assert_int_equal(epoch_now(), before);
        for (size_t i = 2; i < N_CHANGES; i++)
                (void) sd_bus_message_unref(assert_no_bus_error(change(i)));
}

/* Of one change, with one request that has no proper answer: what is told is that, and the next try
 * comes through. Whether a change was made, a request after that does not depend on. */
static void change_unanswered(Sweep *sweep, void *userdata) {
        size_t i = *(const size_t *) userdata;
        const sd_bus_error *error;
        sd_bus_message *reply;
        Fixture *fixture;
        void *state;

        assert_ok(three_volumes(&state));
        fixture = state;
        sweep_begin(sweep, fixture->index);
        reply = change(i);
        sweep_end(sweep, fixture->index);
        error = sd_bus_message_get_error(reply);
        if (error)
                assert_string_equal(
                                error->name, sweep_way(sweep) == INTERCEPT_NOT_LEADER
                                                             ? "org.dkv.Error.NotLeading"
                                                             : "org.dkv.Error.OutcomeUnknown");
        (void) sd_bus_message_unref(reply);
        (void) sd_bus_message_unref(assert_no_bus_error(change(i)));
        assert_ok(stop(&state));
}

TEST(a_change_without_an_outcome_is_told_as_that_and_may_be_made_again) {
        for (size_t i = 1; i < N_CHANGES; i++) /* to add what is there is no change */
                assert_true(sweep_index(change_unanswered, &i) >= 1);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                WITH_VOLUMES(a_drain_has_a_job_and_an_epoch),
                WITH_VOLUMES(who_is_drained_is_named_with_the_job),
                WITH_VOLUMES(who_is_refused_is_named),
                WITH_VOLUMES(changes_without_a_job_return_no_path),
                WITH_VOLUMES(a_rebalance_and_another_number_of_copies_have_jobs),
                WITH_VOLUMES(a_plan_is_refused_as_the_change_would_be),
                WITH_VOLUMES(what_is_open_at_the_end_is_answered_once),
                WITH_VOLUMES(strangers_change_nothing),
                WITH_VOLUMES(a_job_has_what_its_request_says),
                WITH_VOLUMES(options_out_of_range_or_of_a_wrong_type_change_nothing),
                WITH_VOLUMES(arguments_of_another_signature_are_no_call),
                WITH_VOLUMES(what_was_thought_out_for_another_map_conflicts),
                WITH_VOLUMES(more_than_the_others_have_room_for_does_not_leave),
                WITH_VOLUMES(what_cannot_be_kept_is_not_done),
                cmocka_unit_test(a_change_without_an_outcome_is_told_as_that_and_may_be_made_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
