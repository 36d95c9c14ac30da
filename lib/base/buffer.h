/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Buffer: a growing array of bytes, and Reader: a cursor over bytes that came from outside.
 *
 * Everything that dkv stores or sends in binary form goes through these two: integers are
 * little-endian, byte strings have a length in front. A Buffer remembers a failed allocation, so
 * that a series of puts is checked once, by buffer_error(). A Reader remembers the first overrun
 * and returns zeroes from then on, so that a series of gets is checked once, by reader_error(). */

#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"

typedef struct Buffer {
        uint8_t *data; /* owned */
        size_t size;
        size_t allocated;
        int error;
} Buffer;

void buffer_done(Buffer *buffer);

/* Empties the buffer and keeps its memory. */
void buffer_clear(Buffer *buffer);

/* Returns 0, or -ENOMEM if any put failed since the buffer was empty. */
int buffer_error(const Buffer *buffer);

/* Makes room for SIZE bytes that will be put, all at once instead of step by step. */
void buffer_reserve(Buffer *buffer, size_t size);

/* Adds SIZE bytes for the caller to fill. Returns where they are, or NULL. */
uint8_t *buffer_extend(Buffer *buffer, size_t size);

void buffer_put(Buffer *buffer, const void *data, size_t size);
void buffer_put_u8(Buffer *buffer, uint8_t value);
void buffer_put_u16(Buffer *buffer, uint16_t value);
void buffer_put_u32(Buffer *buffer, uint32_t value);
void buffer_put_u64(Buffer *buffer, uint64_t value);

/* LEB128: 7 bits a byte, least significant first; small numbers stay small. */
void buffer_put_varint(Buffer *buffer, uint64_t value);

/* A varint length, then the bytes. */
void buffer_put_bytes(Buffer *buffer, const void *data, size_t size);
void buffer_put_string(Buffer *buffer, const char *string);

/* Writes VALUE over the four bytes at OFFSET, which must have been put before. */
void buffer_set_u32(Buffer *buffer, size_t offset, uint32_t value);

typedef struct Reader {
        const uint8_t *data; /* not owned */
        size_t size;         /* what is left */
        int error;
} Reader;

#define READER(_data, _size) ((Reader){ .data = (_data), .size = (_size) })

/* Returns 0, or -EBADMSG if any get went past the end or met a malformed length. */
int reader_error(const Reader *reader);

/* Returns 0, or -EBADMSG on an error so far or if bytes are left over. */
int reader_end(const Reader *reader);

/* Returns a pointer into the data, or NULL if less than SIZE bytes are left. */
const void *reader_get(Reader *reader, size_t size);
uint8_t reader_get_u8(Reader *reader);
uint16_t reader_get_u16(Reader *reader);
uint32_t reader_get_u32(Reader *reader);
uint64_t reader_get_u64(Reader *reader);
uint64_t reader_get_varint(Reader *reader);

/* Returns a pointer into the data and its length, or NULL. */
const void *reader_get_bytes(Reader *reader, size_t *ret_size);
