/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Group: this master's part in a group of masters. It has one thread, in which the core
 * (consensus/consensus.h) decides and its log (store/entries/entry-log.h) is written. In a turn the
 * thread takes all that has come meanwhile: messages of the others, proposals, the time. What is to
 * be on the disk after that gets there by one write and one flush; a vote, before anything leaves
 * that counts on it. Messages go over channels (master/group/mail.h).
 *
 * All that is decided is told in order, once in each process, from the entry behind .applied on.
 * While the disk is full the thread waits.
 *
 * No daemon uses it yet. What is to come here: reads by probes, changes of members, hand-over,
 * giving back what the log does not need any more, and databases that are fetched. */

#include "consensus/consensus.h"
#include "master/group/mail.h"

typedef struct Group Group;

typedef struct GroupView {
        ConsensusRole role;
        uint64_t term, leader; /* 0 while none is known */
} GroupView;

/* The callbacks come on the group's thread, and must not wait for it. */
typedef struct GroupOptions {
        uint64_t self; /* a member */
        uint8_t group[GROUP_ID_SIZE];
        uint8_t cluster[CLUSTER_ID_SIZE];
        uint64_t seed, run; /* random; not 0 */
        uint64_t election_usec, heartbeat_usec;
        Peers *peers; /* not owned */

        int dir_fd;       /* of the log; stays the caller's, and open */
        uint64_t new_log; /* as .new_id of EntryLogOptions */
        uint32_t segment_size;
        ConsensusApplied applied; /* what the database has */

        /* An entry is decided. PROPOSAL is what group_propose() was given with it in this process,
         * or NULL. The entry is good during the call. */
        void (*on_decided)(uint64_t index, const Entry *entry, void *proposal, void *userdata);

        /* What becomes of a proposal will not be told. -EINPROGRESS: it may be decided or not,
         * since this master does not lead any more, or is stopped. All other errors: it is in no
         * log. They are those of consensus_propose(). */
        void (*on_refused)(void *proposal, int error, void *userdata);

        /* Role, term or leader have changed. */
        void (*on_view)(const GroupView *view, void *userdata);

        /* The thread has ended, and takes no more part: -EBADMSG for a damaged log, -EUCLEAN if
         * another member has lost what it had promised to keep, -ENOMEM, or what else the disk
         * says, such as -EIO; all but that it is full. */
        void (*on_broken)(int error, void *userdata);
        void *userdata;
} GroupOptions;

/* Opens the log and begins to take part. *RET is set before the first callback. Returns 0, what
 * entry_log_open() and consensus_new() say, or another negative errno. */
int group_new(const GroupOptions *options, Group **ret);

/* Ends the thread, and tells what is unknown of proposals. Thread: any but the group's, a loop's.
 * Accepts NULL. */
void group_stop(Group *group);

/* Stops it, if it is not yet. The server, the peers and the loops were freed before. Accepts NULL.
 */
Group *group_free(Group *group);
DEFINE_CLEANUP(Group *, group_free);

/* Proposes an entry. DATA is taken over on success, and exactly one of on_decided() and
 * on_refused() comes with the PROPOSAL, which is not NULL. Returns 0, -EFBIG beyond ENTRY_SIZE_MAX,
 * -EAGAIN if too much waits for the thread, as while the disk is full, -ESHUTDOWN or -ENOMEM.
 * Thread: any. */
int group_propose(Group *group, Buffer *data, void *proposal);

/* For the RPC service: whether this is the member that the OFFER is for, that the connection of
 * another one is open, a message of it, and that the connection has ended. Thread: any. */
int group_admit(const Group *group, const Handshake *offer, Handshake *answer);
void group_connected(Group *group, const Handshake *offer);
int group_receive(Group *group, RpcRequest *request);
void group_disconnected(Group *group, const Handshake *offer);
