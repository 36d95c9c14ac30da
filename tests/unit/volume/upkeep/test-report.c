/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "volume/volume-world.h"

#include <errno.h>

#include "base/clock.h"
#include "base/json.h"
#include "core/call/wire.h"

/* Runs the volume's loop until a call has come. */
static Json *receive(World *world, CallKind kind) {
        Reader body;
        Json *json;

        while (sem_trywait(&world->master.arrived) < 0)
                assert_ok(sd_event_run(world->event, 10 * USEC_PER_MSEC));
        assert_ok(sem_post(&world->master.arrived));
        body = stand_in_receive(&world->master, kind);
        if (json_parse((const char *) body.data, body.size, &json) < 0)
                return NULL;
        return json;
}

static void accept_report(World *world, const Leadership *lead, const char *text) {
        stand_in_answer_as(
                        &world->master, lead,
                        &(Buffer){ .data = (uint8_t *) text, .size = strlen(text) });
}

static void format_answer(char *ret, size_t size, uint64_t grace_usec) {
        (void) snprintf(ret, size, "{\"clock\":%llu,\"grace_usec\":%llu}",
                        (unsigned long long) clock_realtime(), (unsigned long long) grace_usec);
}

static void wait_until_accepted(World *world, bool accepted) {
        for (unsigned i = 0; i < 2000 && report_is_accepted(world->report) != accepted; i++)
                usleep(USEC_PER_MSEC);
        assert_int_equal(report_is_accepted(world->report), accepted);
}

TEST(a_report_says_who_and_where_the_volume_is) {
        World *world = *state;
        _cleanup_(json_freep) Json *json = NULL;
        uint64_t wire, pending;

        pending_add(world->copies.pending, 2);
        stand_in_listen(&world->master);
        json = receive(world, CALL_REPORT);
        assert_non_null(json);
        assert_string_equal(json_get_string(json, "url"), "http://127.0.0.1:1");
        assert_string_equal(json_get_string(json, "zone"), "here");
        assert_ok(json_get_uint(json, "wire", &wire));
        assert_int_equal(wire, WIRE_VERSION);
        assert_ok(json_get_uint(json, "pending", &pending));
        assert_int_equal(pending, 1);
        assert_int_equal(stand_in_parties(&world->master)->from.number, WORLD_NUMBER);
        stand_in_refuse(&world->master, -EINVAL);
}

TEST(the_answer_of_the_leader_counts) {
        World *world = *state;
        char text[128], error[REPORT_ERROR_SIZE];

        assert_int_equal(report_age_usec(world->report), UINT64_MAX);
        assert_int_equal(report_grace_usec(world->report), 0);
        stand_in_listen(&world->master);
        (void) json_free(receive(world, CALL_REPORT));
        format_answer(text, sizeof(text), 60 * USEC_PER_SEC);
        accept_report(world, &world->lead, text);
        wait_until_accepted(world, true);
        assert_int_equal(report_grace_usec(world->report), 60 * USEC_PER_SEC);
        assert_true(report_age_usec(world->report) < PATIENCE_SEC * USEC_PER_SEC);
        report_error(world->report, error);
        assert_string_equal(error, "");
}

TEST(a_refusal_is_explained) {
        World *world = *state;
        char error[REPORT_ERROR_SIZE] = "";

        stand_in_listen(&world->master);
        (void) json_free(receive(world, CALL_REPORT));
        assert_ok(rpc_request_refuse(
                        TAKE_PTR(world->master.call), -EEXIST, "Another store has this number."));
        for (unsigned i = 0; i < 2000 && !*error; i++) {
                usleep(USEC_PER_MSEC);
                report_error(world->report, error);
        }
        assert_non_null(strstr(error, "Another store has this number."));
        assert_false(report_is_accepted(world->report));
}

TEST(a_leader_of_another_cluster_is_not_followed) {
        World *world = *state;
        Leadership other = world->lead;
        char text[128], error[REPORT_ERROR_SIZE] = "";

        other.cluster[0] ^= 1;
        stand_in_listen(&world->master);
        (void) json_free(receive(world, CALL_REPORT));
        format_answer(text, sizeof(text), USEC_PER_SEC);
        accept_report(world, &other, text);
        for (unsigned i = 0; i < 2000 && !*error; i++) {
                usleep(USEC_PER_MSEC);
                report_error(world->report, error);
        }
        assert_non_null(strstr(error, "another cluster"));
        assert_true(allegiance_follows(world->allegiance, &world->lead));
        assert_int_equal(report_grace_usec(world->report), 0);
}

/* The world's master says that another one leads. */
static void refer(World *world, const char *url) {
        (void) json_free(receive(world, CALL_REPORT));
        assert_ok(rpc_request_refuse(TAKE_PTR(world->master.call), -EDESTADDRREQ, url));
}

static void wait_for_url(World *world, const char *url) {
        for (unsigned i = 0; i < 2000 && strcmp(report_master(world->report), url) != 0; i++)
                usleep(USEC_PER_MSEC);
        assert_string_equal(report_master(world->report), url);
}

TEST(a_follower_says_where_the_leader_is) {
        World *world = *state;
        StandIn leader;

        stand_in_init(&leader);
        stand_in_listen(&leader);
        stand_in_listen(&world->master);
        refer(world, leader.url);
        (void) stand_in_receive(&leader, CALL_REPORT);
        assert_string_equal(report_master(world->report), leader.url);
        stand_in_refuse(&leader, -EINVAL);
        stand_in_hang_up(&leader);
        stand_in_done(&leader);
}

TEST(what_is_no_url_is_nowhere_to_turn_to) {
        World *world = *state;

        stand_in_listen(&world->master);
        refer(world, "ftp://elsewhere");
        (void) json_free(receive(world, CALL_REPORT)); /* the same one is asked again */
        assert_string_equal(report_master(world->report), world->master.url);
        stand_in_refuse(&world->master, -EINVAL);
}

/* As when the leader of a while ago is gone, and the others have none yet. */
TEST(who_cannot_be_reached_is_given_up_for_those_that_are_listed) {
        World *world = *state;
        StandIn gone;

        stand_in_init(&gone); /* it refuses connections */
        stand_in_listen(&world->master);
        refer(world, gone.url);
        (void) json_free(receive(world, CALL_REPORT));
        wait_for_url(world, world->master.url);
        stand_in_refuse(&world->master, -EINVAL);
        stand_in_hang_up(&gone);
        stand_in_done(&gone);
}

/* The one of before hangs. */
TEST(a_report_under_way_is_given_up_once_another_master_is_known_to_lead) {
        World *world = *state;
        StandIn leader;

        stand_in_init(&leader);
        stand_in_listen(&leader);
        stand_in_listen(&world->master);
        (void) json_free(receive(world, CALL_REPORT)); /* and gets no answer */
        master_link_turn_to(world->link, leader.url);
        master_link_refresh(world->link);
        (void) stand_in_receive(&leader, CALL_REPORT);
        stand_in_refuse(&leader, -EINVAL);
        stand_in_refuse(&world->master, -EINVAL);
        stand_in_hang_up(&leader);
        stand_in_done(&leader);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_report_says_who_and_where_the_volume_is),
                RUN(the_answer_of_the_leader_counts),
                RUN(a_refusal_is_explained),
                RUN(a_leader_of_another_cluster_is_not_followed),
                RUN(a_follower_says_where_the_leader_is),
                RUN(what_is_no_url_is_nowhere_to_turn_to),
                RUN(who_cannot_be_reached_is_given_up_for_those_that_are_listed),
                RUN(a_report_under_way_is_given_up_once_another_master_is_known_to_lead),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
