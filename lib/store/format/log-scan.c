/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "store/format/log-scan.h"
#include "store/format/page.h"

/* A record of Berkeley DB 5.3 in a log, in the byte order of this machine: where the one before it
 * begins, its own size with this header, a checksum of the data; then the data, which begin with
 * type and transaction. */
enum {
        PREVIOUS_OFFSET = 0,
        SIZE_OFFSET = 4,
        CHECKSUM_OFFSET = 8,
        HEADER_SIZE = 12,

        /* The first record of each log. */
        FIRST_SIZE = HEADER_SIZE + 4 * sizeof(uint32_t),
        LOG_MAGIC = 0x040988,

        TYPE_CHECKPOINT = 11,
        CHECKPOINT_LSN_OFFSET = 4 + 4 + 8, /* in the data */
};

/* Of a log, with at least one record. */
#define BEGINNING_SIZE (64 * KIB)

#define CLAIM_PREFIX "dkv-claim "
#define CLAIM_SIZE   (sizeof(CLAIM_PREFIX) - 1 + 16 + 1 + 10 + 1 + 10 + 1)

/* In a record of log_printf(), behind header, type, transaction, previous LSN, "DIAGNOSTIC" with
 * its size, a file, and its own size. */
#define CLAIM_OFFSET (HEADER_SIZE + 4 + 4 + 8 + 4 + 10 + 4 + 4)

/* One log, in memory. */
typedef struct Log {
        uint32_t number;
        uint8_t *data;
        size_t size;
        size_t allocated;
} Log;

static void log_done(Log *log) {
        free(log->data);
}

static uint32_t read_u32(const uint8_t *p) {
        uint32_t value;

        memcpy(&value, p, sizeof(value));
        return value;
}

static int read_log(int dir_fd, uint32_t number, size_t max, Log *log) {
        _cleanup_close_ int fd = -1;
        char name[LOG_NAME_SIZE];
        struct stat st;
        size_t size;
        ssize_t n;

        log_name(number, name);
        fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (st.st_size > UINT32_MAX)
                return -EFBIG;

        size = MIN((size_t) st.st_size, max);
        if (size > log->allocated) {
                free(log->data);
                log->allocated = 0;
                log->data = malloc(size);
                if (!log->data)
                        return -ENOMEM;
                log->allocated = size;
        }

        n = pread_all(fd, log->data, size, 0);
        if (n < 0)
                return (int) n;

        log->number = number;
        log->size = (size_t) n;
        return 0;
}

/* Returns the size of the record that begins there, or 0 if none does. */
static size_t whole_record(const Log *log, size_t offset) {
        const uint8_t *p = log->data + offset;
        uint32_t size;

        if (offset > log->size || log->size - offset < HEADER_SIZE)
                return 0;

        size = read_u32(p + SIZE_OFFSET);
        if (size <= HEADER_SIZE || size > log->size - offset)
                return 0;

        return (page_hash(p + HEADER_SIZE, size - HEADER_SIZE) ^ read_u32(p + PREVIOUS_OFFSET) ^
                size) == read_u32(p + CHECKSUM_OFFSET)
                               ? size
                               : 0;
}

typedef struct Claim {
        uint64_t id;
        LogPosition flushed;
} Claim;

static bool parse_claim(const uint8_t *text, Claim *ret) {
        char copy[CLAIM_SIZE + 1], again[CLAIM_SIZE + 1];

        memcpy(copy, text, CLAIM_SIZE);
        copy[CLAIM_SIZE] = '\0';
        if (sscanf(copy, CLAIM_PREFIX "%16" SCNx64 " %10" SCNu32 " %10" SCNu32 ".", &ret->id,
                   &ret->flushed.file, &ret->flushed.offset) != 3)
                return false;

        (void) snprintf(again, sizeof(again), LOG_CLAIM_FORMAT, ret->id, ret->flushed.file,
                        ret->flushed.offset);
        return strcmp(copy, again) == 0;
}

/* Whether the whole record at OFFSET is a claim. */
static bool is_claim(const Log *log, size_t offset, size_t size, Claim *ret) {
        const uint8_t *text = log->data + offset + CLAIM_OFFSET;

        return size >= CLAIM_OFFSET + CLAIM_SIZE &&
               memcmp(text, CLAIM_PREFIX, sizeof(CLAIM_PREFIX) - 1) == 0 && parse_claim(text, ret);
}

/* The highest claim behind OFFSET, where the chain of the records is broken. */
static LogPosition find_claims(const Log *log, size_t offset) {
        LogPosition highest = {};
        const uint8_t *p, *end;

        if (log->size <= offset)
                return highest; /* there may be no memory, either */

        p = log->data + offset;
        end = log->data + log->size;
        while ((p = memmem(p, (size_t) (end - p), CLAIM_PREFIX, sizeof(CLAIM_PREFIX) - 1))) {
                size_t at = (size_t) (p - log->data), size;
                Claim claim;

                size = at >= offset + CLAIM_OFFSET ? whole_record(log, at - CLAIM_OFFSET) : 0;
                if (size > 0 && is_claim(log, at - CLAIM_OFFSET, size, &claim) &&
                    log_position_compare(claim.flushed, highest) > 0)
                        highest = claim.flushed;
                p++;
        }

        return highest;
}

static bool is_zero(const Log *log, size_t offset) {
        for (size_t i = offset; i < log->size && i < offset + HEADER_SIZE; i++)
                if (log->data[i] != 0)
                        return false;
        return true;
}

static bool is_zero_to_the_end(const Log *log, size_t offset) {
        const uint8_t *p;

        if (offset >= log->size)
                return true; /* there may be no memory, either */

        p = log->data + offset;
        return p[0] == 0 && memcmp(p, p + 1, log->size - offset - 1) == 0;
}

static int damaged(LogScan *scan, uint32_t file, size_t offset, const char *what) {
        scan->damage = (LogPosition){ file, (uint32_t) offset };
        scan->what = what;
        return -EBADMSG;
}

/* Notes what a record says about the log itself. Returns 0 or -EBADMSG. */
static int look_at(LogScan *scan, const Log *log, size_t offset, size_t size) {
        const uint8_t *data = log->data + offset + HEADER_SIZE;
        Claim claim;

        if (scan->on_record)
                scan->on_record((LogPosition){ log->number, (uint32_t) offset }, data,
                                size - HEADER_SIZE, scan->userdata);

        if (is_claim(log, offset, size, &claim)) {
                if (scan->id == 0)
                        scan->id = claim.id;
                if (claim.id != scan->id || claim.flushed.file > log->number ||
                    (claim.flushed.file == log->number && claim.flushed.offset > offset))
                        return damaged(scan, log->number, offset,
                                       "a record that belongs to another log");
        } else if (size >= HEADER_SIZE + CHECKPOINT_LSN_OFFSET + 8 &&
                   read_u32(data) == TYPE_CHECKPOINT) {
                scan->needed = (LogPosition){
                        read_u32(data + CHECKPOINT_LSN_OFFSET),
                        read_u32(data + CHECKPOINT_LSN_OFFSET + 4),
                };
        }

        return 0;
}

/* Goes through the records of one log. LAST is where the last one before it begins, of any log; it
 * becomes that of this one. */
static int walk(LogScan *scan, const Log *log, uint32_t *last, size_t *ret_end) {
        size_t offset = 0, size;

        while ((size = whole_record(log, offset)) > 0) {
                uint32_t previous = read_u32(log->data + offset + PREVIOUS_OFFSET);
                int r;

                if (offset == 0 &&
                    (size != FIRST_SIZE || read_u32(log->data + HEADER_SIZE) != LOG_MAGIC))
                        break;
                if (*last != UINT32_MAX && previous != *last)
                        break;

                r = offset > 0 ? look_at(scan, log, offset, size) : 0;
                if (r < 0)
                        return r;

                *last = (uint32_t) offset;
                offset += size;
        }

        *ret_end = offset;
        return 0;
}

/* Which logs there are: the lowest number, the lowest from which on none is missing, and the
 * highest. */
static int find_logs(int dir_fd, uint32_t *ret_lowest, uint32_t *ret_first, uint32_t *ret_last) {
        _cleanup_close_ int fd = -1;
        uint32_t lowest = UINT32_MAX, first, last = 0;
        struct dirent *entry;
        DIR *dir;

        fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        dir = fdopendir(fd);
        if (!dir)
                return -errno;
        fd = -1;

        while ((entry = readdir(dir))) {
                char name[LOG_NAME_SIZE];
                uint64_t number;

                if (strncmp(entry->d_name, "log.", strlen("log.")) != 0 ||
                    parse_u64(entry->d_name + strlen("log."), UINT32_MAX, &number) < 0)
                        continue;
                log_name((uint32_t) number, name);
                if (strcmp(name, entry->d_name) != 0)
                        continue;
                lowest = MIN(lowest, (uint32_t) number);
                last = MAX(last, (uint32_t) number);
        }
        (void) closedir(dir);

        for (first = last; first > 1; first--) {
                char name[LOG_NAME_SIZE];

                log_name(first - 1, name);
                if (faccessat(dir_fd, name, F_OK, 0) < 0)
                        break;
        }

        *ret_lowest = lowest;
        *ret_first = first;
        *ret_last = last;
        return 0;
}

/* Logs from before the last checkpoint are not needed, but Berkeley DB looks how they begin. */
static int check_old(int dir_fd, uint32_t lowest, uint32_t first_needed, LogScan *scan, Log *log) {
        for (uint32_t number = lowest; number < first_needed; number++) {
                uint32_t last = UINT32_MAX;
                size_t end;
                int r;

                r = read_log(dir_fd, number, BEGINNING_SIZE, log);
                if (r == -ENOENT)
                        continue;
                if (r < 0)
                        return r;
                if (whole_record(log, 0) != FIRST_SIZE)
                        return damaged(scan, number, 0, "a bad beginning");

                r = walk(scan, log, &last, &end);
                if (r < 0)
                        return r;
                if (end == FIRST_SIZE && number == lowest)
                        return damaged(scan, number, end, "a bad record");
        }

        return 0;
}

/* The chain of the last log ends at END: is that where it ended when it was last flushed? */
static int check_end(LogScan *scan, const Log *log, size_t end, const LogMark *mark) {
        LogPosition flushed = find_claims(log, MIN(end, log->size));

        scan->end = (LogPosition){ log->number, (uint32_t) end };
        scan->is_zero_behind = is_zero_to_the_end(log, end);
        if (mark && log_position_compare(mark->flushed, flushed) > 0)
                flushed = mark->flushed;

        if (flushed.file > log->number)
                return damaged(scan, flushed.file, 0, "a missing file");
        if (log_position_compare(flushed, scan->end) > 0)
                return damaged(scan, log->number, end,
                               end >= log->size    ? "the end of a truncated file"
                               : is_zero(log, end) ? "zeroes in the place of a record"
                                                   : "a bad record");
        if (mark && mark->flushed.file == log->number && log->size < mark->size)
                return damaged(scan, log->number, log->size, "the end of a truncated file");
        return 0;
}

/* Whether nothing of this log but its name has reached the disk. */
static bool is_begun(int dir_fd, uint32_t number, Log *log) {
        return read_log(dir_fd, number, SIZE_MAX, log) == 0 && whole_record(log, 0) == 0 &&
               is_zero(log, 0) && find_claims(log, 0).file == 0;
}

static int
scan_logs(int dir_fd, uint32_t first, uint32_t last, const LogMark *mark, LogScan *scan, Log *log) {
        uint32_t previous = UINT32_MAX;

        for (uint32_t number = first; number <= last; number++) {
                uint32_t first_previous;
                size_t end;
                int r;

                r = read_log(dir_fd, number, SIZE_MAX, log);
                if (r < 0)
                        return r == -ENOENT ? damaged(scan, number, 0, "a missing file") : r;
                scan->n_bytes += log->size;

                /* The log before it was flushed to its end before this one was begun. */
                first_previous = log->size >= HEADER_SIZE ? read_u32(log->data) : 0;
                if (previous != UINT32_MAX && whole_record(log, 0) == FIRST_SIZE &&
                    first_previous != previous)
                        return damaged(scan, scan->end.file, scan->end.offset, "a bad record");

                r = walk(scan, log, &previous, &end);
                if (r < 0)
                        return r;
                scan->end = (LogPosition){ number, (uint32_t) end };
                if (number == last)
                        return check_end(scan, log, end, mark);
                if (end == 0)
                        return damaged(scan, number, 0, "a bad beginning");
        }

        return 0;
}

int log_scan(int dir_fd, const LogMark *mark, LogScan *scan) {
        _cleanup_(log_done) Log log = {};
        uint32_t lowest = 0, first = 0, last = 0, needed;
        int r;

        scan->end = scan->needed = (LogPosition){};
        scan->id = mark ? mark->id : 0;
        scan->is_zero_behind = false;
        scan->n_bytes = 0;

        r = find_logs(dir_fd, &lowest, &first, &last);
        if (r < 0)
                return r;

        if (last > 1 && (!mark || mark->flushed.file < last) && is_begun(dir_fd, last, &log))
                last--;
        if (mark && mark->flushed.file > last)
                return damaged(scan, last + 1, 0, "a missing file");
        if (last == 0)
                return 0;

        /* Berkeley DB reads the record before the one that is needed, too, and one near the
         * beginning of its log. So a log that is needed at all must be good everywhere. */
        needed = mark ? MAX(first, mark->needed.file) : first;
        if (mark && mark->needed.offset <= FIRST_SIZE && needed > first)
                needed--;
        r = check_old(dir_fd, lowest, needed, scan, &log);
        if (r < 0)
                return r;
        scan->needed = (LogPosition){};

        r = scan_logs(dir_fd, needed, last, mark, scan, &log);
        if (r < 0)
                return r;

        /* What the mark still called needed may be gone, if a checkpoint has come since. */
        if (mark && first > mark->needed.file && scan->needed.file < first)
                return damaged(scan, first - 1, 0, "a missing file");
        return 0;
}
