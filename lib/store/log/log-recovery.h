/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Log recovery: finds the end of a log whose process may have died, or lost its power, and goes
 * through the entries from a position on. Changes nothing.
 *
 * It does not know whether what it reads is on the disk. All but the last append is, since that was
 * begun when the one before it was flushed. */

#include "store/log/segment-files.h"
#include "store/log/segment-log.h"

typedef struct LogAppend {
        uint32_t file; /* 0 for none */
        uint32_t begin, end;
} LogAppend;

/* Finds the last append of which something is there, that of an earlier segment if the last ones
 * are empty; what ends at FROM or before it is not looked for. Returns 0, or errors as those of
 * segment_log_open(). */
int log_find_last_append(
                SegmentFiles *files,
                const SegmentLogOptions *options,
                LogPosition from,
                LogAppend *ret);

/* Returns 0 and the end, behind the last entry; {} if there is no segment. Errors are those of
 * segment_log_open(). */
int log_recover(SegmentFiles *files,
                const SegmentLogOptions *options,
                LogPosition from,
                SegmentLogOnEntry on_entry,
                void *userdata,
                LogPosition *ret_end);
