/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Entry log: what a member of a group keeps on its disk, in a directory of its own: the entries
 * that the core decides about (consensus/consensus.h), its term and its vote.
 *
 * The entries lie in segments (store/log/segment-log.h), whose room is allocated before. All writes
 * that wait are carried out by one write and one flush. A loss of power may tear what was not
 * flushed, from any record on. What was flushed is damage if it cannot be read, and never a torn
 * tail: later records tell of earlier ones, and the file "mark" of the last ones. Of those, the
 * system writes it when it gets round to it, so there is a moment, half a minute at most, in which
 * only a loss of power together with damage to the very last write would not be noticed.
 *
 * One thread opens, writes and compacts. Others may read meanwhile. */

#include "base/buffer.h"
#include "consensus/update.h"

typedef struct EntryLog EntryLog;

typedef struct EntryLogOptions {
        int dir_fd;            /* stays the caller's, and open */
        uint64_t new_id;       /* random; for a log that is made, or 0 if none may be */
        uint32_t segment_size; /* as of a segment log; a compaction gives back whole segments */
} EntryLogOptions;

/* Opens what is in the directory, or makes it. All that is found is on the disk then. Returns 0;
 * -ENOENT if there is nothing and NEW_ID is 0; -ENOMEDIUM if something is missing, which
 * members_missing() names; -EBADMSG for damage, and disk_last_damage() says where; -ENOSPC;
 * -EPROTONOSUPPORT for what a later release has written; or another negative errno. */
int entry_log_open(const EntryLogOptions *options, EntryLog **ret);
EntryLog *entry_log_free(EntryLog *log);
DEFINE_CLEANUP(EntryLog *, entry_log_free);

/* What consensus_new() wants to know, but for .applied, which is the caller's. Of the entries only
 * sets of members have data. It is good until the next write. Returns 0, -ENOMEM, -EBADMSG. */
int entry_log_load(EntryLog *log, ConsensusDisk *ret);

/* Replaces term and vote, durably: .vote_changed of an update. Returns 0, or -ENOSPC, -ENOMEM,
 * -EMFILE or -ENFILE, and then it may be repeated, and nothing may leave the machine before. */
int entry_log_vote(EntryLog *log, uint64_t term, uint64_t vote);

/* Carries out writes of updates, N of them in their order, durably and by one flush. Returns 0, or
 * -ENOSPC, -ENOMEM, -EFBIG for an entry beyond ENTRY_SIZE_MAX, -EINVAL for a term above that of
 * entry_log_vote(), or another negative errno, and then nothing has come of any of them, and they
 * may be repeated. Another error of the disk ends the process. */
int entry_log_write(EntryLog *log, const ConsensusWrite *writes, size_t n);

/* Makes room for writes of so many entries with so many bytes in them, so that they are not
 * refused. It holds until the next write. Returns 0, -ENOSPC, or another negative errno. */
int entry_log_reserve(EntryLog *log, size_t n_writes, size_t n_entries, size_t size);

/* Reads an entry into SCRATCH. Returns 0, -ENODATA if it is not there, -EBADMSG, and
 * disk_last_damage() says where, or why the disk does not give it out. */
int entry_log_read(EntryLog *log, uint64_t index, Buffer *scratch, Entry *ret);

/* The last entry, and the one before the first, with their terms. */
uint64_t entry_log_last(EntryLog *log, uint64_t *ret_term);
uint64_t entry_log_base(EntryLog *log, uint64_t *ret_term);

/* The entry before the last ones up to INDEX that take SIZE bytes, or a little less. */
uint64_t entry_log_before(EntryLog *log, uint64_t index, uint64_t size);

/* Removes segments of which nothing behind INDEX is needed; entries up to INDEX may be in what is
 * left. INDEX is at most what consensus_compact() has returned, and all writes that the core had
 * given out before that are carried out before this. */
void entry_log_compact(EntryLog *log, uint64_t index);
