/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Orders: to whom they go, and what they come to. */

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

static void on_done(const RpcResult *result, void *userdata) {
        outcome = rpc_result_error(result);
        assert_ok(sem_post(&answered));
}

static int send_order(uint32_t number) {
        _cleanup_(buffer_done) Buffer body = {};
        Order order = {
                .volume = number,
                .kind = CALL_CHECK,
                .peers = volume.peers,
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
        body = stand_in_receive(&volume, CALL_CHECK);
        assert_int_equal(reader_get_u64(&body), 42);

        parties = stand_in_parties(&volume);
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
                (void) stand_in_receive(&volume, CALL_CHECK);
                assert_true(stand_in_parties(&volume)->sequence > last);
                last = stand_in_parties(&volume)->sequence;
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
        (void) stand_in_receive(&volume, CALL_CHECK);
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
        (void) stand_in_receive(&volume, CALL_CHECK);
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
        (void) stand_in_receive(&moved, CALL_CHECK);
        stand_in_answer(&moved, &(Buffer){});
        assert_int_equal(await_outcome(), 0);
        master_settle();
        stand_in_done(&moved);
}

TEST(a_refused_order_is_told) {
        static const int errors[] = { -ENOSPC, -EINPROGRESS, -EREMOTE, -EKEYREVOKED };

        master_know(NUMBER, volume.url);
        for (size_t i = 0; i < ELEMENTSOF(errors); i++) {
                assert_ok(send_order(NUMBER));
                (void) stand_in_receive(&volume, CALL_CHECK);
                stand_in_refuse(&volume, errors[i]);
                assert_int_equal(await_outcome(), errors[i]);
        }
}

TEST(an_order_whose_answer_is_cut_off_has_failed) {
        master_know(NUMBER, volume.url);
        assert_ok(send_order(NUMBER));
        (void) stand_in_receive(&volume, CALL_CHECK);
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
                RUN(a_refused_order_is_told),
                RUN(an_order_whose_answer_is_cut_off_has_failed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
