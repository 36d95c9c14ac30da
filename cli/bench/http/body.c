/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "bench/http/body.h"

/* All chunks but the last one look alike, so that one finds the n-th by multiplication. */
#define CHUNK_SIZE (64 * KIB)
#define CHUNK_HEAD "10000\r\n"
#define CHUNK_TAIL "\r\n"
#define LAST_CHUNK "0\r\n\r\n"
#define FRAME_SIZE (sizeof(CHUNK_HEAD) - 1 + CHUNK_SIZE + sizeof(CHUNK_TAIL) - 1)

#define CHUNK_HEAD_SIZE 16

static_assert(CHUNK_SIZE == 0x10000, "CHUNK_HEAD must say how long a chunk is");

/* Returns the length of the line in front of a chunk of SIZE bytes. */
static size_t chunk_head(uint64_t size, char ret[static CHUNK_HEAD_SIZE]) {
        static const char digits[] = "0123456789abcdef";
        size_t n = 1;

        while (n < 8 && size >> (4 * n))
                n++;
        for (size_t i = 0; i < n; i++)
                ret[i] = digits[size >> 4 * (n - 1 - i) & 15];

        memcpy(ret + n, CHUNK_TAIL, sizeof(CHUNK_TAIL) - 1);
        return n + sizeof(CHUNK_TAIL) - 1;
}

uint64_t body_size(const Body *body) {
        uint64_t n_full = body->value.size / CHUNK_SIZE, rest = body->value.size % CHUNK_SIZE;
        char head[CHUNK_HEAD_SIZE];

        if (!body->chunked)
                return body->value.size;

        return n_full * FRAME_SIZE +
               (rest > 0 ? chunk_head(rest, head) + rest + sizeof(CHUNK_TAIL) - 1 : 0) +
               sizeof(LAST_CHUNK) - 1;
}

/* Copies the part of a piece of text that lies at OFFSET and moves OFFSET to what follows the
 * piece. Returns how many bytes were copied. */
static size_t read_text(
                const char *text, size_t length, uint64_t *offset, uint8_t *ret, size_t size) {
        size_t n = 0;

        if (*offset < length) {
                n = MIN(length - *offset, size);
                memcpy(ret, text + *offset, n);
        }

        *offset = *offset > length ? *offset - length : 0;
        return n;
}

/* Reads within one frame: FIRST is where in the value its chunk of LENGTH bytes starts. */
static size_t read_frame(
                const Value *value,
                uint64_t first,
                uint64_t length,
                uint64_t offset,
                uint8_t *ret,
                size_t size) {
        char head[CHUNK_HEAD_SIZE];
        size_t n = read_text(head, chunk_head(length, head), &offset, ret, size);

        if (offset < length) {
                size_t n_data = MIN(size - n, length - offset);

                value_fill(value, first + offset, ret + n, n_data);
                n += n_data;
        }
        offset = offset > length ? offset - length : 0;

        return n + read_text(CHUNK_TAIL, sizeof(CHUNK_TAIL) - 1, &offset, ret + n, size - n);
}

/* Reads within one frame or the last chunk, whichever OFFSET is in. */
static size_t read_chunk(const Value *value, uint64_t offset, uint8_t *ret, size_t size) {
        uint64_t n_full = value->size / CHUNK_SIZE, rest = value->size % CHUNK_SIZE;
        uint64_t end = n_full * FRAME_SIZE;
        char head[CHUNK_HEAD_SIZE];

        if (offset < end)
                return read_frame(
                                value, offset / FRAME_SIZE * CHUNK_SIZE, CHUNK_SIZE,
                                offset % FRAME_SIZE, ret, size);

        offset -= end;
        end = rest > 0 ? chunk_head(rest, head) + rest + sizeof(CHUNK_TAIL) - 1 : 0;
        if (offset < end)
                return read_frame(value, n_full * CHUNK_SIZE, rest, offset, ret, size);

        offset -= end;
        return read_text(LAST_CHUNK, sizeof(LAST_CHUNK) - 1, &offset, ret, size);
}

size_t body_read(const Body *body, uint64_t offset, void *ret, size_t size) {
        uint8_t *p = ret;
        size_t n = 0;

        assert(offset <= body_size(body));

        size = MIN(size, body_size(body) - offset);
        if (!body->chunked) {
                value_fill(&body->value, offset, ret, size);
                return size;
        }

        while (n < size)
                n += read_chunk(&body->value, offset + n, p + n, size - n);

        return n;
}
