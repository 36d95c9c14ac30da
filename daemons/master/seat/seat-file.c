/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "core/checksum.h"
#include "master/seat/seat-file.h"

#define MAGIC  UINT64_C(0x746165732d766b64) /* "dkv-seat" */
#define FORMAT 1

#define SUM_SIZE      sizeof(uint64_t)
#define FILE_SIZE_MAX 4096 /* of any release */

void seat_file_encode(const SeatFile *file, Buffer *buffer) {
        size_t start = buffer->size;

        buffer_put_u64(buffer, MAGIC);
        buffer_put_u8(buffer, FORMAT);
        buffer_put(buffer, file->group, sizeof(file->group));
        buffer_put_u64(buffer, file->self);
        buffer_put_u8(buffer, file->has_log);
        if (buffer_error(buffer) >= 0)
                buffer_put_u64(buffer,
                               checksum_seeded(buffer->data + start, buffer->size - start, 0));
}

static bool is_whole(const uint8_t *data, size_t size) {
        Reader reader = READER(data + size - SUM_SIZE, SUM_SIZE);

        return reader_get_u64(&reader) == checksum_seeded(data, size - SUM_SIZE, 0);
}

int seat_file_decode(const void *data, size_t size, SeatFile *ret) {
        Reader reader;
        SeatFile file;
        const void *group;
        uint8_t format, has_log;

        if (size < SUM_SIZE || !is_whole(data, size))
                return -EBADMSG;

        reader = READER(data, size - SUM_SIZE);
        if (reader_get_u64(&reader) != MAGIC)
                return -EBADMSG;
        format = reader_get_u8(&reader);
        if (reader_error(&reader) >= 0 && format != FORMAT)
                return -EPROTONOSUPPORT;

        group = reader_get(&reader, sizeof(file.group));
        file.self = reader_get_u64(&reader);
        has_log = reader_get_u8(&reader);
        if (reader_end(&reader) < 0 || file.self == 0 || has_log > 1)
                return -EBADMSG;

        memcpy(file.group, group, sizeof(file.group));
        file.has_log = has_log;
        *ret = file;
        return 0;
}

static int open_directory(const char *path) {
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

int seat_file_read(const char *directory, SeatFile *ret) {
        _cleanup_close_ int dir_fd = open_directory(directory);
        _cleanup_free_ char *data = NULL;
        size_t size;
        int r;

        if (dir_fd < 0)
                return dir_fd;
        r = read_file(dir_fd, SEAT_FILE, FILE_SIZE_MAX, &data, &size);
        if (r < 0)
                return r == -EFBIG ? -EBADMSG : r;
        return seat_file_decode(data, size, ret);
}

int seat_file_write(const char *directory, const SeatFile *file) {
        _cleanup_close_ int dir_fd = open_directory(directory);
        _cleanup_(buffer_done) Buffer buffer = {};
        int r;

        if (dir_fd < 0)
                return dir_fd;
        seat_file_encode(file, &buffer);
        r = buffer_error(&buffer);
        return r < 0 ? r : write_file(dir_fd, SEAT_FILE, buffer.data, buffer.size, 0640);
}
