/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What clients are told by a master of a group that does not lead. */

#include "test.h"

#include <signal.h>

#include "master/world.h"

#define LEADER "http://10.0.0.2:3000"

static Lead *alone;

static int setup(void **state) {
        LeadOptions options = { .follows = true };

        (void) world_setup(state);
        options.index = world.index;
        options.troubles = world.troubles;
        options.directory = world.directory;
        alone = world.requests.lead;
        assert_ok(lead_new(&options, world.event, &world.requests.lead));
        return 0;
}

static int teardown(void **state) {
        Lead *lead = world.requests.lead;

        world.requests.lead = alone;
        world_settle();
        (void) lead_free(lead);
        return world_teardown(state);
}

static const char *request(const char *method, const char *target) {
        return ask(method, target, "", "");
}

TEST(clients_are_sent_to_the_same_path_and_query_at_the_leader) {
        static const char *const methods[] = { "GET", "HEAD", "PUT", "POST", "DELETE" };

        lead_follow(world.requests.lead, LEADER);
        for (size_t i = 0; i < ELEMENTSOF(methods); i++) {
                assert_status(request(methods[i], "/a%20b?x=1"), 307);
                assert_contains(request(methods[i], "/a%20b?x=1"),
                                "Location: " LEADER "/a%20b?x=1\r\n");
        }
        assert_contains(request("GET", "/"), "Location: " LEADER "/\r\n");
        assert_contains(request("GET", "/-/where/k"), "Location: " LEADER "/-/where/k\r\n");
}

/* The value is sent once, to the one that wants it. */
TEST(a_body_is_not_asked_for) {
        const char *answer;

        lead_follow(world.requests.lead, LEADER);
        answer = exchange(
                        &world.master, "PUT /k HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n"
                                       "Expect: 100-continue\r\n\r\n");
        assert_status(answer, 307);
        assert_null(strstr(answer, "100 Continue"));
}

TEST(without_a_leader_there_is_nothing_but_patience) {
        static const char *const methods[] = { "GET", "PUT", "POST", "DELETE" };

        for (size_t i = 0; i < ELEMENTSOF(methods); i++) {
                const char *answer = request(methods[i], "/k");

                assert_status(answer, 503);
                assert_contains(answer, "Retry-After: 1\r\n");
                assert_contains(answer, "\"type\":\"no-leader\"");
                assert_contains(answer, "a majority of them must be up");
        }
        assert_status(request("GET", "/-/where/k"), 503);
}

TEST(health_is_told_by_each_for_itself) {
        assert_status(request("GET", "/-/health"), 503);
        assert_contains(request("GET", "/-/health"), "\"leader\":\"\"");
        lead_follow(world.requests.lead, LEADER);
        assert_status(request("GET", "/-/health"), 200);
        assert_contains(request("GET", "/-/health"), "\"role\":\"follower\"");
        assert_contains(request("GET", "/-/health"), "follows the one at " LEADER ".");
}

TEST(once_elected_it_answers_itself) {
        lead_follow(world.requests.lead, LEADER);
        assert_ok(lead_begin(world.requests.lead));
        assert_status(put("/k", "value"), 201);
        assert_contains(request("GET", "/-/health"), "\"role\":\"leader\"");
        lead_lose(world.requests.lead, "It is over.");
        lead_follow(world.requests.lead, "");
        assert_status(request("GET", "/k"), 503);
        assert_contains(request("GET", "/k"), "It is over.");
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(clients_are_sent_to_the_same_path_and_query_at_the_leader),
                RUN(a_body_is_not_asked_for),
                RUN(without_a_leader_there_is_nothing_but_patience),
                RUN(health_is_told_by_each_for_itself),
                RUN(once_elected_it_answers_itself),
        };

        (void) signal(SIGTERM, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
