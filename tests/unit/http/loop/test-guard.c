/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "http/loop/guard.h"

#define GUESTS_MAX 16
#define LONG_USEC  (60 * USEC_PER_SEC)

/* A guest with the other end of its connection. */
typedef struct Visit {
        HttpGuest *guest;
        int near, far;
} Visit;

static HttpGuard *guard;
static Visit visits[128];
static size_t n_visits;

static void start(unsigned per_address_max, uint64_t usec, uint64_t rate_min) {
        HttpGuardOptions options = {
                .guests_max = GUESTS_MAX,
                .guests_per_address_max = per_address_max,
                .head_usec = usec,
                .idle_usec = usec,
                .rate_min = rate_min,
                .rate_usec = usec,
        };

        assert_ok(http_guard_new(&options, &guard));
}

static void leave(Visit *visit) {
        if (visit->near == visit->far)
                return; /* it has left already */
        if (visit->guest)
                http_guest_leave(visit->guest);
        assert_ok(close(visit->near));
        assert_ok(close(visit->far));
        *visit = (Visit){};
}

static int teardown(void **state) {
        while (n_visits > 0)
                leave(visits + --n_visits);
        guard = http_guard_free(guard);
        return 0;
}

static Visit *come_from(const char *address) {
        struct sockaddr_in from = { .sin_family = AF_INET };
        Visit *visit = visits + n_visits++;
        int fds[2];

        assert_int_equal(inet_pton(AF_INET, address, &from.sin_addr), 1);
        assert_ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
        *visit = (Visit){ .near = fds[0], .far = fds[1] };
        visit->guest = http_guard_enter(guard, fds[0], (struct sockaddr *) &from);
        return visit;
}

static Visit *come(GuestPhase phase) {
        char address[sizeof("10.0.0.") + 20];
        Visit *visit;

        (void) snprintf(address, sizeof(address), "10.0.0.%zu", n_visits + 1);
        visit = come_from(address);
        assert_non_null(visit->guest);
        http_guest_set_phase(visit->guest, phase);
        return visit;
}

static bool is_cut(const Visit *visit) {
        char byte;

        return recv(visit->far, &byte, 1, MSG_DONTWAIT) == 0;
}

static void wait_until_cut(const Visit *visit) {
        uint64_t deadline = clock_monotonic() + 20 * USEC_PER_SEC;

        while (!is_cut(visit)) {
                assert_true(clock_monotonic() < deadline);
                (void) usleep(10000);
        }
}

/* So that nobody is young any more but those who come later. */
static void let_time_pass(void) {
        (void) usleep(1100000);
}

TEST(oldest_unfinished_request_gives_way) {
        Visit *first, *second;

        start(GUESTS_MAX, LONG_USEC, 0);
        first = come(GUEST_HEAD);
        second = come(GUEST_HEAD);
        let_time_pass();
        while (n_visits < GUESTS_MAX)
                (void) come(GUEST_OURS);
        assert_false(is_cut(first));

        assert_true(http_guest_is_welcome(come(GUEST_HEAD)->guest));
        assert_true(is_cut(first));
        assert_false(is_cut(second));
}

TEST(idle_gives_way_last) {
        Visit *idle, *head, *refused;

        start(GUESTS_MAX, LONG_USEC, 0);
        idle = come(GUEST_IDLE);
        head = come(GUEST_HEAD);
        refused = come(GUEST_REFUSED);
        let_time_pass();
        while (n_visits < GUESTS_MAX)
                (void) come(GUEST_OURS);

        (void) come(GUEST_OURS);
        assert_true(is_cut(refused) && !is_cut(head) && !is_cut(idle));
        (void) come(GUEST_OURS);
        assert_true(is_cut(head) && !is_cut(idle));
        (void) come(GUEST_OURS);
        assert_true(is_cut(idle));
}

TEST(daemon_stays_and_stranger_is_refused) {
        Visit *daemon, *stranger;

        start(GUESTS_MAX, LONG_USEC, 0);
        daemon = come(GUEST_HEAD);
        http_guest_trust(daemon->guest);
        let_time_pass();
        while (n_visits < GUESTS_MAX)
                (void) come(GUEST_OURS);

        stranger = come(GUEST_OURS);
        assert_false(is_cut(daemon));
        assert_false(http_guest_is_welcome(stranger->guest));
        assert_true(http_guest_is_welcome(daemon->guest));
        http_guest_trust(stranger->guest);
        assert_true(http_guest_is_welcome(stranger->guest));
}

TEST(as_the_last_resort_connections_are_refused) {
        start(GUESTS_MAX, LONG_USEC, 0);
        while (n_visits < http_guard_connections_max(GUESTS_MAX))
                (void) come(GUEST_OURS);

        assert_null(come_from("10.1.0.1")->guest);
        assert_true(is_cut(visits + n_visits - 1));
        leave(visits + 0);
        assert_non_null(come_from("10.1.0.1")->guest);
}

TEST(address_has_its_share) {
        Visit *own, *other;

        start(4, LONG_USEC, 0);
        other = come_from("10.0.0.1");
        own = come_from("10.0.0.2");
        let_time_pass();
        for (size_t i = 0; i < 3; i++)
                http_guest_set_phase(come_from("10.0.0.2")->guest, GUEST_OURS);
        assert_false(is_cut(own));

        (void) come_from("10.0.0.2");
        assert_true(is_cut(own));
        assert_false(is_cut(other));
}

TEST(what_takes_too_long_is_cut) {
        Visit *head, *idle, *body, *steady, *ours, *daemon;

        start(GUESTS_MAX, USEC_PER_SEC, 1000);
        head = come(GUEST_HEAD);
        idle = come(GUEST_IDLE);
        body = come(GUEST_BODY);
        steady = come(GUEST_BODY);
        ours = come(GUEST_OURS);
        daemon = come(GUEST_HEAD);
        http_guest_trust(daemon->guest);

        for (size_t i = 0; i < 300 && !(is_cut(head) && is_cut(idle) && is_cut(body)); i++) {
                http_guest_add_bytes(steady->guest, 100);
                http_guest_add_bytes(body->guest, 1);
                (void) usleep(20000);
        }
        wait_until_cut(head);
        wait_until_cut(idle);
        wait_until_cut(body);
        assert_false(is_cut(steady) || is_cut(ours) || is_cut(daemon));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(oldest_unfinished_request_gives_way, teardown),
                cmocka_unit_test_teardown(idle_gives_way_last, teardown),
                cmocka_unit_test_teardown(daemon_stays_and_stranger_is_refused, teardown),
                cmocka_unit_test_teardown(as_the_last_resort_connections_are_refused, teardown),
                cmocka_unit_test_teardown(address_has_its_share, teardown),
                cmocka_unit_test_teardown(what_takes_too_long_is_cut, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
