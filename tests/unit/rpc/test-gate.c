/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Who gets through the gate, for each class of access, each method and each kind of caller; and
 * that nobody else's body is looked at. */

#include "test.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "core/key.h"
#include "http/http.h"
#include "rpc/gate.h"
#include "rpc/signed-route.h"

#define SECRET "0123456789abcdef"
#define OTHER  "fedcba9876543210"

static Fixture fixture;
static Secret *secret;
static atomic_uint n_begun, n_bytes, n_finished, n_ended;
static char seen_key[KEY_MAX + 1];
static atomic_int refused;

static const Parties parties = { .from = { .number = 1 }, .sequence = 1 };

static int begin(HttpRequest *request) {
        n_begun++;
        return 0;
}

static ssize_t body(HttpRequest *request, const void *data, size_t size) {
        n_bytes += (unsigned) size;
        return (ssize_t) size;
}

static ssize_t daemon_body(HttpRequest *request, const void *data, size_t size) {
        n_bytes += (unsigned) size;
        return signed_body(request, data, size);
}

static int finish(HttpRequest *request) {
        n_finished++;
        return http_request_reply(request, 204);
}

static int ticket_finish(HttpRequest *request) {
        assert_int_equal(gate_ticket(request)->version, 7);
        (void) snprintf(seen_key, sizeof(seen_key), "%s", gate_key(request));
        return finish(request);
}

static int daemon_finish(HttpRequest *request) {
        assert_int_equal(signed_parties(request)->from.number, 1);
        assert_int_equal(signed_request_body(request)->size, 4);
        return finish(request);
}

static void end(HttpRequest *request) {
        assert_null(*http_request_state(request));
        n_ended++;
}

static int on_refuse(HttpRequest *request, int error) {
        refused = error;
        return error == -EACCES ? http_request_reply(request, 307) : error;
}

/* clang-format off */
static const HttpRoute routes[] = {
        { "GET",  "/-/public",  HTTP_PUBLIC, begin, NULL,        finish,        end },
        { "PUT",  "/-/client",  HTTP_CLIENT, begin, body,        finish,        end },
        { "POST", "/-/daemon",  HTTP_DAEMON, begin, daemon_body, daemon_finish, end },
        { "POST", "/-/refused", HTTP_DAEMON, begin, daemon_body, daemon_finish, end, 0, on_refuse },
        { "PUT",  "/-/copy/",   HTTP_TICKET, begin, body,        ticket_finish, end },
        { "GET",  "/",          HTTP_TICKET, begin, NULL,        ticket_finish, end },
        { "PUT",  "/",          HTTP_TICKET, begin, body,        ticket_finish, end },
        { "POST", "/",          HTTP_TICKET, begin, body,        ticket_finish, end },
        {}
};
/* clang-format on */

static int setup(void **state) {
        HttpServerOptions options = {
                .n_threads = 1,
                .connections_max = 10,
                .header_max = 16 * KIB,
                .timeout_usec = NO_TIMEOUT,
                .routes = routes,
        };

        n_begun = n_bytes = n_finished = n_ended = 0;
        refused = 0;
        assert_ok(secret_new(SECRET, strlen(SECRET), &secret));
        options.gate = gate_of(secret);
        fixture_start_with(&fixture, options);
        return 0;
}

static int teardown(void **state) {
        fixture_stop(&fixture);
        secret = secret_free(secret);
        return 0;
}

static uint64_t now_sec(void) {
        return clock_realtime() / USEC_PER_SEC;
}

/* The query of a ticket for KEY. */
static const char *make_ticket(
                const char *key, TicketMethod method, const char *with, int lifetime) {
        static char query[TICKET_QUERY_SIZE];
        _cleanup_(signer_freep) Signer *signer = NULL;
        Ticket ticket = {
                .method = method,
                .version = 7,
                .store = 1,
                .expiry_sec = now_sec() + (uint64_t) lifetime,
                .size_max = KIB,
                .wanted = 1,
        };

        assert_ok(signer_new(with, strlen(with), &signer));
        assert_true(ticket_format(&ticket, key, signer, query, sizeof(query)) > 0);
        return query;
}

static const char *make_signature(
                const char *method, const char *target, const char *with, int lifetime) {
        static char header[sizeof(SIGNATURE_HEADER ": \r\n") + SIGNATURE_SIZE];
        _cleanup_(signer_freep) Signer *signer = NULL;
        char signature[SIGNATURE_SIZE];

        assert_ok(signer_new(with, strlen(with), &signer));
        assert_ok(signature_format(
                        method, target, &parties, "body", 4, now_sec() + (uint64_t) lifetime,
                        signer, signature));
        (void) snprintf(header, sizeof(header), SIGNATURE_HEADER ": %s\r\n", signature);
        return header;
}

/* Sends a request with "body", unless it is a GET. Returns the status. */
static int ask(const char *method, const char *target, const char *header, const char *text) {
        char request[3 * TICKET_QUERY_SIZE];
        bool has_body = strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0;

        (void) snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\n" CLOSE "%s%s\r\n%s", method,
                        target, header, has_body ? "Content-Length: 4\r\n" : "",
                        has_body ? text : "");
        return atoi(exchange(&fixture, request) + strlen("HTTP/1.1 "));
}

static int ask_with_ticket(const char *method, const char *path, const char *query) {
        char target[2 * TICKET_QUERY_SIZE];

        (void) snprintf(target, sizeof(target), "%s?%s", path, query);
        return ask(method, target, "", "body");
}

/* Nobody saw anything of the requests that were refused, but each of them was ended. */
static void assert_all_refused(unsigned n) {
        fixture_stop(&fixture);
        assert_int_equal(n_begun, 0);
        assert_int_equal(n_bytes, 0);
        assert_int_equal(n_finished, 0);
        assert_int_equal(n_ended, n);
}

TEST(everybody_may_use_what_is_public_and_what_is_for_clients) {
        assert_int_equal(ask("GET", "/-/public", "", ""), 204);
        assert_int_equal(ask("PUT", "/-/client", "", "body"), 204);
        assert_int_equal(ask("PUT", "/-/client", "Dkv-Signature: nonsense\r\n", "body"), 204);
        assert_int_equal(n_finished, 3);
        assert_int_equal(n_bytes, 8);
}

TEST(a_ticket_opens_its_key_and_its_method) {
        static const struct {
                const char *method;
                TicketMethod ticket;
                const char *path, *key;
        } rows[] = {
                { "GET", TICKET_READ, "/a/b%20c", "a/b c" },
                { "HEAD", TICKET_READ, "/a", "a" },
                { "PUT", TICKET_PUT, "/a", "a" },
                { "POST", TICKET_POST, "/a", "a" },
                { "PUT", TICKET_COPY, "/-/copy/a/b", "a/b" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                const char *query = make_ticket(rows[i].key, rows[i].ticket, SECRET, 60);

                assert_int_equal(ask_with_ticket(rows[i].method, rows[i].path, query), 204);
                assert_string_equal(seen_key, rows[i].key);
        }
        assert_int_equal(n_finished, ELEMENTSOF(rows));
}

TEST(no_other_method_is_opened_by_it) {
        static const struct {
                const char *method, *path;
                TicketMethod fits;
        } rows[] = {
                { "GET", "/a", TICKET_READ },
                { "PUT", "/a", TICKET_PUT },
                { "POST", "/a", TICKET_POST },
                { "PUT", "/-/copy/a", TICKET_COPY },
        };
        unsigned n = 0;

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                for (TicketMethod method = 0; method < _TICKET_METHOD_MAX; method++) {
                        if (method == rows[i].fits)
                                continue;
                        n++;
                        assert_int_equal(
                                        ask_with_ticket(rows[i].method, rows[i].path,
                                                        make_ticket("a", method, SECRET, 60)),
                                        403);
                }
        assert_int_equal(n, 12);
        assert_all_refused(n);
}

TEST(a_ticket_that_is_missing_wrong_or_late_opens_nothing) {
        assert_int_equal(ask("GET", "/a", "", ""), 403);
        assert_int_equal(ask("PUT", "/a", "", "body"), 403);
        assert_int_equal(ask_with_ticket("GET", "/a", "v=1&e=1&w=1&t=1"), 403);
        assert_int_equal(
                        ask_with_ticket("GET", "/b", make_ticket("a", TICKET_READ, SECRET, 60)),
                        403);
        assert_int_equal(
                        ask_with_ticket("GET", "/a", make_ticket("a", TICKET_READ, OTHER, 60)),
                        403);
        assert_int_equal(
                        ask_with_ticket("GET", "/a", make_ticket("a", TICKET_READ, SECRET, -5)),
                        403);
        assert_int_equal(
                        ask_with_ticket("PUT", "/a", make_ticket("a", TICKET_PUT, OTHER, 60)), 403);
        assert_int_equal(
                        ask_with_ticket("PUT", "/a", make_ticket("a", TICKET_PUT, SECRET, -5)),
                        403);
        assert_int_equal(
                        ask_with_ticket("GET", "/%zz", make_ticket("a", TICKET_READ, SECRET, 60)),
                        400);
        assert_all_refused(9);
}

TEST(a_signature_is_no_ticket_and_a_ticket_no_signature) {
        const char *target = "/-/daemon";

        assert_int_equal(ask("PUT", "/a", make_signature("PUT", "/a", SECRET, 60), "body"), 403);
        assert_int_equal(
                        ask_with_ticket("POST", target, make_ticket("a", TICKET_POST, SECRET, 60)),
                        403);
        assert_all_refused(2);
}

TEST(a_daemon_is_known_by_its_signature) {
        const char *target = "/-/daemon";

        assert_int_equal(
                        ask("POST", target, make_signature("POST", target, SECRET, 60), "body"),
                        204);
        assert_int_equal(n_begun, 1);
        assert_int_equal(n_finished, 1);
}

TEST(who_is_no_daemon_is_refused_before_the_body) {
        const char *target = "/-/daemon";

        assert_int_equal(ask("POST", target, "", "body"), 403);
        assert_int_equal(ask("POST", target, "Dkv-Signature: nonsense\r\n", "body"), 403);
        assert_int_equal(
                        ask("POST", target, make_signature("POST", target, OTHER, 60), "body"),
                        403);
        assert_int_equal(
                        ask("POST", target, make_signature("PUT", target, SECRET, 60), "body"),
                        403);
        assert_int_equal(
                        ask("POST", target, make_signature("POST", "/-/x", SECRET, 60), "body"),
                        403);
        assert_int_equal(
                        ask("POST", target, make_signature("POST", target, SECRET, -5), "body"),
                        403);
        assert_all_refused(6);
}

TEST(another_body_than_the_signed_one_is_refused_before_the_handler_acts) {
        const char *target = "/-/daemon";

        assert_int_equal(
                        ask("POST", target, make_signature("POST", target, SECRET, 60), "bodY"),
                        403);
        assert_int_equal(n_begun, 1);
        assert_int_equal(n_finished, 0);
}

TEST(a_route_may_say_why_it_refuses) {
        const char *target = "/-/refused";

        assert_int_equal(ask("POST", target, "", "body"), 307);
        assert_int_equal(refused, -EACCES);
        assert_int_equal(
                        ask("POST", target, make_signature("POST", target, SECRET, -5), "body"),
                        403);
        assert_int_equal(refused, -ETIME);
        assert_int_equal(ask("POST", target, "Dkv-Signature: 1.2.3\r\n", "body"), 405);
        assert_int_equal(refused, -EPROTO);
        assert_all_refused(3);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                RUN(everybody_may_use_what_is_public_and_what_is_for_clients),
                RUN(a_ticket_opens_its_key_and_its_method),
                RUN(no_other_method_is_opened_by_it),
                RUN(a_ticket_that_is_missing_wrong_or_late_opens_nothing),
                RUN(a_signature_is_no_ticket_and_a_ticket_no_signature),
                RUN(a_daemon_is_known_by_its_signature),
                RUN(who_is_no_daemon_is_refused_before_the_body),
                RUN(another_body_than_the_signed_one_is_refused_before_the_handler_acts),
                RUN(a_route_may_say_why_it_refuses),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
