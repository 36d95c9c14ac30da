/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Node: a master and its disk. It is one process after the other: what is not on the disk, a crash
 * takes. */

#include "sim/machine.h"
#include "sim/memory-disk.h"
#include "store/entries/entry-log.h"

typedef struct Event Event;
typedef struct Node Node;
typedef struct World World;

/* A message under way, as the bytes that it is then; or a notice of the disk, which has none. */
typedef struct Packet {
        uint64_t from, to;
        bool has_own_entries; /* of the sender's term */
        ConsensusWrite written;
        size_t size;
        uint8_t data[];
} Packet;

/* What a disk has been given and has not on it yet, in order. */
typedef struct DiskJob {
        enum { JOB_VOTE, JOB_WRITE, JOB_COMPACTION } type;
        uint64_t term, vote;
        ConsensusWrite write;
        Item *items;      /* of the write; owned, with references */
        Entry *entries;   /* likewise; owned */
        uint64_t index;   /* up to which nothing is needed */
        Packet **packets; /* wait for it; owned */
        size_t n_packets;
        struct DiskJob *next;
} DiskJob;

typedef struct Disk {
        MemoryDisk *files; /* owned; what is below but for the machine is in there */
        bool is_begun;     /* there was a log once */
        int fd;            /* of the process, as is the log */
        EntryLog *log;     /* owned */
        uint32_t segment_size;
        uint64_t term; /* that of the vote */
        Machine machine;
        DiskJob *first, *last;
        size_t n_jobs, n_flushing;
} Disk;

/* A read that waits for its probe. */
typedef struct Waiting {
        uint32_t op;
        uint64_t probe, term;
        struct Waiting *next;
} Waiting;

struct Node {
        uint32_t id;
        uint32_t incarnation;
        bool is_up;
        bool is_withheld;   /* entries of its own term get lost on their way */
        bool holds_flushes; /* its disk begins none, and a crash takes all that waits for one */
        bool holds_notices; /* of what is on the disk it does not hear */
        uint64_t frozen_until;
        int64_t clock_offset, clock_ppm;
        unsigned flush_usec; /* how slow its disk may be */
        Disk disk;

        /* what a crash takes */
        Consensus *core;
        ConsensusRole role;
        uint64_t term, leader;
        Journal journal;
        Machine machine;
        uint64_t tick_usec; /* when the next EVENT_TICK comes, in the time of the world */
        Request gathered[64];
        size_t n_gathered;
        uint64_t cut;         /* the last write that took entries out of the log */
        uint64_t notice_usec; /* when the last notice of a write comes */
        bool has_asked;       /* another one to take over the lead */
        bool is_fetching;
        size_t source; /* of the last database that it fetched, or tried to */
        Waiting *waiting;
};

/* disk.c */
int disk_open(World *world, Node *node, ConsensusDisk *ret); /* fills the journal as well */
void disk_push(World *world, Node *node, const ConsensusUpdate *update);
void disk_compact(World *world, Node *node, uint64_t index);
uint64_t disk_last(const Node *node);   /* the last entry on it */
bool disk_holds_vote(const Node *node); /* a vote that is not on the disk yet */
void disk_flushed(World *world, Node *node);
void disk_crash(World *world, Node *node);
void disk_attach(Node *node, Packet *packet); /* to the last vote */

/* node.c */
void node_start(World *world, Node *node);
void node_crash(World *world, Node *node);
void node_freeze(World *world, Node *node, uint64_t usec);
void node_on_event(World *world, Node *node, const Event *event);
void node_checkpoint(World *world, Node *node);
int node_change(World *world, Node *node, const MemberChange *change);
int node_transfer(World *world, Node *node, uint64_t member);
