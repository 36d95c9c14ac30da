/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <semaphore.h>

#include "base/clock.h"
#include "store/index/engine/proposals.h"
#include "store/index/engine/submit.h"
#include "store/index/request-batch.h"

typedef struct Waiter {
        sem_t done;
        int result;
} Waiter;

/* What the carrier of a request is for, from when it is taken until it is answered. */
typedef struct Gathered {
        IndexRequest *next;
        Waiter *waiter; /* not owned; NULL if done() is to be called */
        int result;
} Gathered;

static_assert(sizeof(Gathered) <= sizeof(((IndexRequest *) 0)->carrier));

static Gathered *gathered(const IndexRequest *request) {
        return (Gathered *) (void *) &request->carrier;
}

IndexRequest *proposal_next(const IndexRequest *request) {
        return gathered(request)->next;
}

void proposal_note_result(IndexRequest *request, int result) {
        gathered(request)->result = result;
}

void proposals_init(Proposals *proposals, const IndexGroup *group) {
        proposals->group = *group;
        (void) pthread_mutex_init(&proposals->lock, NULL);
}

void proposals_done(Proposals *proposals) {
        assert(!proposals->first);

        (void) pthread_mutex_destroy(&proposals->lock);
}

/* -- Gathering, under the lock -- */

static bool has_room(Proposals *proposals) {
        Environment *environment = proposals->environment;
        uint64_t now_usec = clock_monotonic();

        if (!room_is_certain(&proposals->room, now_usec))
                room_note(&proposals->room, databases_room(environment, environment->growing),
                          now_usec);
        return proposals->room.size > 0;
}

static Proposal *proposal_new(Proposals *proposals) {
        Proposal *proposal = calloc(1, sizeof(*proposal));

        if (!proposal)
                return NULL;

        proposal->proposals = proposals;
        proposal->now_usec = clock_realtime();
        proposal->has_room = has_room(proposals);
        request_batch_begin(proposals->term, &proposal->entry);
        return proposal;
}

static void proposal_free(Proposal *proposal) {
        buffer_done(&proposal->entry);
        free(proposal);
}

/* What cannot be read would break all members, at the same entry. Returns 0, -EINVAL or -ENOMEM. */
static int check(const Buffer *entry, size_t start) {
        RequestBatch batch = { .reader = READER(entry->data + start, entry->size - start) };
        DecodedRequest request;
        int r;

        r = request_batch_next(&batch, &request);
        request_done(&request);
        return r == -EBADMSG ? -EINVAL : MIN(r, 0);
}

/* Returns 0, -ENOSPC if it has no place behind the others, -EFBIG, -EINVAL, or -ENOMEM. */
static int add(Proposal *proposal, IndexRequest *request, Waiter *waiter) {
        Buffer *entry = &proposal->entry;
        size_t size = entry->size;
        bool is_alone = proposal->n_requests == 0;
        int r;

        if (proposal->n_requests == PROPOSAL_REQUESTS)
                return -ENOSPC;

        request->now_usec = proposal->now_usec;
        request->has_room = proposal->has_room;
        request_batch_add(request, entry);
        r = buffer_error(entry);
        if (r >= 0 && entry->size > (is_alone ? ENTRY_SIZE_MAX : PROPOSAL_SIZE))
                r = is_alone ? -EFBIG : -ENOSPC;
        if (r >= 0)
                r = check(entry, size);
        if (r < 0) {
                entry->size = size;
                entry->error = 0;
                return r;
        }

        *gathered(request) = (Gathered){ .waiter = waiter };
        if (is_alone)
                proposal->first = request;
        else
                gathered(proposal->last)->next = request;
        proposal->last = request;
        proposal->n_requests++;
        return 0;
}

static void append(Proposals *proposals, Proposal *proposal) {
        if (proposals->first)
                proposals->last->next = proposal;
        else
                proposals->first = proposal;
        proposals->last = proposal;
}

static int gather(Proposals *proposals, IndexRequest *request, Waiter *waiter) {
        Proposal *proposal;
        int r;

        if (proposals->phase != PHASE_IN_FORCE)
                return -EOWNERDEAD;

        r = proposals->first ? add(proposals->last, request, waiter) : -ENOSPC;
        if (r != -ENOSPC)
                return r;

        proposal = proposal_new(proposals);
        if (!proposal)
                return -ENOMEM;
        r = add(proposal, request, waiter);
        if (r < 0)
                proposal_free(proposal);
        else
                append(proposals, proposal);
        return r;
}

/* Gives to the group what has gathered, as far as it may be under way. */
static void propose(Proposals *proposals) {
        const IndexGroup *group = &proposals->group;

        while (proposals->first && proposals->n_under_way < PROPOSALS_MAX) {
                Proposal *proposal = proposals->first;
                int r = -EOWNERDEAD;

                proposals->first = proposal->next;
                proposals->n_under_way++;
                room_use(&proposals->room, proposal->entry.size);

                /* On success it may be answered and freed by now. */
                if (proposals->phase == PHASE_BEGINNING || proposals->phase == PHASE_IN_FORCE)
                        r = group->propose(&proposal->entry, proposal, group->userdata);
                if (r < 0)
                        proposal_refuse(proposal, r);
        }
}

static int submit(Proposals *proposals, IndexRequest *request, Waiter *waiter) {
        int r;

        (void) pthread_mutex_lock(&proposals->lock);
        r = gather(proposals, request, waiter);
        propose(proposals);
        (void) pthread_mutex_unlock(&proposals->lock);
        return r;
}

int proposals_add(Proposals *proposals, IndexRequest *request) {
        return submit(proposals, request, NULL);
}

int proposals_run(Proposals *proposals, IndexRequest *request) {
        Waiter waiter = {};
        int r;

        (void) sem_init(&waiter.done, 0, 0);
        r = submit(proposals, request, &waiter);
        if (r >= 0) {
                while (sem_wait(&waiter.done) < 0)
                        ; /* interrupted by a signal */
                r = MIN(waiter.result, 0);
        }
        (void) sem_destroy(&waiter.done);
        return r;
}

/* -- The lead -- */

static int gather_first(Proposals *proposals, IndexRequest *one, IndexRequest *other) {
        Proposal *proposal;
        int r;

        proposal = proposal_new(proposals);
        if (!proposal)
                return -ENOMEM;

        r = add(proposal, one, NULL);
        if (r >= 0)
                r = add(proposal, other, NULL);
        if (r < 0)
                proposal_free(proposal);
        else
                append(proposals, proposal);
        return r;
}

int proposals_claim(Proposals *proposals, uint64_t term) {
        int r = -EALREADY;

        (void) pthread_mutex_lock(&proposals->lock);
        if (proposals->phase == PHASE_NONE) {
                proposals->phase = PHASE_BEGINNING;
                proposals->term = term;
                r = 0;
        }
        (void) pthread_mutex_unlock(&proposals->lock);
        return r;
}

int proposals_begin(Proposals *proposals, IndexRequest *one, IndexRequest *other) {
        int r;

        (void) pthread_mutex_lock(&proposals->lock);
        r = gather_first(proposals, one, other);
        if (r < 0)
                proposals->phase = PHASE_NONE;
        propose(proposals);
        (void) pthread_mutex_unlock(&proposals->lock);
        return r;
}

bool proposals_lead(Proposals *proposals) {
        bool leads;

        (void) pthread_mutex_lock(&proposals->lock);
        leads = proposals->phase == PHASE_BEGINNING;
        proposals->phase = leads ? PHASE_IN_FORCE : PHASE_NONE;
        (void) pthread_mutex_unlock(&proposals->lock);
        return leads;
}

void proposals_lead_not(Proposals *proposals) {
        (void) pthread_mutex_lock(&proposals->lock);
        proposals->phase = PHASE_NONE;
        (void) pthread_mutex_unlock(&proposals->lock);
}

void proposals_end_lead(Proposals *proposals) {
        (void) pthread_mutex_lock(&proposals->lock);
        if (proposals->phase == PHASE_BEGINNING)
                proposals->phase = PHASE_GIVEN_UP;
        else if (proposals->phase == PHASE_IN_FORCE)
                proposals->phase = PHASE_LOST;
        (void) pthread_mutex_unlock(&proposals->lock);
}

bool proposals_are_answered(Proposals *proposals) {
        bool are_answered;

        (void) pthread_mutex_lock(&proposals->lock);
        are_answered = !proposals->first && proposals->n_under_way == 0;
        (void) pthread_mutex_unlock(&proposals->lock);
        return are_answered;
}

/* -- Answers -- */

static void answer(IndexRequest *request, int result) {
        Waiter *waiter = gathered(request)->waiter;

        if (!waiter) {
                request->done(request, index_result(result));
                return;
        }
        waiter->result = result;
        (void) sem_post(&waiter->done);
}

void proposal_answer(Proposal *proposal, int error) {
        Proposals *proposals = proposal->proposals;
        IndexRequest *request = proposal->first;

        while (request) {
                IndexRequest *next = proposal_next(request); /* it is given away */

                answer(request, error < 0 ? error : gathered(request)->result);
                request = next;
        }
        proposal_free(proposal);

        (void) pthread_mutex_lock(&proposals->lock);
        proposals->n_under_way--;
        propose(proposals);
        (void) pthread_mutex_unlock(&proposals->lock);
}

static void on_refused(Operation *operation, int result) {
        Proposal *proposal = CONTAINER_OF(operation, Proposal, refusal);

        if (result == -EOWNERDEAD)
                proposals_end_lead(proposal->proposals);
        proposal_answer(proposal, result);
}

static int answer_of(int error) {
        switch (error) {
        case -EINPROGRESS:
                return INDEX_ERROR_UNKNOWN;
        case -EAGAIN:
        case -EBUSY:
                return -EAGAIN;
        case -EFBIG:
        case -ENOMEM:
                return error;
        default:
                return -EOWNERDEAD;
        }
}

void proposal_refuse(Proposal *proposal, int error) {
        proposal->refusal = (Operation){
                .apply = submit_apply_answer,
                .done = on_refused,
                .result = answer_of(error),
        };
        environment_submit(proposal->proposals->environment, &proposal->refusal);
}
