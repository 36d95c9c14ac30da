/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "store/index/engine/beginning.h"

static void on_begun(IndexRequest *request, IndexResult result) {
        Beginning *beginning = CONTAINER_OF(request, Beginning, begin.request);

        beginning->began = result;
}

/* Who has been given up meanwhile shows nothing of it. Who gets a version knows the term. */
static IndexResult begin(Beginning *beginning) {
        uint64_t count = beginning->reserve.count;

        if (!proposals_lead(beginning->proposals))
                return index_result(-EOWNERDEAD);
        identity_lead(beginning->identity, beginning->begin.term, beginning->leader);
        versions_begin(beginning->versions, beginning->reserve.new_end - count, count);
        return index_result(0);
}

/* The second of the two, and the last. If nothing has come of it, the next one may begin before
 * this one is told. */
static void on_reserved(IndexRequest *request, IndexResult result) {
        Beginning *beginning = CONTAINER_OF(request, Beginning, reserve.request);
        void (*done)(IndexResult result, void *userdata) = beginning->done;
        void *userdata = beginning->userdata;

        if (beginning->began.outcome != INDEX_DONE)
                result = beginning->began;
        if (result.outcome == INDEX_DONE)
                result = begin(beginning);
        else
                proposals_lead_not(beginning->proposals);
        done(result, userdata);
}

int beginning_start(
                Beginning *beginning,
                uint64_t term,
                void (*done)(IndexResult result, void *userdata),
                void *userdata) {
        uint64_t leader;
        int r;

        r = identity_random_leader(&leader);
        if (r >= 0)
                r = proposals_claim(beginning->proposals, term);
        if (r < 0)
                return r;

        beginning->begin = (IndexBeginTerm){
                .request = { .done = on_begun, .type = REQUEST_BEGIN_TERM },
                .cluster = atomic_load(&beginning->identity->current)->cluster,
                .term = term,
        };
        beginning->reserve = (IndexReserve){
                .request = { .done = on_reserved, .type = REQUEST_RESERVE },
                .count = VERSIONS_BLOCK,
        };
        beginning->leader = leader;
        beginning->done = done;
        beginning->userdata = userdata;
        return proposals_begin(
                        beginning->proposals, &beginning->begin.request,
                        &beginning->reserve.request);
}
