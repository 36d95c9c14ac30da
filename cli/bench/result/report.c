/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "bench/result/report.h"

/* clang-format off */
static const struct {
        const char *name;
        double percent;
} percentiles[] = {
        { "p50",   50   },
        { "p90",   90   },
        { "p99",   99   },
        { "p99.9", 99.9 },
};
/* clang-format on */

uint64_t report_failures(const Tally *tally) {
        uint64_t sum = 0;

        for (Outcome i = OUTCOME_OK + 1; i < _OUTCOME_MAX; i++)
                sum += tally->outcomes[i];

        return sum;
}

static double seconds_of(const Tally *tally) {
        return (double) MAX(tally->usec, UINT64_C(1)) / USEC_PER_SEC;
}

static void print_operations(const Tally *tally, OperationType type) {
        const Histogram *latency = tally->latencies + type;
        double seconds = seconds_of(tally);

        printf("  %-6s %10" PRIu64 " requests %10.0f/s %10.1f MB/s   µs:",
               operation_type_to_string(type), latency->count, (double) latency->count / seconds,
               (double) tally->bytes[type] / seconds / 1e6);
        for (size_t i = 0; i < ELEMENTSOF(percentiles); i++)
                printf(" %s %" PRIu64, percentiles[i].name,
                       histogram_percentile(latency, percentiles[i].percent));
        printf(" max %" PRIu64 "\n", latency->max);
}

void report_print(const Options *options, const char *verb, const char *url, const Tally *tally) {
        printf("%s %s: connections %" PRIu64 ", threads %" PRIu64 ", %.2f s\n", verb, url,
               options->connections, options->threads, seconds_of(tally));

        for (OperationType i = 0; i < _OPERATION_TYPE_MAX; i++)
                if (tally->latencies[i].count > 0)
                        print_operations(tally, i);

        printf("  status");
        for (size_t i = 0; i < STATUS_MAX; i++)
                if (tally->statuses[i] > 0)
                        printf(" %zu: %" PRIu64, i, tally->statuses[i]);

        printf("\n  errors %" PRIu64, report_failures(tally));
        for (Outcome i = OUTCOME_OK + 1; i < _OUTCOME_MAX; i++)
                if (tally->outcomes[i] > 0)
                        printf(" %s: %" PRIu64, outcome_to_string(i), tally->outcomes[i]);
        if (tally->n_retries > 0)
                printf(", retries %" PRIu64, tally->n_retries);
        putchar('\n');
}

static Json *operations_to_json(const Tally *tally, OperationType type) {
        Json *json = json_new_object();
        const Histogram *latency = tally->latencies + type;
        Json *times = json_new_object();
        double seconds = seconds_of(tally);

        json_add_uint(json, "requests", latency->count);
        json_add_double(json, "requests_per_second", (double) latency->count / seconds);
        json_add_uint(json, "bytes", tally->bytes[type]);
        json_add_double(json, "bytes_per_second", (double) tally->bytes[type] / seconds);
        for (size_t i = 0; i < ELEMENTSOF(percentiles); i++)
                json_add_uint(times, percentiles[i].name,
                              histogram_percentile(latency, percentiles[i].percent));
        json_add_uint(times, "max", latency->max);
        json_add_double(times, "mean", histogram_mean(latency));
        json_add(json, "latency_usec", times);
        return json;
}

static Json *counts_to_json(const Tally *tally, bool statuses) {
        Json *json = json_new_object();

        for (size_t i = 0; statuses && i < STATUS_MAX; i++) {
                char name[8];

                (void) snprintf(name, sizeof(name), "%zu", i);
                if (tally->statuses[i] > 0)
                        json_add_uint(json, name, tally->statuses[i]);
        }
        for (Outcome i = OUTCOME_OK + 1; !statuses && i < _OUTCOME_MAX; i++)
                json_add_uint(json, outcome_to_string(i), tally->outcomes[i]);
        return json;
}

int report_print_json(
                const Options *options, const char *verb, const char *url, const Tally *tally) {
        _cleanup_(json_freep) Json *json = json_new_object();
        _cleanup_free_ char *text = NULL;
        double seconds = seconds_of(tally);

        json_add_string(json, "verb", verb);
        json_add_string(json, "url", url);
        json_add_uint(json, "connections", options->connections);
        json_add_uint(json, "threads", options->threads);
        json_add_string(json, "size", options->size);
        json_add_double(json, "seconds", seconds);
        json_add_uint(json, "requests", tally_answered(tally));
        json_add_double(json, "requests_per_second", (double) tally_answered(tally) / seconds);
        json_add_double(json, "bytes_per_second", (double) tally_bytes(tally) / seconds);
        for (OperationType i = 0; i < _OPERATION_TYPE_MAX; i++)
                if (tally->latencies[i].count > 0)
                        json_add(json, operation_type_to_string(i), operations_to_json(tally, i));
        json_add(json, "statuses", counts_to_json(tally, true));
        json_add(json, "errors", counts_to_json(tally, false));
        json_add_uint(json, "retries", tally->n_retries);
        json_add_uint(json, "failures", report_failures(tally));

        text = json_format(json, true);
        if (!text)
                return -ENOMEM;

        return fputs(text, stdout) < 0 ? -EIO : 0;
}
