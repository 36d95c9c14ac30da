/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Segment log: an append-only log in the files of a directory.
 *
 * What is added is gathered, and appended by one write and one flush. Then it is durable, and can
 * be read by its position. A segment that the owner needs no longer is removed, or its file becomes
 * that of a later one: its blocks are on the disk already, so a flush changes nothing but data.
 *
 * A loss of power may tear what was being appended; all of that append from the first torn entry on
 * counts as never added, and is not damage. What was appended before is: see
 * segment_log_open(). After a start nothing is added to a segment that was there before: what a
 * torn append has left behind its end could come to light again.
 *
 * One thread adds and appends. Any may read, and remove segments. */

#include "base/buffer.h"
#include "store/format/log-mark.h"
#include "store/log/entry.h"

typedef struct SegmentLog SegmentLog;

typedef struct SegmentLogOptions {
        int dir_fd;            /* stays the caller's, and open */
        uint64_t id;           /* random; chosen when the log was made */
        uint32_t segment_size; /* a segment that has reached it gets no more; at most 1 GiB */
        LogPosition flushed;   /* known to have been on the disk, so no torn tail; {} for nothing */
} SegmentLogOptions;

/* Called with each entry, and with the position behind it. Returns 0 or a negative errno, which
 * ends it. */
typedef int (*SegmentLogOnEntry)(
                const LogEntry *entry, LogPosition at, LogPosition behind, void *userdata);

/* Opens the log, or begins one in an empty directory, makes sure that what it finds is on the disk,
 * also what a failed flush has left in memory, and then goes through the entries that were added at
 * FROM or behind it, a position that was flushed; {} for all. An entry whose data are damaged is
 * among them. Returns 0; -EBADMSG if something that was flushed cannot be found any more, and
 * disk_last_damage() says what; -ENOMEDIUM if the segment of FROM or .flushed is missing, which
 * members_missing() names; -EPROTONOSUPPORT; what on_entry() returned; or another negative errno.
 */
int segment_log_open(
                const SegmentLogOptions *options,
                LogPosition from,
                SegmentLogOnEntry on_entry,
                void *userdata,
                SegmentLog **ret);

/* What was added and not appended is forgotten. */
SegmentLog *segment_log_free(SegmentLog *log);
DEFINE_CLEANUP(SegmentLog *, segment_log_free);

/* Adds an entry to the next append, and makes room on the disk for it. Returns 0 and where it will
 * be, -ENOSPC, -EFBIG beyond ENTRY_DATA_MAX or if the append gets too large, or another negative
 * errno; then it was not added, and the others were. */
int segment_log_add(
                SegmentLog *log,
                uint8_t kind,
                uint64_t tag,
                const void *data,
                size_t size,
                LogPosition *ret);

/* Makes room for SIZE bytes of entries, with their headers, so that the next append of not more
 * than that finds some. Nothing waits to be appended. Returns 0, -ENOSPC, or another negative
 * errno. */
int segment_log_reserve(SegmentLog *log, size_t size);

/* Whether what is added next is the first of a segment. */
bool segment_log_is_at_begin(const SegmentLog *log);

/* Forgets what was added and not appended. */
void segment_log_forget(SegmentLog *log);

/* Appends what was added, durably; nothing is fine. Returns 0, or -ENOSPC, and then none of it is
 * there. Another error of the disk ends the process. */
int segment_log_append(SegmentLog *log);

/* Behind what was appended. */
LogPosition segment_log_end(const SegmentLog *log);

/* What is added next goes to a new segment. Nothing waits to be appended. */
void segment_log_seal(SegmentLog *log);

/* Reads an entry whose data have this size into SCRATCH; that the data are damaged, it only says,
 * since part of them may be of use. Returns 0; -ENODATA if there is no such segment; -EBADMSG if
 * there is no such entry; or why the disk does not give it out. */
int segment_log_read(SegmentLog *log, LogPosition at, size_t size, Buffer *scratch, LogEntry *ret);

/* Goes through the whole entries of a segment from an offset on, or all if it is 0, past what is
 * damaged, until on_entry() returns non-zero; the position behind the entry is good to go on from.
 * Returns what on_entry() returned last, 0 at the end, -ENODATA, or another negative errno. */
int segment_log_scan(SegmentLog *log, LogPosition from, SegmentLogOnEntry on_entry, void *userdata);

/* The lowest segment above AFTER, and its size; 0 if there is none. */
uint32_t segment_log_next(SegmentLog *log, uint32_t after, uint32_t *ret_size);

/* Removes a segment that nothing is added to any more. recycle() keeps its file for a later one, if
 * it is large enough and there is none yet. */
void segment_log_remove(SegmentLog *log, uint32_t number);
void segment_log_recycle(SegmentLog *log, uint32_t number);

/* Gives back what recycle() has kept. */
void segment_log_trim(SegmentLog *log);
