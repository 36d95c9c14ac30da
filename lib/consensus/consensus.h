/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Consensus: a group of masters decides which entries there are, and in which order. It is Raft,
 * with pre-votes, check of quorum, probes for reads, hand-over of the lead, and changes of one
 * member at a time.
 *
 * It is a function: events in, an update out. No I/O, no clock, no threads, and its random numbers
 * come from a seed. Each call takes the time, microseconds of a clock that goes on while the
 * machine sleeps, and fills the update, which is the caller's until the next call. The caller owes
 * it this, in the order of the updates:
 *
 *   1. If .vote_changed: term and vote are on the disk before anything of this update or of a later
 *      one leaves this machine, or is on the disk.
 *   2. If .write.number: the log ends before .write.first, then the entries are appended. The
 *      messages need not wait for that. When it is on the disk, with all writes before,
 *      consensus_written() says so.
 *   3. The messages are sent. Those that are lost are missed by nobody.
 *   4. Entries up to .commit are applied, in order, and compared with nothing: they are decided.
 *
 * A leader may answer a write when its entry is applied here; and a read that was looked up here
 * when a probe that began after the look-up is confirmed.
 *
 * Of the log the core keeps 24 bytes an entry. What lies before an index is cut off by
 * consensus_compact(); who still needs it has to fetch a database and says so with
 * consensus_installed(). That may be from any member and of any index, may take any time, and may
 * fail. */

#include "consensus/update.h"

typedef struct Consensus Consensus;

typedef struct ConsensusOptions {
        uint64_t self;
        uint8_t group[GROUP_ID_SIZE];
        uint64_t seed;
        uint64_t election_usec;  /* without a leader for once to twice this long, there is an
                                    election */
        uint64_t heartbeat_usec; /* at most a third of that */
        uint64_t batch_size;     /* bytes in a message; one entry may be larger */
        uint64_t window_size;    /* bytes under way to a member */
        uint64_t backlog_size;   /* bytes of entries that are not decided yet */
        bool lease;              /* consensus_lease_end() will be used while this one leads */
} ConsensusOptions;

/* Takes over what is on the disk. The first update may ask for a write. Returns 0, -ENOMEM,
 * -EBADMSG if entries are missing between the database and the log or are not what they can be. */
int consensus_new(
                const ConsensusOptions *options,
                uint64_t now,
                const ConsensusDisk *disk,
                Consensus **ret,
                ConsensusUpdate *ret_update);
Consensus *consensus_free(Consensus *c);
DEFINE_CLEANUP(Consensus *, consensus_free);

/* When consensus_tick() has something to do at the latest. */
uint64_t consensus_deadline(const Consensus *c) _pure_;
int consensus_tick(Consensus *c, uint64_t now, ConsensusUpdate *ret);

/* Returns 0, -EXDEV for a message of another group or to somebody else, -ENOMEM, both without
 * effect, or -EBADMSG for what no member says. -EUCLEAN means that what is decided here is not what
 * is decided there: a machine has lost what it had promised to keep, and this one must stop. */
int consensus_receive(Consensus *c, uint64_t now, const Message *message, ConsensusUpdate *ret);

/* The connection to a member has ended. */
int consensus_disconnected(Consensus *c, uint64_t now, uint64_t member, ConsensusUpdate *ret);

/* A write is on the disk. Late notices, of entries that have been cut off since, do no harm. */
int consensus_written(
                Consensus *c, uint64_t now, const ConsensusWrite *write, ConsensusUpdate *ret);

/* Appends batches of requests; terms are filled in. Returns 0, -EOWNERDEAD if it does not lead,
 * -EBUSY while it hands the lead over, -EFBIG beyond ENTRY_SIZE_MAX, -EAGAIN if too much is
 * undecided yet, -ENOMEM. What becomes of an entry is known when another one has been decided at
 * its index, or itself. */
int consensus_propose(Consensus *c, uint64_t now, Entry *entries, size_t n, ConsensusUpdate *ret);

/* Begins a probe, or joins the one that is to follow the one under way: is this term still ours?
 * The answer is .confirmed. Returns 0, -EOWNERDEAD, or -EAGAIN while nothing of this term is
 * decided. */
int consensus_probe(Consensus *c, uint64_t now, uint64_t *ret_number, ConsensusUpdate *ret);

/* Until when no other member can lead, as far as clocks run alike; 0 if nothing is known. To be
 * compared with the clock after the look-up, in the same term. */
uint64_t consensus_lease_end(const Consensus *c) _pure_;

/* One change at a time. Returns 0, -EOWNERDEAD, -EBUSY (another change is under way, or nothing of
 * this term is decided yet), -EAGAIN if who is to be promoted has not caught up, or what
 * members_change() says. It is done when the entry at *RET_INDEX is decided. */
int consensus_change(
                Consensus *c,
                uint64_t now,
                const MemberChange *change,
                uint64_t *ret_index,
                ConsensusUpdate *ret);

/* Hands the lead to a voter: nothing new is taken, it gets what it lacks, then it is told. If
 * nothing comes of it, it ends after an election time. Returns 0, -EOWNERDEAD, -EBUSY, -EINVAL. */
int consensus_transfer(Consensus *c, uint64_t now, uint64_t member, ConsensusUpdate *ret);

/* Entries up to INDEX, which are applied and on the disk in the database, are not needed any more.
 * Returns the new base, which is INDEX or less. */
uint64_t consensus_compact(Consensus *c, uint64_t index);

/* The database has been replaced by one of a member. Returns 0, -EALREADY if it is not ahead of
 * what is decided here, -ENOMEM. */
int consensus_installed(
                Consensus *c, uint64_t now, const ConsensusApplied *applied, ConsensusUpdate *ret);

/* The set of members in force, and whether the entry that it comes from is decided. */
const Members *consensus_members(const Consensus *c, bool *ret_decided);

/* How far a member has come: the last entry that it has on the disk, as far as this leader knows.
 */
uint64_t consensus_match(const Consensus *c, uint64_t member) _pure_;
