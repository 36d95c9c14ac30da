/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "http/http.h"

#include "base/clock.h"
#include "rpc/call.h"

#define STALL_USEC (50 * USEC_PER_MSEC)

static Fixture fixture;
static HttpClient *client;
static HttpRequest *parked;
static sem_t request_parked;
static int silent_fd; /* connections are made to it, and that is all */

static int park_finish(HttpRequest *request) {
        parked = request;
        assert_ok(sem_post(&request_parked));
        return HTTP_LATER;
}

static const HttpRoute routes[] = {
        { "GET", "/", HTTP_PUBLIC, .finish = park_finish },
        {},
};

static int make_client(uint64_t stall_timeout_usec) {
        HttpClientOptions options = {
                .connect_timeout_usec = PATIENCE_SEC * USEC_PER_SEC,
                .stall_timeout_usec = stall_timeout_usec,
                .connections_max = 16,
        };

        return http_client_new(&options, &client);
}

static int setup(void **state) {
        assert_ok(sem_init(&request_parked, 0, 0));
        silent_fd = service_listen("127.0.0.1:0");
        assert_ok(silent_fd);
        fixture_start(&fixture, routes, NULL);
        return make_client(STALL_USEC);
}

static int teardown(void **state) {
        client = http_client_free(client);
        fixture_stop(&fixture);
        closep(&silent_fd);
        return 0;
}

typedef struct Trial {
        HttpCall *call;
        HttpRequest *request; /* what the call waits for */
        sem_t done;
        int error;
        unsigned status;
} Trial;

static void on_done(HttpCall *call, const HttpResult *result, void *userdata) {
        Trial *trial = userdata;

        trial->error = result->error;
        trial->status = result->status;
        assert_ok(sem_post(&trial->done));
}

/* PATIENCE of 0 is the client's. */
static void trial_start_at(Trial *trial, int port, uint64_t patience_usec) {
        char url[64];

        *trial = (Trial){};
        assert_ok(sem_init(&trial->done, 0, 0));
        (void) snprintf(url, sizeof(url), "http://127.0.0.1:%i/", port);
        assert_ok(http_call_new(client, "GET", url, &trial->call));
        if (patience_usec > 0)
                http_call_set_stall_timeout(trial->call, patience_usec);
        http_call_start(http_call_ref(trial->call), on_done, trial);
}

/* Until the server has it. */
static void trial_start(Trial *trial, uint64_t patience_usec) {
        trial_start_at(trial, fixture.port, patience_usec);
        wait_for(&request_parked);
        trial->request = parked;
}

static int trial_finish(Trial *trial) {
        wait_for(&trial->done);
        trial->call = http_call_unref(trial->call);
        return trial->error;
}

/* When the second of these has timed out, all others had time enough for it, too. */
static void let_time_pass(void) {
        for (int i = 0; i < 2; i++) {
                Trial other;

                trial_start_at(&other, service_port(silent_fd), 0);
                assert_int_equal(trial_finish(&other), -ETIMEDOUT);
        }
}

TEST(a_patient_call_waits_for_its_answer) {
        Trial patient, endless;

        trial_start(&patient, 10 * PATIENCE_SEC * USEC_PER_SEC);
        trial_start(&endless, UINT64_MAX);
        let_time_pass();

        assert_ok(http_request_reply(patient.request, 204));
        assert_int_equal(trial_finish(&patient), 0);
        assert_int_equal(patient.status, 204);
        assert_ok(http_request_reply(endless.request, 204));
        assert_int_equal(trial_finish(&endless), 0);
}

TEST(a_patient_call_can_be_cancelled) {
        Trial endless;

        trial_start(&endless, UINT64_MAX);
        http_call_cancel(endless.call);
        assert_int_equal(trial_finish(&endless), -ECANCELED);
        assert_ok(http_request_reply(endless.request, 204));
}

TEST(silent_calls_to_an_address_can_be_ended) {
        Trial one, other;
        char url[64];

        (void) snprintf(url, sizeof(url), "http://127.0.0.1:%i", fixture.port);
        trial_start(&one, UINT64_MAX);
        trial_start(&other, UINT64_MAX);

        /* Of another address, or not silent for so long. */
        http_client_end_silent(client, "http://127.0.0.1:1", 0);
        url[strlen(url) - 1] = '\0';
        http_client_end_silent(client, url, 0);
        (void) snprintf(url, sizeof(url), "http://127.0.0.1:%i", fixture.port);
        http_client_end_silent(client, url, 10 * PATIENCE_SEC * USEC_PER_SEC);
        let_time_pass();
        assert_ok(http_request_reply(one.request, 204));
        assert_int_equal(trial_finish(&one), 0);

        http_client_end_silent(client, url, USEC_PER_MSEC);
        assert_int_equal(trial_finish(&other), -EHOSTDOWN);
        assert_ok(http_request_reply(other.request, 204));
}

TEST(patience_has_an_end) {
        Trial patient;

        trial_start_at(&patient, service_port(silent_fd), 3 * STALL_USEC);
        assert_int_equal(trial_finish(&patient), -ETIMEDOUT);
}

TEST(patience_may_be_less_than_the_client_has) {
        Trial patient, impatient;

        client = http_client_free(client);
        assert_ok(make_client(USEC_PER_HOUR));
        trial_start(&patient, 0);
        trial_start_at(&impatient, service_port(silent_fd), STALL_USEC);
        assert_int_equal(trial_finish(&impatient), -ETIMEDOUT);
        assert_ok(http_request_reply(patient.request, 204));
        assert_int_equal(trial_finish(&patient), 0);
}

/* As long as a call may stall that has to be answered before it does */
#define PAUSE_USEC USEC_PER_SEC

static unsigned n_offered;

/* Takes what comes when it is offered for the third time. */
static int take_late(void *userdata, const void *data, size_t size) {
        Trial *trial = userdata;

        if (++n_offered == 3)
                return 0;
        assert_ok(http_call_resume_after(trial->call, PAUSE_USEC));
        return -EAGAIN;
}

static int accept_head(HttpCall *call, unsigned status, void *userdata) {
        return 0;
}

TEST(a_sink_may_ask_for_a_pause) {
        uint64_t start = clock_monotonic();
        Trial trial = {};
        char url[64];

        n_offered = 0;
        assert_ok(sem_init(&trial.done, 0, 0));
        (void) snprintf(url, sizeof(url), "http://127.0.0.1:%i/", fixture.port);
        assert_ok(http_call_new(client, "GET", url, &trial.call));
        http_call_set_stall_timeout(trial.call, PAUSE_USEC);
        http_call_set_sink(trial.call, accept_head, take_late);
        http_call_start(http_call_ref(trial.call), on_done, &trial);
        wait_for(&request_parked);
        assert_ok(http_request_reply_data(parked, 200, NULL, "x", 1));

        assert_int_equal(trial_finish(&trial), 0);
        assert_int_equal(n_offered, 3);
        assert_true(clock_monotonic() - start >= 2 * PAUSE_USEC);
}

static void on_post(void *userdata) {
        assert_ok(sem_post(userdata));
}

TEST(functions_run_when_they_are_due) {
        uint64_t start = clock_monotonic();
        sem_t soon, later, never;

        assert_ok(sem_init(&soon, 0, 0) | sem_init(&later, 0, 0) | sem_init(&never, 0, 0));
        assert_ok(http_client_post(client, USEC_PER_HOUR, on_post, &never));
        assert_ok(http_client_post(client, 100 * USEC_PER_MSEC, on_post, &later));
        assert_ok(http_client_post(client, 0, on_post, &soon));
        wait_for(&soon);
        wait_for(&later);
        assert_true(clock_monotonic() - start >= 100 * USEC_PER_MSEC);
        client = http_client_free(client);
        assert_int_equal(sem_trywait(&never), -1);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_patient_call_waits_for_its_answer),      RUN(a_patient_call_can_be_cancelled),
                RUN(silent_calls_to_an_address_can_be_ended),  RUN(patience_has_an_end),
                RUN(patience_may_be_less_than_the_client_has), RUN(a_sink_may_ask_for_a_pause),
                RUN(functions_run_when_they_are_due),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
