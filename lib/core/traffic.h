/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Traffic: what the HTTP server of a daemon counts, and dkvadm shows. */

#include "base/metric.h"

/* clang-format off */
#define TRAFFIC_METRICS(ROW) \
        ROW(requests,        "Requests",       COUNTER, "",      "HTTP requests that were answered.") \
        ROW(reads,           "Reads",          COUNTER, "",      "Of these, GET and HEAD requests for keys or lists of keys.") \
        ROW(writes,          "Writes",         COUNTER, "",      "Of these, PUT and POST requests for keys.") \
        ROW(deletes,         "Deletes",        COUNTER, "",      "Of these, DELETE requests for keys.") \
        ROW(errors,          "Errors",         COUNTER, "",      "Reads, writes and deletes that were answered with a status of 500 or above.") \
        ROW(bytes_received,  "BytesReceived",  COUNTER, "bytes", "The bodies of requests.") \
        ROW(bytes_sent,      "BytesSent",      COUNTER, "bytes", "The bodies of responses.") \
        ROW(active_requests, "ActiveRequests", GAUGE,   "",      "Requests in progress.") \
        ROW(connections,     "Connections",    GAUGE,   "",      "Open connections, of clients and of other daemons.")
/* clang-format on */

#define TRAFFIC_FIELD(field, ...) uint64_t field;

typedef struct Traffic {
        TRAFFIC_METRICS(TRAFFIC_FIELD)
} Traffic;

/* The struct is an array, too. */
#define TRAFFIC_SIZE         (sizeof(Traffic) / sizeof(uint64_t))
#define TRAFFIC_INDEX(field) (offsetof(Traffic, field) / sizeof(uint64_t))

/* The source of these metrics is a Traffic. */
extern const Metric traffic_metrics[TRAFFIC_SIZE];
