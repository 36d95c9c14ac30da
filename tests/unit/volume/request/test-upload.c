/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "volume/volume-world.h"

#include <errno.h>

#include "core/call/wire.h"

static const char *
put(World *world, const Ticket *ticket, const char *key, const char *headers, const char *value) {
        char request[16 * KIB];

        (void) snprintf(request, sizeof(request),
                        "PUT %s HTTP/1.1\r\n" CLOSE "Content-Length: %zu\r\n%s\r\n%s",
                        world_target(world, ticket, key), strlen(value), headers, value);
        return exchange(&world->server, request);
}

/* Sends a write whose answer waits for the master. */
static int start_put(World *world, const Ticket *ticket, const char *key, const char *value) {
        int fd = fixture_connect(&world->server);
        char request[16 * KIB];

        (void) snprintf(request, sizeof(request),
                        "PUT %s HTTP/1.1\r\n" CLOSE "Content-Length: %zu\r\n\r\n%s",
                        world_target(world, ticket, key), strlen(value), value);
        send_text(fd, request);
        return fd;
}

static void commit(World *world, const WireCommitResult *result) {
        Reader body = stand_in_receive(&world->master, "/-/commit");
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

/* Of two copies one would do; the client must be able to tell which volume to leave out. */
TEST(too_few_copies_are_not_committed_and_the_missing_ones_named) {
        World *world = *state;
        Ticket ticket = world_ticket(world, TICKET_PUT, 14);
        const char *answer;

        ticket.wanted = 2;
        ticket.n_others = 1;
        ticket.others[0].volume = 77;
        ticket.others[0].store = 1;
        (void) snprintf(ticket.others[0].authority, sizeof(ticket.others[0].authority),
                        "127.0.0.1:1");
        answer = put(world, &ticket, "key", "", "hello");
        assert_true(strncmp(answer, "HTTP/1.1 5", 10) == 0);
        assert_contains(answer, "Dkv-Not-Stored: 77\r\n");
        assert_true(pending_contains(world->copies.pending, 14));
}

TEST(a_value_is_passed_on_while_it_arrives) {
        World *world = *state;
        Ticket ticket = world_ticket(world, TICKET_PUT, 16);
        Ticket copy = world_ticket(world, TICKET_COPY, 16);
        const char *answer;

        /* The other volume is this one, where the version is, with the same value. */
        assert_status(put(world, &copy, "key", "", "hello"), 201);
        ticket.wanted = 3;
        ticket.n_others = 2;
        for (size_t i = 0; i < 2; i++) {
                ticket.others[i].volume = 78 + (uint32_t) i;
                ticket.others[i].store = i == 0 ? ticket.store : 1;
                (void) snprintf(ticket.others[i].authority, sizeof(ticket.others[i].authority),
                                "127.0.0.1:%i", world->server.port);
        }
        ticket.wanted = 5; /* so that two copies do not do, and nothing is committed */
        answer = put(world, &ticket, "key", "", "hello");
        assert_true(strncmp(answer, "HTTP/1.1 5", 10) == 0);
        assert_contains(answer, "Dkv-Not-Stored: 79\r\n");
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
                RUN(too_few_copies_are_not_committed_and_the_missing_ones_named),
                RUN(a_value_is_passed_on_while_it_arrives),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
