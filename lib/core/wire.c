/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "core/key.h"
#include "core/wire.h"

enum {
        COMMIT_CREATED = 1 << 0,
        COMMIT_SUPERSEDED = 1 << 1,
};

void wire_put_key(Buffer *buffer, const char *key) {
        buffer_put_bytes(buffer, key, strlen(key) + 1);
}

const char *wire_get_key(Reader *reader) {
        size_t size;
        const char *key = reader_get_bytes(reader, &size);

        if (key && (size < 2 || size > KEY_MAX + 1 || memchr(key, 0, size) != key + size - 1)) {
                reader->error = -EBADMSG;
                return NULL;
        }
        return key;
}

void wire_put_error(Buffer *buffer, int error) {
        assert(error <= 0);

        buffer_put_varint(buffer, (uint64_t) -error);
}

int wire_get_error(Reader *reader) {
        uint64_t error = reader_get_varint(reader);

        if (error > 4095) { /* the kernel's limit for errno values */
                reader->error = -EBADMSG;
                return -EBADMSG;
        }
        return -(int) error;
}

void wire_put_commit(Buffer *buffer, const WireCommit *commit) {
        size_t start;

        wire_put_key(buffer, commit->key);
        condition_encode(&commit->condition, buffer);

        /* The record comes last and needs its length in front. */
        start = buffer->size;
        buffer_put_u32(buffer, 0);
        record_encode(&commit->record, commit->key, buffer);
        if (buffer_error(buffer) == 0)
                buffer_set_u32(buffer, start, (uint32_t) (buffer->size - start - sizeof(uint32_t)));
}

int wire_get_commit(Reader *reader, WireCommit *ret) {
        WireCommit commit = { .key = wire_get_key(reader) };
        const void *record;
        uint32_t size;
        int r;

        if (!commit.key)
                return -EBADMSG;
        r = condition_decode(reader, &commit.condition);
        if (r < 0)
                return r;

        size = reader_get_u32(reader);
        record = reader_get(reader, size);
        if (!record)
                return -EBADMSG;
        r = record_decode(record, size, commit.key, &commit.record);
        if (r < 0)
                return r;

        *ret = commit;
        return 0;
}

void wire_put_commit_result(Buffer *buffer, const WireCommitResult *result) {
        wire_put_error(buffer, result->error);
        buffer_put_u8(buffer, (result->created ? COMMIT_CREATED : 0) |
                                              (result->superseded ? COMMIT_SUPERSEDED : 0));
}

WireCommitResult wire_get_commit_result(Reader *reader) {
        WireCommitResult result = { .error = wire_get_error(reader) };
        uint8_t flags = reader_get_u8(reader);

        result.created = flags & COMMIT_CREATED;
        result.superseded = flags & COMMIT_SUPERSEDED;
        return result;
}
