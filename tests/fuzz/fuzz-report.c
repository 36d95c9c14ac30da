/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "base/json.h"
#include "base/log.h"
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

/* What it says is noted, and is over with the next report that says nothing of it. */
static void check_troubles(const VolumeReport *report, const char *detail) {
        _cleanup_(troubles_freep) Troubles *troubles = NULL;
        VolumeReport well = { .number = 1 };

        assert(troubles_new(&troubles) == 0);
        for (int error = -EPROTO - 1; error < 0; error++)
                peer_note_refusal(troubles, report, error);
        peer_note_health(troubles, report, detail);
        peer_note_health(troubles, &well, NULL);
}

/* The body of a report of a volume, of which the health has lists and tables in it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = fuzz_string(data, size);
        _cleanup_(json_freep) Json *json = NULL;
        VolumeReport report = { .number = 1 };
        uint64_t number;
        bool flag;

        log_set_level(LOG_EMERG); /* each trouble is an event */
        if (json_parse(text, size, &json) < 0)
                return 0;
        check_again(json);
        (void) json_get_uint(json, "free", &number);
        (void) json_get_bool(json, "free", &flag);
        report.url = json_get_string(json, "url");
        if (peer_read_health(json, &report) < 0)
                return 0;
        assert(json_to_uint(json_get(json, "clock")) <= INT64_MAX);
        assert(report.n_peers <= REPORT_PEERS_MAX);
        for (size_t i = 0; i < report.n_peers; i++)
                assert(report.peers[i] && strlen(report.peers[i]) <= size);
        check_troubles(&report, json_get_string(json, "fault_detail"));
        return 0;
}
