/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A disk keeps the order of what it is given. A flush takes what is there when it begins; a crash
 * leaves any part of what is not flushed, from the beginning, and of the last write any part as
 * well, for a torn entry is known by its checksum. */

#include <string.h>

#include "sim/world.h"

static DiskJob *push(Node *node, const DiskJob *template) {
        DiskJob *job = malloc(sizeof *job);

        assert(job);
        *job = *template;
        if (node->disk.last)
                node->disk.last->next = job;
        else
                node->disk.first = job;
        node->disk.last = job;
        node->disk.n_jobs++;
        return job;
}

static void begin_flush(World *world, Node *node) {
        uint64_t usec = 50 + chance(world, node->flush_usec);

        if (node->disk.n_flushing > 0 || node->disk.n_jobs == 0 || node->holds_flushes)
                return;
        if (happens(world, 3000))
                usec += chance(world, 300 * USEC_PER_MSEC); /* disks stall */

        node->disk.n_flushing = node->disk.n_jobs;
        world_at(world, world->now + usec, EVENT_FLUSHED, node->id - 1, node->incarnation, 0);
}

void disk_push(World *world, Node *node, const ConsensusUpdate *update) {
        const ConsensusWrite *write = &update->write;

        if (update->vote_changed)
                push(node,
                     &(DiskJob){ .is_vote = true, .term = update->term, .vote = update->vote });
        if (write->number > 0) {
                DiskJob *job = push(node, &(DiskJob){ .write = *write });
                size_t n = write->last + 1 - write->first;

                job->items = calloc(MAX(n, (size_t) 1), sizeof *job->items);
                assert(job->items);
                for (size_t i = 0; i < n; i++) {
                        job->items[i] = *journal_at(&node->journal, write->first + i);
                        blob_ref(job->items[i].blob);
                }
        }
        begin_flush(world, node);
}

static DiskJob *last_vote(const Node *node) {
        DiskJob *vote = NULL;

        for (DiskJob *job = node->disk.first; job; job = job->next)
                if (job->is_vote)
                        vote = job;
        return vote;
}

bool disk_holds_vote(const Node *node) {
        return last_vote(node) && !MUTANT(UNFLUSHED_VOTE);
}

void disk_attach(Node *node, Packet *packet) {
        DiskJob *job = last_vote(node);

        job->packets = reallocarray(job->packets, job->n_packets + 1, sizeof *job->packets);
        assert(job->packets);
        job->packets[job->n_packets++] = packet;
}

/* PART of the entries of a write. */
static void carry_out(Disk *disk, const DiskJob *job, size_t part) {
        const ConsensusWrite *write = &job->write;

        if (job->is_vote) {
                disk->term = job->term;
                disk->vote = job->vote;
                return;
        }

        if (write->reset && !MUTANT(LOST_RESET))
                journal_reset(&disk->journal, write->first - 1, write->base_term);
        else
                journal_cut_tail(&disk->journal, write->first);
        if (journal_last(&disk->journal) + 1 != write->first)
                return; /* only with the mutant */
        for (size_t i = 0; i < part; i++)
                journal_append(&disk->journal, job->items + i);
}

static void pop(Disk *disk) {
        DiskJob *job = disk->first;

        for (size_t i = 0; !job->is_vote && i < job->write.last + 1 - job->write.first; i++)
                blob_unref(job->items[i].blob);
        for (size_t i = 0; i < job->n_packets; i++)
                free(job->packets[i]);
        disk->first = job->next;
        if (!disk->first)
                disk->last = NULL;
        disk->n_jobs--;
        free(job->items);
        free(job->packets);
        free(job);
}

/* The process hears of a write from another thread than of what comes from the network, at times
 * much later. Notices keep their order. */
static void give_notice(World *world, Node *node, const ConsensusWrite *write) {
        Packet *notice = calloc(1, sizeof *notice);
        uint64_t time = world->now;

        assert(notice);
        notice->written = (ConsensusWrite){ .number = write->number,
                                            .first = write->first,
                                            .last = write->last };
        if (!world->is_calm && !world->options.scene &&
            happens(world, world->is_duel ? 300000 : 50000))
                time = MIN(time + chance(world, 6 * world->election_usec), world->storm_usec);
        node->notice_usec = MAX(node->notice_usec, time);
        world_post(world, &(Event){
                                          .time = node->notice_usec,
                                          .type = EVENT_WRITTEN,
                                          .node = node->id - 1,
                                          .incarnation = node->incarnation,
                                          .argument = write->number,
                                          .packet = notice,
                          });
}

void disk_flushed(World *world, Node *node) {
        Disk *disk = &node->disk;

        for (; disk->n_flushing > 0; disk->n_flushing--) {
                DiskJob *job = disk->first;

                carry_out(disk, job, job->is_vote ? 0 : job->write.last + 1 - job->write.first);
                if (!job->is_vote)
                        give_notice(world, node, &job->write);
                for (size_t i = 0; i < job->n_packets; i++)
                        network_send(world, job->packets[i]);
                job->n_packets = 0;
                pop(disk);
        }
        begin_flush(world, node);
}

void disk_crash(World *world, Node *node) {
        Disk *disk = &node->disk;
        size_t kept = node->holds_flushes ? 0 : chance(world, disk->n_jobs + 1);

        for (size_t i = 0; disk->first; i++) {
                size_t n = disk->first->is_vote
                                           ? 0
                                           : disk->first->write.last + 1 - disk->first->write.first;

                if (i < kept)
                        carry_out(disk, disk->first, n);
                else if (i == kept && !disk->first->is_vote && !node->holds_flushes &&
                         happens(world, 500000))
                        carry_out(disk, disk->first, chance(world, n + 1)); /* torn */
                pop(disk);
        }
        disk->n_flushing = 0;
}
