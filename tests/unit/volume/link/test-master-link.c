/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "volume/volume-world.h"

#include <errno.h>

#include "core/call/wire.h"

static atomic_uint n_refreshed;

static void on_refresh(void *userdata) {
        n_refreshed++;
}

static int result_of(World *world, int error, int refusal) {
        n_refreshed = 0;
        return master_link_result(world->link, &(RpcResult){ .error = error, .refusal = refusal });
}

TEST(what_answers_mean) {
        const struct {
                int error;
                int refusal, result;
                bool refreshes;
        } table[] = {
                { 0, 0, 0, false },
                { 0, -EACCES, -EACCES, false },
                { 0, -EKEYREVOKED, -EKEYREVOKED, true },
                { 0, -EINPROGRESS, -EINPROGRESS, true },
                { 0, -EREMOTE, -EREMOTE, false },
                { -EHOSTDOWN, 0, -EHOSTDOWN, false },
                { -ETIMEDOUT, 0, -ETIMEDOUT, false },
                { -EINPROGRESS, 0, -EINPROGRESS, true }, /* it was not even sent */
                { -ESHUTDOWN, 0, -ESHUTDOWN, false },
        };
        World *world = *state;

        master_link_set_refresh(world->link, on_refresh, NULL);
        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                assert_int_equal(
                                result_of(world, table[i].error, table[i].refusal),
                                table[i].result);
                assert_int_equal(n_refreshed, table[i].refreshes);
        }
}

TEST(with_other_masters_a_call_that_went_nowhere_asks_for_a_report) {
        World *world = *state;
        MasterLink *alone = world->link;

        assert_ok(
                        master_link_new(world->master.peers, world->allegiance,
                                        "http://a:1,http://b:1", &world->link));
        master_link_set_refresh(world->link, on_refresh, NULL);
        assert_int_equal(result_of(world, -EHOSTDOWN, 0), -EHOSTDOWN);
        assert_int_equal(n_refreshed, 1);
        assert_int_equal(result_of(world, 0, -ENOLINK), -ENOLINK);
        assert_int_equal(n_refreshed, 1);
        assert_int_equal(result_of(world, 0, -EINVAL), -EINVAL);
        assert_int_equal(n_refreshed, 0);
        (void) master_link_free(world->link);
        world->link = alone;
}

/* clang-format off */
TEST(what_a_report_comes_to_says_whom_to_ask_next) {
        static const struct {
                int error, refusal;
                bool turns;
        } rows[] = {
                { -EHOSTDOWN,   0,             true  },
                { -ETIMEDOUT,   0,             true  },
                { -EACCES,      0,             true  },
                { -ECANCELED,   0,             false },
                { -ESHUTDOWN,   0,             false },
                { -EINPROGRESS, 0,             false },
                { 0,            -ENOLINK,      true  },
                { 0,            -EDESTADDRREQ, true  },
                { 0,            -EHOSTDOWN,    true  },
                { 0,            -EKEYREVOKED,  true  },
                { 0,            -EOWNERDEAD,   false },
                { 0,            -EEXIST,       false },
        };
        /* clang-format on */
        World *world = *state;

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                RpcResult result = { .error = rows[i].error, .refusal = rows[i].refusal };
                MasterLink *link;

                assert_ok(
                                master_link_new(world->master.peers, world->allegiance,
                                                "http://a:1,http://b:1", &link));
                assert_int_equal(
                                master_link_judge(
                                                link, master_link_url(link),
                                                rpc_result_error(&result), &result),
                                rows[i].turns);
                assert_string_equal(
                                master_link_url(link), rows[i].turns ? "http://b:1" : "http://a:1");
                (void) master_link_free(link);
        }
}

static void on_done(const RpcResult *result, void *userdata) {
        assert_ok(sem_post(userdata));
}

typedef struct Outcome {
        sem_t done;
        int error;
} Outcome;

static void on_outcome(const RpcResult *result, void *userdata) {
        Outcome *outcome = userdata;

        outcome->error = rpc_result_error(result);
        assert_ok(sem_post(&outcome->done));
}

/* Or those that are slow for long, all of them, would never be waited for long enough. */
TEST(when_no_master_answers_in_time_each_gets_longer) {
        static const RpcResult late = { .error = -ETIMEDOUT };
        World *world = *state;
        char urls[WIRE_URL_MAX + 32];
        RpcCallHandle *call;
        MasterLink *link;
        Outcome outcome;
        const char *url;

        assert_ok(sem_init(&outcome.done, 0, 0));
        stand_in_listen(&world->master);
        (void) snprintf(urls, sizeof(urls), "%s,http://a:1", world->master.url);
        assert_ok(master_link_new(world->master.peers, world->allegiance, urls, &link));
        for (unsigned i = 0; i < 4; i++)
                assert_true(master_link_judge(link, master_link_url(link), -ETIMEDOUT, &late));

        master_link_turn_to(link, world->master.url);
        assert_ok(master_link_report(link, &(Buffer){}, on_outcome, &outcome, &call, &url));
        (void) stand_in_receive(&world->master, CALL_REPORT);
        usleep(1500 * USEC_PER_MSEC); /* longer than the first ones got */
        stand_in_refuse(&world->master, -EINVAL);
        wait_for(&outcome.done);
        assert_int_equal(outcome.error, -EINVAL);
        (void) rpc_call_unref(call);
        (void) master_link_free(link);
}

TEST(nobody_is_called_before_anybody_is_followed) {
        World *world = *state;
        Allegiance *stray;
        RpcCallHandle *call;
        MasterLink *link;
        const char *url;
        uint32_t other;
        sem_t done;

        assert_ok(sem_init(&done, 0, 0));
        assert_ok(allegiance_new(world->copies.store, WORLD_NUMBER, &stray, &other));
        assert_ok(master_link_new(world->master.peers, stray, world->master.url, &link));
        assert_int_equal(
                        master_link_call(link, CALL_SETTLE, &(Buffer){}, on_done, &done),
                        -EINPROGRESS);
        assert_ok(master_link_report(
                        link, &(Buffer){}, on_done, &done, &call, &url)); /* but for the report */
        wait_for(&done);
        (void) rpc_call_unref(call);
        assert_string_equal(url, world->master.url);
        (void) master_link_free(link);
        (void) allegiance_free(stray);
}

TEST(calls_come_from_this_store_and_are_for_the_master) {
        World *world = *state;
        const Parties *parties;
        sem_t done;

        assert_ok(sem_init(&done, 0, 0));
        stand_in_listen(&world->master);
        assert_ok(master_link_call(world->link, CALL_SETTLE, &(Buffer){}, on_done, &done));
        (void) stand_in_receive(&world->master, CALL_SETTLE);
        parties = stand_in_parties(&world->master);
        assert_int_equal(parties->from.number, WORLD_NUMBER);
        assert_true(store_identity_equal(&parties->from, allegiance_store(world->allegiance)));
        assert_int_equal(parties->to.number, 0);
        assert_true(leadership_equal(&parties->lead, &world->lead));
        stand_in_answer(&world->master, &(Buffer){});
        wait_for(&done);
}

TEST(the_url_is_a_copy) {
        World *world = *state;
        char url[] = "http://10.0.0.1:3000";
        MasterLink *link;

        assert_ok(master_link_new(world->master.peers, world->allegiance, url, &link));
        memset(url, 'x', sizeof(url) - 1);
        assert_string_equal(master_link_url(link), "http://10.0.0.1:3000");
        master_link_refresh(link); /* without anybody who listens */
        (void) master_link_free(link);
}

static const char *redirect(World *world, const char *host) {
        char request[512];

        (void) snprintf(request, sizeof(request),
                        "GET /a%%20b?x=1 HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host);
        return exchange(&world->server, request);
}

/* The master of this volume is on its own machine. */
TEST(clients_without_a_ticket_are_sent_to_the_master_where_they_can_reach_it) {
        World *world = *state;
        const struct {
                const char *host, *expected;
        } table[] = {
                { "127.0.0.1:3001", "127.0.0.1" },
                { "localhost:3001", "127.0.0.1" },
                { "disk-1.example:3001", "disk-1.example" },
                { "[fe80::1]:3001", "[fe80::1]" },
                { "10.0.0.7", "10.0.0.7" },
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                const char *answer = redirect(world, table[i].host);
                char location[256];

                (void) snprintf(location, sizeof(location), "Location: http://%s:%i/a%%20b?x=1\r\n",
                                table[i].expected, world->master.port);
                assert_status(answer, 307);
                assert_contains(answer, "Cache-Control: no-store");
                assert_contains(answer, location);
        }
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
        const struct CMUnitTest tests[] = {
                RUN(what_answers_mean),
                RUN(with_other_masters_a_call_that_went_nowhere_asks_for_a_report),
                RUN(what_a_report_comes_to_says_whom_to_ask_next),
                RUN(nobody_is_called_before_anybody_is_followed),
                RUN(when_no_master_answers_in_time_each_gets_longer),
                RUN(calls_come_from_this_store_and_are_for_the_master),
                RUN(the_url_is_a_copy),
                RUN(clients_without_a_ticket_are_sent_to_the_master_where_they_can_reach_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
