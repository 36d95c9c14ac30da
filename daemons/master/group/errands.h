/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Errands: what others ask of a group's thread. It lies in what those own who ask, so that nothing
 * is allocated, and nobody is held up. */

#include <pthread.h>

#include "consensus/update.h"
#include "master/group/change.h"
#include "master/group/probe.h"

/* Those that wait, the last one first. */
typedef struct ErrandLists {
        GroupProbe *probes;
        GroupChange *changes;
        GroupTransfer *transfers;
        uint64_t compact;                 /* 0 if that is not asked for */
        const ConsensusApplied *database; /* that is in place now, or NULL */
        bool is_ready;                    /* the consumer, for entries */
} ErrandLists;

typedef struct Errands {
        pthread_mutex_t lock;
        ErrandLists lists; /* with the lock, as the rest */
        ConsensusApplied database;
        bool is_closed;
} Errands;

void errands_init(Errands *errands);
void errands_done(Errands *errands);

/* Return 1 if there was none, and so the thread is to be woken; 0 if that has been done by who has
 * asked before; or -ESHUTDOWN. Thread: any. */
int errands_put_probe(Errands *errands, GroupProbe *probe);
int errands_put_change(Errands *errands, GroupChange *change);
int errands_put_transfer(Errands *errands, GroupTransfer *transfer);
int errands_put_compaction(Errands *errands, uint64_t index);
int errands_put_database(Errands *errands, const ConsensusApplied *applied);
int errands_put_ready(Errands *errands);

/* Takes all that wait. */
void errands_take(Errands *errands, ErrandLists *ret, ConsensusApplied *ret_database);

/* Takes no more. */
void errands_close(Errands *errands);
