/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Entry replay: what the records of a log come to, from its first segment on. */

#include "store/entries/entry-table.h"
#include "store/log/entry.h"

typedef struct EntryReplay {
        int dir_fd;        /* not owned */
        EntryTable *table; /* not owned; empty at the beginning */
        LogPosition end;   /* behind the last record; {} if there is none */
} EntryReplay;

/* As segment_log_open() calls it, with a replay. Returns 0; -EBADMSG for a record that cannot
 * follow on those before it, or is damaged; -EPROTONOSUPPORT; or -ENOMEM. */
int entry_replay_step(const LogEntry *entry, LogPosition at, LogPosition behind, void *replay);
