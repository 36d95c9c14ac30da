/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Judge: sees everything and knows what must be: one leader a term, the same entries everywhere,
 * nothing decided lost or changed, the same state after the same entry, and answers to clients that
 * can be explained by one order of all operations, which is that of the log.
 *
 * That order is a witness: if each answer fits to it, the history is linearizable. */

#include "sim/machine.h"

typedef struct World World;
typedef struct Node Node;

typedef enum OpOutcome { OP_UNDER_WAY, OP_DONE, OP_REFUSED, OP_UNKNOWN } OpOutcome;

/* What a client asked for. */
typedef struct Op {
        bool is_read;
        uint32_t client, key, node;
        OpOutcome outcome;
        uint64_t begin_usec;
        uint64_t floor; /* the revision of the key that must be known when it began */

        uint64_t index, term; /* of a write: where it was proposed; 0 before */
        uint64_t decided; /* of a write: where it is in the log that was decided; 0 for nowhere */

        uint64_t revision; /* of a read: what was looked up */
        uint32_t write;
} Op;

typedef struct Decided {
        uint64_t term, hash;
        uint64_t state; /* hash of the machine behind it; 0 while nobody has applied it */
        uint64_t known; /* in which term it was decided, or a later one: that of who applied it
                           first */
} Decided;

typedef struct Judge {
        Op *ops; /* owned; the first one stands for none */
        size_t n_ops, n_ops_allocated;
        Decided *decided; /* owned; of index 1 and on */
        size_t n_decided, n_decided_allocated;
        uint64_t floors[KEYS];
        uint64_t *leaders; /* of each term; owned */
        size_t n_leaders;

        char verdict[256]; /* empty if all is well */
        uint64_t verdict_usec;

        uint64_t writes, reads, unknown, elections, changes, fetches, resets, messages;
} Judge;

void judge_done(Judge *judge);

__attribute__((format(printf, 2, 3))) void judge_condemn(World *world, const char *format, ...);

uint32_t judge_op(World *world, bool is_read, uint32_t client, uint32_t key);
void judge_answer(World *world, uint32_t op, OpOutcome outcome);
void judge_applied(World *world, const Node *node, uint64_t index, const Item *item);
void judge_database(World *world, const Node *node);
void judge_leader(World *world, const Node *node);
void judge_journals(World *world);
void judge_end(World *world);
