/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Log mark: the file "mark" beside a log, that of an environment or one of entries, which says how
 * far the log is known to reach.
 *
 * Berkeley DB takes the first bad record of its log for the end, and what a loss of power has torn
 * is the end of a log of entries. The mark says what cannot be the end. It is never ahead of
 * the log: it is written after the flush that it tells of. There are two slots. One is flushed at
 * once, when a log is begun, at a checkpoint, a start and the end. The other is written with each
 * batch and reaches the disk when the system gets round to it; after the death of the process alone
 * it is there. */

#include "base/macro.h"

#define LOG_MARK_FILE "mark"

/* What Berkeley DB calls an LSN: the number of a log, and an offset in it. */
typedef struct LogPosition {
        uint32_t file;
        uint32_t offset;
} LogPosition;

/* Less than, equal to or greater than 0, as A is before, at or behind B. */
int log_position_compare(LogPosition a, LogPosition b) _const_;

#define LOG_NAME_SIZE sizeof("log.0123456789")

void log_name(uint32_t file, char ret_name[static LOG_NAME_SIZE]);

typedef struct LogMark {
        uint64_t id;         /* random; of this log, which names it again and again */
        LogPosition flushed; /* everything before it is on the disk */
        LogPosition needed;  /* where a recovery begins; nothing before it is needed any more */
        uint32_t size;       /* of the file of FLUSHED */
} LogMark;

typedef enum LogMarkSlot {
        LOG_MARK_SURE, /* to be flushed by the caller */
        LOG_MARK_QUICK,
} LogMarkSlot;

/* Makes the file, durably. Returns 0 or a negative errno. */
int log_mark_create(int dir_fd, const LogMark *mark);

/* Returns 0 or a negative errno. */
int log_mark_write(int fd, LogMarkSlot slot, const LogMark *mark);

/* What both slots say together. Returns 0, -ENOENT if there is no file or neither slot is whole, or
 * another negative errno. */
int log_mark_read(int dir_fd, LogMark *ret);
