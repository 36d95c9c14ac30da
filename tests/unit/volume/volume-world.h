/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A volume whose requests a test makes: all that the daemon has but its settings, its event loop
 * (which the test may run) and its bus, and a master that the test stands in for. */

#include "test.h"

#include "http/stand-in.h"
#include "scratch.h"
#include "volume/routes.h"

#define WORLD_NUMBER     3
#define WORLD_INLINE_MAX (4 * KIB)

typedef struct World {
        char *directory;
        StandIn master;
        sd_event *event;
        Leadership lead;
        uint64_t sequence;

        Copies copies;
        Allegiance *allegiance;
        MasterLink *link;
        Callers callers;
        CommitQueue *commits;
        Deletions *deletions;
        Sweep *sweep;
        Report *report;
        Workers verifier;
        Activity activity;
        PipeBudget passed_on;
        VolumeRoutes routes;
        RpcService *calls;
        Fixture server;
} World;

/* For cmocka: the state is a World whose volume follows a leader; its master does not listen yet.
 */
int world_setup(void **state);
int world_teardown(void **state);

/* Has the volume follow the leader of a term, and waits until that is durable. */
void world_follow(World *world, uint64_t term);

/* Has the volume hear of a grace time from its master, which listens, and report no more. */
void world_hear_grace(World *world, uint64_t grace_usec);

/* Who calls whom when the master gives an order to the volume. */
Parties world_order(World *world);

/* Makes a call, as it is made, and waits. PARTIES are the default for the kind if NULL. BODY is
 * taken over; NULL for an empty one. Returns the status, or that of its error; RET_ANSWER, unless
 * NULL, gets the answer. */
unsigned
world_call(World *world, CallKind kind, const Parties *parties, Buffer *body, Buffer *ret_answer);

/* A POST without a body to any target, signed for PARTIES unless that is NULL. Returns the status.
 */
unsigned world_call_at(World *world, const char *target, const Parties *parties);

/* An object as it lies in the store. VALUE of SIZE bytes is inline. */
void world_encode(Buffer *ret, uint64_t version, const char *key, const void *value, size_t size);

/* Puts a value into the volume's store, in a file if it is larger than WORLD_INLINE_MAX. */
void world_put(World *world, uint64_t version, const char *key, const void *value, size_t size);

/* What object_store_verify() says. */
int world_verify(World *world, uint64_t version);

/* Damages the file of a version whose value contains MARK. */
void world_damage(World *world, const char *mark);

/* The same for any store. */
void store_put(ObjectStore *store,
               uint64_t version,
               const char *key,
               const void *value,
               size_t size);
void store_damage(const char *directory, const char *mark);

/* The target of a request with a ticket; good until the next one. */
const char *world_target(World *world, const Ticket *ticket, const char *key);

/* A ticket for this store that is good for a minute. */
Ticket world_ticket(World *world, TicketMethod method, uint64_t version);

/* Reads one error of an answer. */
int world_error(const Buffer *answer, size_t i);
