/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>
#include <sched.h>

#include "scratch.h"
#include "volume/link/allegiance.h"

#define NUMBER 3

static char *directory;
static ObjectStore *store;
static Allegiance *allegiance;
static uint64_t sequence;

static const Leadership first = { .cluster = "a cluster", .term = 5, .leader = 50 };
static const Leadership second = { .cluster = "a cluster", .term = 6, .leader = 60 };
static const Leadership copied = { .cluster = "a cluster", .term = 6, .leader = 61 };
static const Leadership foreign = { .cluster = "another", .term = 9, .leader = 90 };

/* The disk fails. */
static bool is_failing;

void __real_object_store_set(ObjectStore *object_store, ObjectStoreSet *set);
void __wrap_object_store_set(ObjectStore *object_store, ObjectStoreSet *set);

void __wrap_object_store_set(ObjectStore *object_store, ObjectStoreSet *set) {
        if (is_failing)
                set->operation.done(&set->operation, -EROFS);
        else
                __real_object_store_set(object_store, set);
}

static int open_as(uint32_t number, uint32_t *reterr_number) {
        ObjectStoreOptions options = { .environment.directory = directory };
        int r;

        assert_int_equal(object_store_open(&options, &store), 0);
        r = allegiance_new(store, number, &allegiance, reterr_number);
        if (r < 0)
                store = object_store_free(store);
        return r;
}

static void close_all(void) {
        store = object_store_free(store);
        allegiance = allegiance_free(allegiance);
}

static void reopen(void) {
        uint32_t number;

        close_all();
        assert_int_equal(open_as(NUMBER, &number), 0);
}

static int setup(void **state) {
        uint32_t number;

        directory = scratch_new();
        return open_as(NUMBER, &number);
}

static int teardown(void **state) {
        close_all();
        directory = scratch_free(directory);
        return 0;
}

/* Waits until it is durable. */
static void follow(const Leadership *lead) {
        Leadership followed;

        assert_int_equal(allegiance_accept(allegiance, lead), 0);
        while (!allegiance_lead(allegiance, &followed) || !leadership_equal(&followed, lead))
                (void) sched_yield();
}

static Parties make_order(const Leadership *lead) {
        return (Parties){
                .lead = *lead,
                .to = *allegiance_store(allegiance),
                .sequence = ++sequence,
        };
}

static int order_of(const Leadership *lead) {
        Parties order = make_order(lead);

        return allegiance_check_order(allegiance, &order);
}

TEST(orders_come_from_the_leader_that_is_followed) {
        assert_int_equal(order_of(&first), -EINPROGRESS);
        follow(&first);
        assert_int_equal(order_of(&first), 0);
        assert_int_equal(order_of(&second), -EINPROGRESS);
        assert_int_equal(order_of(&foreign), -EREMOTE);

        follow(&second);
        assert_int_equal(order_of(&second), 0);
        assert_int_equal(order_of(&first), -EKEYREVOKED);
        assert_int_equal(order_of(&copied), -EINPROGRESS);
}

TEST(orders_are_for_this_store_and_run) {
        Parties order;

        follow(&first);
        order = make_order(&first);
        order.to.number++;
        assert_int_equal(allegiance_check_order(allegiance, &order), -EREMOTE);
        order = make_order(&first);
        order.to.uuid[15] ^= 1;
        assert_int_equal(allegiance_check_order(allegiance, &order), -EREMOTE);
        order = make_order(&first);
        order.to.run ^= 1;
        assert_int_equal(allegiance_check_order(allegiance, &order), -EINPROGRESS);
        order = make_order(&first);
        order.to.run = 0;
        assert_int_equal(allegiance_check_order(allegiance, &order), -EREMOTE);
        order = make_order(&first);
        order.from.number = 2;
        assert_int_equal(allegiance_check_order(allegiance, &order), -EREMOTE);
}

/* Its reports are taken all the same, which the old leader has nothing to do with. */
TEST(a_leader_that_cannot_be_stored_is_not_followed) {
        follow(&first);
        is_failing = true;
        assert_int_equal(allegiance_accept(allegiance, &second), 0);
        assert_false(allegiance_follows(allegiance, &second));
        assert_true(allegiance_follows(allegiance, &first));

        is_failing = false;
        follow(&second);
        assert_true(allegiance_follows(allegiance, &second));
        assert_false(allegiance_follows(allegiance, &first));
}

TEST(a_store_stays_in_its_cluster_and_goes_forward) {
        Leadership lead;

        assert_false(allegiance_lead(allegiance, &lead));
        assert_true(cluster_id_is_null(lead.cluster));
        assert_int_equal(allegiance_accept(allegiance, &(Leadership){}), -EREMOTE);
        follow(&second);
        assert_int_equal(allegiance_accept(allegiance, &foreign), -EREMOTE);
        assert_int_equal(allegiance_accept(allegiance, &first), -EKEYREVOKED);
        assert_int_equal(allegiance_accept(allegiance, &copied), -EKEYREVOKED);
        assert_true(allegiance_lead(allegiance, &lead));
        assert_true(leadership_equal(&lead, &second));
}

TEST(all_of_that_survives_a_restart_but_not_the_run) {
        Parties order;
        Leadership lead;

        follow(&second);
        order = make_order(&second);
        reopen();
        assert_false(allegiance_lead(allegiance, &lead));
        assert_true(leadership_equal(&lead, &second));
        assert_true(allegiance_store(allegiance)->run != order.to.run);
        assert_int_equal(allegiance_check_order(allegiance, &order), -EINPROGRESS);

        /* Until a report says so, the leader may have been followed by another one. */
        assert_int_equal(order_of(&second), -EINPROGRESS);
        assert_int_equal(order_of(&first), -EKEYREVOKED);
        assert_int_equal(allegiance_accept(allegiance, &first), -EKEYREVOKED);
        assert_int_equal(allegiance_accept(allegiance, &foreign), -EREMOTE);
        assert_int_equal(allegiance_accept(allegiance, &second), 0);
        assert_int_equal(order_of(&second), 0);
}

TEST(a_store_keeps_its_number) {
        uint32_t number = 0;

        follow(&first);
        close_all();
        assert_int_equal(open_as(NUMBER + 1, &number), -EREMOTE);
        assert_int_equal(number, NUMBER);
        assert_int_equal(open_as(NUMBER, &number), 0);
}

/* As long as nobody has accepted it, it is an empty store like any other. */
TEST(an_unbound_store_may_get_another_number) {
        uint32_t number;

        close_all();
        assert_int_equal(open_as(NUMBER + 1, &number), 0);
}

TEST(calls_of_others_are_for_this_store) {
        Parties call = { .lead = first, .to = *allegiance_store(allegiance) };

        call.to.run = 0;
        assert_int_equal(allegiance_check_receiver(allegiance, &call), -EINPROGRESS);
        follow(&first);
        assert_int_equal(allegiance_check_receiver(allegiance, &call), 0);
        call.lead = second; /* the other volume has heard of it already */
        assert_int_equal(allegiance_check_receiver(allegiance, &call), 0);
        call.lead = foreign;
        assert_int_equal(allegiance_check_receiver(allegiance, &call), -EREMOTE);
        call.lead = first;
        call.to.number++;
        assert_int_equal(allegiance_check_receiver(allegiance, &call), -EREMOTE);
}

TEST(own_calls_are_numbered) {
        Parties call, next;

        assert_false(allegiance_call(allegiance, &call));
        assert_true(cluster_id_is_null(call.lead.cluster));
        follow(&first);
        assert_true(allegiance_call(allegiance, &next));
        assert_true(next.sequence > call.sequence);
        assert_true(leadership_equal(&next.lead, &first));
        assert_int_equal(next.from.number, NUMBER);
        assert_true(next.from.run != 0);
        assert_int_equal(next.to.number, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        static const struct CMUnitTest tests[] = {
                CASE(orders_come_from_the_leader_that_is_followed),
                CASE(orders_are_for_this_store_and_run),
                CASE(a_leader_that_cannot_be_stored_is_not_followed),
                CASE(a_store_stays_in_its_cluster_and_goes_forward),
                CASE(all_of_that_survives_a_restart_but_not_the_run),
                CASE(a_store_keeps_its_number),
                CASE(an_unbound_store_may_get_another_number),
                CASE(calls_of_others_are_for_this_store),
                CASE(own_calls_are_numbered),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
