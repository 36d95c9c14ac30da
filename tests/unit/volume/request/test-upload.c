/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "volume/volume-world.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>

#include "core/call/wire.h"
#include "core/key.h"
#include "volume/receiver.h"
#include "volume/request/forward.h"

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

/* A ticket for this volume and the N receivers, which are volumes 78 and following. */
static Ticket ticket_for(World *world, uint64_t version, const Receiver *receivers, size_t n) {
        Ticket ticket = world_ticket(world, TICKET_PUT, version);

        ticket.wanted = (uint8_t) (n + 1);
        for (size_t i = 0; i < n; i++)
                receiver_join(receivers + i, &ticket, i, 78 + (uint32_t) i);
        return ticket;
}

/* Which copies the master is asked to make current. */
static WireCommit await_commit(World *world) {
        Reader body = stand_in_receive(&world->master, "/-/commit");
        WireCommit commit;

        assert_ok(wire_get_commit(&body, &commit));
        assert_int_equal(body.size, 0);
        return commit;
}

static void answer_commit(World *world, WireCommitResult result) {
        _cleanup_(buffer_done) Buffer answer = {};

        wire_put_commit_result(&answer, &result);
        stand_in_answer(&world->master, &answer);
}

static bool names(const Record *record, uint32_t volume) {
        for (size_t i = 0; i < record->n_copies; i++)
                if (record->copies[i] == volume)
                        return true;
        return false;
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

/* Sends what there is of a request, and no more of it. */
static int start_part(World *world, const Ticket *ticket, size_t size, const char *part) {
        int fd = fixture_connect(&world->server);
        char request[8 * KIB];

        (void) snprintf(request, sizeof(request),
                        "PUT %s HTTP/1.1\r\n" CLOSE "Content-Length: %zu\r\n\r\n%s",
                        world_target(world, ticket, "key"), size, part);
        send_text(fd, request);
        return fd;
}

static void await_no_buffers(World *world) {
        while (world->passed_on.used > 0)
                (void) usleep(100);
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
        assert_int_equal(world->passed_on.used, FORWARD_BUFFER_SIZE);
        close(fd);
        receiver_await_over(&receiver, 1);
        await_no_buffers(world);
        assert_int_equal(receiver.n_complete, 0);
        assert_int_equal(world_verify(world, 60), -ENOENT);
        assert_false(pending_contains(world->copies.pending, 60));
        receiver_stop(&receiver);
}

static void assert_overloaded(const char *answer) {
        assert_status(answer, 503);
        assert_contains(answer, "Retry-After: ");
        assert_contains(answer, "Dkv-Not-Stored: 3\r\n");
        assert_contains(answer, "The daemon has too many requests at a time.");
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

        world->passed_on.max = 2 * FORWARD_BUFFER_SIZE - 1;
        assert_overloaded(put(world, &ticket, "key", "", "hello"));
        await_no_buffers(world);
        assert_int_equal(world_verify(world, 70), -ENOENT);
        assert_false(pending_contains(world->copies.pending, 70));
        assert_status(put(world, &alone, "key", "", "hello"), 201); /* nothing is passed on */

        world->passed_on.max = 2 * FORWARD_BUFFER_SIZE;
        assert_contains(put(world, &ticket, "key", "", "hello"), "Too few copies");
        await_no_buffers(world);
        assert_int_equal(receivers[1].n_complete, 1);
        receiver_stop(receivers + 0);
        receiver_stop(receivers + 1);
}

/* However many clients come, and however slow the second copy is. */
TEST(a_slow_second_copy_takes_no_more_memory_than_the_budget) {
        World *world = *state;
        Receiver receiver = { .mode = RECEIVER_STALLS };
        Ticket ticket;
        int fds[4];

        world->passed_on.max = ELEMENTSOF(fds) * FORWARD_BUFFER_SIZE;
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
                RUN(too_few_copies_are_not_committed_and_the_missing_ones_named),
                RUN(a_value_is_passed_on_while_it_arrives),
                RUN(the_commit_names_the_volumes_that_have_the_value),
                RUN(a_majority_is_enough_and_nobody_else_is_named),
                RUN(without_a_majority_the_reason_is_told),
                RUN(what_belongs_to_the_value_goes_to_every_copy_and_the_master),
                RUN(a_post_must_create),
                RUN(a_value_may_come_without_a_length),
                RUN(a_client_that_goes_away_in_the_middle_leaves_nothing),
                RUN(beyond_the_budget_a_write_is_refused),
                RUN(a_slow_second_copy_takes_no_more_memory_than_the_budget),
                RUN(a_full_disk_is_told_to_the_client_and_the_master),
                RUN(a_ticket_for_another_store_leads_back_before_anything_is_stored),
                RUN(a_ticket_that_has_expired_or_was_altered_is_refused),
                RUN(a_malformed_condition_or_header_is_refused_before_the_value_is_stored),
                RUN(an_outcome_that_the_master_does_not_know_is_told_with_the_version_it_would_have),
                RUN(without_an_answer_of_the_master_the_outcome_is_open),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
