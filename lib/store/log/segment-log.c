/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mutant.h"
#include "store/disk/disk.h"
#include "store/log/log-recovery.h"
#include "store/log/segment-files.h"
#include "store/log/segment-log.h"
#include "store/log/segment-scan.h"
#include "store/log/segment.h"

/* Room is claimed in such pieces, or of a whole segment if that is less, so that few appends change
 * the size of the file. */
#define CLAIM_SIZE ((uint32_t) (4 * MIB))

/* More memory than this is not kept from one append to the next. */
#define KEPT_SIZE ((size_t) (8 * MIB))

/* What is written again is copied in such pieces. */
#define COPY_SIZE ((size_t) (256 * KIB))

#define SEGMENT_SIZE_MAX ((uint32_t) GIB)
#define OFFSET_MAX       ((uint64_t) UINT32_MAX / 2)

#define SPARE_FILE "spare"

struct SegmentLog {
        SegmentLogOptions options;
        SegmentFiles files;

        /* Of the thread that appends: */
        int fd;           /* of the segment that is written; -1 if there is none */
        LogPosition end;  /* of what is flushed; if FD is -1, of the segment before the next one */
        uint64_t claimed; /* room on the disk that the segment has */
        uint64_t seed;
        Buffer pending;
        size_t n_pending;
};

/* A quota that is used up is a disk that is full. */
static int disk_error(void) {
        return errno == EDQUOT ? -ENOSPC : -errno;
}

static uint64_t pending_end(const SegmentLog *log) {
        return log->end.offset + log->pending.size;
}

static void forget_pending(SegmentLog *log) {
        if (log->pending.allocated > KEPT_SIZE)
                buffer_done(&log->pending);
        buffer_clear(&log->pending);
        log->n_pending = 0;
}

/* No torn append, and nothing that was not used, behind the end; but if that fails, it does no harm
 * there. */
static void cut(int fd, uint32_t end) {
        (void) ftruncate(fd, end);
}

/* Writes what is there over itself. */
static int write_again(int fd, uint32_t from, uint32_t to) {
        _cleanup_free_ uint8_t *piece = malloc(COPY_SIZE);
        ssize_t n;
        int r;

        if (!piece)
                return -ENOMEM;

        for (; from < to; from += (uint32_t) n) {
                n = pread_all(fd, piece, MIN(COPY_SIZE, (size_t) (to - from)), from);
                if (n <= 0)
                        return (int) n;
                r = pwrite_all(fd, piece, (size_t) n, from);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* The last append of a process that has died may be in memory only. If its flush has failed, the
 * system takes it for written nevertheless, and a flush alone would succeed and do nothing. */
static int settle_last_append(SegmentLog *log, LogPosition from) {
        _cleanup_close_ int fd = -1;
        char name[SEGMENT_NAME_SIZE];
        LogAppend last;
        int r;

        r = log_find_last_append(&log->files, &log->options, from, &last);
        if (r < 0 || last.file == 0)
                return r;

        segment_name(last.file, name);
        fd = openat(log->options.dir_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return -errno;
        r = write_again(fd, last.begin, last.end);
        if (r < 0)
                return r;

        disk_flush(fd);
        return 0;
}

/* What a recovery has found is not written any more. */
static int finish_last(SegmentLog *log) {
        _cleanup_close_ int fd = -1;
        char name[SEGMENT_NAME_SIZE];

        if (log->end.file == 0 ||
            segment_files_size(&log->files, log->end.file) == (int64_t) log->end.offset)
                return 0;

        segment_name(log->end.file, name);
        fd = openat(log->options.dir_fd, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return -errno;

        cut(fd, log->end.offset);
        segment_files_set_size(&log->files, log->end.file, log->end.offset);
        return 0;
}

int segment_log_open(
                const SegmentLogOptions *options,
                LogPosition from,
                SegmentLogOnEntry on_entry,
                void *userdata,
                SegmentLog **ret) {
        _cleanup_(segment_log_freep) SegmentLog *log = NULL;
        int r;

        assert(options->segment_size <= SEGMENT_SIZE_MAX);

        log = malloc(sizeof(*log));
        if (!log)
                return -ENOMEM;

        *log = (SegmentLog){ .options = *options, .fd = -1 };
        r = segment_files_init(&log->files, options->dir_fd);
        if (r < 0)
                return r;

        r = MUTANT(UNSETTLED_START) ? 0 : settle_last_append(log, from);
        if (r < 0)
                return r;
        r = log_recover(&log->files, options, from, on_entry, userdata, &log->end);
        if (r < 0)
                return r;

        r = finish_last(log);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(log);
        return 0;
}

SegmentLog *segment_log_free(SegmentLog *log) {
        if (!log)
                return NULL;

        forget_pending(log);
        segment_log_seal(log);
        buffer_done(&log->pending);
        segment_files_done(&log->files);
        free(log);
        return NULL;
}

/* Opens the file of a new segment; that of an old one, if it was kept. One with this name is what
 * is left of an attempt that failed. */
static int open_segment(SegmentLog *log, uint32_t number) {
        int dir_fd = log->options.dir_fd, fd;
        char name[SEGMENT_NAME_SIZE];

        segment_name(number, name);
        if (renameat2(dir_fd, SPARE_FILE, dir_fd, name, RENAME_NOREPLACE) >= 0)
                fd = openat(dir_fd, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
        else
                fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
        return fd < 0 ? disk_error() : fd;
}

/* The header goes with the first append. */
static int begin_segment(SegmentLog *log) {
        _cleanup_close_ int fd = -1;
        uint8_t header[SEGMENT_HEADER_SIZE];
        uint32_t number = log->end.file + 1;
        struct stat st;
        int r;

        if (number == 0)
                return -EFBIG;

        segment_log_seal(log);
        segment_header_encode(
                        &(SegmentHeader){ log->options.id, number, .previous = log->end }, header);
        buffer_put(&log->pending, header, sizeof(header));
        r = buffer_error(&log->pending);
        if (r < 0)
                return r;

        fd = open_segment(log, number);
        if (fd < 0)
                return fd;
        r = fstat(fd, &st) < 0 ? -errno : segment_files_add(&log->files, number);
        if (r < 0)
                return r;

        /* Or the name could be gone after a crash, and with it all that is written now. */
        if (fsync(log->options.dir_fd) < 0)
                disk_fatal("flush", log->options.dir_fd, errno);

        log->fd = TAKE_FD(fd);
        log->end = (LogPosition){ number, 0 };
        log->claimed = (uint64_t) st.st_size;
        log->seed = entry_seed(log->options.id, number);
        return 0;
}

/* Not every file system can claim room; then the disk is as full as it turns out. */
static int claim(SegmentLog *log, uint64_t end) {
        uint64_t piece = MIN(CLAIM_SIZE, log->options.segment_size);
        uint64_t claimed = (end + piece - 1) / piece * piece;

        if (end <= log->claimed)
                return 0;
        if (fallocate(log->fd, 0, 0, (off_t) claimed) < 0 && errno != EOPNOTSUPP)
                return disk_error();

        log->claimed = claimed;
        return 0;
}

/* Begins the next one if this one is full, before anything is added. */
static int ensure_segment(SegmentLog *log) {
        int r;

        if (log->n_pending > 0 || (log->fd >= 0 && log->end.offset < log->options.segment_size))
                return 0;

        forget_pending(log);
        r = begin_segment(log);
        if (r < 0)
                forget_pending(log);
        return r;
}

int segment_log_reserve(SegmentLog *log, size_t size) {
        int r;

        assert(log->n_pending == 0);

        r = ensure_segment(log);
        if (r < 0)
                return r;
        if (size > OFFSET_MAX - pending_end(log))
                return -EFBIG;
        return claim(log, pending_end(log) + size);
}

bool segment_log_is_at_begin(const SegmentLog *log) {
        return log->n_pending == 0 && (log->fd < 0 || log->end.offset == 0 ||
                                       log->end.offset >= log->options.segment_size);
}

void segment_log_forget(SegmentLog *log) {
        size_t header = log->fd >= 0 && log->end.offset == 0 ? SEGMENT_HEADER_SIZE : 0;

        if (log->n_pending == 0)
                return;
        log->pending.size = header;
        log->pending.error = 0;
        log->n_pending = 0;
}

int segment_log_add(
                SegmentLog *log,
                uint8_t kind,
                uint64_t tag,
                const void *data,
                size_t size,
                LogPosition *ret) {
        LogEntry entry = { .kind = kind, .tag = tag, .size = (uint32_t) size, .data = data };
        size_t before;
        uint64_t at;
        int r;

        if (size > ENTRY_DATA_MAX || pending_end(log) + entry_size(size) > OFFSET_MAX)
                return -EFBIG;

        r = ensure_segment(log);
        if (r < 0)
                return r;

        at = pending_end(log);
        r = claim(log, at + entry_size(size));
        if (r < 0)
                return r;

        before = log->pending.size;
        entry.begun = log->end.offset;
        entry_encode(&entry, log->seed, (uint32_t) at, &log->pending);
        r = buffer_error(&log->pending);
        if (r < 0) { /* what was added before is whole */
                log->pending.size = before;
                log->pending.error = 0;
                return r;
        }

        log->n_pending++;
        *ret = (LogPosition){ log->end.file, (uint32_t) at };
        return 0;
}

int segment_log_append(SegmentLog *log) {
        int r;

        if (log->n_pending == 0)
                return 0;

        r = pwrite_all(log->fd, log->pending.data, log->pending.size, log->end.offset);
        if (r < 0 && r != -ENOSPC && r != -EDQUOT)
                disk_fatal("write", log->fd, -r);
        if (r < 0) {
                /* Some of it may be there, and must not be found behind what is written next. */
                forget_pending(log);
                segment_log_seal(log);
                return -ENOSPC;
        }
        if (!MUTANT(UNFLUSHED_APPEND))
                disk_flush(log->fd);

        log->end.offset = (uint32_t) pending_end(log);
        segment_files_set_size(&log->files, log->end.file, log->end.offset);
        forget_pending(log);
        return 0;
}

LogPosition segment_log_end(const SegmentLog *log) {
        return log->end;
}

void segment_log_seal(SegmentLog *log) {
        assert(log->n_pending == 0);

        if (log->fd < 0)
                return;

        cut(log->fd, log->end.offset);
        closep(&log->fd);
        forget_pending(log);
}

/* Reads header and data. */
static int
read_entry(SegmentLog *log, int fd, LogPosition at, size_t size, Buffer *scratch, LogEntry *ret) {
        uint64_t seed = entry_seed(log->options.id, at.file);
        size_t wanted = ENTRY_HEADER_SIZE + size;
        LogEntry entry;
        ssize_t n;
        int r;

        buffer_clear(scratch);
        if (!buffer_extend(scratch, wanted))
                return buffer_error(scratch);

        n = pread_all(fd, scratch->data, wanted, at.offset);
        if (n < 0)
                return (int) n;
        if ((size_t) n < wanted)
                return -EBADMSG;

        r = entry_decode_header(scratch->data, seed, at.offset, &entry);
        if (r < 0 || entry.size != size)
                return -EBADMSG;
        entry.is_damaged = entry_verify(scratch->data, &entry, seed, at.offset) < 0;
        entry.data = scratch->data + ENTRY_HEADER_SIZE;
        *ret = entry;
        return 0;
}

int segment_log_read(SegmentLog *log, LogPosition at, size_t size, Buffer *scratch, LogEntry *ret) {
        int fd, r;

        if (size > ENTRY_DATA_MAX)
                return -EBADMSG;

        fd = segment_files_acquire(&log->files, at.file);
        if (fd < 0)
                return fd;

        r = read_entry(log, fd, at, size, scratch, ret);
        segment_files_release(&log->files, at.file);
        return r;
}

/* Returns 1 and an entry, past what is damaged, 0 at the end, or a negative errno. */
static int next_whole(SegmentScan *scan, LogPosition *at, LogEntry *ret) {
        int r;

        for (;;) {
                at->offset = scan->offset;
                r = segment_scan_next(scan, ret);
                if (r < 0 || (r > 0 && !ret->is_damaged))
                        return r;
                if (r > 0)
                        continue;

                r = segment_scan_find(scan, scan->offset, 0, &scan->offset);
                if (r <= 0)
                        return r;
        }
}

int segment_log_scan(
                SegmentLog *log, LogPosition from, SegmentLogOnEntry on_entry, void *userdata) {
        int64_t size = segment_files_size(&log->files, from.file);
        SegmentScan scan;
        LogEntry entry;
        LogPosition at = from;
        int fd, r;

        fd = segment_files_acquire(&log->files, from.file);
        if (fd < 0)
                return fd;

        scan = SEGMENT_SCAN(
                        fd, entry_seed(log->options.id, from.file),
                        MAX(from.offset, (uint32_t) SEGMENT_HEADER_SIZE), (uint32_t) MAX(size, 0));
        while ((r = next_whole(&scan, &at, &entry)) > 0) {
                LogPosition behind = { from.file, scan.offset };

                r = on_entry(&entry, at, behind, userdata);
                if (r != 0)
                        break;
        }

        segment_scan_done(&scan);
        segment_files_release(&log->files, from.file);
        return r;
}

uint32_t segment_log_next(SegmentLog *log, uint32_t after, uint32_t *ret_size) {
        uint32_t number;
        int64_t size;

        do {
                number = segment_files_next(&log->files, after);
                size = number > 0 ? segment_files_size(&log->files, number) : 0;
                after = number;
        } while (size < 0); /* removed in between */

        *ret_size = (uint32_t) size;
        return number;
}

static void remove_file(SegmentLog *log, uint32_t number) {
        char name[SEGMENT_NAME_SIZE];

        /* What is left of it after a crash is not needed, either. */
        segment_name(number, name);
        (void) unlinkat(log->options.dir_fd, name, 0);
}

void segment_log_remove(SegmentLog *log, uint32_t number) {
        segment_files_remove(&log->files, number);
        remove_file(log, number);
}

void segment_log_recycle(SegmentLog *log, uint32_t number) {
        bool is_full = segment_files_size(&log->files, number) >=
                       (int64_t) log->options.segment_size;
        int dir_fd = log->options.dir_fd;
        char name[SEGMENT_NAME_SIZE];

        segment_files_remove(&log->files, number);
        segment_name(number, name);
        if (!is_full || renameat2(dir_fd, name, dir_fd, SPARE_FILE, RENAME_NOREPLACE) < 0)
                remove_file(log, number);
}

void segment_log_trim(SegmentLog *log) {
        (void) unlinkat(log->options.dir_fd, SPARE_FILE, 0);
}
