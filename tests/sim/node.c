/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A master: does what the core's updates ask for, and what the core leaves to others. */

#include <string.h>

#include "consensus/message-codec.h"
#include "sim/world.h"

#define NODE_WINDOW (4 * KIB) /* small, so that the limits are met */

static uint64_t local_time(const Node *node, uint64_t time) {
        return (uint64_t) ((int64_t) time + (int64_t) time * node->clock_ppm / 1000000 + node->clock_offset);
}

/* When it is so late by the clock of the node, or a moment later. */
static uint64_t world_time(const Node *node, uint64_t local) {
        return (uint64_t) (((int64_t) local - node->clock_offset) * 1000000 /
                           (1000000 + node->clock_ppm)) +
               2;
}

static uint64_t clock_of(const World *world, const Node *node) {
        return local_time(node, world->now);
}

static void set_tick(World *world, Node *node) {
        uint64_t deadline = consensus_deadline(node->core), time;

        if (deadline == UINT64_MAX)
                return;
        time = MAX(world_time(node, deadline), world->now + 1);
        if (node->tick_usec > world->now && node->tick_usec <= time)
                return; /* the one that comes looks again */

        node->tick_usec = time;
        world_at(world, time, EVENT_TICK, node->id - 1, node->incarnation, 0);
}

static void write_journal(Node *node, const ConsensusWrite *write) {
        if (write->reset)
                journal_reset(&node->journal, write->first - 1, write->base_term);
        else
                journal_cut_tail(&node->journal, write->first);
        for (size_t i = 0; write->first + i <= write->last; i++) {
                const Entry *entry = write->entries + i;
                Blob *blob = blob_new(entry->data, entry->size);

                journal_append(&node->journal, &(Item){ entry->term, entry->type, blob });
                blob_unref(blob);
        }
}

/* What arrives is what the core wanted to say, but for the entries, which it does not have. */
static void check_bytes(const Message *message, const Packet *packet) {
        _cleanup_(entries_freep) Entry *entries = NULL;
        Message decoded;
        const char *why;

        assert(message_decode(packet->data, packet->size, &decoded, &entries, &why) == 0);
        assert(memcmp(decoded.group, message->group, GROUP_ID_SIZE) == 0);
        assert(decoded.type == message->type && decoded.from == message->from &&
               decoded.to == message->to && decoded.term == message->term);
        assert(decoded.pre == message->pre && decoded.force == message->force &&
               decoded.refused == message->refused && decoded.lease == message->lease);
        assert(decoded.index == message->index && decoded.index_term == message->index_term &&
               decoded.hint == message->hint && decoded.commit == message->commit &&
               decoded.probe == message->probe && decoded.n == message->n);
}

static void send(World *world, Node *node, const Message *message) {
        _cleanup_(buffer_done) Buffer buffer = {};
        const Item *first = journal_at(&node->journal, message->index + 1);
        Packet *packet;

        message_encode_head(message, &buffer);
        for (size_t i = 0; i < message->n; i++) {
                Entry entry = entry_of(journal_at(&node->journal, message->index + 1 + i));

                message_encode_entry(&entry, &buffer);
        }
        packet = malloc(sizeof *packet + buffer.size);
        assert(packet && buffer_error(&buffer) == 0);
        *packet = (Packet){
                .from = message->from,
                .to = message->to,
                .has_own_entries = message->n > 0 && first->term == message->term,
                .size = buffer.size,
        };
        memcpy(packet->data, buffer.data, buffer.size);
        check_bytes(message, packet);
        node->has_asked = node->has_asked || message->type == MESSAGE_CAMPAIGN;
        if (disk_holds_vote(node))
                disk_attach(node, packet);
        else
                network_send(world, packet);
}

/* What becomes of the writes of this node that were proposed at an index where this one is. */
static void answer_writes(World *world, Node *node, const Item *item, uint64_t index) {
        Judge *judge = &world->judge;

        for (size_t i = 0; item->type == ENTRY_REQUESTS && i < item->blob->size / sizeof(Request);
             i++) {
                Request request;
                const Op *op;

                memcpy(&request, item->blob->data + i * sizeof request, sizeof request);
                op = judge->ops + request.write;
                if (op->node == node->id && op->index == index && op->term == item->term)
                        judge_answer(world, request.write, OP_DONE);
        }
}

static void apply(World *world, Node *node, uint64_t commit) {
        while (node->machine.applied.index < commit && !world->is_over) {
                uint64_t index = node->machine.applied.index + 1;
                const Item *item = journal_at(&node->journal, index);

                if (!item) {
                        judge_condemn(world, "node %u has no entry %lu to apply", node->id, index);
                        return;
                }
                machine_apply(&node->machine, index, item);
                judge_applied(world, node, index, item);
                answer_writes(world, node, item, index);
        }
}

static void drop_reads(World *world, Node *node, uint64_t confirmed, uint64_t term) {
        Waiting **link = &node->waiting;

        while (*link) {
                Waiting *waiting = *link;
                bool is_confirmed = waiting->term == term && waiting->probe <= confirmed;

                if (!is_confirmed && waiting->term == term && node->role == CONSENSUS_LEADER) {
                        link = &waiting->next;
                        continue;
                }
                judge_answer(world, waiting->op, is_confirmed ? OP_DONE : OP_REFUSED);
                *link = waiting->next;
                free(waiting);
        }
}

static void begin_fetch(World *world, Node *node, uint64_t index) {
        if (node->is_fetching)
                return;

        /* From one after the other: some are down, or have not come so far. */
        node->source = (node->source + 1) % world->n_nodes;
        node->is_fetching = true;
        world_at(world, world->now + chance(world, 500 * USEC_PER_MSEC), EVENT_FETCHED,
                 node->id - 1, node->incarnation, node->source | index << 8);
}

static void carry_out(World *world, Node *node, const ConsensusUpdate *update) {
        bool leads = update->role == CONSENSUS_LEADER &&
                     (node->role != CONSENSUS_LEADER || update->term != node->term);

        world_note(world, update->term, update->role, update->commit);
        if (leads)
                accident_on_leader(world, node);
        else if (update->vote_changed && update->vote > 0)
                accident_on_promise(world, node);
        if (update->write.number > 0 && update->write.first <= journal_last(&node->journal))
                node->cut = update->write.number;
        if (update->write.number > 0)
                write_journal(node, &update->write);
        disk_push(world, node, update);
        for (size_t i = 0; i < update->n_messages; i++)
                send(world, node, update->messages + i);

        if (update->term != node->term || update->role != node->role)
                world_say(world, "node %u: term %lu role %u commit %lu last %lu", node->id,
                          update->term, update->role, update->commit, journal_last(&node->journal));
        node->role = update->role;
        node->term = update->term;
        node->leader = update->leader;
        if (leads)
                judge_leader(world, node);
        apply(world, node, update->commit);
        drop_reads(world, node, update->confirmed, update->term);
        if (update->write.number > 0 && happens(world, world->fragile_ppm / 50))
                accident_on_entries(world, node);
        if (update->fetch > 0)
                begin_fetch(world, node, update->fetch);
        set_tick(world, node);
}

/* After each call of the core. What follows on a write at once is a call of its own. */
static void follow(World *world, Node *node, int r, const ConsensusUpdate *update) {
        ConsensusUpdate next;

        if (r == -EUCLEAN)
                judge_condemn(world, "node %u sees that what was decided differs", node->id);
        if (r < 0 || world->is_over)
                return;

        carry_out(world, node, update);
        if (update->write.number > 0 && MUTANT(UNFLUSHED_WRITE) &&
            update->role == CONSENSUS_LEADER) {
                ConsensusWrite write = update->write;

                r = consensus_written(node->core, clock_of(world, node), &write, &next);
                follow(world, node, r, &next);
        }
}

void node_start(World *world, Node *node) {
        ConsensusOptions options = {
                .self = node->id,
                .group = "simulated group",
                .seed = chance(world, UINT32_MAX),
                .election_usec = world->election_usec,
                .heartbeat_usec = world->election_usec / 5,
                .batch_size = world->batch_size,
                .window_size = NODE_WINDOW,
                .backlog_size = 4 * NODE_WINDOW,
                .lease = world->lease,
        };
        ConsensusUpdate update;
        ConsensusDisk disk;
        int r;

        node->is_up = true;
        node->has_asked = false;
        node->incarnation++;
        node->frozen_until = 0;
        node->tick_usec = node->cut = node->notice_usec = 0;
        node->machine = node->disk.machine;
        r = disk_open(world, node, &disk);
        if (r >= 0) {
                disk.applied = &node->disk.machine.applied;
                world_say(world, "node %u starts: term %lu, log %lu to %lu, database %lu", node->id,
                          disk.term, disk.base_index, disk_last(node), disk.applied->index);
                r = consensus_new(&options, clock_of(world, node), &disk, &node->core, &update);
        }
        if (r < 0) {
                judge_condemn(world, "node %u does not start: %d", node->id, r);
                return;
        }
        follow(world, node, r, &update);
}

void node_crash(World *world, Node *node) {
        if (!node->is_up)
                return;

        world_say(world, "node %u crashes", node->id);
        for (uint32_t i = 0; i < world->n_nodes; i++)
                if (i != node->id - 1 && !world->is_cut[node->id - 1][i])
                        world_at(world, world->now + 50 + chance(world, 2000), EVENT_DISCONNECTED,
                                 i, 0, node->id);

        node->is_up = node->is_withheld = false;
        node->core = consensus_free(node->core);
        node->role = CONSENSUS_FOLLOWER;
        node->leader = 0;
        node->n_gathered = 0;
        node->is_fetching = false;
        drop_reads(world, node, 0, 0);
        disk_crash(world, node);
}

void node_freeze(World *world, Node *node, uint64_t usec) {
        world_say(world, "node %u freezes for %lu us", node->id, usec);
        node->frozen_until = world->now + usec;
}

/* The database is on the disk up to here; some of the log before stays for those who are behind. */
void node_checkpoint(World *world, Node *node) {
        uint64_t index = node->machine.applied.index, kept = chance(world, 40);

        if (!node->is_up)
                return;

        node->disk.machine = node->machine;
        if (index <= kept)
                return;

        index = consensus_compact(node->core, index - kept);
        journal_cut_head(&node->journal, index);
        disk_compact(world, node, index);
}

int node_change(World *world, Node *node, const MemberChange *change) {
        ConsensusUpdate update;
        uint64_t index;
        int r;

        r = consensus_change(node->core, clock_of(world, node), change, &index, &update);
        follow(world, node, r, &update);
        return r;
}

int node_transfer(World *world, Node *node, uint64_t member) {
        ConsensusUpdate update;
        int r;

        r = consensus_transfer(node->core, clock_of(world, node), member, &update);
        follow(world, node, r, &update);
        return r;
}

static void take_write(World *world, Node *node, uint32_t op) {
        if (node->role != CONSENSUS_LEADER || node->n_gathered == ELEMENTSOF(node->gathered)) {
                judge_answer(world, op, OP_REFUSED);
                return;
        }

        if (node->n_gathered == 0)
                world_at(world, world->now + 500, EVENT_GATHERED, node->id - 1, node->incarnation,
                         0);
        node->gathered[node->n_gathered++] = (Request){ op, world->judge.ops[op].key };
}

static void propose(World *world, Node *node) {
        Entry entry = { .size = (uint32_t) (node->n_gathered * sizeof(Request)),
                        .data = node->gathered };
        size_t n = node->n_gathered;
        ConsensusUpdate update;
        int r;

        node->n_gathered = 0;
        r = consensus_propose(node->core, clock_of(world, node), &entry, 1, &update);
        for (size_t i = 0; i < n; i++) {
                Op *op = world->judge.ops + node->gathered[i].write;

                if (r < 0) {
                        judge_answer(world, node->gathered[i].write, OP_REFUSED);
                        continue;
                }
                op->node = node->id;
                op->index = update.write.first;
                op->term = update.term;
        }
        follow(world, node, r, &update);
}

static void look_up(World *world, Node *node, uint32_t number) {
        Op *op = world->judge.ops + number;

        op->revision = node->machine.keys[op->key].revision;
        op->write = node->machine.keys[op->key].write;
}

static bool has_lease(const World *world, const Node *node) {
        return world->lease && node->role == CONSENSUS_LEADER &&
               (MUTANT(ENDLESS_LEASE) || consensus_lease_end(node->core) > clock_of(world, node));
}

static void take_read(World *world, Node *node, uint32_t op) {
        uint64_t number;
        ConsensusUpdate update;
        Waiting *waiting;
        int r;

        if (node->role != CONSENSUS_LEADER) {
                judge_answer(world, op, OP_REFUSED);
                return;
        }

        look_up(world, node, op);
        if (MUTANT(NO_PROBE)) {
                judge_answer(world, op, OP_DONE);
                return;
        }
        if (has_lease(world, node)) {
                /* The process may be stopped between the look-up and the look at the clock. */
                world_at(world, world->now + 200, EVENT_LOOKED_UP, node->id - 1, node->incarnation,
                         op);
                if (!world->is_calm && happens(world, 1000))
                        node_freeze(world, node, chance(world, 4 * world->election_usec));
                return;
        }

        r = consensus_probe(node->core, clock_of(world, node), &number, &update);
        if (r < 0) {
                judge_answer(world, op, OP_REFUSED);
                return;
        }
        waiting = malloc(sizeof *waiting);
        assert(waiting);
        *waiting = (Waiting){ op, number, update.term, node->waiting };
        node->waiting = waiting;
        follow(world, node, r, &update);
}

static void install(World *world, Node *node, uint64_t argument) {
        const Node *source = world->nodes + (argument & 0xff);
        Machine machine = source->machine;
        ConsensusUpdate update;
        int r;

        node->is_fetching = false;
        if (source == node || !source->is_up || machine.applied.index < argument >> 8 ||
            world->is_cut[source->id - 1][node->id - 1] ||
            machine.applied.index <= node->machine.applied.index)
                return;

        world_say(world, "node %u has a database with entry %lu of node %u", node->id,
                  machine.applied.index, source->id);
        if (MUTANT(LOSSY_SNAPSHOT))
                machine.hash ^= 1;
        node->machine = node->disk.machine = machine;
        world->judge.fetches++;
        judge_database(world, node);
        r = consensus_installed(node->core, clock_of(world, node), &machine.applied, &update);
        follow(world, node, r, &update);
        if (r >= 0 && update.write.reset) {
                world->judge.resets++;
                accident_on_promise(world, node);
        }
}

static void receive(World *world, Node *node, const Event *event) {
        const Packet *packet = event->packet;
        _cleanup_(entries_freep) Entry *entries = NULL;
        ConsensusUpdate update;
        Message message;
        const char *why;
        int r;

        r = message_decode(packet->data, packet->size, &message, &entries, &why);
        assert(r == 0);

        /* The entries are the caller's, so the update is carried out while they are there. */
        r = consensus_receive(node->core, clock_of(world, node), &message, &update);
        follow(world, node, r, &update);
}

void node_on_event(World *world, Node *node, const Event *event) {
        uint64_t now = clock_of(world, node);
        ConsensusUpdate update;
        ConsensusWrite write;
        int r;

        switch (event->type) {
        case EVENT_MESSAGE:
                receive(world, node, event);
                break;
        case EVENT_DISCONNECTED:
                r = consensus_disconnected(node->core, now, event->argument, &update);
                follow(world, node, r, &update);
                break;
        case EVENT_TICK:
                r = consensus_tick(node->core, now, &update);
                follow(world, node, r, &update);
                break;
        case EVENT_WRITTEN:
                write = event->packet->written;
                r = consensus_written(node->core, now, &write, &update);
                follow(world, node, r, &update);
                if (event->argument < node->cut)
                        accident_on_entries(world, node);
                break;
        case EVENT_ASKED:
                (world->judge.ops[event->argument].is_read ? take_read : take_write)(
                                world, node, (uint32_t) event->argument);
                break;
        case EVENT_GATHERED:
                propose(world, node);
                break;
        case EVENT_LOOKED_UP:
                judge_answer(world, (uint32_t) event->argument,
                             has_lease(world, node) ? OP_DONE : OP_REFUSED);
                break;
        case EVENT_FETCHED:
                install(world, node, event->argument);
                break;
        default:
                break;
        }
}
