/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "sim/world.h"

static void deliver(World *world, Packet *packet) {
        uint32_t from = (uint32_t) packet->from - 1, to = (uint32_t) packet->to - 1;
        uint64_t time = world->now + 50 + chance(world, world->delay_usec);

        if (happens(world, world->slow_ppm))
                time += chance(world, 400 * USEC_PER_MSEC);
        if (world->is_in_order)
                time = MAX(time, world->last_arrival[from][to]);
        world->last_arrival[from][to] = time;
        world_post(world,
                   &(Event){ .time = time, .type = EVENT_MESSAGE, .node = to, .packet = packet });
}

/* An unlucky loss: what a leader has from others arrives, and nothing of its own. */
static bool is_withheld(const World *world, const Packet *packet) {
        return world->nodes[packet->from - 1].is_withheld && packet->has_own_entries;
}

void network_send(World *world, Packet *packet) {
        uint32_t from = (uint32_t) packet->from - 1, to = (uint32_t) packet->to - 1;

        world->judge.messages++;
        if (to >= world->n_nodes || world->is_cut[from][to] || is_withheld(world, packet) ||
            happens(world, world->loss_ppm)) {
                free(packet);
                return;
        }
        deliver(world, packet);
}

void network_cut(World *world, uint32_t from, uint32_t to) {
        if (from == to || world->is_cut[from][to])
                return;

        /* One end or both may notice, or none. */
        world->is_cut[from][to] = true;
        if (happens(world, 300000))
                world_at(world, world->now + 100, EVENT_DISCONNECTED, to, 0, from + 1);
        if (happens(world, 300000))
                world_at(world, world->now + 100, EVENT_DISCONNECTED, from, 0, to + 1);
}

void network_heal(World *world) {
        for (size_t i = 0; i < world->n_nodes; i++)
                for (size_t j = 0; j < world->n_nodes; j++)
                        world->is_cut[i][j] = false;
}
