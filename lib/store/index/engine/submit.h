/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Submit: how a request gets to the tables, and its answer back. It is submitted, collected into
 * a batch, applied, answered. */

#include "store/environment/database.h"
#include "store/index/engine/proposals.h"
#include "store/index/request.h"

/* For tests: what becomes of a request in the place of being carried out. */
typedef enum Interception {
        INTERCEPT_NOT,
        INTERCEPT_REFUSE, /* with -ENOSPC */
        INTERCEPT_NOT_LEADER,
        INTERCEPT_LOSE,        /* the request; the answer is "unknown" */
        INTERCEPT_LOSE_ANSWER, /* likewise, but it is carried out */
} Interception;

typedef struct Submitter {
        Environment *environment; /* not owned */
        Proposals *proposals;     /* not owned; NULL for a master alone */
        Interception (*intercept)(const IndexRequest *request, void *userdata);
        void *userdata;
} Submitter;

/* The request is carried out with the next batch, and told. */
void submit_request(Submitter *submitter, RequestType type, IndexRequest *request);

/* Likewise, for one that was decoded, and is applied as it was when it was encoded. */
void submit_again(Submitter *submitter, IndexRequest *request);

/* Submits and waits; done() is not called. Never on a server thread, nor for what needs room.
 * Returns 0 or a negative errno, INDEX_ERROR_UNKNOWN among them. */
int submit_and_wait(Submitter *submitter, RequestType type, IndexRequest *request);

/* Answers a request that is not carried out, on the committer's thread. */
void submit_answer(Submitter *submitter, IndexRequest *request, int error);

/* The apply() of an operation that does nothing but have its result told. */
int submit_apply_answer(Operation *operation, Transaction *transaction);

/* What a negative errno, or 0, means as an answer. */
IndexResult index_result(int error);

/* The environment's hook: what applying may depend on besides the tables is asked here, once for a
 * batch, and noted in its requests. */
void submit_on_prepare(Batch *batch, void *userdata);

/* Asks for each request that is submitted from now on, on the thread that does. NULL ends it. */
void submit_intercept(
                Submitter *submitter,
                Interception (*intercept)(const IndexRequest *request, void *userdata),
                void *userdata);
