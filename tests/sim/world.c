/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/checksum.h"
#include "sim/world.h"

#define CALM_USEC (4 * USEC_PER_SEC)

uint64_t chance(World *world, uint64_t below) {
        uint64_t z = world->random += 0x9e3779b97f4a7c15;

        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        z ^= z >> 31;
        return below > 0 ? z % below : 0;
}

bool happens(World *world, unsigned ppm) {
        return chance(world, 1000000) < ppm;
}

void world_note(World *world, uint64_t what, uint64_t a, uint64_t b) {
        uint64_t note[] = { world->trace, world->now, what, a, b };

        world->trace = checksum_seeded(note, sizeof note, 3);
}

void world_say(World *world, const char *format, ...) {
        va_list arguments;

        if (!world->options.verbose)
                return;

        va_start(arguments, format);
        printf("%10.6f  ", (double) world->now / USEC_PER_SEC);
        (void) vprintf(format, arguments);
        printf("\n");
        va_end(arguments);
}

static bool is_before(const Event *a, const Event *b) {
        return a->time < b->time || (a->time == b->time && a->order < b->order);
}

void world_post(World *world, Event *event) {
        size_t i = world->n_events++;

        if (i == world->n_allocated) {
                world->n_allocated = MAX(2 * i, (size_t) 1024);
                world->events = reallocarray(
                                world->events, world->n_allocated, sizeof *world->events);
                assert(world->events);
        }
        event->order = ++world->order;
        for (; i > 0 && is_before(event, world->events + (i - 1) / 2); i = (i - 1) / 2)
                world->events[i] = world->events[(i - 1) / 2];
        world->events[i] = *event;
}

void world_at(World *world,
              uint64_t time,
              EventType type,
              uint32_t node,
              uint32_t incarnation,
              uint64_t argument) {
        world_post(world, &(Event){ time, 0, type, node, incarnation, argument, NULL });
}

static Event pop(World *world) {
        Event first = world->events[0], last = world->events[--world->n_events];
        size_t i = 0;

        for (;;) {
                size_t child = 2 * i + 1;

                if (child >= world->n_events)
                        break;
                if (child + 1 < world->n_events &&
                    is_before(world->events + child + 1, world->events + child))
                        child++;
                if (!is_before(world->events + child, &last))
                        break;
                world->events[i] = world->events[child];
                i = child;
        }
        world->events[i] = last;
        return first;
}

/* Returns whether the event waits until the process goes on. */
static bool wait_for_thaw(World *world, const Node *node, Event *event) {
        if (node->frozen_until <= world->now)
                return false;

        event->time = node->frozen_until;
        world_post(world, event);
        return true;
}

/* Returns whether the event waits until the disk gives notice. */
static bool wait_for_notice(World *world, const Node *node, Event *event) {
        if (event->type != EVENT_WRITTEN || !node->holds_notices)
                return false;

        event->time = world->now + 100;
        world_post(world, event);
        return true;
}

static void for_node(World *world, Event *event) {
        Node *node = world->nodes + event->node;

        if (event->type == EVENT_START && !node->is_up && !world->is_calm)
                node_start(world, node);
        else if (event->type == EVENT_ASKED && !node->is_up)
                judge_answer(world, (uint32_t) event->argument, OP_REFUSED);
        else if (event->type == EVENT_START || !node->is_up ||
                 (event->incarnation > 0 && event->incarnation != node->incarnation))
                ;
        else if (event->type == EVENT_CRASH)
                accident_crash(world, node, event->argument > 0);
        else if (event->type == EVENT_DEAFEN)
                accident_deafen(world, node);
        else if (event->type == EVENT_CHANGE && node->frozen_until <= world->now)
                accident_change(world, node);
        else if (event->type == EVENT_FLUSHED)
                disk_flushed(world, node);
        else if (wait_for_thaw(world, node, event) || wait_for_notice(world, node, event))
                return;
        else
                node_on_event(world, node, event);
        free(event->packet);
}

static void handle(World *world, Event *event) {
        world_note(world, event->type, event->node, event->argument);
        switch (event->type) {
        case EVENT_CLIENT:
                client_on_event(world, event->node);
                break;
        case EVENT_ACCIDENT:
                accident_on_event(world);
                break;
        case EVENT_CHECKPOINT:
                node_checkpoint(world, world->nodes + chance(world, world->n_nodes));
                world_at(world, world->now + 200 * USEC_PER_MSEC, EVENT_CHECKPOINT, 0, 0, 0);
                break;
        case EVENT_JUDGE:
                judge_journals(world);
                world_at(world, world->now + 500 * USEC_PER_MSEC, EVENT_JUDGE, 0, 0, 0);
                break;
        case EVENT_CALM:
                accident_end(world);
                break;
        default:
                for_node(world, event);
        }
}

/* Some masters are a group from the beginning, with or without a vote; the others may join. */
static void make_group(World *world) {
        static const size_t voters[] = { 3, 3, 3, 5, 5, 1, 2, 4 };
        size_t n = world->hasty_ppm > 0 && happens(world, 500000)
                                   ? 4
                                   : voters[chance(world, ELEMENTSOF(voters))];
        size_t standbys = world->is_duel ? 0 : chance(world, 3);
        unsigned slow_disk_ppm = world->is_duel ? 400000 : 200000;
        Members members;

        if (world->is_duel)
                n = world->hasty_ppm > 0 ? 4 : 3;
        members = (Members){ .n = n + standbys };

        for (size_t i = 0; i < members.n; i++)
                members.member[i] = (Member){ i + 1, i < n ? MEMBER_VOTER : MEMBER_STANDBY,
                                              "http://b.example:3000" };
        world->n_nodes = MIN(members.n + chance(world, 2), (size_t) NODES_MAX);
        for (size_t i = 0; i < world->n_nodes; i++) {
                Node *node = world->nodes + i;

                node->id = (uint32_t) i + 1;
                node->clock_offset = (int64_t) chance(world, USEC_PER_HOUR);
                node->clock_ppm = (int64_t) chance(world, 40000) - 20000;
                node->flush_usec = 100 + (unsigned) chance(
                                                         world, happens(world, slow_disk_ppm)
                                                                                ? 400000
                                                                                : 3000);
                if (i < members.n)
                        node->disk.machine.applied.members = members;
        }
}

/* Three or four, of whom hardly one leads for longer than a moment: the logs differ as much as they
 * can. */
static void make_duel(World *world) {
        world->election_usec = 150 * USEC_PER_MSEC;
        world->is_in_order = true;
        world->delay_usec = 2000;
        world->batch_size = 8;
        world->fragile_ppm = 900000;
        world->accident_usec = 4 * USEC_PER_SEC;
        world->loss_ppm = world->slow_ppm = 0;
        world->pause_usec = 30 * USEC_PER_MSEC;
}

static void make_conditions(World *world) {
        world->election_usec = (happens(world, 500000) ? 500 : 150) * USEC_PER_MSEC;
        world->is_in_order = happens(world, 700000);
        world->delay_usec = 100 + (unsigned) chance(world, happens(world, 300000) ? 30000 : 2000);
        world->batch_size = happens(world, 500000) ? 8 : KIB; /* one entry, or many */
        world->fragile_ppm = happens(world, 400000) ? 700000 : 0;
        world->hasty_ppm = happens(world, 300000) ? 700000 : 0;
        world->storm_usec = 2 * USEC_PER_SEC + chance(world, 7 * USEC_PER_SEC);
        world->lease = happens(world, 300000);
        world->accident_usec = (happens(world, 300000) ? 150 : 1000) * USEC_PER_MSEC;
        world->pause_usec = (happens(world, 300000) ? 30 : 300) * USEC_PER_MSEC;
        world->n_clients = 1 + chance(world, CLIENTS_MAX);
        if (happens(world, 300000))
                world->loss_ppm = (unsigned) chance(world, 100000);
        if (happens(world, 300000))
                world->slow_ppm = (unsigned) chance(world, 100000);
        accident_begin(world);
        world->is_duel = happens(world, 200000);
        if (world->is_duel)
                make_duel(world);
}

static void begin(World *world) {
        if (world->options.scene)
                scene_begin(world);
        else {
                make_conditions(world);
                make_group(world);
                world_at(world, 2 * world->election_usec, EVENT_ACCIDENT, 0, 0, 0);
        }
        for (size_t i = 0; i < world->n_nodes; i++)
                node_start(world, world->nodes + i);
        for (uint32_t i = 0; i < world->n_clients; i++)
                world_at(world, chance(world, 1000), EVENT_CLIENT, i, 0, 0);
        world_at(world, 1, EVENT_CHECKPOINT, 0, 0, 0);
        world_at(world, 1, EVENT_JUDGE, 0, 0, 0);
        world_at(world, world->storm_usec, EVENT_CALM, 0, 0, 0);
}

static void end(World *world) {
        for (size_t i = 0; i < world->n_nodes; i++) {
                Node *node = world->nodes + i;

                world->options.verbose = false;
                node_crash(world, node);
                journal_done(&node->journal);
                node->disk.files = memory_disk_free(node->disk.files);
        }
        for (size_t i = 0; i < world->n_events; i++)
                free(world->events[i].packet);
        free(world->events);
}

int world_run(const Options *options, Judge *ret_judge, uint64_t *ret_trace) {
        World *world = calloc(1, sizeof *world);
        int r = 0;

        assert(world);
        world->options = *options;
        world->random = options->seed;
        begin(world);
        while (!world->is_over && world->n_events > 0 &&
               world->now < world->storm_usec + CALM_USEC) {
                Event event = pop(world);

                world->now = event.time;
                handle(world, &event);
                if (options->scene)
                        scene_go_on(world);
        }
        if (!world->is_over)
                judge_end(world);
        if (world->judge.verdict[0])
                r = -EBADMSG;

        *ret_trace = world->trace;
        end(world);
        *ret_judge = world->judge;
        free(world);
        return r;
}
