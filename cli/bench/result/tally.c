/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bench/result/tally.h"

static void count(_Atomic uint64_t *counter) {
        uint64_t n = atomic_load_explicit(counter, memory_order_relaxed);

        /* There is one writer only, so no locked instruction is needed. */
        atomic_store_explicit(counter, n + 1, memory_order_relaxed);
}

void tally_add(Tally *tally, const Connection *connection, uint64_t latency_usec) {
        const Operation *operation = &connection->operation;
        Outcome outcome = connection->outcome;
        unsigned status = connection->response.status;

        tally->outcomes[outcome]++;
        if (outcome == OUTCOME_OK || outcome == OUTCOME_MISSING || outcome == OUTCOME_STATUS ||
            outcome == OUTCOME_WRONG)
                tally->statuses[status < STATUS_MAX ? status : 0]++;

        if (outcome != OUTCOME_OK && outcome != OUTCOME_MISSING) {
                count(&tally->n_failed);
                return;
        }

        if (outcome == OUTCOME_OK)
                tally->bytes[operation->type] += operation->type == OPERATION_PUT
                                                                 ? operation->size
                                                                 : connection->received;
        histogram_add(&tally->latencies[operation->type], latency_usec);
        count(&tally->n_answered);
}

void tally_merge(Tally *tally, const Tally *other) {
        for (size_t i = 0; i < _OUTCOME_MAX; i++)
                tally->outcomes[i] += other->outcomes[i];
        for (size_t i = 0; i < STATUS_MAX; i++)
                tally->statuses[i] += other->statuses[i];
        for (size_t i = 0; i < _OPERATION_TYPE_MAX; i++) {
                tally->bytes[i] += other->bytes[i];
                histogram_merge(&tally->latencies[i], &other->latencies[i]);
        }
        tally->n_retries += other->n_retries;
        tally->usec = MAX(tally->usec, other->usec);
}

uint64_t tally_answered(const Tally *tally) {
        return tally->outcomes[OUTCOME_OK] + tally->outcomes[OUTCOME_MISSING];
}

uint64_t tally_bytes(const Tally *tally) {
        uint64_t sum = 0;

        for (size_t i = 0; i < _OPERATION_TYPE_MAX; i++)
                sum += tally->bytes[i];

        return sum;
}
