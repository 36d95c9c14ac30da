/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "base/clock.h"
#include "http/serve/counters.h"

HttpKind http_count_kind(const char *method, const char *path) {
        /* clang-format off */
        static const struct {
                const char *method;
                HttpKind kind;
        } kinds[] = {
                { "GET",    HTTP_READ   },
                { "HEAD",   HTTP_READ   },
                { "PUT",    HTTP_WRITE  },
                { "POST",   HTTP_WRITE  },
                { "DELETE", HTTP_DELETE },
        };
        /* clang-format on */

        if (strncmp(path, "/-/", strlen("/-/")) == 0)
                return HTTP_OTHER;

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                if (strcmp(method, kinds[i].method) == 0)
                        return kinds[i].kind;

        return HTTP_OTHER;
}

/* There is no other writer, so this takes no locked instruction. */
static void add(HttpCounters *counters, size_t which, uint64_t n) {
        atomic_uint_least64_t *count = counters->counts + which;

        atomic_store_explicit(
                        count, atomic_load_explicit(count, memory_order_relaxed) + n,
                        memory_order_relaxed);
}

static void count_client(HttpCounters *counters, const HttpOutcome *outcome) {
        static const size_t counts[] = {
                [HTTP_READ] = TRAFFIC_INDEX(reads),
                [HTTP_WRITE] = TRAFFIC_INDEX(writes),
                [HTTP_DELETE] = TRAFFIC_INDEX(deletes),
        };
        uint64_t now = clock_monotonic();

        add(counters, counts[outcome->kind], 1);
        if (outcome->status >= 500)
                add(counters, TRAFFIC_INDEX(errors), 1);
        histogram_add(counters->latencies + outcome->kind, now - outcome->begun_usec);
        atomic_store_explicit(&counters->client_usec, now, memory_order_relaxed);
}

void http_count(HttpCounters *counters, const HttpOutcome *outcome) {
        add(counters, TRAFFIC_INDEX(requests), 1);
        if (outcome->kind != HTTP_OTHER)
                count_client(counters, outcome);
        add(counters, TRAFFIC_INDEX(bytes_received), outcome->received);
        add(counters, TRAFFIC_INDEX(bytes_sent), outcome->sent);
}

bool http_counters_have_clients(const HttpCounters *threads, size_t n_threads) {
        uint64_t since = clock_monotonic() - HTTP_LATELY_USEC;

        for (size_t i = 0; i < n_threads; i++)
                if (atomic_load_explicit(&threads[i].client_usec, memory_order_relaxed) > since)
                        return true;
        return false;
}

void http_counters_add_latency(
                const HttpCounters *threads, size_t n_threads, HttpKind kind, Histogram *ret) {
        assert(kind < _HTTP_KIND_MAX);

        for (size_t i = 0; i < n_threads; i++)
                histogram_merge(ret, threads[i].latencies + kind);
}

void http_counters_sum(const HttpCounters *threads, size_t n_threads, Traffic *ret) {
        uint64_t sums[TRAFFIC_SIZE] = {};

        assert(ret);

        for (size_t i = 0; i < n_threads; i++)
                for (size_t which = 0; which < TRAFFIC_SIZE; which++)
                        sums[which] += atomic_load_explicit(
                                        threads[i].counts + which, memory_order_relaxed);

        memcpy(ret, sums, sizeof(*ret));
}
