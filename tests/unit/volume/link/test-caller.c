/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "volume/volume-world.h"

#include "store/object/object-reach.h"

/* An order that deletes nothing, which only says who may give orders. */
static unsigned give(World *world, const Parties *parties) {
        static uint64_t number;
        Buffer body = {};

        buffer_put_u64(&body, ++number);
        return world_call(world, CALL_DELETE, parties, &body, NULL);
}

TEST(the_leader_that_is_followed_may_give_orders) {
        World *world = *state;
        Parties order = world_order(world);

        assert_int_equal(give(world, &order), 200);
        assert_int_equal(give(world, NULL), 200);
}

TEST(orders_for_others_and_of_others_are_refused) {
        World *world = *state;
        Parties order;

        order = world_order(world);
        order.to.number++; /* another volume */
        assert_int_equal(give(world, &order), 421);

        order = world_order(world);
        order.to.uuid[0] ^= 1; /* another store of this one */
        assert_int_equal(give(world, &order), 421);

        order = world_order(world);
        order.lead.cluster[0] ^= 1;
        assert_int_equal(give(world, &order), 421);

        order = world_order(world);
        order.to.run = 0; /* an order is for one run */
        assert_int_equal(give(world, &order), 421);
}

TEST(a_leader_that_was_followed_before_is_told_so) {
        World *world = *state;
        Parties old = world_order(world), now;

        world_follow(world, 2);
        assert_int_equal(give(world, &old), 410);
        now = world_order(world);
        assert_int_equal(give(world, &now), 200);
}

static atomic_uint n_refreshed;

static void on_refresh(void *userdata) {
        n_refreshed++;
}

/* Of a leader that is not known yet, the next report will tell. */
TEST(an_order_that_comes_too_early_asks_for_a_report) {
        World *world = *state;
        Parties order = world_order(world);

        n_refreshed = 0;
        master_link_set_refresh(world->link, on_refresh, NULL);
        order.lead.term++;
        assert_true(give(world, &order) >= 400);
        assert_int_equal(n_refreshed, 1);

        order = world_order(world);
        order.to.run ^= 1; /* of another run of this daemon */
        assert_true(give(world, &order) >= 400);
        assert_int_equal(n_refreshed, 2);
}

/* Says "This is volume 3." to those who look for another one. */
TEST(who_is_here_is_told_to_those_who_look_for_somebody_else) {
        World *world = *state;
        Parties order = world_order(world);
        _cleanup_(buffer_done) Buffer answer = {}, other = {};

        order.to.number = 77;
        assert_int_equal(world_call(world, CALL_DELETE, &order, NULL, &answer), 421);
        assert_non_null(memmem(answer.data, answer.size, "This is volume 3.", 17));

        order = world_order(world);
        order.to.uuid[5] ^= 1;
        assert_int_equal(world_call(world, CALL_DELETE, &order, NULL, &other), 421);
        assert_non_null(
                        memmem(other.data, other.size, IDENTITY_OTHER_STORE,
                               strlen(IDENTITY_OTHER_STORE)));
}

TEST(an_order_tells_which_revision_is_durable) {
        World *world = *state;
        Parties order = world_order(world);

        order.revision = 12345;
        assert_int_equal(give(world, &order), 200);
        assert_int_equal(object_store_reach(world->copies.store).revision, 12345);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
        const struct CMUnitTest tests[] = {
                RUN(the_leader_that_is_followed_may_give_orders),
                RUN(orders_for_others_and_of_others_are_refused),
                RUN(a_leader_that_was_followed_before_is_told_so),
                RUN(an_order_that_comes_too_early_asks_for_a_report),
                RUN(who_is_here_is_told_to_those_who_look_for_somebody_else),
                RUN(an_order_tells_which_revision_is_durable),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
