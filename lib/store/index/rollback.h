/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Rollback: an index that is older than what its volumes hold, and goes on all the same.
 *
 * What it does not know may be all that is left of a value. So its garbage is forgotten, since an
 * entry could name the only copy of what was moved there later; and of the versions from before the
 * acceptance nothing more becomes garbage by being settled: what the index does not know stays
 * where it is. Versions, revisions and the term go on above all that was ever given out. */

#include "store/index/index.h"

/* What the versions and the revisions leave out, for volumes that nobody has heard: they may have
 * seen more than those that were. */
#define ROLLBACK_VERSIONS  (UINT64_C(1) << 32)
#define ROLLBACK_REVISIONS (UINT64_C(1) << 20)

/* The state, see index_set(), in which the master remembers that its index is older; an acceptance
 * deletes it. */
#define ROLLBACK_BEHIND_STATE "behind"

typedef struct IndexRollback {
        uint64_t version_end;   /* what is below is from before; 0 if there was no rollback */
        uint64_t accepted_usec; /* since the epoch */
        uint64_t last_usec;     /* of the last change that the index knew; 0 if that is unknown */
        uint64_t n_kept;        /* copies that the index does not know and that stay */
} IndexRollback;

void index_rollback(Index *index, IndexRollback *ret);

/* When what is in the index was last changed by a commit or a move; 0 if that is unknown. */
uint64_t index_last_change(const Index *index);

typedef struct IndexAccept IndexAccept;

struct IndexAccept {
        IndexRequest request;             /* private */
        uint64_t term, version, revision; /* the highest that anybody has seen */

        /* On the committer's thread, after the flush; the index has another term by then, and goes
         * on above all of them. */
        void (*done)(IndexAccept *accept, IndexResult result);

        /* private */
        Index *index;
        uint64_t versions_given;           /* half a version: how far they had come */
        uint64_t next_term, versions_next; /* output */
};

/* If it is refused nothing has changed. */
void index_accept_rollback(Index *index, IndexAccept *accept);
