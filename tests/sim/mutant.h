/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Mutants: rules that are left out on purpose, one at a time, to see that the judge notices. The
 * core and the log are compiled for the simulator with these; see base/mutant.h. */

#include "base/macro.h"

typedef enum Mutant {
        MUTANT_NONE,
        /* in the core */
        MUTANT_SHORT_LOG,    /* who lacks entries gets votes, too */
        MUTANT_TWO_VOTES,    /* more than one vote in a term */
        MUTANT_NO_CUT,       /* entries that the leader does not have stay */
        MUTANT_EARLY_ANSWER, /* a follower acknowledges before the flush */
        MUTANT_FIGURE_8,     /* entries of older terms are decided by counting disks */
        MUTANT_EARLY_CHANGE, /* members change before the leader's term has decided anything */
        MUTANT_TWO_CHANGES,  /* members change while another change is under way */
        /* in the log */
        MUTANT_FORGOTTEN_VOTE,    /* over a start */
        MUTANT_UNFLUSHED_APPEND,  /* what was written counts as flushed */
        MUTANT_UNSETTLED_START,   /* and so does what a process that died has left in memory */
        MUTANT_TORN_TAIL,         /* the checksum of what is in an entry is not looked at */
        MUTANT_GREEDY_COMPACTION, /* entries go that are not in the database yet */
        MUTANT_LOST_RESET,        /* it is not begun again behind a database that was fetched */
        /* in the master around both */
        MUTANT_UNFLUSHED_VOTE,  /* messages do not wait for the vote to be on the disk */
        MUTANT_UNFLUSHED_WRITE, /* the leader takes its entries for written at once */
        MUTANT_NO_PROBE,        /* reads are answered without one */
        MUTANT_LOSSY_SNAPSHOT,  /* a database that was fetched lacks its last entry */
        MUTANT_ENDLESS_LEASE,   /* nobody looks at the clock before a read is answered by it */
        /* in the core, and too rare for chance: each has a scene, see scene.h */
        MUTANT_STALE_WRITTEN, /* a late notice of a write that was cut off counts */
        MUTANT_LEASE_OF_TWO,  /* the lease goes on while the lead is handed over */
        _MUTANT_MAX,
} Mutant;

extern Mutant mutant;

#define MUTANT(name) (mutant == MUTANT_##name)

const char *mutant_name(Mutant which);
Mutant mutant_from_name(const char *name); /* _MUTANT_MAX if there is none */
