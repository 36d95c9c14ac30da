/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Commit queue: asks the master to make stored versions current, many in one call.
 *
 * One call is under way at a time; commits that come meanwhile go with the next one. A call that
 * fails is repeated, since a commit may be repeated, until COMMIT_PATIENCE_USEC have passed: long
 * before the master would give up the version. */

#include "base/macro.h"
#include "core/call/wire.h"
#include "volume/link/master-link.h"

#define COMMIT_PATIENCE_USEC (10 * USEC_PER_SEC)

typedef struct CommitQueue CommitQueue;
typedef struct Commit Commit;

struct Commit {
        WireCommit wire; /* what it points to stays the caller's until done() */

        /* On the peers' thread. RESULT.error is what the master said, or -ECOMM if it could not
         * be asked or did not know: the outcome is unknown then, and RESULT.revision is the one
         * that the version gets if it was committed; 0 if the master has never said. */
        void (*done)(Commit *commit, const WireCommitResult *result);

        /* Whether nobody waits for the answer any more; optional, on the peers' thread. Such a
         * commit is not repeated: a client that has given up a write may have made another one,
         * which this one must not overwrite long afterwards. */
        bool (*is_abandoned)(const Commit *commit);

        uint64_t deadline_usec; /* monotonic; the commit is not sent later than this; 0 for none */

        /* private */
        uint64_t revision; /* of the last answer */
        Commit *next;
};

/* MASTER is not owned. Returns 0 or -ENOMEM. */
int commit_queue_new(MasterLink *master, CommitQueue **ret);

/* The peers must have been freed before: they have ended all calls. Accepts NULL. */
CommitQueue *commit_queue_free(CommitQueue *queue);
DEFINE_CLEANUP(CommitQueue *, commit_queue_free);

/* Hands in a commit, which belongs to the queue until done(). From any thread. */
void commit_queue_submit(CommitQueue *queue, Commit *commit);
