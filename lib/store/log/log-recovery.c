/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>

#include "base/file.h"
#include "store/disk/disk.h"
#include "store/disk/members.h"
#include "store/log/log-recovery.h"
#include "store/log/segment-scan.h"
#include "store/log/segment.h"

typedef struct Recovery {
        SegmentFiles *files; /* not owned */
        uint64_t log_id;
        LogPosition flushed;
        SegmentLogOnEntry on_entry;
        void *userdata;
} Recovery;

/* Of one segment. */
typedef struct Piece {
        uint32_t number;
        int fd; /* acquired */
        bool is_last, has_header;
        SegmentHeader header;
        SegmentScan scan;
} Piece;

static int damaged(const Piece *piece, uint32_t offset, const char *what) {
        char path[4096] = "";

        disk_path_of(piece->fd, path, sizeof(path));
        disk_note_damage("offset %" PRIu32 " of '%s': %s", offset, path, what);
        return -EBADMSG;
}

static void piece_done(Recovery *recovery, Piece *piece) {
        if (piece->fd >= 0)
                segment_files_release(recovery->files, piece->number);
        segment_scan_done(&piece->scan);
        piece->fd = -1;
}

/* A header that is not there, or that of a former life of the file, is as good as none. */
static int read_header(const Recovery *recovery, Piece *piece) {
        uint8_t data[SEGMENT_HEADER_SIZE] = {};
        ssize_t n;
        int r;

        n = pread_all(piece->fd, data, sizeof(data), 0);
        if (n < 0)
                return (int) n;

        r = segment_header_decode(data, &piece->header);
        if (r < 0 && r != -EBADMSG)
                return r;
        piece->has_header = r >= 0 && piece->header.log_id == recovery->log_id &&
                            piece->header.number == piece->number;
        return 0;
}

static int piece_open(Recovery *recovery, uint32_t number, Piece *ret) {
        int64_t size = segment_files_size(recovery->files, number);
        Piece piece = {
                .number = number,
                .is_last = number == segment_files_last(recovery->files),
        };
        int r;

        piece.fd = segment_files_acquire(recovery->files, number);
        if (piece.fd < 0)
                return piece.fd;

        piece.scan = SEGMENT_SCAN(
                        piece.fd, entry_seed(recovery->log_id, number), SEGMENT_HEADER_SIZE,
                        (uint32_t) MAX(size, 0));
        r = read_header(recovery, &piece);
        if (r < 0) {
                piece_done(recovery, &piece);
                return r;
        }

        *ret = piece;
        return 0;
}

/* Whether an append that came later proves that what is at OFFSET was on the disk. */
static int was_flushed(Piece *piece, uint32_t offset) {
        uint32_t found;

        return segment_scan_find(&piece->scan, offset, offset + 1, &found);
}

/* A segment without its header: nothing of it has reached the disk but its name, or so little that
 * its first append was torn. Nothing is added to a segment before that. */
static int check_begun(Piece *piece) {
        int r;

        r = was_flushed(piece, 0);
        return r > 0 ? damaged(piece, 0, "a bad header") : r;
}

/* Goes through the entries up to END, or to where they end by themselves if that is UINT32_MAX. */
static int walk(Recovery *recovery, Piece *piece, uint32_t end, uint32_t *ret_end) {
        SegmentScan *scan = &piece->scan;
        bool is_known = end != UINT32_MAX;
        LogEntry entry;
        int r;

        if (is_known && scan->end < end)
                return damaged(piece, scan->end, "the end of a truncated file");
        if (is_known)
                scan->end = end;

        for (;;) {
                LogPosition at = { piece->number, scan->offset };

                r = segment_scan_next(scan, &entry);
                if (r < 0)
                        return r;
                if ((r == 0 || entry.is_damaged) && !is_known) {
                        int found = was_flushed(piece, at.offset);

                        if (found < 0)
                                return found;
                        if (found == 0) {
                                *ret_end = at.offset;
                                return 0;
                        }
                }
                if (r == 0 && is_known && at.offset >= end) {
                        *ret_end = end;
                        return 0;
                }
                if (r == 0)
                        return damaged(piece, at.offset, "a bad entry");

                r = recovery->on_entry(
                                &entry, at, (LogPosition){ piece->number, scan->offset },
                                recovery->userdata);
                if (r < 0)
                        return r;
        }
}

/* Where the segment ends, as the next one says; UINT32_MAX if that says nothing. */
static int find_end(Recovery *recovery, const Piece *piece, uint32_t *ret) {
        Piece next;
        int r;

        *ret = UINT32_MAX;
        if (piece->is_last)
                return 0;

        r = piece_open(recovery, piece->number + 1, &next);
        if (r == -ENODATA)
                return damaged(piece, 0, "the segment behind it is missing");
        if (r < 0)
                return r;

        if (next.has_header)
                *ret = next.header.previous.offset;
        if (next.has_header && next.header.previous.file != piece->number)
                r = damaged(&next, 0, "the header of another segment");
        piece_done(recovery, &next);
        return r;
}

static int recover_piece(Recovery *recovery, Piece *piece, uint32_t from, uint32_t *ret_end) {
        uint32_t end;
        int r;

        r = find_end(recovery, piece, &end);
        if (r < 0)
                return r;

        if (end < SEGMENT_HEADER_SIZE) { /* its first append found no room */
                *ret_end = 0;
                return 0;
        }
        if (from > piece->scan.end)
                return damaged(piece, piece->scan.end, "the end of a truncated file");
        if (!piece->has_header && from <= SEGMENT_HEADER_SIZE) {
                if (end != UINT32_MAX)
                        return damaged(piece, 0, "a bad header");
                *ret_end = 0;
                return check_begun(piece);
        }

        piece->scan.offset = MAX(from, (uint32_t) SEGMENT_HEADER_SIZE);
        return walk(recovery, piece, end, ret_end);
}

/* What looks like a torn tail is none if it was on the disk. */
static int check_flushed(const Recovery *recovery, const Piece *piece, LogPosition end) {
        if (end.file != recovery->flushed.file || end.offset >= recovery->flushed.offset)
                return 0;
        return damaged(piece, end.offset, "a bad entry");
}

static int note_append(const LogEntry *entry, LogPosition at, LogPosition behind, void *userdata) {
        LogAppend *last = userdata;

        *last = (LogAppend){ at.file, entry->begun, behind.offset };
        return 0;
}

int log_find_last_append(
                SegmentFiles *files,
                const SegmentLogOptions *options,
                LogPosition from,
                LogAppend *ret) {
        LogAppend last = {};
        Recovery recovery = { files, options->id, {}, note_append, &last };
        uint32_t number = segment_files_last(files), end;

        for (; last.file == 0 && number >= MAX(from.file, (uint32_t) 1); number--) {
                Piece piece;
                int r;

                r = piece_open(&recovery, number, &piece);
                if (r == -ENODATA)
                        break;
                if (r < 0)
                        return r;

                r = recover_piece(&recovery, &piece, number == from.file ? from.offset : 0, &end);
                piece_done(&recovery, &piece);
                if (r < 0)
                        return r;
        }

        *ret = last;
        return 0;
}

int log_recover(SegmentFiles *files,
                const SegmentLogOptions *options,
                LogPosition from,
                SegmentLogOnEntry on_entry,
                void *userdata,
                LogPosition *ret_end) {
        Recovery recovery = { files, options->id, options->flushed, on_entry, userdata };
        uint32_t number = from.file > 0 ? from.file : segment_files_next(files, 0);
        char name[SEGMENT_NAME_SIZE];
        LogPosition end = {};

        for (; number > 0; number = segment_files_next(files, number)) {
                Piece piece;
                int r;

                r = piece_open(&recovery, number, &piece);
                if (r == -ENODATA) {
                        segment_name(number, name);
                        return members_note_missing(name);
                }
                if (r < 0)
                        return r;

                end.file = number;
                r = recover_piece(
                                &recovery, &piece, number == from.file ? from.offset : 0,
                                &end.offset);
                if (r >= 0)
                        r = check_flushed(&recovery, &piece, end);
                piece_done(&recovery, &piece);
                if (r < 0)
                        return r;
        }

        if (end.file < options->flushed.file) {
                segment_name(options->flushed.file, name);
                return members_note_missing(name);
        }

        *ret_end = end;
        return 0;
}
