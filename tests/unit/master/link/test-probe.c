/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the prober finds out about volumes that it greets, and about the index. */

#include "test.h"

#include <errno.h>

#include "master/cluster/choice.h"
#include "master/cluster/membership.h"
#include "master/cluster/run.h"
#include "master/link/order.h"
#include "master/link/probe.h"
#include "master/master-fixture.h"
#include "shift.h"

#define NUMBER 1
#define ABSENT 2 /* nobody listens at its address */

static StandIn volume, absent;
static HttpClient *bulk;
static Prober *prober;

static void start_prober(void) {
        assert_ok(prober_new(
                        &(ProberOptions){
                                        .index = master.index,
                                        .directory = master.directory,
                                        .lead = master.lead,
                                        .volumes = master.volumes,
                                        .troubles = master.troubles,
                                        .client = volume.client,
                                        .bulk = absent.client,
                                        .peers = volume.peers,
                        },
                        master.event, &prober));
}

static int setup(void **state) {
        master_start();
        stand_in_init(&volume);
        stand_in_listen(&volume);
        stand_in_init(&absent);
        bulk = absent.client;
        start_prober();
        return 0;
}

static int teardown(void **state) {
        stand_in_hang_up(&volume); /* all that the prober waits for ends */
        stand_in_hang_up(&absent);
        prober = prober_free(prober);
        stand_in_done(&volume);
        stand_in_done(&absent);
        master_stop();
        return 0;
}

static VolumeStatus status_of(uint32_t number) {
        _cleanup_free_ VolumeStatus *list = NULL;
        uint64_t epoch;
        size_t n;

        assert_ok(volumes_list(master.volumes, &list, &n, &epoch));
        for (size_t i = 0; i < n; i++)
                if (list[i].number == number)
                        return list[i];
        fail();
        return (VolumeStatus){};
}

/* Waits until the master has heard how N more calls to the volume have ended. */
static void await_failures(uint32_t number, unsigned n) {
        for (int i = 0; i < 2000 && status_of(number).contact.n_failed < n; i++)
                (void) usleep(10 * USEC_PER_MSEC);
        assert_int_equal(status_of(number).contact.n_failed, n);
}

/* Answers the greeting as the volume does, and waits until the master has heard that. */
static void answer_hello(void) {
        static const char text[] = "{\"follows\":true,\"age_usec\":0,\"master\":\"\"}";
        Parties parties = {
                .lead = *index_identity(master.index),
                .from = { .number = NUMBER, .uuid = { NUMBER }, .run = NUMBER },
        };
        uint64_t before = status_of(NUMBER).contact.good_usec;

        (void) stand_in_receive(&volume, CALL_HELLO);
        assert_ok(
                        signed_reply(TAKE_PTR(volume.request), volume.secret, &parties,
                                     "application/json", text, strlen(text)));
        for (int i = 0; i < 2000 && status_of(NUMBER).contact.good_usec == before; i++)
                (void) usleep(10 * USEC_PER_MSEC);
        assert_true(volumes_is_reached(master.volumes, NUMBER));
}

/* Greets it until the greeting has failed N times. */
static void fail_to_greet(uint32_t number, unsigned n) {
        for (unsigned i = status_of(number).contact.n_failed + 1; i <= n; i++) {
                prober_hurry(prober, number);
                await_failures(number, i);
        }
}

TEST(a_volume_that_has_not_reported_is_greeted_at_each_look) {
        master_know(NUMBER, volume.url);
        prober = prober_free(prober);
        master_close();
        master_open(USEC_PER_HOUR);
        start_prober();

        for (int i = 0; i < 3; i++) {
                prober_start(prober);
                answer_hello();
        }
}

TEST(volumes_that_report_are_greeted_in_turn_at_every_second_look) {
        master_know(NUMBER, volume.url);
        master_know(ABSENT, absent.url);
        for (unsigned i = 1; i <= 3; i++) {
                prober_start(prober);
                answer_hello();
                prober_start(prober);
                await_failures(ABSENT, i);
        }
        assert_int_equal(sem_trywait(&volume.arrived), -1);
}

TEST(a_greeting_that_is_asked_for_comes_at_once_and_once) {
        master_know(NUMBER, volume.url);
        prober_hurry(prober, NUMBER);
        prober_hurry(prober, NUMBER);
        prober_hurry(prober, NUMBER);
        answer_hello();
        assert_int_equal(sem_trywait(&volume.arrived), -1);

        prober_hurry(prober, NUMBER);
        answer_hello();
}

TEST(whoever_is_not_in_the_map_is_not_greeted) {
        prober_hurry(prober, NUMBER);
        prober_hurry(prober, VOLUME_MAX);
        prober_hurry(prober, 0);
        prober_start(prober);
        assert_int_equal(sem_trywait(&volume.arrived), -1);
}

TEST(where_nobody_listens_is_known_from_the_greeting) {
        Record record = { .n_copies = 2, .copies = { NUMBER, ABSENT } };
        char url[VOLUME_URL_SIZE];

        master_know(NUMBER, volume.url);
        master_know(ABSENT, absent.url);
        fail_to_greet(ABSENT, 1);
        assert_false(volumes_is_reached(master.volumes, ABSENT));
        assert_int_equal(status_of(ABSENT).contact.os_error, ECONNREFUSED);
        for (int i = 0; i < 4; i++) /* readers go elsewhere */
                assert_int_equal(volumes_choose(master.volumes, &record, 0, url), NUMBER);
}

TEST(a_volume_is_reached_again_as_soon_as_a_greeting_gets_through) {
        master_know(NUMBER, volume.url);
        prober_hurry(prober, NUMBER);
        (void) stand_in_receive(&volume, CALL_HELLO);
        stand_in_cut(&volume);
        await_failures(NUMBER, 1);
        prober_hurry(prober, NUMBER);
        answer_hello();
        assert_int_equal(status_of(NUMBER).contact.n_failed, 0);
}

TEST(somebody_else_at_the_address_is_no_contact) {
        master_know(NUMBER, volume.url);
        prober_hurry(prober, NUMBER);
        (void) stand_in_receive(&volume, CALL_HELLO);
        assert_ok(http_request_reply_data(TAKE_PTR(volume.request), 404, NULL, "", 0));
        await_failures(NUMBER, 1);
        assert_int_equal(status_of(NUMBER).contact.error, -EREMOTE);
        assert_non_null(master_detail(TROUBLE_MISPLACED, NUMBER));
}

/* It is told when calls have failed for a second though reports have come since. */
TEST(a_volume_that_reports_and_cannot_be_reached_is_told) {
        master_know(ABSENT, absent.url);
        fail_to_greet(ABSENT, 2);
        prober_start(prober);
        assert_null(master_detail(TROUBLE_UNREACHABLE, ABSENT)); /* not yet */

        shift_clock(5);
        master_know(ABSENT, absent.url);
        prober_start(prober);
        assert_contains(master_detail(TROUBLE_UNREACHABLE, ABSENT), absent.url);
        assert_contains(master_detail(TROUBLE_UNREACHABLE, ABSENT), strerror(ECONNREFUSED));
        assert_null(master_detail(TROUBLE_REFUSES, ABSENT));
}

TEST(that_it_can_be_reached_again_ends_the_trouble) {
        master_know(NUMBER, volume.url);
        for (unsigned i = 1; i <= 2; i++) {
                prober_hurry(prober, NUMBER);
                (void) stand_in_receive(&volume, CALL_HELLO);
                stand_in_cut(&volume);
                await_failures(NUMBER, i);
        }
        shift_clock(5);
        master_know(NUMBER, volume.url);
        prober_start(prober);
        assert_string_equal(master_detail(TROUBLE_UNREACHABLE, NUMBER), volume.url);

        if (sem_trywait(&volume.arrived) == 0)
                assert_ok(sem_post(&volume.arrived)); /* that look has greeted it */
        else
                prober_hurry(prober, NUMBER);
        answer_hello();
        prober_start(prober);
        assert_null(master_detail(TROUBLE_UNREACHABLE, NUMBER));
}

/* Then it is the volume that is gone, which is told in other words. */
TEST(a_volume_that_does_not_report_either_is_not_called_unreachable) {
        master_know(ABSENT, absent.url);
        fail_to_greet(ABSENT, 2);
        shift_clock(3601);
        prober_start(prober);
        assert_null(master_detail(TROUBLE_UNREACHABLE, ABSENT));
}

TEST(a_volume_that_refuses_the_master_is_told_as_that) {
        master_know(NUMBER, volume.url);
        for (unsigned i = 1; i <= 2; i++) {
                prober_hurry(prober, NUMBER);
                (void) stand_in_receive(&volume, CALL_HELLO);
                stand_in_refuse(&volume, -EACCES);
                await_failures(NUMBER, i);
        }
        shift_clock(5);
        master_know(NUMBER, volume.url);
        prober_start(prober);
        assert_string_equal(master_detail(TROUBLE_REFUSES, NUMBER), volume.url);
        assert_null(master_detail(TROUBLE_UNREACHABLE, NUMBER));
}

static sem_t ended;
static int end_of_order;

static void on_order_done(const RpcResult *result, void *userdata) {
        end_of_order = result->error;
        assert_ok(sem_post(&ended));
}

static sem_t goes_on;

static void stop_for_a_while(void *userdata) {
        wait_for(&goes_on);
}

/* A call to a machine behind a firewall would hang as long as a connection may. */
TEST(calls_that_wait_for_a_silent_volume_are_ended) {
        Order order = {
                .volume = NUMBER,
                .kind = CALL_CHECK,
                .peers = volume.peers,
                .on_done = on_order_done,
        };

        assert_ok(sem_init(&ended, 0, 0));
        master_know(NUMBER, volume.url);
        assert_ok(order_send(master.volumes, &order, NULL));
        stand_in_await(&volume);
        (void) stand_in_receive(&volume, CALL_CHECK);
        shift_clock(3601); /* it does not report any more, and falls silent */
        assert_ok(sem_init(&goes_on, 0, 0));
        assert_ok(loop_post(loops_get(volume.loops, 0), 0, stop_for_a_while, NULL));
        for (int k = 0; k < 1000 && sem_trywait(&ended) < 0; k++) {
                prober_start(prober);
                (void) usleep(10 * USEC_PER_MSEC);
        }
        assert_true(end_of_order == -EHOSTDOWN || end_of_order == -ETIMEDOUT);
        assert_ok(sem_post(&goes_on));
}

static void on_changed(VolumesChange *change, int result) {
        scratch_done(NULL, result);
}

TEST(of_a_removed_volume_no_trouble_is_left) {
        VolumesChange change = { .epoch = EPOCH_ANY, .done = on_changed };
        const uint32_t number = ABSENT;

        master_know(NUMBER, volume.url);
        master_know(ABSENT, absent.url);
        troubles_note(master.troubles, TROUBLE_DISK_FAILED, ABSENT, "write");
        troubles_note(master.troubles, TROUBLE_DISK_FAILED, NUMBER, "write");
        assert_ok(volumes_drain(master.volumes, &number, 1, &change));
        assert_ok(scratch_wait());
        assert_ok(volumes_remove(master.volumes, &number, 1, &change));
        assert_ok(scratch_wait());

        prober_start(prober);
        assert_null(master_detail(TROUBLE_DISK_FAILED, ABSENT));
        assert_non_null(master_detail(TROUBLE_DISK_FAILED, NUMBER));
}

TEST(an_index_without_room_is_told) {
        IndexOptions options = { .reserve_size = UINT64_MAX / 2 };
        _cleanup_(index_freep) Index *full = NULL;
        _cleanup_(scratch_freep) char *directory = scratch_new();
        Prober *other;

        options.directory = directory;
        assert_ok(index_open(&options, &full));
        assert_ok(prober_new(
                        &(ProberOptions){
                                        .index = full,
                                        .directory = directory,
                                        .lead = master.lead,
                                        .volumes = master.volumes,
                                        .troubles = master.troubles,
                                        .client = volume.client,
                                        .bulk = bulk,
                                        .peers = volume.peers,
                        },
                        master.event, &other));
        prober_start(other);
        assert_string_equal(master_detail(TROUBLE_INDEX_DISK_FULL, 0), directory);
        assert_null(master_detail(TROUBLE_INDEX_DISK_LOW, 0)); /* that is said already */

        /* It is over once there is room. */
        prober_start(prober);
        assert_null(master_detail(TROUBLE_INDEX_DISK_FULL, 0));
        other = prober_free(other);
        full = index_free(full);
}

TEST(a_prober_looks_by_itself) {
        master_know(ABSENT, absent.url);
        for (int i = 0; i < 20 && status_of(ABSENT).contact.n_failed == 0; i++)
                assert_ok(sd_event_run(master.event, USEC_PER_SEC));
        await_failures(ABSENT, 1);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_volume_that_has_not_reported_is_greeted_at_each_look),
                RUN(volumes_that_report_are_greeted_in_turn_at_every_second_look),
                RUN(a_greeting_that_is_asked_for_comes_at_once_and_once),
                RUN(whoever_is_not_in_the_map_is_not_greeted),
                RUN(where_nobody_listens_is_known_from_the_greeting),
                RUN(a_volume_is_reached_again_as_soon_as_a_greeting_gets_through),
                RUN(somebody_else_at_the_address_is_no_contact),
                RUN(a_volume_that_reports_and_cannot_be_reached_is_told),
                RUN(that_it_can_be_reached_again_ends_the_trouble),
                RUN(a_volume_that_does_not_report_either_is_not_called_unreachable),
                RUN(a_volume_that_refuses_the_master_is_told_as_that),
                RUN(calls_that_wait_for_a_silent_volume_are_ended),
                RUN(of_a_removed_volume_no_trouble_is_left),
                RUN(an_index_without_room_is_told),
                RUN(a_prober_looks_by_itself),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
