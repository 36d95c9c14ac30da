/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sim/world.h"

void judge_done(Judge *judge) {
        free(judge->ops);
        free(judge->decided);
        free(judge->leaders);
        *judge = (Judge){ 0 };
}

void judge_condemn(World *world, const char *format, ...) {
        Judge *judge = &world->judge;
        va_list arguments;

        if (judge->verdict[0])
                return;

        va_start(arguments, format);
        (void) vsnprintf(judge->verdict, sizeof judge->verdict, format, arguments);
        va_end(arguments);
        judge->verdict_usec = world->now;
        world->is_over = true;
}

uint32_t judge_op(World *world, bool is_read, uint32_t client, uint32_t key) {
        Judge *judge = &world->judge;

        if (judge->n_ops + 1 >= judge->n_ops_allocated) {
                judge->n_ops_allocated = MAX(2 * judge->n_ops_allocated, (size_t) 1024);
                judge->ops = reallocarray(judge->ops, judge->n_ops_allocated, sizeof *judge->ops);
                assert(judge->ops);
        }
        if (judge->n_ops == 0)
                judge->ops[judge->n_ops++] = (Op){ 0 };

        judge->ops[judge->n_ops] = (Op){
                .is_read = is_read,
                .client = client,
                .key = key,
                .begin_usec = world->now,
                .floor = judge->floors[key],
        };
        return (uint32_t) judge->n_ops++;
}

static void check_read(World *world, uint32_t number) {
        Judge *judge = &world->judge;
        const Op *op = judge->ops + number;
        const Op *write = judge->ops + op->write;

        if (op->revision < op->floor)
                judge_condemn(world,
                              "a stale read: %u of key %u at revision %lu, but %lu was known before",
                              number, op->key, op->revision, op->floor);
        else if (op->write > 0 && (write->decided != op->revision || write->key != op->key))
                judge_condemn(world, "read %u got write %u, which is not what was decided at %lu",
                              number, op->write, op->revision);
        judge->floors[op->key] = MAX(judge->floors[op->key], op->revision);
        judge->reads++;
}

static void check_write(World *world, uint32_t number) {
        Judge *judge = &world->judge;
        const Op *op = judge->ops + number;

        if (op->decided == 0 || op->decided != op->index)
                judge_condemn(world, "write %u was acknowledged at %lu, and decided at %lu", number,
                              op->index, op->decided);
        else if (op->decided <= op->floor)
                judge_condemn(world,
                              "write %u was decided at %lu, before one that ended before it began",
                              number, op->decided);
        judge->floors[op->key] = MAX(judge->floors[op->key], op->decided);
        judge->writes++;
}

void judge_answer(World *world, uint32_t number, OpOutcome outcome) {
        Op *op = world->judge.ops + number;

        if (op->outcome != OP_UNDER_WAY)
                return; /* the client has given up */

        op->outcome = outcome;
        world_note(world, 100 + outcome, number, op->revision);
        if (outcome == OP_UNKNOWN)
                world->judge.unknown++;
        if (outcome == OP_DONE)
                (op->is_read ? check_read : check_write)(world, number);
}

/* Entries of requests: which writes are decided now, and where. */
static void note_writes(World *world, uint64_t index, const Item *item) {
        Judge *judge = &world->judge;

        for (size_t i = 0; i < item->blob->size / sizeof(Request); i++) {
                Request request;
                Op *op;

                memcpy(&request, item->blob->data + i * sizeof request, sizeof request);
                op = judge->ops + request.write;
                if (op->decided > 0)
                        judge_condemn(world, "write %u was decided at %lu and at %lu",
                                      request.write, op->decided, index);
                if (op->outcome == OP_REFUSED)
                        judge_condemn(world, "write %u was refused, and decided at %lu",
                                      request.write, index);
                op->decided = index;
        }
}

static void note_decided(World *world, const Node *node, uint64_t index, const Item *item) {
        Judge *judge = &world->judge;

        if (index != judge->n_decided + 1) {
                judge_condemn(world, "entry %lu was decided and nobody knows %zu", index,
                              judge->n_decided + 1);
                return;
        }
        if (judge->n_decided == judge->n_decided_allocated) {
                judge->n_decided_allocated = MAX(2 * judge->n_decided_allocated, (size_t) 1024);
                judge->decided = reallocarray(
                                judge->decided, judge->n_decided_allocated, sizeof *judge->decided);
                assert(judge->decided);
        }
        judge->decided[judge->n_decided++] = (Decided){ item->term, item->blob->hash, 0,
                                                        node->term };
        if (item->type == ENTRY_REQUESTS)
                note_writes(world, index, item);
        else if (item->type == ENTRY_MEMBERS)
                judge->changes++;
}

void judge_applied(World *world, const Node *node, uint64_t index, const Item *item) {
        const Decided *decided;

        if (index > world->judge.n_decided)
                note_decided(world, node, index, item);
        if (world->is_over)
                return;

        decided = world->judge.decided + index - 1;
        if (decided->term != item->term || decided->hash != item->blob->hash)
                judge_condemn(world, "node %u has applied another entry %lu: of term %lu, not %lu",
                              node->id, index, item->term, decided->term);
        else
                judge_database(world, node);
}

void judge_database(World *world, const Node *node) {
        uint64_t index = node->machine.applied.index;
        Decided *decided = world->judge.decided + index - 1;

        if (index == 0 || world->is_over)
                return;
        if (index > world->judge.n_decided) {
                judge_condemn(world, "node %u has a database with entry %lu, which nobody decided",
                              node->id, index);
                return;
        }

        if (decided->state == 0)
                decided->state = node->machine.hash;
        if (decided->state != node->machine.hash)
                judge_condemn(world, "node %u has another state behind entry %lu", node->id, index);
}

void judge_leader(World *world, const Node *node) {
        Judge *judge = &world->judge;
        size_t n = judge->n_leaders;
        const Item *item;

        if (node->term >= n) {
                judge->n_leaders = 2 * node->term + 64;
                judge->leaders = reallocarray(
                                judge->leaders, judge->n_leaders, sizeof *judge->leaders);
                assert(judge->leaders);
                memset(judge->leaders + n, 0, (judge->n_leaders - n) * sizeof *judge->leaders);
        }
        if (judge->leaders[node->term] != 0 && judge->leaders[node->term] != node->id)
                judge_condemn(world, "nodes %lu and %u lead in term %lu",
                              judge->leaders[node->term], node->id, node->term);
        judge->leaders[node->term] = node->id;
        judge->elections++;

        /* What is decided is in the log of each leader of a later term. */
        for (uint64_t i = judge->n_decided; i > node->journal.base_index; i--) {
                if (judge->decided[i - 1].known >= node->term)
                        continue;
                item = journal_at(&node->journal, i);
                if (!item || item->term != judge->decided[i - 1].term)
                        judge_condemn(world,
                                      "node %u leads in term %lu without entry %lu, which is decided",
                                      node->id, node->term, i);
                break;
        }
}

/* Logs that agree at an index agree before it. */
static void compare_journals(World *world, const Node *a, const Node *b) {
        uint64_t index = MIN(journal_last(&a->journal), journal_last(&b->journal));
        uint64_t base = MAX(a->journal.base_index, b->journal.base_index);
        bool agree = false;

        for (; index > base; index--) {
                const Item *x = journal_at(&a->journal, index), *y = journal_at(&b->journal, index);
                bool same_term = x->term == y->term;

                if ((agree && !same_term) || (same_term && x->blob->hash != y->blob->hash))
                        judge_condemn(world,
                                      "the logs of nodes %u and %u differ at %lu, and not behind it",
                                      a->id, b->id, index);
                agree = agree || same_term;
        }
}

void judge_journals(World *world) {
        for (size_t i = 0; i < world->n_nodes; i++)
                for (size_t j = i + 1; j < world->n_nodes; j++)
                        if (world->nodes[i].is_up && world->nodes[j].is_up)
                                compare_journals(world, world->nodes + i, world->nodes + j);
}

/* It has been calm for a while: the group works, and all members are at the same point. */
void judge_end(World *world) {
        const Node *leader = NULL;
        const Members *members;
        bool decided;

        judge_journals(world);
        for (size_t i = 0; i < world->n_nodes; i++)
                if (world->nodes[i].role == CONSENSUS_LEADER &&
                    (!leader || world->nodes[i].term > leader->term))
                        leader = world->nodes + i;
        if (!leader) {
                judge_condemn(world, "nobody leads after a calm time");
                return;
        }

        members = consensus_members(leader->core, &decided);
        for (size_t i = 0; i < members->n; i++) {
                const Node *node = world->nodes + members->member[i].id - 1;

                if (node->machine.applied.index + 64 < world->judge.n_decided)
                        judge_condemn(world,
                                      "node %u is at %lu after a calm time, and %zu are decided",
                                      node->id, node->machine.applied.index,
                                      world->judge.n_decided);
        }
}
