/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "base/buffer.h"
#include "base/file.h"
#include "core/checksum.h"
#include "store/disk/disk.h"
#include "store/entries/vote-file.h"

#define MAGIC  UINT64_C(0x65746f76766b64) /* "dkvvote" */
#define FORMAT 1

enum {
        SUM_SIZE = 8,
        FILE_SIZE_MAX = 4096, /* of any release */
        IS_NEW = 1,
};

static int damaged(int dir_fd, const char *what) {
        char path[4096] = "";

        disk_path_of(dir_fd, path, sizeof(path));
        disk_note_damage("'%s/" VOTE_FILE "': %s", path, what);
        return -EBADMSG;
}

static bool is_whole(const uint8_t *file, size_t size) {
        Reader reader = READER(file + size - SUM_SIZE, SUM_SIZE);

        return reader_get_u64(&reader) == checksum_seeded(file, size - SUM_SIZE, 0);
}

int vote_file_read(int dir_fd, Vote *ret) {
        _cleanup_free_ char *file = NULL;
        uint32_t format, flags;
        uint64_t magic;
        Reader reader;
        size_t size;
        Vote vote;
        int r;

        r = read_file(dir_fd, VOTE_FILE, FILE_SIZE_MAX, &file, &size);
        if (r == -EFBIG)
                return damaged(dir_fd, "it is too long");
        if (r < 0)
                return r;
        if (size < SUM_SIZE || !is_whole((const uint8_t *) file, size))
                return damaged(dir_fd, "a bad checksum");

        reader = READER((const uint8_t *) file, size - SUM_SIZE);
        magic = reader_get_u64(&reader);
        format = reader_get_u32(&reader);
        flags = reader_get_u32(&reader);
        if (magic != MAGIC)
                return damaged(dir_fd, "it is another file");
        if (format != FORMAT || (flags & ~(uint32_t) IS_NEW) != 0)
                return -EPROTONOSUPPORT;

        vote.log_id = reader_get_u64(&reader);
        vote.term = reader_get_u64(&reader);
        vote.vote = reader_get_u64(&reader);
        if (reader_end(&reader) < 0)
                return damaged(dir_fd, "it is of another length");

        vote.is_new = flags & IS_NEW;
        *ret = vote;
        return 0;
}

int vote_file_write(int dir_fd, const Vote *vote) {
        _cleanup_(buffer_done) Buffer buffer = {};
        int r;

        buffer_put_u64(&buffer, MAGIC);
        buffer_put_u32(&buffer, FORMAT);
        buffer_put_u32(&buffer, vote->is_new ? IS_NEW : 0);
        buffer_put_u64(&buffer, vote->log_id);
        buffer_put_u64(&buffer, vote->term);
        buffer_put_u64(&buffer, vote->vote);
        r = buffer_error(&buffer);
        if (r < 0)
                return r;
        buffer_put_u64(&buffer, checksum_seeded(buffer.data, buffer.size, 0));
        r = buffer_error(&buffer);
        if (r < 0)
                return r;

        r = write_file(dir_fd, VOTE_FILE, buffer.data, buffer.size, 0640);
        if (r == -EDQUOT)
                return -ENOSPC;
        if (r < 0 && r != -ENOSPC && r != -ENOMEM && r != -EMFILE && r != -ENFILE)
                disk_fatal("write " VOTE_FILE " in", dir_fd, -r);
        return r;
}
