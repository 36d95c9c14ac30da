/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "master/bus/bus-fixture.h"
#include "master/bus/jobs.h"
#include "master/job/preview.h"

#define UNKNOWN "/org/dkv/Master1/job/2"

/* The jobs of this test: one that moves nothing. */
static struct {
        bool there;
        JobStatus status;
        JobsObserver on_change;
        void *userdata;
        JobRequest request;
        uint32_t numbers[4];
        int refusal;
        int failure; /* to keep the job, which is known before job_start() returns */
        PreviewRequest plan_request;
        char called[64];
} fake;

int __wrap_job_start(
                Jobs *jobs,
                const JobRequest *request,
                JobDone done,
                void *userdata,
                uint32_t *reterr_number);
int __wrap_job_get(Jobs *jobs, uint32_t id, JobStatus *ret);
int __wrap_jobs_list(Jobs *jobs, JobStatus **ret, size_t *ret_n);
int __wrap_job_pause(Jobs *jobs, uint32_t id);
int __wrap_job_resume(Jobs *jobs, uint32_t id);
int __wrap_job_cancel(Jobs *jobs, uint32_t id);
int __wrap_job_set_limits(Jobs *jobs, uint32_t id, const JobLimits *limits);
int __wrap_job_lost_keys(
                Jobs *jobs, uint32_t id, int (*on_key)(const char *key, void *userdata), void *u);
void __wrap_jobs_set_observer(Jobs *jobs, JobsObserver on_change, void *userdata);
int __wrap_job_preview(
                Jobs *jobs,
                const PreviewRequest *request,
                PreviewDone done,
                void *userdata,
                uint32_t *reterr_number);

int __wrap_job_start(
                Jobs *jobs,
                const JobRequest *request,
                JobDone done,
                void *userdata,
                uint32_t *reterr_number) {
        if (fake.refusal < 0) {
                *reterr_number = request->n_numbers > 0 ? request->numbers[0] : 0;
                return fake.refusal;
        }
        if (fake.failure < 0) {
                done(fake.failure, 0, 77, userdata);
                return 0;
        }

        fake.request = *request;
        memcpy(fake.numbers, request->numbers, request->n_numbers * sizeof(*fake.numbers));
        fake.there = true;
        fake.status = (JobStatus){
                .id = 1,
                .type = request->type,
                .state = JOB_RUNNING,
                .numbers = { 2, 5 },
                .n_numbers = 2,
                .limits = { .rate = request->limits.rate, .parallel = JOB_PARALLEL },
                .started_by = request->started_by,
        };
        done(0, 1, 77, userdata);
        return 0;
}

int __wrap_job_get(Jobs *jobs, uint32_t id, JobStatus *ret) {
        if (!fake.there || id != fake.status.id)
                return -ENOENT;
        *ret = fake.status;
        return 0;
}

int __wrap_jobs_list(Jobs *jobs, JobStatus **ret, size_t *ret_n) {
        *ret = calloc(1, sizeof(**ret));
        **ret = fake.status;
        *ret_n = fake.there;
        return 0;
}

static int call(const char *what) {
        (void) snprintf(fake.called, sizeof(fake.called), "%s", what);
        return job_state_is_final(fake.status.state) ? -EBUSY : 0;
}

int __wrap_job_pause(Jobs *jobs, uint32_t id) {
        return call("pause");
}

int __wrap_job_resume(Jobs *jobs, uint32_t id) {
        return call("resume");
}

int __wrap_job_cancel(Jobs *jobs, uint32_t id) {
        return call("cancel");
}

int __wrap_job_set_limits(Jobs *jobs, uint32_t id, const JobLimits *limits) {
        fake.status.limits = *limits;
        return call("set");
}

int __wrap_job_lost_keys(
                Jobs *jobs, uint32_t id, int (*on_key)(const char *key, void *userdata), void *u) {
        int r = on_key("one", u);

        return r < 0 ? r : on_key("b\xff/d", u);
}

void __wrap_jobs_set_observer(Jobs *jobs, JobsObserver on_change, void *userdata) {
        fake.on_change = on_change;
        fake.userdata = userdata;
}

int __wrap_job_preview(
                Jobs *jobs,
                const PreviewRequest *request,
                PreviewDone done,
                void *userdata,
                uint32_t *reterr_number) {
        PreviewMove move = { .source = 1, .target = 4, .keys = 10, .bytes = 1000 };
        PreviewVolume volume = { .number = 1, .bytes_before = 5000, .bytes_after = 4000 };
        Preview plan = {
                .moves = &move,
                .n_moves = 1,
                .volumes = &volume,
                .n_volumes = 1,
                .keys = 10,
                .bytes = 1000,
                .all_keys = 50,
        };

        if (fake.refusal < 0)
                return fake.refusal;
        fake.plan_request = *request;
        done(0, &plan, userdata);
        return 0;
}

static int setup(void **state) {
        Fixture *fixture = fixture_new();

        memset(&fake, 0, sizeof(fake));
        fixture->jobs = (Jobs *) fixture; /* nobody looks inside */
        start_bus(fixture);
        *state = fixture;
        return 0;
}

static int teardown(void **state) {
        Fixture *fixture = *state;

        fixture->jobs = NULL;
        fixture_free(fixture);
        return 0;
}

static sd_bus_message *start_rebalance(void) {
        return bus_ends_call(
                        &ends, MANAGER_PATH, MANAGER_INTERFACE, "Rebalance", "a{sv}", 2, "rate",
                        "t", UINT64_C(1000), "parallel", "u", 3);
}

/* The signals that came, by their members; of properties that changed, their names, too. */
static char signals[4096];
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

static void assert_job_and_free(sd_bus_message *reply, const char *expected) {
        const char *path;

        (void) read_change(reply, &path);
        assert_string_equal(path, expected);
}

TEST(job_is_told_of_before_the_reply) {
        follow();
        assert_job_and_free(start_rebalance(), JOB_1);
        assert_string_equal(signals, "InterfacesAdded JobNew ");
        assert_int_equal(fake.request.type, JOB_REBALANCE);
        assert_int_equal(fake.request.limits.rate, 1000);
        assert_int_equal(fake.request.limits.parallel, 3);

        /* That its observer hears of it as well tells nothing new. */
        fake.on_change(1, JOB_NEW, fake.userdata);
        bus_ends_await(&ends, sd_event_run(ends.event, 0) == 0);
        assert_string_equal(signals, "InterfacesAdded JobNew ");
}

TEST(delete_starts_a_drain) {
        const char *path;
        uint64_t epoch;
        sd_bus_message *reply;

        caller = geteuid();
        reply = bus_ends_call(
                        &ends, MANAGER_PATH, MANAGER_INTERFACE, "DeleteVolumes", "aua{sv}", 2, 2, 5,
                        2, "accept-loss", "b", true, "epoch", "t", UINT64_C(9));
        assert_ok(sd_bus_message_read(assert_no_bus_error(reply), "ot", &path, &epoch));
        assert_string_equal(path, JOB_1);
        assert_int_equal(epoch, 77);
        (void) sd_bus_message_unref(reply);

        assert_int_equal(fake.request.type, JOB_DRAIN);
        assert_int_equal(fake.request.n_numbers, 2);
        assert_true(fake.numbers[0] == 2 && fake.numbers[1] == 5);
        assert_true(fake.request.accept_loss);
        assert_int_equal(fake.request.epoch, 9);
        assert_int_equal(fake.request.started_by, geteuid());
}

TEST(refusals_say_why) {
        static const struct {
                int error;
                const char *name, *text;
        } table[] = {
                { -EDQUOT, "org.dkv.Error.TooFewVolumes", "fewer active volumes" },
                { -ENOSPC, "org.dkv.Error.NoSpace", "less free space" },
                { -ENOENT, "org.dkv.Error.NotFound", "Volume 9" },
                { -EREMCHG, "org.dkv.Error.Conflict", "changed" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                fake.refusal = table[i].error;
                assert_bus_error(
                                bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE,
                                              "DeleteVolumes", "aua{sv}", 1, 9, 0),
                                table[i].name, table[i].text);
        }
        fake.refusal = 0;
        assert_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "Rebalance", "a{sv}",
                                      1, "epoch", "t", UINT64_C(99)),
                        "org.dkv.Error.Conflict", "changed");
        assert_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "Rebalance", "a{sv}",
                                      1, "parallel", "u", 0),
                        "org.dkv.Error.Invalid", "from 1 to 64");
        assert_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "Rebalance", "a{sv}",
                                      1, "accept-loss", "b", true),
                        "org.dkv.Error.Invalid", "accept-loss");
        assert_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "SetCopies", "ua{sv}",
                                      9, 0),
                        "org.dkv.Error.Invalid", "from 1 to 8");
        assert_false(fake.there);
}

/* The committer may be faster than the loop. */
TEST(a_job_that_is_not_kept_is_a_failure) {
        fake.failure = -ENOSPC;
        assert_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "SetCopies", "ua{sv}",
                                      1, 0),
                        "org.dkv.Error.NoSpace", "disk is full");
        assert_bus_error(start_rebalance(), "org.dkv.Error.NoSpace", "disk is full");
}

TEST(job_has_what_it_is_asked_for) {
        sd_bus_message *reply;
        const void *numbers;
        const char *text, *second;
        uint64_t value;
        uint32_t parallel;
        size_t size;

        assert_job_and_free(start_rebalance(), JOB_1);
        fake.status.keys_done = 5;
        fake.status.keys_total = 10;
        bus_ends_get(&ends, JOB_1, JOB_INTERFACE, "Type", "s", &text);
        assert_string_equal(text, "rebalance");
        bus_ends_get(&ends, JOB_1, JOB_INTERFACE, "State", "s", &text);
        assert_string_equal(text, "running");
        bus_ends_get(&ends, JOB_1, JOB_INTERFACE, "KeysDone", "t", &value);
        assert_int_equal(value, 5);
        bus_ends_get(&ends, JOB_1, JOB_INTERFACE, "KeysTotal", "t", &value);
        assert_int_equal(value, 10);
        bus_ends_get(&ends, JOB_1, JOB_INTERFACE, "Parallel", "u", &parallel);
        assert_int_equal(parallel, JOB_PARALLEL);

        reply = assert_no_bus_error(
                        bus_ends_call(&ends, JOB_1, "org.freedesktop.DBus.Properties", "Get", "ss",
                                      JOB_INTERFACE, "Volumes"));
        assert_ok(sd_bus_message_enter_container(reply, 'v', "au"));
        assert_ok(sd_bus_message_read_array(reply, 'u', &numbers, &size));
        assert_int_equal(size, 2 * sizeof(uint32_t));
        assert_int_equal(((const uint32_t *) numbers)[1], 5);
        (void) sd_bus_message_unref(reply);

        /* Keys are percent-encoded: a key may be no text. */
        reply = assert_no_bus_error(bus_ends_call(&ends, JOB_1, JOB_INTERFACE, "GetLostKeys", ""));
        assert_ok(sd_bus_message_read(reply, "as", 2, &text, &second));
        assert_string_equal(text, "one");
        assert_string_equal(second, "b%FF/d");
        (void) sd_bus_message_unref(reply);

        assert_bus_error(
                        bus_ends_call(&ends, UNKNOWN, JOB_INTERFACE, "Pause", ""),
                        SD_BUS_ERROR_UNKNOWN_OBJECT, "");
}

TEST(job_is_controlled) {
        static const struct {
                const char *method, *called;
        } table[] = { { "Pause", "pause" }, { "Resume", "resume" }, { "Cancel", "cancel" } };

        assert_job_and_free(start_rebalance(), JOB_1);
        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                (void) sd_bus_message_unref(assert_no_bus_error(
                                bus_ends_call(&ends, JOB_1, JOB_INTERFACE, table[i].method, "")));
                assert_string_equal(fake.called, table[i].called);
        }

        /* What is not given stays. */
        (void) sd_bus_message_unref(assert_no_bus_error(bus_ends_call(
                        &ends, JOB_1, JOB_INTERFACE, "Set", "a{sv}", 1, "parallel", "u", 7)));
        assert_int_equal(fake.status.limits.parallel, 7);
        assert_int_equal(fake.status.limits.rate, 1000);
        assert_bus_error(
                        bus_ends_call(&ends, JOB_1, JOB_INTERFACE, "Set", "a{sv}", 1, "parallel",
                                      "u", 65),
                        "org.dkv.Error.Invalid", "64");

        fake.status.state = JOB_DONE;
        assert_bus_error(
                        bus_ends_call(&ends, JOB_1, JOB_INTERFACE, "Cancel", ""),
                        "org.dkv.Error.Busy", "ended");
}

TEST(strangers_look_and_do_not_touch) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *plan = NULL;
        static const char refused[] = "org.dkv.Error.NotAuthorized";
        const char *text;

        assert_job_and_free(start_rebalance(), JOB_1);
        caller = 54321;
        bus_ends_get(&ends, JOB_1, JOB_INTERFACE, "State", "s", &text);
        assert_string_equal(text, "running");
        assert_bus_error(start_rebalance(), refused, "Not allowed");
        assert_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "DeleteVolumes",
                                      "aua{sv}", 1, 1, 0),
                        refused, "Not allowed");
        assert_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "SetCopies", "ua{sv}",
                                      1, 0),
                        refused, "Not allowed");
        assert_bus_error(
                        bus_ends_call(&ends, JOB_1, JOB_INTERFACE, "Cancel", ""), refused,
                        "Not allowed");
        assert_bus_error(
                        bus_ends_call(&ends, JOB_1, JOB_INTERFACE, "Set", "a{sv}", 0), refused,
                        "Not allowed");
        assert_string_equal(fake.called, "");

        /* What would be moved is a look. */
        plan = bus_ends_call(
                        &ends, MANAGER_PATH, MANAGER_INTERFACE, "Plan", "saua{sv}", "rebalance", 0,
                        0);
        assert_false(sd_bus_message_is_method_error(plan, NULL));
}

TEST(figures_are_told_twice_a_second) {
        uint64_t begin, spent;
        unsigned limit;

        assert_job_and_free(start_rebalance(), JOB_1);
        follow();
        begin = clock_monotonic();
        while (n_changes < 3) {
                fake.status.keys_done++;
                fake.on_change(1, JOB_CHANGED, fake.userdata);
                assert_ok(sd_event_run(ends.event, USEC_PER_MSEC));
                spent = clock_monotonic() - begin;
                limit = (unsigned) (spent / (USEC_PER_SEC / 2)) + 1;
                assert_true(n_changes <= limit && spent < 10 * USEC_PER_SEC);
        }

        /* The last one is told, too, although nothing more happens. */
        *signals = '\0';
        fake.status.keys_done++;
        fake.on_change(1, JOB_CHANGED, fake.userdata);
        bus_ends_await(&ends, strstr(signals, "KeysDone"));
        assert_null(strstr(signals, "State"));
}

TEST(end_is_told_and_forgotten) {
        assert_job_and_free(start_rebalance(), JOB_1);
        follow();
        fake.status.state = JOB_FAILED;
        fake.on_change(1, JOB_CHANGED, fake.userdata);
        bus_ends_await(&ends, strstr(signals, "JobRemoved"));
        assert_string_equal(signals, "PropertiesChanged State JobRemoved " JOB_1 " failed ");

        *signals = '\0';
        fake.there = false;
        fake.on_change(1, JOB_FORGOTTEN, fake.userdata);
        bus_ends_await(&ends, *signals);
        assert_string_equal(signals, "InterfacesRemoved ");
        assert_bus_error(
                        bus_ends_call(&ends, JOB_1, JOB_INTERFACE, "Pause", ""),
                        SD_BUS_ERROR_UNKNOWN_OBJECT, "");
}

TEST(job_of_the_last_run_is_there_at_once) {
        Fixture *fixture = *state;
        const char *text;

        master_bus_stop(fixture->bus);
        (void) master_bus_free(fixture->bus);
        bus_ends_done(&ends);
        bus_ends_init(&ends);
        fake.there = true;
        fake.status = (JobStatus){ .id = 1, .state = JOB_RUNNING };
        start_bus(fixture);
        bus_ends_get(&ends, JOB_1, JOB_INTERFACE, "State", "s", &text);
        assert_string_equal(text, "running");
}

TEST(plan_is_told) {
        uint64_t keys = 0, moved = 0, n;
        uint32_t source, target;
        sd_bus_message *reply;
        const char *name;

        reply = assert_no_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "Plan", "saua{sv}",
                                      "copies", 0, 1, "copies", "u", 2));
        assert_int_equal(fake.plan_request.what, PREVIEW_COPIES);
        assert_int_equal(fake.plan_request.copies, 2);
        assert_ok(sd_bus_message_enter_container(reply, 'a', "{sv}"));
        while (sd_bus_message_enter_container(reply, 'e', "sv") > 0) {
                assert_ok(sd_bus_message_read(reply, "s", &name));
                if (strcmp(name, "keys") == 0)
                        assert_ok(sd_bus_message_read(reply, "v", "t", &keys));
                else if (strcmp(name, "moves") == 0)
                        assert_ok(sd_bus_message_read(
                                        reply, "v", "a(uutt)", 1, &source, &target, &moved, &n));
                else
                        assert_ok(sd_bus_message_skip(reply, "v"));
                assert_ok(sd_bus_message_exit_container(reply));
        }
        (void) sd_bus_message_unref(reply);
        assert_true(keys == 10 && moved == 10 && source == 1 && target == 4 && n == 1000);

        assert_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "Plan", "saua{sv}",
                                      "nonsense", 0, 0),
                        "org.dkv.Error.Invalid", "nonsense");
        fake.refusal = -EAGAIN;
        assert_bus_error(
                        bus_ends_call(&ends, MANAGER_PATH, MANAGER_INTERFACE, "Plan", "saua{sv}",
                                      "rebalance", 0, 0),
                        "org.dkv.Error.Overloaded", "Another plan");
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
        static const struct CMUnitTest tests[] = {
                ROW(job_is_told_of_before_the_reply),
                ROW(delete_starts_a_drain),
                ROW(refusals_say_why),
                ROW(a_job_that_is_not_kept_is_a_failure),
                ROW(job_has_what_it_is_asked_for),
                ROW(job_is_controlled),
                ROW(strangers_look_and_do_not_touch),
                ROW(figures_are_told_twice_a_second),
                ROW(end_is_told_and_forgotten),
                ROW(job_of_the_last_run_is_there_at_once),
                ROW(plan_is_told),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
