/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Commit queue: asks the master to make stored versions current, many in one call.
 *
 * One call is under way at a time; what comes meanwhile goes with the next. A call that fails is
 * made again, since a commit may be repeated, until COMMIT_PATIENCE_USEC have passed: long before
 * the master would give the version up. */

#include "base/macro.h"
#include "core/call/wire.h"
#include "rpc/client.h"

#define COMMIT_PATIENCE_USEC (10 * USEC_PER_SEC)

typedef struct VolumeDaemon VolumeDaemon;
typedef struct CommitQueue CommitQueue;
typedef struct Commit Commit;

struct Commit {
        WireCommit wire; /* what it points to stays the caller's until done() */

        /* On the client's thread. RESULT.error is what the master said, or -ECOMM if it could not
         * be asked, or did not know: the outcome is then unknown. */
        void (*done)(Commit *commit, const WireCommitResult *result);

        /* Whether nobody waits for the answer any more. It is not asked for again then: whoever has
         * given a write up may have made another one, which this one must not overwrite long
         * afterwards. On the client's thread; optional. */
        bool (*is_abandoned)(const Commit *commit);

        uint64_t deadline_usec; /* monotonic; when it must not be asked for any more, 0 for whenever
                                 */
        Commit *next;           /* private */
};

/* VOLUME is not owned. */
int commit_queue_new(VolumeDaemon *volume, CommitQueue **ret);

/* The client must have been freed before. */
CommitQueue *commit_queue_free(CommitQueue *queue);
DEFINE_CLEANUP(CommitQueue *, commit_queue_free);

/* From any thread. */
void commit_queue_submit(CommitQueue *queue, Commit *commit);
