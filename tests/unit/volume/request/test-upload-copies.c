/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A write and its copies on other volumes: what becomes of it when they are slow, or fail. */

#include "volume/volume-world.h"

#include <errno.h>

#include "volume/request/writer.h"

static bool names(const Record *record, uint32_t volume) {
        for (size_t i = 0; i < record->n_copies; i++)
                if (record->copies[i] == volume)
                        return true;
        return false;
}

static void assert_overloaded(const char *answer) {
        assert_status(answer, 503);
        assert_contains(answer, "Retry-After: ");
        assert_contains(answer, "Dkv-Not-Stored: 3\r\n");
        assert_contains(answer, "The daemon has too many requests at a time.");
}

TEST(the_commit_names_the_volumes_that_have_the_value) {
        World *world = *state;
        Receiver receivers[2] = {};
        char answer[4 * KIB];
        WireCommit commit;
        Ticket ticket;
        int fd;

        stand_in_listen(&world->master);
        for (size_t i = 0; i < ELEMENTSOF(receivers); i++)
                receiver_start(receivers + i, world->master.secret);
        ticket = ticket_for(world, 20, receivers, 2);
        fd = start_put(world, &ticket, "key", "hello");
        commit = await_commit(world);
        assert_int_equal(commit.record.n_copies, 3);
        assert_true(names(&commit.record, WORLD_NUMBER));
        assert_true(names(&commit.record, 78));
        assert_true(names(&commit.record, 79));
        assert_int_equal(commit.record.version, 20);
        assert_int_equal(commit.record.size, 5);
        answer_commit(world, (WireCommitResult){ .revision = 8 });

        (void) receive_all(fd, answer, sizeof(answer));
        assert_status(answer, 204);
        assert_contains(answer, "Dkv-Version: 8\r\n");
        for (size_t i = 0; i < ELEMENTSOF(receivers); i++) {
                assert_memory_equal(receivers[i].value.data, "hello", 5);
                receiver_stop(receivers + i);
        }
}

/* Two of three are a majority, whatever became of the third. */
TEST(a_majority_is_enough_and_nobody_else_is_named) {
        static const ReceiverMode modes[] = { RECEIVER_REFUSES, RECEIVER_WRONG_SUM,
                                              RECEIVER_NO_ETAG, RECEIVER_CUTS };
        World *world = *state;

        stand_in_listen(&world->master);
        for (size_t i = 0; i < ELEMENTSOF(modes); i++) {
                Receiver receivers[2] = { { .mode = modes[i], .error = -ENOSPC } };
                char answer[4 * KIB];
                WireCommit commit;
                Ticket ticket;
                int fd;

                receiver_start(receivers + 0, world->master.secret);
                receiver_start(receivers + 1, world->master.secret);
                ticket = ticket_for(world, 30 + 2 * i, receivers, 2);
                fd = start_put(world, &ticket, "key", "hello");
                commit = await_commit(world);
                assert_int_equal(commit.record.n_copies, 2);
                assert_true(names(&commit.record, WORLD_NUMBER));
                assert_true(names(&commit.record, 79));
                answer_commit(world, (WireCommitResult){ .created = true, .revision = 8 });
                (void) receive_all(fd, answer, sizeof(answer));
                assert_status(answer, 201);
                receiver_stop(receivers + 0);
                receiver_stop(receivers + 1);
        }
}

/* No commit is asked for, so the value can be sent elsewhere. */
TEST(without_a_majority_the_reason_is_told) {
        static const struct {
                ReceiverMode mode;
                int error, status;
        } rows[] = {
                { RECEIVER_REFUSES, -ENOSPC, 507 },
                { RECEIVER_REFUSES, -EREMOTEIO, 503 },
                { RECEIVER_REFUSES, -EACCES, 503 },
                { RECEIVER_WRONG_SUM, 0, 502 },
        };
        World *world = *state;

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Receiver receivers[2] = { { .mode = rows[i].mode, .error = rows[i].error },
                                          { .mode = rows[i].mode, .error = rows[i].error } };
                const char *answer;
                Ticket ticket;

                receiver_start(receivers + 0, world->master.secret);
                receiver_start(receivers + 1, world->master.secret);
                ticket = ticket_for(world, 40 + 2 * i, receivers, 2);
                answer = put(world, &ticket, "key", "", "hello");
                assert_int_equal(atoi(answer + strlen("HTTP/1.1 ")), rows[i].status);
                assert_contains(answer, "Too few copies of the value could be stored.");
                receiver_stop(receivers + 0);
                receiver_stop(receivers + 1);
        }
}

TEST(what_belongs_to_the_value_goes_to_every_copy_and_the_master) {
        World *world = *state;
        Receiver receiver = {};
        char request[8 * KIB], answer[4 * KIB];
        const char *name, *value;
        WireCommit commit;
        size_t position = 0;
        Ticket ticket;
        int fd;

        stand_in_listen(&world->master);
        receiver_start(&receiver, world->master.secret);
        ticket = ticket_for(world, 50, &receiver, 1);
        fd = fixture_connect(&world->server);
        (void) snprintf(request, sizeof(request),
                        "PUT %s HTTP/1.1\r\n" CLOSE
                        "Content-Length: 1\r\nContent-Type: text/x\r\nDkv-Meta-Colour: red\r\n"
                        "If-None-Match: *\r\n\r\nv",
                        world_target(world, &ticket, "a key/%"));
        send_text(fd, request);
        commit = await_commit(world);
        assert_string_equal(commit.key, "a key/%");
        assert_string_equal(commit.record.content_type, "text/x");
        assert_true(
                        metadata_next(commit.record.metadata, commit.record.metadata_size,
                                      &position, &name, &value));
        assert_string_equal(value, "red");
        assert_true(commit.condition.none_match.present || commit.condition.create_only);
        assert_int_equal(commit.record.mtime_usec, ticket.mtime_usec);
        answer_commit(world, (WireCommitResult){ .created = true, .revision = 1 });
        (void) receive_all(fd, answer, sizeof(answer));
        assert_status(answer, 201);
        assert_string_equal(receiver.key, "a key/%");
        assert_string_equal(receiver.type, "text/x");
        assert_string_equal(receiver.metadata, "red");
        receiver_stop(&receiver);
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

TEST(a_client_that_goes_away_in_the_middle_leaves_nothing) {
        World *world = *state;
        Receiver receiver = {};
        Ticket ticket;
        int fd;

        receiver_start(&receiver, world->master.secret);
        ticket = ticket_for(world, 60, &receiver, 1);
        fd = start_part(world, &ticket, 100000, "the beginning");
        receiver_await_begun(&receiver, 1);
        assert_int_equal(world->passed_on.used, 100000);
        close(fd);
        receiver_await_over(&receiver, 1);
        await_no_buffers(world);
        assert_int_equal(receiver.n_complete, 0);
        assert_int_equal(world_verify(world, 60), -ENOENT);
        assert_false(pending_contains(world->copies.pending, 60));
        receiver_stop(&receiver);
}

/* A part of it is given back if the rest cannot be had. */
TEST(beyond_the_budget_a_write_is_refused) {
        World *world = *state;
        Receiver receivers[2] = {};
        Ticket ticket, alone = world_ticket(world, TICKET_COPY, 72);

        receiver_start(receivers + 0, world->master.secret);
        receiver_start(receivers + 1, world->master.secret);
        ticket = ticket_for(world, 70, receivers, 2);
        ticket.wanted = 7; /* so that nobody is asked for a commit */

        world->passed_on.max = 2 * strlen("hello") - 1;
        assert_overloaded(put(world, &ticket, "key", "", "hello"));
        await_no_buffers(world);
        assert_int_equal(world_verify(world, 70), -ENOENT);
        assert_false(pending_contains(world->copies.pending, 70));
        assert_status(put(world, &alone, "key", "", "hello"), 201); /* nothing is passed on */

        world->passed_on.max = 2 * strlen("hello");
        assert_contains(put(world, &ticket, "key", "", "hello"), "Too few copies");
        await_no_buffers(world);
        assert_int_equal(receivers[1].n_complete, 1);
        receiver_stop(receivers + 0);
        receiver_stop(receivers + 1);
}

/* The client goes on to send what nobody wants, and takes no memory from others meanwhile. */
TEST(a_refused_write_gives_back_its_part_at_once) {
        static const char piece[16 * KIB];
        const size_t n_pieces = 4096;
        World *world = *state;
        Receiver receivers[2] = {};
        char answer[4 * KIB] = "";
        size_t n = 0, n_sent = 0;
        Ticket ticket;
        int fd;

        receiver_start(receivers + 0, world->master.secret);
        receiver_start(receivers + 1, world->master.secret);
        ticket = ticket_for(world, 90, receivers, 2);
        ticket.size_max = n_pieces * sizeof(piece);

        world->passed_on.max = 2 * FORWARD_BUFFER_SIZE - 1;
        fd = start_part(world, &ticket, ticket.size_max, "");
        while (!strstr(answer, "\r\n\r\n{") || !strchr(answer, '}')) {
                ssize_t size = recv(fd, answer + n, sizeof(answer) - 1 - n, 0);

                assert_true(size > 0);
                n += (size_t) size;
        }
        assert_overloaded(answer);
        while (world->passed_on.used > 0) {
                assert_true(++n_sent < n_pieces);
                assert_int_equal(send(fd, piece, sizeof(piece), MSG_NOSIGNAL), sizeof(piece));
                (void) usleep(1000);
        }
        assert_int_equal(world_verify(world, 90), -ENOENT);
        close(fd);
        receiver_stop(receivers + 0);
        receiver_stop(receivers + 1);
}

/* However many clients come, and however slow the second copy is. */
TEST(a_slow_second_copy_takes_no_more_memory_than_the_budget) {
        World *world = *state;
        Receiver receiver = { .mode = RECEIVER_STALLS };
        Ticket ticket;
        int fds[4];

        world->passed_on.max = ELEMENTSOF(fds) * 1000000;
        receiver_start(&receiver, world->master.secret);
        ticket = ticket_for(world, 80, &receiver, 1);
        for (size_t i = 0; i < ELEMENTSOF(fds); i++) {
                fds[i] = start_part(world, &ticket, 1000000, "the beginning");
                receiver_await_begun(&receiver, (unsigned) i + 1);
                ticket.version += 2;
        }
        for (unsigned i = 0; i < 10; i++) {
                assert_overloaded(put(world, &ticket, "key", "", "hello"));
                assert_int_equal(world->passed_on.used, world->passed_on.max);
        }

        close(fds[0]); /* makes room for one */
        while (world->passed_on.used == world->passed_on.max)
                (void) usleep(100);
        fds[0] = start_part(world, &ticket, 1000000, "the beginning");
        receiver_await_begun(&receiver, ELEMENTSOF(fds) + 1);
        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                close(fds[i]);
        await_no_buffers(world);
        receiver_stop(&receiver);
}

int main(void) {
#define RUN(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
        const struct CMUnitTest tests[] = {
                RUN(the_commit_names_the_volumes_that_have_the_value),
                RUN(a_majority_is_enough_and_nobody_else_is_named),
                RUN(without_a_majority_the_reason_is_told),
                RUN(what_belongs_to_the_value_goes_to_every_copy_and_the_master),
                RUN(too_few_copies_are_not_committed_and_the_missing_ones_named),
                RUN(a_value_is_passed_on_while_it_arrives),
                RUN(a_client_that_goes_away_in_the_middle_leaves_nothing),
                RUN(beyond_the_budget_a_write_is_refused),
                RUN(a_refused_write_gives_back_its_part_at_once),
                RUN(a_slow_second_copy_takes_no_more_memory_than_the_budget),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
