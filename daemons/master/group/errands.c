/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "master/group/errands.h"

void errands_init(Errands *errands) {
        *errands = (Errands){};
        (void) pthread_mutex_init(&errands->lock, NULL);
}

void errands_done(Errands *errands) {
        (void) pthread_mutex_destroy(&errands->lock);
}

static bool is_empty(const ErrandLists *lists) {
        return !lists->probes && !lists->changes && !lists->transfers && lists->compact == 0 &&
               !lists->database && !lists->is_ready;
}

/* Takes the lock. */
static int enter(Errands *errands) {
        (void) pthread_mutex_lock(&errands->lock);
        return errands->is_closed ? -ESHUTDOWN : is_empty(&errands->lists);
}

int errands_put_probe(Errands *errands, GroupProbe *probe) {
        int r = enter(errands);

        if (r >= 0) {
                probe->next = errands->lists.probes;
                errands->lists.probes = probe;
        }
        (void) pthread_mutex_unlock(&errands->lock);
        return r;
}

int errands_put_change(Errands *errands, GroupChange *change) {
        int r = enter(errands);

        if (r >= 0) {
                change->next = errands->lists.changes;
                errands->lists.changes = change;
        }
        (void) pthread_mutex_unlock(&errands->lock);
        return r;
}

int errands_put_transfer(Errands *errands, GroupTransfer *transfer) {
        int r = enter(errands);

        if (r >= 0) {
                transfer->next = errands->lists.transfers;
                errands->lists.transfers = transfer;
        }
        (void) pthread_mutex_unlock(&errands->lock);
        return r;
}

int errands_put_compaction(Errands *errands, uint64_t index) {
        int r = enter(errands);

        if (r >= 0) {
                errands->lists.compact = MAX(errands->lists.compact, index);
        }
        (void) pthread_mutex_unlock(&errands->lock);
        return r;
}

int errands_put_database(Errands *errands, const ConsensusApplied *applied) {
        int r = enter(errands);

        if (r >= 0) {
                errands->database = *applied;
                errands->lists.database = &errands->database;
        }
        (void) pthread_mutex_unlock(&errands->lock);
        return r;
}

int errands_put_ready(Errands *errands) {
        int r = enter(errands);

        if (r >= 0)
                errands->lists.is_ready = true;
        (void) pthread_mutex_unlock(&errands->lock);
        return r;
}

void errands_take(Errands *errands, ErrandLists *ret, ConsensusApplied *ret_database) {
        (void) pthread_mutex_lock(&errands->lock);
        *ret = errands->lists;
        if (ret->database) {
                *ret_database = errands->database;
                ret->database = ret_database;
        }
        errands->lists = (ErrandLists){};
        (void) pthread_mutex_unlock(&errands->lock);
}

void errands_close(Errands *errands) {
        (void) pthread_mutex_lock(&errands->lock);
        errands->is_closed = true;
        (void) pthread_mutex_unlock(&errands->lock);
}
