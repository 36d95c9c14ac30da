/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Orders: to whom they go, and what their answers mean. */

#include "test.h"

#include <errno.h>

#include "master/cluster/run.h"
#include "master/link/order.h"
#include "master/master-fixture.h"
#include "shift.h"

#define NUMBER 2

static StandIn volume;
static sem_t answered;
static int outcome;

static int setup(void **state) {
        master_start();
        stand_in_init(&volume);
        stand_in_listen(&volume);
        assert_ok(sem_init(&answered, 0, 0));
        return 0;
}

static int teardown(void **state) {
        stand_in_done(&volume);
        master_stop();
        return 0;
}

static void on_done(HttpCall *call, const HttpResult *result, void *userdata) {
        outcome = order_result(result);
        assert_ok(sem_post(&answered));
}

static int send_order(uint32_t number) {
        _cleanup_(buffer_done) Buffer body = {};
        Order order = {
                .volume = number,
                .kind = CALL_CHECK,
                .client = volume.client,
                .body = &body,
                .on_done = on_done,
        };

        buffer_put_u64(&body, 42);
        return order_send(master.volumes, &order, NULL);
}

static int await_outcome(void) {
        wait_for(&answered);
        return outcome;
}

static void answer_nothing(void) {
        Buffer nothing = {};

        stand_in_answer(&volume, &nothing);
}

TEST(an_order_names_the_run_that_has_reported) {
        const Parties *parties;
        Reader body;

        master_know(NUMBER, volume.url);
        assert_ok(send_order(NUMBER));
        body = stand_in_receive(&volume, "/-/check");
        assert_int_equal(reader_get_u64(&body), 42);

        parties = rpc_parties(volume.request);
        assert_int_equal(parties->from.number, 0);
        assert_int_equal(parties->to.number, NUMBER);
        assert_int_equal(parties->to.uuid[0], NUMBER);
        assert_int_equal(parties->to.run, NUMBER);
        assert_true(leadership_equal(&parties->lead, index_identity(master.index)));
        answer_nothing();
        assert_int_equal(await_outcome(), 0);
}

TEST(each_order_has_a_number_of_its_own) {
        uint64_t last = 0;

        master_know(NUMBER, volume.url);
        for (int i = 0; i < 3; i++) {
                assert_ok(send_order(NUMBER));
                stand_in_await(&volume);
                (void) stand_in_receive(&volume, "/-/check");
                assert_true(rpc_parties(volume.request)->sequence > last);
                last = rpc_parties(volume.request)->sequence;
                answer_nothing();
                assert_int_equal(await_outcome(), 0);
        }
}

TEST(a_volume_that_is_not_known_gets_no_orders) {
        assert_int_equal(send_order(NUMBER), -ENOENT);
}

TEST(a_volume_that_is_down_gets_no_orders) {
        master_know(NUMBER, volume.url);
        shift_clock(3601);
        assert_int_equal(send_order(NUMBER), -EHOSTDOWN);
        master_know(NUMBER, volume.url);
        assert_ok(send_order(NUMBER));
        (void) stand_in_receive(&volume, "/-/check");
        answer_nothing();
        assert_int_equal(await_outcome(), 0);
}

/* After a restart of the master the map has the volume, which is believed to be up; but who serves
 * its store now only a report of this term can say. */
TEST(a_volume_that_has_not_reported_in_this_term_gets_no_orders) {
        master_know(NUMBER, volume.url);
        master_close();
        master_open(USEC_PER_HOUR);
        assert_int_equal(send_order(NUMBER), -EINPROGRESS);

        master_know(NUMBER, volume.url);
        assert_ok(send_order(NUMBER));
        (void) stand_in_receive(&volume, "/-/check");
        answer_nothing();
        assert_int_equal(await_outcome(), 0);
}

TEST(orders_go_where_the_volume_says_it_is_though_the_map_is_behind) {
        StandIn moved;
        VolumeReport report;

        master_know(NUMBER, volume.url);
        stand_in_init(&moved);
        stand_in_listen(&moved);
        shift_clock(3601); /* it was down, and comes back elsewhere */
        report = master_report_of(NUMBER, moved.url);
        assert_int_equal(volumes_report(master.volumes, &report), 0);
        assert_ok(send_order(NUMBER));
        (void) stand_in_receive(&moved, "/-/check");
        stand_in_answer(&moved, &(Buffer){});
        assert_int_equal(await_outcome(), 0);
        master_settle();
        stand_in_done(&moved);
}

TEST(an_answer_is_an_errno) {
        static const struct {
                HttpResult result;
                int error;
        } cases[] = {
                { { .status = 200 }, 0 },
                { { .error = -EHOSTDOWN }, -EHOSTDOWN },
                { { .error = -ETIMEDOUT }, -ETIMEDOUT },
                { { .error = -ESHUTDOWN, .status = 200 }, -ESHUTDOWN },
                { { .status = 100 }, -EREMOTEIO },
                { { .status = 204 }, -EREMOTEIO },
                { { .status = 302 }, -EREMOTEIO },
                { { .status = 403 }, -EACCES },
                { { .status = 421 }, -EREMOTE },
                { { .status = 425 }, -EINPROGRESS },
                { { .status = 507 }, -ENOSPC },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_int_equal(order_result(&cases[i].result), cases[i].error);
        for (unsigned status = 400; status < 600; status++)
                assert_true(order_result(&(HttpResult){ .status = status }) < 0);
}

/* A call that came twice, because a connection broke, is not refused for good: its next try has
 * another number. */
TEST(an_order_that_came_before_is_given_again) {
        for (unsigned status = 400; status < 600; status++)
                assert_int_not_equal(order_result(&(HttpResult){ .status = status }), -EEXIST);
}

TEST(a_refused_order_is_told) {
        static const int errors[] = { -ENOSPC, -EINPROGRESS, -EREMOTE, -EKEYREVOKED };

        master_know(NUMBER, volume.url);
        for (size_t i = 0; i < ELEMENTSOF(errors); i++) {
                assert_ok(send_order(NUMBER));
                (void) stand_in_receive(&volume, "/-/check");
                stand_in_refuse(&volume, errors[i]);
                assert_int_equal(await_outcome(), errors[i]);
        }
}

TEST(an_order_whose_answer_is_cut_off_has_failed) {
        master_know(NUMBER, volume.url);
        assert_ok(send_order(NUMBER));
        (void) stand_in_receive(&volume, "/-/check");
        stand_in_cut(&volume);
        assert_true(await_outcome() < 0);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(an_order_names_the_run_that_has_reported),
                RUN(each_order_has_a_number_of_its_own),
                RUN(a_volume_that_is_not_known_gets_no_orders),
                RUN(a_volume_that_is_down_gets_no_orders),
                RUN(a_volume_that_has_not_reported_in_this_term_gets_no_orders),
                RUN(orders_go_where_the_volume_says_it_is_though_the_map_is_behind),
                cmocka_unit_test(an_answer_is_an_errno),
                cmocka_unit_test(an_order_that_came_before_is_given_again),
                RUN(a_refused_order_is_told),
                RUN(an_order_whose_answer_is_cut_off_has_failed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
