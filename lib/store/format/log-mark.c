/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/file.h"
#include "core/checksum.h"
#include "store/format/log-mark.h"

#define MAGIC UINT64_C(0x306b72616d766b64) /* "dkvmark0" */

/* A slot fits into a sector, and no sector has two. */
enum {
        BODY_SIZE = 8 + 8 + 4 * 4 + 4,
        RECORD_SIZE = BODY_SIZE + sizeof(Checksum),
        SLOT_DISTANCE = 4096,
        FILE_SIZE = 2 * SLOT_DISTANCE,
};

int log_position_compare(LogPosition a, LogPosition b) {
        if (a.file != b.file)
                return a.file < b.file ? -1 : 1;
        return a.offset < b.offset ? -1 : a.offset > b.offset;
}

void log_name(uint32_t file, char ret_name[static LOG_NAME_SIZE]) {
        (void) snprintf(ret_name, LOG_NAME_SIZE, "log.%010" PRIu32, file);
}

/* In the byte order of this machine, as are the logs themselves. */
static void encode(const LogMark *mark, uint8_t ret[static RECORD_SIZE]) {
        const uint64_t magic = MAGIC;
        const uint32_t numbers[] = {
                mark->flushed.file,  mark->flushed.offset, mark->needed.file,
                mark->needed.offset, mark->size,
        };
        Checksum checksum;

        memcpy(ret, &magic, sizeof(magic));
        memcpy(ret + 8, &mark->id, sizeof(mark->id));
        memcpy(ret + 16, numbers, sizeof(numbers));
        checksum = checksum_of(ret, BODY_SIZE);
        memcpy(ret + BODY_SIZE, &checksum, sizeof(checksum));
}

static bool decode(const uint8_t record[static RECORD_SIZE], LogMark *ret) {
        const Checksum checksum = checksum_of(record, BODY_SIZE);
        uint32_t numbers[5];
        uint64_t magic;

        memcpy(&magic, record, sizeof(magic));
        if (magic != MAGIC || memcmp(record + BODY_SIZE, &checksum, sizeof(checksum)) != 0)
                return false;

        memcpy(&ret->id, record + 8, sizeof(ret->id));
        memcpy(numbers, record + 16, sizeof(numbers));
        ret->flushed = (LogPosition){ numbers[0], numbers[1] };
        ret->needed = (LogPosition){ numbers[2], numbers[3] };
        ret->size = numbers[4];
        return true;
}

int log_mark_create(int dir_fd, const LogMark *mark) {
        uint8_t file[FILE_SIZE] = {};

        encode(mark, file);
        return write_file(dir_fd, LOG_MARK_FILE, file, sizeof(file), 0640);
}

int log_mark_write(int fd, LogMarkSlot slot, const LogMark *mark) {
        uint8_t record[RECORD_SIZE];

        encode(mark, record);
        return pwrite_all(fd, record, sizeof(record), slot == LOG_MARK_SURE ? 0 : SLOT_DISTANCE);
}

static void merge(LogMark *mark, const LogMark *other) {
        if (log_position_compare(mark->flushed, other->flushed) < 0) {
                mark->flushed = other->flushed;
                mark->size = other->size;
        }
        if (log_position_compare(mark->needed, other->needed) < 0)
                mark->needed = other->needed;
}

int log_mark_read(int dir_fd, LogMark *ret) {
        _cleanup_free_ char *file = NULL;
        bool has_sure, has_quick;
        LogMark sure, quick;
        size_t size;
        int r;

        r = read_file(dir_fd, LOG_MARK_FILE, FILE_SIZE, &file, &size);
        if (r < 0)
                return r == -EFBIG ? -ENOENT : r;

        has_sure = size >= RECORD_SIZE && decode((const uint8_t *) file, &sure);
        has_quick = size >= SLOT_DISTANCE + RECORD_SIZE &&
                    decode((const uint8_t *) file + SLOT_DISTANCE, &quick);
        if (!has_sure && !has_quick)
                return -ENOENT;

        if (has_sure && has_quick && sure.id == quick.id)
                merge(&sure, &quick);
        *ret = has_sure ? sure : quick;
        return 0;
}
