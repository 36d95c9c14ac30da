/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "base/json.h"
#include "fuzz.h"
#include "master/trouble/report-health.h"

/* What is parsed means the same once it was written and parsed again. */
static void check_again(const Json *json) {
        _cleanup_free_ char *first = json_format(json, false), *second = NULL;
        _cleanup_(json_freep) Json *again = NULL;

        assert(first);
        assert(json_parse(first, strlen(first), &again) == 0);
        second = json_format(again, false);
        assert(second && strcmp(first, second) == 0);
}

/* The body of a report of a volume, of which the health has lists and tables in it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = fuzz_string(data, size);
        _cleanup_(json_freep) Json *json = NULL;
        VolumeReport report = {};
        uint64_t number;

        if (json_parse(text, size, &json) < 0)
                return 0;
        check_again(json);
        (void) json_get_uint(json, "free", &number);
        if (peer_read_health(json, &report) < 0)
                return 0;
        assert(report.n_peers <= REPORT_PEERS_MAX);
        for (size_t i = 0; i < report.n_peers; i++)
                assert(report.peers[i] && strlen(report.peers[i]) <= size);
        return 0;
}
