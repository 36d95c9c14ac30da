/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Tally: the results of one thread's operations, or of all. */

#include <stdatomic.h>

#include "base/histogram.h"
#include "bench/http/connection.h"

#define STATUS_MAX 600

typedef struct Tally {
        uint64_t outcomes[_OUTCOME_MAX];
        uint64_t statuses[STATUS_MAX];            /* of the last answer to each operation */
        uint64_t n_retries;                       /* of operations, which are counted once */
        uint64_t bytes[_OPERATION_TYPE_MAX];      /* of values that were moved */
        Histogram latencies[_OPERATION_TYPE_MAX]; /* of operations that succeeded or ended with 404
                                                   */
        uint64_t usec;                            /* until the last of them was over */

        /* Read by other threads during the run. */
        _Atomic uint64_t n_answered;
        _Atomic uint64_t n_failed;
} Tally;

/* The operation of CONNECTION is over, LATENCY_USEC after it should have begun. */
void tally_add(Tally *tally, const Connection *connection, uint64_t latency_usec);
void tally_merge(Tally *tally, const Tally *other);

/* How many operations succeeded or ended with 404, and how many bytes they moved. */
uint64_t tally_answered(const Tally *tally) _pure_;
uint64_t tally_bytes(const Tally *tally) _pure_;
