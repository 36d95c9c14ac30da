/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "volume/volume-world.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>

#include "volume/request/writer.h"

static void commit(World *world, const WireCommitResult *result) {
        Reader body = stand_in_receive(&world->master, CALL_COMMIT);
        _cleanup_(buffer_done) Buffer answer = {};
        WireCommit commit;

        assert_ok(wire_get_commit(&body, &commit));
        assert_string_equal(commit.key, "key");
        assert_int_equal(commit.record.n_copies, 1);
        assert_int_equal(commit.record.copies[0], WORLD_NUMBER);
        wire_put_commit_result(&answer, result);
        stand_in_answer(&world->master, &answer);
}

TEST(a_value_is_stored_and_then_committed_at_the_master) {
        World *world = *state;
        Ticket ticket = world_ticket(world, TICKET_PUT, 2);
        char answer[4 * KIB];
        int fd;

        stand_in_listen(&world->master);
        fd = start_put(world, &ticket, "key", "hello");
        stand_in_await(&world->master);
        assert_int_equal(world_verify(world, 2), 0);
        assert_true(pending_contains(world->copies.pending, 2));
        commit(world, &(WireCommitResult){ .created = true, .revision = 7 });
        (void) receive_all(fd, answer, sizeof(answer));
        assert_status(answer, 201);
        assert_contains(answer, "ETag: ");
        assert_false(pending_contains(world->copies.pending, 2));
}

TEST(what_the_master_refuses_is_refused) {
        World *world = *state;
        Ticket ticket = world_ticket(world, TICKET_PUT, 4);
        char answer[4 * KIB];
        int fd;

        stand_in_listen(&world->master);
        fd = start_put(world, &ticket, "key", "hello");
        commit(world, &(WireCommitResult){ .error = -ECANCELED });
        (void) receive_all(fd, answer, sizeof(answer));
        assert_status(answer, 412);
        assert_false(pending_contains(world->copies.pending, 4)); /* the master knows of it */
}

TEST(a_copy_for_another_volume_is_not_committed) {
        World *world = *state;
        Ticket ticket = world_ticket(world, TICKET_COPY, 6);

        assert_status(put(world, &ticket, "key", "", "hello"), 201); /* there is no master */
        assert_int_equal(world_verify(world, 6), 0);
        assert_true(pending_contains(world->copies.pending, 6));
}

TEST(a_value_without_the_digest_that_was_announced_is_not_stored) {
        World *world = *state;
        Ticket ticket = world_ticket(world, TICKET_COPY, 8);

        assert_status(put(world, &ticket, "key", "Content-MD5: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
                          "hello"),
                      400);
        assert_int_equal(world_verify(world, 8), -ENOENT);
        assert_false(pending_contains(world->copies.pending, 8));
}

TEST(a_value_larger_than_the_ticket_allows_is_refused) {
        World *world = *state;
        Ticket ticket = world_ticket(world, TICKET_COPY, 10);

        ticket.size_max = 4;
        assert_status(put(world, &ticket, "key", "", "hello"), 413);
        ticket.size_max = 5;
        assert_status(put(world, &ticket, "key", "", "hello"), 201);
}

TEST(a_ticket_of_another_kind_is_refused) {
        World *world = *state;
        Ticket ticket = world_ticket(world, TICKET_READ, 12);

        assert_status(put(world, &ticket, "key", "", "hello"), 403);
        ticket.method = TICKET_POST;
        assert_status(put(world, &ticket, "key", "", "hello"), 403);
        assert_int_equal(world_verify(world, 12), -ENOENT);
}

TEST(a_post_must_create) {
        World *world = *state;
        Ticket ticket = world_ticket(world, TICKET_POST, 52);
        char request[8 * KIB], answer[4 * KIB];
        int fd = fixture_connect(&world->server);

        stand_in_listen(&world->master);
        (void) snprintf(request, sizeof(request),
                        "POST %s HTTP/1.1\r\n" CLOSE "Content-Length: 1\r\n\r\nv",
                        world_target(world, &ticket, "key"));
        send_text(fd, request);
        assert_true(await_commit(world).condition.create_only);
        answer_commit(world, (WireCommitResult){ .error = -EEXIST });
        (void) receive_all(fd, answer, sizeof(answer));
        assert_status(answer, 409);
        assert_false(pending_contains(world->copies.pending, 52));
}

TEST(a_value_may_come_without_a_length) {
        World *world = *state;
        Ticket ticket = world_ticket(world, TICKET_COPY, 54);
        char request[8 * KIB];

        ticket.size_max = 10;
        (void) snprintf(request, sizeof(request),
                        "PUT %s HTTP/1.1\r\n" CLOSE
                        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n",
                        world_target(world, &ticket, "key"));
        assert_status(exchange(&world->server, request), 201);
        assert_int_equal(world_verify(world, 54), 0);

        ticket.version = 56;
        ticket.size_max = 9; /* which shows only with its last byte */
        (void) snprintf(request, sizeof(request),
                        "PUT %s HTTP/1.1\r\n" CLOSE
                        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n",
                        world_target(world, &ticket, "key"));
        assert_status(exchange(&world->server, request), 413);
        assert_int_equal(world_verify(world, 56), -ENOENT);
}

/* A file that cannot grow stands for a disk that is full. */
TEST(a_full_disk_is_told_to_the_client_and_the_master) {
        const struct rlimit small = { 16 * MIB, RLIM_INFINITY };
        const size_t size = 20 * MIB;
        _cleanup_free_ char *value = malloc(size);
        struct rlimit before;
        World *world = *state;
        Ticket ticket = world_ticket(world, TICKET_PUT, 100);
        char answer[4 * KIB];
        int fd;

        (void) signal(SIGXFSZ, SIG_IGN);
        ticket.size_max = 2 * size;
        memset(value, 'v', size);
        assert_ok(getrlimit(RLIMIT_FSIZE, &before));
        assert_ok(setrlimit(RLIMIT_FSIZE, &small));
        fd = start_part(world, &ticket, size, "");
        for (size_t sent = 0; sent < size;) {
                ssize_t n = send(fd, value + sent, size - sent, MSG_NOSIGNAL);

                if (n < 0)
                        break; /* the answer came first */
                sent += (size_t) n;
        }
        receive_until(fd, "\r\n\r\n", answer, sizeof(answer));
        assert_ok(setrlimit(RLIMIT_FSIZE, &before));
        close(fd);
        assert_status(answer, 507);
        assert_contains(answer, "Dkv-Not-Stored: 3\r\n");
        assert_int_equal(world_verify(world, 100), -ENOENT);
        assert_false(pending_contains(world->copies.pending, 100));
}

TEST(a_ticket_for_another_store_leads_back_before_anything_is_stored) {
        World *world = *state;
        Ticket ticket = world_ticket(world, TICKET_PUT, 110);
        const char *answer;

        ticket.store++;
        assert_status(put(world, &ticket, "key", "", "hello"), 421);
        (void) snprintf(ticket.back, sizeof(ticket.back), "master.example:3000");
        answer = put(world, &ticket, "key", "", "hello");
        assert_status(answer, 307);
        assert_contains(answer, "Location: http://master.example:3000/key?again=1\r\n");
        assert_int_equal(world_verify(world, 110), -ENOENT);
}

TEST(a_ticket_that_has_expired_or_was_altered_is_refused) {
        World *world = *state;
        Ticket ticket = world_ticket(world, TICKET_PUT, 112);
        char target[4 * KIB], request[8 * KIB];

        ticket.expiry_sec = 1;
        assert_status(put(world, &ticket, "key", "", "hello"), 403);

        ticket = world_ticket(world, TICKET_PUT, 112);
        (void) snprintf(target, sizeof(target), "%s", world_target(world, &ticket, "key"));
        target[strlen(target) - 1] ^= 1; /* still a digit */
        (void) snprintf(request, sizeof(request),
                        "PUT %s HTTP/1.1\r\n" CLOSE "Content-Length: 1\r\n\r\nv", target);
        assert_status(exchange(&world->server, request), 403);
        assert_int_equal(world_verify(world, 112), -ENOENT);
}

TEST(a_malformed_condition_or_header_is_refused_before_the_value_is_stored) {
        static const char *const headers[] = {
                "If-Match: \"x\r\n",
                "Content-MD5: nonsense\r\n",
                "Content-Range: bytes 0-1/2\r\n",
        };
        World *world = *state;
        Ticket ticket = world_ticket(world, TICKET_PUT, 114);

        for (size_t i = 0; i < ELEMENTSOF(headers); i++)
                assert_status(put(world, &ticket, "key", headers[i], "hello"), 400);
        assert_int_equal(world_verify(world, 114), -ENOENT);
        assert_false(pending_contains(world->copies.pending, 114));
}

/* The master is asked until it would be too late, and its last word counts. */
TEST(an_outcome_that_the_master_does_not_know_is_told_with_the_version_it_would_have) {
        World *world = *state;
        Ticket ticket = world_ticket(world, TICKET_PUT, 120);
        char answer[4 * KIB];
        bool is_answered = false;
        int fd;

        stand_in_listen(&world->master);
        world_hear_grace(world, USEC_PER_SEC); /* half of it is time for a commit */
        fd = start_put(world, &ticket, "key", "hello");
        while (!is_answered) {
                struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

                while (sem_trywait(&world->master.arrived) < 0 && !is_answered)
                        is_answered = poll(&poll_fd, 1, 10) > 0;
                if (is_answered)
                        break;
                assert_ok(sem_post(&world->master.arrived));
                (void) await_commit(world);
                answer_commit(world, (WireCommitResult){ .error = -ECOMM, .revision = 4711 });
        }
        (void) receive_all(fd, answer, sizeof(answer));
        assert_status(answer, 503);
        assert_contains(answer, "outcome-unknown");
        assert_contains(answer, "Dkv-Version: 4711\r\n");
        assert_lacks(answer, "Dkv-Not-Stored");
        assert_true(pending_contains(world->copies.pending, 120)); /* to be asked about */
}

TEST(without_an_answer_of_the_master_the_outcome_is_open) {
        World *world = *state;
        Ticket ticket = world_ticket(world, TICKET_PUT, 122);
        char answer[4 * KIB];
        int fd;

        stand_in_listen(&world->master);
        world_hear_grace(world, USEC_PER_SEC);
        fixture_stop(&(Fixture){ .server = TAKE_PTR(world->master.server) });
        fd = start_put(world, &ticket, "key", "hello");
        (void) receive_all(fd, answer, sizeof(answer));
        assert_status(answer, 503);
        assert_contains(answer, "outcome-unknown");
        assert_contains(answer, "The master cannot be reached");
        assert_lacks(answer, "Dkv-Version");
        assert_true(pending_contains(world->copies.pending, 122));
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
        const struct CMUnitTest tests[] = {
                RUN(a_value_is_stored_and_then_committed_at_the_master),
                RUN(what_the_master_refuses_is_refused),
                RUN(a_copy_for_another_volume_is_not_committed),
                RUN(a_value_without_the_digest_that_was_announced_is_not_stored),
                RUN(a_value_larger_than_the_ticket_allows_is_refused),
                RUN(a_ticket_of_another_kind_is_refused),
                RUN(a_post_must_create),
                RUN(a_value_may_come_without_a_length),
                RUN(a_full_disk_is_told_to_the_client_and_the_master),
                RUN(a_ticket_for_another_store_leads_back_before_anything_is_stored),
                RUN(a_ticket_that_has_expired_or_was_altered_is_refused),
                RUN(a_malformed_condition_or_header_is_refused_before_the_value_is_stored),
                RUN(an_outcome_that_the_master_does_not_know_is_told_with_the_version_it_would_have),
                RUN(without_an_answer_of_the_master_the_outcome_is_open),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
