/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Log scan: reads the log of an environment before Berkeley DB does, and tells damage from the end.
 *
 * After a loss of power the last write to a log may have come to the disk in part, its sectors in
 * any order. Such a tail is nothing that was acknowledged; it may end with a bad record and have
 * whole ones behind that. A bad record in what was flushed is damage: Berkeley DB would take it for
 * the end and drop everything behind. What was flushed is told by the mark (see
 * store/format/log-mark.h), by the next log, which is begun when the one before it is flushed, and
 * by claims: records that the committer adds to each batch, which say how far the log was flushed
 * then.
 *
 * A flip in the last batch after a loss of power, with nothing behind it, looks like a torn write;
 * that cannot be told here. */

#include "base/buffer.h"
#include "store/format/log-mark.h"

/* What a claim says, for DB_ENV->log_printf(). */
#define LOG_CLAIM_FORMAT "dkv-claim %016" PRIx64 " %010" PRIu32 " %010" PRIu32 "."

typedef struct LogScan {
        LogPosition end;     /* behind the last whole record; 0/0 if there is no log */
        bool is_zero_behind; /* END: there is nothing but zeroes in the rest of its file */
        LogPosition needed;  /* where the last checkpoint says that a recovery begins */
        uint64_t id;         /* what the claims name, or 0 if there is none */
        uint64_t n_bytes;    /* that were read */

        /* What is damaged, if anything: the number of a log and a place in it. */
        LogPosition damage;
        const char *what; /* is wrong there */

        /* Called for each whole record from where the recovery begins, or before; may be NULL. */
        void (*on_record)(LogPosition position, const void *data, size_t size, void *userdata);
        void *userdata;
} LogScan;

/* Reads the log as far back as the mark says that it is needed; all that there is without a MARK.
 * Changes nothing. Returns 0, -EBADMSG if it is damaged, or another negative errno. */
int log_scan(int dir_fd, const LogMark *mark, LogScan *scan);
