/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What happens to a group of masters, one thing after the other, until it is to be calm. */

#include "sim/world.h"

static Node *any_node(World *world) {
        return world->nodes + chance(world, world->n_nodes);
}

static Node *any_leader(World *world) {
        Node *node = any_node(world);

        for (size_t i = 0; i < world->n_nodes; i++)
                if (world->nodes[i].is_up && world->nodes[i].role == CONSENSUS_LEADER)
                        node = world->nodes + i;
        return node;
}

static Node *victim(World *world) {
        return happens(world, 500000) ? any_leader(world) : any_node(world);
}

static void crash(World *world, Node *node, bool is_short) {
        uint64_t usec;

        if (!node->is_up)
                return;

        node_crash(world, node);
        usec = happens(world, 500000) ? 20 * USEC_PER_MSEC : 3 * world->election_usec;
        if (is_short)
                usec = 2 * USEC_PER_MSEC;
        world_at(world, world->now + 1000 + chance(world, usec), EVENT_START, node->id - 1, 0, 0);
}

/* In a duel, a leader that has crashed stays away until the next one does: so each finds what the
 * other has left behind with the rest, and does not find the other. */
static void take_turns(World *world, Node *node) {
        node_crash(world, node);
        if (world->away > 0)
                world_at(world, world->now + 1000, EVENT_START, world->away - 1, 0, 0);
        world->away = node->id;
}

static void crash_one(World *world) {
        crash(world, victim(world), false);
}

static void crash_some(World *world) {
        for (size_t i = 0; i < world->n_nodes; i++)
                if (happens(world, 400000))
                        crash(world, world->nodes + i, false);
}

static void crash_all(World *world) {
        for (size_t i = 0; i < world->n_nodes; i++)
                crash(world, world->nodes + i, false);
}

static void freeze(World *world) {
        node_freeze(world, victim(world), chance(world, 3 * USEC_PER_SEC));
}

static void heal(World *world) {
        network_heal(world);
}

/* One is cut off: both ways, or it only hears, or is only heard. */
static void isolate(World *world) {
        uint32_t node = victim(world)->id - 1;
        uint64_t how = chance(world, 4);

        for (uint32_t i = 0; i < world->n_nodes; i++) {
                if (how != 0)
                        network_cut(world, node, i);
                if (how != 1)
                        network_cut(world, i, node);
        }
        world_say(world, "node %u is cut off, %lu", node + 1, how);
}

static void cut_one_way(World *world) {
        network_cut(world, any_node(world)->id - 1, any_node(world)->id - 1);
}

/* Two halves, and at times one that is in both. */
static void split(World *world) {
        uint32_t bridge = happens(world, 500000) ? any_node(world)->id - 1 : UINT32_MAX;
        uint64_t side = chance(world, 1U << world->n_nodes);

        for (uint32_t i = 0; i < world->n_nodes; i++)
                for (uint32_t j = 0; j < world->n_nodes; j++)
                        if (i != bridge && j != bridge && (side >> i & 1) != (side >> j & 1))
                                network_cut(world, i, j);
        world_say(world, "a split, %lx, bridge %u", side, bridge + 1);
}

/* What may be done with a node: it joins, gets a vote, loses it or leaves. */
static void change(World *world, Node *leader) {
        uint32_t id = any_node(world)->id;
        bool decided;
        const Member *member = members_find(consensus_members(leader->core, &decided), id);
        MemberChange change = { .id = id, .url = "http://a.example:3000" };
        int r;

        if (!member)
                change.type = MEMBER_ADD;
        else if (member->role == MEMBER_STANDBY)
                change.type = happens(world, 800000) ? MEMBER_PROMOTE : MEMBER_REMOVE;
        else
                change.type = happens(world, 500000) ? MEMBER_DEMOTE : MEMBER_REMOVE;
        r = node_change(world, leader, &change);
        world_say(world, "node %u changes %u of node %u: %d", leader->id, change.type, id, r);
}

static void change_members(World *world) {
        Node *leader = any_leader(world);

        for (uint64_t n = 1 + chance(world, 3); n > 0; n--)
                if (leader->is_up && leader->frozen_until <= world->now)
                        change(world, leader);
}

static void transfer(World *world) {
        Node *leader = any_leader(world);

        if (!leader->is_up || leader->frozen_until > world->now)
                return;
        if (node_transfer(world, leader, any_node(world)->id) >= 0 && happens(world, 500000))
                world_at(world, world->now + chance(world, 6 * world->delay_usec), EVENT_DEAFEN,
                         leader->id - 1, leader->incarnation, 0);
}

static void checkpoint(World *world) {
        node_checkpoint(world, any_node(world));
}

static void disturb(World *world) {
        world->loss_ppm = happens(world, 500000) ? (unsigned) chance(world, 200000) : 0;
        world->slow_ppm = happens(world, 500000) ? (unsigned) chance(world, 100000) : 0;
}

static const struct {
        unsigned weight;
        void (*happen)(World *world);
} accidents[ACCIDENTS] = {
        { 4, crash_one },      { 2, crash_some }, { 1, crash_all },   { 3, freeze },
        { 5, heal },           { 4, isolate },    { 3, cut_one_way }, { 3, split },
        { 4, change_members }, { 2, transfer },   { 6, checkpoint },  { 1, disturb },
};

/* No two seeds have the same mix: some things happen often, and some not at all. */
void accident_begin(World *world) {
        static const unsigned factors[] = { 0, 1, 1, 5 };

        for (size_t i = 0; i < ACCIDENTS; i++)
                world->weights[i] = accidents[i].weight *
                                    factors[chance(world, ELEMENTSOF(factors))];
        world->weights[0]++;
}

void accident_on_event(World *world) {
        uint64_t sum = 0, which;
        size_t i = 0;

        if (world->is_calm)
                return;

        for (size_t j = 0; j < ACCIDENTS; j++)
                sum += world->weights[j];
        which = chance(world, sum);
        while (which >= world->weights[i])
                which -= world->weights[i++];
        world_note(world, 200, i, 0);
        accidents[i].happen(world);
        world_at(world, world->now + 1 + chance(world, world->accident_usec), EVENT_ACCIDENT, 0, 0,
                 0);
}

/* The moments after an election are those in which most can go wrong: a leader crashes when some
 * have its first entry, or nobody but itself. */
void accident_on_leader(World *world, Node *node) {
        uint64_t usec = chance(world, 6 * world->delay_usec + 2 * node->flush_usec);

        if (world->is_calm)
                return;

        if (happens(world, world->hasty_ppm))
                world_at(world, world->now, EVENT_CHANGE, node->id - 1, node->incarnation, 0);
        if (!happens(world, world->fragile_ppm))
                return;
        node->is_withheld = happens(world, world->is_duel ? 500000 : 300000);
        if (node->is_withheld)
                usec *= 4;
        else if (happens(world, 300000))
                for (uint32_t i = 0; i < world->n_nodes; i++)
                        if (happens(world, 700000))
                                network_cut(world, node->id - 1, i);
        world_at(world, world->now + usec, EVENT_CRASH, node->id - 1, node->incarnation, 0);
}

/* Of what is now on its way to the disk, a start has to find the right part: a vote, for example,
 * when another one asks, which is soon. */
void accident_on_promise(World *world, Node *node) {
        if (!world->is_calm && happens(world, world->fragile_ppm / 5))
                world_at(world, world->now + chance(world, 2 * MIN(node->flush_usec, 5000U)),
                         EVENT_CRASH, node->id - 1, node->incarnation, happens(world, 500000));
}

/* Entries are on their way to the disk; before they are there the node crashes, and its leader as
 * well, who must not have counted on them. */
void accident_on_entries(World *world, Node *node) {
        uint64_t time = world->now + world->delay_usec + 100 + chance(world, 4 * USEC_PER_MSEC);

        if (world->is_calm || world->options.scene || node->leader == 0 || happens(world, 300000))
                return;
        world_at(world, time, EVENT_CRASH, node->id - 1, node->incarnation, 0);
        world_at(world, time, EVENT_CRASH, (uint32_t) node->leader - 1, 0, 0);
}

/* It hears nobody any more. */
void accident_deafen(World *world, Node *node) {
        for (uint32_t i = 0; !world->is_calm && i < world->n_nodes; i++)
                network_cut(world, i, node->id - 1);
}

void accident_crash(World *world, Node *node, bool is_short) {
        if (world->is_calm)
                return;

        for (size_t i = 0; i < world->n_nodes; i++)
                world->is_cut[node->id - 1][i] = false;
        if (world->is_duel && node->role == CONSENSUS_LEADER)
                take_turns(world, node);
        else
                crash(world, node, is_short);
}

void accident_change(World *world, Node *node) {
        if (!world->is_calm && node->role == CONSENSUS_LEADER)
                change(world, node);
}

void accident_end(World *world) {
        world->is_calm = true;
        world->loss_ppm = world->slow_ppm = 0;
        world->is_in_order = true;
        network_heal(world);
        for (size_t i = 0; i < world->n_nodes; i++) {
                world->nodes[i].is_withheld = false;
                world->nodes[i].flush_usec = MIN(world->nodes[i].flush_usec, 3000U);
                world->nodes[i].frozen_until = MIN(
                                world->nodes[i].frozen_until, world->now + USEC_PER_SEC);
                if (!world->nodes[i].is_up)
                        node_start(world, world->nodes + i);
        }
}
