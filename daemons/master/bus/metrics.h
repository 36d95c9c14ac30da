/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The figures of the master, besides what its HTTP server counts. */

#include "core/metrics.h"

#define MASTER_METRICS_MAX 5

/* Their source is a MasterBus. */
extern const Metric master_metrics[MASTER_METRICS_MAX];
