/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "volume/volume-world.h"

#include <errno.h>

#include "base/json.h"
#include "core/call/wire.h"
#include "rpc/signed-route.h"

static Json *greet(World *world, const Parties *parties) {
        _cleanup_(buffer_done) Buffer answer = {};
        Json *json;

        assert_int_equal(world_call(world, CALL_HELLO, parties, NULL, &answer), 200);
        assert_ok(json_parse((const char *) answer.data, answer.size, &json));
        return json;
}

static atomic_uint n_refreshed;

static void on_refresh(void *userdata) {
        n_refreshed++;
}

TEST(the_leader_that_is_followed_hears_so) {
        World *world = *state;
        Parties parties = world_order(world);
        _cleanup_(json_freep) Json *json = NULL;
        uint64_t age;
        bool follows;

        n_refreshed = 0;
        master_link_set_refresh(world->link, on_refresh, NULL);
        json = greet(world, &parties);
        assert_ok(json_get_bool(json, "follows", &follows));
        assert_true(follows);
        assert_ok(json_get_uint(json, "age_usec", &age));
        assert_int_equal(age, UINT64_MAX); /* it has taken no report */
        assert_string_equal(json_get_string(json, "master"), world->master.url);
        assert_int_equal(n_refreshed, 0);
}

/* So that the next answer tells whether the leader that is followed is alive. */
TEST(another_master_of_the_cluster_has_the_volume_report) {
        World *world = *state;
        Parties parties = world_order(world);
        _cleanup_(json_freep) Json *json = NULL;

        n_refreshed = 0;
        master_link_set_refresh(world->link, on_refresh, NULL);
        parties.lead.leader++;
        json = greet(world, &parties);
        assert_int_equal(n_refreshed, 1);
}

static unsigned greet_from(World *world, const char *url, uint64_t term) {
        Parties parties = world_order(world);
        Buffer body = {};

        buffer_put(&body, url, strlen(url));
        parties.lead.term = term;
        parties.lead.leader = term;
        return world_call(world, CALL_HELLO, &parties, &body, NULL);
}

TEST(a_later_leader_says_where_it_is_and_an_older_one_is_not_heard) {
        World *world = *state;
        uint64_t term = world->lead.term;

        assert_int_equal(greet_from(world, "http://old:1", term), 200);
        assert_string_equal(master_link_url(world->link), world->master.url);
        assert_int_equal(greet_from(world, "http://new:1", term + 1), 200);
        assert_string_equal(master_link_url(world->link), "http://new:1");
        assert_int_equal(greet_from(world, "nowhere", term + 2), 400);
        assert_string_equal(master_link_url(world->link), "http://new:1");
}

TEST(masters_of_other_clusters_and_callers_of_other_stores_are_refused) {
        World *world = *state;
        Parties parties = world_order(world);

        parties.lead.cluster[3] ^= 1;
        assert_int_equal(world_call(world, CALL_HELLO, &parties, NULL, NULL), 421);
        parties = world_order(world);
        parties.to.number++;
        assert_int_equal(world_call(world, CALL_HELLO, &parties, NULL, NULL), 421);
}

TEST(health_is_for_everybody) {
        World *world = *state;
        _cleanup_(json_freep) Json *json = NULL;
        const char *answer;
        uint64_t number;
        bool master;

        world_put(world, 2, "a", "one", 3);
        pending_add(world->copies.pending, 4);
        answer = exchange_simple(&world->server, "GET", "/-/health");
        assert_status(answer, 200);
        assert_ok(json_parse(body_of(answer), strlen(body_of(answer)), &json));
        assert_string_equal(json_get_string(json, "status"), "ok");
        assert_ok(json_get_uint(json, "number", &number));
        assert_int_equal(number, WORLD_NUMBER);
        assert_ok(json_get_uint(json, "objects", &number));
        assert_int_equal(number, 1);
        assert_ok(json_get_uint(json, "bytes", &number));
        assert_int_equal(number, 3);
        assert_ok(json_get_uint(json, "pending", &number));
        assert_int_equal(number, 1);
        assert_ok(json_get_uint(json, "term", &number));
        assert_int_equal(number, 1);
        assert_ok(json_get_bool(json, "master", &master));
        assert_false(master); /* it has accepted no report */
        assert_int_equal(strlen(json_get_string(json, "uuid")), 32);
        assert_int_equal(strlen(json_get_string(json, "cluster")), 32);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
        const struct CMUnitTest tests[] = {
                RUN(the_leader_that_is_followed_hears_so),
                RUN(another_master_of_the_cluster_has_the_volume_report),
                RUN(a_later_leader_says_where_it_is_and_an_older_one_is_not_heard),
                RUN(masters_of_other_clusters_and_callers_of_other_stores_are_refused),
                RUN(health_is_for_everybody),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
