/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Both ends of the way back in one server: the master's, which writes the ticket, and the volume's,
 * which reads it. */

#include "test.h"

#include "http/http.h"
#include "rpc/way-back.h"

static Ticket ticket;
static unsigned count;

static int master_finish(HttpRequest *request) {
        ticket = (Ticket){};
        count = way_back_count(request);
        way_back_put(request, &ticket);
        return http_request_reply(request, 204);
}

static int volume_finish(HttpRequest *request) {
        return way_back_reply(request, "a key/%", &ticket);
}

/* clang-format off */
static const HttpRoute routes[] = {
        { "GET", "/volume", HTTP_PUBLIC, .finish = volume_finish },
        { "GET", "/",       HTTP_PUBLIC, .finish = master_finish },
        {}
};
/* clang-format on */

static int setup(void **state) {
        static Fixture fixture;

        fixture_start(&fixture, routes, NULL);
        *state = &fixture;
        return 0;
}

static int teardown(void **state) {
        fixture_stop(*state);
        return 0;
}

/* What the master writes into the ticket of a client that calls it by HOST. */
static void visit(Fixture *fixture, const char *target, const char *host) {
        char request[2 * KIB];

        (void) snprintf(request, sizeof(request),
                        "GET %s HTTP/1.1\r\nConnection: close\r\nHost: %s\r\n\r\n", target, host);
        assert_status(exchange(fixture, request), 204);
}

TEST(a_client_is_sent_to_the_name_by_which_it_called_the_master) {
        static const char *const hosts[] = { "dkv.example", "dkv.example:3000", "10.0.0.1:3000",
                                             "[fe80::1%25eth0]:3000", "a_b-c" };

        for (size_t i = 0; i < ELEMENTSOF(hosts); i++) {
                char location[256];

                visit(*state, "/k", hosts[i]);
                assert_string_equal(ticket.back, hosts[i]);
                (void) snprintf(location, sizeof(location),
                                "Location: http://%s/a%%20key/%%25?again=1\r\n", hosts[i]);
                assert_contains(exchange_simple(*state, "GET", "/volume"), location);
        }
}

/* The name comes from the client and becomes part of an address. */
TEST(a_name_that_could_be_more_than_a_name_is_not_passed_on) {
        static const char *const hosts[] = { "evil/path", "a?b", "a#b", "user@evil", "a b",
                                             "a\"b",      "a<b", "a,b", "a\\b" };

        for (size_t i = 0; i < ELEMENTSOF(hosts); i++) {
                char request[256];

                ticket = (Ticket){};
                (void) snprintf(request, sizeof(request),
                                "GET /k HTTP/1.1\r\nConnection: close\r\nHost: %s\r\n\r\n",
                                hosts[i]);
                (void) exchange(*state, request); /* or the server refuses it at once */
                assert_string_equal(ticket.back, "");
        }
}

TEST(a_name_must_fit_the_ticket) {
        char host[sizeof(ticket.back) + 1] = "";

        memset(host, 'h', sizeof(ticket.back) - 1);
        visit(*state, "/k", host);
        assert_string_equal(ticket.back, host);
        host[sizeof(ticket.back) - 1] = 'h';
        visit(*state, "/k", host);
        assert_string_equal(ticket.back, "");
}

TEST(without_an_address_in_the_ticket_there_is_no_way_back) {
        ticket = (Ticket){};
        assert_status(exchange_simple(*state, "GET", "/volume"), 421);
}

TEST(each_return_is_counted) {
        static const struct {
                const char *target;
                unsigned count;
        } rows[] = {
                { "/k", 0 },
                { "/k?again=0", 0 },
                { "/k?again=1", 1 },
                { "/k?again=255", 255 },
                { "/k?again=256", 0 },
                { "/k?again=1000", 0 },
                { "/k?again=", 0 },
                { "/k?again=-1", 0 },
                { "/k?again=1x", 0 },
                { "/k?again=%zz", 0 },
                { "/k?x=1&again=2", 2 },
                { "/k?again", 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                visit(*state, rows[i].target, "dkv");
                assert_int_equal(count, rows[i].count);
                assert_int_equal(ticket.again, rows[i].count);
        }

        visit(*state, "/k?again=2", "dkv");
        assert_contains(exchange_simple(*state, "GET", "/volume"), "?again=3\r\n");
}

TEST(a_reader_that_wants_the_value_verified_still_does_so_elsewhere) {
        visit(*state, "/k", "dkv");
        assert_contains(exchange_simple(*state, "GET", "/volume?verify=1"),
                        "?again=1&verify=1\r\n");
        assert_lacks(exchange_simple(*state, "GET", "/volume?verify=0"), "verify");
        assert_lacks(exchange_simple(*state, "GET", "/volume?verify=11"), "verify");
}

/* The next try leads elsewhere. */
TEST(nobody_keeps_the_answer) {
        const char *answer;

        visit(*state, "/k", "dkv");
        answer = exchange_simple(*state, "GET", "/volume");
        assert_status(answer, 307);
        assert_contains(answer, "Cache-Control: no-store\r\n");
        assert_contains(body_of(answer), "curl");
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_client_is_sent_to_the_name_by_which_it_called_the_master),
                RUN(a_name_that_could_be_more_than_a_name_is_not_passed_on),
                RUN(a_name_must_fit_the_ticket),
                RUN(without_an_address_in_the_ticket_there_is_no_way_back),
                RUN(each_return_is_counted),
                RUN(a_reader_that_wants_the_value_verified_still_does_so_elsewhere),
                RUN(nobody_keeps_the_answer),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
