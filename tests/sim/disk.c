/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a master gives to its disk waits, in order, until a flush begins. That takes what is there,
 * and when its time is over, the log of dkv (store/entries) carries it out, on files in memory. A
 * crash comes at any point of that: of the machine, which takes what is not flushed, or of the
 * process alone. */

#include <string.h>

#include "sim/world.h"
#include "store/disk/disk.h"

#define LOG_ID UINT64_C(0x6d6972726f72)

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
                push(node, &(DiskJob){ JOB_VOTE, .term = update->term, .vote = update->vote });
        if (write->number > 0) {
                DiskJob *job = push(node, &(DiskJob){ JOB_WRITE, .write = *write });
                size_t n = write->last + 1 - write->first;

                job->items = calloc(MAX(n, (size_t) 1), sizeof *job->items);
                job->write.entries = job->entries = calloc(
                                MAX(n, (size_t) 1), sizeof *job->entries);
                assert(job->items && job->entries);
                for (size_t i = 0; i < n; i++) {
                        job->items[i] = *journal_at(&node->journal, write->first + i);
                        blob_ref(job->items[i].blob);
                        job->entries[i] = entry_of(job->items + i);
                }
        }
        begin_flush(world, node);
}

void disk_compact(World *world, Node *node, uint64_t index) {
        push(node, &(DiskJob){ JOB_COMPACTION, .index = index });
        begin_flush(world, node);
}

uint64_t disk_last(const Node *node) {
        uint64_t term;

        return entry_log_last(node->disk.log, &term);
}

static DiskJob *last_vote(const Node *node) {
        DiskJob *vote = NULL;

        for (DiskJob *job = node->disk.first; job; job = job->next)
                if (job->type == JOB_VOTE)
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

/* The writes that come first, at most N jobs, by one flush. Returns how many, or a negative errno.
 */
static int write_some(Disk *disk, const DiskJob *job, size_t n) {
        _cleanup_free_ ConsensusWrite *writes = calloc(n, sizeof *writes);
        size_t n_writes = 0;
        int r;

        assert(writes);
        for (; n_writes < n && job->type == JOB_WRITE; job = job->next)
                writes[n_writes++] = job->write;
        r = entry_log_write(disk->log, writes, n_writes);
        return r < 0 ? r : (int) n_writes;
}

/* Does the first N jobs, in order. */
static int carry_out(Disk *disk, size_t n) {
        const DiskJob *job = disk->first;
        int r;

        while (n > 0) {
                r = 1;
                if (job->type == JOB_WRITE)
                        r = write_some(disk, job, n);
                else if (job->type == JOB_COMPACTION)
                        entry_log_compact(disk->log, job->index);
                else if (entry_log_vote(disk->log, job->term, job->vote) < 0)
                        return -EIO;
                if (r < 0)
                        return r;
                if (job->type == JOB_VOTE)
                        disk->term = job->term;
                for (n -= (size_t) r; r > 0; r--)
                        job = job->next;
        }
        return 0;
}

static void pop(Disk *disk) {
        DiskJob *job = disk->first;

        for (size_t i = 0; job->items && i < job->write.last + 1 - job->write.first; i++)
                blob_unref(job->items[i].blob);
        for (size_t i = 0; i < job->n_packets; i++)
                free(job->packets[i]);
        disk->first = job->next;
        if (!disk->first)
                disk->last = NULL;
        disk->n_jobs--;
        free(job->items);
        free(job->entries);
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
        int r;

        r = carry_out(disk, disk->n_flushing);
        if (r < 0) {
                judge_condemn(world, "node %u cannot write: %d", node->id, r);
                return;
        }
        for (; disk->n_flushing > 0; disk->n_flushing--) {
                DiskJob *job = disk->first;

                if (job->type == JOB_WRITE)
                        give_notice(world, node, &job->write);
                for (size_t i = 0; i < job->n_packets; i++)
                        network_send(world, job->packets[i]);
                job->n_packets = 0;
                pop(disk);
        }
        begin_flush(world, node);
}

/* From now on nothing that the process does has an effect. */
static void end_process(World *world, Disk *disk) {
        memory_disk_fail(disk->files, 0);
        disk->log = entry_log_free(disk->log);
        (void) memory_close(disk->fd);
        if (happens(world, 700000))
                memory_disk_lose_power(disk->files, world);
        else
                memory_disk_lose_process(disk->files);
}

void disk_crash(World *world, Node *node) {
        Disk *disk = &node->disk;

        if (disk->log && disk->n_flushing > 0 && !node->holds_flushes) {
                memory_disk_fail(disk->files, chance(world, 4 * disk->n_flushing));
                (void) carry_out(disk, disk->n_flushing);
        }
        while (disk->first)
                pop(disk);
        disk->n_flushing = 0;
        end_process(world, disk);
}

static int open_log(World *world, Node *node) {
        Disk *disk = &node->disk;
        EntryLogOptions options = {
                .new_id = disk->is_begun ? 0 : LOG_ID + node->id,
                .segment_size = disk->segment_size,
        };

        options.dir_fd = disk->fd = memory_disk_open(disk->files);
        return entry_log_open(&options, &disk->log);
}

/* Some starts do not get to their end. */
static void die_while_starting(World *world, Node *node) {
        memory_disk_fail(node->disk.files, chance(world, 20));
        (void) open_log(world, node);
        end_process(world, &node->disk);
}

/* What is in the log is read as a master would read it. */
static int fill_journal(Node *node, const ConsensusDisk *disk) {
        _cleanup_(buffer_done) Buffer scratch = {};

        journal_reset(&node->journal, disk->base_index, disk->base_term);
        for (size_t i = 0; i < disk->n; i++) {
                Entry entry;
                Blob *blob;
                int r;

                r = entry_log_read(node->disk.log, disk->base_index + 1 + i, &scratch, &entry);
                if (r < 0)
                        return r;
                blob = blob_new(entry.data, entry.size);
                journal_append(&node->journal, &(Item){ entry.term, entry.type, blob });
                blob_unref(blob);
        }
        return 0;
}

int disk_open(World *world, Node *node, ConsensusDisk *ret) {
        Disk *disk = &node->disk;
        int r;

        if (!disk->files) {
                disk->files = memory_disk_new();
                disk->segment_size = 300 + (uint32_t) chance(world, 4 * KIB);
        }
        if (!world->is_calm && !world->options.scene && happens(world, 100000))
                die_while_starting(world, node);
        r = open_log(world, node);
        if (r < 0) {
                world_say(world, "node %u: %s", node->id, disk_last_damage());
                return r;
        }
        disk->is_begun = true;
        r = entry_log_load(disk->log, ret);
        if (r < 0)
                return r;
        disk->term = ret->term;
        return fill_journal(node, ret);
}
