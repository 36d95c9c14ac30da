/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "base/buffer.h"

void buffer_done(Buffer *buffer) {
        free(buffer->data);
        *buffer = (Buffer){};
}

void buffer_clear(Buffer *buffer) {
        buffer->size = 0;
        buffer->error = 0;
}

int buffer_error(const Buffer *buffer) {
        return buffer->error;
}

void buffer_reserve(Buffer *buffer, size_t size) {
        size_t allocated = MAX(buffer->allocated * 2, buffer->size + size);
        uint8_t *data;

        if (buffer->error < 0 || size <= buffer->allocated - buffer->size)
                return;

        data = realloc(buffer->data, allocated);
        if (!data) {
                buffer->error = -ENOMEM;
                return;
        }
        buffer->data = data;
        buffer->allocated = allocated;
}

uint8_t *buffer_extend(Buffer *buffer, size_t size) {
        uint8_t *room;

        if (size > buffer->allocated - buffer->size)
                buffer_reserve(buffer, MAX(size, (size_t) 64));
        if (buffer->error < 0)
                return NULL;

        room = buffer->data + buffer->size;
        buffer->size += size;
        return room;
}

void buffer_put(Buffer *buffer, const void *data, size_t size) {
        uint8_t *room = size > 0 ? buffer_extend(buffer, size) : NULL;

        if (room)
                memcpy(room, data, size);
}

void buffer_put_u8(Buffer *buffer, uint8_t value) {
        buffer_put(buffer, &value, sizeof(value));
}

void buffer_put_u16(Buffer *buffer, uint16_t value) {
        value = htole16(value);
        buffer_put(buffer, &value, sizeof(value));
}

void buffer_put_u32(Buffer *buffer, uint32_t value) {
        value = htole32(value);
        buffer_put(buffer, &value, sizeof(value));
}

void buffer_put_u64(Buffer *buffer, uint64_t value) {
        value = htole64(value);
        buffer_put(buffer, &value, sizeof(value));
}

void buffer_put_varint(Buffer *buffer, uint64_t value) {
        uint8_t bytes[10];
        size_t n = 0;

        for (; value >= 0x80; value >>= 7)
                bytes[n++] = (uint8_t) (value | 0x80);
        bytes[n++] = (uint8_t) value;
        buffer_put(buffer, bytes, n);
}

void buffer_put_bytes(Buffer *buffer, const void *data, size_t size) {
        buffer_put_varint(buffer, size);
        buffer_put(buffer, data, size);
}

void buffer_put_string(Buffer *buffer, const char *string) {
        buffer_put_bytes(buffer, string, strlen(string));
}

void buffer_set_u32(Buffer *buffer, size_t offset, uint32_t value) {
        if (buffer->error < 0)
                return;

        assert(offset + sizeof(value) <= buffer->size);

        value = htole32(value);
        memcpy(buffer->data + offset, &value, sizeof(value));
}

int reader_error(const Reader *reader) {
        return reader->error;
}

int reader_end(const Reader *reader) {
        return reader->error < 0 ? reader->error : reader->size > 0 ? -EBADMSG : 0;
}

const void *reader_get(Reader *reader, size_t size) {
        const void *data = reader->data;

        if (reader->error < 0)
                return NULL;
        if (size > reader->size) {
                reader->error = -EBADMSG;
                return NULL;
        }

        reader->data += size;
        reader->size -= size;
        return data;
}

uint8_t reader_get_u8(Reader *reader) {
        const uint8_t *p = reader_get(reader, 1);

        return p ? *p : 0;
}

uint16_t reader_get_u16(Reader *reader) {
        const void *p = reader_get(reader, sizeof(uint16_t));
        uint16_t value = 0;

        if (p)
                memcpy(&value, p, sizeof(value));
        return le16toh(value);
}

uint32_t reader_get_u32(Reader *reader) {
        const void *p = reader_get(reader, sizeof(uint32_t));
        uint32_t value = 0;

        if (p)
                memcpy(&value, p, sizeof(value));
        return le32toh(value);
}

uint64_t reader_get_u64(Reader *reader) {
        const void *p = reader_get(reader, sizeof(uint64_t));
        uint64_t value = 0;

        if (p)
                memcpy(&value, p, sizeof(value));
        return le64toh(value);
}

uint64_t reader_get_varint(Reader *reader) {
        uint64_t value = 0;

        for (unsigned shift = 0; shift < 64; shift += 7) {
                const uint8_t *p = reader_get(reader, 1);

                if (!p)
                        return 0;
                if (shift == 63 && *p > 1)
                        break;
                value |= (uint64_t) (*p & 0x7f) << shift;
                if (*p < 0x80)
                        return value;
        }

        reader->error = -EBADMSG;
        return 0;
}

const void *reader_get_bytes(Reader *reader, size_t *ret_size) {
        uint64_t size = reader_get_varint(reader);
        const void *data = reader->error < 0 ? NULL : reader_get(reader, size);

        if (data)
                *ret_size = size;
        return data;
}
