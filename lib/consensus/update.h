/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Update: what the core has its caller do, and what it is told of the disk. The contract is in
 * consensus.h. */

#include "consensus/members.h"
#include "consensus/message.h"

/* What the database says of itself: the last entry that is in it, and the members as of then. */
typedef struct ConsensusApplied {
        uint64_t index, term;
        uint64_t members_index; /* the entry that they come from */
        Members members;        /* none in a machine that is about to join */
} ConsensusApplied;

/* What is on the disk at the start. */
typedef struct ConsensusDisk {
        uint64_t term, vote;
        uint64_t base_index, base_term; /* of the entry before the first one in the log */
        const Entry *entries;
        size_t n;
        const ConsensusApplied *applied;
} ConsensusDisk;

typedef enum ConsensusRole {
        CONSENSUS_FOLLOWER,
        CONSENSUS_CANDIDATE,
        CONSENSUS_LEADER
} ConsensusRole;

typedef struct ConsensusWrite {
        uint64_t number;      /* 0 for none; they count up */
        bool reset;           /* nothing of the log is of use any more: it begins at .first */
        uint64_t base_term;   /* if so: the term of the entry before */
        uint64_t first, last; /* may be none: .last is before .first then */
        const Entry *entries; /* of the call's arguments, or the core's own until the next call */
} ConsensusWrite;

typedef struct ConsensusUpdate {
        bool vote_changed;
        uint64_t term, vote;
        ConsensusWrite write;
        const Message *messages;
        size_t n_messages;
        uint64_t commit;
        ConsensusRole role;
        uint64_t leader;    /* of this term; 0 while none is known */
        uint64_t confirmed; /* all probes up to this one, of this term */
        uint64_t fetch;     /* a database with this entry, or a later one, is needed; 0 for none */
} ConsensusUpdate;
