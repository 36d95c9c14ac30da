/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Counters: what the threads of an HTTP server have done since it was started.
 *
 * Each thread alone writes its own; any thread may read all of them. Each figure is right, but they
 * are not of one moment. */

#include <stdatomic.h>

#include "base/clock.h"
#include "base/histogram.h"
#include "core/traffic.h"

typedef enum HttpKind {
        HTTP_READ,   /* GET, HEAD */
        HTTP_WRITE,  /* PUT, POST */
        HTTP_DELETE, /* DELETE */
        _HTTP_KIND_MAX,
        HTTP_OTHER = _HTTP_KIND_MAX, /* under "/-/", and other methods */
} HttpKind;

/* Those of one thread share no cache line with those of another. */
typedef struct __attribute__((aligned(64))) HttpCounters {
        atomic_uint_least64_t counts[TRAFFIC_SIZE]; /* its share of a Traffic */
        atomic_uint_least64_t client_usec;          /* the last of a client's requests; monotonic */
        Histogram latencies[_HTTP_KIND_MAX];
} HttpCounters;

/* A request that is over. */
typedef struct HttpOutcome {
        HttpKind kind;
        unsigned status;
        uint64_t begun_usec;     /* monotonic */
        uint64_t received, sent; /* bytes of the bodies */
} HttpOutcome;

/* What a request counts as. */
HttpKind http_count_kind(const char *method, const char *path);

void http_count(HttpCounters *counters, const HttpOutcome *outcome);

/* Of all THREADS: the sums of what they have counted, the rest of RET is 0; how long the requests
 * of a kind took, added to RET; and whether one of a client has ended within HTTP_LATELY_USEC. */
void http_counters_sum(const HttpCounters *threads, size_t n_threads, Traffic *ret);
void http_counters_add_latency(
                const HttpCounters *threads, size_t n_threads, HttpKind kind, Histogram *ret);
#define HTTP_LATELY_USEC USEC_PER_SEC
bool http_counters_have_clients(const HttpCounters *threads, size_t n_threads);
