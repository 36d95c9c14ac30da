/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store/index/group.h"
#include "store/index/engine/index-internal.h"

int index_decided(Index *index, uint64_t entry_index, const Entry *entry, void *proposal) {
        return follow_decided(index->follow, entry_index, entry, proposal);
}

void index_refused(Index *index, void *proposal, int error) {
        proposal_refuse(proposal, error);
}

int index_begin_to_lead(
                Index *index,
                uint64_t term,
                void (*done)(IndexResult result, void *userdata),
                void *userdata) {
        return beginning_start(&index->beginning, term, done, userdata);
}

void index_end_lead(Index *index) {
        proposals_end_lead(&index->follow->proposals);
}

void index_applied(Index *index, ConsensusApplied *ret, uint64_t *ret_on_disk) {
        follow_applied(index->follow, ret, ret_on_disk);
}

/* What is neither an entry nor an answer is flushed. */
void index_sync(Index *index) {
        Operation nothing = { .apply = submit_apply_answer };

        (void) environment_run(index->tables.environment, &nothing);
}
