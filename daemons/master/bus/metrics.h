/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The figures of the master, besides what its HTTP server counts. */

#include "core/metrics.h"
#include "store/index/index.h"

#define MASTER_METRICS_MAX 5

/* Their source; none of it is owned. */
typedef struct MasterFigures {
        Index *index;
        const char *directory; /* of the index */
} MasterFigures;

extern const Metric master_metrics[MASTER_METRICS_MAX];
