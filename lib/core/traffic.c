/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/traffic.h"

#define ROW(...) METRIC_IN(Traffic, __VA_ARGS__)

const Metric traffic_metrics[TRAFFIC_SIZE] = { TRAFFIC_METRICS(ROW) };
