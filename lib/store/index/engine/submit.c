/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "base/clock.h"
#include "store/index/apply/apply.h"
#include "store/index/engine/submit.h"

static_assert(sizeof(Operation) <= sizeof(((IndexRequest *) 0)->carrier));

static Operation *carrier_of(IndexRequest *request) {
        return (Operation *) (void *) &request->carrier;
}

static IndexRequest *request_of(Operation *operation) {
        return CONTAINER_OF((void *) operation, IndexRequest, carrier);
}

static int apply(Operation *operation, Transaction *transaction) {
        return apply_request(request_of(operation), transaction);
}

IndexResult index_result(int error) {
        if (error >= 0)
                return (IndexResult){ INDEX_DONE, 0 };
        if (error == INDEX_ERROR_UNKNOWN)
                return (IndexResult){ INDEX_UNKNOWN, error };
        if (error == -EOWNERDEAD)
                return (IndexResult){ INDEX_NOT_LEADER, error };
        return (IndexResult){ INDEX_REFUSED, error };
}

static void on_done(Operation *operation, int result) {
        IndexRequest *request = request_of(operation);

        request->done(request, index_result(result));
}

/* What there is in the place of a request that is not to reach the tables; see submit_intercept().
 */
static int apply_nothing(Operation *operation, Transaction *transaction) {
        return 0;
}

static void on_unknown(Operation *operation, int result) {
        on_done(operation, INDEX_ERROR_UNKNOWN);
}

static void on_refused(Operation *operation, int result) {
        on_done(operation, -ENOSPC);
}

static void on_not_leader(Operation *operation, int result) {
        on_done(operation, -EOWNERDEAD);
}

static Operation choose_way(Submitter *submitter, IndexRequest *request) {
        Interception way = submitter->intercept ? submitter->intercept(request, submitter->userdata)
                                                : INTERCEPT_NOT;

        switch (way) {
        case INTERCEPT_REFUSE:
                return (Operation){ .apply = apply_nothing, .done = on_refused };
        case INTERCEPT_NOT_LEADER:
                return (Operation){ .apply = apply_nothing, .done = on_not_leader };
        case INTERCEPT_LOSE:
                return (Operation){ .apply = apply_nothing, .done = on_unknown };
        case INTERCEPT_LOSE_ANSWER:
                return (Operation){ .apply = apply, .done = on_unknown };
        default:
                return (Operation){ .apply = apply, .done = on_done };
        }
}

int submit_apply_answer(Operation *operation, Transaction *transaction) {
        return operation->result;
}

void submit_answer(Submitter *submitter, IndexRequest *request, int error) {
        *carrier_of(request) = (Operation){
                .apply = submit_apply_answer,
                .done = on_done,
                .result = error,
        };
        environment_submit(submitter->environment, carrier_of(request));
}

static void propose(Submitter *submitter, IndexRequest *request) {
        int r;

        r = proposals_add(submitter->proposals, request);
        if (r < 0)
                submit_answer(submitter, request, r);
}

void submit_request(Submitter *submitter, RequestType type, IndexRequest *request) {
        request->type = type;
        if (submitter->proposals) {
                propose(submitter, request);
                return;
        }
        *carrier_of(request) = choose_way(submitter, request);
        environment_submit(submitter->environment, carrier_of(request));
}

void submit_on_prepare(Batch *batch, void *userdata) {
        uint64_t now_usec = clock_realtime();
        Operation *operation = batch->first;

        for (size_t n = 0; operation && n < batch->max; n++, operation = operation->next) {
                if (operation->apply != apply)
                        continue;
                request_of(operation)->now_usec = now_usec;
                request_of(operation)->has_room = batch->has_room;
        }
}

/* A request that was decoded says itself what it was stamped with. */
static int apply_again(Operation *operation, Transaction *transaction) {
        return apply(operation, transaction);
}

void submit_again(Submitter *submitter, IndexRequest *request) {
        *carrier_of(request) = (Operation){ .apply = apply_again, .done = on_done };
        environment_submit(submitter->environment, carrier_of(request));
}

int submit_and_wait(Submitter *submitter, RequestType type, IndexRequest *request) {
        Operation *operation = carrier_of(request);
        int r;

        request->type = type;
        if (submitter->proposals)
                return proposals_run(submitter->proposals, request);
        request->now_usec = clock_realtime();
        request->has_room = true; /* nobody waits for a request that needs it */

        *operation = choose_way(submitter, request);
        r = environment_run(submitter->environment, operation);
        if (operation->done == on_refused)
                return -ENOSPC;
        if (operation->done == on_not_leader)
                return -EOWNERDEAD;
        return operation->done == on_unknown ? INDEX_ERROR_UNKNOWN : MIN(r, 0);
}

void submit_intercept(
                Submitter *submitter,
                Interception (*intercept)(const IndexRequest *request, void *userdata),
                void *userdata) {
        submitter->userdata = userdata;
        submitter->intercept = intercept;
}
