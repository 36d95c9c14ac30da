/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Peer: calls that a volume makes to the master of world.h. Include after "test.h". */

#include "core/call/calls.h"
#include "core/call/wire.h"
#include "master/world.h"

typedef struct Answer {
        unsigned status;  /* of HTTP: what its error would be to a client */
        int error;        /* of a call over a channel */
        char detail[512]; /* of a refusal */
        Buffer body;
        sem_t done;
} Answer;

/* Of the last call. */
extern Answer answer;

/* For cmocka: a world, and an empty answer. */
int peer_setup(void **state);
int peer_teardown(void **state);

/* A call of volume NUMBER to this master; each has a number of its own. */
Parties parties_of(uint32_t number);

/* Calls over a channel, taking BODY over, and waits. Returns the status. */
unsigned call_as(const Parties *parties, CallKind kind, Buffer *body);

/* The same as volume 1. */
unsigned call(CallKind kind, Buffer *body);

/* A POST to any target, without a signature if PARTIES are NULL. */
unsigned call_at(const char *target, const Parties *parties, Buffer *body);

/* A version that the master has given out for a write with a ticket. */
uint64_t next_version(void);

/* One error of the answer. */
int error_of(size_t i);

/* A commit of 9 bytes that lie on one volume; what the Ith commit of the call came to. */
void put_commit(Buffer *body, const char *key, uint64_t version, uint32_t volume);
WireCommitResult result_of(size_t i);
