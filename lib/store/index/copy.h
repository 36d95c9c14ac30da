/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Copy of an index: made while it is in use, for another master that is to begin with what this one
 * has, and for backups. store/copy says what is promised, and does the rest of it.
 *
 * The copy of a member of a group has everything of it, with how far it has applied the log. That
 * of an index that is no member is one of its past, as an older backup is: its next start takes the
 * next term. */

#include "store/copy/copy-source.h"
#include "store/copy/copy-target.h"
#include "store/index/index.h"

typedef struct IndexCopyLimits {
        uint64_t rate;      /* bytes a second; 0 for no limit */
        uint64_t log_max;   /* bytes of the log that may have to be kept */
        uint64_t idle_usec; /* for how long nothing may be asked of it */
} IndexCopyLimits;

/* Begins a copy of an index that is open, which has to outlive it. Waits for the committer: never
 * on a server thread. Returns what copy_source_new() does. */
int index_copy(Index *index, const IndexCopyLimits *limits, CopySource **ret);

/* Begins to receive one, for the directory of the OPTIONS: of this cluster, or of any if it is all
 * zeroes. An index that is there may be open until the copy is installed. */
int index_receive_copy(
                const IndexOptions *options,
                const uint8_t cluster[static CLUSTER_ID_SIZE],
                CopyTarget **ret);
