/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Group: this master's part in a group of masters. One thread steps the core
 * (consensus/consensus.h); another one writes the log (master/group/log-writer.h), so that a disk
 * that is slow, or full, keeps neither messages nor reads waiting. What counts on a vote leaves
 * when that is on the disk. Messages go over channels (master/group/mail.h).
 *
 * All that is decided is told in order, once in each process, from the entry behind .applied on.
 * Reads are in probe.h, changes of members and of the lead in change.h, what is known of all this
 * in status.h. */

#include "consensus/consensus.h"
#include "master/group/mail.h"
#include "master/group/status.h"

/* The callbacks come on the group's thread, and must not wait for it, nor for a disk. */
typedef struct GroupOptions {
        uint64_t self; /* a member */
        uint8_t group[GROUP_ID_SIZE];
        uint8_t cluster[CLUSTER_ID_SIZE];
        uint64_t seed, run; /* random; not 0 */
        uint64_t election_usec, heartbeat_usec;
        bool lease;   /* group_has_lease() will be used */
        Peers *peers; /* not owned */

        int dir_fd;       /* of the log; stays the caller's, and open */
        uint64_t new_log; /* as .new_id of EntryLogOptions */
        uint32_t segment_size;
        uint64_t kept_size;       /* see group_compact() */
        ConsensusApplied applied; /* what the database has */

        /* An entry is decided. PROPOSAL is what group_propose() was given with it in this process,
         * or NULL. The entry is good during the call. Returns 0 if it is taken; -EAGAIN if it has
         * to come once more when group_ready() says so, -ENOMEM if it has to after a while: nothing
         * behind it is told before, and it takes no memory meanwhile. Any other error ends the
         * thread, as for on_broken(). */
        int (*on_decided)(uint64_t index, const Entry *entry, void *proposal, void *userdata);

        /* What becomes of a proposal will not be told. -EINPROGRESS: it may be decided or not,
         * since this master does not lead any more, or is stopped, or has got a database that is
         * ahead. All other errors: it is in no log. They are those of consensus_propose(). */
        void (*on_refused)(void *proposal, int error, void *userdata);

        /* Role, term, leader or start have changed. This does not wait for entries that were not
         * taken yet, but for that of the start. */
        void (*on_view)(const GroupView *view, void *userdata);

        /* A database that has the entry at INDEX, or a later one, is needed: see group_installed().
         * Once for each index, and once more if one was installed that is not enough. Meanwhile all
         * goes on, and it may turn out not to be needed. */
        void (*on_fetch)(uint64_t index, void *userdata);

        /* The thread has ended, and takes no more part: -EBADMSG for a damaged log, -EUCLEAN if
         * another member has lost what it had promised to keep, -ENOMEM, or what else the disk
         * says, such as -EIO; all but that it is full. */
        void (*on_broken)(int error, void *userdata);
        void *userdata;
} GroupOptions;

/* Opens the log and begins to take part. *RET is set before the first callback. Returns 0, what
 * entry_log_open() and consensus_new() say, or another negative errno. */
int group_new(const GroupOptions *options, Group **ret);

/* Ends the threads, and tells what is unknown. Thread: any but the group's, a loop's. Accepts NULL.
 */
void group_stop(Group *group);

/* Stops it, if it is not yet. The server, the peers and the loops were freed before. Accepts NULL.
 */
Group *group_free(Group *group);
DEFINE_CLEANUP(Group *, group_free);

/* Proposes an entry. DATA is taken over on success, and exactly one of on_decided() and
 * on_refused() comes with the PROPOSAL, which is not NULL. Returns 0, -EFBIG beyond ENTRY_SIZE_MAX,
 * -EAGAIN if too much waits for the thread, -ESHUTDOWN or -ENOMEM. Thread: any. */
int group_propose(Group *group, Buffer *data, void *proposal);

/* on_decided() has returned -EAGAIN, or is about to, and takes entries again. Thread: any. */
void group_ready(Group *group);

/* The entries up to INDEX are applied and on the disk in the database. They go from the log, but
 * for the last .kept_size bytes of them, and what lies in the same segment: a member that lags less
 * than that needs no database. Thread: any. */
void group_compact(Group *group, uint64_t index);

/* The database has been replaced by one of a member, which is on the disk. The consumer goes on
 * with what it was told behind that, and from then on ignores what is told once more or late: that
 * is, all up to APPLIED->index. It has not put a database in place that was behind its own. It
 * takes entries, as for group_ready(). Thread: any. */
void group_installed(Group *group, const ConsensusApplied *applied);

/* For the RPC service: whether this is the member that the OFFER is for, that the connection of
 * another one is open, a message of it, and that the connection has ended. Thread: any. */
int group_admit(const Group *group, const Handshake *offer, Handshake *answer);
void group_connected(Group *group, const Handshake *offer);
int group_receive(Group *group, RpcRequest *request);
void group_disconnected(Group *group, const Handshake *offer);
