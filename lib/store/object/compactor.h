/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Compactor: the thread that gives the space of deleted objects back.
 *
 * From a segment of the value log of which less than three quarters are live, or less than nine
 * tenths for half an hour, what is live is appended once more; then the segment is removed. So are
 * small segments, which starts leave behind, when there are many. While clients are served it rests
 * most of the time. */

#include <pthread.h>

#include "store/environment/environment-internal.h"
#include "store/log/segment-log.h"

typedef struct ObjectStore ObjectStore;

/* What was noticed of a segment. */
typedef struct SegmentNote {
        uint32_t segment;
        uint64_t since_usec; /* that it is worth a look: more than a tenth of it is garbage */
        uint64_t stuck_live; /* so much of it was still live after it was moved: it is damaged */
} SegmentNote;

typedef struct Compactor {
        ObjectStore *store; /* not owned */
        pthread_t thread;
        bool is_running;
        pthread_mutex_t mutex;
        pthread_cond_t changed;
        bool stop;

        pthread_mutex_t running; /* held during a run; for what follows */
        SegmentNote *notes;      /* owned; in the order of the segments */
        size_t n_notes;
        uint64_t seen_batches; /* of the committer, when the last run ended */
} Compactor;

void compactor_init(Compactor *compactor, ObjectStore *store);
void compactor_done(Compactor *compactor);

int compactor_start(Compactor *compactor);
void compactor_stop(Compactor *compactor);

/* Gives back all that is worth it at this time (monotonic); what the thread does now and then.
 * Returns 0, -ENOSPC if there is no room to move anything to, or another negative errno. */
int compactor_run(Compactor *compactor, uint64_t now_usec);

/* For the committer: whether an operation moves objects; adds them to the log, and returns how many
 * bytes; the log has refused them. */
bool relocation_is(const Operation *operation);
size_t relocation_add(Operation *operation, SegmentLog *log);
void relocation_fail(Operation *operation, int error);
