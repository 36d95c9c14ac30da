/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Writer: a client that writes to a volume with a ticket, and a master that is asked to commit.
 * Include after "test.h". */

#include "core/call/wire.h"
#include "volume/receiver.h"
#include "volume/request/forward.h"
#include "volume/volume-world.h"

static inline const char *
put(World *world, const Ticket *ticket, const char *key, const char *headers, const char *value) {
        char request[16 * KIB];

        (void) snprintf(request, sizeof(request),
                        "PUT %s HTTP/1.1\r\n" CLOSE "Content-Length: %zu\r\n%s\r\n%s",
                        world_target(world, ticket, key), strlen(value), headers, value);
        return exchange(&world->server, request);
}

/* Sends a write whose answer waits for the master. */
static inline int start_put(
                World *world, const Ticket *ticket, const char *key, const char *value) {
        int fd = fixture_connect(&world->server);
        char request[16 * KIB];

        (void) snprintf(request, sizeof(request),
                        "PUT %s HTTP/1.1\r\n" CLOSE "Content-Length: %zu\r\n\r\n%s",
                        world_target(world, ticket, key), strlen(value), value);
        send_text(fd, request);
        return fd;
}

/* A ticket for this volume and the N receivers, which are volumes 78 and following. */
static inline Ticket ticket_for(
                World *world, uint64_t version, const Receiver *receivers, size_t n) {
        Ticket ticket = world_ticket(world, TICKET_PUT, version);

        ticket.wanted = (uint8_t) (n + 1);
        for (size_t i = 0; i < n; i++)
                receiver_join(receivers + i, &ticket, i, 78 + (uint32_t) i);
        return ticket;
}

/* Which copies the master is asked to make current. */
static inline WireCommit await_commit(World *world) {
        Reader body = stand_in_receive(&world->master, CALL_COMMIT);
        WireCommit commit;

        assert_ok(wire_get_commit(&body, &commit));
        assert_int_equal(body.size, 0);
        return commit;
}

static inline void answer_commit(World *world, WireCommitResult result) {
        _cleanup_(buffer_done) Buffer answer = {};

        wire_put_commit_result(&answer, &result);
        stand_in_answer(&world->master, &answer);
}

/* Sends what there is of a request, and no more of it. */
static inline int start_part(World *world, const Ticket *ticket, size_t size, const char *part) {
        int fd = fixture_connect(&world->server);
        char request[8 * KIB];

        (void) snprintf(request, sizeof(request),
                        "PUT %s HTTP/1.1\r\n" CLOSE "Content-Length: %zu\r\n\r\n%s",
                        world_target(world, ticket, "key"), size, part);
        send_text(fd, request);
        return fd;
}

static inline void await_no_buffers(World *world) {
        while (world->passed_on.used > 0)
                (void) usleep(100);
}
