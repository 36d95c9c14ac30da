/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A client does one thing after the other: it asks the master that it takes for the leader, waits
 * for the answer, or not for longer than its patience lasts. */

#include "sim/world.h"

#define PATIENCE_USEC (2 * USEC_PER_SEC)

static uint32_t find_leader(World *world) {
        uint32_t node = (uint32_t) chance(world, world->n_nodes);

        /* Any that takes itself for the leader, also an old one that is wrong. */
        for (uint32_t i = 0; i < world->n_nodes; i++) {
                const Node *candidate = world->nodes + (node + i) % world->n_nodes;

                if (candidate->is_up && candidate->role == CONSENSUS_LEADER)
                        return candidate->id - 1;
        }
        return node;
}

static void begin(World *world, uint32_t client) {
        bool is_read = happens(world, 450000);
        uint32_t op = judge_op(world, is_read, client, (uint32_t) chance(world, KEYS));
        uint32_t node = find_leader(world);

        /* It arrives at a process that may be stopped: then it waits there, and so does the client.
         */
        world->clients[client] = op;
        world_at(world, world->now + 100, EVENT_ASKED, node, 0, op);
        world_at(world, world->now + 2000, EVENT_CLIENT, client, 0, 0);
}

void client_on_event(World *world, uint32_t client) {
        uint32_t op = world->clients[client];
        const Judge *judge = &world->judge;

        if (op > 0 && judge->ops[op].outcome == OP_UNDER_WAY) {
                if (world->now < judge->ops[op].begin_usec + PATIENCE_USEC) {
                        world_at(world, world->now + 2000 + chance(world, 1000), EVENT_CLIENT,
                                 client, 0, 0);
                        return;
                }
                judge_answer(world, op, OP_UNKNOWN);
        }
        if (op > 0 && happens(world, 900000)) {
                world->clients[client] = 0;
                world_at(world, world->now + 1 + chance(world, world->pause_usec), EVENT_CLIENT,
                         client, 0, 0);
                return;
        }
        begin(world, client);
}
