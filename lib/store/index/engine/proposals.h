/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Proposals: how the requests of who leads a group get into its log, and their answers back.
 *
 * What is submitted while entries are under way gathers, and is the next entry. An entry is under
 * way until its requests are answered. So while one is flushed and sent to the others, and the one
 * before is applied, a third can wait at the group's thread for the next flush: three. More would
 * only be smaller, and with fewer one of the three would have nothing to do.
 *
 * Any thread may submit; answers are given on the committer's. */

#include <pthread.h>

#include "store/environment/database.h"
#include "store/index/group.h"
#include "store/index/request.h"

#define PROPOSALS_MAX 3U

/* What is in an entry, unless it is one request alone: as much as a master alone would put into a
 * transaction, which readers wait for. */
#define PROPOSAL_REQUESTS 256U
#define PROPOSAL_SIZE     (1 * MIB)

typedef enum LeadPhase {
        PHASE_NONE,      /* and may begin */
        PHASE_BEGINNING, /* proposes nothing but its first entry */
        PHASE_GIVEN_UP,  /* likewise, and whatever comes of it, it does not lead */
        PHASE_IN_FORCE,
        PHASE_LOST,
} LeadPhase;

typedef struct Proposals Proposals;

/* Requests that are answered together: in one entry, or refused. */
typedef struct Proposal {
        Proposals *proposals;       /* not owned */
        Buffer entry;               /* until the group has taken it over */
        IndexRequest *first, *last; /* not owned */
        unsigned n_requests;
        uint64_t now_usec; /* with which they are stamped */
        bool has_room;
        Operation refusal;
        struct Proposal *next;
} Proposal;

struct Proposals {
        IndexGroup group;
        Environment *environment; /* not owned */

        pthread_mutex_t lock; /* for the rest; taken before that of the group */
        LeadPhase phase;
        uint64_t term;
        Proposal *first, *last; /* gathered, oldest first */
        unsigned n_under_way;
        Room room;
};

void proposals_init(Proposals *proposals, const IndexGroup *group);
void proposals_done(Proposals *proposals);

/* Takes a request whose type is set. Returns 0, or what it has to be answered with: -EOWNERDEAD if
 * this member does not lead, -EFBIG, -EINVAL, -ENOMEM. */
int proposals_add(Proposals *proposals, IndexRequest *request);

/* Likewise, and waits for its answer; done() is not called. Returns 0 or a negative errno. */
int proposals_run(Proposals *proposals, IndexRequest *request);

/* This member begins to lead. Returns 0, or -EALREADY. */
int proposals_claim(Proposals *proposals, uint64_t term);

/* Then: proposes the two requests as the first entry. Returns 0, or -ENOMEM: then it does not. */
int proposals_begin(Proposals *proposals, IndexRequest *one, IndexRequest *other);

/* That entry is applied: returns whether this member leads now, or is not to any more. Or nothing
 * has come of it. */
bool proposals_lead(Proposals *proposals);
void proposals_lead_not(Proposals *proposals);

void proposals_end_lead(Proposals *proposals);

/* Whether none is left. */
bool proposals_are_answered(Proposals *proposals);

/* For who applies an entry that was proposed: the request behind this one, and what it comes to. */
IndexRequest *proposal_next(const IndexRequest *request);
void proposal_note_result(IndexRequest *request, int result);

/* On the committer's thread: answers all requests, with ERROR or if that is 0 with their results.
 * Frees the proposal. */
void proposal_answer(Proposal *proposal, int error);

/* As index_refused() says. */
void proposal_refuse(Proposal *proposal, int error);
