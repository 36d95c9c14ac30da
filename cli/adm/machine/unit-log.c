/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <systemd/sd-journal.h>

#include "adm/machine/unit-log.h"
#include "frame/complaint.h"

static void close_journal(sd_journal **journal) {
        sd_journal_close(*journal);
}

static int add_match(sd_journal *journal, const char *field, const char *value) {
        char match[256];

        (void) snprintf(match, sizeof(match), "%s=%s", field, value);
        return sd_journal_add_match(journal, match, 0);
}

/* Messages of the units' processes, and of systemd about the units. */
static int match_errors(sd_journal *journal, char *const units[]) {
        int r = 0;

        for (; *units && r >= 0; units++) {
                r = add_match(journal, "_SYSTEMD_UNIT", *units);
                if (r >= 0)
                        r = sd_journal_add_disjunction(journal);
                if (r >= 0)
                        r = add_match(journal, "UNIT", *units);
                if (r >= 0)
                        r = add_match(journal, "_PID", "1");
                if (r >= 0)
                        r = sd_journal_add_disjunction(journal);
        }

        if (r >= 0)
                r = sd_journal_add_conjunction(journal);
        for (char priority[] = "0"; *priority - '0' <= LOG_ERR && r >= 0; (*priority)++)
                r = add_match(journal, "PRIORITY", priority);
        return r;
}

void unit_log_print(char *const units[], uint64_t since_usec) {
        _cleanup_(close_journal) sd_journal *journal = NULL;
        const void *data;
        size_t size;

        if (sd_journal_open(&journal, SD_JOURNAL_LOCAL_ONLY) < 0 ||
            match_errors(journal, units) < 0 ||
            sd_journal_seek_realtime_usec(journal, since_usec) < 0 ||
            sd_journal_next(journal) <= 0 ||
            sd_journal_get_data(journal, "MESSAGE", &data, &size) < 0 || size < sizeof("MESSAGE="))
                return;

        advise("The log says: %.*s", (int) (size - strlen("MESSAGE=")),
               (const char *) data + strlen("MESSAGE="));
}
