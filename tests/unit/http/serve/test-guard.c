/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "http/serve/guard.h"

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

/* Somebody whose requests come while the guard looks for those who may give way: how many, and how
 * many of them were refused. */
static HttpGuest *onlooker;
static unsigned n_asked, n_refused;

/* One whose request is read just then */
static _Atomic(HttpGuest *) beginner;
static GuestPhase beginning;

/* The guard's, which looks at one of them. */
int ioctl(int fd, unsigned long request, ...) {
        va_list arguments;
        void *argument;

        va_start(arguments, request);
        argument = va_arg(arguments, void *);
        va_end(arguments);

        if (onlooker) {
                n_asked++;
                n_refused += !http_guest_is_welcome(onlooker);
        }
        if (beginner)
                http_guest_set_phase(beginner, beginning);
        return (int) syscall(SYS_ioctl, fd, request, argument);
}

TEST(nobody_is_refused_while_room_is_made_for_a_newcomer) {
        Visit *head;

        start(GUESTS_MAX, LONG_USEC, 0);
        head = come(GUEST_HEAD);
        let_time_pass();
        while (n_visits < GUESTS_MAX)
                (void) come(GUEST_OURS);

        onlooker = visits[1].guest;
        (void) come(GUEST_HEAD);
        onlooker = NULL;
        assert_true(is_cut(head));
        assert_true(n_asked > 0);
        assert_int_equal(n_refused, 0);
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

static void say(const Visit *visit) {
        assert_int_equal(send(visit->far, "x", 1, 0), 1);
}

/* One after the other comes and leaves until VISIT has given way. Between the first two times that
 * its pace is looked at, it does not. */
static void crowd_out(const Visit *visit) {
        for (unsigned i = 0; i < 1000 && !is_cut(visit); i++) {
                leave(come(GUEST_HEAD));
                n_visits--;
                (void) usleep(10000);
        }
        assert_true(is_cut(visit));
}

TEST(who_has_sent_what_nobody_has_read_yet_does_not_give_way) {
        static const GuestPhase phases[] = { GUEST_HEAD, GUEST_BODY, GUEST_IDLE };

        for (size_t i = 0; i < ELEMENTSOF(phases); i++) {
                Visit *waiting, *silent;

                start(GUESTS_MAX, LONG_USEC, 0);
                waiting = come(phases[i]);
                silent = come(phases[i]);
                say(waiting);
                let_time_pass();
                while (n_visits < GUESTS_MAX)
                        (void) come(GUEST_OURS);
                crowd_out(silent);
                assert_false(is_cut(waiting));
                (void) teardown(NULL);
        }
}

TEST(whose_request_begins_meanwhile_does_not_give_way) {
        static const GuestPhase phases[] = { GUEST_BODY, GUEST_OURS };

        for (size_t i = 0; i < ELEMENTSOF(phases); i++) {
                Visit *first, *second;

                start(GUESTS_MAX, LONG_USEC, 0);
                first = come(GUEST_IDLE);
                second = come(GUEST_IDLE);
                let_time_pass();
                while (n_visits < GUESTS_MAX)
                        (void) come(GUEST_OURS);

                beginning = phases[i];
                beginner = first->guest;
                (void) come(GUEST_HEAD);
                beginner = NULL;
                assert_false(is_cut(first));
                assert_true(is_cut(second));
                (void) teardown(NULL);
        }
}

/* Though it is late by the look of it. */
TEST(whose_request_begins_when_it_is_late_stays) {
        Visit *first, *second;

        start(GUESTS_MAX, USEC_PER_SEC, 0);
        first = come(GUEST_OURS);
        beginning = GUEST_OURS;
        beginner = first->guest;
        http_guest_set_phase(first->guest, GUEST_IDLE);
        second = come(GUEST_IDLE);
        wait_until_cut(second);
        beginner = NULL;
        assert_false(is_cut(first));
}

TEST(who_has_sent_what_nobody_has_read_yet_gives_way_last) {
        Visit *waiting, *young;

        start(GUESTS_MAX, LONG_USEC, 0);
        waiting = come(GUEST_HEAD);
        say(waiting);
        let_time_pass();
        young = come(GUEST_HEAD);
        while (n_visits < GUESTS_MAX)
                (void) come(GUEST_OURS);

        (void) come(GUEST_OURS);
        assert_true(is_cut(young));
        assert_false(is_cut(waiting));
        (void) come(GUEST_OURS);
        assert_true(is_cut(waiting));
}

TEST(only_those_whose_turn_it_is_are_looked_at) {
        start(GUESTS_MAX, LONG_USEC, 0);
        while (n_visits < GUESTS_MAX)
                (void) come(GUEST_HEAD);
        let_time_pass();

        n_asked = 0;
        onlooker = visits[GUESTS_MAX - 1].guest;
        (void) come(GUEST_OURS);
        onlooker = NULL;
        assert_true(is_cut(visits + 0));
        assert_false(is_cut(visits + GUESTS_MAX / 2));
        assert_in_range(n_asked, 1, GUESTS_MAX / 2);
}

TEST(who_has_sent_what_nobody_has_read_yet_is_not_late) {
        Visit *waiting[3], *silent;

        start(GUESTS_MAX, USEC_PER_SEC, 1000);
        waiting[0] = come(GUEST_HEAD);
        waiting[1] = come(GUEST_BODY);
        waiting[2] = come(GUEST_IDLE);
        for (size_t i = 0; i < ELEMENTSOF(waiting); i++)
                say(waiting[i]);
        silent = come(GUEST_BODY);
        wait_until_cut(silent);
        for (size_t i = 0; i < ELEMENTSOF(waiting); i++)
                assert_false(is_cut(waiting[i]));
        assert_int_equal(recv(waiting[0]->near, &(char){ 0 }, 1, 0), 1);
        wait_until_cut(waiting[0]);
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

/* Has the process stopped, and somebody else wake it. */
static void pause_process(unsigned seconds) {
        pid_t pid = fork();

        assert_ok(pid);
        if (pid == 0) {
                (void) sleep(seconds);
                (void) kill(getppid(), SIGCONT);
                _exit(0);
        }
        assert_ok(raise(SIGSTOP));
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

TEST(a_pause_of_the_process_is_not_held_against_a_guest) {
        Visit *head, *idle, *body;

        start(GUESTS_MAX, 2 * USEC_PER_SEC, 100);
        head = come(GUEST_HEAD);
        idle = come(GUEST_IDLE);
        body = come(GUEST_BODY);
        (void) usleep(600000); /* it is measured */
        pause_process(4);
        (void) usleep(1200000); /* two sweeps */
        assert_false(is_cut(head) || is_cut(idle) || is_cut(body));
        wait_until_cut(head);
        wait_until_cut(idle);
        wait_until_cut(body);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(oldest_unfinished_request_gives_way, teardown),
                cmocka_unit_test_teardown(idle_gives_way_last, teardown),
                cmocka_unit_test_teardown(
                                nobody_is_refused_while_room_is_made_for_a_newcomer, teardown),
                cmocka_unit_test_teardown(daemon_stays_and_stranger_is_refused, teardown),
                cmocka_unit_test_teardown(as_the_last_resort_connections_are_refused, teardown),
                cmocka_unit_test_teardown(address_has_its_share, teardown),
                cmocka_unit_test_teardown(
                                who_has_sent_what_nobody_has_read_yet_does_not_give_way, teardown),
                cmocka_unit_test_teardown(
                                whose_request_begins_meanwhile_does_not_give_way, teardown),
                cmocka_unit_test_teardown(whose_request_begins_when_it_is_late_stays, teardown),
                cmocka_unit_test_teardown(
                                who_has_sent_what_nobody_has_read_yet_gives_way_last, teardown),
                cmocka_unit_test_teardown(only_those_whose_turn_it_is_are_looked_at, teardown),
                cmocka_unit_test_teardown(
                                who_has_sent_what_nobody_has_read_yet_is_not_late, teardown),
                cmocka_unit_test_teardown(what_takes_too_long_is_cut, teardown),
                cmocka_unit_test_teardown(
                                a_pause_of_the_process_is_not_held_against_a_guest, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
