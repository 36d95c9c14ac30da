/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the parts of a group share: group.c (the threads, the whole), update.c (what the core has it
 * do), order.c (what it is asked for). */

#include <stdatomic.h>

#include "base/clock.h"
#include "master/group/errands.h"
#include "master/group/group.h"
#include "master/group/inbox.h"
#include "master/group/log-writer.h"
#include "master/group/recent.h"
#include "master/group/status.h"

#define GROUP_BACKLOG_SIZE \
        (64 * MIB) /* of entries that are not decided, or not on the own disk \
                    */

/* A proposal of this process that is not decided yet. */
typedef struct Waiting {
        uint64_t index, term;
        void *proposal;
} Waiting;

/* A message that counts on a vote which is not on the disk yet. */
typedef struct HeldMessage {
        uint64_t vote; /* its number, of those that the writer was given */
        uint64_t to;
        Buffer bytes; /* owned */
} HeldMessage;

#define HELD_MAX ((size_t) 256) /* more get lost */

struct Group {
        GroupOptions options;
        Inbox inbox;
        Errands errands;
        Mail *mail; /* owned */
        pthread_t thread;
        bool has_thread;

        /* As of the last update: the term, and until when nobody else can lead. */
        _Atomic(uint64_t) lease_term, lease_end;

        pthread_mutex_t status_lock;
        GroupStatus status; /* with the lock */

        /* of the thread */
        Consensus *core;              /* owned */
        ConsensusUpdate first;        /* with which it begins */
        EntryLog *log;                /* owned */
        LogWriter *writer;            /* owned */
        uint64_t votes, votes_stored; /* that the writer was given, and that are on the disk */
        uint64_t written; /* the number of the last write that the core knows to be written */
        Recent recent;
        GroupView view;
        uint64_t commit;
        uint64_t told;      /* the last entry that on_decided() has taken */
        uint64_t tell_usec; /* when to offer the next one; 0 for at once, UINT64_MAX for when it is
                               ready */
        uint64_t fetch; /* the last index that on_fetch() had; 0 if that is not needed any more */
        int broken;

        HeldMessage held[HELD_MAX]; /* in the order in which they are sent, from FIRST_HELD on */
        size_t first_held, n_held;

        Waiting *waiting; /* owned; in the order of the entries, from FIRST_WAITING on */
        size_t first_waiting, n_waiting, waiting_allocated;

        GroupProbe *probes;  /* that wait for what a majority says */
        uint64_t confirmed;  /* of those of this term, all up to this one are answered */
        GroupChange *change; /* the one under way */
        GroupTransfer *transfer;
        Buffer scratch;
};

static inline uint64_t group_now(void) {
        return clock_usec(CLOCK_BOOTTIME);
}

void group_note_broken(Group *group, int error);

/* update.c: after each call of the core, with what that has returned; and once in each turn. */
void group_carry_out(Group *group, int r, const ConsensusUpdate *update);
void group_tell_rest(Group *group);
void group_take_progress(Group *group);
void group_publish_status(Group *group);
int group_find_entry(Group *group, uint64_t index, Entry *ret); /* good until the next one */

/* order.c */
const Letter *group_take_proposals(Group *group, const Letter *first); /* returns the last one */
void *group_find_proposal(const Group *group, uint64_t index, uint64_t term); /* that is decided */
void group_take_errands(Group *group);
void group_on_told(Group *group, uint64_t index, uint64_t term); /* on_decided() has taken it */
void group_on_confirmed(Group *group, uint64_t number);          /* all probes up to this one */
void group_settle_transfer(Group *group);
void group_lose_lead(Group *group); /* gives up what waits for it */
void group_end_orders(Group *group);
