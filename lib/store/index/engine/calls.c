/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Calls: the changes that the contract promises. Each submits a request. */

#include "store/index/damage.h"
#include "store/index/engine/index-internal.h"
#include "store/index/garbage.h"
#include "store/index/move.h"

void index_commit(Index *index, IndexCommit *commit) {
        commit->condition.has_modified_since = false; /* it is for reads */
        submit_request(&index->submitter, REQUEST_COMMIT, &commit->request);
}

void index_delete(Index *index, IndexDelete *deletion) {
        deletion->condition.has_modified_since = false;
        submit_request(&index->submitter, REQUEST_DELETE, &deletion->request);
}

void index_set(Index *index, IndexSet *set) {
        assert(set->name[0] != '.');

        submit_request(&index->submitter, REQUEST_SET, &set->request);
}

void index_settle(Index *index, IndexSettle *settle) {
        submit_request(&index->submitter, REQUEST_SETTLE, &settle->request);
}

void index_collected(Index *index, IndexCollected *collected) {
        submit_request(&index->submitter, REQUEST_COLLECTED, &collected->request);
}

void index_move(Index *index, IndexMove *move) {
        submit_request(&index->submitter, REQUEST_MOVE, &move->request);
}

int index_set_fences(Index *index, const uint32_t volumes[], size_t n) {
        IndexFences fences = { .volumes = volumes, .n_volumes = n };

        for (size_t i = 0; i < n; i++)
                assert(volumes[i] <= VOLUME_MAX);

        return submit_and_wait(&index->submitter, REQUEST_FENCES, &fences.request);
}

void index_damage(Index *index, IndexDamage *damage) {
        assert(damage->n_items <= INDEX_DAMAGE_MAX);

        submit_request(&index->submitter, REQUEST_DAMAGE, &damage->request);
}

uint64_t index_next_version(Index *index, VersionUse use) {
        return versions_next(&index->versions, use);
}
