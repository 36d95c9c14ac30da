/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* World: a group of masters, their disks, the network between them, clients and accidents, in one
 * thread and in virtual time. Everything that happens follows from one seed, so a run can be had
 * again; .trace is a hash of all that happened in it. */

#include "sim/judge.h"
#include "sim/machine.h"
#include "sim/mutant.h"
#include "sim/node.h"
#include "sim/scene.h"

#define NODES_MAX   7
#define CLIENTS_MAX 6
#define ACCIDENTS   12

typedef enum EventType {
        EVENT_MESSAGE,
        EVENT_DISCONNECTED,
        EVENT_TICK,
        EVENT_FLUSHED, /* the disk has done it, whatever the process does */
        EVENT_WRITTEN, /* the process hears of it */
        EVENT_ASKED,   /* by a client */
        EVENT_GATHERED,
        EVENT_LOOKED_UP,
        EVENT_FETCHED,
        EVENT_CHECKPOINT,
        EVENT_START,
        EVENT_CLIENT,
        EVENT_ACCIDENT,
        EVENT_CRASH,
        EVENT_CHANGE,
        EVENT_DEAFEN,
        EVENT_JUDGE,
        EVENT_CALM,
} EventType;

struct Event {
        uint64_t time, order;
        EventType type;
        uint32_t node;
        uint32_t incarnation; /* of the process that it is for; 0 for whatever runs then */
        uint64_t argument;
        Packet *packet; /* owned */
};

typedef enum SceneRole { SCENE_LEADER, SCENE_OTHER, SCENE_THIRD, _SCENE_ROLE_MAX } SceneRole;

typedef struct Options {
        uint64_t seed;
        const Scene *scene; /* or NULL: then there are accidents */
        bool verbose;
} Options;

struct World {
        Options options;
        uint64_t now, random, order, trace;
        Event *events; /* a heap */
        size_t n_events, n_allocated;
        bool is_over, is_calm;

        size_t n_nodes;
        Node nodes[NODES_MAX]; /* node I has the id I + 1 */

        bool is_cut[NODES_MAX][NODES_MAX]; /* from, to */
        uint64_t last_arrival[NODES_MAX][NODES_MAX];
        unsigned loss_ppm, delay_usec, slow_ppm;
        bool is_in_order;
        uint64_t batch_size;
        bool is_duel;
        uint32_t away; /* in a duel: the id of the leader that crashed last */

        size_t n_clients;
        uint32_t clients[CLIENTS_MAX]; /* what each waits for */
        uint64_t pause_usec, accident_usec;
        unsigned weights[ACCIDENTS], fragile_ppm, hasty_ppm;

        bool lease;
        uint64_t election_usec, storm_usec;

        /* of a scene */
        size_t step;
        uint64_t scene_usec;            /* when it did the last one */
        uint64_t scene_index;           /* the last entry that all have */
        uint32_t cast[_SCENE_ROLE_MAX]; /* nodes, counted from 0 */

        Judge judge;
};

uint64_t chance(World *world, uint64_t below);
bool happens(World *world, unsigned ppm);
void world_note(World *world, uint64_t what, uint64_t a, uint64_t b); /* in the trace */
void world_at(World *world,
              uint64_t time,
              EventType type,
              uint32_t node,
              uint32_t incarnation,
              uint64_t argument);
void world_post(World *world, Event *event); /* takes the packet */
__attribute__((format(printf, 2, 3))) void world_say(World *world, const char *format, ...);

/* Runs it to its end. Returns 0, or -EBADMSG if the judge has found something. */
int world_run(const Options *options, Judge *ret_judge, uint64_t *ret_trace);

/* network.c */
void network_send(World *world, Packet *packet); /* takes it */
void network_cut(World *world, uint32_t from, uint32_t to);
void network_heal(World *world);

/* client.c */
void client_on_event(World *world, uint32_t client);

/* accident.c */
void accident_begin(World *world);
void accident_on_event(World *world);
void accident_on_leader(World *world, Node *node);
void accident_on_promise(World *world, Node *node);
void accident_on_entries(World *world, Node *node);
void accident_crash(World *world, Node *node, bool is_short); /* starts again soon */
void accident_deafen(World *world, Node *node);
void accident_change(World *world, Node *node);
void accident_end(World *world);
