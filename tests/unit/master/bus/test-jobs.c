/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The objects of the jobs: what they show, how they are controlled, and which signals tell of
 * them. */

#include "test.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "master/bus/bus-content.h"
#include "master/bus/bus-fixture.h"
#include "master/bus/bus-reports.h"

#define JOB_2   "/org/dkv/Master1/job/2"
#define UNKNOWN "/org/dkv/Master1/job/99"

/* A job of an earlier run: paused, so that it stays as it is. */
static const JobStatus kept = {
        .id = 1,
        .type = JOB_REBALANCE,
        .state = JOB_PAUSED,
        .numbers = { 2, 5 },
        .n_numbers = 2,
        .limits = { .rate = 1000, .parallel = 3 },
        .started_by = 4711,
        .started_usec = 12,
        .keys_total = 10,
        .keys_done = 5,
        .bytes_total = 1000,
        .bytes_done = 500,
        .lost_keys = 2,
        .error = "A sentence.",
};

static int with_kept(void **state) {
        Fixture *fixture = fixture_new();

        keep_jobs(fixture, &kept, 1, "one\0b\xff/d", sizeof("one\0b\xff/d"));
        start_jobs(fixture);
        start_bus(fixture);
        *state = fixture;
        return 0;
}

static sd_bus_message *call_job(const char *method) {
        return bus_ends_call(&ends, JOB_1, JOB_INTERFACE, method, "");
}

static sd_bus_message *set_limit(const char *name, const char *type, uint64_t value) {
        return *type == 'u' ? bus_ends_call(&ends, JOB_1, JOB_INTERFACE, "Set", "a{sv}", 1, name,
                                            type, (uint32_t) value)
                            : bus_ends_call(&ends, JOB_1, JOB_INTERFACE, "Set", "a{sv}", 1, name,
                                            type, value);
}

static void assert_done(sd_bus_message *reply) {
        (void) sd_bus_message_unref(assert_no_bus_error(reply));
}

/* Volume 3 leaves. The job waits until tickets have expired, so it goes on for a while. */
static void start_drain(void) {
        sd_bus_message *reply = bus_ends_call(
                        &ends, MANAGER_PATH, MANAGER_INTERFACE, "DeleteVolumes", "aua{sv}", 1, 3, 2,
                        "rate", "t", UINT64_C(1000), "parallel", "u", 3);
        const char *path;

        (void) read_change(reply, &path);
        assert_string_equal(path, JOB_1);
}

static bool is_in_state(const char *job, const char *expected) {
        return strcmp(get_text(job, JOB_INTERFACE, "State"), expected) == 0;
}

/* The signals that came, by their members; of properties that changed, their names, too. */
static char signals[16384];
static unsigned n_changes;

static int on_signal(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        size_t n = strlen(signals);
        const char *name, *path, *result;
        uint32_t id;

        n += (size_t) snprintf(
                        signals + n, sizeof(signals) - n, "%s ",
                        sd_bus_message_get_member(message));
        if (sd_bus_message_is_signal(message, NULL, "JobRemoved")) {
                assert_ok(sd_bus_message_read(message, "uos", &id, &path, &result));
                (void) snprintf(signals + n, sizeof(signals) - n, "%s %s ", path, result);
        }
        if (!sd_bus_message_is_signal(message, NULL, "PropertiesChanged"))
                return 0;

        n_changes++;
        assert_ok(sd_bus_message_skip(message, "s"));
        assert_ok(sd_bus_message_enter_container(message, 'a', "{sv}"));
        while (sd_bus_message_enter_container(message, 'e', "sv") > 0) {
                assert_ok(sd_bus_message_read(message, "s", &name));
                n += (size_t) snprintf(signals + n, sizeof(signals) - n, "%s ", name);
                assert_ok(sd_bus_message_skip(message, "v"));
                assert_ok(sd_bus_message_exit_container(message));
        }
        return 0;
}

/* Follows the signals from now on, of jobs and not of the cluster as a whole. */
static void follow(void) {
        *signals = '\0';
        n_changes = 0;
        assert_ok(sd_bus_match_signal(ends.client, NULL, NULL, JOB_1, NULL, NULL, on_signal, NULL));
        assert_ok(sd_bus_match_signal(
                        ends.client, NULL, NULL, MANAGER_PATH, MANAGER_INTERFACE, NULL, on_signal,
                        NULL));
        assert_ok(sd_bus_match_signal(
                        ends.client, NULL, NULL, MANAGER_PATH, "org.freedesktop.DBus.ObjectManager",
                        NULL, on_signal, NULL));
}

static unsigned count_in_signals(const char *what) {
        unsigned n = 0;

        for (const char *p = signals; (p = strstr(p, what)); p++)
                n++;
        return n;
}

TEST(a_job_is_told_of_before_the_reply_that_names_it) {
        follow();
        start_drain();
        assert_ptr_equal(strstr(signals, "InterfacesAdded JobNew "), signals);

        /* That the observer of the jobs hears of it as well tells nothing new. */
        assert_done(set_limit("rate", "t", 5));
        bus_ends_await(&ends, strstr(signals, "Rate"));
        assert_int_equal(count_in_signals("JobNew"), 1);
        assert_int_equal(count_in_signals("InterfacesAdded"), 1);
}

TEST(a_job_shows_what_is_known_of_it) {
        sd_bus_message *reply;
        const void *numbers;
        size_t size;

        assert_int_equal(get_small(JOB_1, JOB_INTERFACE, "Id"), 1);
        assert_string_equal(get_text(JOB_1, JOB_INTERFACE, "Type"), "rebalance");
        assert_string_equal(get_text(JOB_1, JOB_INTERFACE, "State"), "paused");
        assert_int_equal(get_number(JOB_1, JOB_INTERFACE, "KeysDone"), 5);
        assert_int_equal(get_number(JOB_1, JOB_INTERFACE, "KeysTotal"), 10);
        assert_int_equal(get_number(JOB_1, JOB_INTERFACE, "BytesDone"), 500);
        assert_int_equal(get_number(JOB_1, JOB_INTERFACE, "BytesTotal"), 1000);
        assert_int_equal(get_number(JOB_1, JOB_INTERFACE, "BytesPerSecond"), 0);
        assert_int_equal(get_number(JOB_1, JOB_INTERFACE, "StartedAt"), 12);
        assert_int_equal(get_number(JOB_1, JOB_INTERFACE, "EndedAt"), 0);
        assert_int_equal(get_small(JOB_1, JOB_INTERFACE, "StartedBy"), 4711);
        assert_string_equal(get_text(JOB_1, JOB_INTERFACE, "Error"), "A sentence.");
        assert_int_equal(get_number(JOB_1, JOB_INTERFACE, "Rate"), 1000);
        assert_int_equal(get_small(JOB_1, JOB_INTERFACE, "Parallel"), 3);
        assert_int_equal(get_number(JOB_1, JOB_INTERFACE, "LostKeys"), 2);
        assert_int_equal(get_number(JOB_1, JOB_INTERFACE, "WaitsUntil"), 0);

        reply = assert_no_bus_error(
                        bus_ends_call(&ends, JOB_1, "org.freedesktop.DBus.Properties", "Get", "ss",
                                      JOB_INTERFACE, "Volumes"));
        assert_ok(sd_bus_message_enter_container(reply, 'v', "au"));
        assert_ok(sd_bus_message_read_array(reply, 'u', &numbers, &size));
        assert_int_equal(size, 2 * sizeof(uint32_t));
        assert_int_equal(((const uint32_t *) numbers)[0], 2);
        assert_int_equal(((const uint32_t *) numbers)[1], 5);
        (void) sd_bus_message_unref(reply);
}

/* Keys are percent-encoded: a key may be no text. */
TEST(lost_keys_are_named_as_in_a_url) {
        const char *first, *second;
        sd_bus_message *reply;

        reply = assert_no_bus_error(call_job("GetLostKeys"));
        assert_ok(sd_bus_message_read(reply, "as", 2, &first, &second));
        assert_string_equal(first, "one");
        assert_string_equal(second, "b%FF/d");
        (void) sd_bus_message_unref(reply);
}

TEST(there_is_no_job_of_another_name) {
        static const char *const methods[] = { "Pause", "Resume", "Cancel", "GetLostKeys" };
        static const char *const paths[] = { UNKNOWN, "/org/dkv/Master1/job/0",
                                             "/org/dkv/Master1/job/01",
                                             "/org/dkv/Master1/job/1/2" };

        for (size_t i = 0; i < ELEMENTSOF(methods); i++)
                for (size_t k = 0; k < ELEMENTSOF(paths); k++)
                        assert_bus_error(
                                        bus_ends_call(&ends, paths[k], JOB_INTERFACE, methods[i],
                                                      ""),
                                        SD_BUS_ERROR_UNKNOWN_OBJECT, "");
}

TEST(a_job_is_paused_limited_resumed_and_cancelled) {
        JobStatus status;
        Fixture *fixture = *state;

        start_drain();
        assert_done(call_job("Pause"));
        assert_true(is_in_state(JOB_1, "paused"));
        assert_done(call_job("Pause")); /* once more does no harm */

        /* What is not given stays. */
        assert_done(set_limit("parallel", "u", 7));
        assert_ok(job_get(fixture->jobs, 1, &status));
        assert_int_equal(status.limits.parallel, 7);
        assert_int_equal(status.limits.rate, 1000);
        assert_done(set_limit("rate", "t", 0));
        assert_ok(job_get(fixture->jobs, 1, &status));
        assert_int_equal(status.limits.parallel, 7);
        assert_int_equal(status.limits.rate, 0);

        assert_done(call_job("Resume"));
        bus_ends_await(&ends, is_in_state(JOB_1, "running"));
        assert_done(call_job("Cancel"));
        bus_ends_await(&ends, is_in_state(JOB_1, "cancelled"));
        assert_int_not_equal(get_number(JOB_1, JOB_INTERFACE, "EndedAt"), 0);
        bus_ends_await(&ends, strcmp(get_text(MANAGER_PATH "/volume/3", VOLUME_INTERFACE, "State"),
                                     "active") == 0);
}

TEST(a_job_that_has_ended_is_not_controlled_any_more) {
        static const char *const methods[] = { "Pause", "Resume", "Cancel" };

        start_drain();
        assert_done(call_job("Cancel"));
        bus_ends_await(&ends, is_in_state(JOB_1, "cancelled"));
        for (size_t i = 0; i < ELEMENTSOF(methods); i++)
                assert_bus_error(
                                call_job(methods[i]), "org.dkv.Error.Busy",
                                "Job 1 has ended already.");
        assert_bus_error(
                        set_limit("parallel", "u", 2), "org.dkv.Error.Busy",
                        "Job 1 has ended already.");
}

TEST(limits_out_of_range_or_of_a_wrong_type_are_refused) {
        static const char invalid[] = "org.dkv.Error.Invalid";

        assert_bus_error(set_limit("parallel", "u", 0), invalid, "from 1 to 64 calls");
        assert_bus_error(set_limit("parallel", "u", 65), invalid, "from 1 to 64 calls");
        assert_bus_error(set_limit("parallel", "t", 2), invalid, "parallel");
        assert_bus_error(set_limit("rate", "u", 2), invalid, "rate");
        assert_bus_error(set_limit("speed", "t", 2), invalid, "'speed'");
        assert_bus_error(
                        bus_ends_call(&ends, JOB_1, JOB_INTERFACE, "Set", "s", "rate=2"),
                        SD_BUS_ERROR_INVALID_ARGS, "");
        assert_bus_error(
                        bus_ends_call(&ends, JOB_1, JOB_INTERFACE, "Pause", "b", true),
                        SD_BUS_ERROR_INVALID_ARGS, "");
        assert_int_equal(get_number(JOB_1, JOB_INTERFACE, "Rate"), 1000);
        assert_int_equal(get_small(JOB_1, JOB_INTERFACE, "Parallel"), 3);
        assert_done(bus_ends_call(&ends, JOB_1, JOB_INTERFACE, "Set", "a{sv}", 0));
}

TEST(strangers_look_and_do_not_touch) {
        static const char *const methods[] = { "Pause", "Resume", "Cancel" };
        static const char refused[] = "org.dkv.Error.NotAuthorized";

        caller = 54321;
        assert_true(is_in_state(JOB_1, "paused"));
        assert_done(call_job("GetLostKeys"));
        for (size_t i = 0; i < ELEMENTSOF(methods); i++)
                assert_bus_error(call_job(methods[i]), refused, "Not allowed");
        assert_bus_error(set_limit("rate", "t", 1), refused, "Not allowed");
        assert_true(is_in_state(JOB_1, "paused"));
        assert_int_equal(get_number(JOB_1, JOB_INTERFACE, "Rate"), 1000);
}

/* Limits may be set as often as one likes; what that tells is held back. */
TEST(changes_are_told_twice_a_second) {
        Fixture *fixture = *state;
        JobLimits limits = { .rate = 1, .parallel = 1 };
        uint64_t begin, spent;

        follow();
        begin = clock_monotonic();
        while (n_changes < 3) {
                limits.rate++;
                assert_ok(job_set_limits(fixture->jobs, 1, &limits));
                assert_ok(sd_event_run(ends.event, USEC_PER_MSEC));
                spent = clock_monotonic() - begin;
                assert_true(n_changes <= spent / (USEC_PER_SEC / 2) + 1);
                assert_true(spent < 20 * USEC_PER_SEC);
        }

        /* The last one is told, too, although nothing more happens. */
        *signals = '\0';
        limits.parallel = 64;
        assert_ok(job_set_limits(fixture->jobs, 1, &limits));
        bus_ends_await(&ends, strstr(signals, "Parallel"));
        assert_null(strstr(signals, "State"));
}

TEST(an_end_is_told_with_its_result) {
        start_drain();
        follow();
        assert_done(call_job("Cancel"));
        bus_ends_await(&ends, strstr(signals, "JobRemoved"));
        assert_non_null(strstr(signals, "State"));
        assert_non_null(strstr(signals, "JobRemoved " JOB_1 " cancelled "));
        assert_int_equal(count_in_signals("JobRemoved"), 1);
}

/* The master ends before the change is due to be told. */
TEST(an_end_in_the_last_moment_is_told) {
        Fixture *fixture = *state;
        uint64_t deadline = clock_monotonic() + 20 * USEC_PER_SEC;
        JobStatus status;

        start_drain();
        follow();
        assert_ok(job_cancel(fixture->jobs, 1));
        do { /* without the loop, which would tell */
                assert_true(clock_monotonic() < deadline);
                assert_ok(job_get(fixture->jobs, 1, &status));
        } while (status.state != JOB_CANCELLED);
        assert_null(strstr(signals, "JobRemoved"));

        stop_all(fixture);
        bus_ends_await(&ends, strstr(signals, "JobRemoved " JOB_1 " cancelled "));
}

/* A hundred that have ended are remembered. */
TEST(a_job_that_is_forgotten_has_no_object) {
        Fixture *fixture = fixture_new();
        _cleanup_free_ JobStatus *jobs = calloc(JOBS_ENDED_MAX + 1, sizeof(*jobs));

        for (uint32_t i = 0; i <= JOBS_ENDED_MAX; i++)
                jobs[i] = (JobStatus){ .id = i + 1,
                                       .type = JOB_REBALANCE,
                                       .state = i == 1 ? JOB_PAUSED : JOB_DONE,
                                       .limits.parallel = 1 };
        keep_jobs(fixture, jobs, JOBS_ENDED_MAX + 1, NULL, 0);
        start_jobs(fixture);
        start_bus(fixture);
        assert_true(is_in_state(JOB_1, "done"));
        assert_int_equal(get_small(MANAGER_PATH "/job/101", JOB_INTERFACE, "Id"), 101);

        follow();
        assert_done(bus_ends_call(&ends, JOB_2, JOB_INTERFACE, "Cancel", ""));
        bus_ends_await(&ends, strstr(signals, "InterfacesRemoved"));
        bus_ends_await(&ends, strstr(signals, "JobRemoved " JOB_2 " cancelled "));
        assert_bus_error(call_job("Pause"), SD_BUS_ERROR_UNKNOWN_OBJECT, "");
        assert_true(is_in_state(JOB_2, "cancelled"));
        fixture_free(fixture);
}

/* What ended before the master started is old news. */
TEST(jobs_of_an_earlier_run_are_there_at_once_and_told_as_nothing_new) {
        static const JobStatus old[] = {
                { .id = 1, .type = JOB_DRAIN, .state = JOB_DONE, .ended_usec = 5 },
                { .id = 2, .type = JOB_REPAIR, .state = JOB_PAUSED, .limits.parallel = 1 },
        };
        Fixture *fixture = fixture_new();

        keep_jobs(fixture, old, ELEMENTSOF(old), NULL, 0);
        start_jobs(fixture);
        start_bus(fixture);
        follow();
        assert_true(is_in_state(JOB_1, "done"));
        assert_true(is_in_state(JOB_2, "paused"));
        assert_string_equal(get_text(JOB_1, JOB_INTERFACE, "Type"), "drain");
        assert_string_equal(get_text(JOB_2, JOB_INTERFACE, "Type"), "repair");
        assert_null(strstr(signals, "JobRemoved"));
        assert_null(strstr(signals, "JobNew"));
        fixture_free(fixture);
}

#define WITH_KEPT(test) cmocka_unit_test_setup_teardown(test, with_kept, stop)

int main(void) {
        static const struct CMUnitTest tests[] = {
                WITH_VOLUMES(a_job_is_told_of_before_the_reply_that_names_it),
                WITH_KEPT(a_job_shows_what_is_known_of_it),
                WITH_KEPT(lost_keys_are_named_as_in_a_url),
                WITH_KEPT(there_is_no_job_of_another_name),
                WITH_VOLUMES(a_job_is_paused_limited_resumed_and_cancelled),
                WITH_VOLUMES(a_job_that_has_ended_is_not_controlled_any_more),
                WITH_KEPT(limits_out_of_range_or_of_a_wrong_type_are_refused),
                WITH_KEPT(strangers_look_and_do_not_touch),
                WITH_KEPT(changes_are_told_twice_a_second),
                WITH_VOLUMES(an_end_is_told_with_its_result),
                WITH_VOLUMES(an_end_in_the_last_moment_is_told),
                cmocka_unit_test(a_job_that_is_forgotten_has_no_object),
                cmocka_unit_test(jobs_of_an_earlier_run_are_there_at_once_and_told_as_nothing_new),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
