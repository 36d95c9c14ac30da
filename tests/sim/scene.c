/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdio.h>

#include "sim/scene.h"
#include "sim/world.h"

#define PATIENCE_USEC (20 * USEC_PER_SEC)

typedef struct Step {
        bool (*until)(const World *world);
        void (*then)(World *world);
        uint64_t limit_usec; /* so long it waits at most; 0 if it must not be in vain */
} Step;

struct Scene {
        const char *name;
        Mutant mutant;
        bool lease;
        const Step *steps;
};

static Node *actor(World *world, SceneRole role) {
        return world->nodes + world->cast[role];
}

static const Node *seen(const World *world, SceneRole role) {
        return world->nodes + world->cast[role];
}

/* Who leads, and has applied something of its term; NULL if nobody does. */
static const Node *leader_at_work(const World *world) {
        for (size_t i = 0; i < world->n_nodes; i++) {
                const Node *node = world->nodes + i;

                if (node->is_up && node->role == CONSENSUS_LEADER &&
                    node->machine.applied.term == node->term)
                        return node;
        }
        return NULL;
}

static void give_parts(World *world, const Node *leader) {
        world->cast[SCENE_LEADER] = leader->id - 1;
        world->cast[SCENE_OTHER] = leader->id % world->n_nodes;
        world->cast[SCENE_THIRD] = (leader->id + 1) % world->n_nodes;
}

static void set_cut(World *world, SceneRole from, SceneRole to, bool is_cut) {
        world->is_cut[world->cast[from]][world->cast[to]] = is_cut;
}

static void end_scene(World *world) {
        world->storm_usec = world->now;
        accident_end(world);
}

/* All of them have applied the same, so there is nothing to catch up with. */
static bool is_begun(const World *world) {
        const Node *leader = leader_at_work(world);

        for (size_t i = 0; leader && i < world->n_nodes; i++)
                if (world->nodes[i].machine.applied.index < leader->machine.applied.index)
                        return false;
        return leader && leader->machine.applied.index >= 5;
}

/* Late notice.
 *
 * The leader loses what it has sent to one of the others, whose disk has it, and who does not know
 * that yet. One of those without it leads in the next term, and what it has instead is on its way
 * to the disk when the late notice comes, of another entry at the same place. */

static void keep_from_third(World *world) {
        give_parts(world, leader_at_work(world));
        set_cut(world, SCENE_LEADER, SCENE_THIRD, true);
        set_cut(world, SCENE_THIRD, SCENE_LEADER, true);
        actor(world, SCENE_LEADER)->holds_flushes = true;
        actor(world, SCENE_OTHER)->holds_notices = true;
        world->scene_index = journal_last(&actor(world, SCENE_LEADER)->journal);
}

static bool other_alone_has_more(const World *world) {
        const Node *other = seen(world, SCENE_OTHER);

        return disk_last(other) >= world->scene_index + 3;
}

static void restart_leader(World *world) {
        Node *leader = actor(world, SCENE_LEADER);

        node_crash(world, leader);
        leader->holds_flushes = false;
        node_start(world, leader);
        set_cut(world, SCENE_LEADER, SCENE_THIRD, false);
        set_cut(world, SCENE_THIRD, SCENE_LEADER, false);

        /* So that it hears of the new term, and is not elected. */
        set_cut(world, SCENE_OTHER, SCENE_LEADER, true);
        set_cut(world, SCENE_OTHER, SCENE_THIRD, true);
        leader->is_withheld = actor(world, SCENE_THIRD)->is_withheld = true;
}

static bool other_knows_next_leader(const World *world) {
        const Node *other = seen(world, SCENE_OTHER);

        for (size_t i = 0; i < world->n_nodes; i++)
                if (world->nodes[i].role == CONSENSUS_LEADER && world->nodes[i].is_withheld &&
                    world->nodes[i].term == other->disk.term && other->disk.n_jobs == 0)
                        return true;
        return false;
}

static void replace_what_it_has(World *world) {
        if (actor(world, SCENE_LEADER)->role != CONSENSUS_LEADER) {
                uint32_t third = world->cast[SCENE_THIRD];

                world->cast[SCENE_THIRD] = world->cast[SCENE_LEADER];
                world->cast[SCENE_LEADER] = third;
        }
        actor(world, SCENE_LEADER)->is_withheld = false;
        actor(world, SCENE_OTHER)->holds_flushes = true;
        set_cut(world, SCENE_LEADER, SCENE_THIRD, true);
        set_cut(world, SCENE_OTHER, SCENE_LEADER, false);
}

static bool other_has_cut(const World *world) {
        return seen(world, SCENE_OTHER)->cut > 0;
}

static void give_late_notice(World *world) {
        actor(world, SCENE_OTHER)->holds_notices = false;
}

static bool leader_has_decided(const World *world) {
        const Node *leader = seen(world, SCENE_LEADER);

        return leader->machine.applied.term == leader->term;
}

static void crash_both(World *world) {
        node_crash(world, actor(world, SCENE_LEADER));
        node_crash(world, actor(world, SCENE_OTHER));
        actor(world, SCENE_OTHER)->holds_flushes = false;
        node_start(world, actor(world, SCENE_OTHER));
        network_heal(world);
        actor(world, SCENE_THIRD)->is_withheld = false;
}

static bool somebody_leads(const World *world) {
        return leader_at_work(world);
}

static const Step late_notice[] = {
        { is_begun, keep_from_third, 0 },
        { other_alone_has_more, restart_leader, 0 },
        { other_knows_next_leader, replace_what_it_has, 0 },
        { other_has_cut, give_late_notice, 0 },
        { leader_has_decided, crash_both, 50 * USEC_PER_MSEC },
        { somebody_leads, end_scene, 0 },
        {},
};

/* Handover.
 *
 * The leader has asked another one to take over, and hears nothing any more, also not that this is
 * done. It must not read by its lease. */

static void hand_over(World *world) {
        give_parts(world, leader_at_work(world));
        (void) node_transfer(world, actor(world, SCENE_LEADER), world->cast[SCENE_OTHER] + 1);
}

static bool other_is_asked(const World *world) {
        return seen(world, SCENE_LEADER)->has_asked;
}

static void deafen_leader(World *world) {
        accident_deafen(world, actor(world, SCENE_LEADER));
}

static bool lease_is_over(const World *world) {
        const Node *other = seen(world, SCENE_OTHER);

        return other->role == CONSENSUS_LEADER && other->machine.applied.term == other->term &&
               world->now >= world->scene_usec + world->election_usec;
}

static const Step handover[] = {
        { is_begun, hand_over, 0 },
        { other_is_asked, deafen_leader, 0 },
        { lease_is_over, end_scene, 0 },
        {},
};

static const Scene scenes[] = {
        { "late-notice", MUTANT_STALE_WRITTEN, false, late_notice },
        { "handover", MUTANT_LEASE_OF_TWO, true, handover },
};

const Scene *scene_at(size_t i) {
        return i < ELEMENTSOF(scenes) ? scenes + i : NULL;
}

const char *scene_name(const Scene *scene) {
        return scene->name;
}

const Scene *scene_of(Mutant which) {
        for (size_t i = 0; i < ELEMENTSOF(scenes); i++)
                if (scenes[i].mutant == which)
                        return scenes + i;
        return NULL;
}

void scene_begin(World *world) {
        Members members = { .n = 3 };

        world->election_usec = 500 * USEC_PER_MSEC;
        world->is_in_order = true;
        world->delay_usec = 1000;
        world->batch_size = KIB;
        world->storm_usec = USEC_PER_HOUR; /* the last step ends it */
        world->lease = world->options.scene->lease;
        world->pause_usec = 3 * USEC_PER_MSEC;
        world->n_clients = CLIENTS_MAX;
        world->n_nodes = members.n;
        for (size_t i = 0; i < members.n; i++)
                members.member[i] = (Member){ i + 1, MEMBER_VOTER, "http://c.example:3000" };
        for (size_t i = 0; i < members.n; i++) {
                Node *node = world->nodes + i;

                node->id = (uint32_t) i + 1;
                node->clock_offset = (int64_t) chance(world, USEC_PER_HOUR);
                node->flush_usec = 500;
                node->disk.machine.applied.members = members;
        }
}

void scene_go_on(World *world) {
        const Scene *scene = world->options.scene;
        const Step *step = scene->steps + world->step;
        uint64_t waited = world->now - world->scene_usec;

        if (!step->until || world->is_over)
                return;
        if (!step->until(world) && (step->limit_usec == 0 || waited < step->limit_usec)) {
                if (waited < PATIENCE_USEC)
                        return;
                fprintf(stderr, "seed %lu: the scene %s is stuck before step %zu\n",
                        world->options.seed, scene->name, world->step + 1);
                abort();
        }

        world_say(world, "%s, step %zu", scene->name, world->step + 1);
        world->step++;
        world->scene_usec = world->now;
        step->then(world);
}
